/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise functions of the models, vectorised. y may be x unless stated otherwise. They keep no state and give the same bits for the
 * same input on one machine. Errors are of the size of float32 rounding. */
#ifndef RMIL_MIL_ACTIVATION_H
#define RMIL_MIL_ACTIVATION_H

#include "base/base-private.h"

G_BEGIN_DECLS

/* e^x within 2 ulp for |x| ≤ 87; 0 below that, and above it the largest finite power. Meant to be inlined into vectorised loops. */
RMIL_INLINE float rmil_exp(float x) {
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float n = (x * 1.44269504f + 12582912.0f) - 12582912.0f; /* nearest integer multiple of ln 2 */
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.39504892e-3f;
    p = p * r + 8.36888956e-3f;
    p = p * r + 4.16662058e-2f;
    p = p * r + 1.66665188e-1f;
    p = p * r + 5.00000010e-1f;
    union {
        uint32_t bits;
        float value;
    } power = {.bits = (uint32_t)((int32_t)n + 127) << 23}; /* unsigned: a NaN gives an arbitrary power, and the product stays NaN */
    return (1.0f + (r + r * r * p)) * power.value;
}

void rmil_sigmoid(const float *x, float *y, int64_t n); /* within 2e-7 relative */
void rmil_tanh(const float *x, float *y, int64_t n);    /* within 3e-7 relative */

/* x += b, then y = GELU(x) = x Φ(x), where Φ is the normal distribution (PyTorch's default, not the tanh form), within 1e-7 · max(1, |x|).
 * x and y: rows × n, ld floats from row to row; b: n. x and y must differ. */
void rmil_gelu(float *x, int64_t ld, int64_t rows, int64_t n, const float *b, float *y);
/* y = GELU(x), and x becomes GELU'(x); shapes as above. x and y must differ. */
void rmil_gelu_slope(float *x, int64_t ld, int64_t rows, int64_t n, float *y);

/* Each of the rows of width n, `stride` floats apart, becomes softmax(scale · row). If not NULL, log_sum[row] is
 * log Σ exp(scale · row). */
void rmil_softmax_rows(float *x, int64_t rows, int64_t n, int64_t stride, float scale, float *log_sum);

G_END_DECLS
#endif
