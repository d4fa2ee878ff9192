/* SPDX-License-Identifier: Apache-2.0 */
/* The results of a folder. */
#include "results.h"

#include "base/base-private.h"
#include "predictions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JSON_LIMIT ((gsize)64 << 20)

int rmil_method_order(const char *name) {
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count);
    gsize i = 0;
    while (i < count && strcmp(methods[i].name, name) != 0) i++;
    return (int)i;
}

static void free_seed(gpointer data) {
    RmilSeedRun *seed = data;
    g_free(seed->folder);
    g_free(seed->split);
    g_free(seed->key);
    g_free(seed->model);
    g_clear_pointer(&seed->info, json_node_unref);
    g_array_unref(seed->cases);
    g_array_unref(seed->epochs);
    g_array_unref(seed->locals);
    g_array_unref(seed->attentions);
    g_array_unref(seed->patches);
    g_array_unref(seed->lesions);
    g_free(seed);
}

RmilSeedRun *rmil_seed_run_new(int64_t number) {
    RmilSeedRun *seed = g_new0(RmilSeedRun, 1);
    seed->seed = number;
    seed->cases = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    seed->epochs = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    seed->locals = g_array_new(FALSE, FALSE, sizeof(RmilLocalisationRow));
    seed->attentions = g_array_new(FALSE, FALSE, sizeof(RmilAttentionRow));
    seed->patches = g_array_new(FALSE, FALSE, sizeof(RmilPatchRow));
    seed->lesions = g_array_new(FALSE, FALSE, sizeof(RmilLesionRow));
    return seed;
}

void rmil_method_free(RmilMethod *method) {
    g_free(method->name);
    g_free(method->title);
    g_ptr_array_unref(method->seeds);
    g_free(method);
}

RmilResults *rmil_results_new(const char *folder) {
    RmilResults *run = g_new0(RmilResults, 1);
    run->folder = g_strdup(folder);
    rmil_task_init(&run->task);
    run->methods = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_method_free);
    run->missing = g_ptr_array_new_with_free_func(g_free);
    run->strings = g_string_chunk_new(4096);
    return run;
}

void rmil_results_free(RmilResults *run) {
    if (!run) return;
    g_free(run->folder);
    g_free(run->reference);
    g_clear_pointer(&run->info, json_node_unref);
    g_ptr_array_unref(run->methods);
    g_ptr_array_unref(run->missing);
    g_string_chunk_free(run->strings);
    rmil_study_free(run->record);
    g_free(run);
}

G_GNUC_PRINTF(2, 3) static void add_missing(RmilResults *run, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_ptr_array_add(run->missing, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

/* Reads a file of a run if it exists. `missing` says what is lost without it; NULL: nothing. */
static gboolean file_there(RmilResults *run, const char *path, const char *shown, const char *missing, gboolean *there, GError **error) {
    if (!rmil_file_exists(path, there, error)) return FALSE;
    if (!*there && missing) add_missing(run, "%s%s", shown, missing);
    return TRUE;
}

/* -- folders ------------------------------------------------------------------------------------------------------- */
/* Tables have been checked line by line; a record may be wrong, too. */
static gboolean check_cases(const GArray *cases, const RmilTask *task, const char *where, GError **error) {
    for (guint i = 0; i < cases->len; i++) {
        const RmilPredictionRow *row = &g_array_index(cases, RmilPredictionRow, i);
        gboolean right = task->kind == RMIL_TASK_CLASSES ? row->target.label < task->classes : !isnan(row->answer);
        for (int c = 0; right && c < task->classes; c++) {
            const double p = rmil_class_probability(task, row, c);
            right = p >= 0 && p <= 1;
        }
        if (!right)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is broken: slide \"%s\" has label %d and probability %g", where, row->slide,
                             row->target.label, row->probability);
    }
    return cases->len > 0 || rmil_fail(error, RMIL_ERROR_DATA, "%s: has no predictions", where);
}

static gboolean take(GArray **rows, GArray *read) {
    if (!read) return FALSE;
    g_array_unref(*rows);
    *rows = read;
    return TRUE;
}

gboolean rmil_seed_run_fill(RmilSeedRun *seed, RmilStudy *record, int64_t index, GError **error) {
    const RmilStudyRun *run = rmil_study_run(record, index);
    seed->split = g_strdup(*run->split ? run->split : NULL);
    seed->key = g_strdup(run->key);
    seed->model = g_strdup(run->model);
    if (run->decision && !rmil_decision_parse(run->decision, &seed->decision, error)) return FALSE;
    g_autofree char *where = g_strdup_printf("%s: run %.16s of the record", rmil_study_folder(record), run->key);
    return take(&seed->cases, rmil_study_predictions(record, index, error)) &&
           take(&seed->epochs, rmil_study_epochs(record, index, error)) &&
           take(&seed->locals, rmil_study_localisation(record, index, error)) &&
           take(&seed->attentions, rmil_study_attention(record, index, error)) &&
           take(&seed->patches, rmil_study_patches(record, index, error)) &&
           take(&seed->lesions, rmil_study_lesions(record, index, error)) &&
           check_cases(seed->cases, rmil_study_task(record), where, error);
}

/* All tables of a folder must have the task of the first. */
static gboolean agree_on_task(RmilResults *run, const RmilTask *task, const char *path, GError **error) {
    if (!run->told) run->task = *task;
    run->told = TRUE;
    return rmil_task_equal(&run->task, task) ||
           rmil_fail(error, RMIL_ERROR_DATA,
                     "%s: does not predict the same thing as the other trainings in this folder, or not the "
                     "same classes",
                     path);
}

/* The same from the tables of a folder; `shown` is its name in messages. */
static gboolean read_tables(RmilResults *run, RmilSeedRun *seed, const char *shown, GError **error) {
    struct {
        int kind;
        const char *missing;
        GArray **rows;
    } tables[] = {{RMIL_ROWS_EPOCH, "history.csv: the loss during training.", &seed->epochs},
                  {RMIL_ROWS_LOCALISATION, NULL, &seed->locals},
                  {RMIL_ROWS_PATCHES, NULL, &seed->patches},
                  {RMIL_ROWS_LESION, NULL, &seed->lesions}};
    g_autofree char *predictions = g_build_filename(seed->folder, "predictions.csv", NULL), *config = rmil_run_config(seed->folder, NULL);
    if (config) seed->key = rmil_config_key(config);
    RmilTask task;
    if (!take(&seed->cases, rmil_run_predictions(seed->folder, &task, run->strings, error)) ||
        !agree_on_task(run, &task, predictions, error) || !check_cases(seed->cases, &task, predictions, error))
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
        const RmilRows *rows = &rmil_rows[tables[i].kind];
        g_autofree char *path = g_build_filename(seed->folder, rows->file, NULL);
        gboolean there;
        if (!file_there(run, path, shown, tables[i].missing, &there, error)) return FALSE;
        if (there && !take(tables[i].rows, rmil_rows_read(rows, path, run->strings, error))) return FALSE;
    }
    return TRUE;
}

/* index: in run->record, if there is one. */
static RmilSeedRun *read_seed(RmilResults *run, int64_t index, const char *folder, const char *shown, int64_t number, GError **error) {
    RmilSeedRun *seed = rmil_seed_run_new(number);
    seed->folder = g_strdup(folder);
    g_autofree char *info = g_build_filename(folder, "run.json", NULL);
    gboolean there;
    if ((run->record ? rmil_seed_run_fill(seed, run->record, index, error) : read_tables(run, seed, shown, error)) &&
        file_there(run, info, shown, "run.json: the configuration and time of this training.", &there, error) &&
        (!there || (seed->info = rmil_json_read(info, JSON_LIMIT, error))) &&
        (run->record || rmil_run_decision(folder, &seed->decision, error)))
        return seed;
    free_seed(seed);
    return NULL;
}

RmilMethod *rmil_method_new(const char *name) {
    RmilMethod *method = g_new0(RmilMethod, 1);
    gsize known;
    const RmilTrainMethod *methods = rmil_methods(&known);
    int index = rmil_method_order(name);
    method->name = g_filename_display_name(name);
    method->title = g_strdup(index < (int)known ? methods[index].title : method->name);
    method->style = index % (int)known + 1;
    method->seeds = g_ptr_array_new_with_free_func(free_seed);
    return method;
}

static int compare_methods(gconstpointer a, gconstpointer b) {
    const RmilMethod *x = *(RmilMethod *const *)a, *y = *(RmilMethod *const *)b;
    int i = rmil_method_order(x->name), j = rmil_method_order(y->name);
    return i != j ? (i > j) - (i < j) : strcmp(x->name, y->name);
}

static int compare_seeds(gconstpointer a, gconstpointer b) {
    const RmilSeedRun *x = *(RmilSeedRun *const *)a, *y = *(RmilSeedRun *const *)b;
    return x->seed != y->seed ? (x->seed > y->seed) - (x->seed < y->seed) : g_strcmp0(x->split, y->split);
}

static RmilMethod *method_of(RmilResults *run, const char *name) {
    for (guint m = 0; m < run->methods->len; m++) {
        RmilMethod *method = g_ptr_array_index(run->methods, m);
        if (strcmp(method->name, name) == 0) return method;
    }
    RmilMethod *method = rmil_method_new(name);
    g_ptr_array_add(run->methods, method);
    return method;
}

/* "runs/rank/0/" */
static char *shown_folder(const RmilResults *run, const char *path) {
    g_autofree char *below = g_filename_display_name(g_str_has_prefix(path, run->folder) ? path + strlen(run->folder) : path);
    return g_strconcat(below + (*below == '/'), "/", NULL);
}

/* The trainings of the folder's current plan. */
static gboolean read_many(RmilResults *run, GError **error) {
    g_autoptr(GPtrArray) entries = rmil_run_entries(run->folder, error);
    for (guint i = 0; entries && i < entries->len; i++) {
        const RmilRunEntry *entry = g_ptr_array_index(entries, i);
        g_autofree char *shown = shown_folder(run, entry->folder);
        if (!entry->done) {
            add_missing(run, "%spredictions.csv: this training has not finished or its folder was removed, so it is left out.", shown);
            continue;
        }
        RmilSeedRun *seed = read_seed(run, i, entry->folder, shown, entry->seed, error);
        if (!seed) return FALSE;
        if (!seed->split && *entry->split) seed->split = g_strdup(entry->split);
        g_ptr_array_add(method_of(run, entry->method)->seeds, seed);
    }
    if (!entries) return FALSE;
    if (run->methods->len == 0)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s/runs: contains no finished training (no METHOD/SEED/predictions.csv)", run->folder);
    g_ptr_array_sort(run->methods, compare_methods);
    for (guint m = 0; m < run->methods->len; m++) g_ptr_array_sort(((RmilMethod *)run->methods->pdata[m])->seeds, compare_seeds);
    return TRUE;
}

/* The method of a single training run, as its run.json names it. */
static gboolean read_single(RmilResults *run, GError **error) {
    RmilSeedRun *seed = read_seed(run, 0, run->folder, "", 0, error);
    if (!seed) return FALSE;
    const char *model = rmil_json_text(seed->info, "model"), *guide = rmil_json_text(seed->info, "guide"),
               *name = rmil_json_text(seed->info, "method");
    const RmilTrainMethod *known = model && guide ? rmil_method_of(model, guide, NULL) : NULL;
    RmilMethod *method = rmil_method_new(name ? name : known ? known->name : model ? model : "model");
    JsonNode *number = rmil_json_get(seed->info, "seed");
    if (number && JSON_NODE_HOLDS_VALUE(number)) seed->seed = json_node_get_int(number);
    g_ptr_array_add(method->seeds, seed);
    g_ptr_array_add(run->methods, method);
    run->single = TRUE;
    run->info = seed->info ? json_node_ref(seed->info) : NULL;
    return TRUE;
}

/* A slide must have the same label in all tables. */
static gboolean check_labels(const RmilResults *run, GError **error) {
    g_autoptr(GHashTable) labels = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint m = 0; m < run->methods->len; m++) {
        const RmilMethod *method = g_ptr_array_index(run->methods, m);
        for (guint s = 0; s < method->seeds->len; s++) {
            const RmilSeedRun *seed = g_ptr_array_index(method->seeds, s);
            for (guint i = 0; i < seed->cases->len; i++) {
                const RmilPredictionRow *item = &g_array_index(seed->cases, RmilPredictionRow, i);
                gpointer before;
                if (!g_hash_table_lookup_extended(labels, item->slide, NULL, &before))
                    g_hash_table_insert(labels, (gpointer)item->slide, GINT_TO_POINTER(item->target.label));
                else if (GPOINTER_TO_INT(before) != item->target.label)
                    return rmil_fail(error, RMIL_ERROR_DATA,
                                     "%s/predictions.csv: slide \"%s\" has label %d, elsewhere in this run folder %d", seed->folder,
                                     item->slide, item->target.label, GPOINTER_TO_INT(before));
            }
        }
    }
    return TRUE;
}

RmilResults *rmil_results_read(const char *folder, GError **error) {
    g_autoptr(RmilResults) run = rmil_results_new(folder);
    g_autofree char *runs = g_build_filename(folder, "runs", NULL);
    g_autofree char *predictions = g_build_filename(folder, "predictions.csv", NULL);
    g_autofree char *info = g_build_filename(folder, "run.json", NULL);
    gboolean good, many, one;
    if (!rmil_file_exists(runs, &many, error) || !rmil_file_exists(predictions, &one, error)) return NULL;
    if (rmil_study_exists(folder) && !(run->record = rmil_study_open(folder, error))) return NULL;
    if (run->record) run->task = *rmil_study_task(run->record);
    if (many) {
        gboolean there;
        good = file_there(run, info, "", "run.json: the command, configuration, cohort summary and times.", &there, error) &&
               (!there || (run->info = rmil_json_read(info, JSON_LIMIT, error))) && read_many(run, error);
    } else if (one) {
        good = read_single(run, error);
    } else {
        good = rmil_run_folder_refuse(folder, error);
    }
    return good && check_labels(run, error) ? g_steal_pointer(&run) : NULL;
}
