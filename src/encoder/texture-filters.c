/* SPDX-License-Identifier: Apache-2.0 */
/* Filters over small square planes: each row is one vectorised loop, borders repeat the edge. */
#include "texture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROW (TEXTURE_SIDE + 96) /* a row and its border, with room for a whole vector at its end */

static const uint8_t *byte_row(const uint8_t *plane, int side, int y) { return plane + (size_t)CLAMP(y, 0, side - 1) * (size_t)side; }

static const uint16_t *wide_row(const uint16_t *plane, int side, int y) { return plane + (size_t)CLAMP(y, 0, side - 1) * (size_t)side; }

static void pad(uint16_t *padded, int side) {
    padded[0] = padded[1] = padded[2];
    padded[side + 2] = padded[side + 3] = padded[side + 1];
}

RMIL_CLONES static void blur_rows(const uint16_t *restrict padded, int side, uint16_t *restrict to, int shift) {
    const uint16_t half = (uint16_t)(shift ? 1 << (shift - 1) : 0);
#pragma omp simd
    for (int x = 0; x < side; x++)
        to[x] = (uint16_t)((uint16_t)(padded[x] + padded[x + 4] + 4 * (padded[x + 1] + padded[x + 3]) + 6 * padded[x + 2] + half) >> shift);
}

RMIL_CLONES static void blur_columns(const uint16_t *restrict a, const uint16_t *restrict b, const uint16_t *restrict c,
                                     const uint16_t *restrict d, const uint16_t *restrict e, int side, uint16_t *restrict to) {
#pragma omp simd
    for (int x = 0; x < side; x++) to[x] = (uint16_t)((uint16_t)(a[x] + e[x] + 4 * (b[x] + d[x]) + 6 * c[x] + 8) >> 4);
}

static void blur_down(const uint16_t *work, int side, uint16_t *to) {
    for (int y = 0; y < side; y++)
        blur_columns(wide_row(work, side, y - 2), wide_row(work, side, y - 1), wide_row(work, side, y), wide_row(work, side, y + 1),
                     wide_row(work, side, y + 2), side, to + (size_t)y * (size_t)side);
}

void rmil_texture_blur_bytes(const uint8_t *from, int side, uint16_t *to, uint16_t *work) {
    uint16_t padded[ROW];
    for (int y = 0; y < side; y++) {
        const uint8_t *row = byte_row(from, side, y);
        for (int x = 0; x < side; x++) padded[x + 2] = row[x];
        pad(padded, side);
        blur_rows(padded, side, work + (size_t)y * (size_t)side, 0);
    }
    blur_down(work, side, to);
}

void rmil_texture_blur(const uint16_t *from, int side, uint16_t *to, uint16_t *work) {
    uint16_t padded[ROW];
    for (int y = 0; y < side; y++) {
        memcpy(padded + 2, wide_row(from, side, y), (size_t)side * sizeof *padded);
        pad(padded, side);
        blur_rows(padded, side, work + (size_t)y * (size_t)side, 4);
    }
    blur_down(work, side, to);
}

RMIL_CLONES void rmil_texture_widen(const uint8_t *from, int side, uint16_t *to) {
#pragma omp simd
    for (int i = 0; i < side * side; i++) to[i] = (uint16_t)(from[i] << 4);
}

/* -- band-pass statistics ------------------------------------------------------------------------------------------ */

RMIL_CLONES static void band_row(const uint16_t *restrict fine, const uint16_t *restrict coarse, int side, int16_t *restrict response,
                                 float sums[4]) {
    float s1 = 0, s2 = 0, s3 = 0, s4 = 0;
#pragma omp simd reduction(+ : s1, s2, s3, s4)
    for (int x = 0; x < side; x++) {
        response[x] = (int16_t)(fine[x] - coarse[x]);
        float d = (float)response[x] * 0.0625F, square = d * d;
        s1 += d;
        s2 += square;
        s3 += square * d;
        s4 += square * square;
    }
    sums[0] = s1;
    sums[1] = s2;
    sums[2] = s3;
    sums[3] = s4;
}

#define PEAK 24 /* 1.5 plane units, in sixteenths */

RMIL_CLONES static void peaks_row(const int16_t *restrict above, const int16_t *restrict row, const int16_t *restrict below, int side,
                                  int32_t totals[2]) {
    int32_t count = 0, height = 0;
#pragma omp simd reduction(+ : count, height)
    for (int x = 1; x < side - 1; x++) {
        /* strict on one side, so that a plateau of two counts once */
        int16_t before = MAX(MAX(above[x - 1], above[x]), MAX(above[x + 1], row[x - 1]));
        int16_t after = MAX(MAX(below[x - 1], below[x]), MAX(below[x + 1], row[x + 1]));
        int32_t peak = (row[x] >= PEAK) & (row[x] > before) & (row[x] >= after);
        count += peak;
        height += peak * row[x];
    }
    totals[0] += count;
    totals[1] += height;
}

void rmil_texture_band(const uint16_t *fine, const uint16_t *coarse, int side, int16_t *response, TextureBand *band) {
    double s1 = 0, s2 = 0, s3 = 0, s4 = 0, n = (double)side * side;
    for (int y = 0; y < side; y++) {
        size_t at = (size_t)y * (size_t)side;
        float sums[4];
        band_row(fine + at, coarse + at, side, response + at, sums);
        s1 += (double)sums[0];
        s2 += (double)sums[1];
        s3 += (double)sums[2];
        s4 += (double)sums[3];
    }
    int32_t peaks[2] = {0};
    for (int y = 1; y < side - 1; y++) {
        const int16_t *row = response + (size_t)y * (size_t)side;
        peaks_row(row - side, row, row + side, side, peaks);
    }
    double mean = s1 / n, variance = MAX(s2 / n - mean * mean, 0);
    double third = s3 / n - 3 * mean * s2 / n + 2 * mean * mean * mean;
    double fourth = s4 / n - 4 * mean * s3 / n + 6 * mean * mean * s2 / n - 3 * mean * mean * mean * mean;
    /* the floor prevents quantisation noise of a flat tile from looking like a shape */
    *band = (TextureBand){.sd = sqrt(variance), .peaks = peaks[0], .height = peaks[0] ? peaks[1] / 16.0 / peaks[0] : 0};
    double floor = variance + 0.02;
    band->skewness = third / (floor * sqrt(floor));
    band->kurtosis = variance > 0.02 ? fourth / (floor * floor) - 3 : 0;
}

/* -- local binary patterns ----------------------------------------------------------------------------------------- */

#define ABOVE(neighbour) ((uint8_t)((neighbour) >= threshold ? 255 : 0))

RMIL_CLONES static void patterns_row(const uint8_t *restrict above, const uint8_t *restrict row, const uint8_t *restrict below, int side,
                                     uint8_t margin, uint8_t *restrict bins) {
#pragma omp simd
    for (int x = 1; x < side - 1; x++) {
        uint8_t sum = (uint8_t)(row[x] + margin), threshold = sum < margin ? 255 : sum;
        uint8_t a = ABOVE(above[x - 1]), b = ABOVE(above[x]), c = ABOVE(above[x + 1]), d = ABOVE(row[x + 1]);
        uint8_t e = ABOVE(below[x + 1]), f = ABOVE(below[x]), g = ABOVE(below[x - 1]), h = ABOVE(row[x - 1]);
        /* sums of −1s */
        uint8_t ones = (uint8_t)(a + b + c + d + e + f + g + h);
        uint8_t ab = a ^ b, bc = b ^ c, cd = c ^ d, de = d ^ e, ef = e ^ f, fg = f ^ g, gh = g ^ h, ha = h ^ a;
        uint8_t changes = (uint8_t)(ab + bc + cd + de + ef + fg + gh + ha);
        uint8_t uniform = (uint8_t)-ones;
        bins[x] = (uint8_t)-changes > 2 ? 9 : uniform;
    }
}

RMIL_CLONES static void count_bins(const uint8_t *restrict bins, int side, uint8_t bin, uint8_t *restrict column) {
#pragma omp simd
    for (int x = 1; x < side - 1; x++) {
        uint8_t is = bins[x] == bin ? 1 : 0;
        column[x] = (uint8_t)(column[x] + is);
    }
}

void rmil_texture_patterns(const uint8_t *plane, int side, int margin, int32_t counts[10]) {
    uint8_t accumulated[10][ROW] = {{0}}; /* at most 222 rows: a byte holds each column's count */
    for (int y = 1; y < side - 1; y++) {
        const uint8_t *row = plane + (size_t)y * (size_t)side;
        uint8_t bins[ROW];
        patterns_row(row - side, row, row + side, side, (uint8_t)margin, bins);
        for (int bin = 0; bin < 10; bin++) count_bins(bins, side, (uint8_t)bin, accumulated[bin]);
    }
    for (int bin = 0; bin < 10; bin++) {
        counts[bin] = 0;
        for (int x = 1; x < side - 1; x++) counts[bin] += accumulated[bin][x];
    }
}

/* -- morphology ---------------------------------------------------------------------------------------------------- */

#define MORPHOLOGY(name, choose)                                                                                                           \
    RMIL_CLONES static void name##_row(const uint8_t *restrict above, const uint8_t *restrict row, const uint8_t *restrict below,          \
                                       int side, gboolean cross, uint8_t *restrict to) {                                                   \
        uint8_t column[ROW];                                                                                                               \
        _Pragma("omp simd") for (int x = 0; x < side; x++) {                                                                               \
            uint8_t outer = choose(above[x], below[x]);                                                                                    \
            column[x + 1] = choose(row[x], outer);                                                                                         \
        }                                                                                                                                  \
        const uint8_t *beside = column;                                                                                                    \
        uint8_t padded[ROW];                                                                                                               \
        if (cross) {                                                                                                                       \
            memcpy(padded + 1, row, (size_t)side);                                                                                         \
            padded[0] = row[0];                                                                                                            \
            padded[side + 1] = row[side - 1];                                                                                              \
            beside = padded;                                                                                                               \
        } else {                                                                                                                           \
            column[0] = column[1];                                                                                                         \
            column[side + 1] = column[side];                                                                                               \
        }                                                                                                                                  \
        _Pragma("omp simd") for (int x = 0; x < side; x++) {                                                                               \
            uint8_t sides = choose(beside[x], beside[x + 2]);                                                                              \
            to[x] = choose(column[x + 1], sides);                                                                                          \
        }                                                                                                                                  \
    }                                                                                                                                      \
    void rmil_texture_##name(const uint8_t *from, int side, gboolean cross, uint8_t *to) {                                                 \
        for (int y = 0; y < side; y++)                                                                                                     \
            name##_row(byte_row(from, side, y - 1), byte_row(from, side, y), byte_row(from, side, y + 1), side, cross,                     \
                       to + (size_t)y * (size_t)side);                                                                                     \
    }

MORPHOLOGY(erode, MIN)
MORPHOLOGY(dilate, MAX)

/* -- gradients, contrasts, cells ----------------------------------------------------------------------------------- */

RMIL_CLONES static void tensor_row(const uint8_t *restrict above, const uint8_t *restrict row, const uint8_t *restrict below, int first,
                                   int last, int64_t tensor[3]) {
    int32_t xx = 0, yy = 0, xy = 0;
#pragma omp simd reduction(+ : xx, yy, xy)
    for (int x = first; x < last; x++) {
        int32_t dx = row[x + 1] - row[x - 1], dy = below[x] - above[x];
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    tensor[0] += xx;
    tensor[1] += yy;
    tensor[2] += xy;
}

void rmil_texture_tensor(const uint8_t *plane, int side, int64_t tensor[TEXTURE_GRID * TEXTURE_GRID][3]) {
    memset(tensor, 0, sizeof(int64_t) * 3 * TEXTURE_GRID * TEXTURE_GRID);
    int cell = side / TEXTURE_GRID;
    for (int y = 1; y < side - 1; y++) {
        const uint8_t *row = plane + (size_t)y * (size_t)side;
        for (int c = 0; c < TEXTURE_GRID; c++)
            tensor_row(row - side, row, row + side, MAX(c * cell, 1), MIN((c + 1) * cell, side - 1), tensor[y / cell * TEXTURE_GRID + c]);
    }
}

RMIL_CLONES static int32_t difference(const uint8_t *restrict a, const uint8_t *restrict b, int n) {
    int32_t sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int x = 0; x < n; x++) sum += abs(a[x] - b[x]);
    return sum;
}

double rmil_texture_contrast(const uint8_t *plane, int side, int distance) {
    int64_t sum = 0;
    for (int y = 0; y < side; y++) {
        const uint8_t *row = plane + (size_t)y * (size_t)side;
        sum += difference(row, row + distance, side - distance);
        if (y + distance < side) sum += difference(row, row + (size_t)distance * (size_t)side, side);
    }
    return (double)sum / (2.0 * side * (side - distance));
}

RMIL_CLONES static void add_columns(const uint8_t *restrict row, int side, uint16_t *restrict columns) {
#pragma omp simd
    for (int x = 0; x < side; x++) columns[x] = (uint16_t)(columns[x] + row[x]);
}

void rmil_texture_cells(const uint8_t *plane, int side, int32_t sums[TEXTURE_GRID * TEXTURE_GRID]) {
    int cell = side / TEXTURE_GRID; /* at most 56 rows of bytes: a column's sum fits */
    for (int cy = 0; cy < TEXTURE_GRID; cy++) {
        uint16_t columns[ROW] = {0};
        for (int y = cy * cell; y < (cy + 1) * cell; y++) add_columns(plane + (size_t)y * (size_t)side, side, columns);
        for (int cx = 0; cx < TEXTURE_GRID; cx++) {
            int32_t sum = 0;
            for (int x = cx * cell; x < (cx + 1) * cell; x++) sum += columns[x];
            sums[cy * TEXTURE_GRID + cx] = sum;
        }
    }
}

/* -- threshold ----------------------------------------------------------------------------------------------------- */

int rmil_texture_otsu(const int32_t histogram[256], double *separability) {
    double total = 0, sum = 0, squares = 0, weight = 0, below = 0, best = 0;
    for (int v = 0; v < 256; v++) {
        total += histogram[v];
        sum += (double)v * histogram[v];
        squares += (double)v * v * histogram[v];
    }
    int threshold = 0;
    for (int v = 0; v < 255 && total > 0; v++) {
        weight += histogram[v];
        below += (double)v * histogram[v];
        if (weight <= 0 || weight >= total) continue;
        double gap = below / weight - (sum - below) / (total - weight);
        double between = weight * (total - weight) * gap * gap;
        if (between > best) {
            best = between;
            threshold = v;
        }
    }
    double variance = total > 0 ? total * squares - sum * sum : 0; /* times total² */
    *separability = variance > 0 ? best / variance : 0;
    return threshold;
}
