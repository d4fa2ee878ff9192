/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil evaluate: lesions on a tile grid, whether a model's scores find them, and what trainings say of that together. */
#ifndef RANKMIL_LESIONS_H
#define RANKMIL_LESIONS_H

#include "measures.h"

G_BEGIN_DECLS

/* Every function here is pure: no state, callable from any thread.
 *
 * -- what a training leaves of its annotated positive test slides -------------------------------------------------------------- */
/* Of each slide: how the scores of its patches rank annotated ones above the others; NaN where all are annotated. */
typedef struct {
    const char *slide; /* id */
    double auroc, average_precision;
} RmilPatchRow;
RMIL_API void rmil_patch_ranking(const float *scores, const uint8_t *labels, int64_t k, double *auroc, double *average_precision);

/* Of each lesion of those whose patches lie on a tile grid. */
typedef struct {
    const char *slide;
    int64_t lesion;         /* 1 … */
    int64_t tiles;          /* annotated ones, which it consists of */
    double score;           /* of the highest detection in it; NaN: there is none */
    double false_positives; /* detections of at least that score on a negative test slide, on average; NaN: no score, or no such slide */
    int64_t negatives;      /* negative test slides on a tile grid */
} RmilLesionRow;

/* -- lesions and detections ------------------------------------------------------------------------------------------------- */
/* The eight tiles around each of k patches, where these lie on a tile grid: `size` (the side of a tile, in the coordinates' unit) is above 0,
 * every patch lies a whole number of tiles, to an eighth of one, from the leftmost and from the topmost patch, and no two lie in one place.
 * coords: k × 2, or NULL. *neighbours: k × 8, −1 where there is none; NULL: they lie on no grid. Free with g_free. Fails for want of memory
 * alone. O(k log k). */
RMIL_API gboolean rmil_tile_neighbours(const int64_t *coords, double size, int64_t k, int64_t **neighbours, GError **error);
/* Lesions are the connected components of annotated tiles. lesion[i]: that of patch i, 0 … L − 1 in the order of their first patches; −1:
 * not annotated. neighbours NULL: the whole annotation is one lesion. Gives L. */
RMIL_API int64_t rmil_lesions(const int64_t *neighbours, const uint8_t *labels, int64_t k, int64_t *lesion);
/* A detection is a local maximum: a tile whose score no neighbour exceeds, nor an earlier neighbour equals. detection[i]: 1 where patch i is
 * one. A NaN is none. */
RMIL_API void rmil_detections(const int64_t *neighbours, const float *scores, int64_t k, uint8_t *detection);
/* Fills in false_positives and negatives of n rows. scores: of all m detections on the negative slides, which are sorted. */
RMIL_API void rmil_false_positives(RmilLesionRow *rows, int64_t n, float *scores, int64_t m, int64_t negatives);

/* -- what is measured ------------------------------------------------------------------------------------------------------ */
/* FROC: sensitivity at so many false positives per negative slide is the share of lesions with a detection whose threshold lets no more
 * through; between the rates that occur nothing is interpolated. Camelyon16's score is its mean at 1/4, 1/2, 1, 2, 4, 8 (Ehteshami Bejnordi
 * et al., JAMA 2017;318:2199; a detection hits the lesion that it lies in). Other than in the challenge's script, only negative slides have
 * false positives, a lesion is made of tiles, and none is too small to count. By size: that score of lesions of so many tiles. */
enum { RMIL_FOUND_AUROC, RMIL_FOUND_PRECISION, RMIL_FOUND_RATES, RMIL_FOUND_FROC = RMIL_FOUND_RATES + 6, RMIL_FOUND_SIZES };
enum { RMIL_FOUND_COUNT = RMIL_FOUND_SIZES + 4 };
typedef struct {
    const char *key;  /* "patch_auroc", "sensitivity_at_0.25", "froc", "froc_tiles_2_5" */
    const char *name; /* for readers */
    gboolean lesions; /* a mean over lesions, else over slides */
} RmilFoundMeasure;
RMIL_API const RmilFoundMeasure *rmil_found_measures(void); /* RMIL_FOUND_COUNT of them */
/* What a row adds to the mean of a measure; NaN: nothing. */
RMIL_API double rmil_found_patches(int measure, const RmilPatchRow *row);
RMIL_API double rmil_found_lesion(int measure, const RmilLesionRow *row);

/* The rows of one training. */
typedef struct {
    const GArray *patches, *lesions; /* RmilPatchRow, RmilLesionRow */
    const GArray *predictions;       /* RmilPredictionRow, which say whose slide it is; NULL: each counts by itself */
} RmilFoundRows;
typedef struct {
    double mean, sd; /* of the trainings' means; sd NaN for one */
    RmilInterval
        interval;  /* of the mean of all their rows: percentiles over resamples of slides, with all that they have; of patients, where
                            * slides share one. The thresholds stay. Where all resamples agree Wilson's, with as many cases as slides */
    int64_t cases; /* slides that have a value, of measures of lesions these; each once */
} RmilFound;
/* Of the n trainings of one method; rounds, seed and confidence as in RmilBootstrap (outcome.h). */
RMIL_API void rmil_found(const RmilFoundRows *trainings, int64_t n, double confidence, int64_t rounds, uint64_t seed,
                         RmilFound found[RMIL_FOUND_COUNT]);
/* Why there is no FROC, in a sentence, or not even a ranking of patches; NULL: there is one, or no slide is annotated (`localised` FALSE). */
RMIL_API const char *rmil_found_missing(const RmilFoundRows *trainings, int64_t n, gboolean localised);

G_END_DECLS
#endif
