/* SPDX-License-Identifier: Apache-2.0 */
/* Sigmoid, tanh, GELU and their derivatives. */
#include "activation.h"

#include <math.h>

RMIL_CLONES void rmil_sigmoid(const float *x, float *y, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float e = rmil_exp(-fabsf(x[i])); /* never overflows */
        y[i] = (x[i] >= 0.0f ? 1.0f : e) / (1.0f + e);
    }
}

/* An odd polynomial near 0, elsewhere from e^2|x|, so that the relative error is small everywhere. */
RMIL_CLONES void rmil_tanh(const float *x, float *y, int64_t n) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float v = x[i], a = fabsf(v), u = v * v;
        float p = -5.71703656e-3f;
        p = p * u + 2.06505790e-2f;
        p = p * u - 5.37434953e-2f;
        p = p * u + 1.33314912e-1f;
        p = p * u - 3.33332839e-1f;
        float near = v + v * u * p, far = 1.0f - 2.0f / (rmil_exp(2.0f * a) + 1.0f);
        y[i] = a < 0.625f ? near : copysignf(far, v);
    }
}

/* Φ(x) = ½ (1 + erf(x/√2)); erf(z) = 1 − exp(−z q(z)) for z ≥ 0, where q is smooth: a minimax polynomial on [0, 3.95]. Beyond that, erf is
 * 1 in float32 and the tail keeps falling. */
RMIL_INLINE float normal_cdf(float x) {
    float far = fabsf(x) * 0.707106781f, z = far > 3.95f ? 3.95f : far;
    float q = -8.04386098e-6f;
    q = q * z + 1.06026994e-4f;
    q = q * z - 5.87951927e-4f;
    q = q * z + 1.57676247e-3f;
    q = q * z - 5.87839841e-5f;
    q = q * z - 1.92171415e-2f;
    q = q * z + 1.02799210e-1f;
    q = q * z + 6.36616107e-1f;
    q = q * z + 1.12837933e+0f;
    float tail = 0.5f * rmil_exp(-far * q); /* ½ erfc(z) */
    return x >= 0.0f ? 1.0f - tail : tail;
}

RMIL_CLONES void rmil_gelu(float *x, int64_t ld, int64_t rows, int64_t n, const float *b, float *y) {
    for (int64_t r = 0; r < rows; r++) {
        float *in = x + r * ld, *out = y + r * ld;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            const float v = in[i] + b[i];
            in[i] = v;
            out[i] = v * normal_cdf(v);
        }
    }
}

RMIL_CLONES void rmil_gelu_slope(float *x, int64_t ld, int64_t rows, int64_t n, float *y) {
    for (int64_t r = 0; r < rows; r++) {
        float *in = x + r * ld, *out = y + r * ld;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            const float v = in[i], share = normal_cdf(v), density = 0.398942280f * rmil_exp(-0.5f * v * v);
            out[i] = v * share;
            in[i] = share + v * density;
        }
    }
}

RMIL_CLONES void rmil_softmax_rows(float *x, int64_t rows, int64_t n, int64_t stride, float scale, float *log_sum) {
    for (int64_t r = 0; r < rows; r++) {
        float *row = x + r * stride, top = -INFINITY, sum = 0.0f;
#pragma omp simd reduction(max : top)
        for (int64_t i = 0; i < n; i++) top = row[i] > top ? row[i] : top;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < n; i++) {
            row[i] = rmil_exp((row[i] - top) * scale);
            sum += row[i];
        }
        float norm = 1.0f / sum;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) row[i] *= norm;
        if (log_sum) log_sum[r] = top * scale + logf(sum);
    }
}
