/* SPDX-License-Identifier: Apache-2.0 */
/* Several slides as one bag. */
#include "bag/pixels.h"
#include "cohort-private.h"
#include "tensors/tensors-private.h"

#include <math.h>
#include <string.h>

/* Slides are placed in a square of ACROSS × ACROSS, each at a multiple of STEP tiles: further apart than any region is wide, and a multiple
 * of all usual region widths, so that each slide is divided into the same regions as on its own. */
enum { ACROSS = 16, STEP = 40320 /* 2⁷ · 3² · 5 · 7 */, WIDEST = STEP - 4096 };

typedef struct {
    const RmilBag *const *slides;
    guint count;
    RmilBag *out;
} Joining;

/* Checks what must be the same for all slides, and names the slide that differs. */
static gboolean check_alike(const Joining *j, GError **error) {
    const RmilBag *first = j->slides[0];
    for (guint s = 1; s < j->count; s++)
        if (j->slides[s]->dim != first->dim)
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "slide \"%s\" of \"%s\": has features of size %" G_GINT64_FORMAT
                             ", but slide \"%s\" has size %" G_GINT64_FORMAT,
                             j->slides[s]->id, j->out->id, j->slides[s]->dim, first->id, first->dim);
    return j->count <= ACROSS * ACROSS ||
           rmil_fail(error, RMIL_ERROR_DATA, "\"%s\" has %u slides: one bag takes at most %d", j->out->id, j->count, ACROSS * ACROSS);
}

static gboolean have_all(const Joining *j, gboolean (*has)(const RmilBag *slide)) {
    gboolean all = TRUE;
    for (guint s = 0; s < j->count; s++) all = all && has(j->slides[s]);
    return all;
}
static gboolean has_features(const RmilBag *slide) { return slide->features != NULL; }
static gboolean has_places(const RmilBag *slide) { return slide->coords != NULL; }
static gboolean has_tissue(const RmilBag *slide) { return slide->tissue != NULL; }
static gboolean has_no_labels(const RmilBag *slide) { return slide->patch_labels == NULL; }

/* out: K × 2 for one slide, at the scale of the first, from its own corner on. */
static gboolean place_slide(const Joining *j, guint s, int64_t *out, GError **error) {
    const RmilBag *slide = j->slides[s];
    const double side = j->out->patch_size_level0 > 0 ? j->out->patch_size_level0 : 256;
    const double scale = slide->patch_size_level0 > 0 && j->out->patch_size_level0 > 0 ? side / slide->patch_size_level0 : 1;
    int64_t corner[2] = {G_MAXINT64, G_MAXINT64}, far[2] = {G_MININT64, G_MININT64};
    for (int64_t i = 0; i < 2 * slide->count; i++) {
        corner[i % 2] = MIN(corner[i % 2], slide->coords[i]);
        far[i % 2] = MAX(far[i % 2], slide->coords[i]);
    }
    for (int axis = 0; axis < 2; axis++)
        if ((double)(far[axis] - corner[axis]) * scale > WIDEST * side)
            return rmil_fail(error, RMIL_ERROR_DATA, "slide \"%s\" of \"%s\": its patches spread over more than %d tiles of %g px",
                             slide->id, j->out->id, (int)WIDEST, side);
    const double from[2] = {s % ACROSS * STEP * side, s / ACROSS * STEP * side};
    for (int64_t i = 0; i < 2 * slide->count; i++) out[i] = llround(from[i % 2] + (double)(slide->coords[i] - corner[i % 2]) * scale);
    return TRUE;
}

static gboolean allocate(RmilBag *out, gboolean features, gboolean places, gboolean tissue, gboolean labels, GError **error) {
    const int64_t number = (int64_t)rmil_precision_bytes(out->precision);
    if (features && !(out->features = rmil_alloc_features(out->count, out->dim * number, error))) return FALSE;
    if (places && !(out->coords = rmil_alloc(out->count * 2, sizeof *out->coords, error))) return FALSE;
    if (tissue && !(out->tissue = rmil_alloc(out->count, sizeof *out->tissue, error))) return FALSE;
    return !labels || (out->patch_labels = rmil_alloc(out->count, 1, error)) != NULL;
}

static gboolean fill(const Joining *j, GError **error) {
    RmilBag *out = j->out;
    int64_t at = 0;
    for (guint s = 0; s < j->count; s++) {
        const RmilBag *slide = j->slides[s];
        const size_t row = (size_t)slide->dim * rmil_precision_bytes(slide->precision), patches = (size_t)slide->count;
        if (out->features) memcpy((char *)out->features + (size_t)at * row, slide->features, patches * row);
        if (out->coords && !place_slide(j, s, out->coords + 2 * at, error)) return FALSE;
        if (out->tissue) memcpy(out->tissue + at, slide->tissue, patches * sizeof *out->tissue);
        if (out->patch_labels && slide->patch_labels) memcpy(out->patch_labels + at, slide->patch_labels, patches);
        else if (out->patch_labels) memset(out->patch_labels + at, 0, patches);
        at += slide->count;
    }
    return TRUE;
}

RmilBag *rmil_bag_join(GPtrArray *slides, const char *id, GError **error) {
    const RmilBag *first = slides->pdata[0];
    if (slides->len == 1) { /* unchanged, under the patient's name */
        RmilBag *bag = g_ptr_array_steal_index(slides, 0);
        g_free(bag->id);
        bag->id = g_strdup(id);
        return bag;
    }
    g_autoptr(RmilBag) out = g_new0(RmilBag, 1);
    const Joining j = {(const RmilBag *const *)slides->pdata, slides->len, out};
    out->id = g_strdup(id);
    out->dim = first->dim;
    out->precision = first->precision;
    out->patch_size = first->patch_size;
    out->patch_size_level0 = first->patch_size_level0;
    out->target_mpp = first->target_mpp;
    out->coords_um = first->coords_um;
    out->overlap = first->overlap;
    out->mpp = first->mpp;
    out->source = g_strdup(first->source);
    out->extractor = g_strdup(first->extractor);
    out->stored_half = first->stored_half;
    for (guint s = 0; s < j.count; s++) out->count += j.slides[s]->count;
    if (!check_alike(&j, error) ||
        !allocate(out, have_all(&j, has_features), have_all(&j, has_places), have_all(&j, has_tissue), !have_all(&j, has_no_labels), error))
        return NULL;
    if (!fill(&j, error)) return NULL;
    rmil_pixels_join(out, (RmilBag *const *)slides->pdata, slides->len);
    return g_steal_pointer(&out);
}
