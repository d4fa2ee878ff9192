/* SPDX-License-Identifier: Apache-2.0 */
/* Positions of the tiles and lesions of a bag. */
#include "features-private.h"

#include <math.h>
#include <stdlib.h>

#define SAMPLES 6 /* sample points per side of a tile, which determine its covered part */
#define MOST_FOCI 8

typedef struct {
    float key;
    int32_t index;
} Ranked;

static int by_key(const void *a, const void *b) {
    const Ranked *p = a, *q = b;
    return p->key != q->key ? (p->key > q->key) - (p->key < q->key) : (p->index > q->index) - (p->index < q->index);
}

int64_t rmil_synth_place_tissue(int64_t count, RmilRng *rng, int64_t *coords) {
    int64_t side = (int64_t)ceil(sqrt((double)count / 0.45)) + 1;
    uint32_t seed = (uint32_t)rmil_rng_next(rng);
    g_autofree Ranked *cells = g_new(Ranked, side * side);
    g_autofree uint8_t *taken = g_malloc0((gsize)(side * side));
    for (int64_t i = 0; i < side * side; i++) {
        float x = ((float)(i % side) + 0.5F) / (float)side - 0.5F, y = ((float)(i / side) + 0.5F) / (float)side - 0.5F;
        cells[i] = (Ranked){sqrtf(x * x + y * y) - 0.13F * rmil_synth_fbm(seed, 4 * x, 4 * y, 3), (int32_t)i};
    }
    qsort(cells, (size_t)(side * side), sizeof *cells, by_key);
    for (int64_t i = 0; i < count; i++) taken[cells[i].index] = 1;
    for (int64_t i = 0, k = 0; i < side * side; i++)
        if (taken[i]) {
            coords[2 * k] = i % side * RMIL_SYNTH_TILE_SIDE;
            coords[2 * k++ + 1] = i / side * RMIL_SYNTH_TILE_SIDE;
        }
    return side * RMIL_SYNTH_TILE_SIDE;
}

typedef struct {
    int count;
    uint32_t seed;
    float x[MOST_FOCI], y[MOST_FOCI], radius[MOST_FOCI], wave; /* in tiles */
} Foci;

static Foci choose_foci(const int64_t *coords, int64_t count, double area, RmilRng *rng) {
    Foci foci = {.count = 1 + (int)rmil_rng_below(rng, MIN(MOST_FOCI, 1 + (int64_t)(area / 3))), .seed = (uint32_t)rmil_rng_next(rng)};
    for (int f = 0; f < foci.count; f++) {
        int64_t tile = rmil_rng_below(rng, count);
        foci.x[f] = (float)(coords[2 * tile] / RMIL_SYNTH_TILE_SIDE) + (float)rmil_rng_uniform(rng);
        foci.y[f] = (float)(coords[2 * tile + 1] / RMIL_SYNTH_TILE_SIDE) + (float)rmil_rng_uniform(rng);
        foci.radius[f] = expf(0.7F * (float)rmil_rng_normal(rng));
    }
    foci.wave = (float)sqrt(area / foci.count) + 0.5F;
    return foci;
}

/* Grows from 0 at a centre; all points below some value form the foci. Their rims are ragged. */
static float distance(const Foci *foci, float x, float y) {
    float nearest = 1e9F;
    for (int f = 0; f < foci->count; f++) nearest = MIN(nearest, hypotf(x - foci->x[f], y - foci->y[f]) / foci->radius[f]);
    return nearest * (1 + 0.3F * rmil_synth_fbm(foci->seed, x / foci->wave, y / foci->wave, 2));
}

void rmil_synth_place_foci(const int64_t *coords, int64_t count, double area, RmilRng *rng, float *cover) {
    Foci foci = choose_foci(coords, count, area, rng);
    enum { PER_TILE = SAMPLES * SAMPLES };
    g_autofree Ranked *points = g_new(Ranked, count * PER_TILE);
    for (int64_t i = 0; i < count * PER_TILE; i++) {
        const int64_t *corner = coords + 2 * (i / PER_TILE), k = i % PER_TILE;
        float x = (float)(corner[0] / RMIL_SYNTH_TILE_SIDE) + ((float)(k % SAMPLES) + 0.5F) / SAMPLES;
        float y = (float)(corner[1] / RMIL_SYNTH_TILE_SIDE) + ((float)(k / SAMPLES) + 0.5F) / SAMPLES;
        points[i] = (Ranked){distance(&foci, x, y), (int32_t)(i / PER_TILE)};
    }
    qsort(points, (size_t)(count * PER_TILE), sizeof *points, by_key);
    int64_t inside = CLAMP(llround(area * PER_TILE), 1, count * PER_TILE);
    for (int64_t i = 0; i < count; i++) cover[i] = 0;
    for (int64_t i = 0; i < inside; i++) cover[points[i].index] += 1.0F / PER_TILE;
}
