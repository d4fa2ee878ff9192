/* SPDX-License-Identifier: Apache-2.0 */
/* Splits given by a file. */
#include "cohort-private.h"

#include <string.h>

#define CELL_LIMIT ((int64_t)1 << 28)

void rmil_split_table_free(RmilSplitTable *table) {
    if (!table) return;
    g_strfreev(table->names);
    g_free(table->splits);
    g_free(table);
}

static gboolean read_cell(const RmilTable *csv, const char *path, int64_t row, int column, RmilSplit *split, GError **error) {
    const char *cell = rmil_table_cell(csv, row, column);
    for (*split = RMIL_SPLIT_NONE; *split <= RMIL_SPLIT_TEST; (*split)++)
        if (strcmp(cell, rmil_split_name(*split)) == 0) return TRUE;
    *split = RMIL_SPLIT_NONE;
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": %s \"%s\" is not train, val, test or empty", path,
                     rmil_table_line(csv, row), rmil_table_name(csv, column), cell);
}

GHashTable *rmil_cohort_ids(const RmilCohort *cohort) {
    GHashTable *ids = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < cohort->count; i++) {
        const GArray *members = cohort->rows[i].members;
        for (guint m = 0; members && m < members->len; m++) /* for a patient, its slides */
            g_hash_table_insert(ids, cohort->slides->rows[g_array_index(members, int64_t, m)].id, &cohort->rows[i]);
        if (!members) g_hash_table_insert(ids, cohort->rows[i].id, &cohort->rows[i]);
    }
    return ids;
}

gboolean rmil_split_put(const RmilCohort *cohort, int64_t row, RmilSplit split, RmilSplit *splits, const char *where, GError **error) {
    const RmilSplit before = splits[row];
    if (split == RMIL_SPLIT_NONE) return TRUE;
    splits[row] = split;
    return before == RMIL_SPLIT_NONE || before == split ||
           rmil_fail(error, RMIL_ERROR_DATA, "%s: patient \"%s\" is in two sets, %s and %s", where, cohort->rows[row].id,
                     rmil_split_name(before), rmil_split_name(split));
}

/* Row of the CSV -> row of the cohort; −1 for a slide that was left out. */
static int64_t *match_rows(const RmilTable *csv, int id, const char *path, const RmilCohort *cohort, GError **error) {
    int64_t rows = rmil_table_rows(csv);
    g_autofree int64_t *match = g_new(int64_t, (gsize)rows);
    g_autoptr(GHashTable) lines = g_hash_table_new(g_str_hash, g_str_equal), ids = rmil_cohort_ids(cohort);
    for (int64_t i = 0; i < rows; i++) {
        const char *cell = rmil_table_cell(csv, i, id);
        const RmilCohortRow *row = g_hash_table_lookup(ids, cell);
        int64_t line = rmil_table_line(csv, i);
        match[i] = row ? row - cohort->rows : -1;
        if (!row && cohort->left_out && g_strv_contains((const char *const *)cohort->left_out, cell)) continue;
        if (!row) {
            rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": id \"%s\" is not in %s", path, line, cell, cohort->path);
            return NULL;
        }
        const gpointer before = g_hash_table_lookup(lines, cell);
        if (before) {
            rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": id \"%s\" is already on line %" G_GINT64_FORMAT, path, line,
                      cell, (int64_t)GPOINTER_TO_SIZE(before));
            return NULL;
        }
        g_hash_table_insert(lines, (gpointer)cell, GSIZE_TO_POINTER((gsize)line));
    }
    return g_steal_pointer(&match);
}

static gboolean check_whole(const RmilCohort *cohort, const RmilSplit *splits, gboolean sites, const char *where, GError **error) {
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < cohort->count; i++) {
        char *name = sites ? cohort->rows[i].site : cohort->rows[i].patient;
        if (!name || splits[i] == RMIL_SPLIT_NONE) continue;
        const RmilSplit *first = g_hash_table_lookup(seen, name);
        if (first && *first != splits[i])
            return rmil_fail(error, RMIL_ERROR_DATA, "%s: %s \"%s\" is in two sets, %s and %s", where, sites ? "site" : "patient", name,
                             rmil_split_name(*first), rmil_split_name(splits[i]));
        g_hash_table_insert(seen, name, (gpointer)&splits[i]);
    }
    return TRUE;
}

gboolean rmil_split_check_fixed(const RmilCohort *cohort, const RmilSplit *splits, const char *where, GError **error) {
    static const char *const targets[] = {"label", "time and event", "value"};
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i];
        if (splits[i] != RMIL_SPLIT_NONE && !rmil_target_known(&cohort->task, &row->target))
            return rmil_fail(error, RMIL_ERROR_DATA, "%s: slide \"%s\" is in a set but has no %s in %s", where, row->id,
                             targets[cohort->task.kind], cohort->path);
    }
    return check_whole(cohort, splits, FALSE, where, error) && (!cohort->by_site || check_whole(cohort, splits, TRUE, where, error)) &&
           rmil_split_check(cohort, splits, RMIL_VALIDATION_ALL, TRUE, where, error);
}

RmilSplitTable *rmil_split_table_read(const char *path, const RmilCohort *cohort, GError **error) {
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) return rmil_clam_splits_read(path, cohort, error);
    g_autoptr(RmilTable) csv = rmil_table_read(path, error);
    if (!csv) return NULL;
    int id = rmil_table_find(csv, "id"), columns = rmil_table_columns(csv);
    if (id < 0 || columns < 2) {
        gboolean clam = rmil_table_find(csv, "train") >= 0 && rmil_table_find(csv, "test") >= 0;
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line 1: a column id and at least one column with a split are needed%s", path,
                  clam ? ": CLAM lists ids under train, val and test: give the folder of its splits_N.csv" : "");
        return NULL;
    }
    if (rmil_table_rows(csv) == 0) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has a header but no rows", path);
        return NULL;
    }
    if ((int64_t)columns * cohort->count > CELL_LIMIT) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %d splits of %" G_GINT64_FORMAT " slides are too many", path, columns - 1, cohort->count);
        return NULL;
    }
    g_autofree int64_t *match = match_rows(csv, id, path, cohort, error);
    if (!match) return NULL;
    g_autoptr(RmilSplitTable) table = g_new0(RmilSplitTable, 1);
    table->rows = cohort->count;
    table->names = g_new0(char *, (gsize)columns);
    table->splits = g_new0(RmilSplit, (gsize)(columns - 1) * (gsize)cohort->count);
    for (int column = 0; column < columns; column++) {
        if (column == id) continue;
        RmilSplit *splits = table->splits + table->count * cohort->count;
        g_autofree char *where = g_strdup_printf("%s: column %s", path, rmil_table_name(csv, column));
        for (int64_t i = 0; i < rmil_table_rows(csv); i++) {
            RmilSplit split;
            if (!read_cell(csv, path, i, column, &split, error)) return NULL;
            if (match[i] >= 0 && !rmil_split_put(cohort, match[i], split, splits, where, error)) return NULL;
        }
        if (!rmil_split_check_fixed(cohort, splits, where, error)) return NULL;
        table->names[table->count++] = g_strdup(rmil_table_name(csv, column));
    }
    return g_steal_pointer(&table);
}
