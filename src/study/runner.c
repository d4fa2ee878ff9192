/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a plan: every run that is not yet recorded, as many at once as there are threads. */
#include "runner.h"

#include "base/base-private.h"
#include "mil/model.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

/* -- progress, in epochs ------------------------------------------------------------------------------------------------------ */
/* The expected length of a training is the mean number of epochs of those that have ended; before the first, the minimum. Call with the
 * lock held. */
static void show_progress(const RmilRunner *runner) {
    const GArray *todo = runner->todo;
    int64_t done = 0, total = 0;
    for (guint i = 0; i < todo->len; i++) {
        const RmilJob *job = rmil_jobs_at(runner->jobs, g_array_index(todo, int64_t, i));
        const RmilTrainConfig *train = &job->run.train;
        const int64_t least = MIN(train->epochs, MAX(train->warmup, train->patience + 1));
        const int64_t expected = runner->ended ? runner->epochs / runner->ended : least;
        done += job->epochs;
        total += job->ended ? job->epochs : MAX(expected, job->epochs + 1);
    }
    if (todo->len) rmil_monitor_progress(runner->monitor, "train: epochs", done, total);
}

static void epoch_done(gpointer user, const char *what, int64_t done, int64_t total) {
    RmilJob *job = user;
    RmilRunner *runner = job->runner;
    g_mutex_lock(&runner->lock);
    job->epochs = done;
    show_progress(runner);
    g_mutex_unlock(&runner->lock);
}

static void pass_note(gpointer user, const char *text) {
    const RmilJob *job = user;
    RmilRunner *runner = job->runner;
    g_autofree char *title = rmil_study_run_title(&job->planned);
    g_mutex_lock(&runner->lock);
    rmil_monitor_note(runner->monitor, "%s: %s", title, text);
    g_mutex_unlock(&runner->lock);
}

static void pass_warning(gpointer user, const char *message) {
    const RmilRunner *runner = ((const RmilJob *)user)->runner;
    rmil_monitor_warn(runner->monitor, "%s", message);
}

/* -- one run ----------------------------------------------------------------------------------------------------------------- */
/* Everything that the record stores of a trained model. */
static gboolean record_run(RmilRunner *runner, const RmilJob *job, RmilModel *model, GArray *history, const RmilApplied *applied,
                           const GArray *lesions, double seconds, int threads, GError **error) {
    g_autofree char *name = g_strdup_printf("models/%s-%.16s.safetensors", job->method->name, job->planned.key);
    g_autofree char *path = g_build_filename(runner->options->folder, name, NULL);
    RmilRecordRun out = {.run = job->planned, .rows[RMIL_ROWS_EPOCH] = g_array_ref(history)};
    out.run.done = TRUE;
    out.run.epochs = history->len;
    out.run.seconds = seconds;
    out.run.threads = threads;
    out.run.version = rmil_version();
    out.run.config = job->config;
    out.run.model = name;
    for (int kind = RMIL_ROWS_EPOCH + 1; kind < RMIL_ROWS_COUNT; kind++)
        out.rows[kind] = g_array_new(FALSE, FALSE, (guint)rmil_rows[kind].size);
    for (guint i = 0; i < history->len; i++) {
        const RmilEpoch *epoch = &g_array_index(history, RmilEpoch, i);
        if (epoch->best) out.run.best_epoch = epoch->epoch;
    }
    GStringChunk *strings = g_string_chunk_new(1024);
    rmil_applied_rows(runner->data, model, job->run.splits, runner->options->folders != RMIL_FOLDERS_NONE, applied, lesions, strings,
                      out.rows);
    rmil_runner_decide(runner, job, out.rows[RMIL_ROWS_PREDICTION], model);
    g_autofree char *sha256 = rmil_model_save(model, path, error) ? rmil_file_sha256(path, error) : NULL;
    g_autofree char *decision = rmil_model_decision(model)->chosen ? rmil_decision_text(rmil_model_decision(model)) : NULL;
    out.run.sha256 = sha256;
    out.run.decision = decision;
    g_mutex_lock(&runner->lock);
    gboolean done = sha256 && rmil_record_add(runner->record, &out, error);
    g_mutex_unlock(&runner->lock);
    done = done && rmil_runner_export(runner, job, &out, path, FALSE, error);
    for (int kind = 0; kind < RMIL_ROWS_COUNT; kind++) g_array_unref(out.rows[kind]);
    g_string_chunk_free(strings);
    return done;
}

static gboolean do_job(RmilRunner *runner, RmilJob *job, GError **error) {
    RmilVariant variant = {NULL, NULL, NULL};
    gint64 start = g_get_monotonic_time();
    if (job->annotations) {
        const RmilAnnotating how = {job->data.grown, job->data.kept, job->data.within, job->repeat->seed};
        if (!rmil_variant_init(&variant, runner->data, job->run.splits, &how, error)) {
            rmil_variant_clear(&variant);
            return FALSE;
        }
        job->run.bags = variant.bags;
    }
    g_autofree char *checkpoint = rmil_runner_checkpoint(runner, job);
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    const RmilMonitor monitor = {.progress = epoch_done, .warn = pass_warning, .user = job, .note = pass_note};
    g_autoptr(RmilModel) model = rmil_train_run(&job->run, checkpoint, history, &monitor, error);
    double seconds = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
    g_autofree RmilApplied *applied = g_new0(RmilApplied, runner->data->count);
    g_autoptr(GArray) lesions = g_array_new(FALSE, FALSE, sizeof(RmilLesionRow));
    const int threads = job->run.train.threads;
    if (model) rmil_model_set_threads(model, threads);
    gboolean done = model && rmil_train_apply(runner->data, model, job->run.splits, runner->options->folders != RMIL_FOLDERS_NONE, threads,
                                              &monitor, applied, lesions, error);
    for (const RmilJob *twin = job; done && twin; twin = twin->twin)
        done = record_run(runner, twin, model, history, applied, lesions, seconds, threads, error);
    if (done) g_unlink(checkpoint);
    job->run.bags = NULL;
    rmil_variant_clear(&variant);
    return done;
}

/* Threads: one per run as long as runs are waiting. Otherwise free threads are shared out among the current runs, each of which asks before
 * every epoch. */
static int ask_threads(gpointer user, int now) {
    RmilJob *job = user;
    RmilRunner *runner = job->runner;
    g_mutex_lock(&runner->lock);
    const int fair = (int)((runner->threads + runner->active - 1) / runner->active), idle = runner->threads - runner->busy;
    const int more = runner->waiting == 0 && fair > now ? CLAMP(idle, 0, fair - now) : 0;
    runner->busy += more;
    job->run.train.threads += more;
    g_mutex_unlock(&runner->lock);
    return now + more;
}

static gboolean is_heavy(const RmilJob *job) { return rmil_model_class(job->run.model.model, NULL)->dim != NULL; }

static void begin(RmilRunner *runner, RmilJob *job) {
    job->runner = runner;
    job->run.train.threads = is_heavy(job) ? runner->threads : 1;
    job->run.train.ask_threads = is_heavy(job) ? NULL : ask_threads;
    job->run.train.ask_user = job;
    g_mutex_lock(&runner->lock);
    runner->waiting--;
    runner->active++;
    runner->busy += job->run.train.threads;
    g_mutex_unlock(&runner->lock);
}

/* Call with the lock held. */
static void end(RmilRunner *runner, RmilJob *job) {
    runner->busy -= job->run.train.threads;
    runner->active--;
    runner->ended++;
    runner->epochs += job->epochs;
    job->ended = TRUE;
}

static gboolean job_task(int64_t index, int worker, gpointer user, GError **error) {
    RmilRunner *runner = user;
    RmilJob *job = rmil_jobs_at(runner->jobs, g_array_index(runner->todo, int64_t, runner->first + index));
    GError *reason = NULL;
    begin(runner, job);
    gboolean done = do_job(runner, job, &reason);
    /* a record that cannot be written ends the study; a failed training does not */
    gboolean fatal = reason && (reason->code == RMIL_ERROR_IO || reason->code == RMIL_ERROR_MEMORY);
    g_mutex_lock(&runner->lock);
    end(runner, job);
    RmilStudyOutcome *outcome = runner->outcome;
    for (const RmilJob *twin = job; twin; twin = twin->twin) {
        outcome->made += done;
        if (done || fatal) continue;
        RmilStudyFailure *failure = g_new(RmilStudyFailure, 1);
        *failure = (RmilStudyFailure){rmil_study_run_title(&twin->planned), rmil_runner_folder(runner, twin), g_strdup(reason->message)};
        g_ptr_array_add(outcome->failures, failure);
    }
    show_progress(runner);
    g_mutex_unlock(&runner->lock);
    if (fatal) g_propagate_error(error, reason);
    else g_clear_error(&reason);
    return !fatal;
}

/* -- the study --------------------------------------------------------------------------------------------------------------- */
/* Only one process at a time may use a record. */
static RmilLock *lock_record(const RmilStudyOptions *options, const char *name, const RmilMonitor *monitor, GError **error) {
    g_autofree char *file = g_strdup_printf(".%s.lock", name);
    return rmil_lock_take(options->folder, file, RMIL_LOCK_ALONE, "another process of this study", monitor, error);
}

static char *record_path(const RmilStudyOptions *options, char **name) {
    if (options->shards == 0) {
        *name = g_strdup("study");
        return g_build_filename(options->folder, "study.sqlite", NULL);
    }
    *name = g_strdup_printf("%d-of-%d", options->shard, options->shards);
    g_autofree char *file = g_strconcat(*name, ".sqlite", NULL);
    return g_build_filename(options->folder, "shards", file, NULL);
}

/* Removes checkpoints of earlier plans once this one is done, but not in a study, where other processes may need theirs. */
static void remove_checkpoints(const RmilRunner *runner, gboolean done) {
    g_autofree char *folder = g_build_filename(runner->options->folder, "checkpoints", NULL);
    g_autoptr(GDir) dir = done && runner->options->folders && !runner->outcome->failures->len ? g_dir_open(folder, 0, NULL) : NULL;
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_unlink(path);
    }
    g_rmdir(folder); /* if it is empty */
}

/* Models of pixels use gigabytes in training: one at a time, after the others. */
static void put_heavy_last(RmilRunner *runner) {
    g_autoptr(GArray) heavy = g_array_new(FALSE, FALSE, sizeof(int64_t));
    guint light = 0;
    for (guint i = 0; i < runner->todo->len; i++) {
        const int64_t index = g_array_index(runner->todo, int64_t, i);
        if (is_heavy(rmil_jobs_at(runner->jobs, index))) g_array_append_val(heavy, index);
        else g_array_index(runner->todo, int64_t, light++) = index;
    }
    runner->light = light;
    g_array_set_size(runner->todo, light);
    g_array_append_vals(runner->todo, heavy->data, heavy->len);
}

static gboolean run_jobs(RmilRunner *runner, GError **error) {
    static const char *const folders[] = {"models", "checkpoints"};
    for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *path = g_build_filename(runner->options->folder, folders[i], NULL);
        if (g_mkdir_with_parents(path, 0777) != 0)
            return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot make the folder: %s", path, g_strerror(errno));
    }
    put_heavy_last(runner);
    runner->waiting = runner->light;
    gboolean done = rmil_parallel(runner->light, runner->threads, job_task, runner, error);
    runner->first = runner->light;
    runner->waiting = runner->todo->len - runner->light;
    done = done && rmil_parallel(runner->waiting, 1, job_task, runner, error);
    remove_checkpoints(runner, done);
    g_autofree char *models = g_build_filename(runner->options->folder, "models", NULL);
    if (runner->options->shards == 0) rmil_folder_sweep(models);
    return done;
}

static void free_failure(gpointer data) {
    RmilStudyFailure *failure = data;
    g_free(failure->title);
    g_free(failure->folder);
    g_free(failure->message);
    g_free(failure);
}

static gboolean read_decision(const RmilStudyPlan *plan, const RmilTrainOptions *base, RmilDecisionOptions *decision, GError **error) {
    RmilTrainOptions options;
    rmil_train_options_init(&options);
    const gboolean done = rmil_study_plan_data_options(plan, base, &options, error) &&
                          rmil_train_options_decision(&options, decision, error);
    rmil_train_options_clear(&options);
    return done;
}

gboolean rmil_study_execute(const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *base,
                            const RmilStudyOptions *options, const RmilMonitor *monitor, RmilStudyOutcome *outcome, GError **error) {
    *outcome = (RmilStudyOutcome){.failures = g_ptr_array_new_with_free_func(free_failure)};
    if (options->shards < 0 || options->shards > 100000 || (options->shards && (options->shard < 1 || options->shard > options->shards)))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "shard %d of %d: shards are numbered from 1", options->shard, options->shards);
    g_autofree char *name = NULL, *path = record_path(options, &name);
    g_autoptr(RmilLock) lock = lock_record(options, name, monitor, error);
    if (!lock || !rmil_study_accepts(options->folder, plan->kind, error)) return FALSE;
    g_autoptr(RmilJobs) jobs = rmil_jobs_new(plan, data, base, options->padded, monitor, error);
    g_autoptr(GArray) todo = g_array_new(FALSE, FALSE, sizeof(int64_t));
    RmilRunner runner = {.plan = plan,
                         .data = data,
                         .options = options,
                         .monitor = monitor,
                         .jobs = jobs,
                         .todo = todo,
                         .threads = rmil_threads(options->threads),
                         .outcome = outcome};
    g_mutex_init(&runner.lock);
    gboolean done = jobs && read_decision(plan, base, &runner.decision, error) && rmil_runner_open(&runner, path, error) &&
                    run_jobs(&runner, error);
    outcome->left = outcome->share - outcome->kept - outcome->made;
    rmil_record_free(runner.record);
    g_mutex_clear(&runner.lock);
    return done;
}

void rmil_study_outcome_clear(RmilStudyOutcome *outcome) { g_clear_pointer(&outcome->failures, g_ptr_array_unref); }
