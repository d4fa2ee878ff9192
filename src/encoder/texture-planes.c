/* SPDX-License-Identifier: Apache-2.0 */
/* Stain planes of a tile, for the texture encoder. */
#include "texture.h"

#include <math.h>

/* Ruifrok and Johnston, Anal Quant Cytol Histol 2001;23:291-9: optical density of haematoxylin and eosin in R, G, B. What neither explains
 * is along the direction orthogonal to both. */
static const double haematoxylin[3] = {0.65, 0.70, 0.29}, eosin[3] = {0.07, 0.99, 0.11};

#define OD_UNIT 12288.0                   /* so that the od of a black pixel, 2.41, still fits into int16 */
#define GLASS ((int)(0.06 * 3 * OD_UNIT)) /* summed over R, G, B */

static void cross(const double a[3], const double b[3], double out[3]) {
    for (int i = 0; i < 3; i++) out[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
}

static double dot(const double a[3], const double b[3]) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

void rmil_texture_tables(int16_t od[256], int16_t unmix[9]) {
    for (int v = 0; v < 256; v++) od[v] = (int16_t)lrint(-log10((v + 1) / 256.0) * OD_UNIT);
    double h[3], e[3], r[3], inverse[3][3];
    for (int i = 0; i < 3; i++) {
        h[i] = haematoxylin[i] / sqrt(dot(haematoxylin, haematoxylin));
        e[i] = eosin[i] / sqrt(dot(eosin, eosin));
    }
    cross(h, e, r);
    double norm = sqrt(dot(r, r)), volume;
    for (int i = 0; i < 3; i++) r[i] /= norm;
    cross(e, r, inverse[TEXTURE_H]);
    cross(r, h, inverse[TEXTURE_E]);
    cross(h, e, inverse[TEXTURE_R]);
    volume = dot(h, inverse[TEXTURE_H]);
    for (int i = 0; i < 9; i++) unmix[i] = (int16_t)lrint(inverse[i / 3][i % 3] / volume * 4 * TEXTURE_UNIT * 65536 / OD_UNIT);
}

static int16_t high(int16_t a, int16_t b) { return (int16_t)((int32_t)a * b >> 16); }

static uint8_t clamp(int16_t value) { return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value); }

RMIL_CLONES static int32_t separate(const int16_t *restrict r, const int16_t *restrict g, const int16_t *restrict b, const int16_t *unmix,
                                    uint8_t *restrict ph, uint8_t *restrict pe, uint8_t *restrict pr) {
    const int16_t m0 = unmix[0], m1 = unmix[1], m2 = unmix[2], m3 = unmix[3], m4 = unmix[4], m5 = unmix[5], m6 = unmix[6], m7 = unmix[7],
                  m8 = unmix[8];
    int32_t tissue = 0;
#pragma omp simd
    for (int x = 0; x < TEXTURE_SIDE; x++) {
        int16_t h = (int16_t)(high(r[x], m0) + high(g[x], m1) + high(b[x], m2) + 3);
        int16_t e = (int16_t)(high(r[x], m3) + high(g[x], m4) + high(b[x], m5) + 3);
        int16_t o = (int16_t)(high(r[x], m6) + high(g[x], m7) + high(b[x], m8) + 3);
        ph[x] = clamp((int16_t)(h >> 2));
        pe[x] = clamp((int16_t)(e >> 2));
        pr[x] = clamp((int16_t)((o >> 2) + TEXTURE_ZERO_R));
    }
#pragma omp simd reduction(+ : tissue)
    for (int x = 0; x < TEXTURE_SIDE; x++) tissue += r[x] + g[x] + b[x] > GLASS;
    return tissue;
}

RMIL_CLONES static void halve(const uint8_t *restrict from, int side, uint8_t *restrict to) {
    for (int y = 0; y < side / 2; y++) {
        const uint8_t *above = from + (size_t)(2 * y) * (size_t)side, *below = above + side;
        uint8_t *row = to + (size_t)y * (size_t)(side / 2);
#pragma omp simd
        for (int x = 0; x < side / 2; x++) row[x] = (uint8_t)((above[2 * x] + above[2 * x + 1] + below[2 * x] + below[2 * x + 1] + 2) >> 2);
    }
}

void rmil_texture_planes(const uint8_t *rgb, const int16_t od[256], const int16_t unmix[9], TexturePlanes *planes) {
    int16_t r[TEXTURE_SIDE], g[TEXTURE_SIDE], b[TEXTURE_SIDE];
    planes->tissue = 0;
    for (int y = 0; y < TEXTURE_SIDE; y++) {
        const uint8_t *row = rgb + (size_t)y * TEXTURE_SIDE * 3;
        for (int x = 0; x < TEXTURE_SIDE; x++) {
            r[x] = od[row[3 * x]];
            g[x] = od[row[3 * x + 1]];
            b[x] = od[row[3 * x + 2]];
        }
        size_t at = (size_t)y * TEXTURE_SIDE;
        planes->tissue += separate(r, g, b, unmix, planes->plane[TEXTURE_H][0] + at, planes->plane[TEXTURE_E][0] + at,
                                   planes->plane[TEXTURE_R][0] + at);
    }
    for (int stain = 0; stain < TEXTURE_STAINS; stain++)
        for (int level = 1; level < TEXTURE_LEVELS; level++)
            halve(planes->plane[stain][level - 1], TEXTURE_SIDE >> (level - 1), planes->plane[stain][level]);
}
