/* rankmil evaluate RUN: what a run's predictions are worth; on another cohort with --cohort. */
#include "cli-metrics.h"
#include "cli-models.h"
#include "cli-train.h"

#include <string.h>

static gboolean summarise_localisation(Cli *cli, const char *folder, JsonObject *out, GError **error) {
    g_autofree char *path = g_build_filename(folder, "localisation.csv", NULL);
    gboolean there;
    if (!rmil_file_exists(path, &there, error)) return FALSE;
    if (!there) return TRUE;
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
    if (!scores_check(&scores, path, error)) {
        scores_clear(&scores);
        return FALSE;
    }
    cli_say(cli, "%s", folder);
    g_autoptr(JsonObject) result = json_object_new();
    json_object_set_string_member(result, "folder", folder);
    json_object_set_object_member(result, "metrics", scores_metrics(cli, &scores, cut, rounds));
    scores_clear(&scores);
    if (!summarise_localisation(cli, folder, result, error) || !cli_json_write(result, to, error)) return FALSE;
    *out = g_steal_pointer(&result);
    return TRUE;
}

/* -- another cohort ---------------------------------------------------------------------------------------------------------- */
typedef struct {
    GHashTable *ids, *patients, *digests; /* of what a model has seen in training or validation; digests -> id there */
    int64_t unknown;                      /* models whose folder does not say */
} Seen;

static gboolean add_seen(Seen *seen, const char *folder, GError **error) {
    g_autofree char *path = g_build_filename(folder, "slides.csv", NULL);
    gboolean there;
    if (!rmil_file_exists(path, &there, error)) return FALSE;
    if (!there) {
        seen->unknown++;
        return TRUE;
    }
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    if (!table) return FALSE;
    const int id = rmil_table_find(table, "id"), split = rmil_table_find(table, "split"), patient = rmil_table_find(table, "patient"),
              digest = rmil_table_find(table, "digest");
    for (int64_t r = 0; r < rmil_table_rows(table); r++) {
        const char *set = rmil_table_cell(table, r, split);
        if (strcmp(set, "train") != 0 && strcmp(set, "val") != 0) continue;
        g_hash_table_add(seen->ids, g_strdup(rmil_table_cell(table, r, id)));
        if (*rmil_table_cell(table, r, patient)) g_hash_table_add(seen->patients, g_strdup(rmil_table_cell(table, r, patient)));
        g_hash_table_insert(seen->digests, g_strdup(rmil_table_cell(table, r, digest)), g_strdup(rmil_table_cell(table, r, id)));
    }
    return TRUE;
}

static void note_overlap(GString *list, int64_t *count, const char *what) {
    if (++*count <= 5) g_string_append_printf(list, "%s%s", *count > 1 ? ", " : "", what);
    else if (*count == 6) g_string_append(list, ", …");
}

/* External validation on slides that the model was trained on proves nothing: said by content, by patient and by id. */
static void warn_seen(Cli *cli, const Seen *seen, const RmilTrainData *data) {
    g_autoptr(GString) same = g_string_new(NULL), patients = g_string_new(NULL), ids = g_string_new(NULL);
    int64_t n_same = 0, n_patients = 0, n_ids = 0;
    for (int64_t i = 0; i < data->count; i++) {
        const RmilCohortRow *row = &data->cohort->rows[i];
        if (!data->bags[i]) continue;
        g_autofree char *digest = rmil_bag_digest(data->bags[i]);
        const char *there = g_hash_table_lookup(seen->digests, digest);
        g_autofree char *pair = there && strcmp(there, row->id) != 0 ? g_strdup_printf("%s (%s there)", row->id, there) : g_strdup(row->id);
        if (there) note_overlap(same, &n_same, pair);
        else if (row->patient && g_hash_table_contains(seen->patients, row->patient)) note_overlap(patients, &n_patients, row->id);
        else if (g_hash_table_contains(seen->ids, row->id)) note_overlap(ids, &n_ids, row->id);
    }
    json_object_set_int_member(cli->result, "slides_seen_in_training", n_same);
    json_object_set_int_member(cli->result, "patients_seen_in_training", n_patients);
    const RmilMonitor *monitor = &cli->monitor;
    if (n_same) rmil_monitor_warn(monitor, "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " slides are the very slides that the model was trained or validated on, by "
                                  "their features (%s): the metrics are no external validation", n_same, data->set->loaded, same->str);
    if (n_patients) rmil_monitor_warn(monitor, "%" G_GINT64_FORMAT " slides are of patients that the model was trained or validated on (%s): the metrics are no "
                                      "external validation", n_patients, patients->str);
    if (n_ids) rmil_monitor_warn(monitor, "%" G_GINT64_FORMAT " slides have the id of a slide that the model was trained or validated on, with other features (%s): "
                                 "look whether they are the same slides", n_ids, ids->str);
    if (seen->unknown) rmil_monitor_warn(monitor, "the run does not say which slides it was trained on (it was made by version 0.1.0): whether this cohort "
                                         "holds some of them is not known");
}

static gboolean check_seen(Cli *cli, const Models *models, const RmilTrainData *data, GError **error) {
    Seen seen = {.ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                 .patients = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                 .digests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
    gboolean done = TRUE;
    for (guint i = 0; done && i < models->folders->len; i++) done = add_seen(&seen, models->folders->pdata[i], error);
    if (done) warn_seen(cli, &seen, data);
    g_hash_table_unref(seen.ids);
    g_hash_table_unref(seen.patients);
    g_hash_table_unref(seen.digests);
    return done;
}

/* Each model on the cohort's features: predictions.csv and localisation.csv in `folder` (of several models in runs/METHOD/SEED
 * below it, so that they are evaluated like a run), all rows "test". */
static gboolean apply_models(Cli *cli, const Models *models, const RmilTrainData *data, const char *folder, GError **error) {
    g_autofree RmilSplit *splits = g_new0(RmilSplit, data->count + 1);
    for (int64_t i = 0; i < data->count; i++) splits[i] = data->labels[i] < 0 ? RMIL_SPLIT_NONE : RMIL_SPLIT_TEST;
    for (guint m = 0; m < models->list->len; m++) {
        g_autofree char *name = g_path_get_basename(models->folders->pdata[m]), *above = g_path_get_dirname(models->folders->pdata[m]),
                        *method = g_path_get_basename(above);
        g_autofree char *to = models->list->len == 1 ? g_strdup(folder) : g_build_filename(folder, "runs", method, name, NULL);
        if (!run_apply(data, models->list->pdata[m], splits, cli->threads, to, error)) return FALSE;
    }
    return TRUE;
}

static gboolean apply_to_cohort(Cli *cli, const char *run, const char *cohort_path, const char *folder, GError **error) {
    Models models;
    if (!models_load(&models, run, error)) return FALSE;
    Work work;
    RmilTrainOptions options;
    work_init(&work, cli);
    rmil_train_options_init(&options);
    work.folder = g_strdup(folder);
    gboolean done = work_open(&work, cohort_path, error);
    g_autoptr(RmilTrainData) data = done ? train_data_load(cli, work.cohort, &options, NULL, error) : NULL;
    const int64_t dim = rmil_model_config(models.list->pdata[0])->dim;
    done = data != NULL;
    if (done && data->set->dim != dim) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: has %" G_GINT64_FORMAT " features a patch, %s takes %" G_GINT64_FORMAT, cohort_path,
                    data->set->dim, run, dim);
        done = FALSE;
    }
    json_object_set_string_member(cli->result, "model", models.title);
    if (models.list->len > 1) cli_say(cli, "model    %s", models.title);
    done = done && check_seen(cli, &models, data, error) && apply_models(cli, &models, data, folder, error);
    g_clear_pointer(&data, rmil_train_data_free); /* before its cohort */
    rmil_train_options_clear(&options);
    work_clear(&work);
    models_clear(&models);
    return done;
}

/* -- all runs of a folder -------------------------------------------------------------------------------------------------------- */
/* Several trainings of one method put together, as the report does. */
typedef struct {
    GArray *labels, *scores, *counts; /* int, double, int64_t: of each slide that one of them tested */
    GHashTable *index;                /* id -> place there, from 1 */
    int64_t trainings, fewest, most;  /* how often a slide was tested */
} Pool;

static void pool_add(Pool *pool, const Scores *one) {
    g_auto(GStrv) ids = g_strsplit(one->ids, "\n", -1);
    for (int64_t k = 0; k < one->count; k++) {
        gsize place = GPOINTER_TO_SIZE(g_hash_table_lookup(pool->index, ids[k]));
        const int64_t once = 1;
        if (!place) {
            g_array_append_val(pool->labels, one->labels[k]);
            g_array_append_val(pool->scores, one->scores[k]);
            g_array_append_val(pool->counts, once);
            g_hash_table_insert(pool->index, g_strdup(ids[k]), GSIZE_TO_POINTER(pool->labels->len));
        } else {
            g_array_index(pool->scores, double, place - 1) += one->scores[k];
            g_array_index(pool->counts, int64_t, place - 1)++;
        }
    }
    pool->trainings++;
}

static void pool_divide(Pool *pool) {
    pool->fewest = G_MAXINT64;
    for (guint i = 0; i < pool->counts->len; i++) {
        const int64_t count = g_array_index(pool->counts, int64_t, i);
        g_array_index(pool->scores, double, i) /= (double)count;
        pool->fewest = MIN(pool->fewest, count);
        pool->most = MAX(pool->most, count);
    }
}

static gboolean fill_pool(Pool *pool, const GPtrArray *folders, GError **error) {
    for (guint i = 0; i < folders->len; i++) {
        g_autofree char *path = g_build_filename(folders->pdata[i], "predictions.csv", NULL);
        Scores one;
        if (!scores_read(path, "label", "probability", "test", &one, error)) return FALSE;
        pool_add(pool, &one);
        scores_clear(&one);
    }
    pool_divide(pool);
    return TRUE;
}

/* The same slides in every training: the mean of the models. Each slide in one: cross-validation. */
static char *pool_title(const Pool *pool, const char *method) {
    if (pool->fewest == pool->trainings) return g_strdup_printf("%s, mean of %" G_GINT64_FORMAT " models", method, pool->trainings);
    if (pool->most == 1) return g_strdup_printf("%s, out-of-fold predictions of %" G_GINT64_FORMAT " folds, pooled", method, pool->trainings);
    return g_strdup_printf("%s, pool of %" G_GINT64_FORMAT " trainings: a slide's probability is the mean of those that tested it", method, pool->trainings);
}

static gboolean evaluate_mean(Cli *cli, const GPtrArray *folders, const char *method, double cut, int64_t rounds, JsonArray *results, GError **error) {
    Pool pool = {.labels = g_array_new(FALSE, FALSE, sizeof(int)), .scores = g_array_new(FALSE, FALSE, sizeof(double)),
                 .counts = g_array_new(FALSE, FALSE, sizeof(int64_t)), .index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    const gboolean done = fill_pool(&pool, folders, error);
    if (done) {
        g_autofree char *title = pool_title(&pool, method);
        const Scores all = {.labels = (int *)(void *)pool.labels->data, .scores = (double *)(void *)pool.scores->data, .count = pool.labels->len};
        cli_say(cli, "%s", title);
        JsonObject *result = json_object_new();
        json_object_set_string_member(result, "mean", title);
        json_object_set_object_member(result, "metrics", scores_metrics(cli, &all, cut, rounds));
        json_array_add_object_element(results, result);
    }
    g_array_unref(pool.labels);
    g_array_unref(pool.scores);
    g_array_unref(pool.counts);
    g_hash_table_unref(pool.index);
    return done;
}

static gboolean evaluate_all(Cli *cli, const char *folder, double cut, int64_t rounds, GError **error) {
    g_autoptr(GPtrArray) entries = rmil_run_entries(folder, error);
    if (!entries) return FALSE;
    JsonArray *results = json_array_new();
    json_object_set_array_member(cli->result, "runs", results);
    for (guint i = 0; i < entries->len; i++) {
        const RmilRunEntry *entry = entries->pdata[i];
        JsonObject *result = NULL;
        GError *reason = NULL;
        if (!entry->done) rmil_monitor_warn(&cli->monitor, "%s: is planned, but not trained, and left out", entry->folder);
        else if (evaluate_folder(cli, entry->folder, cut, rounds, &result, &reason)) json_array_add_object_element(results, result);
        else cli_problem(cli, "evaluate", NULL, reason);
    }
    for (guint i = 0; i < entries->len; i++) { /* each method once, at its first training */
        const char *method = ((const RmilRunEntry *)entries->pdata[i])->method;
        g_autoptr(GPtrArray) folders = g_ptr_array_new();
        gboolean before = FALSE;
        for (guint k = 0; k < entries->len; k++) {
            const RmilRunEntry *entry = entries->pdata[k];
            if (strcmp(entry->method, method) != 0) continue;
            before = before || k < i;
            if (entry->done) g_ptr_array_add(folders, entry->folder);
        }
        if (!before && folders->len > 1 && !evaluate_mean(cli, folders, method, cut, rounds, results, error)) return FALSE;
    }
    return TRUE;
}

int command_evaluate(int argc, char **argv) {
    static const CliUsage usage = {"RUN", "Metrics of a run's test slides with 95 % intervals, and localisation.",
                                   "RUN is the folder of one training, or of 'rankmil run' with all of them: then also the mean of a method's models,\n"
                                   "which the report quotes. Writes metrics.json beside each predictions.csv. With --cohort and -o, the model (of\n"
                                   "several: all of the method that the report quotes) is applied to the features of another cohort first; slides\n"
                                   "and patients that it was trained on are named.", 1, 1, CLI_SEED | CLI_THREADS,
                                   "evaluate results\nevaluate results --cohort other/cohort.csv -o external"};
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
    const CliGroup groups[] = {{"Evaluation", own}, {NULL, NULL}};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) return status;
    if (!cohort != !output) return cli_usage(&cli, "--cohort and -o go together");
    if (rounds < 1 || rounds > 10000000) return cli_usage(&cli, "--bootstrap %" G_GINT64_FORMAT " is not in 1 … 10000000", rounds);
    GError *error = NULL;
    if ((cohort && !apply_to_cohort(&cli, argv[1], cohort, output, &error)) || !evaluate_all(&cli, cohort ? output : argv[1], cut, rounds, &error))
        return cli_fail(&cli, error);
    return cli_done(&cli);
}
