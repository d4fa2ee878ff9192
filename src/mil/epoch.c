/* SPDX-License-Identifier: Apache-2.0 */
/* One epoch of training. */
#include "epoch.h"

#include "adam.h"
#include "group.h"

#include <math.h>

/* Parameters per task of the update: a few hundred KiB with the gradients of a group. */
#define CHUNK 8192

enum { STREAM_ORDER = 1 }; /* group.c has 2 */

uint64_t rmil_trainer_stream(int purpose, int64_t epoch, int64_t position) {
    return (uint64_t)purpose << 60 | (uint64_t)epoch << 36 | (uint64_t)position;
}

/* -- the update -------------------------------------------------------------------------------------------------------------- */
static gboolean update_chunk(int64_t index, int worker, gpointer user, GError **error) {
    RmilTrainer *t = user;
    int64_t from = index * CHUNK, to = MIN(from + CHUNK, t->model->layout.count);
    for (guint i = 0; i < t->model->layout.tensors->len; i++) {
        const RmilParameter *tensor = rmil_parameter_at(&t->model->layout, (int)i);
        int64_t low = MAX(from, tensor->offset), high = MIN(to, tensor->offset + tensor->count);
        if (low < high && !tensor->unused)
            rmil_adam_update(t->config, t->state.updates, t->gradients + low, t->slots, t->stride, high - low,
                             t->arrays[RMIL_PARAMETERS] + low, t->arrays[RMIL_FIRST] + low, t->arrays[RMIL_SECOND] + low);
    }
    return TRUE;
}

gboolean rmil_trainer_update(RmilTrainer *t, int64_t slots, GError **error) {
    t->slots = slots;
    t->state.updates++;
    return rmil_crew_run(t->crew, (t->model->layout.count + CHUNK - 1) / CHUNK, update_chunk, t, error);
}

gboolean rmil_trainer_finite(const RmilTrainer *t, const RmilEpoch *epoch, GError **error) {
    for (int64_t i = 0; i < t->stride; i++) /* relu turns NaN into 0, so the loss alone does not show it */
        if (!isfinite(t->arrays[RMIL_PARAMETERS][i]) || !isfinite(epoch->train_loss))
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "training diverged in epoch %" G_GINT64_FORMAT " (the loss is NaN or infinite): lower the learning "
                             "rate, and check that no feature is NaN or infinite",
                             t->state.epoch + 1);
    return TRUE;
}

/* -- an epoch ------------------------------------------------------------------------------------------------------------------ */
static gboolean learn(RmilTrainer *t, RmilEpoch *epoch, GError **error) {
    const int64_t count = t->slides.train_count;
    g_autofree int64_t *slides = g_new(int64_t, count);
    RmilRng rng;
    rmil_rng_init(&rng, t->config->seed, rmil_trainer_stream(STREAM_ORDER, t->state.epoch + 1, 0));
    rmil_targets_draw(&t->model->config.task, t->slides.targets, t->slides.train, count, t->config->balanced, &rng, slides);
    for (int64_t i = 0; i < count; i += t->config->group) {
        int64_t size = MIN(t->config->group, count - i);
        if (!rmil_group_learn(t, slides + i, i, size, error)) return FALSE;
        for (int64_t j = 0; j < size; j++) {
            const RmilOutcome *outcome = &t->outcomes[j];
            epoch->train_loss += outcome->loss / (double)count;
            epoch->train_slide_loss += outcome->slide_loss / (double)count;
            epoch->train_guide_loss += outcome->guide_loss / (double)count;
        }
        if (!rmil_trainer_update(t, size, error)) return FALSE;
        rmil_group_average(t);
    }
    return rmil_trainer_finite(t, epoch, error);
}

gboolean rmil_trainer_validate(RmilTrainer *t, RmilEpoch *epoch, GError **error) {
    const int64_t *set = t->slides.val, count = t->slides.val_count;
    epoch->val_loss = epoch->val_metric = NAN;
    if (count == 0) return TRUE;
    if (!rmil_group_judge(t, set, count, error)) return FALSE;
    epoch->val_loss = 0;
    for (int64_t i = 0; i < count; i++) epoch->val_loss += t->outcomes[i].loss / (double)count;
    epoch->val_metric = rmil_targets_metric(&t->model->config, t->slides.targets, set, t->outcomes, count);
    return TRUE;
}

static int64_t slots(const RmilTrainConfig *config) { return config->group; }

const RmilTrainerKind rmil_bag_trainer = {.slots = slots, .learn = learn, .validate = rmil_trainer_validate};
