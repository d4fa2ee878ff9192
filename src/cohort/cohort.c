/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the cohort's table. */
#include "cohort-private.h"

#include <string.h>

#define ID_LIMIT 200 /* bytes: files are named after ids */

const char *rmil_split_name(RmilSplit split) {
    static const char *const names[] = {"", "train", "val", "test"};
    return names[split];
}

void rmil_cohort_row_clear(RmilCohortRow *row) {
    g_free(row->id);
    g_free(row->slide);
    g_free(row->features);
    g_free(row->annotation);
    g_free(row->tissue);
    g_free(row->patch_labels);
    g_free(row->patient);
    g_free(row->site);
    if (row->members) g_array_unref(row->members);
}

void rmil_cohort_free(RmilCohort *cohort) {
    if (!cohort) return;
    for (int64_t i = 0; i < cohort->count && cohort->rows; i++) rmil_cohort_row_clear(&cohort->rows[i]);
    g_free(cohort->rows);
    g_free(cohort->path);
    g_free(cohort->meaning);
    g_strfreev(cohort->warnings);
    g_strfreev(cohort->notes);
    g_strfreev(cohort->left_out);
    rmil_table_free(cohort->table);
    g_free(cohort);
}

typedef enum {
    SLIDE,
    FEATURES,
    ID,
    LABEL,
    SPLIT,
    ANNOTATION,
    PATCH_LABELS,
    PATIENT,
    MPP,
    SITE,
    TIME,
    EVENT,
    VALUE,
    TISSUE,
    COLUMNS
} Column;
static const char *const column_names[] = {"slide", "features", "id",    "label", "split",  "annotation", "patch_labels", "patient", "mpp",
                                           "site",  "time",     "event", "value", "tissue", NULL};

gboolean rmil_cohort_fail(const RmilCohort *cohort, int64_t line, const char *column, GError **error, const char *format, ...) {
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

gboolean rmil_usable_id(const char *id) {
    gsize length = strlen(id);
    if (length == 0 || length > ID_LIMIT || strcmp(id, ".") == 0 || strcmp(id, "..") == 0) return FALSE;
    for (; *id; id++)
        if (*id == '/' || *id == '\\' || g_ascii_iscntrl(*id)) return FALSE;
    return TRUE;
}

static gboolean read_split(const RmilCohort *cohort, RmilCohortRow *row, const char *cell, GError **error) {
    for (row->split = RMIL_SPLIT_NONE; row->split <= RMIL_SPLIT_TEST; row->split++)
        if (strcmp(cell, rmil_split_name(row->split)) == 0) return TRUE;
    row->split = RMIL_SPLIT_NONE;
    return rmil_cohort_fail(cohort, row->line, "split", error, "\"%s\" is not train, val, test or empty", cell);
}

static gboolean read_mpp(const RmilCohort *cohort, RmilCohortRow *row, int64_t i, int column, GError **error) {
    if (!*rmil_table_cell(cohort->table, i, column)) return TRUE;
    if (!rmil_table_number(cohort->table, i, column, &row->mpp, error)) return FALSE;
    if (row->mpp > 0 && row->mpp < 1000) return TRUE;
    return rmil_cohort_fail(cohort, row->line, "mpp", error, "\"%s\" is not a number of µm per pixel above 0",
                            rmil_table_cell(cohort->table, i, column));
}

static gboolean read_row(RmilCohort *cohort, const int *columns, const char *folder, int64_t i, GError **error) {
    RmilCohortRow *row = &cohort->rows[i];
    row->line = rmil_table_line(cohort->table, i);
#define CELL(column) rmil_table_cell(cohort->table, i, columns[column])
    gboolean slide = *CELL(SLIDE) != 0, features = *CELL(FEATURES) != 0;
    if (!slide && !features)
        return rmil_cohort_fail(cohort, row->line,
                                columns[SLIDE] < 0      ? "features"
                                : columns[FEATURES] < 0 ? "slide"
                                                        : "slide and features",
                                error, "is empty: a path is expected");
    row->slide = absolute(folder, CELL(SLIDE));
    row->features = absolute(folder, CELL(FEATURES));
    row->annotation = absolute(folder, CELL(ANNOTATION));
    row->tissue = absolute(folder, CELL(TISSUE));
    row->patch_labels = absolute(folder, CELL(PATCH_LABELS));
    row->patient = *CELL(PATIENT) ? g_strdup(CELL(PATIENT)) : NULL;
    row->site = *CELL(SITE) ? g_strdup(CELL(SITE)) : NULL;
    row->id = *CELL(ID) ? g_strdup(CELL(ID)) : rmil_path_stem(slide ? row->slide : row->features);
    if (!rmil_usable_id(row->id))
        return rmil_cohort_fail(cohort, row->line, "id", error,
                                "\"%s\" cannot be used as a file name: use no slashes and at most %d "
                                "bytes",
                                row->id, ID_LIMIT);
    row->target = RMIL_TARGET_NONE;
    return read_split(cohort, row, CELL(SPLIT), error) && read_mpp(cohort, row, i, columns[MPP], error);
#undef CELL
}

static gboolean check_unique(const RmilCohort *cohort, GError **error) {
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < cohort->count; i++) {
        RmilCohortRow *row = &cohort->rows[i], *first = g_hash_table_lookup(ids, row->id);
        if (first)
            return rmil_cohort_fail(cohort, row->line, "id", error, "\"%s\" is already on line %" G_GINT64_FORMAT, row->id, first->line);
        g_hash_table_insert(ids, row->id, row);
    }
    return TRUE;
}

/* The folder to which paths in the table are relative. */
static char *base_folder(const char *path) {
    g_autofree char *here = g_get_current_dir(), *given = g_path_get_dirname(path);
    const gboolean pipe = g_str_has_prefix(path, "/dev/") || g_str_has_prefix(path, "/proc/") || !g_file_test(path, G_FILE_TEST_IS_REGULAR);
    return pipe || strcmp(given, ".") == 0 ? g_steal_pointer(&here) : absolute(here, given);
}

static char *list_columns(const RmilTable *table) {
    enum { MOST_NAMED = 12 };
    GString *names = g_string_new(NULL);
    for (int c = 0; c < MIN(rmil_table_columns(table), MOST_NAMED); c++)
        g_string_append_printf(names, "%s\"%.60s\"", c ? ", " : "", rmil_table_name(table, c));
    if (rmil_table_columns(table) > MOST_NAMED) g_string_append(names, ", …");
    return g_string_free(names, FALSE);
}

static gboolean read_columns(RmilCohort *cohort, int *columns, GError **error) {
    g_autoptr(GPtrArray) warnings = g_ptr_array_new();
    const gboolean good = rmil_cohort_columns(cohort, column_names, columns, warnings, error);
    g_ptr_array_add(warnings, NULL);
    cohort->warnings = (char **)g_ptr_array_steal(warnings, NULL);
    if (!good || columns[SLIDE] >= 0 || columns[FEATURES] >= 0) return good;
    g_autofree char *names = list_columns(cohort->table);
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line 1: there is no column named slide or features: the columns are %s", cohort->path,
                     names);
}

/* How the sets treat sites. */
static gboolean read_sites(RmilCohort *cohort, int column, gboolean by_site, GPtrArray *notes, GError **error) {
    int64_t without = 0, line = 0;
    cohort->by_site = by_site;
    if (by_site && column < 0)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line 1: there is no column named site, which --by-site needs", cohort->path);
    if (column >= 0 && !by_site)
        g_ptr_array_add(notes, g_strdup_printf("%s: a site may be in several sets (--by-site keeps each site in one)", cohort->path));
    for (int64_t i = cohort->count; i-- > 0;) {
        const RmilCohortRow *row = &cohort->rows[i];
        if (row->site || !rmil_target_known(&cohort->task, &row->target)) continue;
        without++;
        line = row->line;
    }
    if (by_site && without)
        g_ptr_array_add(notes, g_strdup_printf("%s: %" G_GINT64_FORMAT " slide%s no site (line %" G_GINT64_FORMAT "%s): for these, only "
                                               "patients are kept "
                                               "together",
                                               cohort->path, without, without == 1 ? " has" : "s have", line, without == 1 ? "" : ", …"));
    return rmil_cohort_check_whole(cohort, error);
}

static gboolean read_rows(RmilCohort *cohort, const RmilReading *how, const int *columns, GPtrArray *notes, GError **error) {
    g_autofree char *folder = base_folder(cohort->path);
    const RmilTargetColumns targets = {columns[LABEL], columns[TIME], columns[EVENT], columns[VALUE]};
    for (int64_t i = 0; i < cohort->count; i++)
        if (!read_row(cohort, columns, folder, i, error)) return FALSE;
    return rmil_cohort_read_targets(cohort, &targets, how, notes, error) && check_unique(cohort, error) &&
           read_sites(cohort, columns[SITE], how->by_site, notes, error);
}

RmilCohort *rmil_cohort_read_as(const char *path, const RmilReading *how, GError **error) {
    g_autoptr(RmilCohort) cohort = g_new0(RmilCohort, 1);
    g_autoptr(GPtrArray) notes = g_ptr_array_new();
    int columns[COLUMNS];
    cohort->path = g_strdup(path);
    rmil_task_init(&cohort->task);
    cohort->table = rmil_table_read(path, error);
    if (!cohort->table || !read_columns(cohort, columns, error)) return NULL;
    if (rmil_table_rows(cohort->table) == 0) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has a header but no rows", path);
        return NULL;
    }
    cohort->count = rmil_table_rows(cohort->table);
    cohort->rows = g_new0(RmilCohortRow, (gsize)cohort->count);
    const gboolean good = read_rows(cohort, how, columns, notes, error);
    g_ptr_array_add(notes, NULL);
    cohort->notes = (char **)g_ptr_array_steal(notes, NULL);
    return good ? g_steal_pointer(&cohort) : NULL;
}

RmilCohort *rmil_cohort_read(const char *path, GError **error) {
    const RmilReading usual = {.classes = NULL};
    return rmil_cohort_read_as(path, &usual, error);
}
