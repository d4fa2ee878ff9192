/* SPDX-License-Identifier: Apache-2.0 */
/* Functions for vectors: a loop over them with `omp simd` inside RMIL_CLONES becomes vector instructions. */
#ifndef RMIL_FUNCTION_H
#define RMIL_FUNCTION_H

#include "tensors/tensors-private.h"

/* e^x within 2e-7 relative, for x ≤ 88; below −87 about 1e-38. 2^n times a Taylor series of the rest, |r| ≤ ln 2 / 2. */
RMIL_INLINE float rmil_exp(float x) {
    const float least = x < -87.0F ? -87.0F : x, bounded = least > 88.0F ? 88.0F : least;
    const float shifted = bounded * 1.44269504F + 0x1.8p23F; /* the integer is in the lowest bits */
    const float n = shifted - 0x1.8p23F, r = (bounded - n * 0.693359375F) + n * 2.12194440e-4F;
    float p = 1.0F / 5040;
    p = p * r + 1.0F / 720;
    p = p * r + 1.0F / 120;
    p = p * r + 1.0F / 24;
    p = p * r + 1.0F / 6;
    p = p * r + 0.5F;
    p = p * r + 1;
    p = p * r + 1;
    return p * rmil_bits_float((rmil_float_bits(shifted) + 127) << 23);
}

/* The error function within 5e-7: a quotient of polynomials fitted on |x| ≤ √15.6, beyond which it is 1 within 3e-8. */
RMIL_INLINE float rmil_erf(float x) {
    const float low = x < -3.949683532F ? -3.949683532F : x, y = low > 3.949683532F ? 3.949683532F : low, t = y * y;
    float p = 2.011977962e-06F, q = 3.784203131e-05F;
    p = p * t + 2.875985069e-04F;
    p = p * t + 3.916789340e-03F;
    p = p * t + 5.320547389e-02F;
    p = p * t + 1.940220746e-01F;
    p = p * t + 1.128379006e+00F;
    q = q * t + 1.198090606e-03F;
    q = q * t + 1.526964029e-02F;
    q = q * t + 1.155853184e-01F;
    q = q * t + 5.052790765e-01F;
    q = q * t + 1;
    return y * p / q;
}

RMIL_INLINE float rmil_gelu(float x) { return 0.5F * x * (1 + rmil_erf(x * 0.707106781F)); }
RMIL_INLINE float rmil_silu(float x) { return x / (1 + rmil_exp(-x)); }

#endif
