/* SPDX-License-Identifier: Apache-2.0 */
/* 3 × 3 convolution, stride 1, padding 1, in float32 by Winograd's minimal filtering F(4 × 4, 3 × 3) (Lavin and Gray, "Fast
 * algorithms for convolutional neural networks", 2016): a quarter of the multiplications of the direct sum. Its rounding error
 * is a few times that of the direct sum. */
#ifndef RMIL_WINOGRAD_H
#define RMIL_WINOGRAD_H

#include "base/base-private.h"

typedef struct _RmilWinograd RmilWinograd;

/* Activations are (batch, channels / block, side, side, block) arrays of float32; block is a multiple of 8 that divides both numbers of
 * channels. weights: (out, in, 3, 3), bias: (out), copied. NULL and *error if memory runs out. */
RmilWinograd *rmil_winograd_new(int64_t batch, int64_t in, int64_t out, int64_t side, int64_t block, const float *weights,
                                const float *bias, gboolean relu, GError **error);
/* Replaces the weights, whose last bits are rounded differently from those of _new: for weights that change often. Must not run in parallel
 * with a run. */
void rmil_winograd_set(RmilWinograd *winograd, const float *weights);
void rmil_winograd_free(RmilWinograd *winograd);
size_t rmil_winograd_scratch(const RmilWinograd *winograd); /* bytes of working memory, 64-byte aligned */
/* Thread-safe: writes only scratch and destination. An image gives the same bits at every position in the batch. */
gboolean rmil_winograd_run(const RmilWinograd *winograd, const float *source, float *destination, float *scratch, GError **error);

#endif
