/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil study PLAN COHORT -o DIR */
#include "study.h"

#include <math.h>
#include <string.h>

typedef struct {
    Cli *cli;
    RmilPrepareOptions preparation;
    char *folder;
    RmilWork *work; /* NULL before it is opened */
    RmilStudyPlan *plan;
    RmilTrainOptions base; /* options that plans do not contain */
    Reading reading;
    gchar **sets;
    gchar *shard, *sbatch;
    gboolean list, prepare;
    gint64 slurm;
    int shard_index, shards;
    RmilLock *own; /* of this shard */
} Study;

/* -- plans by name ----------------------------------------------------------------------------------------------------------- */
/* Where rankmil's own plans are: relative to the installed program, or to a build in the source tree. */
static char *plan_folder(void) {
    static const char *const places[] = {"../share/rankmil/studies", "../../studies"};
    g_autofree char *program = study_program(), *folder = g_path_get_dirname(program);
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *path = g_build_filename(folder, places[i], NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR)) return g_canonicalize_filename(path, NULL);
    }
    return NULL;
}

static int by_name(gconstpointer a, gconstpointer b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* "comparison, low-data, …" */
static char *plan_names(const char *folder) {
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = folder ? g_dir_open(folder, 0, NULL) : NULL;
    for (const char *file; dir && (file = g_dir_read_name(dir));)
        if (g_str_has_suffix(file, ".yaml")) g_ptr_array_add(names, g_strndup(file, strlen(file) - strlen(".yaml")));
    g_ptr_array_sort(names, by_name);
    g_ptr_array_add(names, NULL);
    return g_strjoinv(", ", (char **)names->pdata);
}

/* A path, or the name of one of rankmil's own plans. */
static char *find_plan(const char *name, GError **error) {
    if (g_file_test(name, G_FILE_TEST_IS_REGULAR)) return g_strdup(name);
    g_autofree char *folder = plan_folder(), *file = g_strconcat(name, ".yaml", NULL);
    g_autofree char *path = folder && !strchr(name, '/') ? g_build_filename(folder, file, NULL) : NULL;
    if (path && g_file_test(path, G_FILE_TEST_IS_REGULAR)) return g_steal_pointer(&path);
    g_autofree char *names = plan_names(folder);
    if (*names) g_set_error(error, RMIL_ERROR, RMIL_ERROR_IO, "%s: no such file; the plans that come with rankmil are %s", name, names);
    else
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_IO,
                    "%s: no such file, and the plans that come with rankmil are not installed beside this program: give the path of one",
                    name);
    return NULL;
}

/* -- list of runs ------------------------------------------------------------------------------------------------------------ */
static void add_run(Cli *cli, JsonArray *runs, const char *title, const RmilStudyRun *run) {
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "run", title);
    json_object_set_boolean_member(object, "done", run && run->done);
    if (run && run->done) {
        json_object_set_int_member(object, "epochs", run->epochs);
        json_object_set_double_member(object, "seconds", run->seconds);
        cli_say(cli, "done  %-44s %4" G_GINT64_FORMAT " epochs %9.1f s", title, run->epochs, run->seconds);
    } else {
        cli_say(cli, "left  %s", title);
    }
    json_array_add_object_element(runs, object);
}

/* From the record or, before there is one, from the plan. */
static gboolean list_runs(Study *study, const char *cohort_path, GError **error) {
    Cli *cli = study->cli;
    JsonArray *runs = json_array_new();
    json_object_set_array_member(cli->result, "runs", runs);
    int64_t done = 0, count = 0;
    if (rmil_study_exists(study->folder)) {
        g_autoptr(RmilStudy) record = rmil_study_open(study->folder, error);
        if (!record) return FALSE;
        count = rmil_study_count(record);
        done = rmil_study_done(record);
        for (int64_t i = 0; i < count; i++) {
            const RmilStudyRun *run = rmil_study_run(record, i);
            g_autofree char *title = rmil_study_run_title(run);
            add_run(cli, runs, title, run);
        }
    } else {
        g_autoptr(RmilCohort) cohort = reading_cohort(cli, &study->reading, cohort_path, error);
        g_autoptr(GPtrArray) titles = cohort ? rmil_study_plan_runs(study->plan, cohort, &study->base, error) : NULL;
        if (!titles) return FALSE;
        count = titles->len;
        for (guint i = 0; i < titles->len; i++) add_run(cli, runs, titles->pdata[i], NULL);
    }
    json_object_set_int_member(cli->result, "done", done);
    json_object_set_int_member(cli->result, "left", count - done);
    cli_say(cli, "%" G_GINT64_FORMAT " done, %" G_GINT64_FORMAT " left", done, count - done);
    return TRUE;
}

/* -- running ----------------------------------------------------------------------------------------------------------------- */
/* Patch labels of padded outlines, if padding varies, as made by `rankmil label --padding`: DIR/padded/PADDING/ID.h5. */
static gboolean label_padded(Study *study, GError **error) {
    int64_t count;
    const double *values = rmil_study_plan_values(study->plan, "padding", &count);
    for (int64_t i = 0; i < count; i++) {
        g_autofree char *name = rmil_padding_name(values[i]), *below = g_build_filename("padded", name, NULL);
        if (!rmil_work_label_into(study->work, below, values[i], error)) return FALSE;
    }
    return TRUE;
}

static gboolean execute(Study *study, const RmilCohort *cohort, GError **error) {
    Cli *cli = study->cli;
    g_autofree char *cache = g_build_filename(study->folder, "cache", NULL), *padded = g_build_filename(study->folder, "padded", NULL);
    RmilTrainOptions options;
    if (!rmil_study_plan_data_options(study->plan, &study->base, &options, error)) return FALSE;
    g_autoptr(RmilTrainData) data = train_data_load(cli, cohort, &options, cache, error);
    rmil_train_options_clear(&options);
    if (!data) return FALSE;
    const RmilStudyOptions how = {.folder = study->folder,
                                  .shard = study->shard_index,
                                  .shards = study->shards,
                                  .threads = cli->threads,
                                  .padded = padded};
    RmilStudyOutcome outcome;
    gboolean done = rmil_study_execute(study->plan, data, &study->base, &how, &cli->monitor, &outcome, error);
    for (guint i = 0; i < outcome.failures->len; i++) {
        const RmilStudyFailure *failure = outcome.failures->pdata[i];
        cli_problem(cli, "study", NULL, g_error_new(RMIL_ERROR, RMIL_ERROR_DATA, "%s: %s", failure->title, failure->message));
    }
    json_object_set_int_member(cli->result, "runs", outcome.share);
    json_object_set_int_member(cli->result, "made", outcome.made);
    json_object_set_int_member(cli->result, "kept", outcome.kept);
    json_object_set_int_member(cli->result, "left", outcome.left);
    if (done)
        cli_say(cli, "study    %" G_GINT64_FORMAT " runs made, %" G_GINT64_FORMAT " already there, %" G_GINT64_FORMAT " left", outcome.made,
                outcome.kept, outcome.left);
    const gboolean report = done && study->shards == 0 && outcome.kept + outcome.made > 0;
    rmil_study_outcome_clear(&outcome);
    if (!report) return done;
    g_autofree char *path = g_build_filename(study->folder, "report.html", NULL);
    if (!rmil_report_write(study->folder, path, &cli->monitor, error)) return FALSE;
    json_object_set_string_member(cli->result, "report", path);
    cli_say(cli, "report   %s", path);
    return TRUE;
}

/* A single process locks out all others; shards share the folder, and each locks its own shard. */
static gboolean lock(Study *study, GError **error) {
    if (!study->shards) return rmil_work_lock(study->work, RMIL_LOCK_ALONE, "rankmil study", error);
    g_autofree char *name = g_strdup_printf(".shard-%d-of-%d.lock", study->shard_index, study->shards),
                    *who = g_strdup_printf("rankmil study --shard %d/%d", study->shard_index, study->shards);
    if (!rmil_work_share(study->work, who, error)) return FALSE;
    study->own = rmil_lock_take(study->folder, name, RMIL_LOCK_ALONE, who, &study->cli->monitor, error);
    return study->own != NULL;
}

/* The stages before training; several shards divide the slides among them. */
static RmilCohort *prepare(Study *study, GError **error) {
    g_autoptr(RmilCohort) cohort = rmil_work_prepare(study->work, error);
    const gboolean done = cohort && label_padded(study, error);
    prepare_report(study->cli, study->work);
    return done ? g_steal_pointer(&cohort) : NULL;
}

static gboolean run_study(Study *study, const char *cohort_path, char **arguments, GError **error) {
    if (study->list) return list_runs(study, cohort_path, error);
    if (study->slurm) {
        g_autofree char *script = NULL;
        if (!study_slurm_write(study->folder, arguments, study->slurm, study->sbatch ? study->sbatch : "--cpus-per-task=1", &script, error))
            return FALSE;
        json_object_set_string_member(study->cli->result, "script", script);
        g_autofree char *quoted = g_shell_quote(script);
        cli_say(study->cli, "%s: check its first lines, then submit it with: sh %s", script, quoted);
        return TRUE;
    }
    if (!(study->work = prepare_open(study->cli, study->folder, &study->preparation, cohort_path, &study->reading, error))) return FALSE;
    const RmilCohort *given = study->work->cohort;
    g_autoptr(GArray) twins = rmil_cohort_twins(given);
    if (!rmil_cohort_check_labels(given, &study->cli->monitor, error) ||
        !rmil_cohort_check_twins(given, twins, NULL, &study->cli->monitor, error))
        return FALSE;
    g_autoptr(GPtrArray) runs = rmil_study_plan_runs(study->plan, given, &study->base, error);
    if (!runs) return FALSE; /* impossible splits are found before hours of work, and before anything is written */
    if (!lock(study, error) || !rmil_study_accepts(study->folder, rmil_study_plan_kind(study->plan), error)) return FALSE;
    g_autoptr(RmilCohort) cohort = prepare(study, error);
    return cohort && (study->prepare || execute(study, cohort, error));
}

/* "2/8" */
static gboolean read_shard(Study *study) {
    if (!study->shard) return TRUE;
    char *end, *rest;
    gint64 index = g_ascii_strtoll(study->shard, &end, 10), count = *end == '/' ? g_ascii_strtoll(end + 1, &rest, 10) : 0;
    if (count < 1 || count > 100000 || index < 1 || index > count || *rest) return FALSE;
    study->shard_index = (int)index;
    study->shards = (int)count;
    return TRUE;
}

int command_study(int argc, char **argv) {
    static const CliUsage usage = {
        "PLAN COHORT -o DIR",
        "Runs a plan of many trainings and records every number.",
        "PLAN is a YAML file, or one of comparison, low-data, granularity, annotated-fraction, threshold,\n"
        "localisation, supervised: the paper's experiments; guides compares guides with incomplete outlines;\n"
        "annotate-next outlines slides in an order that models give;\n"
        "learning-rate is an example that varies two options at once.\n"
        "Slides are tiled, labelled and encoded first, as by 'rankmil run'. Every run is recorded in\n"
        "DIR/study.sqlite as soon as it ends: run the same command again after an interruption.\n"
        "docs/studies.md explains plans, shards and clusters.",
        2,
        2,
        CLI_THREADS | CLI_RESUMES,
        "study comparison cohort.csv -o study\nstudy my-plan.yaml cohort.csv -o study --shard 1/4\nstudy annotated-fraction cohort.csv -o "
        "study --set seeds=5"};
    Cli cli;
    Study study = {.cli = &cli};
    int status;
    g_auto(GStrv) arguments = g_strdupv(argv);
    rmil_prepare_options_init(&study.preparation);
    rmil_train_options_init(&study.base);
    const GOptionEntry own[] = {
        {"set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &study.sets, "change a field or setting of the plan; may be given again", "KEY=VALUE"},
        {"list", 0, 0, G_OPTION_ARG_NONE, &study.list, "show which runs are done and which are left, then stop", NULL},
        {"shard", 0, 0, G_OPTION_ARG_STRING, &study.shard,
         "do every N-th run, starting with the I-th; the records of all shards are read as one", "I/N"},
        {"prepare", 0, 0, G_OPTION_ARG_NONE, &study.prepare, "stop before training: tiles, labels and features only", NULL},
        {"slurm", 0, 0, G_OPTION_ARG_INT64, &study.slurm, "write DIR/study.slurm, which submits N shards to Slurm, then stop", "N"},
        {"sbatch", 0, 0, G_OPTION_ARG_STRING, &study.sbatch,
         "sbatch's options, e.g. \"--partition=long --time=8:00:00 --cpus-per-task=16 --mem=32G\"", "OPTIONS"},
        train_entry(&study.base, "memory"),
        train_entry(&study.base, "cnn-weights"),
        {0},
    };
    g_autofree GOptionEntry *output = prepare_output_entries(&study.folder), *tiles = prepare_tile_entries(&study.preparation),
                            *encoding = prepare_encode_entries(&study.preparation), *labels = prepare_label_entries(&study.preparation),
                            *table = reading_entries(&study.reading, TRUE);
    const CliGroup groups[] = {{"Output", output},     {"The table", table},    {"The study", own}, {"Tiles", tiles},
                               {"Features", encoding}, {"Annotations", labels}, {NULL, NULL}};
    gboolean begun = cli_begin(&cli, &argc, &argv, &usage, groups, &status);
    if (begun) {
        GError *error = NULL;
        g_autofree char *plan = NULL;
        if (!read_shard(&study)) status = cli_usage(&cli, "--shard \"%s\": give I/N with I from 1 to N", study.shard);
        else if (!study.folder) status = cli_usage(&cli, "-o DIR is required");
        else if (study.slurm < 0 || study.slurm > 100000) status = cli_usage(&cli, "--slurm must be 1 … 100000");
        else {
            plan = find_plan(argv[1], &error);
            study.plan = plan ? rmil_study_plan_read(plan, (const char *const *)study.sets, &error) : NULL;
            if (study.plan && rmil_study_plan_by_site(study.plan)) study.reading.by_site = TRUE;
            gboolean done = study.plan && run_study(&study, argv[2], arguments, &error);
            if (study.work) json_object_set_object_member(cli.result, "stages", json_object_ref(cli.stages));
            status = done ? cli_done(&cli) : cli_fail(&cli, error);
        }
    }
    rmil_lock_free(study.own);
    rmil_study_plan_free(study.plan);
    rmil_train_options_clear(&study.base);
    reading_clear(&study.reading);
    g_strfreev(study.sets);
    g_free(study.shard);
    g_free(study.sbatch);
    rmil_work_free(study.work);
    rmil_prepare_options_clear(&study.preparation);
    g_free(study.folder);
    return status;
}
