/* SPDX-License-Identifier: Apache-2.0 */
/* What studies vary in the data: fewer slides, fewer annotations, coarser annotations. */
#ifndef RMIL_STUDY_VARY_DATA_H
#define RMIL_STUDY_VARY_DATA_H

#include "rankmil/study.h"

/* splits: the repeat's, with only `fraction` (0 … 1) of the development slides. Training and validation are reduced separately, as is each
 * class (or events and censored slides), with at least one slide each. The seed orders the slides: a larger fraction contains all slides of
 * a smaller one. */
void rmil_vary_fraction(const RmilTrainData *data, const RmilRepeat *repeat, double fraction, RmilSplit *splits);
/* kept[row]: does this development slide, which may have a lesion, keep its annotation, if `share` (0 … 1) of them do? Nested as above,
 * training and validation separately; at least one training slide, unless share is 0. */
void rmil_vary_annotated(const RmilTrainData *data, const RmilRepeat *repeat, double share, gboolean *kept);

/* The order in which slides are annotated: drawn from the seed, or by what the models get wrong or are sure of (suggest.h). */
typedef enum { RMIL_ORDER_RANDOM, RMIL_ORDER_WRONG, RMIL_ORDER_SURE, RMIL_ORDERS } RmilOrder;
/* The order in which a pathologist who follows the models annotates the positive training slides of a repeat: suggest.c. */
typedef struct {
    const RmilRepeat *repeat;
    int64_t *place; /* by row: 0 … n − 1; −1 for the others */
} RmilSuggested;
/* The same, with the training slides that come first in that order. */
void rmil_vary_suggested(const RmilTrainData *data, const RmilRepeat *repeat, double share, const RmilSuggested *order, gboolean *kept);

/* Patch labels of annotations padded by `padding` level-0 px: for each row, or NULL if it has no annotation. */
typedef struct {
    double padding;
    int64_t count;
    uint8_t **labels; /* by row */
    char *identity;   /* SHA-256 of them all */
} RmilGrown;
/* Labels are read from FOLDER/ID.h5 if it exists (padded outlines). Otherwise they are padded on the tile grid: a tile is annotated if it
 * is less than `padding` px from an annotated tile. folder may be NULL. */
RmilGrown *rmil_grown_new(const RmilTrainData *data, double padding, const char *folder, GError **error);
void rmil_grown_free(RmilGrown *grown);

/* out: the part of a slide's annotation, `labels`, that is kept if `share` (0 … 1) of its annotated patches are, rounded, at least one. Its
 * lesions (rmil_lesions) are taken whole in a drawn order until the next no longer fits. Of that one, the patches nearest to a drawn one
 * are kept; if equally near, the first. If patches are not on a tile grid, the annotation is one lesion; without coordinates, distance is
 * that of positions in the bag. Draws depend only on id and seed; the patches of a smaller share are a subset of those of a larger one.
 * Fails only if memory runs out. */
gboolean rmil_vary_within(const RmilBag *bag, const char *id, const uint8_t *labels, double share, int64_t seed, uint8_t *out,
                          GError **error);

/* How the annotations of training and validation slides are changed. */
typedef struct {
    const RmilGrown *grown; /* NULL, or new labels */
    const gboolean *kept;   /* by row: which labels stay, among slides that may have a lesion; the others lose them. NULL: all */
    double within;          /* rmil_vary_within's share of each remaining annotation, on slides that may have a lesion; 0: all of it
                             * stays */
    int64_t seed;           /* for its draws */
} RmilAnnotating;
/* The data's bags with other patch labels; features are shared. bags[row] as in RmilTrainData. Fails only if memory runs out; clear it
 * then, too. */
typedef struct {
    RmilBag *copies;
    const RmilBag **bags;
    GPtrArray *labels; /* labels that it owns */
} RmilVariant;
gboolean rmil_variant_init(RmilVariant *variant, const RmilTrainData *data, const RmilSplit *splits, const RmilAnnotating *how,
                           GError **error);
void rmil_variant_clear(RmilVariant *variant);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilGrown, rmil_grown_free)

#endif
