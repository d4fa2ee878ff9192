/* SPDX-License-Identifier: Apache-2.0 */
/* What a model's scores find on a test slide: annotated patches, lesions, and false detections. */
#include "localise.h"

#include "base/base-private.h"

#include <math.h>

static RmilAttentionShare attention_share(const float *attention, const uint8_t *labels, int64_t count) {
    double inside = 0, outside = 0;
    int64_t annotated = 0;
    for (int64_t i = 0; i < count; i++) {
        annotated += labels[i] != 0;
        if (labels[i]) inside += (double)attention[i];
        else outside += (double)attention[i];
    }
    const double k = (double)count, others = (double)(count - annotated);
    return (RmilAttentionShare){inside * k / (double)annotated, others > 0 ? outside * k / others : NAN,
                                inside + outside > 0 ? inside / (inside + outside) : NAN};
}

/* For a bag on a tile grid: its neighbours, and which patches are detections; *neighbours NULL: it is not on a grid. */
static gboolean detect(const RmilBag *bag, const float *scores, int64_t **neighbours, uint8_t **detection, GError **error) {
    *detection = NULL;
    if (!rmil_tile_neighbours(bag->coords, rmil_bag_step(bag), bag->count, neighbours, error)) return FALSE;
    if (!*neighbours) return TRUE;
    if (!(*detection = rmil_try_new(bag->count, 1, error))) return FALSE;
    rmil_detections(*neighbours, scores, bag->count, *detection);
    return TRUE;
}

gboolean rmil_find_lesions(const RmilBag *bag, const char *id, const float *scores, RmilFinds *finds, GError **error) {
    g_autofree int64_t *neighbours = NULL, *lesion = NULL;
    g_autofree uint8_t *detection = NULL;
    if (!detect(bag, scores, &neighbours, &detection, error)) return FALSE;
    if (!neighbours) return TRUE;
    if (!(lesion = rmil_try_new(bag->count, sizeof *lesion, error))) return FALSE;
    const int64_t n = rmil_lesions(neighbours, bag->patch_labels, bag->count, lesion);
    finds->lesions = g_array_new(FALSE, FALSE, sizeof(RmilLesionRow));
    for (int64_t l = 0; l < n; l++) {
        const RmilLesionRow row = {id, l + 1, 0, NAN, NAN, 0};
        g_array_append_val(finds->lesions, row);
    }
    for (int64_t i = 0; i < bag->count; i++) {
        if (lesion[i] < 0) continue;
        RmilLesionRow *row = &g_array_index(finds->lesions, RmilLesionRow, lesion[i]);
        row->tiles++;
        if (detection[i] && !(row->score >= (double)scores[i])) row->score = (double)scores[i];
    }
    return TRUE;
}

void rmil_localise(const RmilBag *bag, const float *scores, const float *attention, RmilApplied *out) {
    /* scores are in the same order as attention, and still distinguish patches whose attention the threshold makes equal (0) */
    rmil_localisation(scores, bag->patch_labels, bag->count, rmil_alphas(), RMIL_ALPHAS, out->iou, out->dice, out->pointing);
    rmil_patch_ranking(scores, bag->patch_labels, bag->count, &out->patch_auroc, &out->patch_average_precision);
    out->attention = attention_share(attention, bag->patch_labels, bag->count);
}

gboolean rmil_find_wrong(const RmilBag *bag, const float *scores, RmilFinds *finds, GError **error) {
    g_autofree int64_t *neighbours = NULL;
    g_autofree uint8_t *detection = NULL;
    if (!detect(bag, scores, &neighbours, &detection, error)) return FALSE;
    if (!neighbours) return TRUE;
    finds->wrong = g_array_new(FALSE, FALSE, sizeof(float));
    for (int64_t i = 0; i < bag->count; i++)
        if (detection[i]) g_array_append_val(finds->wrong, scores[i]);
    return TRUE;
}

void rmil_finds_join(RmilFinds *finds, int64_t n, GArray *lesions) {
    g_autoptr(GArray) wrong = g_array_new(FALSE, FALSE, sizeof(float));
    const guint first = lesions->len;
    int64_t negatives = 0;
    for (int64_t i = 0; i < n; i++) {
        if (finds[i].lesions) g_array_append_vals(lesions, finds[i].lesions->data, finds[i].lesions->len);
        if (finds[i].wrong) g_array_append_vals(wrong, finds[i].wrong->data, finds[i].wrong->len);
        negatives += finds[i].wrong != NULL;
        g_clear_pointer(&finds[i].lesions, g_array_unref);
        g_clear_pointer(&finds[i].wrong, g_array_unref);
    }
    rmil_false_positives(&g_array_index(lesions, RmilLesionRow, first), lesions->len - first, (float *)(void *)wrong->data, wrong->len,
                         negatives);
}
