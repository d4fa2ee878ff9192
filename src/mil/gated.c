/* SPDX-License-Identifier: Apache-2.0 */
/* Gated attention: tanh ⊙ sigmoid. */
#include "gated.h"

#include "activation.h"

void rmil_gated_forward(float *u, int64_t ldu, int64_t rows, int64_t m, const float *bias_a, const float *bias_b) {
    for (int64_t k = 0; k < rows; k++) {
        float *a = u + k * ldu, *b = a + m;
        for (int64_t i = 0; i < m; i++) a[i] += bias_a[i], b[i] += bias_b[i];
        rmil_tanh(a, a, m);
        rmil_sigmoid(b, b, m);
    }
}

RMIL_CLONES void rmil_gated_scores(const float *u, int64_t ldu, int64_t rows, int64_t m, const float *w, const float *bias, int classes,
                                   float *scores, int64_t stride) {
    for (int64_t k = 0; k < rows; k++) {
        const float *a = u + k * ldu, *b = a + m;
        for (int c = 0; c < classes; c++) {
            const float *wc = w + c * m;
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t i = 0; i < m; i++) sum += a[i] * b[i] * wc[i];
            scores[c * stride + k] = sum + bias[c];
        }
    }
}

#define TILE 64

/* Any number of classes, TILE columns of a row at a time: first d = ∂L/∂(a ∘ b) = Σ_c ds_c w_c, then the gates. */
RMIL_CLONES static void backward_many(float *u, int64_t ldu, int64_t rows, int64_t m, const float *w, int classes, const float *ds,
                                      int64_t stride, float keep, float *dw, float *dbias_a, float *dbias_b) {
    const float undo = 1.0f / keep;
    for (int64_t k = 0; k < rows; k++)
        for (int64_t first = 0; first < m; first += TILE) {
            const int64_t n = MIN(TILE, m - first);
            float *restrict a = u + k * ldu + first, *restrict b = a + m;
            float d[TILE] = {0};
            for (int c = 0; c < classes; c++) {
                const float dc = ds[c * stride + k], *from = w + c * m + first;
                float *out = dw + c * m + first;
#pragma omp simd
                for (int64_t i = 0; i < n; i++) {
                    d[i] += dc * from[i];
                    out[i] += dc * a[i] * b[i];
                }
            }
#pragma omp simd
            for (int64_t i = 0; i < n; i++) {
                const float ai = a[i], bi = b[i], at = ai * undo, bt = bi * undo;
                const float slope_a = keep * (1.0f - at * at), slope_b = keep * bt * (1.0f - bt);
                const float da = ai == 0.0f && keep != 1.0f ? 0.0f : d[i] * bi * slope_a, db = d[i] * ai * slope_b;
                a[i] = da;
                b[i] = db;
                dbias_a[first + i] += da;
                dbias_b[first + i] += db;
            }
        }
}

/* One or two classes: ∂L/∂(a ∘ b) is formed on the fly. */
RMIL_CLONES static void backward_few(float *u, int64_t ldu, int64_t rows, int64_t m, const float *w, int classes, const float *ds,
                                     int64_t stride, float keep, float *dw, float *dbias_a, float *dbias_b) {
    const float undo = 1.0f / keep;
    const float *w1 = w + (classes > 1 ? m : 0);
    float *dw1 = dw + (classes > 1 ? m : 0);
    for (int64_t k = 0; k < rows; k++) {
        float *restrict a = u + k * ldu, *restrict b = a + m;
        const float d0 = ds[k], d1 = classes > 1 ? ds[stride + k] : 0.0f;
#pragma omp simd
        for (int64_t i = 0; i < m; i++) {
            const float ai = a[i], bi = b[i], at = ai * undo, bt = bi * undo, d = d0 * w[i] + d1 * w1[i];
            dw[i] += d0 * ai * bi;
            if (classes > 1) dw1[i] += d1 * ai * bi;
            const float slope_a = keep * (1.0f - at * at), slope_b = keep * bt * (1.0f - bt);
            const float da = ai == 0.0f && keep != 1.0f ? 0.0f : d * bi * slope_a, db = d * ai * slope_b;
            a[i] = da;
            b[i] = db;
            dbias_a[i] += da;
            dbias_b[i] += db;
        }
    }
}

void rmil_gated_backward(float *u, int64_t ldu, int64_t rows, int64_t m, const float *w, int classes, const float *ds, int64_t stride,
                         float keep, float *dw, float *dbias_a, float *dbias_b) {
    (classes > 2 ? backward_many : backward_few)(u, ldu, rows, m, w, classes, ds, stride, keep, dw, dbias_a, dbias_b);
}
