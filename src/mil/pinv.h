/* SPDX-License-Identifier: Apache-2.0 */
/* The pseudo-inverse of square matrices by an iteration of products (Razavi et al. 2014, as used by Xiong et al., AAAI 2021):
 *   Z₀ = Aᵀ / (c r),   Y = A Z,   Z ← Z (13 I − Y (15 I − Y (7 I − Y))) / 4
 * c and r: the largest row sum and column sum over all matrices. Entries of A are not negative. */
#ifndef RMIL_MIL_PINV_H
#define RMIL_MIL_PINV_H

#include "model.h"

/* a and z: count × m × m. */
gboolean rmil_pinv_forward(const float *a, int64_t count, int64_t m, int steps, float *z, RmilArena *arena, GError **error);
/* From dz = ∂L/∂z, which is overwritten, to da, overwritten; the iterates are recomputed. */
gboolean rmil_pinv_backward(const float *a, int64_t count, int64_t m, int steps, float *dz, float *da, RmilArena *arena, GError **error);

#endif
