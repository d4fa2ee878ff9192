/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil run COHORT -o DIR: the main job. */
#include "run.h"

#include <string.h>

/* -- the whole ------------------------------------------------------------------------------------------------------------------ */
static gboolean prepare(Run *run, gboolean *annotated, GError **error) {
    g_autofree char *cache = g_build_filename(run->work->folder, "cache", NULL);
    run->cohort = rmil_work_prepare(run->work, error);
    prepare_report(run->cli, run->work);
    /* from here on only one process; later ones find everything done */
    if (!run->cohort ||
        !(run->turn = rmil_lock_take(run->work->folder, ".run.lock", RMIL_LOCK_WAIT, "rankmil run", &run->cli->monitor, error)))
        return FALSE;
    run->data = train_data_load(run->cli, run->cohort, run->options, cache, error);
    if (!run->data) return FALSE;
    run->bags = g_new(int64_t, run->cohort->count);
    rmil_cohort_bag_rows(run->data->cohort, run->bags);
    for (int64_t i = 0; i < run->data->count; i++) {
        const RmilBag *bag = run->data->bags[i];
        for (int64_t k = 0; bag && bag->patch_labels && k < bag->count && !*annotated; k++) *annotated = bag->patch_labels[k];
    }
    return TRUE;
}

/* --methods a,b,c; by default AB-MIL and, if anything is annotated, rank induction; with --partial, within and across slides. */
static gboolean choose_methods(Run *run, const char *names, gboolean annotated, GError **error) {
    const RmilTrainMethod *guided = run->partial ? rmil_method_partial() : rmil_method_reference();
    if (!names) g_ptr_array_add(run->methods, (gpointer)rmil_method_unguided(guided));
    if (!names && annotated) g_ptr_array_add(run->methods, (gpointer)guided);
    g_auto(GStrv) list = g_strsplit(names ? names : "", ",", -1);
    for (int i = 0; list[i]; i++) {
        const RmilTrainMethod *method = rmil_method_find(g_strstrip(list[i]), error);
        if (!method) return FALSE;
        if (g_ptr_array_find(run->methods, method, NULL)) {
            g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "--methods names %s twice", method->name);
            return FALSE;
        }
        g_ptr_array_add(run->methods, (gpointer)method);
    }
    return TRUE;
}

/* Errors that hours of tiling and encoding would not change: options that a method does not have, methods that need annotations if there
 * are none. */
static gboolean check_early(Run *run, const char *names, GError **error) {
    const RmilCohort *cohort = run->work->cohort;
    gboolean annotated = FALSE, features = FALSE;
    for (int64_t i = 0; i < cohort->count; i++) {
        annotated = annotated || cohort->rows[i].annotation || cohort->rows[i].patch_labels;
        features = features || cohort->rows[i].features; /* which may hold patch labels */
    }
    if (!choose_methods(run, names, annotated || features, error)) return FALSE;
    for (guint m = 0; m < run->methods->len; m++) {
        const RmilTrainMethod *method = run->methods->pdata[m];
        if (!rmil_train_options_check(run->options, method, error)) return FALSE;
        if (method->patches && !annotated && !features) {
            g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA,
                        "%s: no slide has an annotation, and %s learns only from annotated patches: add annotations to the table, or leave "
                        "it out of --methods",
                        cohort->path, method->name);
            return FALSE;
        }
        if (method->guide == RMIL_GUIDE_NONE || annotated || features) continue;
        if (rmil_guide_needs_annotations(method->guide))
            rmil_monitor_warn(&run->cli->monitor,
                              "%s: no slide has an annotation, so the guide of %s has no effect and it trains as %s does without a guide",
                              cohort->path, method->name, method->model);
        else
            rmil_monitor_warn(&run->cli->monitor, "%s: no slide has an annotation, so %s acts only on slides without a lesion",
                              cohort->path, method->name);
    }
    g_ptr_array_set_size(run->methods, 0); /* once the features exist, it is known which slides have patch labels */
    return TRUE;
}

/* What this run tiles and encodes; for given features, the record beside their table, as in `rankmil train`. Must be called before the
 * stages, which write a file with that name. */
static gboolean find_preprocessing(Run *run, GError **error) {
    const gboolean encodes = rmil_work_encodes(run->work);
    if (encodes) run->preprocessing = rmil_preprocessing_get(&run->work->options);
    return encodes || rmil_preprocessing_read(run->work->cohort->path, &run->preprocessing, error);
}

static gboolean run_all(Run *run, const RunSettings *options, GError **error) {
    gboolean annotated = FALSE;
    const char *folder = run->work->folder;
    run->partial = options->partial;
    run->report = &options->report;
    if (!report_check(run->report, run->work->cohort, error) || !rmil_study_accepts(folder, "run", error) ||
        !check_early(run, options->methods, error) || !find_preprocessing(run, error) || !prepare(run, &annotated, error) ||
        !choose_methods(run, options->methods, annotated, error))
        return FALSE;
    g_autofree int64_t *seeds = g_new(int64_t, options->repeats);
    for (int64_t i = 0; i < options->repeats; i++) seeds[i] = run->cli->seed + i;
    const char *splits = rmil_train_options_get(run->options, "splits");
    g_autoptr(RmilStudyPlan) plan = rmil_study_plan_new("run", run->methods, run->options, seeds, splits ? 0 : options->repeats);
    run->repeats = rmil_study_plan_repeats(plan, run->data->cohort, run->options, error);
    g_autofree char *report = g_build_filename(folder, "report.html", NULL);
    RmilStudyOutcome outcome;
    gint64 start = g_get_monotonic_time();
    if (!run->repeats || !run_record(run, NULL, error) ||
        !train_plan(run->cli, folder, plan, run->data, run->options, RMIL_FOLDERS_MANY, run->preprocessing, options->clean, &outcome,
                    error))
        return FALSE;
    rmil_monitor_done(&run->cli->monitor, "train", outcome.made, outcome.kept, start);
    run->trained = rmil_study_open(folder, error);
    if (!run->trained || !run_heatmaps(run, options->heatmaps, error) || !run_record(run, run->trained, error) ||
        !rmil_report_write(folder, report, &run->cli->monitor, error))
        return FALSE;
    g_autofree char *summary = rmil_report_summary(folder, error);
    if (!summary) return FALSE;
    json_object_set_string_member(run->cli->result, "report", report);
    json_object_set_string_member(run->cli->result, "summary", summary);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(summary), "\n", -1);
    for (int i = 0; lines[i]; i++) cli_say(run->cli, "%-8s %s", i ? "" : "result", lines[i]);
    cli_say(run->cli, "report   %s", report);
    return TRUE;
}

static gboolean run_as(Run *run, RunSettings *settings, const char *table, GError **error) {
    Cli *cli = run->cli;
    run->work = prepare_open(cli, settings->folder, &settings->preparation, table, &settings->reading, error);
    return run->work && train_check(cli, run->work->cohort, &settings->training, settings->repeats, NULL, error) &&
           prepare_share(cli, run->work, error) && run_all(run, settings, error);
}

int command_run(int argc, char **argv) {
    static const CliUsage usage = {
        "COHORT -o DIR",
        "From a table of slides to a validated classifier, heat maps and a report.",
        "Tiles, labels, encodes, trains, evaluates, draws and reports, and skips what is already done: run it\n"
        "again after an interruption or with more slides. Earlier trainings in DIR with other settings, data or\n"
        "annotations are kept in the record but not reported.",
        1,
        1,
        CLI_SEED | CLI_THREADS | CLI_RESUMES,
        "run cohort.csv -o results\nrun cohort.csv -o results --repeats 10 --methods abmil,rank,clam-sb\nrun cohort.csv -o results "
        "--encoder resnet50 --weights resnet50.safetensors"};
    Cli cli;
    RunSettings settings;
    int status;
    g_auto(GStrv) given = g_strdupv(argv);
    run_settings_init(&settings);
    if (!train_begin(&cli, &argc, &argv, &usage, settings.groups, &settings.training, &status)) {
        run_settings_clear(&settings);
        return status;
    }
    if (settings.repeats < 1 || settings.repeats > 1000 || settings.heatmaps < 0) {
        run_settings_clear(&settings);
        return cli_usage(&cli, "--repeats must be 1 … 1000, and --heatmaps 0 or more");
    }
    Run run = {.cli = &cli, .options = &settings.training, .methods = g_ptr_array_new(), .given = given};
    GError *error = NULL;
    const gboolean done = run_as(&run, &settings, argv[1], &error);
    if (run.work) json_object_set_object_member(cli.result, "stages", json_object_ref(cli.stages));
    g_ptr_array_unref(run.methods);
    if (run.repeats) g_array_unref(run.repeats);
    rmil_study_free(run.trained);
    if (run.preprocessing) json_node_unref(run.preprocessing);
    rmil_train_data_free(run.data);
    if (run.cohort) rmil_cohort_free(run.cohort);
    g_free(run.bags);
    rmil_lock_free(run.turn);
    rmil_work_free(run.work);
    run_settings_clear(&settings);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}
