/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil evaluate RUN: metrics of a run's predictions; on another cohort with --cohort. */
#include "found.h"
#include "metrics.h"
#include "models.h"
#include "train.h"

#include <string.h>

/* The rows of one α. */
typedef struct {
    double alpha, sums[3];
    GPtrArray *slides; /* ids in the table */
    GArray *met;
} AtAlpha;

static void at_alpha_free(gpointer at) {
    g_ptr_array_unref(((AtAlpha *)at)->slides);
    g_array_unref(((AtAlpha *)at)->met);
    g_free(at);
}

static AtAlpha *at_alpha(GPtrArray *all, double alpha) {
    for (guint k = 0; k < all->len; k++)
        if (((AtAlpha *)all->pdata[k])->alpha == alpha) return all->pdata[k];
    AtAlpha *at = g_new0(AtAlpha, 1);
    *at = (AtAlpha){.alpha = alpha, .slides = g_ptr_array_new(), .met = g_array_new(FALSE, FALSE, sizeof(double))};
    g_ptr_array_add(all, at);
    return at;
}

/* predictions: rows with the slides' patients. */
static gboolean summarise_localisation(Cli *cli, const char *folder, const GArray *predictions, JsonObject *out, GError **error) {
    g_autofree char *path = g_build_filename(folder, "localisation.csv", NULL);
    gboolean there;
    if (!rmil_file_exists(path, &there, error)) return FALSE;
    if (!there) return TRUE;
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    if (!table) return FALSE;
    static const char *const names[] = {"iou", "dice", "pointing"};
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(at_alpha_free);
    for (int64_t r = 0; r < rmil_table_rows(table); r++) {
        double alpha, v[3];
        if (!rmil_table_number(table, r, rmil_table_find(table, "alpha"), &alpha, error)) return FALSE;
        for (int i = 0; i < 3; i++)
            if (!rmil_table_number(table, r, rmil_table_find(table, names[i]), &v[i], error)) return FALSE;
        AtAlpha *at = at_alpha(all, alpha);
        for (int i = 0; i < 3; i++) at->sums[i] += v[i];
        g_ptr_array_add(at->slides, (gpointer)rmil_table_cell(table, r, rmil_table_find(table, "id")));
        g_array_append_val(at->met, v[2]);
    }
    JsonArray *rows = json_array_new();
    for (guint k = 0; k < all->len; k++) {
        const AtAlpha *at = all->pdata[k];
        const double count = at->slides->len, pointing = at->sums[2] / count;
        JsonObject *row = json_object_new();
        cli_json_number(row, "alpha", at->alpha);
        for (int i = 0; i < 3; i++) cli_json_number(row, names[i], at->sums[i] / count);
        const RmilInterval interval = rmil_pointing_interval((const char *const *)at->slides->pdata, (const double *)(void *)at->met->data,
                                                             at->slides->len, predictions);
        if (k == 0)
            cli_say(cli, "\nlocalisation over %u annotated positive slides\n  top %%      IoU     Dice  pointing (95 %% interval: %s)",
                    at->slides->len, interval.method);
        cli_json_number(row, "pointing_low", interval.low);
        cli_json_number(row, "pointing_high", interval.high);
        json_array_add_object_element(rows, row);
        cli_say(cli, "  %5g   %.4f   %.4f    %.4f   %.4f to %.4f", at->alpha, at->sums[0] / count, at->sums[1] / count, pointing,
                interval.low, interval.high);
    }
    json_object_set_array_member(out, "localisation", rows);
    return TRUE;
}

/* The test rows and training rows of a training's folder. */
static gboolean read_tests(const char *folder, Measured *measured, GStringChunk *strings, GError **error) {
    g_autoptr(GArray) rows = rmil_run_predictions(folder, &measured->task, strings, error);
    if (!rows) return FALSE;
    measured->rows = rmil_predictions_of(rows, &measured->task, RMIL_SPLIT_TEST);
    g_autoptr(GArray) train = rmil_predictions_of(rows, &measured->task, RMIL_SPLIT_TRAIN);
    if (train->len) measured->train = g_steal_pointer(&train);
    return rmil_run_decision(folder, &measured->decision, error);
}

/* predictions.csv and localisation.csv of one folder -> metrics.json and a table. */
static gboolean evaluate_folder(Cli *cli, const char *folder, RmilMeasuring how, JsonObject **out, GError **error) {
    g_autofree char *path = g_build_filename(folder, "predictions.csv", NULL), *to = g_build_filename(folder, "metrics.json", NULL);
    GStringChunk *strings = g_string_chunk_new(1024);
    Measured measured = {.rows = NULL};
    g_autofree char *where = g_strdup_printf("%s: split test", path);
    JsonObject *metrics = NULL;
    if (read_tests(folder, &measured, strings, error) && measured_check(&measured, where, error)) {
        cli_say(cli, "%s", folder);
        metrics = measured_report(cli, &measured, how);
    }
    g_autoptr(JsonObject) result = json_object_new();
    json_object_set_string_member(result, "folder", folder);
    if (metrics) json_object_set_object_member(result, "metrics", metrics);
    const gboolean done = metrics && summarise_localisation(cli, folder, measured.rows, result, error) &&
                          found_report(cli, folder, measured.rows, how, result, error) && cli_json_write(result, to, error);
    measured_clear(&measured);
    g_string_chunk_free(strings);
    if (done) *out = g_steal_pointer(&result);
    return done;
}

/* -- another cohort ---------------------------------------------------------------------------------------------------------- */
typedef struct {
    GHashTable *ids, *patients, *digests; /* of all that the models have seen in training or validation; digests -> id there */
    int64_t unknown;                      /* number of models whose folder does not say what they have seen */
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

/* External validation must not use slides that the model was trained on: warns of the same content, patients and ids. */
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
    if (n_same)
        rmil_monitor_warn(monitor,
                          "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " slides were used to train or validate the model (their features "
                          "are identical) (%s): this is not an external validation",
                          n_same, data->set->loaded, same->str);
    if (n_patients)
        rmil_monitor_warn(monitor,
                          "%" G_GINT64_FORMAT " slides are from patients whose slides were used to train or validate the model (%s): this "
                          "is not an "
                          "external validation",
                          n_patients, patients->str);
    if (n_ids)
        rmil_monitor_warn(monitor,
                          "%" G_GINT64_FORMAT " slides have the same id as a slide used to train or validate the model, but different "
                          "features (%s): check whether they are the same slides",
                          n_ids, ids->str);
    if (seen->unknown)
        rmil_monitor_warn(monitor, "the run does not record which slides it was trained on (version 0.1.0 made it), so rankmil cannot "
                                   "tell whether this cohort contains some of them");
}

/* Ranking needs both classes: checks the cohort before any model is applied. */
static gboolean enough_known(const RmilCohort *cohort, GError **error) {
    const RmilTask *task = &cohort->task;
    int64_t known = 0, of[2] = {0};
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilTarget *target = &cohort->rows[i].target;
        if (!rmil_target_known(task, target)) continue;
        known++;
        of[target->label > 0]++;
    }
    if (task->kind == RMIL_TASK_CLASSES ? of[0] && known > of[0] : known > 1) return TRUE;
    if (task->classes == 2)
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA,
                    "%s: has %" G_GINT64_FORMAT " slides of label %s and %" G_GINT64_FORMAT " of label %s: ranking metrics need both "
                    "('rankmil predict' takes slides without labels)",
                    cohort->path, of[0], task->names[0], of[1], task->names[1]);
    else
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA,
                    "%s: the truth is known for %" G_GINT64_FORMAT " slides, or for one class only, so nothing can be measured "
                    "('rankmil predict' takes slides without labels)",
                    cohort->path, known);
    return FALSE;
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

/* -- its folder ---------------------------------------------------------------------------------------------------------------- */
/* DIR must be empty, or hold an earlier evaluation of this cohort, which is removed so that it is not averaged with this one. */
static gboolean clear_output(Cli *cli, const char *folder, const char *cohort, GError **error) {
    static const char *const products[] = {"runs", "predictions.csv", "localisation.csv", "metrics.json", "run.json"};
    g_autofree char *record = g_build_filename(folder, "run.json", NULL), *runs = g_build_filename(folder, "runs", NULL),
                    *predictions = g_build_filename(folder, "predictions.csv", NULL);
    const gboolean used = g_file_test(record, G_FILE_TEST_EXISTS) || g_file_test(runs, G_FILE_TEST_EXISTS) ||
                          g_file_test(predictions, G_FILE_TEST_EXISTS);
    if (!used) return TRUE;
    g_autoptr(JsonObject) was = cli_json_read(record, NULL);
    const char *before = was && json_object_has_member(was, "evaluated") ? json_object_get_string_member_with_default(was, "cohort", "")
                                                                         : NULL;
    if (!before || strcmp(before, cohort) != 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT,
                    before ? "%s: contains the evaluation of another cohort, %s: give another -o DIR"
                           : "%s: contains results that 'rankmil evaluate --cohort' did not write: give another -o DIR",
                    folder, before);
        return FALSE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(products); i++) {
        g_autofree char *path = g_build_filename(folder, products[i], NULL);
        if (!remove_tree(path, error)) return FALSE;
    }
    rmil_monitor_warn(&cli->monitor, "%s: an earlier evaluation was here; this one replaces it", folder);
    return TRUE;
}

/* Copies the record of the training that a model comes from to the model's predictions here. */
static gboolean copy_record(const char *from, const char *to, GError **error) {
    g_autofree char *source = g_build_filename(from, "run.json", NULL), *target = g_build_filename(to, "run.json", NULL);
    if (!g_file_test(source, G_FILE_TEST_EXISTS)) return TRUE; /* only a model file */
    gsize size;
    g_autofree char *text = rmil_file_read(source, (gsize)64 << 20, &size, error);
    return text && rmil_file_write(target, text, size, error);
}

typedef struct {
    const char *name, *method;
    int64_t seed;
} Member;

/* Records what DIR is, for the report and later calls: which models, on which cohort, and the warnings. */
static gboolean write_record(Cli *cli, const Models *models, const char *run, const char *cohort, const char *folder, const GArray *members,
                             GError **error) {
    g_autoptr(JsonObject) out = json_object_new();
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *created = g_date_time_format_iso8601(now), *path = g_build_filename(folder, "run.json", NULL);
    json_object_set_string_member(out, "version", rmil_version());
    json_object_set_string_member(out, "cohort", cohort);
    json_object_set_string_member(out, "created", created);
    json_object_set_string_member(out, "evaluated", run);
    json_object_set_string_member(out, "model", models->title);
    JsonArray *runs = json_array_new();
    for (guint i = 0; i < members->len; i++) {
        const Member *member = &g_array_index(members, Member, i);
        g_autofree char *below = members->len > 1 ? g_build_filename("runs", member->method, member->name, NULL) : NULL;
        JsonObject *entry = json_object_new();
        json_object_set_string_member(entry, "method", member->method);
        json_object_set_int_member(entry, "seed", member->seed);
        if (below) json_object_set_string_member(entry, "folder", below);
        json_array_add_object_element(runs, entry);
    }
    if (members->len == 1) {
        json_object_set_string_member(out, "method", g_array_index(members, Member, 0).method);
        json_object_set_int_member(out, "seed", g_array_index(members, Member, 0).seed);
        const RmilDecision *decision = rmil_model_decision(models->list->pdata[0]);
        g_autofree char *text = decision->chosen ? rmil_decision_text(decision) : NULL;
        if (text) json_object_set_member(out, "decision", rmil_json_parse(text, strlen(text), "decision", NULL));
        json_array_unref(runs);
    } else {
        json_object_set_array_member(out, "runs", runs);
    }
    json_object_set_array_member(out, "warnings", json_array_ref(cli->warnings));
    return cli_json_write(out, path, error);
}

/* Applies each model to the cohort's features: predictions.csv and localisation.csv in `folder` (for several models in runs/METHOD/SEED
 * below it, so that they are evaluated like a run), all rows "test". */
static gboolean apply_models(Cli *cli, const Models *models, const char *run, const char *cohort, const RmilTrainData *data,
                             const char *folder, GError **error) {
    g_autofree RmilSplit *splits = g_new0(RmilSplit, data->count + 1);
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) members = g_array_new(FALSE, TRUE, sizeof(Member));
    for (int64_t i = 0; i < data->count; i++)
        splits[i] = rmil_target_known(&data->cohort->task, &data->targets[i]) ? RMIL_SPLIT_TEST : RMIL_SPLIT_NONE;
    if (!clear_output(cli, folder, cohort, error)) return FALSE;
    for (guint m = 0; m < models->list->len; m++) {
        const char *from = models->folders->pdata[m];
        g_autofree char *record = g_build_filename(from, "run.json", NULL), *full = g_canonicalize_filename(from, NULL);
        g_autoptr(JsonObject) info = g_file_test(record, G_FILE_TEST_EXISTS) ? cli_json_read(record, NULL) : NULL;
        Member member = {.name = g_path_get_basename(full),
                         .seed = info ? json_object_get_int_member_with_default(info, "seed", 0) : 0,
                         .method = g_strdup(info ? json_object_get_string_member_with_default(info, "method", "model") : "model")};
        g_ptr_array_add(texts, (gpointer)member.name);
        g_ptr_array_add(texts, (gpointer)member.method);
        g_array_append_val(members, member);
        g_autofree char *to = models->list->len == 1 ? g_strdup(folder)
                                                     : g_build_filename(folder, "runs", member.method, member.name, NULL);
        if (!rmil_train_apply_write(data, models->list->pdata[m], splits, cli->threads, to, &cli->monitor, error) ||
            (models->list->len > 1 && !copy_record(from, to, error)))
            return FALSE;
    }
    return write_record(cli, models, run, cohort, folder, members, error);
}

static gboolean apply_to_cohort(Cli *cli, const char *run, const char *method, const char *cohort_path, const char *folder,
                                GError **error) {
    const ModelsChoice choice = {.method = method};
    Models models;
    if (!models_load(&models, cli, run, &choice, error)) return FALSE;
    RmilTrainOptions options;
    rmil_train_options_init(&options);
    g_autofree char *cohort = g_canonicalize_filename(cohort_path, NULL);
    const RmilReading as = {.task = &rmil_model_config(models.list->pdata[0])->task};
    g_autoptr(RmilCohort) given = rmil_cohort_read_as(cohort_path, &as, error);
    if (given) cli_warn_all(cli, (const char *const *)given->warnings);
    gboolean done = given && enough_known(given, error);
    g_autoptr(RmilLock) lock = done ? rmil_lock_take(folder, ".lock", RMIL_LOCK_ALONE, "rankmil evaluate", &cli->monitor, error) : NULL;
    g_autoptr(RmilTrainData) data = lock ? train_data_load(cli, given, &options, NULL, error) : NULL;
    const int64_t dim = rmil_model_config(models.list->pdata[0])->dim;
    done = data != NULL;
    if (done && !rmil_model_sees(models.list->pdata[0]) && data->set->dim != dim) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: has %" G_GINT64_FORMAT " features per patch, but %s takes %" G_GINT64_FORMAT,
                    cohort_path, data->set->dim, run, dim);
        done = FALSE;
    }
    json_object_set_string_member(cli->result, "model", models.title);
    if (models.list->len > 1) cli_say(cli, "model    %s", models.title);
    done = done && check_seen(cli, &models, data, error) && apply_models(cli, &models, run, cohort, data, folder, error);
    g_clear_pointer(&data, rmil_train_data_free); /* before its cohort */
    rmil_train_options_clear(&options);
    models_clear(&models);
    return done;
}

/* -- all runs of a folder -------------------------------------------------------------------------------------------------------- */
/* If all trainings have the same test slides: the mean of the models. If each slide is tested once: cross-validation. */
static char *pool_title(RmilTests tests, guint trainings, const char *method) {
    if (tests == RMIL_TESTS_SAME) return g_strdup_printf("%s, mean of %u models", method, trainings);
    if (tests == RMIL_TESTS_FOLDS) return g_strdup_printf("%s, out-of-fold predictions of %u folds, pooled", method, trainings);
    return g_strdup_printf("%s, pool of %u trainings: a slide's probability is the mean of those that tested it", method, trainings);
}

/* Pools several trainings of one method, as the report does. */
static gboolean evaluate_mean(Cli *cli, const GPtrArray *folders, const char *method, RmilMeasuring how, JsonArray *results,
                              GError **error) {
    g_autoptr(GPtrArray) trainings = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    GStringChunk *strings = g_string_chunk_new(4096);
    Measured pooled = {.rows = NULL};
    g_autofree RmilDecision *decisions = g_new0(RmilDecision, folders->len);
    g_autofree const RmilDecision **all = g_new(const RmilDecision *, folders->len);
    gboolean done = TRUE;
    for (guint i = 0; done && i < folders->len; i++) {
        RmilTask task;
        all[i] = &decisions[i];
        GArray *rows = rmil_run_predictions(folders->pdata[i], &task, strings, error);
        done = rows != NULL;
        if (rows) g_ptr_array_add(trainings, rows);
        done = done && rmil_run_decision(folders->pdata[i], &decisions[i], error);
        if (i == 0) pooled.task = task;
        else if (done && !rmil_task_equal(&task, &pooled.task)) {
            g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: does not predict the same thing as %s, or not the same classes",
                        (const char *)folders->pdata[i], (const char *)folders->pdata[0]);
            done = FALSE;
        }
    }
    if (done) {
        RmilTests tests;
        pooled.rows = rmil_predictions_pool(trainings, &pooled.task, &tests);
        rmil_decision_pool(all, folders->len, &pooled.decision);
        g_autofree char *title = pool_title(tests, trainings->len, method);
        done = measured_check(&pooled, title, error);
        if (done) {
            cli_say(cli, "%s", title);
            JsonObject *result = json_object_new();
            json_object_set_string_member(result, "mean", title);
            json_object_set_object_member(result, "metrics", measured_report(cli, &pooled, how));
            json_array_add_object_element(results, result);
        }
    }
    measured_clear(&pooled);
    g_string_chunk_free(strings);
    return done;
}

static gboolean evaluate_all(Cli *cli, const char *folder, RmilMeasuring how, GError **error) {
    g_autoptr(GPtrArray) entries = rmil_run_entries(folder, error);
    if (!entries) return FALSE;
    JsonArray *results = json_array_new();
    json_object_set_array_member(cli->result, "runs", results);
    for (guint i = 0; i < entries->len; i++) {
        const RmilRunEntry *entry = entries->pdata[i];
        JsonObject *result = NULL;
        GError *reason = NULL;
        if (!entry->done)
            rmil_monitor_warn(&cli->monitor,
                              "%s: is planned, but its training has not finished or its folder was removed, so it is "
                              "left out",
                              entry->folder);
        else if (evaluate_folder(cli, entry->folder, how, &result, &reason)) json_array_add_object_element(results, result);
        else cli_problem(cli, "evaluate", NULL, reason);
    }
    if (!rmil_run_headline(entries)) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: contains no finished training", folder);
        return FALSE;
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
        if (!before && folders->len > 1 && !evaluate_mean(cli, folders, method, how, results, error)) return FALSE;
    }
    found_say_missing(cli, results);
    return TRUE;
}

int command_evaluate(int argc, char **argv) {
    static const CliUsage usage = {
        "RUN",
        "Metrics of a run's test slides with 95 % intervals, and localisation.",
        "RUN is the folder of one training, or of 'rankmil run'; then the averaged predictions of each method's models,\n"
        "as in the report, are evaluated too. Writes metrics.json beside each predictions.csv. With --cohort and -o, the\n"
        "model (if there are several, all of the report's main method) is first applied to the features of another cohort.\n"
        "Slides and patients that were used to train or validate the model are named.",
        1,
        1,
        CLI_SEED | CLI_THREADS,
        "evaluate results\nevaluate results --cohort other/cohort.csv -o external"};
    Cli cli;
    int status;
    g_autofree char *cohort = NULL, *output = NULL, *method = NULL;
    gdouble cut = 0.5;
    gint64 rounds = 2000;
    const GOptionEntry own[] = {
        {"cohort", 0, 0, G_OPTION_ARG_FILENAME, &cohort, "apply the model to this cohort (with features)", "COHORT"},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "folder for that cohort's predictions and metrics", "DIR"},
        {"method", 0, 0, G_OPTION_ARG_STRING, &method, "with --cohort: which method's models to use (default: the report's main method)",
         "NAME"},
        {"cut", 0, 0, G_OPTION_ARG_DOUBLE, &cut, "positive above this probability (default: 0.5)", "X"},
        {"bootstrap", 0, 0, G_OPTION_ARG_INT64, &rounds, "rounds of the bootstrap (default: 2000)", "N"},
        {0},
    };
    const CliGroup groups[] = {{"Evaluation", own}, {NULL, NULL}};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) return status;
    if (!cohort != !output) return cli_usage(&cli, "--cohort and -o go together");
    if (method && !cohort) return cli_usage(&cli, "--method needs --cohort: a run's own metrics always cover all of its methods");
    if (rounds < 1 || rounds > 10000000) return cli_usage(&cli, "--bootstrap %" G_GINT64_FORMAT ": must be 1 … 10000000", rounds);
    GError *error = NULL;
    if ((cohort && !apply_to_cohort(&cli, argv[1], method, cohort, output, &error)) ||
        !evaluate_all(&cli, cohort ? output : argv[1], (RmilMeasuring){cut, rounds, (uint64_t)cli.seed}, &error))
        return cli_fail(&cli, error);
    return cli_done(&cli);
}
