/* SPDX-License-Identifier: Apache-2.0 */
/* Sums and products of rows. */
#include "rows.h"

#include <string.h>

/* Rows per float sum, before it is added to the double sums. */
#define TILE 256

RMIL_CLONES double rmil_dot(const float *x, const float *y, int64_t n) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

RMIL_CLONES void rmil_matrix_vector(const float *w, int64_t m, int64_t n, const float *x, const float *b, float add, float *y) {
    for (int64_t r = 0; r < m; r++) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < n; i++) sum += w[r * n + i] * x[i];
        y[r] = b ? sum + add * b[r] : sum;
    }
}

RMIL_CLONES void rmil_transposed_vector(const float *w, int64_t m, int64_t n, const float *x, gboolean more, float *y) {
    if (!more) memset(y, 0, (size_t)n * sizeof *y);
    for (int64_t r = 0; r < m; r++) {
        const float v = x[r];
#pragma omp simd
        for (int64_t i = 0; i < n; i++) y[i] += v * w[r * n + i];
    }
}

RMIL_CLONES void rmil_outer(const float *x, int64_t m, const float *y, int64_t n, gboolean more, float *g) {
    for (int64_t r = 0; r < m; r++) {
        const float v = x[r];
        float *out = g + r * n;
        if (more) {
#pragma omp simd
            for (int64_t i = 0; i < n; i++) out[i] += v * y[i];
        } else {
#pragma omp simd
            for (int64_t i = 0; i < n; i++) out[i] = v * y[i];
        }
    }
}

RMIL_CLONES void rmil_rows_relu(float *x, int64_t ldx, int64_t rows, int64_t n, const float *b) {
    for (int64_t r = 0; r < rows; r++) {
        float *row = x + r * ldx;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            float v = row[i] + b[i];
            row[i] = v > 0.0f ? v : 0.0f;
        }
    }
}

RMIL_CLONES void rmil_rows_add(float *x, int64_t rows, int64_t n, const float *b) {
    for (int64_t r = 0; r < rows; r++) {
        float *row = x + r * n;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) row[i] += b[i];
    }
}

RMIL_CLONES void rmil_rows_dot(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *u, float shift, float *out) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * ldx;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < n; i++) sum += row[i] * u[i];
        out[r] = sum + shift;
    }
}

RMIL_CLONES void rmil_rows_pool(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *a, double *sum) {
    float part[TILE];
    for (int64_t c = 0; c < n; c += TILE) {
        const int64_t width = MIN(TILE, n - c);
        for (int64_t first = 0; first < rows; first += TILE) {
            memset(part, 0, sizeof part);
            for (int64_t r = first; r < MIN(first + TILE, rows); r++) {
                const float weight = a[r], *row = x + r * ldx + c;
                if (weight == 0.0f) continue;
#pragma omp simd
                for (int64_t i = 0; i < width; i++) part[i] += weight * row[i];
            }
            for (int64_t i = 0; i < width; i++) sum[c + i] += (double)part[i];
        }
    }
}

RMIL_CLONES void rmil_rows_sum(const float *x, int64_t rows, int64_t n, float *g) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * n;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) g[i] += row[i];
    }
}

float rmil_dropout(const RmilStep *step, int site, int64_t first, int64_t rows, int64_t n, float *x, int64_t ldx) {
    const uint64_t cut = step->train ? (uint64_t)(step->config->dropout * 65536) : 0;
    const float keep = 65536.0f / (float)(65536 - cut);
    for (int64_t k = 0; cut && k < rows; k++) {
        RmilRng rng;
        rmil_rng_init(&rng, step->seed ^ UINT64_C(0x64726f70) ^ (uint64_t)site << 32,
                      step->stream * UINT64_C(0x100000001b3) + (uint64_t)(first + k));
        for (int64_t i = 0; i < n; i += 4) {
            uint64_t bits = rmil_rng_next(&rng);
            for (int64_t j = i; j < MIN(i + 4, n); j++, bits >>= 16) x[k * ldx + j] = (bits & 0xffff) < cut ? 0 : x[k * ldx + j] * keep;
        }
    }
    return keep;
}
