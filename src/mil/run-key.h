/* SPDX-License-Identifier: Apache-2.0 */
/* What tells one training run from another. */
#ifndef RMIL_MIL_RUN_KEY_H
#define RMIL_MIL_RUN_KEY_H

#include "base/parallel.h"
#include "targets.h"

/* A text of all that the result depends on, but for the number of epochs (a run may be prolonged): configuration, protocol, and of every
 * slide its target, patch labels, features, coordinates and tissue, whole. Free with g_free. */
char *rmil_run_key(const RmilModelConfig *model, const RmilTrainConfig *train, const RmilTrainSlides *slides, RmilCrew *crew,
                   GError **error);

#endif
