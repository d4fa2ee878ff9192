/* SPDX-License-Identifier: Apache-2.0 */
/* The tokens of a tile before its pixels are added. */
#ifndef RMIL_VIT_START_H
#define RMIL_VIT_START_H

#include "vit.h"

/* Do config and weights fit: heads and tokens, tiles and patches? */
gboolean rmil_vit_check(const RmilVitWeights *weights, const RmilVitConfig *config, GError **error);
/* Positions, class token and registers: (1 + registers + patches per tile, embed). Free with rmil_free. */
float *rmil_vit_start_new(const RmilVitWeights *weights, const RmilVitConfig *config, GError **error);

#endif
