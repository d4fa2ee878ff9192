/* rankmil train COHORT -o RUN */
#include "train.h"

static const RmilRepeat *choose_repeat(GArray *repeats, const RmilTrainOptions *options, const Cli *cli, GError **error) {
    if (!options->splits) return &g_array_index(repeats, RmilRepeat, 0);
    for (guint i = 0; i < repeats->len; i++)
        if (g_array_index(repeats, RmilRepeat, i).seed == cli->seed) return &g_array_index(repeats, RmilRepeat, i);
    g_autofree char *known = rmil_repeats_seeds(repeats);
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT,
                "%s: no column's name ends in --seed %" G_GINT64_FORMAT ": the columns are of --seed %s", options->splits, cli->seed,
                known);
    return NULL;
}

static gboolean train(Cli *cli, RmilCohort *cohort, const char *folder, const RmilTrainOptions *options, const RmilTrainMethod *method,
                      GError **error) {
    gboolean made = FALSE;
    g_autofree char *cache = g_build_filename(folder, "cache", NULL);
    g_autoptr(RmilTrainData) data = train_data_load(cli, cohort, options, cache, error);
    g_autoptr(GArray) repeats = data ? train_repeats(cli, cohort, options, 1, error) : NULL;
    const RmilRepeat *repeat = repeats ? choose_repeat(repeats, options, cli, error) : NULL;
    g_autoptr(JsonObject) preprocessing = NULL;
    gboolean done = repeat && work_read_preprocessing(cohort->path, &preprocessing, error) &&
                    train_run(data, method, options, repeat, preprocessing, cli->threads, &cli->monitor, folder, &made, error);
    if (done) cli_say(cli, "%s: %s", folder, made ? "trained" : "already trained");
    json_object_set_boolean_member(cli->result, "made", made);
    return done;
}

int command_train(int argc, char **argv) {
    static const CliUsage usage = {
        "COHORT -o RUN",
        "Trains one model on the features of a cohort.",
        "COHORT has a features column: the cohort.csv that 'rankmil encode' writes, or your own.\n"
        "Patch labels come from its patch_labels column or from the feature files.\n"
        "Writes run.json, model.safetensors, history.csv, predictions.csv, localisation.csv.",
        1,
        1,
        CLI_SEED | CLI_THREADS | CLI_RESUMES,
        "train results/cohort.csv -o model\ntrain results/cohort.csv -o model --model clam-sb --guide none --learning-rate 1e-4"};
    Cli cli;
    Work work;
    RmilTrainOptions options;
    int status;
    g_autofree char *model = NULL, *guide = NULL;
    work_init(&work, &cli);
    rmil_train_options_init(&options);
    const GOptionEntry own[] = {
        {"model", 0, 0, G_OPTION_ARG_STRING, &model, "abmil (default), dsmil, clam-sb, clam-mb, hipt", "NAME"},
        {"guide", 0, 0, G_OPTION_ARG_STRING, &guide, "none, induction or rank (default: rank where the model takes it)", "NAME"},
        {0},
    };
    g_autofree GOptionEntry *output = work_output_entries(&work), *training = train_entries(&options);
    const CliGroup groups[] = {{"Output", output}, {"The model", own}, {"Training", training}, {NULL, NULL}};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) {
        work_clear(&work);
        rmil_train_options_clear(&options);
        return status;
    }
    GError *error = NULL;
    const char *chosen = model ? model : "abmil";
    const RmilTrainMethod *method = rmil_method_of(chosen, guide ? guide : g_str_has_prefix(chosen, "clam") ? "none" : "rank", &error);
    gboolean done = method && rmil_train_options_check(&options, method, &error) && work_open_table(&work, argv[1], &error) &&
                    train_check(&cli, work.cohort, &options, 1, NULL, &error) && work_lock(&work, &error) &&
                    train(&cli, work.cohort, work.folder, &options, method, &error);
    work_clear(&work);
    rmil_train_options_clear(&options);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}
