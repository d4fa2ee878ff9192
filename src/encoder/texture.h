/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in descriptor: colour and texture statistics of a tile after H&E stain separation. docs/encoders.md lists the features; this
 * header has what its files share.
 *
 * Planes are uint8, row-major. Level 0 has 224 × 224 px; each further level halves the side by 2 × 2 means: 112, 56, 28, 14. At 0.5 µm/px a
 * pixel of level 1 is 1 µm. Sums are integers wherever that is fast enough, so that every processor gives the same features, except for the
 * last bits of a few float sums. */
#ifndef RMIL_TEXTURE_H
#define RMIL_TEXTURE_H

#include "base/base-private.h"

#define TEXTURE_SIDE 224
#define TEXTURE_LEVELS 5
#define TEXTURE_SIDE1 (TEXTURE_SIDE / 2)
#define TEXTURE_PIXELS ((size_t)TEXTURE_SIDE * TEXTURE_SIDE)
#define TEXTURE_GRID 4 /* cells per side, for statistics of parts of a tile */

enum { TEXTURE_H, TEXTURE_E, TEXTURE_R, TEXTURE_STAINS };
/* A stain's concentration (log10 optical density) of 1 is 200 in a plane; the residual's zero is at 128. */
#define TEXTURE_UNIT 200
#define TEXTURE_ZERO_R 128

typedef struct {
    uint8_t *plane[TEXTURE_STAINS][TEXTURE_LEVELS];
    int32_t tissue; /* pixels of level 0 that are not glass */
} TexturePlanes;

/* Stain separation (Ruifrok and Johnston 2001) and the levels; rgb: 224 × 224 × 3. */
void rmil_texture_planes(const uint8_t *rgb, const int16_t od[256], const int16_t unmix[9], TexturePlanes *planes);
/* od: optical density by pixel value in 1/12288; unmix: rows give H, E, R from it, in 1/65536 of a quarter plane unit. */
void rmil_texture_tables(int16_t od[256], int16_t unmix[9]);

/* 5 × 5 binomial blur (σ = 1) with the border repeated: side × side, values ≤ 4080. The first reads bytes and gives sixteenths. `work` has
 * side + 4 more numbers than a plane. */
void rmil_texture_blur_bytes(const uint8_t *from, int side, uint16_t *to, uint16_t *work);
void rmil_texture_blur(const uint16_t *from, int side, uint16_t *to, uint16_t *work);

/* Statistics of a band-pass response d (in sixteenths of a plane unit). */
typedef struct {
    double sd, skewness, kurtosis; /* of d; the last two are 0 if d is flat; kurtosis minus 3 */
    double peaks, height;          /* local maxima over 3 × 3 and above 1.5 plane units per pixel; their mean height */
} TextureBand;
/* d = fine − coarse, written to `response`. */
void rmil_texture_band(const uint16_t *fine, const uint16_t *coarse, int side, int16_t *response, TextureBand *band);
void rmil_texture_widen(const uint8_t *from, int side, uint16_t *to); /* bytes to sixteenths */

/* Counts of the ten rotation-invariant uniform patterns of 8 neighbours at distance 1 (Ojala 2002); a neighbour counts as 1 if it exceeds
 * the centre by `margin` or more. The border is left out. side ≤ 224. */
void rmil_texture_patterns(const uint8_t *plane, int side, int margin, int32_t counts[10]);

/* 3 × 3 (or, cross, 4-neighbour) minimum or maximum, border repeated. */
void rmil_texture_erode(const uint8_t *from, int side, gboolean cross, uint8_t *to);
void rmil_texture_dilate(const uint8_t *from, int side, gboolean cross, uint8_t *to);

/* Structure tensor summed over each cell of the grid: xx, yy, xy of central differences, inner pixels. */
void rmil_texture_tensor(const uint8_t *plane, int side, int64_t tensor[TEXTURE_GRID * TEXTURE_GRID][3]);
/* Mean |p(x) − p(x + d)| over both axes. */
double rmil_texture_contrast(const uint8_t *plane, int side, int distance);
/* Sums over each cell of the grid. */
void rmil_texture_cells(const uint8_t *plane, int side, int32_t sums[TEXTURE_GRID * TEXTURE_GRID]);

/* Otsu's threshold of a histogram: values above it are foreground. separability: share of the variance between the two classes, 0 if there
 * is only one value. Not rmil_otsu, which rounds to float32 like scikit-image, and chooses a neighbouring threshold for one or two
 * histograms in a hundred: features would change. */
int rmil_texture_otsu(const int32_t histogram[256], double *separability);

/* Nuclei: connected components (4 neighbours) of a mask of level 1. */
#define TEXTURE_SIZES 6
typedef struct {
    int32_t count, area;              /* number of components of at least 8 µm²; px of all of them */
    double sizes[TEXTURE_SIZES];      /* share of the nuclear area by component size: < 20, 40, 70, 120, 250 µm², more */
    double log_area, log_area_sd;     /* over components */
    double large;                     /* area-weighted mean log area */
    double elongation, elongation_sd; /* minor/major axis */
    double roundness, roundness_sd;   /* 4π area / perimeter² */
    double darkness, darkness_sd;     /* mean H of a component, plane units */
    double chromatin;                 /* SD of H inside a component, mean */
    double eosin;                     /* mean E inside */
} TextureNuclei;
/* labels: scratch of TEXTURE_NUCLEI_SCRATCH bytes. */
#define TEXTURE_NUCLEI_SCRATCH ((size_t)1 << 19)
void rmil_texture_nuclei(const uint8_t *mask, const uint8_t *h, const uint8_t *e, void *scratch, TextureNuclei *nuclei);

/* The features before scaling, and their number and names. */
#define TEXTURE_MOST 320
typedef struct TextureScratch TextureScratch;
TextureScratch *rmil_texture_scratch_new(GError **error);
void rmil_texture_scratch_free(TextureScratch *scratch);
int rmil_texture_raw(TextureScratch *scratch, const uint8_t *rgb, double raw[TEXTURE_MOST]); /* returns their number */
/* "h.mean", "h.quantile.5" …, after a raw call; valid until the next. */
const char *rmil_texture_feature_name(TextureScratch *scratch, int i);

/* Centre and spread of every raw feature over real and synthetic tiles (texture-scale.c; made by tests/encoder/texture-scale.c). */
#define TEXTURE_DIM 219
extern const float rmil_texture_scale[TEXTURE_DIM][2];

#endif
