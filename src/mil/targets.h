/* SPDX-License-Identifier: Apache-2.0 */
/* What training needs from the targets of its slides. */
#ifndef RMIL_MIL_TARGETS_H
#define RMIL_MIL_TARGETS_H

#include "model.h"

/* The slides of a training run: indices into bags and targets. */
typedef struct {
    const RmilBag *const *bags;
    const RmilTarget *targets;
    const int64_t *train, *val;
    int64_t train_count, val_count;
} RmilTrainSlides;

/* Every slide has a target that suits the task; the training set has every class, or an event. DATA names the slide or the class. */
gboolean rmil_targets_check(const RmilTask *task, const RmilTrainSlides *slides, GError **error);
/* What the model learns from the training set's targets: edges of time bins, mean and SD of a number. DATA: the targets do not allow it. */
gboolean rmil_targets_learn(RmilModelConfig *config, const RmilTrainSlides *slides, GError **error);
/* How well the outcomes of these slides match their targets (RmilEpoch.val_metric); NaN: undefined. */
double rmil_targets_metric(const RmilModelConfig *config, const RmilTarget *targets, const int64_t *slides, const RmilOutcome *outcomes,
                           int64_t n);
/* `count` slides of an epoch. balanced with classes: with replacement, first a class, all equally likely, then one of its slides; else each
 * slide once, in random order. */
void rmil_targets_draw(const RmilTask *task, const RmilTarget *targets, const int64_t *set, int64_t count, gboolean balanced, RmilRng *rng,
                       int64_t *slides);

#endif
