/* SPDX-License-Identifier: Apache-2.0 */
/* What studies vary of the data: fewer slides, fewer annotations, coarser annotations. */
#ifndef RMIL_STUDY_VARY_DATA_H
#define RMIL_STUDY_VARY_DATA_H

#include "rankmil/study.h"

/* splits: the repeat's, with only `fraction` (0 … 1) of the development slides, training and validation by themselves, each
 * class (or events and censored ones) by itself, at least one slide of each. The seed orders the slides: a larger fraction has all slides of a smaller one. */
void rmil_vary_fraction(const RmilTrainData *data, const RmilRepeat *repeat, double fraction, RmilSplit *splits);
/* kept[row]: whether this development slide that may have a lesion keeps its annotation, when `share` (0 … 1) of them do; nested as above,
 * training and validation by themselves; of the training slides at least one, unless share is 0. */
void rmil_vary_annotated(const RmilTrainData *data, const RmilRepeat *repeat, double share, gboolean *kept);

/* In which order slides are annotated: drawn by the seed, or by what the models get wrong or are sure of (suggest.h). */
typedef enum { RMIL_ORDER_RANDOM, RMIL_ORDER_WRONG, RMIL_ORDER_SURE, RMIL_ORDERS } RmilOrder;
/* In which order a pathologist who follows the models annotates the positive training slides of a repeat: suggest.c. */
typedef struct {
    const RmilRepeat *repeat;
    int64_t *place; /* by row: 0 … n − 1; of the others −1 */
} RmilSuggested;
/* The same, but those of the training slides that come first in that order. */
void rmil_vary_suggested(const RmilTrainData *data, const RmilRepeat *repeat, double share, const RmilSuggested *order, gboolean *kept);

/* Patch labels of annotations that were grown by `padding` level-0 px: of each row, or NULL where it has no annotation. */
typedef struct {
    double padding;
    int64_t count;
    uint8_t **labels; /* by row */
    char *identity;   /* SHA-256 of them all */
} RmilGrown;
/* Labels are taken from FOLDER/ID.h5 where that exists (outlines that were grown); else they grow on the tile grid: a tile is
 * annotated when less than `padding` px lie between it and an annotated tile. folder may be NULL. */
RmilGrown *rmil_grown_new(const RmilTrainData *data, double padding, const char *folder, GError **error);
void rmil_grown_free(RmilGrown *grown);

/* out: the part of a slide's annotation, `labels`, that stays when `share` (0 … 1) of its annotated patches do, rounded, at least one. Its
 * lesions (rmil_lesions) are taken whole in a drawn order until the next no longer fits; of that one those patches that lie nearest to one of
 * them, which is drawn, stay, of equally near ones the first. Where patches lie on no tile grid the annotation is one lesion; where they have no
 * coordinates, near is what stands near in the bag. Draws depend on id and seed alone; a smaller share's patches are a subset of a larger
 * one's. Fails for want of memory alone. */
gboolean rmil_vary_within(const RmilBag *bag, const char *id, const uint8_t *labels, double share, int64_t seed, uint8_t *out,
                          GError **error);

/* What becomes of the annotations of slides in training and validation. */
typedef struct {
    const RmilGrown *grown; /* NULL, or new labels */
    const gboolean *kept;   /* by row: whose labels stay, among those that may have a lesion; the others lose them. NULL: all */
    double within;          /* rmil_vary_within's share of what is left, of those that may have a lesion; 0: all of it stays */
    int64_t seed;           /* of its draws */
} RmilAnnotating;
/* The data's bags with other patch labels; features are shared. bags[row] as in RmilTrainData. Fails for want of memory alone; clear it then,
 * too. */
typedef struct {
    RmilBag *copies;
    const RmilBag **bags;
    GPtrArray *labels; /* those that are its own */
} RmilVariant;
gboolean rmil_variant_init(RmilVariant *variant, const RmilTrainData *data, const RmilSplit *splits, const RmilAnnotating *how,
                           GError **error);
void rmil_variant_clear(RmilVariant *variant);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilGrown, rmil_grown_free)

#endif
