/* What `rankmil predict` is given -> a cohort: slides, feature files, folders, patterns and tables, each under an id of its own. */
#include "cli-predict.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH = 8 }; /* of folders in folders */

typedef struct {
    Cli *cli;
    const Predictions *before;
    GArray *rows;       /* RmilCohortRow */
    GHashTable *ids;    /* id -> path that has it */
    GHashTable *inputs; /* paths that are in the rows */
    GError **error;
} Gathering;

static gboolean gather(Gathering *g, const char *input, int depth);

/* -- kinds of files ------------------------------------------------------------------------------------------------------------ */
/* HDF5, or a PyTorch file. */
static gboolean holds_features(const char *path) {
    char head[8] = "";
    FILE *file = fopen(path, "rb");
    gboolean read = file && fread(head, 1, 8, file) == 8;
    gboolean yes = read && (memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0 || (g_str_has_suffix(path, ".pt") && memcmp(head, "PK\3\4", 4) == 0));
    if (file) fclose(file);
    return yes;
}

static gboolean ends_in(const char *path, const char *const *endings) {
    g_autofree char *lower = g_ascii_strdown(path, -1);
    for (int i = 0; endings[i]; i++)
        if (g_str_has_suffix(lower, endings[i])) return TRUE;
    return FALSE;
}

static gboolean is_table(const char *path) { return ends_in(path, (const char *const[]){".csv", ".tsv", NULL}); }

/* In a folder only what looks like a slide or features is taken; named alone, any file is tried. */
static gboolean is_wanted(const char *path) {
    static const char *const endings[] = {".svs", ".tif", ".tiff", ".ndpi", ".vms", ".vmu", ".scn", ".mrxs", ".bif", ".svslide", ".dcm", ".png",
                                          ".jpg", ".jpeg", ".webp", ".h5", ".hdf5", ".pt", ".vsi", ".czi", ".isyntax", NULL};
    return ends_in(path, endings);
}

/* -- ids ----------------------------------------------------------------------------------------------------------------------- */
/* A name as an id: UTF-8, without what would be a path or a control character. */
static char *clean_id(const char *name) {
    char *id = g_utf8_make_valid(name, -1);
    for (char *p = id; *p; p++)
        if (g_ascii_iscntrl(*p) || *p == '/' || *p == '\\') *p = '_';
    return id;
}

static gboolean is_free(const Gathering *g, const char *id, const char *path) {
    const char *here = g_hash_table_lookup(g->ids, id), *earlier = predictions_input(g->before, id);
    return (!here || strcmp(here, path) == 0) && (!earlier || strcmp(earlier, path) == 0);
}

/* The file's name; where another file has that, its folder's before it, and so on up. Free with g_free. */
static char *choose_id(const Gathering *g, const char *path) {
    g_autofree char *base = g_path_get_basename(path), *folder = g_path_get_dirname(path);
    char *dot = strrchr(base, '.');
    if (dot && dot != base) *dot = '\0';
    char *id = clean_id(base);
    while (!is_free(g, id, path) && strcmp(folder, "/") != 0 && strcmp(folder, ".") != 0) {
        g_autofree char *name = g_path_get_basename(folder), *clean = clean_id(name), *shorter = id;
        char *up = g_path_get_dirname(folder);
        id = g_strdup_printf("%s-%s", clean, shorter);
        g_free(folder);
        folder = up;
    }
    for (int n = 2; !is_free(g, id, path); n++) { /* x.svs beside x.tif */
        g_autofree char *last = g_path_get_basename(path);
        g_free(id);
        g_autofree char *clean = clean_id(last);
        id = n == 2 ? g_strdup(clean) : g_strdup_printf("%s-%d", clean, n);
    }
    return id;
}

/* -- rows ---------------------------------------------------------------------------------------------------------------------- */
static void add_row(Gathering *g, RmilCohortRow row) {
    const char *path = row.slide ? row.slide : row.features;
    if (!g_hash_table_add(g->inputs, g_strdup(path))) {
        rmil_monitor_warn(&g->cli->monitor, "%s: is given twice: predicted once", path);
        g_free(row.id);
        g_free(row.slide);
        g_free(row.features);
        g_free(row.annotation);
        g_free(row.patch_labels);
        g_free(row.patient);
        return;
    }
    g_hash_table_insert(g->ids, g_strdup(row.id), g_strdup(path));
    g_array_append_val(g->rows, row);
}

static gboolean add_file(Gathering *g, const char *path) {
    g_autofree char *full = g_canonicalize_filename(path, NULL);
    const gboolean features = holds_features(full);
    RmilCohortRow row = {.id = choose_id(g, full), .slide = features ? NULL : g_strdup(full), .features = features ? g_strdup(full) : NULL, .label = -1};
    add_row(g, row);
    return TRUE;
}

static gboolean add_table(Gathering *g, const char *path) {
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, g->error);
    for (int64_t i = 0; cohort && i < cohort->count; i++) {
        const RmilCohortRow *from = &cohort->rows[i];
        const char *input = from->slide ? from->slide : from->features;
        RmilCohortRow row = *from;
        row.id = is_free(g, from->id, input) ? g_strdup(from->id) : choose_id(g, input);
        row.slide = g_strdup(from->slide);
        row.features = g_strdup(from->features);
        row.annotation = g_strdup(from->annotation);
        row.patch_labels = NULL;
        row.patient = g_strdup(from->patient);
        add_row(g, row);
    }
    return cohort != NULL;
}

static int compare_text(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static gboolean add_folder(Gathering *g, const char *path, int depth) {
    g_autoptr(GError) reason = NULL;
    GDir *dir = depth < DEPTH ? g_dir_open(path, 0, &reason) : NULL;
    if (!dir) {
        g_set_error(g->error, RMIL_ERROR, RMIL_ERROR_IO, "%s: cannot be read: %s", path, reason ? reason->message : "folders lie too deep in each other");
        return FALSE;
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; (name = g_dir_read_name(dir));)
        if (*name != '.') g_ptr_array_add(names, g_build_filename(path, name, NULL));
    g_dir_close(dir);
    g_ptr_array_sort(names, compare_text);
    int64_t passed = 0;
    const char *first = NULL;
    const guint before = g->rows->len;
    for (guint i = 0; i < names->len; i++) {
        const char *inner = names->pdata[i];
        const gboolean folder = g_file_test(inner, G_FILE_TEST_IS_DIR);
        if (!folder && !is_wanted(inner)) {
            first = first ? first : inner;
            passed++;
        } else if (!gather(g, inner, depth + 1)) {
            return FALSE;
        }
    }
    /* a MIRAX slide's own folder holds nothing else */
    if (passed && (depth == 0 || g->rows->len > before))
        rmil_monitor_warn(&g->cli->monitor, "%s: %" G_GINT64_FORMAT " file%s passed over that %s neither a slide nor features by name (%s)", path, passed,
                          passed == 1 ? "" : "s", passed == 1 ? "is" : "are", first);
    return TRUE;
}

static gboolean add_matches(Gathering *g, const char *pattern) {
    glob_t found = {0};
    const int how = strpbrk(pattern, "*?[") ? glob(pattern, 0, NULL, &found) : GLOB_NOMATCH;
    gboolean done = how == 0;
    for (size_t i = 0; done && i < found.gl_pathc; i++) done = gather(g, found.gl_pathv[i], 0);
    if (how == 0) globfree(&found);
    else g_set_error(g->error, RMIL_ERROR, RMIL_ERROR_IO, strpbrk(pattern, "*?[") ? "%s: no file has a name of this pattern" : "%s: there is no such file or folder", pattern);
    return done;
}

static gboolean gather(Gathering *g, const char *input, int depth) {
    if (g_file_test(input, G_FILE_TEST_IS_DIR)) return add_folder(g, input, depth);
    if (!g_file_test(input, G_FILE_TEST_EXISTS)) return add_matches(g, input);
    return is_table(input) ? add_table(g, input) : add_file(g, input);
}

/* An input that is not there is a problem of its own; the others go on. */
RmilCohort *predict_inputs(Cli *cli, const Predictions *before, char **inputs, int count, GError **error) {
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GArray *rows = g_array_new(FALSE, TRUE, sizeof(RmilCohortRow));
    for (int i = 0; i < count; i++) {
        GError *reason = NULL;
        Gathering gathering = {cli, before, rows, ids, seen, &reason};
        if (!gather(&gathering, inputs[i], 0)) cli_problem(cli, "predict", NULL, reason);
    }
    RmilCohort *cohort = g_new0(RmilCohort, 1);
    cohort->path = g_strdup("the command line");
    cohort->count = rows->len;
    cohort->rows = (RmilCohortRow *)(gpointer)g_array_free(rows, FALSE);
    if (cohort->count) return cohort;
    rmil_cohort_free(cohort);
    g_set_error_literal(error, RMIL_ERROR, RMIL_ERROR_DATA, "there is no slide and no feature file among what was given");
    return NULL;
}
