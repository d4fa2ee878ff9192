/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil evaluate: lesions on a tile grid, whether a model's scores detect them, and the results of several trainings. Part of
 * evaluate.h. */
#ifndef RANKMIL_LESIONS_H
#define RANKMIL_LESIONS_H

#include "measures.h"

G_BEGIN_DECLS

/* All functions here are pure and thread-safe. Arrays belong to the caller, and strings in rows are borrowed.
 *
 * -- what a training yields for its annotated positive test slides ------------------------------------------------------------- */
/* How well the scores of a slide's patches rank annotated patches above the others; NaN if all patches are annotated. */
typedef struct {
    const char *slide; /* id */
    double auroc, average_precision;
} RmilPatchRow;
/* scores, labels: k patches; label not 0: annotated. Both results are NaN unless there are annotated patches and others. */
RMIL_API void rmil_patch_ranking(const float *scores, const uint8_t *labels, int64_t k, double *auroc, double *average_precision);

/* One lesion of a slide. Only slides whose patches lie on a tile grid have such rows. */
typedef struct {
    const char *slide;
    int64_t lesion; /* number, from 1 */
    int64_t tiles;  /* annotated tiles of the lesion */
    double score;   /* of the highest detection in the lesion; NaN: there is none */
    /* Mean number of detections per negative test slide with at least that score; NaN: no score, or no such slide. */
    double false_positives;
    int64_t negatives; /* negative test slides whose patches lie on a tile grid */
} RmilLesionRow;

/* -- lesions and detections ------------------------------------------------------------------------------------------------- */
/* Finds the eight neighbours of each of k patches on a tile grid. The patches lie on a grid if size > 0, the distance of every patch from
 * the leftmost and from the topmost patch is a whole number of tiles within 1/8 of a tile, and no two patches share a place.
 * coords: k × 2, or NULL; size: side of a tile, in the same unit. *neighbours: k × 8 indices of patches, −1 if there is no neighbour; NULL
 * if the patches do not lie on a grid. Free with g_free. Fails only with MEMORY. O(k log k). */
RMIL_API gboolean rmil_tile_neighbours(const int64_t *coords, double size, int64_t k, int64_t **neighbours, GError **error);
/* Lesions are the connected components of annotated tiles. lesion[i]: the lesion of patch i, 0 … L − 1 in order of their first patches; −1:
 * not annotated. If neighbours is NULL, the whole annotation is one lesion. Returns L. */
RMIL_API int64_t rmil_lesions(const int64_t *neighbours, const uint8_t *labels, int64_t k, int64_t *lesion);
/* A detection is a local maximum: a tile whose score no neighbour exceeds; of equal neighbours only the first can be one. NaN is never a
 * detection. detection[i]: 1 if patch i is one, else 0. */
RMIL_API void rmil_detections(const int64_t *neighbours, const float *scores, int64_t k, uint8_t *detection);
/* Sets false_positives and negatives of n rows. scores: those of all m detections on the negative slides; the function sorts them.
 * negatives: the number of these slides. */
RMIL_API void rmil_false_positives(RmilLesionRow *rows, int64_t n, float *scores, int64_t m, int64_t negatives);

/* -- metrics --------------------------------------------------------------------------------------------------------------- */
/* FROC (free-response ROC): the sensitivity at a false positive rate r is the share of lesions with a detection whose score, taken as the
 * threshold, gives at most r false positives per negative slide. Nothing is interpolated between the rates that occur. The FROC score of
 * Camelyon16 is the mean over the rates 1/4, 1/2, 1, 2, 4, 8 (Ehteshami Bejnordi et al., JAMA 2017;318:2199; a detection hits the lesion in
 * which it lies). Unlike the script of the challenge, this counts false positives only on negative slides, builds lesions from tiles, and
 * does not leave out small lesions. RMIL_FOUND_SIZES: the FROC score of lesions of 1, 2–5, 6–20 and more tiles. */
enum { RMIL_FOUND_AUROC, RMIL_FOUND_PRECISION, RMIL_FOUND_RATES, RMIL_FOUND_FROC = RMIL_FOUND_RATES + 6, RMIL_FOUND_SIZES };
enum { RMIL_FOUND_COUNT = RMIL_FOUND_SIZES + 4 };
typedef struct {
    const char *key;  /* "patch_auroc", "sensitivity_at_0.25", "froc", "froc_tiles_2_5" */
    const char *name; /* for readers */
    gboolean lesions; /* TRUE: a mean over lesions; FALSE: over slides */
} RmilFoundMeasure;
RMIL_API const RmilFoundMeasure *rmil_found_measures(void); /* RMIL_FOUND_COUNT of them; static */
/* The value of one row, whose mean is the metric; NaN: the row does not count. */
RMIL_API double rmil_found_patches(int measure, const RmilPatchRow *row);
RMIL_API double rmil_found_lesion(int measure, const RmilLesionRow *row);

/* The rows of one training; arrays are borrowed. */
typedef struct {
    const GArray *patches, *lesions; /* RmilPatchRow, RmilLesionRow */
    const GArray *predictions;       /* RmilPredictionRow, which give the patients of slides; NULL: every slide is a patient of its own */
} RmilFoundRows;
typedef struct {
    double mean, sd; /* of the trainings' means; sd is NaN for one training */
    /* Bootstrap interval of the mean over all rows of all trainings, which resamples patients with all their rows (slides, where no two
     * share a patient). Thresholds stay fixed. If all resamples agree: Wilson's, with the number of patients. */
    RmilInterval interval;
    int64_t cases; /* distinct slides that have a value, or distinct lesions for metrics of lesions */
} RmilFound;
/* All metrics over n trainings of one method. rounds, seed and confidence as in RmilBootstrap (outcome.h). */
RMIL_API void rmil_found(const RmilFoundRows *trainings, int64_t n, double confidence, int64_t rounds, uint64_t seed,
                         RmilFound found[RMIL_FOUND_COUNT]);
/* A text that says why there is no FROC, or no patch ranking at all; NULL if there is one. localised: is any test slide annotated? If
 * FALSE, nothing can be expected, and the result is NULL. Static. */
RMIL_API const char *rmil_found_missing(const RmilFoundRows *trainings, int64_t n, gboolean localised);

G_END_DECLS
#endif
