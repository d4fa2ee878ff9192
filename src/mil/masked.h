/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient of the first layer if the layer above is linear in R = relu(X Wᵀ + b): every entry of ∂L/∂Z is then a sum of a few outer
 * products under R's mask, so it can be summed without multiplications by the mask. */
#ifndef RMIL_MIL_MASKED_H
#define RMIL_MIL_MASKED_H

#include "gemm.h"

typedef struct {
    const float *weight; /* rows: weight of row k; rows of weight 0 cost nothing */
    const float *scale;  /* n */
} RmilMaskedTerm;

/* G (n × dim) = dZᵀ X with dZ = 1[R > 0] ∘ Σ_t weight_t scale_tᵀ, R rows × n, dense. The order of operations depends only on the shapes,
 * the number of terms and which weights are 0. A NaN or infinite feature in a row of non-zero weight makes G's column NaN. */
gboolean rmil_masked_backward(const RmilFeatures *x, const float *r, int64_t n, const RmilMaskedTerm *terms, int count, float *g,
                              RmilArena *arena, GError **error);

#endif
