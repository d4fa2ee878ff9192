/* SPDX-License-Identifier: Apache-2.0 */
/* Splits in CLAM's format: a folder of splits_N.csv, with ids of slides under train, val and test, or splits_N_bool.csv, with a row for
 * each slide. */
#include "cohort-private.h"

#include <string.h>

#define NUMBER_LIMIT 100000
#define CELL_LIMIT ((int64_t)1 << 28)

typedef struct {
    int64_t number; /* N from its name */
    char *path;
    gboolean rows; /* a row per slide: _bool */
} File;

static void file_clear(gpointer data) { g_free(((File *)data)->path); }

static gint compare_files(gconstpointer a, gconstpointer b) {
    const File *x = a, *y = b;
    return x->number == y->number ? x->rows - y->rows : x->number < y->number ? -1 : 1;
}

/* splits_N.csv or splits_N_bool.csv? */
static gboolean parse_name(const char *name, File *file) {
    guint64 number;
    const char *at = g_str_has_prefix(name, "splits_") ? name + strlen("splits_") : "";
    const gsize digits = strspn(at, "0123456789");
    g_autofree char *text = g_strndup(at, digits);
    file->rows = strcmp(at + digits, "_bool.csv") == 0;
    if (!digits || (!file->rows && strcmp(at + digits, ".csv") != 0)) return FALSE;
    if (!g_ascii_string_to_unsigned(text, 10, 0, NUMBER_LIMIT, &number, NULL)) return FALSE;
    file->number = (int64_t)number;
    return TRUE;
}

/* By number; if both kinds exist, only the lists of ids. Free with g_array_unref. */
static GArray *list_files(const char *folder, GError **error) {
    GArray *files = g_array_new(FALSE, TRUE, sizeof(File));
    g_array_set_clear_func(files, file_clear);
    g_autoptr(GError) reason = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &reason);
    if (!dir) rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", folder, reason->message);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        File file;
        if (!parse_name(name, &file)) continue;
        file.path = g_build_filename(folder, name, NULL);
        g_array_append_val(files, file);
    }
    g_array_sort(files, compare_files);
    for (guint i = files->len; i-- > 1;)
        if (g_array_index(files, File, i).number == g_array_index(files, File, i - 1).number) g_array_remove_index(files, i);
    if (dir && files->len > 0) return files;
    if (dir) rmil_fail(error, RMIL_ERROR_FORMAT, "%s: contains no splits: CLAM names them splits_0.csv, splits_1.csv …", folder);
    g_array_unref(files);
    return NULL;
}

/* -- one file ------------------------------------------------------------------------------------------------------------------- */
typedef struct {
    const RmilCohort *cohort;
    const File *file;
    const RmilTable *csv;
    GHashTable *ids, *lines; /* id -> row of the cohort; id -> line of the file */
    RmilSplit *splits;
} Reading;

static gboolean put(Reading *r, const char *id, RmilSplit set, int64_t line, GError **error) {
    const RmilCohortRow *row = g_hash_table_lookup(r->ids, id);
    const char *path = r->file->path;
    if (!row && r->cohort->left_out && g_strv_contains((const char *const *)r->cohort->left_out, id)) return TRUE;
    if (!row)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": slide \"%s\" is not in %s", path, line, id,
                         r->cohort->path);
    const gpointer before = g_hash_table_lookup(r->lines, id);
    if (before)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": slide \"%s\" is already on line %" G_GINT64_FORMAT, path,
                         line, id, (int64_t)GPOINTER_TO_SIZE(before));
    g_hash_table_insert(r->lines, (gpointer)id, GSIZE_TO_POINTER((gsize)line));
    return rmil_split_put(r->cohort, row - r->cohort->rows, set, r->splits, path, error);
}

/* True, False */
static gboolean read_truth(const Reading *r, int64_t i, int column, gboolean *yes, GError **error) {
    const char *cell = rmil_table_cell(r->csv, i, column);
    *yes = g_ascii_strcasecmp(cell, "true") == 0 || strcmp(cell, "1") == 0;
    if (*yes || !*cell || g_ascii_strcasecmp(cell, "false") == 0 || strcmp(cell, "0") == 0) return TRUE;
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": %s \"%s\" is neither True nor False", r->file->path,
                     rmil_table_line(r->csv, i), rmil_table_name(r->csv, column), cell);
}

/* A row for each slide; its id is in the first column, which has no name. */
static gboolean read_row(Reading *r, int64_t i, const int *columns, GError **error) {
    RmilSplit set = RMIL_SPLIT_NONE;
    const int64_t line = rmil_table_line(r->csv, i);
    for (RmilSplit own = RMIL_SPLIT_TRAIN; own <= RMIL_SPLIT_TEST; own++) {
        gboolean yes = FALSE;
        if (columns[own] >= 0 && !read_truth(r, i, columns[own], &yes, error)) return FALSE;
        if (yes && set != RMIL_SPLIT_NONE)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": slide \"%s\" is in two sets, %s and %s",
                             r->file->path, line, rmil_table_cell(r->csv, i, 0), rmil_split_name(set), rmil_split_name(own));
        if (yes) set = own;
    }
    return put(r, rmil_table_cell(r->csv, i, 0), set, line, error);
}

/* At most one slide in each set's column. */
static gboolean read_lists(Reading *r, int64_t i, const int *columns, GError **error) {
    for (RmilSplit set = RMIL_SPLIT_TRAIN; set <= RMIL_SPLIT_TEST; set++) {
        const char *id = columns[set] < 0 ? "" : rmil_table_cell(r->csv, i, columns[set]);
        if (*id && !put(r, id, set, rmil_table_line(r->csv, i), error)) return FALSE;
    }
    return TRUE;
}

static gboolean read_file(const RmilCohort *cohort, GHashTable *ids, const File *file, RmilSplit *splits, GError **error) {
    g_autoptr(RmilTable) csv = rmil_table_read(file->path, error);
    if (!csv) return FALSE;
    int columns[RMIL_SPLIT_TEST + 1] = {-1};
    for (RmilSplit set = RMIL_SPLIT_TRAIN; set <= RMIL_SPLIT_TEST; set++) columns[set] = rmil_table_find(csv, rmil_split_name(set));
    if (columns[RMIL_SPLIT_TRAIN] < 0 || columns[RMIL_SPLIT_TEST] < 0 || (file->rows && columns[RMIL_SPLIT_TRAIN] == 0))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line 1: CLAM's splits have the columns train, val and test%s", file->path,
                         file->rows ? ", after a column of ids" : "");
    g_autoptr(GHashTable) lines = g_hash_table_new(g_str_hash, g_str_equal);
    Reading reading = {cohort, file, csv, ids, lines, splits};
    for (int64_t i = 0; i < rmil_table_rows(csv); i++)
        if (!(file->rows ? read_row(&reading, i, columns, error) : read_lists(&reading, i, columns, error))) return FALSE;
    return rmil_split_check_fixed(cohort, splits, file->path, error);
}

RmilSplitTable *rmil_clam_splits_read(const char *folder, const RmilCohort *cohort, GError **error) {
    g_autoptr(GArray) files = list_files(folder, error);
    if (!files) return NULL;
    if (files->len * cohort->count > CELL_LIMIT) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %u splits of %" G_GINT64_FORMAT " slides are too many", folder, files->len, cohort->count);
        return NULL;
    }
    g_autoptr(GHashTable) ids = rmil_cohort_ids(cohort);
    g_autoptr(RmilSplitTable) table = g_new0(RmilSplitTable, 1);
    table->rows = cohort->count;
    table->names = g_new0(char *, (gsize)files->len + 1);
    table->splits = g_new0(RmilSplit, (gsize)files->len * (gsize)cohort->count);
    for (guint f = 0; f < files->len; f++) {
        const File *file = &g_array_index(files, File, f);
        if (!read_file(cohort, ids, file, table->splits + f * cohort->count, error)) return NULL;
        table->names[table->count++] = g_strdup_printf("fold-%" G_GINT64_FORMAT, file->number);
    }
    return g_steal_pointer(&table);
}
