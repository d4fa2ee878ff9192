/* SPDX-License-Identifier: Apache-2.0 */
/* The appearance of tissue between nuclei. */
#include "synth-private.h"

#include <math.h>
#include <string.h>

#define TILE RMIL_SYNTH_TILE

/* Periodic noise planes, made once; each texture takes them from different offsets, so that no two are alike. */
typedef enum { L_BROAD, L_PATCH, L_WIDE, L_MEDIUM, L_SMALL, L_FINE, L_SPECK, L_BUNDLE, L_FIBRE, L_CLEFT } Layer;
static const double layer_size[RMIL_SYNTH_LAYERS][2] = {{120, 150}, {60, 60},   {38, 50},  {24, 24}, {16, 16},
                                                        {6, 6},     {2.7, 2.7}, {130, 15}, {70, 5},  {170, 24}};

void rmil_synth_atlas_layer(RmilSynthAtlas *atlas, uint64_t seed, double scale, int64_t layer) {
    int px = MAX(1, (int)lround(TILE / (layer_size[layer][0] * scale))), py = MAX(1, (int)lround(TILE / (layer_size[layer][1] * scale)));
    uint32_t base = rmil_synth_hash((uint32_t)seed, (int32_t)layer, 1234);
    float *plane = atlas->layer[layer];
    for (int y = 0; y < TILE; y++)
        for (int x = 0; x < TILE; x++) plane[y * TILE + x] = rmil_synth_noise(base, (float)(x * px) / TILE, (float)(y * py) / TILE, px, py);
}

typedef struct {
    const RmilSynthAtlas *atlas;
    uint32_t seed;
    float s;
} Ground;

static float grain(const Ground *g, Layer layer, uint32_t use, float x, float y) {
    uint32_t shift = (g->seed + use) * 0x9e3779b9u;
    uint32_t i = ((uint32_t)(int32_t)(x + TILE) + (shift >> 22)) & (TILE - 1);
    uint32_t j = ((uint32_t)(int32_t)(y + TILE) + (shift >> 12)) & (TILE - 1);
    return g->atlas->layer[layer][j * TILE + i];
}

static uint8_t density(float v) { return (uint8_t)CLAMP(v + 0.5F, 0.F, 159.F); }

static float smooth(float low, float high, float v) {
    float t = CLAMP((v - low) / (high - low), 0.F, 1.F);
    return t * t * (3 - 2 * t);
}

/* Cells of about `size` px: jittered points on a periodic grid; distances to the nearest and second nearest. */
typedef struct {
    int count; /* per side */
    float size;
    struct {
        float x, y;
        uint32_t id;
    } * point; /* count × count */
} Cells;

static void cells_init(Cells *c, uint32_t seed, double size) {
    c->count = MAX(4, (int)lround(TILE / size) & ~1); /* even, because alternate rows are shifted */
    c->size = (float)TILE / (float)c->count;
    c->point = g_malloc_n((gsize)c->count * (gsize)c->count, sizeof *c->point);
    for (int j = 0; j < c->count; j++)
        for (int i = 0; i < c->count; i++) {
            uint32_t h = rmil_synth_hash(seed, i, j);
            float dx = ((float)(h & 0xffff) / 65535.F - 0.5F) * 0.72F + (j & 1 ? 0.25F : -0.25F);
            float dy = ((float)(h >> 16) / 65535.F - 0.5F) * 0.72F;
            c->point[j * c->count + i].x = ((float)i + 0.5F + dx) * c->size;
            c->point[j * c->count + i].y = ((float)j + 0.5F + dy) * c->size;
            c->point[j * c->count + i].id = rmil_synth_hash(seed + 1, i, j);
        }
}

static void nearest(const Cells *c, float x, float y, float *first, float *second, uint32_t *id) {
    int ci = (int)floorf(x / c->size), cj = (int)floorf(y / c->size);
    float a = 1e9F, b = 1e9F;
    for (int j = cj - 1; j <= cj + 1; j++) {
        int wj = j < 0 ? j + c->count : j >= c->count ? j - c->count : j;
        for (int i = ci - 2; i <= ci + 2; i++) {
            int wi = i < 0 ? i + c->count : i >= c->count ? i - c->count : i;
            const float px = c->point[wj * c->count + wi].x + (float)(i - wi) * c->size - x;
            const float py = c->point[wj * c->count + wi].y + (float)(j - wj) * c->size - y, d = px * px + py * py;
            if (d < a) {
                b = a;
                a = d;
                *id = c->point[wj * c->count + wi].id;
            } else if (d < b) b = d;
        }
    }
    *first = sqrtf(a);
    *second = sqrtf(b);
}

/* Wavy collagen: bundles along x, split by pale clefts. `loose` opens the clefts. */
static RmilSynthStainPair collagen(const Ground *g, float x, float y, float loose) {
    float v = y + g->s * (16 * grain(g, L_BROAD, 0, x, y) + 5 * grain(g, L_WIDE, 1, x, y));
    float bundle = grain(g, L_BUNDLE, 2, x, v), fibre = grain(g, L_FIBRE, 3, x, v);
    float cleft = fabsf(grain(g, L_CLEFT, 4, x, v)), gap = smooth(0, 0.05F + 0.16F * loose, cleft - 0.07F * loose);
    float patch = grain(g, L_PATCH, 5, x, y), speck = grain(g, L_SPECK, 6, x, y);
    float e = (72 - 22 * loose + 18 * bundle + 12 * fibre + 8 * patch + 5 * speck) * (0.10F + 0.90F * gap);
    return (RmilSynthStainPair){density(7 + 5 * patch + 3 * fibre), density(MIN(e, 99))};
}

/* The ground between small lymphocytes: thin cytoplasm and reticulum with clear gaps. */
static RmilSynthStainPair reticulum(const Ground *g, float x, float y, float dense) {
    float net = fabsf(grain(g, L_SMALL, 0, x, y)), fine = grain(g, L_FINE, 1, x, y);
    float gap = smooth(0.20F + 0.34F * dense, 0.46F + 0.34F * dense, net + 0.20F * fine);
    float broad = grain(g, L_PATCH, 2, x, y), speck = grain(g, L_SPECK, 3, x, y);
    float body = 1 - 0.90F * gap;
    return (RmilSynthStainPair){density((14 + 9 * dense + 5 * fine + 4 * broad + 3 * speck) * body),
                                density((28 + 5 * fine + 6 * broad + 4 * speck) * body)};
}

/* Sheets of epithelial or histiocytic cells: granular cytoplasm, thin borders, each cell its own tint. */
static RmilSynthStainPair sheet(const Ground *g, const Cells *cells, float x, float y, float h, float e, float foam) {
    float first, second;
    uint32_t id;
    nearest(cells, x + 3 * g->s * grain(g, L_SMALL, 0, x, y), y + 3 * g->s * grain(g, L_SMALL, 1, x, y), &first, &second, &id);
    float tint = (float)(id & 255) / 255.F - 0.5F, border = second - first;
    float fine = grain(g, L_FINE, 2, x, y), speck = grain(g, L_SPECK, 3, x, y), broad = grain(g, L_MEDIUM, 4, x, y);
    float vacuole = smooth(0.22F, 0.5F, grain(g, L_FINE, 5, x, y));
    float cleft = (id >> 8 & 7) == 0 ? 0.8F : 0.22F; /* some cells have shrunk away from their neighbours */
    float body = (1 - cleft * smooth(2.4F * g->s, 0, border)) * (1 - foam * vacuole);
    return (RmilSynthStainPair){density((h * (1 + 0.6F * tint) + 7 * fine + 4 * speck + 5 * broad) * body),
                                density((e * (1 + 0.4F * tint) + 6 * fine + 5 * speck + 7 * broad) * body)};
}

static RmilSynthStainPair fat(const Ground *g, const Cells *cells, float x, float y) {
    float first, second;
    uint32_t id;
    nearest(cells, x + 9 * g->s * grain(g, L_PATCH, 0, x, y), y + 9 * g->s * grain(g, L_PATCH, 1, x, y), &first, &second, &id);
    float border = second - first, thick = (2.4F + 1.6F * grain(g, L_PATCH, 2, x, y)) * g->s;
    float corner = smooth(0.62F, 0.85F, first / cells->size); /* more where three cells meet */
    float line = smooth(thick * (1 + 3 * corner) + 2 * g->s, thick * (0.4F + 2 * corner), border);
    float broken = smooth(-0.75F, -0.35F, grain(g, L_MEDIUM, 3, x, y));
    return (RmilSynthStainPair){density(7 * line * broken), density(60 * line * broken + 1.2F)};
}

/* Red cells, discs with a paler middle; eosin above 100 is shown as their own red. */
static RmilSynthStainPair blood(const Ground *g, const Cells *cells, float x, float y) {
    float first, second;
    uint32_t id;
    nearest(cells, x, y, &first, &second, &id);
    float r = (5.2F + 1.2F * (float)(id & 255) / 255.F) * g->s, disc = smooth(r + 0.8F, r - 0.8F, first);
    float e = disc * (222 - 26 * smooth(0.5F * r, 0, first)) + (1 - disc) * (30 + 22 * grain(g, L_SMALL, 0, x, y));
    if ((id >> 8) % 9 == 0) e = MIN(e, 40);
    return (RmilSynthStainPair){2, (uint8_t)CLAMP(e, 4, 235)};
}

static RmilSynthStainPair pixel(const Ground *g, RmilSynthKind kind, const Cells *cells, float x, float y) {
    switch (kind) {
    case RMIL_SYNTH_COLLAGEN: return collagen(g, x, y, 0.15F);
    case RMIL_SYNTH_LOOSE: return collagen(g, x, y, 1.0F);
    case RMIL_SYNTH_WALL: return collagen(g, x, y, 0.05F);
    case RMIL_SYNTH_SEPTUM: return collagen(g, x, y, 0.55F);
    case RMIL_SYNTH_FAT: return fat(g, cells, x, y);
    case RMIL_SYNTH_CORTEX: return reticulum(g, x, y, 0.30F);
    case RMIL_SYNTH_MANTLE: return reticulum(g, x, y, 0.75F);
    case RMIL_SYNTH_CENTRE: return reticulum(g, x, y, 0.70F);
    case RMIL_SYNTH_SINUS: return reticulum(g, x, y, -0.40F);
    case RMIL_SYNTH_BLOOD: return blood(g, cells, x, y);
    case RMIL_SYNTH_HISTIO: return sheet(g, cells, x, y, 9, 42, 0.45F);
    case RMIL_SYNTH_TUMOUR: return sheet(g, cells, x, y, 36, 35, 0.10F);
    case RMIL_SYNTH_NECROSIS: return sheet(g, cells, x, y, 9, 70, 0.1F);
    default: return (RmilSynthStainPair){0, 0};
    }
}

/* Cell size of the kinds that consist of cells. */
static double cell_size(RmilSynthKind kind) {
    return kind == RMIL_SYNTH_FAT ? 96 : kind == RMIL_SYNTH_BLOOD ? 13 : kind == RMIL_SYNTH_HISTIO ? 37 : 31;
}

void rmil_synth_atlas_texture(RmilSynthAtlas *atlas, uint64_t seed, double scale, RmilSynthKind kind) {
    uint32_t base = rmil_synth_hash((uint32_t)seed, (int32_t)kind, 4711);
    Cells cells;
    cells_init(&cells, base, cell_size(kind) * scale);
    Ground ground = {atlas, base, (float)scale};
    RmilSynthStainPair *texture = atlas->texture[kind];
    for (int y = 0; y < TILE; y++)
        for (int x = 0; x < TILE; x++) texture[y * TILE + x] = pixel(&ground, kind, &cells, (float)x, (float)y);
    g_free(cells.point);
}
