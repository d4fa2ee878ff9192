/* SPDX-License-Identifier: Apache-2.0 */
/* What distinguishes one training run from another. */
#ifndef RMIL_MIL_RUN_KEY_H
#define RMIL_MIL_RUN_KEY_H

#include "base/parallel.h"
#include "targets.h"

/* A text of everything that the result depends on, except the number of epochs (a run may be extended): configuration, protocol, and of
 * every slide the complete target, patch labels, features, coordinates and tissue. Free with g_free. */
char *rmil_run_key(const RmilModelConfig *model, const RmilTrainConfig *train, const RmilTrainSlides *slides, RmilCrew *crew,
                   GError **error);

#endif
