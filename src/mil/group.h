/* SPDX-License-Identifier: Apache-2.0 */
/* The bags at hand: a group in training, the whole validation set otherwise. */
#ifndef RMIL_MIL_GROUP_H
#define RMIL_MIL_GROUP_H

#include "epoch.h"

/* Bytes that the bags of a step keep for their way back, all together: 2 GiB; tests make it small. */
extern gssize rmil_group_room;

/* Room for `most` bags at hand, and the averaged copy where the guide holds to one. */
gboolean rmil_group_prepare(RmilTrainer *trainer, int64_t most, GError **error);
void rmil_group_release(RmilTrainer *trainer);
/* Gradients and outcomes of the bags of one step of Adam, at `first` of the epoch. */
gboolean rmil_group_learn(RmilTrainer *trainer, const int64_t *slides, int64_t first, int64_t count, GError **error);
/* Their outcomes, with the parameters as they are. */
gboolean rmil_group_judge(RmilTrainer *trainer, const int64_t *slides, int64_t count, GError **error);
/* After an update: the averaged copy follows. */
void rmil_group_average(RmilTrainer *trainer);

#endif
