/* One epoch of training: the trainer's state, and the passes over groups of slides and over the validation set. */
#ifndef RMIL_MIL_EPOCH_H
#define RMIL_MIL_EPOCH_H

#include "base/parallel.h"
#include "checkpoint.h"
#include "targets.h"

enum { RMIL_PARAMETERS, RMIL_BEST, RMIL_FIRST, RMIL_SECOND, RMIL_ARRAYS };

typedef struct {
    const RmilTrainConfig *config;
    RmilTrainSlides slides;
    RmilModel *model;
    RmilCrew *crew;
    RmilArena **arenas; /* one per worker */
    float *memory;      /* the arrays, then one gradient per bag of a group */
    float *arrays[RMIL_ARRAYS], *gradients;
    int64_t stride; /* floats per array */
    RmilTrainState state;
    /* the bags at hand: a group in training, the whole validation set otherwise */
    const int64_t *hand;
    int64_t first, count;    /* position of the group in the epoch, and its size */
    gboolean training, look; /* look: as in training, but forward alone */
    gboolean given;          /* the slide losses' slopes are given, in `slopes` */
    double *slopes;          /* one for each bag at hand */
    int64_t *order;          /* largest bag first, so that threads end together */
    RmilOutcome *outcomes;
} RmilTrainer;

/* Fills the losses of training, and moves the parameters. */
gboolean rmil_trainer_learn(RmilTrainer *trainer, RmilEpoch *epoch, GError **error);
/* Fills what the validation set says; NaN without one. */
gboolean rmil_trainer_validate(RmilTrainer *trainer, RmilEpoch *epoch, GError **error);

#endif
