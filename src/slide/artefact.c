/* SPDX-License-Identifier: Apache-2.0 */
/* Finds pen marks and folds by colour, and removes them from the tissue. Blur: blur.c. */
#include "slide/mask-private.h"

#include <string.h>

#define PEN_THICK 12.0   /* µm: anything thinner is not a stroke */
#define PEN_MARGIN 24.0  /* µm around a stroke that are also left out: its rim */
#define PEN_LEAST 0.005  /* mm² */
#define FOLD_SIGMA 8.0   /* µm: so that nuclei do not look like folds */
#define FOLD_RATIO 2.5   /* times the median density of the slide's tissue */
#define FOLD_DENSITY 1.8 /* and at least this optical density */
#define FOLD_MARGIN 16.0 /* µm */
#define FOLD_LEAST 0.005 /* mm² */
#define MUCH 0.2         /* of the tissue: worth a warning */

static int window(const RmilTissueSearch *search, double um) { return 1 + 2 * (int)(um / 2 / rmil_mask_scale(search) + 0.5); }

static double pixels(const RmilTissueSearch *search, double mm2) {
    const double scale = rmil_mask_scale(search);
    return mm2 * 1e6 / (scale * scale);
}

/* Removes `marks`, grown by a margin, from the tissue. */
static gboolean leave_out(RmilTissueSearch *search, const uint8_t *marks, double margin, RmilLeftOut reason, GError **error) {
    RmilMask *mask = search->mask;
    g_autofree uint8_t *grown = rmil_plane_rank(marks, mask, window(search, 2 * margin), RMIL_RANK_MOST, error);
    if (!grown) return FALSE;
    for (int64_t i = 0; i < mask->width * mask->height; i++) {
        if (!grown[i] || !mask->tissue[i]) continue;
        mask->tissue[i] = 0;
        mask->left_out[i] = (uint8_t)reason;
        mask->left[reason]++;
    }
    if (mask->left[reason] > MUCH * mask->found)
        rmil_tissue_warn(search, "%.0f %% of its tissue is left out as %s: check its picture in masks/. The rule was made for H&E",
                         100 * mask->left[reason] / mask->found, reason == RMIL_LEFT_PEN ? "pen marks" : "folds");
    return TRUE;
}

gboolean rmil_tissue_drop_pen(RmilTissueSearch *search, GError **error) {
    const RmilMask *mask = search->mask;
    const int side = window(search, PEN_THICK);
    g_autofree uint8_t *thin = rmil_plane_rank(search->ink, mask, side, RMIL_RANK_LEAST, error),
                       *marks = thin ? rmil_plane_rank(thin, mask, side, RMIL_RANK_MOST, error) : NULL;
    return marks && rmil_plane_drop_small(marks, mask, pixels(search, PEN_LEAST), error) &&
           leave_out(search, marks, PEN_MARGIN, RMIL_LEFT_PEN, error);
}

/* Of the remaining tissue. */
static double median_density(const RmilTissueSearch *search) {
    const RmilMask *mask = search->mask;
    int64_t counts[256] = {0}, n = 0, sum = 0;
    for (int64_t i = 0; i < mask->width * mask->height; i++) {
        if (!mask->tissue[i]) continue;
        counts[search->density[i]]++;
        n++;
    }
    for (int step = 0; step < 256; step++)
        if (2 * (sum += counts[step]) >= n) return (double)step / RMIL_DENSITY;
    return 0;
}

gboolean rmil_tissue_drop_folds(RmilTissueSearch *search, GError **error) {
    const RmilMask *mask = search->mask;
    const double least = MAX(FOLD_RATIO * median_density(search), FOLD_DENSITY) * RMIL_DENSITY;
    g_autofree uint8_t *marks = rmil_plane_blur(search->density, mask, MAX(FOLD_SIGMA / rmil_mask_scale(search), 0.3), error);
    if (!marks) return FALSE;
    for (int64_t i = 0; i < mask->width * mask->height; i++) marks[i] = marks[i] >= least && mask->tissue[i];
    return rmil_plane_drop_small(marks, mask, pixels(search, FOLD_LEAST), error) &&
           leave_out(search, marks, FOLD_MARGIN, RMIL_LEFT_FOLD, error);
}
