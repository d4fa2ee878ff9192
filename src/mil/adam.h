/* SPDX-License-Identifier: Apache-2.0 */
/* Adam (Kingma and Ba 2015) with L2 weight decay added to the gradient, as PyTorch's optim.Adam computes it. */
#ifndef RMIL_MIL_ADAM_H
#define RMIL_MIL_ADAM_H

#include "rankmil/mil.h"

/* Update number t (from 1) of n parameters; first and second are the moments (0 before the first update). The gradient is the sum of
 * `slots` gradients, `stride` floats apart, added in order and divided by `slots`. */
void rmil_adam_update(const RmilTrainConfig *train, int64_t t, const float *gradients, int64_t slots, int64_t stride, int64_t n,
                      float *parameters, float *first, float *second);

#endif
