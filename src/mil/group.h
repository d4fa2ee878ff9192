/* SPDX-License-Identifier: Apache-2.0 */
/* The current bags: a group in training, else the whole validation set. */
#ifndef RMIL_MIL_GROUP_H
#define RMIL_MIL_GROUP_H

#include "epoch.h"

/* Bytes that all bags of a step together keep for the backward pass: 2 GiB; tests make it small. */
extern gssize rmil_group_room;

/* Allocates for up to `most` bags at a time, and makes the averaged copy if the guide has an anchor. */
gboolean rmil_group_prepare(RmilTrainer *trainer, int64_t most, GError **error);
void rmil_group_release(RmilTrainer *trainer);
/* Gradients and outcomes of the bags of one step of Adam, from position `first` of the epoch. */
gboolean rmil_group_learn(RmilTrainer *trainer, const int64_t *slides, int64_t first, int64_t count, GError **error);
/* Outcomes of these slides with the current parameters. */
gboolean rmil_group_judge(RmilTrainer *trainer, const int64_t *slides, int64_t count, GError **error);
/* After an update: updates the averaged copy. */
void rmil_group_average(RmilTrainer *trainer);

#endif
