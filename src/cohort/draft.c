/* SPDX-License-Identifier: Apache-2.0 */
/* Cohort tables drafted from the folders of public data sets. */
#include "cohort-private.h"
#include "draft.h"

#include <string.h>

static const RmilDraftLayout *const layouts[] = {&rmil_draft_camelyon16, &rmil_draft_digestpath, &rmil_draft_class_folders};
const char *const rmil_draft_images[] = {".svs", ".tif", ".tiff",    ".ndpi", ".mrxs", ".scn", ".vms", ".vmu",
                                         ".bif", ".dcm", ".svslide", ".jpg",  ".jpeg", ".png", NULL};

static void free_row(gpointer memory) {
    RmilDraftRow *row = memory;
    g_free(row->id);
    g_free(row->slide);
    g_free(row->features);
    g_free(row->annotation);
    g_free(row->patient);
    g_free(row->class);
    g_free(row->note);
    g_free(row);
}

RmilDraftRow *rmil_draft_add(RmilDraft *draft, const char *id, const char *slide, int label, RmilSplit split) {
    RmilDraftRow *row = g_new0(RmilDraftRow, 1);
    row->id = g_strdup(id);
    row->slide = g_strdup(slide);
    row->label = label;
    row->split = split;
    g_ptr_array_add(draft->rows, row);
    return row;
}

static gint compare_paths(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static gboolean has_ending(const char *name, const char *const *endings) {
    gsize length = strlen(name);
    for (; *endings; endings++) {
        gsize n = strlen(*endings);
        if (length > n && g_ascii_strcasecmp(name + length - n, *endings) == 0) return TRUE;
    }
    return FALSE;
}

/* Why a name cannot be in a table, or NULL: cells are UTF-8, without blanks around them. */
static const char *unusable(const char *name) {
    if (!g_utf8_validate(name, -1, NULL)) return "is not UTF-8";
    if (g_ascii_isspace(*name) || g_ascii_isspace(name[strlen(name) - 1])) return "begins or ends with a space";
    for (; *name; name++)
        if (*name == '\\' || g_ascii_iscntrl(*name)) return "has a backslash or a control character";
    return NULL;
}

GPtrArray *rmil_draft_list(const RmilDraft *draft, const char *folder, const char *const *endings) {
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) reason = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &reason);
    if (!dir && !g_error_matches(reason, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        rmil_monitor_warn(draft->monitor, "%s: left out, because it cannot be read: %s", folder, reason->message);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        if (*name == '.' || (endings && !has_ending(name, endings))) continue;
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (!g_file_test(path, endings ? G_FILE_TEST_IS_REGULAR : G_FILE_TEST_IS_DIR)) continue;
        const char *problem = unusable(name);
        if (!problem) {
            g_ptr_array_add(paths, g_steal_pointer(&path));
            continue;
        }
        g_autofree char *shown = g_utf8_make_valid(path, -1);
        rmil_monitor_warn(draft->monitor, "%s: left out, because its name %s: rename it", shown, problem);
    }
    g_ptr_array_sort(paths, compare_paths);
    return paths;
}

char *rmil_draft_find(const char *folder, const char *const *names) {
    for (; *names; names++) {
        g_autofree char *path = g_build_filename(folder, *names, NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS)) return g_steal_pointer(&path);
    }
    return NULL;
}

/* -- the table ------------------------------------------------------------------------------------------------------------ */
/* Paths below the table's folder become relative, so that both can be moved together. */
static const char *relative(const RmilDraft *draft, const char *path) {
    gsize length = strlen(draft->out);
    return path && strncmp(path, draft->out, length) == 0 && path[length] == '/' ? path + length + 1 : path ? path : "";
}

static void cells_of(const RmilDraft *draft, const RmilDraftRow *row, const char *cells[9]) {
    static const char *const labels[] = {"", "0", "1"};
    cells[0] = row->id;
    cells[1] = relative(draft, row->slide);
    cells[2] = relative(draft, row->features);
    cells[3] = row->named ? row->class : labels[row->label + 1];
    cells[4] = rmil_split_name(row->split);
    cells[5] = relative(draft, row->annotation);
    cells[6] = row->patient ? row->patient : "";
    cells[7] = row->class && !row->named ? row->class : "";
    cells[8] = row->note ? row->note : "";
}

static gboolean write_table(const RmilDraft *draft, const char *path, GError **error) {
    static const char *const names[9] = {"id", "slide", "features", "label", "split", "annotation", "patient", "class", "note"};
    gboolean used[9] = {TRUE};
    const char *cells[9];
    for (guint i = 0; i < draft->rows->len; i++) {
        cells_of(draft, draft->rows->pdata[i], cells);
        for (int c = 0; c < 9; c++) used[c] = used[c] || *cells[c];
    }
    g_autoptr(RmilCsv) csv = rmil_csv_new(NULL);
    for (guint i = 0; i <= draft->rows->len; i++) {
        if (i > 0) cells_of(draft, draft->rows->pdata[i - 1], cells);
        for (int c = 0; c < 9; c++)
            if (used[c]) rmil_csv_text(csv, i > 0 ? cells[c] : names[c]);
        rmil_csv_end(csv);
    }
    return rmil_csv_write(csv, path, error);
}

static gboolean check_ids(const RmilDraft *draft, GError **error) {
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < draft->rows->len; i++) {
        RmilDraftRow *row = draft->rows->pdata[i], *first = g_hash_table_lookup(ids, row->id);
        if (first)
            return rmil_fail(error, RMIL_ERROR_DATA, "%s and %s would both have the id \"%s\"",
                             first->slide ? first->slide : first->features, row->slide ? row->slide : row->features, row->id);
        const char *from = row->slide ? row->slide : row->features;
        if (!rmil_usable_id(row->id))
            return rmil_fail(error, RMIL_ERROR_DATA, "%s: would have the id \"%s\", which is too long: rename it", from, row->id);
        if (!g_utf8_validate(relative(draft, from), -1, NULL)) {
            g_autofree char *shown = g_utf8_make_valid(draft->folder, -1);
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "%s: its path is not UTF-8: write the table into this folder, or rename the "
                             "folder",
                             shown);
        }
        g_hash_table_insert(ids, row->id, row);
    }
    return draft->rows->len > 0 || rmil_fail(error, RMIL_ERROR_DATA, "%s: contains no slides", draft->folder);
}

static void count_rows(const RmilDraft *draft, RmilCohortSummary *summary) {
    *summary = (RmilCohortSummary){.rows = draft->rows->len, .left_out = draft->left_out};
    for (guint i = 0; i < draft->rows->len; i++) {
        const RmilDraftRow *row = draft->rows->pdata[i];
        summary->positive += row->label == 1;
        summary->negative += row->label == 0;
        summary->annotated += row->annotation != NULL;
        summary->test += row->split == RMIL_SPLIT_TEST;
    }
}

const char *const *rmil_cohort_layouts(void) {
    static const char *const names[] = {"camelyon16", "digestpath", "class-folders", NULL};
    return names;
}

gboolean rmil_cohort_make(const char *layout, const char *folder, const char *path, const char *const *positive, RmilCohortSummary *summary,
                          const RmilMonitor *monitor, GError **error) {
    const RmilDraftLayout *found = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(layouts); i++)
        if (strcmp(layouts[i]->name, layout) == 0) found = layouts[i];
    if (!found) {
        g_autofree char *known = g_strjoinv(", ", (char **)rmil_cohort_layouts());
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no data set layout named \"%s\"; choose one of %s", layout, known);
    }
    if (!g_file_test(folder, G_FILE_TEST_IS_DIR)) return rmil_fail(error, RMIL_ERROR_IO, "%s: is not a folder", folder);
    g_autofree char *full = g_canonicalize_filename(folder, NULL), *table = g_canonicalize_filename(path, NULL),
                    *out = g_path_get_dirname(table);
    RmilDraft draft = {.folder = full,
                       .out = out,
                       .positive = positive,
                       .monitor = monitor,
                       .rows = g_ptr_array_new_with_free_func(free_row)};
    gboolean done = found->fill(&draft, error) && check_ids(&draft, error) && write_table(&draft, table, error);
    if (done) count_rows(&draft, summary);
    g_ptr_array_unref(draft.rows);
    return done;
}
