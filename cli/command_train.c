/* rankmil train COHORT -o RUN */
#include "cli-train.h"

static const Repeat *choose_repeat(GArray *repeats, const TrainOptions *options, const Cli *cli, GError **error) {
    if (!options->splits) return &g_array_index(repeats, Repeat, 0);
    for (guint i = 0; i < repeats->len; i++)
        if (g_array_index(repeats, Repeat, i).seed == cli->seed) return &g_array_index(repeats, Repeat, i);
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: no column's name ends in --seed %" G_GINT64_FORMAT, options->splits, cli->seed);
    return NULL;
}

static gboolean train(Cli *cli, RmilCohort *cohort, const char *folder, const TrainOptions *options, const Method *method, GError **error) {
    TrainData data;
    gboolean made = FALSE;
    g_autofree char *cache = g_build_filename(folder, "cache", NULL);
    gboolean done = train_data_load(&data, cli, cohort, options, cache, error);
    GArray *repeats = done ? train_repeats(&data, cli, options, 1, error) : NULL;
    const Repeat *repeat = repeats ? choose_repeat(repeats, options, cli, error) : NULL;
    g_autoptr(JsonObject) preprocessing = work_read_preprocessing(cohort->path);
    done = repeat && train_run(cli, &data, method, options, repeat, preprocessing, cli->threads, &cli->monitor, folder, &made, error);
    if (done) cli_say(cli, "%s: %s", folder, made ? "trained" : "already trained");
    json_object_set_boolean_member(cli->result, "made", made);
    if (repeats) train_repeats_free(repeats);
    train_data_clear(&data);
    return done;
}

int command_train(int argc, char **argv) {
    static const CliUsage usage = {"COHORT -o RUN", "Trains one model on the features of a cohort.",
                                   "COHORT has a features column: the cohort.csv that 'rankmil encode' writes, or your own.\n"
                                   "Patch labels come from its patch_labels column or from the feature files.\n"
                                   "Writes run.json, model.safetensors, history.csv, predictions.csv, localisation.csv.", 1, 1};
    Cli cli;
    Work work;
    TrainOptions options;
    int status;
    g_autofree char *model = NULL, *guide = NULL;
    work_init(&work, &cli);
    train_options_init(&options);
    const GOptionEntry own[] = {
        {"model", 0, 0, G_OPTION_ARG_STRING, &model, "abmil (default), dsmil, clam-sb, clam-mb, hipt", "NAME"},
        {"guide", 0, 0, G_OPTION_ARG_STRING, &guide, "none, induction or rank (default: rank where the model takes it)", "NAME"},
        {0},
    };
    g_autofree GOptionEntry *output = work_output_entries(&work), *training = train_entries(&options);
    const GOptionEntry *groups[] = {output, own, training, NULL};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) {
        work_clear(&work);
        train_options_clear(&options);
        return status;
    }
    GError *error = NULL;
    const char *chosen = model ? model : "abmil";
    const Method *method = method_of(chosen, guide ? guide : g_str_has_prefix(chosen, "clam") ? "none" : "rank", &error);
    gboolean done = method && work_open(&work, argv[1], &error) && train(&cli, work.cohort, work.folder, &options, method, &error);
    work_clear(&work);
    train_options_clear(&options);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}
