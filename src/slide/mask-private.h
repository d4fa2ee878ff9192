/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules for a tissue mask share. */
#ifndef RMIL_MASK_PRIVATE_H
#define RMIL_MASK_PRIVATE_H

#include "slide/slide-private.h"

/* A slide at the mask's resolution, one byte per mask pixel in each plane that a rule needs; the others are NULL. */
typedef struct {
    RmilSlide *slide;
    const RmilTissueOptions *options;
    RmilMask *mask;
    uint8_t *gray;          /* BT.601 luma; RMIL_UNSCANNED outside the scan. The same memory as mask->tissue, until the tissue is known */
    uint8_t *saturation;    /* of HSV, 0 … 255; 0 if nearly black, and outside the scan */
    uint8_t *ink;           /* 1 if the colour is that of a pen */
    uint8_t *density;       /* optical density of green, RMIL_DENSITY steps per unit; 0 outside the scan */
    int64_t histogram[256]; /* of gray, inside the scan */
    GPtrArray *warnings;    /* of char * */
} RmilTissueSearch;
#define RMIL_UNSCANNED 255
#define RMIL_DENSITY 40

/* thumbnail.c: fills the planes. */
gboolean rmil_tissue_read(RmilTissueSearch *search, GError **error);

/* tissue-otsu.c: marks pure black as not scanned, and warns of a dark slide (then nothing is marked). */
gboolean rmil_tissue_black(RmilTissueSearch *search, gboolean *dark, GError **error);

/* tissue-otsu.c, tissue-hsv.c, mask.c: replace gray by 1 for tissue, 0 for none. */
gboolean rmil_tissue_by_otsu(RmilTissueSearch *search, GError **error);
gboolean rmil_tissue_by_hsv(RmilTissueSearch *search, GError **error);

/* artefact.c: remove pen marks and folds from the tissue. */
gboolean rmil_tissue_drop_pen(RmilTissueSearch *search, GError **error);
gboolean rmil_tissue_drop_folds(RmilTissueSearch *search, GError **error);

/* area.c: for a plane of 0 and other values. Areas are connected by sides; `least` and `most` in mask pixels. */
gboolean rmil_plane_drop_small(uint8_t *plane, const RmilMask *mask, double least, GError **error);
gboolean rmil_plane_fill_holes(uint8_t *plane, const RmilMask *mask, double most, GError **error);
/* The smallest, middle or largest value in a window of `side` (odd) × `side` pixels. Free with g_free. */
typedef enum { RMIL_RANK_LEAST, RMIL_RANK_MEDIAN, RMIL_RANK_MOST } RmilRank;
uint8_t *rmil_plane_rank(const uint8_t *plane, const RmilMask *mask, int side, RmilRank rank, GError **error);
uint8_t *rmil_plane_blur(const uint8_t *plane, const RmilMask *mask, double sigma, GError **error); /* Gaussian, px */

/* mask.c: µm per mask pixel; 0: unknown. */
double rmil_mask_mpp(const RmilTissueSearch *search);
/* The same, or an assumed value if a rule needs one. */
double rmil_mask_scale(const RmilTissueSearch *search);
void rmil_tissue_warn(RmilTissueSearch *search, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
