/* A run's folder, read for its report. */
#include "run.h"

#include "rankmil/study.h"

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

static void free_case(gpointer data) { g_free(((RmilCase *)data)->id); }
static void free_local(gpointer data) { g_free(((RmilLocal *)data)->id); }
static void free_attended(gpointer data) { g_free(((RmilAttended *)data)->id); }

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
    g_free(seed);
}

RmilSeedRun *rmil_seed_run_new(int64_t number) {
    RmilSeedRun *seed = g_new0(RmilSeedRun, 1);
    seed->seed = number;
    seed->cases = g_array_new(FALSE, FALSE, sizeof(RmilCase));
    seed->epochs = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    seed->locals = g_array_new(FALSE, FALSE, sizeof(RmilLocal));
    seed->attentions = g_array_new(FALSE, FALSE, sizeof(RmilAttended));
    g_array_set_clear_func(seed->cases, free_case);
    g_array_set_clear_func(seed->locals, free_local);
    g_array_set_clear_func(seed->attentions, free_attended);
    return seed;
}

void rmil_method_free(RmilMethod *method) {
    g_free(method->name);
    g_free(method->title);
    g_ptr_array_unref(method->seeds);
    g_free(method);
}

RmilRun *rmil_run_new(const char *folder) {
    RmilRun *run = g_new0(RmilRun, 1);
    run->folder = g_strdup(folder);
    run->methods = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_method_free);
    run->missing = g_ptr_array_new_with_free_func(g_free);
    return run;
}

void rmil_run_free(RmilRun *run) {
    if (!run) return;
    g_free(run->folder);
    g_free(run->reference);
    g_clear_pointer(&run->info, json_node_unref);
    g_ptr_array_unref(run->methods);
    g_ptr_array_unref(run->missing);
    g_free(run);
}

G_GNUC_PRINTF(2, 3) static void add_missing(RmilRun *run, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_ptr_array_add(run->missing, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

/* -- tables -------------------------------------------------------------------------------------------------------- */
/* Columns by name; the error names the first that the file lacks. */
static gboolean find_columns(const RmilTable *table, const char *path, const char *const *names, int n, int *columns, GError **error) {
    for (int i = 0; i < n; i++) {
        columns[i] = rmil_table_find(table, names[i]);
        if (columns[i] < 0) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no column \"%s\"", path, names[i]);
    }
    return TRUE;
}

static gboolean row_fail(GError **error, const RmilTable *table, const char *path, int64_t row, const char *what, const char *cell) {
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": %s: \"%s\"", path, rmil_table_line(table, row), what, cell);
}

/* An empty cell and "nan" are NaN: a value that does not exist, such as the AUROC of one class. */
static gboolean number_or_nan(const RmilTable *table, int64_t row, int column, double *value, GError **error) {
    const char *cell = rmil_table_cell(table, row, column);
    *value = NAN;
    if (*cell == '\0' || g_ascii_strcasecmp(cell, "nan") == 0 || g_ascii_strcasecmp(cell, "-nan") == 0) return TRUE;
    return rmil_table_number(table, row, column, value, error);
}

static gboolean read_case(const RmilTable *table, const char *path, int64_t row, const int *columns, RmilCase *item, GError **error) {
    const char *id = rmil_table_cell(table, row, columns[0]), *split = rmil_table_cell(table, row, columns[1]),
               *label = rmil_table_cell(table, row, columns[2]);
    if (*id == '\0') return row_fail(error, table, path, row, "no id", id);
    item->split = RMIL_SPLIT_NONE;
    for (int s = RMIL_SPLIT_TRAIN; s <= RMIL_SPLIT_TEST; s++)
        if (strcmp(split, ((const char *[]){"", "train", "val", "test"})[s]) == 0) item->split = (RmilSplit)s;
    if (*split && item->split == RMIL_SPLIT_NONE) return row_fail(error, table, path, row, "unknown split", split);
    if (*label == '\0' || strcmp(label, "-1") == 0) item->label = -1;
    else if (strcmp(label, "0") == 0 || strcmp(label, "1") == 0) item->label = *label - '0';
    else return row_fail(error, table, path, row, "label is neither 0 nor 1", label);
    if (!rmil_table_number(table, row, columns[3], &item->probability, error)) return FALSE;
    if (item->probability < 0 || item->probability > 1)
        return row_fail(error, table, path, row, "probability is outside 0 … 1", rmil_table_cell(table, row, columns[3]));
    item->id = g_strdup(id);
    return TRUE;
}

static gboolean read_predictions(const char *path, GArray *cases, GError **error) {
    static const char *const names[] = {"id", "split", "label", "probability"};
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    int columns[4];
    if (!table || !find_columns(table, path, names, 4, columns, error)) return FALSE;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t row = 0; row < rmil_table_rows(table); row++) {
        RmilCase item;
        const char *id = rmil_table_cell(table, row, columns[0]);
        if (!g_hash_table_add(seen, (gpointer)id)) return row_fail(error, table, path, row, "a second line for the id", id);
        if (!read_case(table, path, row, columns, &item, error)) return FALSE;
        g_array_append_val(cases, item);
    }
    if (cases->len == 0) return rmil_fail(error, RMIL_ERROR_DATA, "%s: has no predictions", path);
    return TRUE;
}

static gboolean read_history(const char *path, GArray *epochs, GError **error) {
    static const char *const names[] = {"epoch", "train_loss", "train_slide_loss", "train_guide_loss", "val_loss", "val_auroc", "best"};
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    int columns[7];
    if (!table || !find_columns(table, path, names, 7, columns, error)) return FALSE;
    for (int64_t row = 0; row < rmil_table_rows(table); row++) {
        double value[6];
        for (int i = 0; i < 6; i++)
            if (!number_or_nan(table, row, columns[i], &value[i], error)) return FALSE;
        if (!(value[0] >= 0 && value[0] < 1e9))
            return row_fail(error, table, path, row, "not an epoch", rmil_table_cell(table, row, columns[0]));
        const char *best = rmil_table_cell(table, row, columns[6]);
        RmilEpoch epoch = {(int64_t)value[0],
                           value[1],
                           value[2],
                           value[3],
                           value[4],
                           value[5],
                           *best && strcmp(best, "0") != 0 && g_ascii_strcasecmp(best, "false") != 0};
        g_array_append_val(epochs, epoch);
    }
    return TRUE;
}

static gboolean read_localisation(const char *path, GArray *locals, GError **error) {
    static const char *const names[] = {"id", "alpha", "iou", "dice", "pointing"};
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    int columns[5];
    if (!table || !find_columns(table, path, names, 5, columns, error)) return FALSE;
    for (int64_t row = 0; row < rmil_table_rows(table); row++) {
        RmilLocal item;
        double *values[] = {&item.alpha, &item.iou, &item.dice, &item.pointing};
        for (int i = 0; i < 4; i++)
            if (!rmil_table_number(table, row, columns[i + 1], values[i], error)) return FALSE;
        item.id = g_strdup(rmil_table_cell(table, row, columns[0]));
        g_array_append_val(locals, item);
    }
    return TRUE;
}

/* Reads a file of a run where there is one; `missing` says what it would have told, NULL: nothing is missed. */
static gboolean file_there(RmilRun *run, const char *path, const char *shown, const char *missing, gboolean *there, GError **error) {
    if (!rmil_file_exists(path, there, error)) return FALSE;
    if (!*there && missing) add_missing(run, "%s%s", shown, missing);
    return TRUE;
}

/* -- folders ------------------------------------------------------------------------------------------------------- */
static RmilSeedRun *read_seed(RmilRun *run, const char *folder, const char *shown, int64_t number, GError **error) {
    RmilSeedRun *seed = rmil_seed_run_new(number);
    seed->folder = g_strdup(folder);
    g_autofree char *predictions = g_build_filename(folder, "predictions.csv", NULL);
    g_autofree char *info = g_build_filename(folder, "run.json", NULL);
    g_autofree char *history = g_build_filename(folder, "history.csv", NULL);
    g_autofree char *locals = g_build_filename(folder, "localisation.csv", NULL);
    gboolean there;
    if (read_predictions(predictions, seed->cases, error) &&
        file_there(run, info, shown, "run.json: the configuration and time of this training.", &there, error) &&
        (!there || (seed->info = rmil_json_read(info, JSON_LIMIT, error))) &&
        file_there(run, history, shown, "history.csv: how the loss went while training.", &there, error) &&
        (!there || read_history(history, seed->epochs, error)) && file_there(run, locals, shown, NULL, &there, error) &&
        (!there || read_localisation(locals, seed->locals, error)))
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
    method->style = index % RMIL_FIGURE_STYLES + 1;
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

static RmilMethod *method_of(RmilRun *run, const char *name) {
    for (guint m = 0; m < run->methods->len; m++) {
        RmilMethod *method = g_ptr_array_index(run->methods, m);
        if (strcmp(method->name, name) == 0) return method;
    }
    RmilMethod *method = rmil_method_new(name);
    g_ptr_array_add(run->methods, method);
    return method;
}

/* "runs/rank/0/" */
static char *shown_folder(const RmilRun *run, const char *path) {
    g_autofree char *below = g_filename_display_name(g_str_has_prefix(path, run->folder) ? path + strlen(run->folder) : path);
    return g_strconcat(below + (*below == '/'), "/", NULL);
}

/* The trainings of the folder's present plan. */
static gboolean read_many(RmilRun *run, GError **error) {
    g_autoptr(GPtrArray) entries = rmil_run_entries(run->folder, error);
    for (guint i = 0; entries && i < entries->len; i++) {
        const RmilRunEntry *entry = g_ptr_array_index(entries, i);
        g_autofree char *shown = shown_folder(run, entry->folder);
        if (!entry->done) {
            add_missing(run, "%spredictions.csv: this training is not finished and is left out.", shown);
            continue;
        }
        RmilSeedRun *seed = read_seed(run, entry->folder, shown, entry->seed, error);
        if (!seed) return FALSE;
        seed->split = g_strdup(*entry->split ? entry->split : NULL);
        g_ptr_array_add(method_of(run, entry->method)->seeds, seed);
    }
    if (!entries) return FALSE;
    if (run->methods->len == 0)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s/runs: holds no finished training (no METHOD/SEED/predictions.csv)", run->folder);
    g_ptr_array_sort(run->methods, compare_methods);
    for (guint m = 0; m < run->methods->len; m++) g_ptr_array_sort(((RmilMethod *)run->methods->pdata[m])->seeds, compare_seeds);
    return TRUE;
}

/* The method of a lone training run: as its run.json names it. */
static gboolean read_single(RmilRun *run, GError **error) {
    RmilSeedRun *seed = read_seed(run, run->folder, "", 0, error);
    if (!seed) return FALSE;
    const char *model = rmil_json_text(seed->info, "model"), *guide = rmil_json_text(seed->info, "guide"),
               *name = rmil_json_text(seed->info, "method");
    g_autofree char *made = guide && strcmp(guide, "none") != 0
                                ? (model && strcmp(model, "abmil") != 0 ? g_strdup_printf("%s-%s", model, guide) : g_strdup(guide))
                                : g_strdup(model ? model : "model");
    RmilMethod *method = rmil_method_new(name ? name : made);
    JsonNode *number = rmil_json_get(seed->info, "seed");
    if (number && JSON_NODE_HOLDS_VALUE(number)) seed->seed = json_node_get_int(number);
    g_ptr_array_add(method->seeds, seed);
    g_ptr_array_add(run->methods, method);
    run->single = TRUE;
    run->info = seed->info ? json_node_ref(seed->info) : NULL;
    return TRUE;
}

/* A slide's label must be the same wherever it stands. */
static gboolean check_labels(const RmilRun *run, GError **error) {
    g_autoptr(GHashTable) labels = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint m = 0; m < run->methods->len; m++) {
        const RmilMethod *method = g_ptr_array_index(run->methods, m);
        for (guint s = 0; s < method->seeds->len; s++) {
            const RmilSeedRun *seed = g_ptr_array_index(method->seeds, s);
            for (guint i = 0; i < seed->cases->len; i++) {
                const RmilCase *item = &g_array_index(seed->cases, RmilCase, i);
                gpointer before;
                if (!g_hash_table_lookup_extended(labels, item->id, NULL, &before))
                    g_hash_table_insert(labels, item->id, GINT_TO_POINTER(item->label));
                else if (GPOINTER_TO_INT(before) != item->label)
                    return rmil_fail(error, RMIL_ERROR_DATA,
                                     "%s/predictions.csv: slide \"%s\" has label %d, elsewhere in this run folder %d", seed->folder,
                                     item->id, item->label, GPOINTER_TO_INT(before));
            }
        }
    }
    return TRUE;
}

RmilRun *rmil_run_read(const char *folder, GError **error) {
    g_autoptr(RmilRun) run = rmil_run_new(folder);
    g_autofree char *runs = g_build_filename(folder, "runs", NULL);
    g_autofree char *predictions = g_build_filename(folder, "predictions.csv", NULL);
    g_autofree char *info = g_build_filename(folder, "run.json", NULL);
    gboolean good, many, one;
    if (!rmil_file_exists(runs, &many, error) || !rmil_file_exists(predictions, &one, error)) return NULL;
    if (many) {
        gboolean there;
        good = file_there(run, info, "", "run.json: the command, configuration, cohort summary and times.", &there, error) &&
               (!there || (run->info = rmil_json_read(info, JSON_LIMIT, error))) && read_many(run, error);
    } else if (one) {
        good = read_single(run, error);
    } else {
        good = rmil_fail(error, g_file_test(folder, G_FILE_TEST_IS_DIR) ? RMIL_ERROR_DATA : RMIL_ERROR_IO,
                         "%s: is not the folder of a run or a study: it has neither study.sqlite nor runs/ nor predictions.csv", folder);
    }
    return good && check_labels(run, error) ? g_steal_pointer(&run) : NULL;
}
