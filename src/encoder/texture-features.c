/* SPDX-License-Identifier: Apache-2.0 */
/* The statistics that make up the descriptor. The order of the put() calls is the order of the features; if it or any formula changes,
 * texture.c needs a new version and texture-scale.c new constants. */
#include "texture.h"

#include <math.h>
#include <string.h>

#define CELLS (TEXTURE_GRID * TEXTURE_GRID)
#define LOCAL 10 /* statistics per cell */

struct TextureScratch {
    TexturePlanes planes;
    uint8_t *bytes; /* what planes point into */
    int16_t od[256], unmix[9];
    uint16_t *wide, *fine, *coarse, *work; /* level-0 sized */
    int16_t *response;
    uint8_t *eroded, *opened, *swap, *mask, *smooth, *energy; /* level-1 sized */
    void *nuclei;
    double *raw; /* owned by the caller */
    int count;
    struct {
        const char *group, *name;
        int index; /* −1: none */
    } label[TEXTURE_MOST];
    char name[64];
    struct {
        const char *name;
        double value[CELLS];
    } local[LOCAL];
    int locals;
};

TextureScratch *rmil_texture_scratch_new(GError **error) {
    TextureScratch *scratch = rmil_alloc(1, sizeof *scratch, error);
    if (!scratch) return NULL;
    size_t half = TEXTURE_PIXELS / 4;
    scratch->bytes = rmil_alloc(1, 2 * TEXTURE_PIXELS * TEXTURE_STAINS + 6 * half, error);
    scratch->wide = scratch->bytes ? rmil_alloc(1, 5 * (TEXTURE_PIXELS + 8 * TEXTURE_SIDE) * sizeof(uint16_t), error) : NULL;
    scratch->nuclei = scratch->wide ? rmil_alloc(1, TEXTURE_NUCLEI_SCRATCH, error) : NULL;
    if (!scratch->nuclei) {
        rmil_texture_scratch_free(scratch);
        return NULL;
    }
    uint8_t *at = scratch->bytes;
    for (int stain = 0; stain < TEXTURE_STAINS; stain++)
        for (int level = 0; level < TEXTURE_LEVELS; level++) {
            scratch->planes.plane[stain][level] = at;
            at += TEXTURE_PIXELS >> (2 * level);
        }
    uint8_t **halves[] = {&scratch->eroded, &scratch->opened, &scratch->swap, &scratch->mask, &scratch->smooth, &scratch->energy};
    for (gsize i = 0; i < G_N_ELEMENTS(halves); i++, at += half) *halves[i] = at;
    uint16_t *number = scratch->wide;
    const size_t step = TEXTURE_PIXELS + 8 * TEXTURE_SIDE;
    scratch->fine = number + step;
    scratch->coarse = number + 2 * step;
    scratch->work = number + 3 * step;
    scratch->response = (int16_t *)(number + 4 * step);
    rmil_texture_tables(scratch->od, scratch->unmix);
    return scratch;
}

void rmil_texture_scratch_free(TextureScratch *scratch) {
    if (!scratch) return;
    rmil_free(scratch->bytes);
    rmil_free(scratch->wide);
    rmil_free(scratch->nuclei);
    rmil_free(scratch);
}

const char *rmil_texture_feature_name(TextureScratch *scratch, int i) {
    if (scratch->label[i].index < 0)
        g_snprintf(scratch->name, sizeof scratch->name, "%s.%s", scratch->label[i].group, scratch->label[i].name);
    else
        g_snprintf(scratch->name, sizeof scratch->name, "%s.%s.%d", scratch->label[i].group, scratch->label[i].name,
                   scratch->label[i].index);
    return scratch->name;
}

static void put(TextureScratch *s, const char *group, const char *name, int index, double value) {
    g_assert(s->count < TEXTURE_MOST);
    s->label[s->count].group = group;
    s->label[s->count].name = name;
    s->label[s->count].index = index;
    s->raw[s->count++] = value;
}

/* A new statistic for every cell, to be filled in by the caller. */
static double *add_local(TextureScratch *s, const char *name) {
    g_assert(s->locals < LOCAL);
    s->local[s->locals].name = name;
    return s->local[s->locals++].value;
}

static void add_local_mean(TextureScratch *s, const char *name, const uint8_t *plane, int side) {
    int32_t sums[CELLS];
    rmil_texture_cells(plane, side, sums);
    double *values = add_local(s, name), n = (double)side * side / CELLS;
    for (int i = 0; i < CELLS; i++) values[i] = sums[i] / n;
}

/* -- colour ---------------------------------------------------------------------------------------------------------- */

static const char *const stain_names[TEXTURE_STAINS] = {"h", "e", "r"};

static void histogram(const uint8_t *plane, int n, int32_t counts[256]) {
    int32_t parts[4][256] = {{0}}; /* four, so that runs of one value do not wait for each other */
    for (int i = 0; i < n; i += 4)
        for (int k = 0; k < 4; k++) parts[k][plane[i + k]]++;
    for (int v = 0; v < 256; v++) counts[v] = parts[0][v] + parts[1][v] + parts[2][v] + parts[3][v];
}

static double quantile(const int32_t counts[256], double share, double total) {
    double want = share * total, seen = 0;
    for (int v = 0; v < 256; v++) {
        if (counts[v] && seen + counts[v] >= want) return v + (want - seen) / counts[v] - 0.5;
        seen += counts[v];
    }
    return 255;
}

static double plane_sd(const uint8_t *plane, int side) {
    int64_t sum = 0, squares = 0;
    for (int i = 0; i < side * side; i++) {
        sum += plane[i];
        squares += plane[i] * plane[i];
    }
    double n = (double)side * side, mean = (double)sum / n;
    return sqrt(MAX((double)squares / n - mean * mean, 0));
}

static void put_colour(TextureScratch *s, int stain) {
    static const int percents[] = {5, 25, 50, 75, 95};
    uint8_t *const *level = s->planes.plane[stain];
    const char *group = stain_names[stain];
    int32_t counts[256];
    const double n = TEXTURE_SIDE1 * TEXTURE_SIDE1;
    histogram(level[1], TEXTURE_SIDE1 * TEXTURE_SIDE1, counts);
    double mean = 0, square = 0, cube = 0;
    for (int v = 0; v < 256; v++) mean += (double)v * counts[v] / n;
    for (int v = 0; v < 256; v++) {
        double d = v - mean;
        square += d * d * counts[v] / n;
        cube += d * d * d * counts[v] / n;
    }
    put(s, group, "mean", -1, mean);
    put(s, group, "sd", -1, sqrt(square));
    put(s, group, "skewness", -1, cube / ((square + 1) * sqrt(square + 1)));
    for (gsize i = 0; i < G_N_ELEMENTS(percents); i++) put(s, group, "quantile", percents[i], quantile(counts, percents[i] / 100.0, n));
    put(s, group, "sd", 3, plane_sd(level[3], TEXTURE_SIDE >> 3));
    put(s, group, "sd", 4, plane_sd(level[4], TEXTURE_SIDE >> 4));
}

RMIL_CLONES static void products(const uint8_t *restrict a, const uint8_t *restrict b, int n, int64_t sums[5]) {
    int32_t sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0; /* 112 · 255² fits */
#pragma omp simd reduction(+ : sa, sb, saa, sbb, sab)
    for (int i = 0; i < n; i++) {
        sa += a[i];
        sb += b[i];
        saa += a[i] * a[i];
        sbb += b[i] * b[i];
        sab += a[i] * b[i];
    }
    const int32_t add[5] = {sa, sb, saa, sbb, sab};
    for (int i = 0; i < 5; i++) sums[i] += add[i];
}

static double correlation(const uint8_t *a, const uint8_t *b, int side) {
    int64_t sums[5] = {0};
    for (int y = 0; y < side; y++) products(a + (size_t)y * (size_t)side, b + (size_t)y * (size_t)side, side, sums);
    double n = (double)side * side, ma = (double)sums[0] / n, mb = (double)sums[1] / n;
    double va = (double)sums[2] / n - ma * ma + 1, vb = (double)sums[3] / n - mb * mb + 1; /* + 1: flat planes give 0 */
    return ((double)sums[4] / n - ma * mb) / sqrt(va * vb);
}

static void put_colours(TextureScratch *s) {
    static const int pairs[3][2] = {{TEXTURE_H, TEXTURE_E}, {TEXTURE_H, TEXTURE_R}, {TEXTURE_E, TEXTURE_R}};
    static const char *const names[3] = {"h-e", "h-r", "e-r"};
    put(s, "tissue", "share", -1, s->planes.tissue / (double)TEXTURE_PIXELS);
    for (int stain = 0; stain < TEXTURE_STAINS; stain++) put_colour(s, stain);
    for (int i = 0; i < 3; i++)
        for (int level = 1; level <= 3; level += 2)
            put(s, "correlation", names[i], level,
                correlation(s->planes.plane[pairs[i][0]][level], s->planes.plane[pairs[i][1]][level], TEXTURE_SIDE >> level));
    for (int stain = 0; stain < TEXTURE_STAINS; stain++) add_local_mean(s, stain_names[stain], s->planes.plane[stain][1], TEXTURE_SIDE1);
}

/* -- fine texture ---------------------------------------------------------------------------------------------------- */

static void put_patterns(TextureScratch *s, const char *group, const uint8_t *plane, int level, int margin) {
    int32_t counts[10];
    int side = TEXTURE_SIDE >> level;
    rmil_texture_patterns(plane, side, margin, counts);
    for (int i = 0; i < 10; i++) put(s, group, "pattern", level * 10 + i, sqrt(counts[i] / (double)((side - 2) * (side - 2))));
}

static void put_gradients(TextureScratch *s, const char *group, const uint8_t *plane, int level, gboolean local) {
    int64_t tensor[CELLS][3], whole[3] = {0};
    double coherence[CELLS], mean = 0, squares = 0;
    int side = TEXTURE_SIDE >> level;
    rmil_texture_tensor(plane, side, tensor);
    for (int i = 0; i <= CELLS; i++) {
        const int64_t *t = i < CELLS ? tensor[i] : whole;
        double xx = (double)t[0], yy = (double)t[1], xy = (double)t[2];
        /* + 1 per pixel: the effect of quantisation alone */
        double value = sqrt((xx - yy) * (xx - yy) + 4 * xy * xy) / (xx + yy + side * side / (i < CELLS ? CELLS : 1.0));
        if (i == CELLS) {
            put(s, group, "direction", level, value);
            put(s, group, "gradient", level, log((xx + yy) / (side * side) + 1));
            continue;
        }
        coherence[i] = value;
        mean += value / CELLS;
        squares += value * value / CELLS;
        for (int k = 0; k < 3; k++) whole[k] += t[k];
    }
    put(s, group, "coherence", level, mean);
    if (local) memcpy(add_local(s, "coherence"), coherence, sizeof coherence);
    else put(s, group, "coherence-sd", level, sqrt(MAX(squares - mean * mean, 0)));
}

static void put_fine(TextureScratch *s) {
    uint8_t *const *h = s->planes.plane[TEXTURE_H], *const *e = s->planes.plane[TEXTURE_E];
    put_patterns(s, "h", h[0], 0, 6);
    put_patterns(s, "h", h[1], 1, 4);
    put_patterns(s, "h", h[2], 2, 3);
    put_patterns(s, "e", e[1], 1, 4);
    put_gradients(s, "h", h[1], 1, TRUE);
    put_gradients(s, "h", h[2], 2, FALSE);
    put_gradients(s, "e", e[1], 1, FALSE);
    for (int d = 1; d <= 8; d *= 2) put(s, "h", "contrast", d, log(rmil_texture_contrast(h[1], TEXTURE_SIDE1, d) + 1));
    for (int d = 1; d <= 8; d *= 2) put(s, "e", "contrast", d, log(rmil_texture_contrast(e[1], TEXTURE_SIDE1, d) + 1));
}

/* -- blobs by size: differences of Gaussians --------------------------------------------------------------------------- */

static void put_band(TextureScratch *s, const char *group, int index, const TextureBand *band, gboolean peaks) {
    put(s, group, "band-sd", index, log(band->sd + 0.25));
    put(s, group, "band-skewness", index, CLAMP(band->skewness, -6, 6));
    put(s, group, "band-kurtosis", index, log(MAX(band->kurtosis, -1.9) + 3));
    if (!peaks) return;
    put(s, group, "band-peaks", index, sqrt(band->peaks));
    put(s, group, "band-height", index, log(band->height + 1));
}

RMIL_CLONES static void magnitude(const int16_t *restrict response, int n, uint8_t *restrict to) {
#pragma omp simd
    for (int i = 0; i < n; i++) {
        int16_t d = (int16_t)(response[i] < 0 ? -response[i] : response[i]);
        d = (int16_t)(d >> 2);
        to[i] = (uint8_t)(d > 255 ? 255 : d);
    }
}

static void add_local_energy(TextureScratch *s, const char *name, int side) {
    magnitude(s->response, side * side, s->energy);
    add_local_mean(s, name, s->energy, side);
}

RMIL_CLONES static void narrow(const uint16_t *restrict from, int n, uint8_t *restrict to) {
#pragma omp simd
    for (int i = 0; i < n; i++) to[i] = (uint8_t)(from[i] >> 4);
}

static void put_bands(TextureScratch *s) {
    TextureBand band;
    for (int stain = TEXTURE_H; stain <= TEXTURE_E; stain++)
        for (int level = stain == TEXTURE_H ? 0 : 1; level <= 3; level++) {
            int side = TEXTURE_SIDE >> level;
            const uint8_t *plane = s->planes.plane[stain][level];
            rmil_texture_widen(plane, side, s->wide);
            rmil_texture_blur_bytes(plane, side, s->fine, s->work);
            rmil_texture_band(s->wide, s->fine, side, s->response, &band);
            put_band(s, stain_names[stain], 2 * level, &band, level && stain == TEXTURE_H);
            if (!level) continue;
            if (level == 1 && stain == TEXTURE_H) narrow(s->fine, side * side, s->smooth);
            rmil_texture_blur(s->fine, side, s->coarse, s->work);
            rmil_texture_band(s->fine, s->coarse, side, s->response, &band);
            put_band(s, stain_names[stain], 2 * level + 1, &band, stain == TEXTURE_H);
            if (stain == TEXTURE_H && level == 1) add_local_energy(s, "energy3", side);
            if (stain == TEXTURE_H && level == 2) add_local_energy(s, "energy5", side);
        }
}

/* -- sizes of dark and bright spots: openings and closings of H by growing octagons ------------------------------------ */

static double plane_mean(const uint8_t *plane, int side) {
    int32_t sums[CELLS], total = 0;
    rmil_texture_cells(plane, side, sums);
    for (int i = 0; i < CELLS; i++) total += sums[i];
    return total / (double)(side * side);
}

typedef void (*Morphology)(const uint8_t *from, int side, gboolean cross, uint8_t *to);

/* `shrunk` is the plane after `radius` steps of one operation; undoes them with the other. Returns the result. */
static const uint8_t *grow_back(TextureScratch *s, Morphology grow, const uint8_t *shrunk, int side, int radius) {
    const uint8_t *from = shrunk;
    uint8_t *to = s->opened, *other = s->swap;
    for (int step = radius - 1; step >= 0; step--) {
        grow(from, side, step & 1, to);
        from = to;
        to = other;
        other = (uint8_t *)from;
    }
    return from;
}

/* Radii 1, 2, 3 px on level 1, then 2, 3, 4 on level 2 and 3, 4 on level 3: 1, 2, 3, 4, 6, 8, 12, 16 µm. */
static void put_sizes(TextureScratch *s, const char *name, Morphology shrink, Morphology grow, double sign, double local[2][CELLS]) {
    static const struct { int first, last; } radii[] = {{1, 3}, {2, 4}, {3, 4}};
    double before = plane_mean(s->planes.plane[TEXTURE_H][1], TEXTURE_SIDE1), at[3][CELLS] = {{0}};
    for (int k = 0; k < 3; k++) {
        int side = TEXTURE_SIDE1 >> k;
        const uint8_t *shrunk = s->planes.plane[TEXTURE_H][k + 1];
        for (int radius = 1; radius <= radii[k].last; radius++) {
            uint8_t *next = radius & 1 ? s->eroded : s->energy;
            shrink(shrunk, side, (radius - 1) & 1, next);
            shrunk = next;
            if (radius < radii[k].first) continue;
            int size = radius << k;
            const uint8_t *opened = grow_back(s, grow, shrunk, side, radius);
            double after = plane_mean(opened, side);
            put(s, "h", name, size, sqrt(MAX(sign * (before - after), 0)));
            before = after;
            int keep = size == 1 ? 0 : size == 4 ? 1 : size == 8 ? 2 : -1;
            if (keep < 0) continue;
            int32_t sums[CELLS];
            rmil_texture_cells(opened, side, sums);
            for (int i = 0; i < CELLS; i++) at[keep][i] = sums[i] * CELLS / (double)(side * side);
        }
    }
    put(s, "h", name, 99, before); /* larger structures */
    for (int i = 0; local && i < CELLS; i++) {
        local[0][i] = at[0][i] - at[1][i];
        local[1][i] = at[1][i] - at[2][i];
    }
}

static void put_granulometry(TextureScratch *s) {
    double local[2][CELLS];
    put_sizes(s, "opening", rmil_texture_erode, rmil_texture_dilate, 1, local);
    put_sizes(s, "closing", rmil_texture_dilate, rmil_texture_erode, -1, NULL);
    memcpy(add_local(s, "small"), local[0], sizeof local[0]);
    memcpy(add_local(s, "large"), local[1], sizeof local[1]);
}

/* -- nuclei -------------------------------------------------------------------------------------------------------------- */

/* Nuclear: above Otsu's threshold of the smoothed plane (within the range of nuclei in any stain) and not below its surroundings, which
 * separates crowded nuclei. Returns the threshold. */
static int make_mask(TextureScratch *s, double *separability) {
    int32_t counts[256];
    histogram(s->smooth, TEXTURE_SIDE1 * TEXTURE_SIDE1, counts);
    int threshold = CLAMP(rmil_texture_otsu(counts, separability), 30, 150);
    const uint8_t *around = s->planes.plane[TEXTURE_H][4];
    for (int y = 0; y < TEXTURE_SIDE1; y++)
        for (int cell = 0; cell < TEXTURE_SIDE >> 4; cell++) {
            int local = around[(y >> 3) * (TEXTURE_SIDE >> 4) + cell];
            int above = MAX(threshold, local);
            size_t at = (size_t)y * TEXTURE_SIDE1 + (size_t)cell * 8;
            for (size_t x = at; x < at + 8; x++) s->mask[x] = s->smooth[x] > above;
        }
    return threshold;
}

static void put_nuclei(TextureScratch *s) {
    const uint8_t *h = s->planes.plane[TEXTURE_H][1], *e = s->planes.plane[TEXTURE_E][1];
    const double n = TEXTURE_SIDE1 * TEXTURE_SIDE1;
    double separability;
    int threshold = make_mask(s, &separability);
    TextureNuclei nuclei;
    rmil_texture_nuclei(s->mask, h, e, s->nuclei, &nuclei);
    for (int i = 0; i < TEXTURE_SIDE1 * TEXTURE_SIDE1; i++) s->swap[i] = s->mask[i] ? h[i] : 0;
    int32_t inside[CELLS], dark[CELLS], total_inside = 0, total_dark = 0;
    rmil_texture_cells(s->mask, TEXTURE_SIDE1, inside);
    rmil_texture_cells(s->swap, TEXTURE_SIDE1, dark);
    for (int i = 0; i < CELLS; i++) {
        total_inside += inside[i];
        total_dark += dark[i];
    }
    double mean_h = plane_mean(h, TEXTURE_SIDE1), mean_e = plane_mean(e, TEXTURE_SIDE1), share = total_inside / n;
    double darkness = total_inside ? total_dark / (double)total_inside : 0;
    double around = (mean_h - total_dark / n) / MAX(1 - share, 0.01);
    put(s, "nuclei", "threshold", -1, threshold);
    put(s, "nuclei", "separability", -1, separability);
    put(s, "nuclei", "share", -1, sqrt(share));
    put(s, "nuclei", "count", -1, sqrt(nuclei.count));
    for (int i = 0; i < TEXTURE_SIZES; i++) put(s, "nuclei", "size", i, sqrt(nuclei.sizes[i]));
    put(s, "nuclei", "log-area", -1, nuclei.log_area);
    put(s, "nuclei", "log-area-sd", -1, nuclei.log_area_sd);
    put(s, "nuclei", "large", -1, nuclei.large);
    put(s, "nuclei", "elongation", -1, nuclei.elongation);
    put(s, "nuclei", "elongation-sd", -1, nuclei.elongation_sd);
    put(s, "nuclei", "roundness", -1, nuclei.roundness);
    put(s, "nuclei", "roundness-sd", -1, nuclei.roundness_sd);
    put(s, "nuclei", "darkness", -1, nuclei.darkness);
    put(s, "nuclei", "darkness-sd", -1, nuclei.darkness_sd);
    put(s, "nuclei", "chromatin", -1, nuclei.chromatin);
    put(s, "nuclei", "eosin", -1, nuclei.eosin);
    put(s, "nuclei", "contrast", -1, nuclei.count ? darkness - around : 0);
    put(s, "nuclei", "around-h", -1, around);
    put(s, "nuclei", "around-e", -1, nuclei.count ? mean_e - nuclei.eosin : 0);
    double *cell_share = add_local(s, "share"), *cell_dark = add_local(s, "darkness");
    for (int i = 0; i < CELLS; i++) {
        cell_share[i] = inside[i] / (n / CELLS);
        cell_dark[i] = inside[i] >= 16 ? dark[i] / (double)inside[i] : darkness; /* too few pixels for a mean */
    }
}

/* How much parts of a tile differ: a small lesion fills only some of them. */
static void put_local(TextureScratch *s) {
    for (int k = 0; k < s->locals; k++) {
        const double *values = s->local[k].value;
        double low = values[0], high = values[0], sum = 0, squares = 0;
        for (int i = 0; i < CELLS; i++) {
            low = MIN(low, values[i]);
            high = MAX(high, values[i]);
            sum += values[i];
            squares += values[i] * values[i];
        }
        put(s, "cells-sd", s->local[k].name, -1, sqrt(MAX(squares / CELLS - sum / CELLS * (sum / CELLS), 0)));
        put(s, "cells-min", s->local[k].name, -1, low);
        put(s, "cells-max", s->local[k].name, -1, high);
    }
}

int rmil_texture_raw(TextureScratch *scratch, const uint8_t *rgb, double raw[TEXTURE_MOST]) {
    scratch->raw = raw;
    scratch->count = scratch->locals = 0;
    rmil_texture_planes(rgb, scratch->od, scratch->unmix, &scratch->planes);
    put_colours(scratch);
    put_fine(scratch);
    put_bands(scratch);
    put_granulometry(scratch);
    put_nuclei(scratch);
    put_local(scratch);
    return scratch->count;
}
