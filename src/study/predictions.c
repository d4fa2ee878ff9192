/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions of every task as named numbers, and as a table. */
#include "predictions.h"

#include "base/base-private.h"

#include <math.h>
#include <string.h>

/* -- as named numbers --------------------------------------------------------------------------------------------------------- */
/* "S(12.5)" */
static char *bin_name(double end) { return g_strdup_printf("S(%.9g)", end); }

static void add(GArray *outputs, const char *slide, const char *name, double value) {
    const RmilOutputRow row = {slide, name, value};
    if (!isnan(value)) g_array_append_val(outputs, row);
}

void rmil_outputs_of(const RmilTask *task, const RmilPredictionRow *row, GStringChunk *strings, GArray *outputs) {
    switch (task->kind) {
    case RMIL_TASK_CLASSES:
        for (int c = 0; c < row->count; c++) add(outputs, row->slide, g_string_chunk_insert_const(strings, task->names[c]), row->values[c]);
        break;
    case RMIL_TASK_SURVIVAL:
        add(outputs, row->slide, "time", row->target.time);
        add(outputs, row->slide, "event", isnan(row->target.time) ? NAN : (double)row->target.event);
        add(outputs, row->slide, "risk", row->answer);
        for (int b = 0; b < row->count; b++) {
            g_autofree char *name = bin_name(row->times[b]);
            add(outputs, row->slide, g_string_chunk_insert_const(strings, name), row->values[b]);
        }
        break;
    case RMIL_TASK_NUMBER:
        add(outputs, row->slide, "value", row->target.value);
        add(outputs, row->slide, "predicted", row->answer);
        break;
    }
}

static int class_of(const RmilTask *task, const char *name) {
    for (int c = 0; c < task->classes; c++)
        if (strcmp(task->names[c], name) == 0) return c;
    return -1;
}

/* name: "S(12.5)" */
static void add_bin(RmilPredictionRow *row, const char *name, double value) {
    row->times[row->count] = g_ascii_strtod(name + 2, NULL);
    row->values[row->count++] = value;
}

static gboolean put(const RmilTask *task, RmilPredictionRow *row, const char *name, double value) {
    const int class = class_of(task, name);
    if (task->kind == RMIL_TASK_CLASSES) {
        if (class >= 0) row->values[class] = value;
        row->count = task->classes;
        return class >= 0;
    }
    const gboolean survival = task->kind == RMIL_TASK_SURVIVAL;
    if (strcmp(name, survival ? "risk" : "predicted") == 0) row->answer = value;
    else if (!survival && strcmp(name, "value") == 0) row->target.value = value;
    else if (survival && strcmp(name, "time") == 0) row->target.time = value;
    else if (survival && strcmp(name, "event") == 0) row->target.event = value > 0.5;
    else if (survival && g_str_has_prefix(name, "S(") && row->count < RMIL_OUTPUTS_MOST) add_bin(row, name, value);
    else return FALSE;
    return TRUE;
}

gboolean rmil_outputs_take(const RmilTask *task, const GArray *outputs, GArray *rows, GError **error) {
    g_autoptr(GHashTable) by_slide = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < rows->len; i++) {
        RmilPredictionRow *row = &g_array_index(rows, RmilPredictionRow, i);
        row->answer = NAN;
        if (task->kind != RMIL_TASK_CLASSES) row->target = RMIL_TARGET_NONE;
        g_hash_table_insert(by_slide, (gpointer)row->slide, row);
    }
    for (guint i = 0; i < outputs->len; i++) {
        const RmilOutputRow *output = &g_array_index(outputs, RmilOutputRow, i);
        RmilPredictionRow *row = g_hash_table_lookup(by_slide, output->slide);
        if (!row || !put(task, row, output->name, output->value))
            return rmil_fail(error, RMIL_ERROR_FORMAT, "slide \"%s\" has a number \"%s\", which does not belong to what is predicted",
                             output->slide, output->name);
    }
    return TRUE;
}

/* -- as a table ----------------------------------------------------------------------------------------------------------------- */
static void head(RmilCsv *csv, const RmilTask *task, const RmilPredictionRow *first) {
    static const char *const known[][3] = {{"label"}, {"time", "event"}, {"value"}};
    rmil_csv_text(csv, "id");
    rmil_csv_text(csv, "split");
    for (int i = 0; known[task->kind][i]; i++) rmil_csv_text(csv, known[task->kind][i]);
    if (task->classes == 2) rmil_csv_text(csv, "probability"), rmil_csv_text(csv, "logit");
    rmil_csv_text(csv, task->kind == RMIL_TASK_SURVIVAL ? "risk" : "predicted");
    for (int c = 0; c < task->classes; c++) {
        g_autofree char *name = g_strconcat("p_", task->names[c], NULL);
        rmil_csv_text(csv, name);
    }
    for (int b = 0; task->kind == RMIL_TASK_SURVIVAL && first && b < first->count; b++) {
        g_autofree char *name = bin_name(first->times[b]);
        rmil_csv_text(csv, name);
    }
    rmil_csv_end(csv);
}

static void class_cells(RmilCsv *csv, const RmilTask *task, const RmilPredictionRow *row) {
    rmil_csv_text(csv, row->target.label >= 0 ? task->names[row->target.label] : NULL);
    if (task->classes == 2) rmil_csv_number(csv, "%.9g", row->probability), rmil_csv_number(csv, "%.9g", row->logit);
    rmil_csv_text(csv, task->names[rmil_predicted_class(task, row)]);
    for (int c = 0; c < task->classes; c++) rmil_csv_number(csv, "%.9g", rmil_class_probability(task, row, c));
}

static void other_cells(RmilCsv *csv, const RmilTask *task, const RmilPredictionRow *row) {
    const gboolean survival = task->kind == RMIL_TASK_SURVIVAL;
    rmil_csv_number(csv, "%.9g", survival ? row->target.time : row->target.value);
    if (survival && rmil_target_known(task, &row->target)) rmil_csv_whole(csv, row->target.event != FALSE);
    else if (survival) rmil_csv_text(csv, NULL);
    rmil_csv_number(csv, "%.9g", row->answer);
    for (int b = 0; b < row->count; b++) rmil_csv_number(csv, "%.9g", row->values[b]);
}

char *rmil_predictions_csv(const RmilTask *task, const GArray *rows) {
    if (rmil_task_is_plain(task)) return rmil_rows_csv(&rmil_rows[RMIL_ROWS_PREDICTION], rows);
    RmilCsv *csv = rmil_csv_new(NULL);
    head(csv, task, rows->len ? &g_array_index(rows, RmilPredictionRow, 0) : NULL);
    for (guint i = 0; i < rows->len; i++) {
        const RmilPredictionRow *row = &g_array_index(rows, RmilPredictionRow, i);
        rmil_csv_text(csv, row->slide);
        rmil_csv_text(csv, rmil_split_name(row->part));
        if (task->kind == RMIL_TASK_CLASSES) class_cells(csv, task, row);
        else other_cells(csv, task, row);
        rmil_csv_end(csv);
    }
    return rmil_csv_take(csv);
}

/* -- the table, read ------------------------------------------------------------------------------------------------------------- */
/* The task, from its columns. */
static gboolean task_of(const RmilTable *table, const char *path, RmilTask *task, GError **error) {
    rmil_task_init(task);
    int names = 0;
    for (int c = 0; c < rmil_table_columns(table); c++) {
        const char *name = rmil_table_name(table, c);
        if (!g_str_has_prefix(name, "p_") || !name[2]) continue;
        if (names >= RMIL_CLASSES_MOST || strlen(name + 2) >= RMIL_CLASS_NAME)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line 1: there are more than %d columns p_NAME, or a longer name than %d bytes",
                             path, RMIL_CLASSES_MOST, RMIL_CLASS_NAME - 1);
        g_strlcpy(task->names[names++], name + 2, RMIL_CLASS_NAME);
    }
    if (names == 1) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line 1: it needs a column p_NAME for each class", path);
    if (names) task->classes = names, task->negative = FALSE;
    else if (rmil_table_find(table, "risk") >= 0) *task = (RmilTask){.kind = RMIL_TASK_SURVIVAL};
    else if (rmil_table_find(table, "value") >= 0) *task = (RmilTask){.kind = RMIL_TASK_NUMBER};
    return TRUE;
}

static gboolean wrong(const RmilTable *table, const char *path, int64_t row, const char *what, const char *cell, GError **error) {
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": %s: \"%s\"", path, rmil_table_line(table, row), what, cell);
}

/* An empty cell is NaN. */
static gboolean number(const RmilTable *table, int64_t row, const char *column, double *value, GError **error) {
    const int at = rmil_table_find(table, column);
    *value = NAN;
    return at < 0 || !*rmil_table_cell(table, row, at) || rmil_table_number(table, row, at, value, error);
}

static gboolean read_classes(const RmilTable *table, const char *path, const RmilTask *task, int64_t i, RmilPredictionRow *row,
                             GError **error) {
    const int label = rmil_table_find(table, "label");
    const char *cell = label < 0 ? "" : rmil_table_cell(table, i, label);
    row->target.label = *cell ? class_of(task, cell) : -1;
    if (*cell && row->target.label < 0)
        return wrong(table, path, i, "the label is not one of the classes that have a column p_NAME", cell, error);
    row->count = task->classes;
    for (int c = 0; c < task->classes; c++) {
        g_autofree char *name = g_strconcat("p_", task->names[c], NULL);
        if (!number(table, i, name, &row->values[c], error)) return FALSE;
        if (!(row->values[c] >= 0 && row->values[c] <= 1))
            return wrong(table, path, i, "a probability is outside 0 … 1 or missing", name, error);
    }
    if (task->classes != 2) return TRUE;
    row->probability = row->values[1];
    row->count = 0;
    return number(table, i, "logit", &row->logit, error);
}

static gboolean read_others(const RmilTable *table, const char *path, const RmilTask *task, int64_t i, RmilPredictionRow *row,
                            GError **error) {
    if (task->kind == RMIL_TASK_NUMBER)
        return number(table, i, "value", &row->target.value, error) && number(table, i, "predicted", &row->answer, error) &&
               (!isnan(row->answer) || wrong(table, path, i, "nothing is predicted", "", error));
    double event;
    if (!number(table, i, "time", &row->target.time, error) || !number(table, i, "event", &event, error) ||
        !number(table, i, "risk", &row->answer, error))
        return FALSE;
    if (isnan(row->answer)) return wrong(table, path, i, "there is no risk", "", error);
    row->target.event = event > 0.5;
    for (int c = 0; c < rmil_table_columns(table); c++) {
        const char *name = rmil_table_name(table, c);
        double survival;
        if (!g_str_has_prefix(name, "S(") || row->count >= RMIL_OUTPUTS_MOST) continue;
        if (!number(table, i, name, &survival, error)) return FALSE;
        add_bin(row, name, survival);
    }
    return TRUE;
}

static const char *patient_of(const RmilTable *table, int64_t row, GStringChunk *strings) {
    const int column = rmil_table_find(table, "patient");
    const char *cell = column < 0 ? "" : rmil_table_cell(table, row, column);
    return *cell ? g_string_chunk_insert_const(strings, cell) : NULL;
}

static gboolean read_row(const RmilTable *table, const char *path, const RmilTask *task, int64_t i, GStringChunk *strings,
                         RmilPredictionRow *row, GError **error) {
    const char *id = rmil_table_cell(table, i, rmil_table_find(table, "id")),
               *split = rmil_table_find(table, "split") < 0 ? "" : rmil_table_cell(table, i, rmil_table_find(table, "split"));
    *row = (RmilPredictionRow){.target = RMIL_TARGET_NONE, .probability = NAN, .logit = NAN, .answer = NAN};
    row->slide = g_string_chunk_insert_const(strings, id);
    row->patient = patient_of(table, i, strings);
    if (!*id) return wrong(table, path, i, "no id", id, error);
    while (row->part < RMIL_SPLIT_TEST && strcmp(split, rmil_split_name(row->part)) != 0) row->part++;
    if (strcmp(split, rmil_split_name(row->part)) != 0) return wrong(table, path, i, "unknown split", split, error);
    return task->kind == RMIL_TASK_CLASSES ? read_classes(table, path, task, i, row, error) : read_others(table, path, task, i, row, error);
}

GArray *rmil_predictions_read(const char *path, RmilTask *task, GStringChunk *strings, GError **error) {
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    if (!table || !task_of(table, path, task, error)) return NULL;
    if (rmil_task_is_plain(task)) {
        GArray *rows = rmil_rows_read(&rmil_rows[RMIL_ROWS_PREDICTION], path, strings, error);
        for (guint i = 0; rows && i < rows->len; i++) g_array_index(rows, RmilPredictionRow, i).patient = patient_of(table, i, strings);
        return rows;
    }
    if (rmil_table_find(table, "id") < 0) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no column \"id\"", path);
        return NULL;
    }
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(RmilPredictionRow));
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < rmil_table_rows(table); i++) {
        RmilPredictionRow row;
        if (!read_row(table, path, task, i, strings, &row, error)) return NULL;
        if (!g_hash_table_add(seen, (gpointer)row.slide)) {
            wrong(table, path, i, "a second row with the id", row.slide, error);
            return NULL;
        }
        g_array_append_val(rows, row);
    }
    return g_steal_pointer(&rows);
}

GArray *rmil_run_predictions(const char *folder, RmilTask *task, GStringChunk *strings, GError **error) {
    g_autofree char *path = g_build_filename(folder, "predictions.csv", NULL), *slides = g_build_filename(folder, "slides.csv", NULL);
    g_autoptr(GArray) rows = rmil_predictions_read(path, task, strings, error);
    gboolean there;
    if (!rows || !rmil_file_exists(slides, &there, error)) return NULL;
    g_autoptr(RmilTable) table = there ? rmil_table_read(slides, error) : NULL;
    if (there && !table) return NULL;
    const int id = table ? rmil_table_find(table, "id") : -1, patient = table ? rmil_table_find(table, "patient") : -1;
    g_autoptr(GHashTable) patients = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; id >= 0 && patient >= 0 && i < rmil_table_rows(table); i++)
        if (*rmil_table_cell(table, i, patient))
            g_hash_table_insert(patients, (gpointer)rmil_table_cell(table, i, id),
                                g_string_chunk_insert_const(strings, rmil_table_cell(table, i, patient)));
    for (guint i = 0; i < rows->len; i++) {
        RmilPredictionRow *row = &g_array_index(rows, RmilPredictionRow, i);
        if (!row->patient) row->patient = g_hash_table_lookup(patients, row->slide);
    }
    return g_steal_pointer(&rows);
}
