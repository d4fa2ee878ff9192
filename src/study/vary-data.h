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

/* The data's bags with other patch labels; features are shared. grown: NULL, or new labels; kept: NULL, or whose labels stay
 * (others lose them). Only rows in training and validation change. bags[row] as in RmilTrainData. */
typedef struct {
    RmilBag *copies;
    const RmilBag **bags;
} RmilVariant;
void rmil_variant_init(RmilVariant *variant, const RmilTrainData *data, const RmilSplit *splits, const gboolean *kept,
                       const RmilGrown *grown);
void rmil_variant_clear(RmilVariant *variant);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilGrown, rmil_grown_free)

#endif
