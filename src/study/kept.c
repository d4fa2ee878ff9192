/* SPDX-License-Identifier: Apache-2.0 */
/* What the record already holds: runs that are kept, and runs that are trained again. */
#include "runner.h"

#include "base/base-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

char *rmil_runner_folder(const RmilRunner *runner, const RmilJob *job) {
    const GArray *repeats = runner->jobs->repeats;
    if (runner->options->folders == RMIL_FOLDERS_NONE) return NULL;
    if (runner->options->folders == RMIL_FOLDERS_ONE) return g_strdup("");
    g_autofree char *name = rmil_repeat_folder(repeats, (guint)(job->repeat - (const RmilRepeat *)(void *)repeats->data));
    return g_build_filename("runs", job->method->name, name, NULL);
}

gboolean rmil_runner_export(const RmilRunner *runner, const RmilJob *job, const RmilRecordRun *run, const char *model, gboolean renewed,
                            GError **error) {
    g_autofree char *below = rmil_runner_folder(runner, job);
    if (!below) return TRUE;
    g_autofree char *folder = g_build_filename(runner->options->folder, below, NULL);
    const RmilExport export = {folder, runner->data, job->run.splits, job->method, model, runner->options->preprocessing, renewed};
    return rmil_export_write(&export, run, runner->monitor, error);
}

char *rmil_runner_checkpoint(const RmilRunner *runner, const RmilJob *job) {
    g_autofree char *name = g_strdup_printf("%.16s", job->planned.key);
    return g_build_filename(runner->options->folder, "checkpoints", name, NULL);
}

/* Appends a run to those to do, or links it to one with the same training. `trainings`: the last job of each training so far. */
static void add_todo(RmilRunner *runner, int64_t index, GHashTable *trainings) {
    RmilJob *job = rmil_jobs_at(runner->jobs, index), *last = g_hash_table_lookup(trainings, job->training);
    if (last) last->twin = job;
    else g_array_append_val(runner->todo, index);
    g_hash_table_insert(trainings, job->training, job);
}

/* Names the runs of the previous plan that this one lacks, each with what differs. */
static void say_dropped(const RmilRunner *runner, const GPtrArray *dropped) {
    const gint64 count = dropped->len;
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < dropped->len; i++) {
        const RmilRecordDropped *one = dropped->pdata[i];
        g_autofree char *difference = NULL;
        for (guint j = 0; j < runner->jobs->list->len && !difference; j++) {
            const RmilJob *job = rmil_jobs_at(runner->jobs, j);
            if (strcmp(job->method->name, one->method) == 0 && job->repeat->seed == one->seed && strcmp(job->repeat->name, one->split) == 0)
                difference = rmil_config_difference(one->config, job->config, NULL);
        }
        g_string_append_printf(names, "%s%s/%s", i ? "; " : "", one->method, one->split);
        if (!*one->split) g_string_append_printf(names, "%" G_GINT64_FORMAT, one->seed);
        g_string_append_printf(names, " (%s)", difference ? difference : "not among the methods, seeds and splits of this run");
    }
    const char *them = count == 1 ? "it" : "them";
    g_autofree char *kept = g_strdup_printf(". The record keeps %s, outside the report", them),
                    *way = runner->options->folders == RMIL_FOLDERS_MANY ? g_strdup_printf("; --clean removes %s", them) : g_strdup("");
    if (count)
        rmil_monitor_warn(runner->monitor, "%s: holds %" G_GINT64_FORMAT " earlier training%s that %s not belong to this run: %s%s%s",
                          runner->options->folder, count, count == 1 ? "" : "s", count == 1 ? "does" : "do", names->str,
                          runner->options->clean ? "" : kept, runner->options->clean ? "" : way);
}

static gboolean clean(const RmilRunner *runner, GError **error) {
    int64_t count;
    if (!rmil_record_clean(runner->record, runner->options->folder, &count, error)) return FALSE;
    if (count)
        rmil_monitor_warn(runner->monitor, "%s: %" G_GINT64_FORMAT " earlier training%s removed from the record and models/ (--clean)",
                          runner->options->folder, count, count == 1 ? "" : "s");
    return TRUE;
}

/* Ids of the slides without features, one per line: those left out by earlier stages, and those that could not be loaded. */
static char *left_out(const RmilTrainData *data) {
    GString *out = g_string_new(NULL);
    for (int i = 0; data->cohort->left_out && data->cohort->left_out[i]; i++)
        g_string_append_printf(out, "%s%s", out->len ? "\n" : "", data->cohort->left_out[i]);
    for (int64_t i = 0; i < data->count; i++)
        if (!data->bags[i]) g_string_append_printf(out, "%s%s", out->len ? "\n" : "", data->cohort->rows[i].id);
    return g_string_free(out, FALSE);
}

/* Opens this process's record and stores the plan in it. */
static gboolean open_record(RmilRunner *runner, const char *path, GError **error) {
    const RmilStudyPlan *plan = runner->plan;
    g_autofree RmilStudyRun *planned = g_new0(RmilStudyRun, runner->jobs->list->len);
    for (guint i = 0; i < runner->jobs->list->len; i++) planned[i] = rmil_jobs_at(runner->jobs, i)->planned;
    g_autofree char *folder = g_path_get_dirname(path);
    RmilVaried varied[RMIL_VARIED];
    rmil_plan_cell(plan, 0, varied);
    g_autofree char *variable = rmil_varied_names(varied);
    g_autofree char *cohort = g_canonicalize_filename(runner->data->cohort->path, NULL);
    g_autoptr(GPtrArray) dropped = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_record_dropped_free);
    const RmilRunFolders folders = runner->options->folders;
    g_autofree char *task = rmil_task_text(&runner->data->cohort->task);
    g_autofree char *unread = left_out(runner->data), *returned = NULL;
    const RmilRecordStudy study = {.kind = plan->kind,
                                   .title = plan->title,
                                   .plan = plan->text,
                                   .cohort = cohort,
                                   .task = task,
                                   .slides = runner->data->cohort,
                                   .pool = runner->decision.pool,
                                   .fingerprint = runner->data->fingerprint,
                                   .reference = plan->reference->name,
                                   .variable = variable,
                                   .left_out = unread,
                                   .returned = &returned,
                                   .replaces = folders != RMIL_FOLDERS_NONE,
                                   .dropped = folders ? dropped : NULL};
    gboolean there;
    if (g_mkdir_with_parents(folder, 0777) != 0)
        return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot make the folder: %s", folder, g_strerror(errno));
    if (!rmil_file_exists(path, &there, error) ||
        (folders && !there && !rmil_export_set_aside(folder, folders == RMIL_FOLDERS_MANY, runner->monitor, error)))
        return FALSE;
    runner->record = rmil_record_open(path, &study, planned, runner->jobs->list->len, error);
    if (!runner->record) return FALSE;
    say_dropped(runner, dropped);
    if (returned)
        rmil_monitor_warn(
            runner->monitor,
            "%s: the study began while some slides could not be read that now can be (%s): it is trained again on all slides; earlier "
            "runs stay in the record but are not reported",
            path, returned);
    if (folders == RMIL_FOLDERS_MANY) {
        g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (guint i = 0; i < runner->jobs->list->len; i++)
            g_hash_table_add(names, rmil_runner_folder(runner, rmil_jobs_at(runner->jobs, i)));
        rmil_export_sort(runner->options->folder, runner->record, names);
    }
    return !runner->options->clean || clean(runner, error);
}

/* Is the recorded model unchanged, as far as the record can tell? If not, its rows stay until they are replaced. */
static gboolean check_model(const RmilRunner *runner, const RmilStudyRun *run) {
    GError *reason = NULL;
    g_autofree char *sha256 = *run->sha256 ? rmil_file_sha256(run->model, &reason) : NULL;
    const gboolean right = !*run->sha256 || g_strcmp0(sha256, run->sha256) == 0;
    if (!right)
        rmil_monitor_warn(runner->monitor, "%s: %s: it is trained again", run->model,
                          reason ? "cannot be read" : "is not the model in the record (its SHA-256 differs)");
    g_clear_error(&reason);
    return right;
}

gboolean rmil_runner_decide(const RmilRunner *runner, const RmilJob *job, const GArray *rows, RmilModel *model) {
    const RmilTask *task = &runner->data->cohort->task;
    g_autoptr(GArray) val = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    for (guint i = 0; i < rows->len; i++) {
        const RmilPredictionRow *row = &g_array_index(rows, RmilPredictionRow, i);
        if (row->part == RMIL_SPLIT_VAL && rmil_target_known(task, &row->target)) g_array_append_val(val, *row);
    }
    RmilDecision decision;
    g_autofree char *reason = NULL, *title = rmil_study_run_title(&job->planned);
    rmil_decide(task, &runner->decision, val, &decision, &reason);
    if (!decision.chosen) return FALSE;
    g_autofree char *was = rmil_model_decision(model)->chosen ? rmil_decision_text(rmil_model_decision(model)) : g_strdup(""),
                    *is = rmil_decision_text(&decision);
    if (strcmp(was, is) == 0) return FALSE;
    if (reason && task->classes == 2 && isnan(decision.cut)) rmil_monitor_warn(runner->monitor, "%s: %s; 0.5 is used", title, reason);
    else if (reason) rmil_monitor_note(runner->monitor, "%s: %s", title, reason);
    if (*was) rmil_monitor_note(runner->monitor, "%s: its cut-off and calibration are chosen again", title);
    rmil_model_set_decision(model, &decision);
    return TRUE;
}

/* Updates the recorded model of a finished run with the cut-off and calibration that are requested now. */
static gboolean update_decision(const RmilRunner *runner, const RmilJob *job, RmilRecordRun *run, char **sha256, char **text,
                                GError **error) {
    g_autoptr(RmilModel) model = rmil_model_load(run->run.model, error);
    if (!model) return FALSE;
    if (!rmil_runner_decide(runner, job, run->rows[RMIL_ROWS_PREDICTION], model)) return TRUE;
    if (!rmil_model_save(model, run->run.model, error) || !(*sha256 = rmil_file_sha256(run->run.model, error))) return FALSE;
    run->run.sha256 = *sha256;
    run->run.decision = *text = rmil_decision_text(rmil_model_decision(model));
    return rmil_record_set_model(runner->record, run->run.key, *sha256, *text, error);
}

/* A finished run: makes its folder match the record. own: the run is in this process's record. */
static gboolean keep_run(const RmilRunner *runner, RmilStudy *have, int64_t index, gboolean own, GError **error) {
    RmilJob *job = rmil_jobs_at(runner->jobs, index);
    RmilRecordRun run = {.run = *rmil_study_run(have, index)};
    g_autofree char *checkpoint = rmil_runner_checkpoint(runner, job);
    g_unlink(checkpoint); /* left if the process was killed after recording, before removal */
    gboolean done = TRUE;
    for (int kind = 0; done && kind < RMIL_ROWS_COUNT; kind++)
        done = (run.rows[kind] = kind == RMIL_ROWS_PREDICTION ? rmil_study_predictions(have, index, error)
                                                              : rmil_study_rows(have, index, kind, error)) != NULL;
    g_autofree char *sha256 = NULL, *text = NULL;
    done = done && (!own || update_decision(runner, job, &run, &sha256, &text, error)) &&
           rmil_runner_export(runner, job, &run, run.run.model, sha256 != NULL, error);
    for (int kind = 0; kind < RMIL_ROWS_COUNT; kind++) g_clear_pointer(&run.rows[kind], g_array_unref);
    return done;
}

/* Reads all records of the folder. */
static gboolean read_records(RmilRunner *runner, GError **error) {
    g_autoptr(RmilStudy) have = rmil_study_open(runner->options->folder, error);
    const RmilStudyOptions *options = runner->options;
    RmilStudyOutcome *outcome = runner->outcome;
    g_autoptr(GHashTable) trainings = g_hash_table_new(g_str_hash, g_str_equal);
    outcome->planned = have ? runner->jobs->list->len : 0;
    for (int64_t i = 0; i < outcome->planned; i++) {
        const RmilStudyRun *run = rmil_study_run(have, i);
        gboolean own = options->shards == 0 || i % options->shards == options->shard - 1, done = run->done;
        if (own && done) done = check_model(runner, run);
        outcome->share += own;
        outcome->kept += own && done;
        if (own && !done) add_todo(runner, i, trainings);
        if (done && !keep_run(runner, have, i, own, error)) return FALSE;
    }
    return have != NULL;
}

gboolean rmil_runner_open(RmilRunner *runner, const char *path, GError **error) {
    return open_record(runner, path, error) && read_records(runner, error);
}
