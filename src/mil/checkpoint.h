/* SPDX-License-Identifier: Apache-2.0 */
/* What a training run needs to continue after it was killed. */
#ifndef RMIL_MIL_CHECKPOINT_H
#define RMIL_MIL_CHECKPOINT_H

#include "model.h"

typedef struct {
    int64_t epoch;    /* finished epochs */
    int64_t updates;  /* Adam steps so far */
    int64_t waiting;  /* epochs since the best validation loss */
    double best_loss; /* infinity before the first epoch */
} RmilTrainState;

/* The arrays have `count` floats, the last may be NULL; history holds RmilEpoch. key: a text that distinguishes runs. */
gboolean rmil_checkpoint_write(const char *path, const char *key, const RmilTrainState *state, const GArray *history,
                               const float *const arrays[5], int64_t count, GError **error);
/* TRUE: read. FALSE without error: there is no checkpoint, or it belongs to another run (*other is set). The arrays and history are changed
 * only on success. */
gboolean rmil_checkpoint_read(const char *path, const char *key, RmilTrainState *state, GArray *history, float *const arrays[5],
                              int64_t count, gboolean *other);

#endif
