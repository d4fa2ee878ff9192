#include "bag-private.h"

#include <string.h>

#define LABEL_LIMIT 1000
#define ID_LIMIT 200 /* bytes: files are named after ids */

const char *rmil_split_name(RmilSplit split) {
    static const char *const names[] = {"", "train", "val", "test"};
    return names[split];
}

void rmil_cohort_free(RmilCohort *cohort) {
    if (!cohort) return;
    for (int64_t i = 0; i < cohort->count && cohort->rows; i++) {
        RmilCohortRow *row = &cohort->rows[i];
        g_free(row->id);
        g_free(row->slide);
        g_free(row->features);
        g_free(row->annotation);
        g_free(row->patch_labels);
        g_free(row->patient);
    }
    g_free(cohort->rows);
    g_free(cohort->path);
    g_strfreev(cohort->left_out);
    rmil_table_free(cohort->table);
    g_free(cohort);
}

typedef struct {
    int slide, features, id, label, split, annotation, patch_labels, patient, mpp;
} Columns;

static gboolean fail_at(const RmilCohort *cohort, int64_t line, const char *column, GError **error, const char *format, ...)
    G_GNUC_PRINTF(5, 6);
static gboolean fail_at(const RmilCohort *cohort, int64_t line, const char *column, GError **error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": %s %s", cohort->path, line, column, reason);
}

static char *absolute(const char *folder, const char *cell) {
    if (!*cell) return NULL;
    return g_path_is_absolute(cell) ? g_strdup(cell) : g_build_filename(folder, cell, NULL);
}

static gboolean usable_id(const char *id) {
    gsize length = strlen(id);
    if (length == 0 || length > ID_LIMIT || strcmp(id, ".") == 0 || strcmp(id, "..") == 0) return FALSE;
    for (; *id; id++)
        if (*id == '/' || *id == '\\' || g_ascii_iscntrl(*id)) return FALSE;
    return TRUE;
}

static gboolean read_label(const RmilCohort *cohort, RmilCohortRow *row, const char *cell, GError **error) {
    row->label = -1;
    if (!*cell) return TRUE;
    guint64 label;
    if (!g_ascii_string_to_unsigned(cell, 10, 0, LABEL_LIMIT, &label, NULL))
        return fail_at(cohort, row->line, "label", error,
                       "\"%s\" is not a class: 0, 1, … (or empty when it is to be predicted)", cell);
    row->label = (int)label;
    return TRUE;
}

static gboolean read_split(const RmilCohort *cohort, RmilCohortRow *row, const char *cell, GError **error) {
    for (row->split = RMIL_SPLIT_NONE; row->split <= RMIL_SPLIT_TEST; row->split++)
        if (strcmp(cell, rmil_split_name(row->split)) == 0) return TRUE;
    row->split = RMIL_SPLIT_NONE;
    return fail_at(cohort, row->line, "split", error, "\"%s\" is not train, val, test or empty", cell);
}

static gboolean read_mpp(const RmilCohort *cohort, RmilCohortRow *row, int64_t i, int column, GError **error) {
    if (!*rmil_table_cell(cohort->table, i, column)) return TRUE;
    if (!rmil_table_number(cohort->table, i, column, &row->mpp, error)) return FALSE;
    if (row->mpp > 0 && row->mpp < 1000) return TRUE;
    return fail_at(cohort, row->line, "mpp", error, "\"%s\" is not a number of µm per pixel above 0",
                   rmil_table_cell(cohort->table, i, column));
}

static gboolean read_row(RmilCohort *cohort, const Columns *columns, const char *folder, int64_t i, GError **error) {
    RmilCohortRow *row = &cohort->rows[i];
    row->line = rmil_table_line(cohort->table, i);
#define CELL(column) rmil_table_cell(cohort->table, i, columns->column)
    gboolean slide = *CELL(slide) != 0, features = *CELL(features) != 0;
    if (!slide && !features)
        return fail_at(cohort, row->line, columns->slide < 0 ? "features" : columns->features < 0 ? "slide" : "slide and features",
                       error, "is empty: a path is expected");
    row->slide = absolute(folder, CELL(slide));
    row->features = absolute(folder, CELL(features));
    row->annotation = absolute(folder, CELL(annotation));
    row->patch_labels = absolute(folder, CELL(patch_labels));
    row->patient = *CELL(patient) ? g_strdup(CELL(patient)) : NULL;
    row->id = *CELL(id) ? g_strdup(CELL(id)) : rmil_path_stem(slide ? row->slide : row->features);
    if (!usable_id(row->id))
        return fail_at(cohort, row->line, "id", error, "\"%s\" cannot name files: no slashes, at most %d bytes", row->id, ID_LIMIT);
    return read_label(cohort, row, CELL(label), error) && read_split(cohort, row, CELL(split), error) &&
           read_mpp(cohort, row, i, columns->mpp, error);
#undef CELL
}

static gboolean check_unique(const RmilCohort *cohort, GError **error) {
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) patients = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < cohort->count; i++) {
        RmilCohortRow *row = &cohort->rows[i], *first = g_hash_table_lookup(ids, row->id);
        if (first)
            return fail_at(cohort, row->line, "id", error, "\"%s\" stands in line %" G_GINT64_FORMAT " already", row->id, first->line);
        g_hash_table_insert(ids, row->id, row);
        if (!row->patient || row->split == RMIL_SPLIT_NONE) continue;
        first = g_hash_table_lookup(patients, row->patient);
        if (first && first->split != row->split)
            return fail_at(cohort, row->line, "split", error,
                           "puts patient \"%s\" into %s, line %" G_GINT64_FORMAT " into %s: a patient belongs to one set",
                           row->patient, rmil_split_name(row->split), first->line, rmil_split_name(first->split));
        if (!first) g_hash_table_insert(patients, row->patient, row);
    }
    return TRUE;
}

RmilCohort *rmil_cohort_read(const char *path, GError **error) {
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    if (!table) return NULL;
    Columns columns = {.slide = rmil_table_find(table, "slide"),
                       .features = rmil_table_find(table, "features"),
                       .id = rmil_table_find(table, "id"),
                       .label = rmil_table_find(table, "label"),
                       .split = rmil_table_find(table, "split"),
                       .annotation = rmil_table_find(table, "annotation"),
                       .patch_labels = rmil_table_find(table, "patch_labels"),
                       .patient = rmil_table_find(table, "patient"),
                       .mpp = rmil_table_find(table, "mpp")};
    if (columns.slide < 0 && columns.features < 0) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line 1: there is no column named slide or features", path);
        return NULL;
    }
    if (rmil_table_rows(table) == 0) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has a header but no rows", path);
        return NULL;
    }
    g_autofree char *here = g_get_current_dir(), *given = g_path_get_dirname(path);
    g_autofree char *folder = strcmp(given, ".") == 0 ? g_strdup(here) : absolute(here, given);
    g_autoptr(RmilCohort) cohort = g_new0(RmilCohort, 1);
    cohort->path = g_strdup(path);
    cohort->count = rmil_table_rows(table);
    cohort->rows = g_new0(RmilCohortRow, (gsize)cohort->count);
    cohort->table = g_steal_pointer(&table);
    for (int64_t i = 0; i < cohort->count; i++)
        if (!read_row(cohort, &columns, folder, i, error)) return NULL;
    return check_unique(cohort, error) ? g_steal_pointer(&cohort) : NULL;
}
