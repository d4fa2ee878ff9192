/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalisation, forward and backward. */
#include "layernorm.h"

#include <math.h>

#define EPSILON 1e-5f

RMIL_CLONES void rmil_layernorm_forward(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *weight, const float *bias,
                                        float *y, float *mean, float *rstd) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * ldx;
        float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < n; i++) sum += row[i];
        const float m = sum / (float)n;
#pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < n; i++) squares += (row[i] - m) * (row[i] - m);
        mean[r] = m;
        rstd[r] = 1.0f / sqrtf(squares / (float)n + EPSILON);
    }
    rmil_layernorm_again(x, ldx, rows, n, weight, bias, mean, rstd, y);
}

RMIL_CLONES void rmil_layernorm_again(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *weight, const float *bias,
                                      const float *mean, const float *rstd, float *y) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * ldx, m = mean[r], s = rstd[r];
        float *out = y + r * n;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) out[i] = (row[i] - m) * s * weight[i] + bias[i];
    }
}

/* With x̂ = (x − mean) rstd and g = dy ∘ weight:  dx = rstd (g − mean(g) − x̂ mean(g ∘ x̂)). */
RMIL_CLONES void rmil_layernorm_backward(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *weight, const float *mean,
                                         const float *rstd, const float *dy, float *dx, int64_t lddx, float *dweight, float *dbias) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * ldx, *d = dy + r * n, m = mean[r], s = rstd[r];
        float *out = dx + r * lddx;
        float sum = 0, inner = 0;
#pragma omp simd reduction(+ : sum, inner)
        for (int64_t i = 0; i < n; i++) {
            float h = (row[i] - m) * s, g = d[i] * weight[i];
            sum += g;
            inner += g * h;
            dweight[i] += d[i] * h;
            dbias[i] += d[i];
        }
        sum /= (float)n;
        inner /= (float)n;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) out[i] += s * (d[i] * weight[i] - sum - (row[i] - m) * s * inner);
    }
}
