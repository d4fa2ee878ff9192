/* SPDX-License-Identifier: Apache-2.0 */
/* What a model is applied to -> a cohort: slides, feature files, folders, patterns and tables, each with a unique id. */
#include "prepare-private.h"

#include "slide/dicom.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH = 8 }; /* of nested folders */

typedef struct {
    const RmilMonitor *monitor;
    RmilIdOwner owner;
    gpointer user;       /* for owner */
    RmilTask task;       /* of the rows' targets */
    gboolean tasked;     /* the task is given, or that of a table that had targets: used to read the tables */
    GArray *rows;        /* RmilCohortRow */
    GHashTable *ids;     /* id -> path that uses it */
    GHashTable *inputs;  /* paths of the rows */
    GHashTable *folders; /* "device:inode" -> path by which it was first found */
    GHashTable *series;  /* DICOM series already taken */
} Gathering;

static void take(Gathering *g, const char *path, int depth);

/* Reports a bad input; the others continue. */
G_GNUC_PRINTF(2, 3) static void report(Gathering *g, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autoptr(GError) error = g_error_new_valist(RMIL_ERROR, RMIL_ERROR_IO, format, arguments);
    va_end(arguments);
    rmil_monitor_problem(g->monitor, "predict", NULL, error);
}

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

/* In a folder, takes only files that look like slides or features; a file that is named itself is always tried. */
static gboolean is_wanted(const char *path) {
    static const char *const endings[] = {".svs", ".tif", ".tiff", ".ndpi", ".vms", ".vmu",  ".scn", ".mrxs", ".bif", ".svslide", ".dcm",
                                          ".png", ".jpg", ".jpeg", ".webp", ".h5",  ".hdf5", ".pt",  ".vsi",  ".czi", ".isyntax", NULL};
    return ends_in(path, endings);
}

/* -- ids ----------------------------------------------------------------------------------------------------------------------- */
/* A name as an id: UTF-8, without path separators, control characters or surrounding space. */
static char *clean_id(const char *name) {
    char *id = g_utf8_make_valid(name, -1);
    for (char *p = id; *p; p++)
        if (g_ascii_iscntrl(*p) || *p == '/' || *p == '\\') *p = '_';
    g_strstrip(id); /* as for a table */
    if (*id) return id;
    g_free(id);
    return g_strdup("_");
}

static gboolean is_free(const Gathering *g, const char *id, const char *path) {
    const char *here = g_hash_table_lookup(g->ids, id), *earlier = g->owner ? g->owner(g->user, id) : NULL;
    g_autofree char *written = g_strstrip(g_utf8_make_valid(path, -1)); /* as written in the table */
    return (!here || strcmp(here, path) == 0) && (!earlier || strcmp(earlier, written) == 0);
}

/* The file's name; if another file has the same id, with its folder's name in front, and so on upwards. Free with g_free. */
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
        rmil_monitor_warn(g->monitor, "%s: is given twice and is predicted only once", path);
        rmil_cohort_row_clear(&row);
        return;
    }
    g_hash_table_insert(g->ids, g_strdup(row.id), g_strdup(path));
    g_array_append_val(g->rows, row);
}

static void add_file(Gathering *g, const char *path) {
    g_autofree char *full = g_canonicalize_filename(path, NULL);
    const gboolean features = holds_features(full);
    RmilCohortRow row = {.id = choose_id(g, full),
                         .slide = features ? NULL : g_strdup(full),
                         .features = features ? g_strdup(full) : NULL,
                         .target = RMIL_TARGET_NONE};
    add_row(g, row);
}

static gboolean has_targets(const RmilCohort *cohort) {
    for (int64_t i = 0; cohort && i < cohort->count; i++)
        if (rmil_target_known(&cohort->task, &cohort->rows[i].target)) return TRUE;
    return FALSE;
}

/* Reads it with the task; if its targets are for another task, without targets. */
static RmilCohort *read_table(Gathering *g, const char *path, GError **error) {
    g_autoptr(GError) unfit = NULL;
    const RmilReading how = {.task = g->tasked ? &g->task : NULL}, without = {.target = RMIL_TARGET_UNREAD};
    RmilCohort *cohort = rmil_cohort_read_as(path, &how, &unfit);
    if (!cohort && !(cohort = rmil_cohort_read_as(path, &without, error))) return NULL;
    if (unfit) rmil_monitor_warn(g->monitor, "%s: so its labels, times or values are not used", unfit->message);
    if (!g->tasked && has_targets(cohort)) {
        g->task = cohort->task;
        g->tasked = TRUE;
    }
    return cohort;
}

static void add_table(Gathering *g, const char *path) {
    g_autoptr(GError) reason = NULL;
    g_autoptr(RmilCohort) cohort = read_table(g, path, &reason);
    if (!cohort) rmil_monitor_problem(g->monitor, "predict", NULL, reason);
    for (int64_t i = 0; cohort && i < cohort->count; i++) {
        const RmilCohortRow *from = &cohort->rows[i];
        const char *input = from->slide ? from->slide : from->features;
        RmilCohortRow row = *from;
        row.id = is_free(g, from->id, input) ? g_strdup(from->id) : choose_id(g, input);
        row.slide = g_strdup(from->slide);
        row.features = g_strdup(from->features);
        row.annotation = g_strdup(from->annotation);
        row.tissue = g_strdup(from->tissue);
        row.patch_labels = NULL;
        row.patient = g_strdup(from->patient);
        row.site = g_strdup(from->site);
        add_row(g, row);
    }
}

static int compare_text(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Because of links a folder may be found several times, or endlessly: only the first path counts. */
static gboolean enter(Gathering *g, const char *path, const GStatBuf *folder) {
    char *key = g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64)folder->st_dev, (guint64)folder->st_ino);
    const char *earlier = g_hash_table_lookup(g->folders, key);
    if (!earlier) return g_hash_table_insert(g->folders, key, g_strdup(path));
    rmil_monitor_warn(g->monitor, "%s: is the same folder as %s: its files are used only once", path, earlier);
    g_free(key);
    return FALSE;
}

/* Sorted paths of the entries of a folder; NULL: it cannot be read, which is reported. */
static GPtrArray *list_folder(Gathering *g, const char *path) {
    g_autoptr(GError) reason = NULL;
    GDir *dir = g_dir_open(path, 0, &reason);
    if (!dir) {
        report(g, "%s: cannot be read: %s", path, reason->message);
        return NULL;
    }
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; (name = g_dir_read_name(dir));)
        if (*name != '.') g_ptr_array_add(names, g_build_filename(path, name, NULL));
    g_dir_close(dir);
    g_ptr_array_sort(names, compare_text);
    return names;
}

/* Is it another file of a DICOM slide that is already taken? The first by name stands for all: OpenSlide finds the others beside it. */
static gboolean is_taken(const Gathering *g, const char *path, int64_t *others) {
    char *series = rmil_dicom_series(path);
    if (!series || g_hash_table_add(g->series, series)) return FALSE;
    ++*others;
    return TRUE;
}

static void add_folder(Gathering *g, const char *path, const GStatBuf *folder, int depth) {
    if (depth >= DEPTH) {
        report(g, "%s: folders are nested too deeply: give this one by itself", path);
        return;
    }
    if (!enter(g, path, folder)) return;
    g_autoptr(GPtrArray) names = list_folder(g, path);
    int64_t passed = 0, others = 0;
    const char *first = NULL;
    const guint before = g->rows->len;
    for (guint i = 0; names && i < names->len; i++) {
        const char *inner = names->pdata[i];
        if (is_wanted(inner) && is_taken(g, inner, &others)) continue;
        if (is_wanted(inner) || !g_file_test(inner, G_FILE_TEST_EXISTS) || g_file_test(inner, G_FILE_TEST_IS_DIR)) {
            take(g, inner, depth + 1);
        } else {
            first = first ? first : inner;
            passed++;
        }
    }
    if (others)
        rmil_monitor_warn(g->monitor, "%s: %" G_GINT64_FORMAT " DICOM file%s skipped, because another file of the same slide is used", path,
                          others, others == 1 ? " is" : "s are");
    /* a MIRAX slide's own folder contains nothing else */
    if (passed && (depth == 0 || g->rows->len > before))
        rmil_monitor_warn(g->monitor, "%s: %" G_GINT64_FORMAT " file%s skipped that %s neither a slide nor a feature file by name (%s)",
                          path, passed, passed == 1 ? "" : "s", passed == 1 ? "is" : "are", first);
}

/* Takes what has exactly this path. Tables in folders are not taken: `is_wanted`. */
static void take(Gathering *g, const char *path, int depth) {
    GStatBuf found;
    if (g_stat(path, &found) != 0) {
        const int reason = errno;
        g_autofree char *target = reason == ENOENT ? g_file_read_link(path, NULL) : NULL;
        if (target) report(g, "%s: is a link to %s, which does not exist", path, target);
        else if (reason == ENOENT) report(g, "%s: there is no such file or folder", path);
        else report(g, "%s: cannot be read: %s", path, g_strerror(reason));
    } else if (S_ISDIR(found.st_mode)) {
        add_folder(g, path, &found, depth);
    } else if (is_table(path)) {
        add_table(g, path);
    } else {
        add_file(g, path);
    }
}

static void add_matches(Gathering *g, const char *pattern) {
    glob_t found = {0};
    if (glob(pattern, 0, NULL, &found) != 0) {
        report(g, "%s: no file matches this pattern", pattern);
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) take(g, found.gl_pathv[i], 0);
    globfree(&found);
}

/* A file may have a name that looks like a pattern. */
static void gather(Gathering *g, const char *input) {
    const gboolean there = g_file_test(input, G_FILE_TEST_EXISTS) || g_file_test(input, G_FILE_TEST_IS_SYMLINK);
    if (!there && strpbrk(input, "*?[")) add_matches(g, input);
    else take(g, input, 0);
}

RmilCohort *rmil_predict_inputs_as(const char *const *inputs, int64_t count, const RmilTask *task, RmilIdOwner owner, gpointer user,
                                   const RmilMonitor *monitor, GError **error) {
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GHashTable) series = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GArray *rows = g_array_new(FALSE, TRUE, sizeof(RmilCohortRow));
    Gathering gathering = {.monitor = monitor,
                           .owner = owner,
                           .user = user,
                           .tasked = task != NULL,
                           .rows = rows,
                           .ids = ids,
                           .inputs = seen,
                           .folders = folders,
                           .series = series};
    rmil_task_init(&gathering.task);
    if (task) gathering.task = *task;
    for (int64_t i = 0; i < count; i++) gather(&gathering, inputs[i]);
    RmilCohort *cohort = g_new0(RmilCohort, 1);
    cohort->path = g_strdup("the command line");
    cohort->task = gathering.task;
    cohort->count = rows->len;
    cohort->rows = (RmilCohortRow *)(gpointer)g_array_free(rows, FALSE);
    if (cohort->count) return cohort;
    rmil_cohort_free(cohort);
    rmil_fail(error, RMIL_ERROR_DATA, "the inputs contain no slide and no feature file");
    return NULL;
}

RmilCohort *rmil_predict_inputs(const char *const *inputs, int64_t count, RmilIdOwner owner, gpointer user, const RmilMonitor *monitor,
                                GError **error) {
    return rmil_predict_inputs_as(inputs, count, NULL, owner, user, monitor, error);
}
