/* SPDX-License-Identifier: Apache-2.0 */
/* A cohort table drafted from DigestPath 2019's folders. */
#include "draft.h"

#include <string.h>

/* DigestPath 2019, colonoscopy tissue segmentation: tissue-train-pos-v1 holds images of malignant tissue, NAME.jpg, each with its mask
 * NAME_mask.jpg; tissue-train-neg holds images of benign tissue. Its test set was never published, so the table has no split. Each image is
 * a region cut out of a slide: NAME is CASE_DATE TIME-lv1-X-Y-WIDTH-HEIGHT. Regions of one case must be in the same set. */
static const char *const images[] = {".jpg", ".jpeg", ".png", ".tif", ".tiff", NULL};

/* The text before the first "_" (else before "-lv1-"), without the letter that numbers a case's blocks; NULL for other names. */
static char *case_of(const char *id) {
    const char *end = strstr(id, "-lv1-"), *underline = strchr(id, '_');
    if (!end) return NULL;
    if (underline && underline < end) end = underline;
    if (end - id >= 2 && g_ascii_isupper(end[-1]) && g_ascii_isdigit(end[-2])) end--;
    return end > id ? g_strndup(id, (gsize)(end - id)) : NULL;
}

static char *mask_of(const char *path) {
    g_autofree char *folder = g_path_get_dirname(path), *stem = rmil_path_stem(path);
    for (int i = 0; images[i]; i++) {
        g_autofree char *name = g_strconcat(stem, "_mask", images[i], NULL);
        char *mask = g_build_filename(folder, name, NULL);
        if (g_file_test(mask, G_FILE_TEST_IS_REGULAR)) return mask;
        g_free(mask);
    }
    return NULL;
}

static gboolean add_folder(RmilDraft *draft, const char *root, const char *const *names, int label, GError **error) {
    g_autofree char *outer = rmil_draft_find(root, names);
    if (!outer) return rmil_fail(error, RMIL_ERROR_DATA, "%s: there is no folder %s", root, names[0]);
    g_autofree char *inner = rmil_draft_find(outer, names); /* archives unpacked into folders of the same name */
    g_autoptr(GPtrArray) paths = rmil_draft_list(draft, inner ? inner : outer, images);
    guint before = draft->rows->len;
    for (guint i = 0; i < paths->len; i++) {
        g_autofree char *id = rmil_path_stem(paths->pdata[i]);
        if (g_str_has_suffix(id, "_mask")) continue;
        RmilDraftRow *row = rmil_draft_add(draft, id, paths->pdata[i], label, RMIL_SPLIT_NONE);
        row->patient = case_of(id);
        if (label == 0) continue;
        row->annotation = mask_of(paths->pdata[i]);
        if (!row->annotation)
            rmil_monitor_warn(draft->monitor, "%s: there is no %s_mask.jpg, so only its label is known", (char *)paths->pdata[i], id);
    }
    return draft->rows->len > before || rmil_fail(error, RMIL_ERROR_DATA, "%s: contains no images", inner ? inner : outer);
}

static gboolean fill(RmilDraft *draft, GError **error) {
    static const char *const inner[] = {"Colonoscopy_tissue_segment_dataset", NULL};
    static const char *const malignant[] = {"tissue-train-pos-v1", "tissue-train-pos", NULL}, *const benign[] = {"tissue-train-neg", NULL};
    g_autofree char *below = rmil_draft_find(draft->folder, inner);
    const char *root = below ? below : draft->folder;
    return add_folder(draft, root, malignant, 1, error) && add_folder(draft, root, benign, 0, error);
}

const RmilDraftLayout rmil_draft_digestpath = {"digestpath", fill};
