/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil train COHORT -o RUN */
#include "train.h"

static gboolean is_one(const RmilTrainOptions *options, GError **error) {
    if (!rmil_train_options_get(options, "folds")) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT,
                "--folds needs several trainings: use 'rankmil run', or write the folds with 'rankmil splits' and choose one with --splits "
                "and --seed");
    return FALSE;
}

static gboolean train(Cli *cli, const RmilWork *work, const RmilTrainOptions *options, const RmilTrainMethod *method, GError **error) {
    g_autoptr(GPtrArray) methods = g_ptr_array_new();
    g_ptr_array_add(methods, (gpointer)method);
    g_autoptr(RmilStudyPlan) plan = rmil_study_plan_new("train", methods, options, &cli->seed, 1);
    g_autofree char *cache = g_build_filename(work->folder, "cache", NULL);
    g_autoptr(RmilTrainData) data = train_data_load(cli, work->cohort, options, cache, error);
    g_autoptr(JsonNode) preprocessing = NULL;
    RmilStudyOutcome outcome;
    if (!data || !rmil_preprocessing_read(work->cohort->path, &preprocessing, error) ||
        !train_plan(cli, work->folder, plan, data, options, RMIL_FOLDERS_ONE, preprocessing, FALSE, &outcome, error))
        return FALSE;
    if (!outcome.left) cli_say(cli, "%s: %s", work->folder, outcome.made ? "trained" : "already trained");
    json_object_set_boolean_member(cli->result, "made", outcome.made > 0);
    return TRUE;
}

int command_train(int argc, char **argv) {
    static const CliUsage usage = {
        "COHORT -o RUN",
        "Trains one model on the features of a cohort.",
        "COHORT needs a features column: use the cohort.csv that 'rankmil encode' writes, or your own.\n"
        "Patch labels come from its patch_labels column or from the feature files.\n"
        "Writes run.json, model.safetensors, history.csv, predictions.csv, localisation.csv, slides.csv\n"
        "and study.sqlite, which also keeps earlier trainings with other settings or data.",
        1,
        1,
        CLI_SEED | CLI_THREADS | CLI_RESUMES,
        "train results/cohort.csv -o model\ntrain results/cohort.csv -o model --model clam-sb --guide none --learning-rate 1e-4"};
    Cli cli;
    RmilPrepareOptions preparation;
    RmilTrainOptions options;
    Reading reading = {0};
    int status;
    g_autofree char *model = NULL, *guide = NULL, *folder = NULL;
    rmil_prepare_options_init(&preparation);
    rmil_train_options_init(&options);
    const RmilTrainMethod *usual = rmil_method_reference();
    g_autofree char *models = g_strjoinv(", ", (char **)rmil_model_names()), *guides = g_strjoinv(", ", (char **)rmil_guide_names()),
                    *of_model = g_strdup_printf("%s (default: %s)", models, usual->model),
                    *of_guide = g_strdup_printf("%s (default: %s if the model supports it)", guides, rmil_guide_name(usual->guide));
    const GOptionEntry own[] = {
        {"model", 0, 0, G_OPTION_ARG_STRING, &model, of_model, "NAME"},
        {"guide", 0, 0, G_OPTION_ARG_STRING, &guide, of_guide, "NAME"},
        {0},
    };
    g_autofree GOptionEntry *output = prepare_output_entries(&folder), *training = train_entries(&options),
                            *table = reading_entries(&reading, TRUE);
    const CliGroup groups[] = {{"Output", output}, {"The table", table}, {"The model", own}, {"Training", training}, {NULL, NULL}};
    if (!train_begin(&cli, &argc, &argv, &usage, groups, &options, &status)) {
        rmil_train_options_clear(&options);
        reading_clear(&reading);
        return status;
    }
    GError *error = NULL;
    const RmilTrainMethod *method = rmil_method_of(model ? model : usual->model, guide, &error);
    if (method) method = rmil_train_options_method(&options, method, &error);
    g_autoptr(RmilWork) work = method && rmil_train_options_check(&options, method, &error) && is_one(&options, &error)
                                   ? prepare_open(&cli, folder, &preparation, argv[1], &reading, &error)
                                   : NULL;
    gboolean done = work && train_check(&cli, work->cohort, &options, 1, NULL, &error) &&
                    rmil_work_lock(work, RMIL_LOCK_ALONE, "rankmil train", &error) && train(&cli, work, &options, method, &error);
    g_clear_pointer(&work, rmil_work_free);
    rmil_train_options_clear(&options);
    reading_clear(&reading);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}
