/* SPDX-License-Identifier: Apache-2.0 */
/* A cohort table drafted from Camelyon16's folders. */
#include "draft.h"

#include <string.h>
#include <zip.h>

/* Camelyon16, in the folders of its GigaScience and Google Drive copies,
 *     training/normal, training/tumor, training/lesion_annotations[.zip]
 *     testing/images, testing/reference.csv, testing/lesion_annotations[.zip]
 * or in those of its public bucket: images, annotations, evaluation/reference.csv. Slides are named normal_001, tumor_001, test_001. The
 * notes on single slides below are from the data set's own README, "Notes about the data". */
enum { OFFICIAL_NORMAL = 159, OFFICIAL_TUMOR = 111, OFFICIAL_TEST = 129 };
#define REFERENCE_LIMIT ((gsize)1 << 20)
#define XML_LIMIT ((zip_uint64_t)64 << 20)
#define PARTIAL "annotation is not exhaustive"

static const struct {
    const char *kind;
    int number;
    gboolean left_out;
    const char *note;
} known[] = {
    {"normal", 86, TRUE, "was misclassified: the data set has the same slide as tumor_111"},
    {"test", 49, TRUE, "is a duplicate of another slide; the organisers removed it"},
    {"normal", 144, FALSE, "official label kept; reported to contain tumour by Liu et al. 2017 (arXiv:1703.02442)"},
    {"test", 114, FALSE, PARTIAL},
    {"tumor", 79, FALSE, PARTIAL ": a blurred tumour region"},
    {"tumor", 92, FALSE, PARTIAL ": a blurred tumour region on the adjacent tissue"},
    {"tumor", 10, FALSE, PARTIAL},
    {"tumor", 15, FALSE, PARTIAL},
    {"tumor", 18, FALSE, PARTIAL},
    {"tumor", 20, FALSE, PARTIAL},
    {"tumor", 25, FALSE, PARTIAL},
    {"tumor", 29, FALSE, PARTIAL},
    {"tumor", 33, FALSE, PARTIAL},
    {"tumor", 34, FALSE, PARTIAL},
    {"tumor", 44, FALSE, PARTIAL},
    {"tumor", 46, FALSE, PARTIAL},
    {"tumor", 51, FALSE, PARTIAL},
    {"tumor", 54, FALSE, PARTIAL},
    {"tumor", 55, FALSE, PARTIAL},
    {"tumor", 56, FALSE, PARTIAL},
    {"tumor", 67, FALSE, PARTIAL},
    {"tumor", 85, FALSE, PARTIAL},
    {"tumor", 95, FALSE, PARTIAL},
    {"tumor", 110, FALSE, PARTIAL},
};

/* "Tumor_009", "tumor_9" -> "tumor", 9. */
static gboolean parse_name(const char *stem, const char **kind, int *number) {
    static const char *const kinds[] = {"normal", "tumor", "test"};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        gsize length = strlen(kinds[i]);
        guint64 value;
        if (g_ascii_strncasecmp(stem, kinds[i], length) != 0 || stem[length] != '_' ||
            !g_ascii_string_to_unsigned(stem + length + 1, 10, 0, 9999, &value, NULL))
            continue;
        *kind = kinds[i];
        *number = (int)value;
        return TRUE;
    }
    return FALSE;
}

/* "test_049" for any spelling of the file's name: the key of annotations and labels. NULL: not a name of the data set. */
static char *key_of(const char *path) {
    g_autofree char *stem = rmil_path_stem(path);
    const char *kind;
    int number;
    return parse_name(stem, &kind, &number) ? g_strdup_printf("%s_%03d", kind, number) : NULL;
}

/* -- annotations: key -> path ---------------------------------------------------------------------------------------------- */
static void add_annotations(const RmilDraft *draft, GHashTable *annotations, const char *folder) {
    static const char *const xml[] = {".xml", NULL};
    g_autoptr(GPtrArray) paths = rmil_draft_list(draft, folder, xml);
    for (guint i = 0; i < paths->len; i++) {
        char *key = key_of(paths->pdata[i]);
        if (key) g_hash_table_replace(annotations, key, g_strdup(paths->pdata[i]));
    }
}

/* One entry of the archive, as a file named by its last path component: paths within archives are ignored. */
static gboolean unpack_entry(zip_t *archive, const char *path, zip_uint64_t index, const char *folder, GError **error) {
    zip_stat_t info;
    if (zip_stat_index(archive, index, 0, &info) != 0 || !g_str_has_suffix(info.name, ".xml")) return TRUE;
    g_autofree char *name = g_path_get_basename(info.name), *key = key_of(info.name), *to = g_build_filename(folder, name, NULL);
    if (!key) return TRUE;
    if (info.size > XML_LIMIT) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %s claims to be larger than 64 MiB", path, info.name);
    g_autofree char *text = g_malloc(info.size + 1);
    zip_file_t *file = zip_fopen_index(archive, index, 0);
    zip_int64_t got = file ? zip_fread(file, text, info.size) : -1;
    if (file) zip_fclose(file);
    if (got < 0 || (zip_uint64_t)got != info.size) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %s cannot be unpacked", path, info.name);
    return rmil_file_write(to, text, info.size, error);
}

static gboolean unpack(const char *path, const char *folder, GError **error) {
    int reason;
    zip_t *archive = zip_open(path, ZIP_RDONLY, &reason);
    if (!archive) {
        zip_error_t words;
        zip_error_init_with_code(&words, reason);
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: cannot be unpacked: %s", path, zip_error_strerror(&words));
        zip_error_fini(&words);
        return FALSE;
    }
    gboolean done = TRUE;
    zip_int64_t entries = zip_get_num_entries(archive, 0);
    for (zip_int64_t i = 0; done && i < MIN(entries, 10000); i++) done = unpack_entry(archive, path, (zip_uint64_t)i, folder, error);
    zip_discard(archive);
    return done;
}

static gboolean find_annotations(RmilDraft *draft, const char *root, GHashTable *annotations, GError **error) {
    static const char *const places[] = {"annotations", "lesion_annotations", "training/lesion_annotations", "testing/lesion_annotations"};
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *folder = g_build_filename(root, places[i], NULL), *archive = g_strconcat(folder, ".zip", NULL);
        if (g_file_test(folder, G_FILE_TEST_IS_DIR)) {
            add_annotations(draft, annotations, folder);
        } else if (g_file_test(archive, G_FILE_TEST_IS_REGULAR)) {
            g_autofree char *unpacked = g_build_filename(draft->out, "lesion_annotations", NULL);
            rmil_monitor_warn(draft->monitor, "%s: is an archive; its outlines are unpacked into %s", archive, unpacked);
            if (!unpack(archive, unpacked, error)) return FALSE;
            add_annotations(draft, annotations, unpacked);
        }
    }
    return TRUE;
}

/* -- labels of the test set ---------------------------------------------------------------------------------------------------- */
static int label_of(const char *word) {
    static const char *const negative[] = {"normal", "negative", "0", NULL}, *const positive[] = {"tumor", "tumour", "positive", "macro",
                                                                                                  "micro", "itc",    "1",        NULL};
    g_autofree char *lower = g_ascii_strdown(word, -1);
    g_strstrip(lower);
    return g_strv_contains(negative, lower) ? 0 : g_strv_contains(positive, lower) ? 1 : -1;
}

/* reference.csv: "test_001,Tumor,IDC,Macro" without a header, or with a header that names a column image and a column class. */
static gboolean read_reference(const char *path, GHashTable *labels, GError **error) {
    gsize size;
    g_autofree char *text = rmil_file_read(path, REFERENCE_LIMIT, &size, error);
    if (!text) return FALSE;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    int column = 1;
    for (int i = 0; lines[i]; i++) {
        g_auto(GStrv) cells = g_strsplit(g_strstrip(lines[i]), ",", -1);
        int count = (int)g_strv_length(cells);
        g_autofree char *key = count ? key_of(g_strstrip(cells[0])) : NULL;
        if (i == 0 && !key) {
            for (int c = 0; c < count; c++)
                if (g_ascii_strcasecmp(g_strstrip(cells[c]), "class") == 0 || g_ascii_strcasecmp(cells[c], "label") == 0) column = c;
            continue;
        }
        if (!key || !g_str_has_prefix(key, "test_")) continue;
        int label = column < count ? label_of(cells[column]) : -1;
        if (label < 0)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %d: \"%s\" is not a label of %s (Normal or Tumor)", path, i + 1,
                             column < count ? cells[column] : "", cells[0]);
        g_hash_table_replace(labels, g_steal_pointer(&key), GINT_TO_POINTER(label + 1));
    }
    return g_hash_table_size(labels) > 0 || rmil_fail(error, RMIL_ERROR_FORMAT, "%s: lists no test slide", path);
}

/* -- slides ---------------------------------------------------------------------------------------------------------------------- */
typedef struct {
    RmilDraft *draft;
    GHashTable *annotations, *labels;
    int found[3]; /* normal, tumor, test */
} Filling;

static gboolean add_slide(Filling *f, const char *path, GError **error) {
    g_autofree char *id = rmil_path_stem(path), *key = key_of(path);
    const char *kind;
    int number;
    if (!key || !parse_name(id, &kind, &number)) return TRUE; /* in some copies, masks are in the same folders */
    gboolean test = strcmp(kind, "test") == 0;
    int label = test ? GPOINTER_TO_INT(g_hash_table_lookup(f->labels, key)) - 1 : strcmp(kind, "tumor") == 0;
    const char *note = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        if (strcmp(known[i].kind, kind) != 0 || known[i].number != number) continue;
        note = known[i].note;
        if (!known[i].left_out) continue;
        rmil_monitor_warn(f->draft->monitor, "%s: left out: it %s", path, note);
        f->draft->left_out++;
        return TRUE;
    }
    if (test && label < 0) return rmil_fail(error, RMIL_ERROR_DATA, "%s: reference.csv does not say whether it contains tumour", path);
    f->found[test ? 2 : label]++;
    RmilDraftRow *row = rmil_draft_add(f->draft, id, path, label, test ? RMIL_SPLIT_TEST : RMIL_SPLIT_NONE);
    row->note = g_strdup(note);
    row->annotation = label == 1 ? g_strdup(g_hash_table_lookup(f->annotations, key)) : NULL;
    if (label == 1 && !row->annotation)
        rmil_monitor_warn(f->draft->monitor, "%s: there is no outline %s.xml, so only its label is known", path, key);
    return TRUE;
}

static void compare_with_official(const Filling *f) {
    if (f->found[0] == OFFICIAL_NORMAL && f->found[1] == OFFICIAL_TUMOR && f->found[2] == OFFICIAL_TEST) return;
    rmil_monitor_warn(f->draft->monitor, "%s: %d normal, %d tumour and %d test slides; the whole data set has %d, %d and %d",
                      f->draft->folder, f->found[0], f->found[1], f->found[2], OFFICIAL_NORMAL, OFFICIAL_TUMOR, OFFICIAL_TEST);
}

static gboolean fill_from(Filling *f, const char *root, GError **error) {
    static const char *const slides[] = {".tif", ".tiff", NULL};
    static const char *const references[] = {"testing/reference.csv", "evaluation/reference.csv", "testing/evaluation/reference.csv",
                                             "reference.csv", NULL};
    static const char *const places[] = {"training/normal", "training/tumor", "testing/images", "images"};
    g_autofree char *reference = rmil_draft_find(root, references);
    if (!find_annotations(f->draft, root, f->annotations, error) || (reference && !read_reference(reference, f->labels, error)))
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *folder = g_build_filename(root, places[i], NULL);
        g_autoptr(GPtrArray) paths = rmil_draft_list(f->draft, folder, slides);
        for (guint k = 0; k < paths->len; k++) {
            g_autofree char *key = key_of(paths->pdata[k]);
            if (!reference && key && g_str_has_prefix(key, "test_"))
                return rmil_fail(error, RMIL_ERROR_DATA,
                                 "%s: there is neither testing/reference.csv nor evaluation/reference.csv, which give the labels of "
                                 "the test slides",
                                 root);
            if (!add_slide(f, paths->pdata[k], error)) return FALSE;
        }
    }
    if (f->draft->rows->len == 0)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: contains no slides in training/normal, training/tumor, testing/images or images",
                         root);
    compare_with_official(f);
    return TRUE;
}

static gboolean fill(RmilDraft *draft, GError **error) {
    static const char *const inner[] = {"CAMELYON16", "Camelyon16", "camelyon16", NULL};
    g_autofree char *below = rmil_draft_find(draft->folder, inner);
    Filling f = {.draft = draft,
                 .annotations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                 .labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    gboolean done = fill_from(&f, below ? below : draft->folder, error);
    g_hash_table_unref(f.annotations);
    g_hash_table_unref(f.labels);
    return done;
}

const RmilDraftLayout rmil_draft_camelyon16 = {"camelyon16", fill};
