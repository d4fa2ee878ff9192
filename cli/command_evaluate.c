/* rankmil evaluate RUN: what a run's predictions are worth; on another cohort with --cohort. */
#include "cli-metrics.h"
#include "cli-train.h"

#include <string.h>

static gboolean summarise_localisation(Cli *cli, const char *folder, JsonObject *out, GError **error) {
    g_autofree char *path = g_build_filename(folder, "localisation.csv", NULL);
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) return TRUE;
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    if (!table) return FALSE;
    static const char *const names[] = {"alpha", "iou", "dice", "pointing"};
    double sums[16][4] = {{0}};
    int64_t counts[16] = {0};
    int used = 0;
    for (int64_t r = 0; r < rmil_table_rows(table); r++) {
        double v[4];
        for (int i = 0; i < 4; i++)
            if (!rmil_table_number(table, r, rmil_table_find(table, names[i]), &v[i], error)) return FALSE;
        int k = 0;
        while (k < used && sums[k][0] != v[0]) k++;
        if (k == 16) continue;
        used = MAX(used, k + 1);
        sums[k][0] = v[0];
        for (int i = 1; i < 4; i++) sums[k][i] += v[i];
        counts[k]++;
    }
    JsonArray *rows = json_array_new();
    if (used) cli_say(cli, "\nlocalisation over %" G_GINT64_FORMAT " annotated positive slides\n  top %%      IoU     Dice  pointing (95 %% interval: Wilson)", counts[0]);
    for (int k = 0; k < used; k++) {
        JsonObject *row = json_object_new();
        cli_json_number(row, "alpha", sums[k][0]);
        for (int i = 1; i < 4; i++) cli_json_number(row, names[i], sums[k][i] / (double)counts[k]);
        const double pointing = sums[k][3] / (double)counts[k];
        const RmilInterval interval = rmil_wilson(pointing, counts[k], 0.95);
        cli_json_number(row, "pointing_low", interval.low);
        cli_json_number(row, "pointing_high", interval.high);
        json_array_add_object_element(rows, row);
        cli_say(cli, "  %5g   %.4f   %.4f    %.4f   %.4f to %.4f", sums[k][0], sums[k][1] / (double)counts[k], sums[k][2] / (double)counts[k],
                pointing, interval.low, interval.high);
    }
    json_object_set_array_member(out, "localisation", rows);
    return TRUE;
}

/* predictions.csv and localisation.csv of one folder -> metrics.json and a table. */
static gboolean evaluate_folder(Cli *cli, const char *folder, double cut, int64_t rounds, JsonObject **out, GError **error) {
    g_autofree char *path = g_build_filename(folder, "predictions.csv", NULL), *to = g_build_filename(folder, "metrics.json", NULL);
    Scores scores;
    if (!scores_read(path, "label", "probability", "test", &scores, error)) return FALSE;
    cli_say(cli, "%s", folder);
    g_autoptr(JsonObject) result = json_object_new();
    json_object_set_string_member(result, "folder", folder);
    json_object_set_object_member(result, "metrics", scores_metrics(cli, &scores, cut, rounds));
    scores_clear(&scores);
    if (!summarise_localisation(cli, folder, result, error) || !cli_json_write(result, to, error)) return FALSE;
    *out = g_steal_pointer(&result);
    return TRUE;
}

/* The model of `run` on another cohort's features: predictions.csv and localisation.csv in `folder`, all rows "test". */
static gboolean apply_to_cohort(Cli *cli, const char *run, const char *cohort_path, const char *folder, GError **error) {
    g_autofree char *model_path = g_build_filename(run, "model.safetensors", NULL);
    g_autoptr(RmilModel) model = rmil_model_load(model_path, error);
    Work work;
    RmilTrainOptions options;
    work_init(&work, cli);
    rmil_train_options_init(&options);
    work.folder = g_strdup(folder);
    gboolean done = model && work_open(&work, cohort_path, error);
    int64_t n = done ? work.cohort->count : 0;
    g_autofree RmilSplit *splits = g_new0(RmilSplit, n + 1);
    for (int64_t i = 0; i < n; i++) splits[i] = work.cohort->rows[i].label < 0 ? RMIL_SPLIT_NONE : RMIL_SPLIT_TEST;
    g_autoptr(RmilTrainData) data = done ? train_data_load(cli, work.cohort, &options, NULL, error) : NULL;
    done = data != NULL;
    if (done && data->set->dim != rmil_model_config(model)->dim) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: has %" G_GINT64_FORMAT " features a patch, %s takes %" G_GINT64_FORMAT, cohort_path,
                    data->set->dim, model_path, rmil_model_config(model)->dim);
        done = FALSE;
    }
    done = done && run_apply(data, model, splits, cli->threads, folder, error);
    g_clear_pointer(&data, rmil_train_data_free); /* before its cohort */
    rmil_train_options_clear(&options);
    work_clear(&work);
    return done;
}

static int compare_text(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The folder itself when it is one run, else every DIR/runs/METHOD/SEED, in order. */
static GPtrArray *find_runs(const char *folder) {
    GPtrArray *runs = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *single = g_build_filename(folder, "predictions.csv", NULL), *all = g_build_filename(folder, "runs", NULL);
    GDir *methods = g_file_test(single, G_FILE_TEST_EXISTS) ? NULL : g_dir_open(all, 0, NULL);
    if (!methods) g_ptr_array_add(runs, g_strdup(folder));
    for (const char *method; methods && (method = g_dir_read_name(methods));) {
        g_autofree char *inner = g_build_filename(all, method, NULL);
        GDir *seeds = g_dir_open(inner, 0, NULL);
        for (const char *seed; seeds && (seed = g_dir_read_name(seeds));)
            g_ptr_array_add(runs, g_build_filename(inner, seed, NULL));
        if (seeds) g_dir_close(seeds);
    }
    if (methods) g_dir_close(methods);
    g_ptr_array_sort(runs, compare_text);
    return runs;
}

int command_evaluate(int argc, char **argv) {
    static const CliUsage usage = {"RUN", "Metrics of a run's test slides with 95 % intervals, and localisation.",
                                   "RUN is one run's folder or the folder of 'rankmil run' with all of them. Writes RUN/metrics.json.\n"
                                   "With --cohort and -o, the run's model is applied to the features of another cohort first.", 1, 1};
    Cli cli;
    int status;
    g_autofree char *cohort = NULL, *output = NULL;
    gdouble cut = 0.5;
    gint64 rounds = 2000;
    const GOptionEntry own[] = {
        {"cohort", 0, 0, G_OPTION_ARG_FILENAME, &cohort, "apply the model to this cohort (with features)", "COHORT"},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "folder for that cohort's predictions and metrics", "DIR"},
        {"cut", 0, 0, G_OPTION_ARG_DOUBLE, &cut, "positive above this probability (default: 0.5)", "X"},
        {"bootstrap", 0, 0, G_OPTION_ARG_INT64, &rounds, "rounds of the bootstrap (default: 2000)", "N"},
        {0},
    };
    const GOptionEntry *groups[] = {own, NULL};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) return status;
    if (!cohort != !output) return cli_usage(&cli, "--cohort and -o go together");
    if (rounds < 1 || rounds > 10000000) return cli_usage(&cli, "--bootstrap %" G_GINT64_FORMAT " is not in 1 … 10000000", rounds);
    GError *error = NULL;
    if (cohort && !apply_to_cohort(&cli, argv[1], cohort, output, &error)) return cli_fail(&cli, error);
    g_autoptr(GPtrArray) runs = find_runs(cohort ? output : argv[1]);
    JsonArray *results = json_array_new();
    json_object_set_array_member(cli.result, "runs", results);
    for (guint i = 0; i < runs->len; i++) {
        JsonObject *result = NULL;
        if (evaluate_folder(&cli, runs->pdata[i], cut, rounds, &result, &error)) json_array_add_object_element(results, result);
        else cli_problem(&cli, "evaluate", NULL, g_steal_pointer(&error));
    }
    return cli_done(&cli);
}
