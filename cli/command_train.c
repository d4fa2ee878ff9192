/* rankmil train COHORT -o RUN */
#include "cli-train.h"

#include <string.h>

static void keep_bags(const TrainData *data, Cli *cli) {
    json_object_set_int_member(cli->result, "slides", data->count);
    json_object_set_int_member(cli->result, "loaded", data->loaded);
    json_object_set_int_member(cli->result, "feature_dim", data->dim);
}

static gboolean train(Cli *cli, Work *work, const TrainOptions *options, const Method *method, GError **error) {
    int64_t n = work->cohort->count;
    TrainData data;
    g_autofree char **features = g_new0(char *, n), **labels = g_new0(char *, n);
    for (int64_t i = 0; i < n; i++) {
        const RmilCohortRow *row = &work->cohort->rows[i];
        if (!row->features) {
            g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: line %" G_GINT64_FORMAT ": %s has no features: run 'rankmil encode' and "
                        "train on the cohort.csv that it writes", work->cohort->path, row->line, row->id);
            return FALSE;
        }
        features[i] = row->features;
        labels[i] = work_given_labels(work, i);
    }
    gboolean done = train_data_load(&data, cli, work->cohort, work->failed, features, labels, options, error);
    keep_bags(&data, cli);
    GArray *repeats = done ? train_repeats(&data, cli, options, 1, error) : NULL;
    if (repeats) {
        const Repeat *repeat = NULL;
        for (guint i = 0; i < repeats->len; i++)
            if (repeats->len == 1 || g_array_index(repeats, Repeat, i).seed == cli->seed) repeat = &g_array_index(repeats, Repeat, i);
        g_autoptr(JsonObject) preprocessing = work_read_preprocessing(work->cohort->path);
        gboolean made = FALSE;
        if (!repeat) {
            g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: no column ends in --seed %" G_GINT64_FORMAT, options->splits, cli->seed);
            done = FALSE;
        } else {
            done = train_run(cli, &data, method, options, repeat, preprocessing, cli->threads, &cli->monitor, work->folder, &made, error);
        }
        if (done) cli_say(cli, "%s: %s", work->folder, made ? "trained" : "already trained");
        json_object_set_boolean_member(cli->result, "made", made);
        train_repeats_free(repeats);
    } else {
        done = FALSE;
    }
    for (int64_t i = 0; i < n; i++) g_free(labels[i]);
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
    gboolean done = method && work_open(&work, argv[1], &error) && train(&cli, &work, &options, method, &error);
    work_clear(&work);
    train_options_clear(&options);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}
