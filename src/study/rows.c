/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a training, in the record and as CSV. */
#include "rows.h"

#include "base/base-private.h"

#include <math.h>
#include <string.h>

#define COLUMN(struct, name, cell, type, field)                                                                                            \
    { name, cell, RMIL_COLUMN_##type, G_STRUCT_OFFSET(struct, field) }
#define ROWS(table, file, struct, columns, once, rare)                                                                                     \
    { table, file, sizeof(struct), G_N_ELEMENTS(columns), columns, once, rare }

static const RmilColumn epoch[] = {
    COLUMN(RmilEpoch, "epoch", "epoch", WHOLE, epoch),
    COLUMN(RmilEpoch, "train_loss", "train_loss", REAL, train_loss),
    COLUMN(RmilEpoch, "slide_loss", "train_slide_loss", REAL, train_slide_loss),
    COLUMN(RmilEpoch, "guide_loss", "train_guide_loss", REAL, train_guide_loss),
    COLUMN(RmilEpoch, "val_loss", "val_loss", REAL, val_loss),
    COLUMN(RmilEpoch, "val_auroc", "val_auroc", REAL, val_metric),
    COLUMN(RmilEpoch, "best", "best", FLAG, best),
};

static const RmilColumn prediction[] = {
    COLUMN(RmilPredictionRow, "slide", "id", TEXT, slide),
    COLUMN(RmilPredictionRow, "part", "split", SPLIT, part),
    COLUMN(RmilPredictionRow, "label", "label", LABEL, target.label),
    COLUMN(RmilPredictionRow, "probability", "probability", SHARE, probability),
    COLUMN(RmilPredictionRow, "logit", "logit", REAL, logit),
};

static const RmilColumn output[] = {
    COLUMN(RmilOutputRow, "slide", "id", TEXT, slide),
    COLUMN(RmilOutputRow, "name", "name", TEXT, name),
    COLUMN(RmilOutputRow, "value", "value", REAL, value),
};

static const RmilColumn localisation[] = {
    COLUMN(RmilLocalisationRow, "slide", "id", TEXT, slide),
    COLUMN(RmilLocalisationRow, "alpha", "alpha", NUMBER, alpha),
    COLUMN(RmilLocalisationRow, "iou", "iou", NUMBER, iou),
    COLUMN(RmilLocalisationRow, "dice", "dice", NUMBER, dice),
    COLUMN(RmilLocalisationRow, "pointing", "pointing", NUMBER, pointing),
};

static const RmilColumn attention[] = {
    COLUMN(RmilAttentionRow, "slide", "id", TEXT, slide),
    COLUMN(RmilAttentionRow, "lesion", "lesion", REAL, lesion),
    COLUMN(RmilAttentionRow, "elsewhere", "elsewhere", REAL, elsewhere),
    COLUMN(RmilAttentionRow, "lesion_share", "lesion_share", REAL, lesion_share),
};

static const RmilColumn patches[] = {
    COLUMN(RmilPatchRow, "slide", "id", TEXT, slide),
    COLUMN(RmilPatchRow, "auroc", "auroc", REAL, auroc),
    COLUMN(RmilPatchRow, "average_precision", "average_precision", REAL, average_precision),
};

static const RmilColumn lesion[] = {
    COLUMN(RmilLesionRow, "slide", "id", TEXT, slide),
    COLUMN(RmilLesionRow, "lesion", "lesion", WHOLE, lesion),
    COLUMN(RmilLesionRow, "tiles", "tiles", WHOLE, tiles),
    COLUMN(RmilLesionRow, "score", "score", REAL, score),
    COLUMN(RmilLesionRow, "false_positives", "false_positives", REAL, false_positives),
    COLUMN(RmilLesionRow, "negatives", "negatives", WHOLE, negatives),
};

const RmilRows rmil_rows[RMIL_ROWS_COUNT] = {
    [RMIL_ROWS_EPOCH] = ROWS("epoch", "history.csv", RmilEpoch, epoch, FALSE, FALSE),
    [RMIL_ROWS_PREDICTION] = ROWS("prediction", "predictions.csv", RmilPredictionRow, prediction, TRUE, FALSE),
    [RMIL_ROWS_OUTPUT] = ROWS("output", NULL, RmilOutputRow, output, FALSE, FALSE),
    [RMIL_ROWS_LOCALISATION] = ROWS("localisation", "localisation.csv", RmilLocalisationRow, localisation, FALSE, FALSE),
    [RMIL_ROWS_ATTENTION] = ROWS("attention", NULL, RmilAttentionRow, attention, FALSE, FALSE),
    [RMIL_ROWS_PATCHES] = ROWS("patches", "patches.csv", RmilPatchRow, patches, TRUE, TRUE),
    [RMIL_ROWS_LESION] = ROWS("lesion", "lesions.csv", RmilLesionRow, lesion, FALSE, TRUE),
};

static RmilSplit split_of(const char *name) {
    for (RmilSplit split = RMIL_SPLIT_TRAIN; split <= RMIL_SPLIT_TEST; split++)
        if (strcmp(name, rmil_split_name(split)) == 0) return split;
    return RMIL_SPLIT_NONE;
}

/* -- the record ------------------------------------------------------------------------------------------------------------ */
char *rmil_rows_insert(const RmilRows *rows) {
    GString *sql = g_string_new(NULL);
    g_string_append_printf(sql, "INSERT INTO %s VALUES(?", rows->table);
    for (int i = 0; i < rows->count; i++) g_string_append(sql, ", ?");
    return g_string_free(g_string_append_c(sql, ')'), FALSE);
}

char *rmil_rows_select(const RmilRows *rows) {
    GString *sql = g_string_new("SELECT ");
    for (int i = 0; i < rows->count; i++) g_string_append_printf(sql, "%s%s", i ? ", " : "", rows->columns[i].name);
    g_string_append_printf(sql, " FROM %s WHERE run = ? ORDER BY rowid", rows->table);
    return g_string_free(sql, FALSE);
}

void rmil_rows_bind(const RmilRows *rows, const void *row, sqlite3_stmt *statement) {
    for (int i = 0; i < rows->count; i++) {
        const RmilColumn *column = &rows->columns[i];
        const void *at = (const char *)row + column->offset;
        const int place = i + 2;
        switch (column->type) {
        case RMIL_COLUMN_TEXT: sqlite3_bind_text(statement, place, *(const char *const *)at, -1, SQLITE_TRANSIENT); break;
        case RMIL_COLUMN_NUMBER:
        case RMIL_COLUMN_SHARE:
        case RMIL_COLUMN_REAL: sqlite3_bind_double(statement, place, *(const double *)at); break; /* SQLite stores NaN as NULL */
        case RMIL_COLUMN_WHOLE: sqlite3_bind_int64(statement, place, *(const int64_t *)at); break;
        case RMIL_COLUMN_LABEL:
        case RMIL_COLUMN_FLAG: sqlite3_bind_int(statement, place, *(const int *)at); break;
        case RMIL_COLUMN_SPLIT: sqlite3_bind_text(statement, place, rmil_split_name(*(const RmilSplit *)at), -1, SQLITE_STATIC); break;
        }
    }
}

static const char *text_at(sqlite3_stmt *statement, int column) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text && g_utf8_validate(text, -1, NULL) ? text : "";
}

void rmil_rows_take(const RmilRows *rows, sqlite3_stmt *statement, GStringChunk *strings, void *row) {
    for (int i = 0; i < rows->count; i++) {
        const RmilColumn *column = &rows->columns[i];
        void *at = (char *)row + column->offset;
        switch (column->type) {
        case RMIL_COLUMN_TEXT: *(const char **)at = g_string_chunk_insert_const(strings, text_at(statement, i)); break;
        case RMIL_COLUMN_NUMBER:
        case RMIL_COLUMN_SHARE:
        case RMIL_COLUMN_REAL:
            *(double *)at = sqlite3_column_type(statement, i) == SQLITE_NULL ? NAN : sqlite3_column_double(statement, i);
            break;
        case RMIL_COLUMN_WHOLE: *(int64_t *)at = sqlite3_column_int64(statement, i); break;
        case RMIL_COLUMN_LABEL: *(int *)at = sqlite3_column_int(statement, i); break;
        case RMIL_COLUMN_FLAG: *(gboolean *)at = sqlite3_column_int(statement, i) != 0; break;
        case RMIL_COLUMN_SPLIT: *(RmilSplit *)at = split_of(text_at(statement, i)); break;
        }
    }
}

/* -- CSV, written ---------------------------------------------------------------------------------------------------------- */
static void append_cell(RmilCsv *csv, const RmilColumn *column, const void *at) {
    switch (column->type) {
    case RMIL_COLUMN_TEXT: rmil_csv_text(csv, *(const char *const *)at); break;
    case RMIL_COLUMN_NUMBER:
    case RMIL_COLUMN_SHARE:
    case RMIL_COLUMN_REAL: rmil_csv_number(csv, "%.9g", *(const double *)at); break;
    case RMIL_COLUMN_WHOLE: rmil_csv_whole(csv, *(const int64_t *)at); break;
    case RMIL_COLUMN_LABEL:
        if (*(const int *)at >= 0) rmil_csv_whole(csv, *(const int *)at);
        else rmil_csv_text(csv, NULL);
        break;
    case RMIL_COLUMN_FLAG: rmil_csv_whole(csv, *(const gboolean *)at != 0); break;
    case RMIL_COLUMN_SPLIT: rmil_csv_text(csv, rmil_split_name(*(const RmilSplit *)at)); break;
    }
}

char *rmil_rows_csv(const RmilRows *rows, const GArray *values) {
    if (rows->rare && values->len == 0) return NULL;
    RmilCsv *csv = rmil_csv_new(NULL);
    for (int i = 0; i < rows->count; i++) rmil_csv_text(csv, rows->columns[i].cell);
    rmil_csv_end(csv);
    for (guint v = 0; v < values->len; v++) {
        for (int i = 0; i < rows->count; i++) append_cell(csv, &rows->columns[i], values->data + v * rows->size + rows->columns[i].offset);
        rmil_csv_end(csv);
    }
    return rmil_csv_take(csv);
}

/* -- CSV, read ------------------------------------------------------------------------------------------------------------- */
static gboolean wrong(GError **error, const RmilTable *table, const char *path, int64_t row, const char *what, const char *cell) {
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": %s: \"%s\"", path, rmil_table_line(table, row), what, cell);
}

/* An empty cell and "nan" are NaN: a value that does not exist, such as the AUROC of one class. */
static gboolean read_real(const RmilTable *table, int64_t row, int column, double *value, GError **error) {
    const char *cell = column < 0 ? "" : rmil_table_cell(table, row, column);
    *value = NAN;
    if (*cell == '\0' || g_ascii_strcasecmp(cell, "nan") == 0 || g_ascii_strcasecmp(cell, "-nan") == 0) return TRUE;
    return rmil_table_number(table, row, column, value, error);
}

static gboolean read_cell(const RmilColumn *column, const RmilTable *table, const char *path, int64_t row, int place, GStringChunk *strings,
                          void *at, GError **error) {
    const char *cell = place < 0 ? "" : rmil_table_cell(table, row, place);
    gint64 number;
    switch (column->type) {
    case RMIL_COLUMN_TEXT:
        *(const char **)at = g_string_chunk_insert_const(strings, cell);
        return *cell || wrong(error, table, path, row, "no id", cell);
    case RMIL_COLUMN_NUMBER: return rmil_table_number(table, row, place, at, error);
    case RMIL_COLUMN_SHARE:
        return rmil_table_number(table, row, place, at, error) &&
               ((*(double *)at >= 0 && *(double *)at <= 1) || wrong(error, table, path, row, "probability is outside 0 … 1", cell));
    case RMIL_COLUMN_REAL: return read_real(table, row, place, at, error);
    case RMIL_COLUMN_WHOLE:
        if (!g_ascii_string_to_signed(cell, 10, 0, 1000000000, &number, NULL))
            return wrong(error, table, path, row, "not a whole number from 0 on", cell);
        *(int64_t *)at = number;
        return TRUE;
    case RMIL_COLUMN_LABEL:
        if (*cell == '\0' || strcmp(cell, "-1") == 0) *(int *)at = -1;
        else if (strcmp(cell, "0") == 0 || strcmp(cell, "1") == 0) *(int *)at = *cell - '0';
        else return wrong(error, table, path, row, "label is neither 0 nor 1", cell);
        return TRUE;
    case RMIL_COLUMN_FLAG: *(gboolean *)at = *cell && strcmp(cell, "0") != 0 && g_ascii_strcasecmp(cell, "false") != 0; return TRUE;
    case RMIL_COLUMN_SPLIT:
        *(RmilSplit *)at = split_of(cell);
        return !*cell || split_of(cell) != RMIL_SPLIT_NONE || wrong(error, table, path, row, "unknown split", cell);
    }
    return FALSE;
}

GArray *rmil_rows_read(const RmilRows *rows, const char *path, GStringChunk *strings, GError **error) {
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    int places[16];
    if (!table) return NULL;
    for (int i = 0; i < rows->count; i++) {
        places[i] = rmil_table_find(table, rows->columns[i].cell);
        if (places[i] >= 0 || rows->columns[i].type == RMIL_COLUMN_REAL) continue;
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no column \"%s\"", path, rows->columns[i].cell);
        return NULL;
    }
    g_autoptr(GArray) values = g_array_new(FALSE, TRUE, (guint)rows->size);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_array_set_size(values, (guint)rmil_table_rows(table));
    for (guint v = 0; v < values->len; v++) {
        const char *id = rmil_table_cell(table, v, places[0]);
        if (rows->once && !g_hash_table_add(seen, (gpointer)id)) {
            wrong(error, table, path, v, "a second row with the id", id);
            return NULL;
        }
        for (int i = 0; i < rows->count; i++) {
            const RmilColumn *column = &rows->columns[i];
            if (!read_cell(column, table, path, v, places[i], strings, values->data + v * rows->size + column->offset, error)) return NULL;
        }
    }
    return g_steal_pointer(&values);
}
