/* SPDX-License-Identifier: Apache-2.0 */
/* How a bag of a cohort without slides is made: plan (labels, numbers of tiles) -> place (tissue and foci on a tile grid) -> features. */
#ifndef RMIL_SYNTH_FEATURES_PRIVATE_H
#define RMIL_SYNTH_FEATURES_PRIVATE_H

#include "synth-private.h"

#define RMIL_SYNTH_LESION_MOST 0.6 /* share of a bag's tiles, in cohorts of subtypes, times and numbers */
#define RMIL_SYNTH_TILE_SIDE 448   /* level-0 px: 224 px at 20x of a 40x scan */

/* q in [0, 1] -> number of tiles: the q-quantile over Camelyon16's training slides (tissue: normal slides; lesions: tumour slides). */
double rmil_synth_tissue_tiles(double q);
double rmil_synth_lesion_tiles(double q);

typedef struct {
    char id[24];
    int label;
    gboolean test;
    int64_t count;     /* number of tiles */
    double lesion;     /* area with tumour, in tiles; 0 in a negative bag */
    double benign;     /* area that resembles tumour, but is benign; 0 in most bags */
    int patient, site; /* from 1; site 0: none */
    uint64_t stream;
} RmilSynthBagPlan;
/* options->train + options->test plans; free with g_free. */
RmilSynthBagPlan *rmil_synth_bag_plan(const RmilSynthFeatureOptions *options);

/* coords (count × 2): the tiles that lie deepest in a warped disc, row by row. Returns the slide's side in level-0 px. */
int64_t rmil_synth_place_tissue(int64_t count, RmilRng *rng, int64_t *coords);
/* Connected foci with a total area of `area` tiles: cover[i] becomes the covered part (0 … 1) of tile i. */
void rmil_synth_place_foci(const int64_t *coords, int64_t count, double area, RmilRng *rng, float *cover);

/* -- features ------------------------------------------------------------------------------------------------------------------ */
#define RMIL_SYNTH_LATENT 32
#define RMIL_SYNTH_TYPES 12
#define RMIL_SYNTH_TUMOURS 3
typedef struct {
    float prototype[RMIL_SYNTH_TYPES][RMIL_SYNTH_LATENT], tumour[RMIL_SYNTH_TUMOURS][RMIL_SYNTH_LATENT];
    float subtype[RMIL_SYNTH_CLASSES_MOST][RMIL_SYNTH_LATENT]; /* by label, for a cohort of subtypes */
    float *base, *mixing, *normal;                             /* dim; LATENT × dim; NORMALS + dim */
} RmilSynthWorld;
gboolean rmil_synth_world_init(RmilSynthWorld *world, const RmilSynthFeatureOptions *options, GError **error);
void rmil_synth_world_clear(RmilSynthWorld *world);
/* features: count × dim; cover, benign: covered part of each tile. */
void rmil_synth_world_features(const RmilSynthWorld *world, const RmilSynthFeatureOptions *options, const RmilSynthBagPlan *plan,
                               const int64_t *coords, const float *cover, const float *benign, float *features);

/* *there: does the bag's file exist, made as `identity` says? FALSE: it was made differently, or this cannot be determined. */
gboolean rmil_synth_bag_there(const char *path, const char *identity, gboolean *there, GError **error);

#endif
