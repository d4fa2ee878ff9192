/* SPDX-License-Identifier: Apache-2.0 */
/* One epoch of training: the trainer's state, and the passes over groups of slides and over the validation set. */
#ifndef RMIL_MIL_EPOCH_H
#define RMIL_MIL_EPOCH_H

#include "base/parallel.h"
#include "checkpoint.h"
#include "targets.h"

enum { RMIL_PARAMETERS, RMIL_BEST, RMIL_FIRST, RMIL_SECOND, RMIL_ARRAYS };

typedef struct RmilTrainer RmilTrainer;

/* How a model is trained and validated, if not on bags of features. */
typedef struct RmilTrainerKind {
    int64_t (*slots)(const RmilTrainConfig *config);           /* number of gradients that a step needs at once */
    gboolean (*prepare)(RmilTrainer *trainer, GError **error); /* parameters have been drawn; a checkpoint may still replace them */
    gboolean (*learn)(RmilTrainer *trainer, RmilEpoch *epoch, GError **error);
    gboolean (*validate)(RmilTrainer *trainer, RmilEpoch *epoch, GError **error);
    void (*release)(RmilTrainer *trainer); /* also called if prepare failed */
} RmilTrainerKind;
extern const RmilTrainerKind rmil_bag_trainer; /* epoch.c: the usual one */

struct RmilTrainer {
    const RmilTrainerKind *kind;
    gpointer own;               /* the kind's */
    const RmilMonitor *monitor; /* called only from the calling thread */
    int hired;                  /* how often the crew has changed */
    const RmilTrainConfig *config;
    RmilTrainSlides slides;
    RmilModel *model;
    RmilCrew *crew;
    RmilArena **arenas; /* one per worker */
    float *memory;      /* the arrays, then one gradient per bag of a group */
    float *arrays[RMIL_ARRAYS], *gradients;
    int64_t stride; /* floats per array */
    int64_t slots;  /* gradients of the current update */
    RmilTrainState state;
    float *average; /* a copy of the parameters, averaged over the updates (rmil_guide_anchor); NULL: none */
    /* the current bags: a group in training, else the whole validation set (group.c) */
    const int64_t *hand;
    int64_t first, count; /* position of the group in the epoch, and its size */
    gboolean training;
    double *slopes; /* of losses of all current bags together, one per bag */
    int64_t *order; /* largest bag first, so that all threads finish at about the same time */
    RmilOutcome *outcomes;
    struct RmilHands *hands; /* what they keep from one phase of a step to the next */
};

/* A stream of random numbers for one purpose (1 … 15), epoch and position. */
uint64_t rmil_trainer_stream(int purpose, int64_t epoch, int64_t position);
/* One step of Adam with `slots` gradients. */
gboolean rmil_trainer_update(RmilTrainer *trainer, int64_t slots, GError **error);
/* DATA if a parameter or the epoch's loss is not finite. */
gboolean rmil_trainer_finite(const RmilTrainer *trainer, const RmilEpoch *epoch, GError **error);
/* Fills in the validation results; NaN without a validation set. */
gboolean rmil_trainer_validate(RmilTrainer *trainer, RmilEpoch *epoch, GError **error);

#endif
