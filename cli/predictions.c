/* SPDX-License-Identifier: Apache-2.0 */
/* FOLDER/predictions.csv of `rankmil predict`: several calls into one folder add to it. */
#include "predict.h"

#include <string.h>

static const struct {
    const char *name;
    gsize offset;
} columns[] = {
#define COLUMN(name)                                                                                                                       \
    { #name, G_STRUCT_OFFSET(PredictionLine, name) }
    COLUMN(id),     COLUMN(split), COLUMN(label), COLUMN(probability), COLUMN(logit),  COLUMN(sd),
    COLUMN(models), COLUMN(model), COLUMN(input), COLUMN(created),     COLUMN(digest),
#undef COLUMN
};

static char **field(PredictionLine *line, gsize column) { return &G_STRUCT_MEMBER(char *, line, columns[column].offset); }

void prediction_add(PredictionLine *line, const char *name, char *value) {
    if (!line->more) line->more = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(line->more, g_strdup(name));
    g_ptr_array_add(line->more, value);
}

static void free_line(gpointer data) {
    g_clear_pointer(&((PredictionLine *)data)->more, g_ptr_array_unref);
    for (gsize c = 0; c < G_N_ELEMENTS(columns); c++) g_free(*field(data, c));
    g_free(data);
}

void predictions_clear(Predictions *predictions) { g_clear_pointer(&predictions->lines, g_ptr_array_unref); }

static gboolean is_fixed(const char *name) {
    for (gsize c = 0; c < G_N_ELEMENTS(columns); c++)
        if (strcmp(columns[c].name, name) == 0) return TRUE;
    return FALSE;
}

gboolean predictions_read(Predictions *predictions, const char *folder, GError **error) {
    *predictions = (Predictions){g_ptr_array_new_with_free_func(free_line)};
    g_autofree char *path = g_build_filename(folder, "predictions.csv", NULL);
    gboolean there;
    if (!rmil_file_exists(path, &there, error)) return FALSE;
    if (!there) return TRUE;
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    if (!table) return FALSE;
    if (rmil_table_find(table, "id") < 0 || rmil_table_find(table, "probability") < 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT,
                    "%s: is not a table that 'rankmil predict' wrote (no column id or probability): give another -o DIR", path);
        return FALSE;
    }
    for (int64_t row = 0; row < rmil_table_rows(table); row++) {
        PredictionLine line = {0};
        for (gsize c = 0; c < G_N_ELEMENTS(columns); c++)
            *field(&line, c) = g_strdup(rmil_table_cell(table, row, rmil_table_find(table, columns[c].name)));
        for (int c = 0; c < rmil_table_columns(table); c++)
            if (!is_fixed(rmil_table_name(table, c)) && *rmil_table_cell(table, row, c))
                prediction_add(&line, rmil_table_name(table, c), g_strdup(rmil_table_cell(table, row, c)));
        predictions_put(predictions, line);
    }
    return TRUE;
}

const char *predictions_input(const Predictions *predictions, const char *id) {
    for (guint i = 0; i < predictions->lines->len; i++) {
        const PredictionLine *line = predictions->lines->pdata[i];
        if (strcmp(line->id, id) == 0) return *line->input ? line->input : NULL; /* version 0.1.0 did not write the input */
    }
    return NULL;
}

void predictions_put(Predictions *predictions, PredictionLine line) {
    PredictionLine *own = g_memdup2(&line, sizeof line);
    for (guint i = 0; i < predictions->lines->len; i++)
        if (strcmp(((PredictionLine *)predictions->lines->pdata[i])->id, line.id) == 0) {
            free_line(predictions->lines->pdata[i]);
            predictions->lines->pdata[i] = own;
            return;
        }
    g_ptr_array_add(predictions->lines, own);
}

char *predictions_others(const Predictions *predictions, const char *digest) {
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) out = g_string_new(NULL);
    for (guint i = 0; i < predictions->lines->len; i++) {
        const PredictionLine *line = predictions->lines->pdata[i];
        if (strcmp(line->digest, digest) == 0) continue;
        char *name = g_strdup_printf("%s (%s)", *line->model ? line->model : "a model without a name",
                                     *line->digest ? line->digest : "not recorded by an earlier version");
        if (g_hash_table_contains(seen, name)) g_free(name);
        else g_string_append_printf(out, "%s%s", out->len ? "; " : "", (g_hash_table_add(seen, name), name));
    }
    return out->len ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

/* Columns that only some lines have, in order of first appearance. */
static GPtrArray *more_columns(const Predictions *predictions) {
    GPtrArray *names = g_ptr_array_new();
    for (guint i = 0; i < predictions->lines->len; i++) {
        const GPtrArray *more = ((PredictionLine *)predictions->lines->pdata[i])->more;
        for (guint k = 0; more && k < more->len; k += 2)
            if (!g_ptr_array_find_with_equal_func(names, more->pdata[k], g_str_equal, NULL)) g_ptr_array_add(names, more->pdata[k]);
    }
    return names;
}

static const char *more_cell(const PredictionLine *line, const char *name) {
    for (guint k = 0; line->more && k < line->more->len; k += 2)
        if (strcmp(line->more->pdata[k], name) == 0) return line->more->pdata[k + 1];
    return NULL;
}

gboolean predictions_write(const Predictions *predictions, const char *folder, GError **error) {
    g_autoptr(RmilCsv) csv = rmil_csv_new(NULL);
    g_autoptr(GPtrArray) more = more_columns(predictions);
    for (gsize c = 0; c < G_N_ELEMENTS(columns); c++) rmil_csv_text(csv, columns[c].name);
    for (guint k = 0; k < more->len; k++) rmil_csv_text(csv, more->pdata[k]);
    rmil_csv_end(csv);
    for (guint i = 0; i < predictions->lines->len; i++) {
        PredictionLine *line = predictions->lines->pdata[i];
        for (gsize c = 0; c < G_N_ELEMENTS(columns); c++) rmil_csv_text(csv, *field(line, c));
        for (guint k = 0; k < more->len; k++) rmil_csv_text(csv, more_cell(line, more->pdata[k]));
        rmil_csv_end(csv);
    }
    g_autofree char *path = g_build_filename(folder, "predictions.csv", NULL);
    return rmil_csv_write(csv, path, error);
}
