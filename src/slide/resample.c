/* SPDX-License-Identifier: Apache-2.0 */
/* Resampling by area. */
#include "slide/resample.h"

#include <math.h>
#include <string.h>

#define ONE 65536

/* Rounding the running sum keeps the total exact. */
static void add_box(RmilTaps *taps, int64_t i, double from, double to, int64_t input) {
    double low = CLAMP(from, 0, (double)input), high = CLAMP(to, 0, (double)input), scale = ONE / (to - from);
    int32_t first = (int32_t)floor(low), n = 0;
    uint32_t before = 0;
    for (int32_t k = first; k < high; k++) {
        uint32_t sum = (uint32_t)lrint((MIN(high, k + 1.0) - low) * scale);
        taps->weights[taps->start[i] + n++] = sum - before;
        before = sum;
    }
    taps->first[i] = first;
    taps->count[i] = n;
}

static void add_linear(RmilTaps *taps, int64_t i, double centre, int64_t input) {
    if (centre < 0 || centre > (double)input) return;
    double place = CLAMP(centre - 0.5, 0, (double)(input - 1));
    int32_t first = (int32_t)MIN(floor(place), (double)MAX(input - 2, 0));
    uint32_t second = (uint32_t)lrint((place - first) * ONE);
    taps->first[i] = first;
    taps->count[i] = input > 1 ? 2 : 1;
    taps->weights[taps->start[i]] = ONE - second;
    if (input > 1) taps->weights[taps->start[i] + 1] = second;
}

gboolean rmil_taps_init(RmilTaps *taps, double offset, double step, int64_t size, int64_t input, GError **error) {
    int32_t most = (int32_t)ceil(step) + 1;
    *taps = (RmilTaps){.size = size};
    if (!(taps->first = rmil_try_new(size, sizeof *taps->first, error)) ||
        !(taps->count = rmil_try_new(size, sizeof *taps->count, error)) ||
        !(taps->start = rmil_try_new(size, sizeof *taps->start, error)) ||
        !(taps->weights = rmil_try_new(size * most, sizeof *taps->weights, error)))
        return FALSE;
    for (int64_t i = 0; i < size; i++) {
        taps->start[i] = (int32_t)(i * most);
        double from = offset + (double)i * step;
        if (step < 1) add_linear(taps, i, from + step / 2, input);
        else add_box(taps, i, from, offset + (double)(i + 1) * step, input);
    }
    return TRUE;
}

void rmil_taps_clear(RmilTaps *taps) {
    g_free(taps->first);
    g_free(taps->count);
    g_free(taps->start);
    g_free(taps->weights);
}

/* Up to three rows in one pass, which is enough for a step below 2. */
RMIL_CLONES static void blend_rows(uint32_t *restrict out, const uint8_t *a, uint32_t wa, const uint8_t *b, uint32_t wb, const uint8_t *c,
                                   uint32_t wc, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = (wa * a[i] + wb * b[i] + wc * c[i] + 128) >> 8;
}

RMIL_CLONES static void add_row(uint32_t *restrict sum, const uint8_t *restrict row, uint32_t weight, int64_t n) {
    for (int64_t i = 0; i < n; i++) sum[i] += weight * row[i];
}

RMIL_CLONES static void round_row(uint32_t *row, int64_t n) {
    for (int64_t i = 0; i < n; i++) row[i] = (row[i] + 128) >> 8;
}

/* Row j of the output, in 1/256, before the horizontal pass. */
static void down(const uint32_t *input, int64_t width, const RmilTaps *y, int64_t j, uint32_t *row) {
    const uint8_t *first = (const uint8_t *)(input + y->first[j] * width);
    const uint32_t *weights = y->weights + y->start[j];
    int64_t n = 4 * width;
    int32_t count = y->count[j];
    if (count == 0) {
        memset(row, 0, (size_t)n * sizeof *row);
    } else if (count <= 3) {
        const uint8_t *second = count > 1 ? first + n : first, *third = count > 2 ? second + n : first;
        blend_rows(row, first, weights[0], second, count > 1 ? weights[1] : 0, third, count > 2 ? weights[2] : 0, n);
    } else {
        memset(row, 0, (size_t)n * sizeof *row);
        for (int32_t k = 0; k < count; k++) add_row(row, first + k * n, weights[k], n);
        round_row(row, n);
    }
}

typedef uint32_t Words4 __attribute__((vector_size(16)));
typedef uint8_t Bytes16 __attribute__((vector_size(16)));

/* The highest byte of each word, in the first word. GCC before 12 lacks one of the functions, clang the other. */
RMIL_INLINE uint32_t highest_bytes(Words4 words) {
    enum { FIRST = G_BYTE_ORDER == G_LITTLE_ENDIAN ? 3 : 0 };
#ifdef __clang__
    return ((Words4)__builtin_shufflevector((Bytes16)words, (Bytes16)words, FIRST, FIRST + 4, FIRST + 8, FIRST + 12, 0, 0, 0, 0, 0, 0, 0, 0,
                                            0, 0, 0, 0))[0];
#else
    return ((Words4)__builtin_shuffle((Bytes16)words, (Bytes16){FIRST, FIRST + 4, FIRST + 8, FIRST + 12}))[0];
#endif
}

/* A pixel's four channels are one vector; their highest bytes are the result. */
RMIL_CLONES static void across(const uint32_t *restrict row, const RmilTaps *taps, uint32_t *restrict output) {
    for (int64_t i = 0; i < taps->size; i++) {
        const uint32_t *weights = taps->weights + taps->start[i];
        const uint32_t *in = row + 4 * (int64_t)taps->first[i];
        Words4 sum = {1u << 23, 1u << 23, 1u << 23, 1u << 23};
        for (int32_t k = 0; k < taps->count[i]; k++) {
            Words4 pixel;
            memcpy(&pixel, in + 4 * k, sizeof pixel);
            sum += pixel * weights[k];
        }
        output[i] = highest_bytes(sum);
    }
}

void rmil_resample(const uint32_t *input, int64_t width, const RmilTaps *x, const RmilTaps *y, uint32_t *output, int64_t stride,
                   uint32_t *scratch) {
    for (int64_t j = 0; j < y->size; j++) {
        down(input, width, y, j, scratch);
        across(scratch, x, output + j * stride);
    }
}
