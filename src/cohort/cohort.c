/* The cohort's table, read. */
#include "cohort-private.h"

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
    g_free(cohort->meaning);
    g_strfreev(cohort->warnings);
    g_strfreev(cohort->left_out);
    rmil_table_free(cohort->table);
    g_free(cohort);
}

typedef enum { SLIDE, FEATURES, ID, LABEL, SPLIT, ANNOTATION, PATCH_LABELS, PATIENT, MPP, COLUMNS } Column;
static const char *const column_names[] = {"slide",      "features",     "id",      "label", "split",
                                           "annotation", "patch_labels", "patient", "mpp",   NULL};

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

gboolean rmil_usable_id(const char *id) {
    gsize length = strlen(id);
    if (length == 0 || length > ID_LIMIT || strcmp(id, ".") == 0 || strcmp(id, "..") == 0) return FALSE;
    for (; *id; id++)
        if (*id == '/' || *id == '\\' || g_ascii_iscntrl(*id)) return FALSE;
    return TRUE;
}

/* -- labels ------------------------------------------------------------------------------------------------------------------- */
/* A whole number, also as a spreadsheet or pandas writes it: 1.0. */
static gboolean whole_number(const char *cell, guint64 *number) {
    const gsize digits = strspn(cell, "0123456789"), point = cell[digits] == '.' || cell[digits] == ',';
    const gsize zeros = point ? strspn(cell + digits + 1, "0") : 0;
    g_autofree char *whole = g_strndup(cell, digits);
    return digits && cell[digits + point + zeros] == '\0' && g_ascii_string_to_unsigned(whole, 10, 0, LABEL_LIMIT, number, NULL);
}

enum { MOST_LABELS = 6 /* that a message names */ };

/* The column's different values, each once: "normal", "tumor"; no more than one above those that a message names. */
static GPtrArray *different_labels(const RmilCohort *cohort, int column) {
    GPtrArray *all = g_ptr_array_new();
    for (int64_t i = 0; i < cohort->count && all->len <= MOST_LABELS; i++) {
        const char *cell = rmil_table_cell(cohort->table, i, column);
        if (*cell && !g_ptr_array_find_with_equal_func(all, cell, g_str_equal, NULL)) g_ptr_array_add(all, (gpointer)cell);
    }
    return all;
}

static gboolean means_negative(const char *label) {
    static const char *const names[] = {"normal", "negative", "neg", "benign", "healthy", "control",
                                        "false",  "no",       "n",   "wt",     "absent",  NULL};
    g_autofree char *small = g_ascii_strdown(label, -1);
    return g_strv_contains(names, small);
}

/* What to write instead: 0 and 1, and which of two words is the negative one where that is a common word for it. */
static char *label_advice(const RmilCohort *cohort, int column) {
    g_autoptr(GPtrArray) all = different_labels(cohort, column);
    GString *advice = g_string_new("write 0 for the negative class and 1 for the positive one");
    if (all->len == 2 && means_negative(all->pdata[0]) != means_negative(all->pdata[1])) {
        const guint negative = means_negative(all->pdata[0]) ? 0 : 1;
        g_string_append_printf(advice, ", that is 0 for \"%.40s\" and 1 for \"%.40s\"", (char *)all->pdata[negative],
                               (char *)all->pdata[1 - negative]);
        return g_string_free(advice, FALSE);
    }
    g_string_append(advice, "; the labels here are");
    for (guint i = 0; i < MIN(all->len, MOST_LABELS); i++)
        g_string_append_printf(advice, "%s \"%.40s\"", i ? "," : "", (char *)all->pdata[i]);
    if (all->len > MOST_LABELS) g_string_append(advice, ", …");
    return g_string_free(advice, FALSE);
}

static gboolean read_label(const RmilCohort *cohort, RmilCohortRow *row, int64_t i, int column, GError **error) {
    const char *cell = rmil_table_cell(cohort->table, i, column);
    guint64 label;
    row->target = RMIL_TARGET_NONE;
    if (!*cell) return TRUE;
    if (!whole_number(cell, &label)) {
        g_autofree char *advice = label_advice(cohort, column);
        return fail_at(cohort, row->line, "label", error, "\"%s\" is not a class: %s (or leave it empty when it is to be predicted)", cell,
                       advice);
    }
    row->target.label = (int)label;
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

static gboolean read_row(RmilCohort *cohort, const int *columns, const char *folder, int64_t i, GError **error) {
    RmilCohortRow *row = &cohort->rows[i];
    row->line = rmil_table_line(cohort->table, i);
#define CELL(column) rmil_table_cell(cohort->table, i, columns[column])
    gboolean slide = *CELL(SLIDE) != 0, features = *CELL(FEATURES) != 0;
    if (!slide && !features)
        return fail_at(cohort, row->line,
                       columns[SLIDE] < 0      ? "features"
                       : columns[FEATURES] < 0 ? "slide"
                                               : "slide and features",
                       error, "is empty: a path is expected");
    row->slide = absolute(folder, CELL(SLIDE));
    row->features = absolute(folder, CELL(FEATURES));
    row->annotation = absolute(folder, CELL(ANNOTATION));
    row->patch_labels = absolute(folder, CELL(PATCH_LABELS));
    row->patient = *CELL(PATIENT) ? g_strdup(CELL(PATIENT)) : NULL;
    row->id = *CELL(ID) ? g_strdup(CELL(ID)) : rmil_path_stem(slide ? row->slide : row->features);
    if (!rmil_usable_id(row->id))
        return fail_at(cohort, row->line, "id", error, "\"%s\" cannot name files: no slashes, at most %d bytes", row->id, ID_LIMIT);
    return read_label(cohort, row, i, columns[LABEL], error) && read_split(cohort, row, CELL(SPLIT), error) &&
           read_mpp(cohort, row, i, columns[MPP], error);
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
                           "puts patient \"%s\" into %s, line %" G_GINT64_FORMAT " into %s: a patient belongs to one set", row->patient,
                           rmil_split_name(row->split), first->line, rmil_split_name(first->split));
        if (!first) g_hash_table_insert(patients, row->patient, row);
    }
    return TRUE;
}

/* The folder that paths in the table are relative to. */
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

RmilCohort *rmil_cohort_read(const char *path, GError **error) {
    g_autoptr(RmilCohort) cohort = g_new0(RmilCohort, 1);
    int columns[COLUMNS];
    cohort->path = g_strdup(path);
    rmil_task_init(&cohort->task);
    cohort->table = rmil_table_read(path, error);
    if (!cohort->table || !read_columns(cohort, columns, error)) return NULL;
    if (rmil_table_rows(cohort->table) == 0) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has a header but no rows", path);
        return NULL;
    }
    g_autofree char *folder = base_folder(path);
    cohort->count = rmil_table_rows(cohort->table);
    cohort->rows = g_new0(RmilCohortRow, (gsize)cohort->count);
    for (int64_t i = 0; i < cohort->count; i++)
        if (!read_row(cohort, columns, folder, i, error)) return NULL;
    return check_unique(cohort, error) ? g_steal_pointer(&cohort) : NULL;
}
