/* SPDX-License-Identifier: Apache-2.0 */
/* Flips, rotations and stain variation of a tile. */
#include "augment.h"

#include "base/base-private.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 256 }; /* pixels stained at once */
#define SHIFT 0.1     /* of an amount of stain, in optical density */

/* -- flips and rotations ---------------------------------------------------------------------------------------------------------- */
/* Index in the tile of the pixel that moves to (x, y). */
static int64_t source_of(gboolean flip, int turn, int64_t side, int64_t x, int64_t y) {
    const int64_t last = side - 1, columns[] = {x, y, last - x, last - y}, rows[] = {y, last - x, last - y, x};
    return rows[turn] * side + (flip ? last - columns[turn] : columns[turn]);
}

static void move(gboolean flip, int turn, int64_t side, uint8_t *rgb, uint8_t *scratch) {
    if (!flip && !turn) return;
    const int64_t start = source_of(flip, turn, side, 0, 0), across = side > 1 ? source_of(flip, turn, side, 1, 0) - start : 0,
                  down = side > 1 ? source_of(flip, turn, side, 0, 1) - start : 0;
    uint8_t *to = scratch;
    for (int64_t y = 0; y < side; y++) {
        const uint8_t *from = rgb + 3 * (start + y * down);
        for (int64_t x = 0; x < side; x++, to += 3, from += 3 * across) {
            to[0] = from[0];
            to[1] = from[1];
            to[2] = from[2];
        }
    }
    memcpy(rgb, scratch, (size_t)(side * side * 3));
}

/* -- stain ------------------------------------------------------------------------------------------------------------------------ */
/* Optical density in R, G, B of haematoxylin, eosin and DAB. */
static const double stains[3][3] = {{0.65, 0.70, 0.29}, {0.07, 0.99, 0.11}, {0.27, 0.57, 0.78}};

/* The change of log₂(value + 1) in R, G, B: a product and a sum, because the density is 8 minus it, up to a factor. */
typedef struct {
    float matrix[3][3], add[3];
} Change;

static void invert(const double m[3][3], double out[3][3]) {
    double determinant = 0;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            const int p = (i + 1) % 3, q = (i + 2) % 3, r = (j + 1) % 3, s = (j + 2) % 3;
            out[j][i] = m[p][r] * m[q][s] - m[p][s] * m[q][r];
        }
        determinant += i == 0 ? m[0][0] * out[0][0] + m[0][1] * out[1][0] + m[0][2] * out[2][0] : 0;
    }
    for (int i = 0; i < 9; i++) out[i / 3][i % 3] /= determinant;
}

/* Density d = Σ amounts × stains, so amounts = d × the inverse. */
static Change change_of(const double factor[3], const double shift[3]) {
    double amounts[3][3];
    Change change;
    invert(stains, amounts);
    for (int to = 0; to < 3; to++) {
        double sum = 0, density = 0;
        for (int from = 0; from < 3; from++) {
            double weight = 0;
            for (int s = 0; s < 3; s++) weight += amounts[from][s] * factor[s] * stains[s][to];
            change.matrix[to][from] = (float)weight;
            sum += weight;
        }
        for (int s = 0; s < 3; s++) density += shift[s] * stains[s][to];
        change.add[to] = (float)(8 - 8 * sum - density * log2(10));
    }
    return change;
}

static gpointer make_logarithms(gpointer unused) {
    static float logarithms[256];
    for (int v = 0; v < 256; v++) logarithms[v] = (float)log2(v + 1);
    return logarithms;
}

/* 2ᵗ − 1, rounded, for t from 0 to 8; 2 to the fraction by its series around a half, within 1e-3 of a grey value. */
RMIL_INLINE uint8_t value_of(float t) {
    const int32_t whole = (int32_t)t, bits = (whole + 127) << 23;
    const float x = (t - (float)whole - 0.5f) * 0.69314718f;
    const float part = 1.41421356f * (1 + x * (1 + x * (1 / 2.0f + x * (1 / 6.0f + x * (1 / 24.0f + x * (1 / 120.0f))))));
    float power;
    memcpy(&power, &bits, sizeof power);
    return (uint8_t)(int32_t)(part * power - 0.5f);
}

RMIL_CLONES static void stain_block(const Change *change, const float *restrict r, const float *restrict g, const float *restrict b,
                                    uint8_t *restrict out) {
    float t[BLOCK];
    for (int c = 0; c < 3; c++) {
        const float wr = change->matrix[c][0], wg = change->matrix[c][1], wb = change->matrix[c][2], add = change->add[c];
#pragma omp simd
        for (int i = 0; i < BLOCK; i++) {
            const float sum = r[i] * wr + g[i] * wg + b[i] * wb + add, high = sum > 0 ? sum : 0;
            t[i] = high < 8 ? high : 8;
        }
#pragma omp simd
        for (int i = 0; i < BLOCK; i++) out[c * BLOCK + i] = value_of(t[i]);
    }
}

static void stain_tile(const Change *change, int64_t pixels, uint8_t *rgb) {
    static GOnce once = G_ONCE_INIT;
    const float *logarithms = g_once(&once, make_logarithms, NULL);
    float red[BLOCK] = {0}, green[BLOCK] = {0}, blue[BLOCK] = {0};
    uint8_t out[3 * BLOCK];
    for (int64_t first = 0; first < pixels; first += BLOCK) {
        const int n = (int)MIN(BLOCK, pixels - first);
        uint8_t *pixel = rgb + 3 * first;
        for (int i = 0; i < n; i++, pixel += 3) {
            red[i] = logarithms[pixel[0]];
            green[i] = logarithms[pixel[1]];
            blue[i] = logarithms[pixel[2]];
        }
        stain_block(change, red, green, blue, out);
        pixel = rgb + 3 * first;
        for (int i = 0; i < n; i++, pixel += 3) {
            pixel[0] = out[i];
            pixel[1] = out[BLOCK + i];
            pixel[2] = out[2 * BLOCK + i];
        }
    }
}

void rmil_augment(const RmilAugmentation *how, RmilRng *rng, int side, uint8_t *rgb, uint8_t *scratch) {
    const gboolean flip = rmil_rng_uniform(rng) < 0.5;
    const int turn = (int)(rmil_rng_uniform(rng) * 4);
    double factor[3], shift[3];
    for (int s = 0; s < 3; s++) {
        factor[s] = 1 + (2 * rmil_rng_uniform(rng) - 1) * how->stain;
        shift[s] = (2 * rmil_rng_uniform(rng) - 1) * how->stain * SHIFT;
    }
    move(how->flip && flip, how->turn ? turn : 0, side, rgb, scratch);
    if (!(how->stain > 0)) return;
    const Change change = change_of(factor, shift);
    stain_tile(&change, (int64_t)side * side, rgb);
}
