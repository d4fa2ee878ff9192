/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of the position encoding. */
#include "ppeg.h"

#include <math.h>
#include <string.h>

enum { SIZES = 3, WIDE = 7, HALF = WIDE / 2, TAPS = WIDE * WIDE };
static const int sizes[SIZES] = {7, 5, 3};

int rmil_ppeg_layout(RmilParameterLayout *layout, const char *name, int64_t d) {
    int first = -1;
    for (int k = 0; k < SIZES; k++) {
        const double bound = 1 / (double)sizes[k]; /* 1/√(size²), PyTorch's initial bound */
        g_autofree char *part = k ? g_strdup_printf("%s.proj%d", name, k) : g_strdup_printf("%s.proj", name);
        g_autofree char *weight = g_strconcat(part, ".weight", NULL);
        const int at = rmil_parameter_add_shape(layout, RMIL_INIT_UNIFORM, bound, 4, (const int64_t[]){d, 1, sizes[k], sizes[k]}, weight);
        rmil_parameter_add(layout, RMIL_INIT_UNIFORM, bound, 1, d, 0, 0, "%s.bias", part);
        if (!k) first = at;
    }
    return first;
}

/* Tap of the wide kernel that corresponds to tap (y, x) of kernel k. */
static int64_t tap_of(int k, int64_t y, int64_t x) {
    const int64_t off = HALF - sizes[k] / 2;
    return (y + off) * WIDE + x + off;
}

/* kernel: 49 × d, including the token itself; bias: d. */
static void merge(const RmilStep *step, int first, int64_t d, float *kernel, float *bias) {
    memset(kernel, 0, (size_t)(TAPS * d) * sizeof *kernel);
    memset(bias, 0, (size_t)d * sizeof *bias);
    for (int64_t c = 0; c < d; c++) kernel[(HALF * WIDE + HALF) * d + c] = 1;
    for (int k = 0; k < SIZES; k++) {
        const float *weight = rmil_step_parameter(step, first + 2 * k), *shift = rmil_step_parameter(step, first + 2 * k + 1);
        for (int64_t c = 0; c < d; c++) {
            bias[c] += shift[c];
            for (int64_t y = 0; y < sizes[k]; y++)
                for (int64_t x = 0; x < sizes[k]; x++) kernel[tap_of(k, y, x) * d + c] += weight[(c * sizes[k] + y) * sizes[k] + x];
        }
    }
}

RMIL_CLONES static void add_product(const float *restrict a, const float *restrict b, int64_t n, float *restrict y) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] += a[i] * b[i];
}

/* y[at] += kernel[tap] ∘ x[at + tap]; turned: kernel[tap] ∘ x[at − tap], for the backward pass. */
static void convolve(const float *kernel, const float *x, int64_t side, int64_t d, gboolean turned, float *y) {
    for (int64_t row = 0; row < side; row++)
        for (int64_t column = 0; column < side; column++)
            for (int64_t tap = 0; tap < TAPS; tap++) {
                const int64_t dy = tap / WIDE - HALF, dx = tap % WIDE - HALF, sign = turned ? -1 : 1;
                const int64_t from_row = row + sign * dy, from_column = column + sign * dx;
                if (from_row < 0 || from_row >= side || from_column < 0 || from_column >= side) continue;
                add_product(kernel + tap * d, x + (from_row * side + from_column) * d, d, y + (row * side + column) * d);
            }
}

gboolean rmil_ppeg_forward(const RmilStep *step, int first, const float *x, int64_t side, int64_t d, float *y, RmilArena *arena,
                           GError **error) {
    float *kernel = rmil_arena_floats(arena, (TAPS + 1) * d, error), *bias = kernel + TAPS * d;
    if (!kernel) return FALSE;
    merge(step, first, d, kernel, bias);
    for (int64_t i = 0; i < side * side; i++) memcpy(y + i * d, bias, (size_t)d * sizeof *y);
    convolve(kernel, x, side, d, FALSE, y);
    return TRUE;
}

gboolean rmil_ppeg_backward(const RmilStep *step, int first, const float *x, int64_t side, int64_t d, const float *dy, float *dx,
                            RmilArena *arena, GError **error) {
    float *kernel = rmil_arena_floats(arena, 2 * (TAPS + 1) * d, error), *bias = kernel + TAPS * d;
    if (!kernel) return FALSE;
    float *slopes = bias + d, *shift = slopes + TAPS * d;
    merge(step, first, d, kernel, bias);
    memset(dx, 0, (size_t)(side * side * d) * sizeof *dx);
    convolve(kernel, dy, side, d, TRUE, dx);
    memset(slopes, 0, (size_t)((TAPS + 1) * d) * sizeof *slopes);
    for (int64_t row = 0; row < side; row++)
        for (int64_t column = 0; column < side; column++) {
            const float *slope = dy + (row * side + column) * d;
            for (int64_t c = 0; c < d; c++) shift[c] += slope[c];
            for (int64_t tap = 0; tap < TAPS; tap++) {
                const int64_t from_row = row + tap / WIDE - HALF, from_column = column + tap % WIDE - HALF;
                if (from_row < 0 || from_row >= side || from_column < 0 || from_column >= side) continue;
                add_product(slope, x + (from_row * side + from_column) * d, d, slopes + tap * d);
            }
        }
    for (int k = 0; k < SIZES; k++) { /* each kernel is a part of the wide one */
        float *weight = rmil_step_gradient(step, first + 2 * k);
        memcpy(rmil_step_gradient(step, first + 2 * k + 1), shift, (size_t)d * sizeof *shift);
        for (int64_t c = 0; c < d; c++)
            for (int64_t row = 0; row < sizes[k]; row++)
                for (int64_t column = 0; column < sizes[k]; column++)
                    weight[(c * sizes[k] + row) * sizes[k] + column] = slopes[tap_of(k, row, column) * d + c];
    }
    return TRUE;
}
