/* SPDX-License-Identifier: Apache-2.0 */
/* One epoch of training: the trainer's state, and the passes over groups of slides and over the validation set. */
#ifndef RMIL_MIL_EPOCH_H
#define RMIL_MIL_EPOCH_H

#include "base/parallel.h"
#include "checkpoint.h"
#include "targets.h"

enum { RMIL_PARAMETERS, RMIL_BEST, RMIL_FIRST, RMIL_SECOND, RMIL_ARRAYS };

typedef struct RmilTrainer RmilTrainer;

/* How a model is trained and judged, where it is not by bags of features. */
typedef struct RmilTrainerKind {
    int64_t (*slots)(const RmilTrainConfig *config);           /* gradients that a step needs at once */
    gboolean (*prepare)(RmilTrainer *trainer, GError **error); /* parameters are drawn; a checkpoint may still replace them */
    gboolean (*learn)(RmilTrainer *trainer, RmilEpoch *epoch, GError **error);
    gboolean (*validate)(RmilTrainer *trainer, RmilEpoch *epoch, GError **error);
    void (*release)(RmilTrainer *trainer); /* also where prepare failed */
} RmilTrainerKind;
extern const RmilTrainerKind rmil_bag_trainer; /* epoch.c: the usual one */

struct RmilTrainer {
    const RmilTrainerKind *kind;
    gpointer own;               /* the kind's */
    const RmilMonitor *monitor; /* from the calling thread only */
    int hired;                  /* how often the crew changed */
    const RmilTrainConfig *config;
    RmilTrainSlides slides;
    RmilModel *model;
    RmilCrew *crew;
    RmilArena **arenas; /* one per worker */
    float *memory;      /* the arrays, then one gradient per bag of a group */
    float *arrays[RMIL_ARRAYS], *gradients;
    int64_t stride; /* floats per array */
    int64_t slots;  /* gradients of the update under way */
    RmilTrainState state;
    float *average; /* a copy of the parameters that is averaged over the updates (rmil_guide_anchor); NULL: none */
    /* the bags at hand: a group in training, the whole validation set otherwise (group.c) */
    const int64_t *hand;
    int64_t first, count; /* position of the group in the epoch, and its size */
    gboolean training;
    double *slopes; /* of losses that all have together, one for each bag at hand */
    int64_t *order; /* largest bag first, so that threads end together */
    RmilOutcome *outcomes;
    struct RmilHands *hands; /* what they leave from one phase of a step to the next */
};

/* A stream of random numbers: what for (1 … 15), in which epoch, at which place. */
uint64_t rmil_trainer_stream(int purpose, int64_t epoch, int64_t position);
/* One step of Adam by `slots` gradients. */
gboolean rmil_trainer_update(RmilTrainer *trainer, int64_t slots, GError **error);
/* DATA when a parameter or the epoch's loss is not finite. */
gboolean rmil_trainer_finite(const RmilTrainer *trainer, const RmilEpoch *epoch, GError **error);
/* Fills what the validation set says; NaN without one. */
gboolean rmil_trainer_validate(RmilTrainer *trainer, RmilEpoch *epoch, GError **error);

#endif
