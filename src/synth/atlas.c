/* SPDX-License-Identifier: Apache-2.0 */
/* Small periodic pictures from which slides are composed. */
#include "synth-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TILE RMIL_SYNTH_TILE
#define RAGGED 256

/* Points no closer than `radius` on a torus of TILE px, drawn at random until hardly any more fit: the way cells pack. */
static GArray *pack(double radius, uint64_t seed, uint64_t stream) {
    GArray *points = g_array_new(FALSE, FALSE, sizeof(RmilSynthPoint));
    int cells = (int)(TILE / (radius / sqrt(2.0))) + 1;
    double size = (double)TILE / cells;
    g_autofree int32_t *grid = g_new(int32_t, (gsize)cells * (gsize)cells);
    for (int i = 0; i < cells * cells; i++) grid[i] = -1;
    RmilRng rng;
    rmil_rng_init(&rng, seed, stream);
    int64_t attempts = (int64_t)(14 * TILE * TILE / (radius * radius));
    for (int64_t n = 0; n < attempts; n++) {
        double x = TILE * rmil_rng_uniform(&rng), y = TILE * rmil_rng_uniform(&rng);
        int ci = (int)(x / size), cj = (int)(y / size);
        gboolean fits = TRUE;
        for (int j = -2; j <= 2 && fits; j++)
            for (int i = -2; i <= 2 && fits; i++) {
                int32_t other = grid[((cj + j + cells) % cells) * cells + (ci + i + cells) % cells];
                if (other < 0) continue;
                RmilSynthPoint p = g_array_index(points, RmilSynthPoint, other);
                double dx = fabs(p.x - x), dy = fabs(p.y - y);
                dx = MIN(dx, TILE - dx);
                dy = MIN(dy, TILE - dy);
                fits = dx * dx + dy * dy >= radius * radius;
            }
        if (!fits) continue;
        grid[cj * cells + ci] = (int32_t)points->len;
        RmilSynthPoint p = {(int16_t)x, (int16_t)y};
        g_array_append_val(points, p);
    }
    return points;
}

static int by_row(const void *a, const void *b) {
    const RmilSynthPoint *p = a, *q = b;
    return p->y != q->y ? p->y - q->y : p->x - q->x;
}

static void atlas_points(RmilSynthAtlas *atlas, uint64_t seed, double scale) {
    static const double radius[4] = {10.8, 14.5, 22.5, 25};
    for (int i = 0; i < 4; i++) {
        atlas->points[i] = pack(radius[i] * scale, seed, 900 + (uint64_t)i);
        qsort(atlas->points[i]->data, atlas->points[i]->len, sizeof(RmilSynthPoint), by_row);
    }
}

static void make_ragged(RmilSynthAtlas *atlas, uint64_t seed) {
    atlas->ragged = g_malloc(RAGGED * RAGGED * 2);
    for (int y = 0; y < RAGGED; y++)
        for (int x = 0; x < RAGGED; x++)
            for (int k = 0; k < 2; k++) {
                uint32_t s = (uint32_t)seed * 2 + (uint32_t)k;
                float v = 9 * rmil_synth_noise(s, (float)x / 16, (float)y / 16, 16, 16) +
                          4 * rmil_synth_noise(s + 99, (float)x / 5.12F, (float)y / 5.12F, 50, 50);
                atlas->ragged[(y * RAGGED + x) * 2 + k] = (int8_t)lroundf(v);
            }
}

typedef struct {
    RmilSynthAtlas *atlas;
    uint64_t seed;
    double scale;
    int sprites;
} Job;

static gboolean make_layer(int64_t index, int worker, gpointer user, GError **error) {
    const Job *job = user;
    if (index < RMIL_SYNTH_LAYERS) rmil_synth_atlas_layer(job->atlas, job->seed, job->scale, index);
    else if (index == RMIL_SYNTH_LAYERS) rmil_synth_atlas_stamps(job->atlas, job->seed, job->scale, job->sprites);
    else atlas_points(job->atlas, job->seed, job->scale);
    return TRUE;
}

static gboolean make_texture(int64_t index, int worker, gpointer user, GError **error) {
    const Job *job = user;
    rmil_synth_atlas_texture(job->atlas, job->seed, job->scale, (RmilSynthKind)(index + 1));
    return TRUE;
}

RmilSynthAtlas *rmil_synth_atlas_new(uint64_t seed, double scale, int classes, int threads, GError **error) {
    g_autoptr(RmilSynthAtlas) atlas = g_new0(RmilSynthAtlas, 1);
    atlas->owned = g_ptr_array_new_with_free_func(g_free);
    for (int kind = RMIL_SYNTH_GLASS + 1; kind < RMIL_SYNTH_KINDS; kind++)
        if (!(atlas->texture[kind] = rmil_alloc(TILE * TILE, sizeof(RmilSynthStainPair), error))) return NULL;
    for (int i = 0; i < RMIL_SYNTH_LAYERS; i++)
        if (!(atlas->layer[i] = rmil_alloc(TILE * TILE, sizeof(float), error))) return NULL;
    make_ragged(atlas, seed);
    Job job = {atlas, seed, scale, RMIL_SYNTH_DUCTAL + MAX(classes - 1, 0)};
    if (!rmil_parallel(RMIL_SYNTH_LAYERS + 2, threads, make_layer, &job, error) ||
        !rmil_parallel(RMIL_SYNTH_KINDS - 1, threads, make_texture, &job, error))
        return NULL;
    for (int i = 0; i < RMIL_SYNTH_LAYERS; i++) {
        rmil_free(atlas->layer[i]); /* needed only for the textures */
        atlas->layer[i] = NULL;
    }
    return g_steal_pointer(&atlas);
}

void rmil_synth_atlas_free(RmilSynthAtlas *atlas) {
    if (!atlas) return;
    for (int kind = 0; kind < RMIL_SYNTH_KINDS; kind++) rmil_free(atlas->texture[kind]);
    for (int i = 0; i < RMIL_SYNTH_LAYERS; i++) rmil_free(atlas->layer[i]);
    for (int i = 0; i < 4; i++)
        if (atlas->points[i]) g_array_unref(atlas->points[i]);
    if (atlas->owned) g_ptr_array_unref(atlas->owned);
    g_free(atlas->ragged);
    g_free(atlas);
}
