/* SPDX-License-Identifier: Apache-2.0 */
/* A slide's pixels. */
#include "synth-private.h"

#include <math.h>
#include <string.h>

#define TILE RMIL_SYNTH_TILE
#define CELL RMIL_SYNTH_CELL

static gboolean fibrous(RmilSynthKind kind) {
    return kind == RMIL_SYNTH_COLLAGEN || kind == RMIL_SYNTH_LOOSE || kind == RMIL_SYNTH_SEPTUM || kind == RMIL_SYNTH_WALL;
}

typedef struct {
    const RmilSynthAnatomy *map;
    const RmilSynthAtlas *atlas;
    uint32_t shift_x, shift_y; /* offset of this slide in the textures */
    uint32_t seed;
    gboolean low;                /* grade of the tumour */
    const RmilSynthSubtype *own; /* NULL: tumour without a named subtype */
} Painter;

/* A field of the map as a plane over one cell: its value and its slopes. Fields jump where a structure ends: there the slope is taken from
 * the other side; an isolated cell gets the given one. */
typedef struct {
    float value, x, y; /* per px */
} Plane;

static float slope(const float *field, int64_t at, int64_t step, gboolean before, gboolean after, float otherwise) {
    if (after && fabsf(field[at + step] - field[at]) < 3 * CELL) return (field[at + step] - field[at]) / CELL;
    if (before && fabsf(field[at] - field[at - step]) < 3 * CELL) return (field[at] - field[at - step]) / CELL;
    return otherwise;
}

static Plane plane_at(const RmilSynthAnatomy *map, const float *field, int64_t i, int64_t j, float slope_x, float slope_y) {
    int64_t at = j * map->width + i;
    return (Plane){field[at], slope(field, at, 1, i > 0, i + 1 < map->width, slope_x),
                   slope(field, at, map->width, j > 0, j + 1 < map->height, slope_y)};
}

static uint32_t plane_value(const Plane *p, int64_t x, int64_t y) {
    return (uint32_t)(int32_t)(p->value + p->x * (float)x + p->y * (float)y + 16 * TILE);
}

/* Eosin ends below the red of erythrocytes. */
static RmilSynthStainPair tinted(const RmilSynthSubtype *own, RmilSynthStainPair pair) {
    return (RmilSynthStainPair){(uint8_t)CLAMP((float)pair.h + own->h, 0, 250), (uint8_t)MIN((float)pair.e * own->e, 96)};
}

static void paint_cell(const Painter *p, RmilSynthCanvas *canvas, int64_t i, int64_t j, gboolean mixed, gboolean fibres) {
    const RmilSynthAnatomy *map = p->map;
    int64_t x0 = i * CELL, y0 = j * CELL, x1 = MIN(x0 + CELL, canvas->width), y1 = MIN(y0 + CELL, canvas->height);
    Plane along = {0}, across = {0};
    if (fibres) {
        along = plane_at(map, map->along, i, j, 1, 0);
        across = plane_at(map, map->across, i, j, 0, 1);
    }
    RmilSynthKind kind = map->kind[j * map->width + i];
    for (int64_t y = y0; y < y1; y++)
        for (int64_t x = x0; x < x1; x++) {
            if (mixed) {
                const int8_t *move = &p->atlas->ragged[((y & 255) * 256 + (x & 255)) * 2];
                int64_t ci = CLAMP((x + move[0]) / CELL, 0, map->width - 1), cj = CLAMP((y + move[1]) / CELL, 0, map->height - 1);
                kind = map->kind[cj * map->width + ci];
                if (kind == RMIL_SYNTH_GLASS) continue;
            }
            uint32_t tx = (uint32_t)x, ty = (uint32_t)y;
            if (fibres && fibrous(kind)) {
                tx = plane_value(&along, x - x0, y - y0);
                ty = plane_value(&across, x - x0, y - y0);
            }
            tx = (tx + p->shift_x) & (TILE - 1);
            ty = (ty + p->shift_y) & (TILE - 1);
            RmilSynthStainPair pair = p->atlas->texture[kind][ty * TILE + tx];
            if (p->own && kind == RMIL_SYNTH_TUMOUR) pair = tinted(p->own, pair);
            canvas->h[y * canvas->width + x] = pair.h;
            canvas->e[y * canvas->width + x] = pair.e;
        }
}

static void paint_ground(const Painter *p, RmilSynthCanvas *canvas) {
    const RmilSynthAnatomy *map = p->map;
    for (int64_t j = 0; j < map->height; j++)
        for (int64_t i = 0; i < map->width; i++) {
            uint8_t kind = map->kind[j * map->width + i];
            gboolean mixed = FALSE, fibres = fibrous(kind), any = kind != RMIL_SYNTH_GLASS;
            /* borders move by up to 13 px: two cells */
            for (int64_t b = MAX(0, j - 2); b <= MIN(map->height - 1, j + 2); b++)
                for (int64_t a = MAX(0, i - 2); a <= MIN(map->width - 1, i + 2); a++) {
                    uint8_t other = map->kind[b * map->width + a];
                    mixed |= other != kind;
                    fibres |= fibrous(other);
                    any |= other != RMIL_SYNTH_GLASS;
                }
            if (any) paint_cell(p, canvas, i, j, mixed, fibres);
        }
}

static void stamp(RmilSynthCanvas *canvas, const RmilSynthStamp *s, int64_t x, int64_t y) {
    int64_t left = x - s->size / 2, top = y - s->size / 2;
    int64_t i0 = MAX(0, -left), i1 = MIN(s->size, canvas->width - left);
    for (int64_t j = MAX(0, -top); j < MIN(s->size, canvas->height - top); j++) {
        uint8_t *restrict h = canvas->h + (top + j) * canvas->width + left, *restrict e = canvas->e + (top + j) * canvas->width + left;
        const uint8_t *restrict alpha = s->alpha + j * s->size, *restrict sh = s->h + j * s->size, *restrict se = s->e + j * s->size;
        for (int64_t i = i0; i < i1; i++) {
            unsigned a = alpha[i] + (alpha[i] >> 7), b = 256 - a;
            h[i] = (uint8_t)((h[i] * b + sh[i] * a) >> 8);
            e[i] = (uint8_t)((e[i] * b + se[i] * a) >> 8);
        }
    }
}

/* Which nuclei lie on which tissue: at each point of set `set`, sort `sprite` with probability `chance` / 1000. */
typedef struct {
    uint8_t set, kind, sprite;
    uint16_t chance;
} Rule;
static const Rule rules[] = {
    {0, RMIL_SYNTH_CORTEX, RMIL_SYNTH_LYMPHOCYTE, 850}, {0, RMIL_SYNTH_MANTLE, RMIL_SYNTH_LYMPHOCYTE, 1000},
    {0, RMIL_SYNTH_CENTRE, RMIL_SYNTH_LYMPHOCYTE, 110}, {0, RMIL_SYNTH_SINUS, RMIL_SYNTH_LYMPHOCYTE, 130},
    {0, RMIL_SYNTH_LOOSE, RMIL_SYNTH_LYMPHOCYTE, 14},   {0, RMIL_SYNTH_HISTIO, RMIL_SYNTH_LYMPHOCYTE, 90},
    {0, RMIL_SYNTH_TUMOUR, RMIL_SYNTH_LYMPHOCYTE, 35},  {0, RMIL_SYNTH_SEPTUM, RMIL_SYNTH_LYMPHOCYTE, 120},
    {0, RMIL_SYNTH_COLLAGEN, RMIL_SYNTH_LYMPHOCYTE, 8}, {0, RMIL_SYNTH_NECROSIS, RMIL_SYNTH_LYMPHOCYTE, 60},
    {1, RMIL_SYNTH_CENTRE, RMIL_SYNTH_BLAST, 920},      {1, RMIL_SYNTH_CORTEX, RMIL_SYNTH_BLAST, 25},
    {2, RMIL_SYNTH_TUMOUR, RMIL_SYNTH_CANCER, 970},     {2, RMIL_SYNTH_HISTIO, RMIL_SYNTH_HISTIOCYTE, 800},
    {2, RMIL_SYNTH_CENTRE, RMIL_SYNTH_MACROPHAGE, 45},  {2, RMIL_SYNTH_CORTEX, RMIL_SYNTH_HISTIOCYTE, 22},
    {3, RMIL_SYNTH_COLLAGEN, RMIL_SYNTH_SPINDLE, 330},  {3, RMIL_SYNTH_LOOSE, RMIL_SYNTH_SPINDLE, 210},
    {3, RMIL_SYNTH_WALL, RMIL_SYNTH_SPINDLE, 620},      {3, RMIL_SYNTH_SEPTUM, RMIL_SYNTH_SPINDLE, 560},
    {3, RMIL_SYNTH_SINUS, RMIL_SYNTH_HISTIOCYTE, 300},  {3, RMIL_SYNTH_FAT, RMIL_SYNTH_SPINDLE, 16},
    {3, RMIL_SYNTH_CORTEX, RMIL_SYNTH_SPINDLE, 18},     {3, RMIL_SYNTH_SINUS, RMIL_SYNTH_ERYTHROCYTE, 120},
};

/* The variants of spindle nuclei are ordered by angle: chooses the one along the fibres. */
static int along_fibres(const Painter *p, int64_t i, int64_t j, uint32_t draw) {
    Plane across = plane_at(p->map, p->map->across, i, j, 0, 1);
    double angle = atan2(across.y, across.x) + G_PI / 2 + ((double)(draw & 255) / 255 - 0.5) * 0.7;
    int variant = (int)floor(angle / G_PI * RMIL_SYNTH_VARIANTS);
    return ((variant % RMIL_SYNTH_VARIANTS) + RMIL_SYNTH_VARIANTS) % RMIL_SYNTH_VARIANTS;
}

static void put_nucleus(const Painter *p, RmilSynthCanvas *canvas, int set, int64_t x, int64_t y) {
    int64_t i = x / CELL, j = y / CELL;
    RmilSynthKind kind = p->map->kind[j * p->map->width + i];
    if (kind == RMIL_SYNTH_GLASS) return;
    if (kind == RMIL_SYNTH_FAT && canvas->e[y * canvas->width + x] < 30) return; /* a fat cell's nucleus lies in its wall */
    uint32_t draw = rmil_synth_hash(p->seed + (uint32_t)set, (int32_t)x, (int32_t)y);
    int chance = (int)(draw % 1000), variant = (int)((draw >> 10) % RMIL_SYNTH_VARIANTS);
    if (set == 0 && kind == RMIL_SYNTH_CORTEX) /* the density of lymphocytes varies from place to place */
        chance += (int)(190 *
                        rmil_synth_noise(p->seed, (float)x / (330 * (float)p->map->scale), (float)y / (330 * (float)p->map->scale), 0, 0));
    if (p->own && kind == RMIL_SYNTH_TUMOUR && set == p->own->set && chance < p->own->chance) {
        stamp(canvas, &p->atlas->stamp[p->own->sprite][variant], x, y);
        return;
    }
    for (gsize k = 0; k < G_N_ELEMENTS(rules); k++) {
        if (rules[k].set != set || rules[k].kind != kind) continue;
        if (p->own && rules[k].sprite == RMIL_SYNTH_CANCER) continue;
        if ((chance -= rules[k].chance) >= 0) continue;
        RmilSynthSprite sprite = rules[k].sprite;
        if (sprite == RMIL_SYNTH_CANCER && p->low) sprite = RMIL_SYNTH_CANCER_LOW;
        if (sprite == RMIL_SYNTH_SPINDLE) variant = along_fibres(p, i, j, draw >> 17);
        stamp(canvas, &p->atlas->stamp[sprite][variant], x + (int64_t)(draw >> 28 & 3) - 1, y + (int64_t)(draw >> 30) - 1);
        return;
    }
}

static void put_nuclei(const Painter *p, RmilSynthCanvas *canvas) {
    for (int set = 3; set >= 0; set--) {
        const GArray *points = p->atlas->points[set];
        for (int64_t ty = 0; ty < canvas->height; ty += TILE)
            for (int64_t tx = 0; tx < canvas->width; tx += TILE)
                for (guint k = 0; k < points->len; k++) {
                    RmilSynthPoint point = g_array_index(points, RmilSynthPoint, k);
                    int64_t x = tx + point.x, y = ty + point.y;
                    if (x < canvas->width && y < canvas->height) put_nucleus(p, canvas, set, x, y);
                }
    }
}

void rmil_synth_render(RmilSynthCanvas *canvas, const RmilSynthAnatomy *map, const RmilSynthAtlas *atlas, const RmilSynthPlan *plan,
                       uint64_t seed) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, plan->stream * 16 + 3);
    Painter painter = {map,
                       atlas,
                       (uint32_t)rmil_rng_below(&rng, TILE),
                       (uint32_t)rmil_rng_below(&rng, TILE),
                       (uint32_t)rmil_rng_next(&rng),
                       rmil_rng_uniform(&rng) < 0.4,
                       rmil_synth_subtype(plan->subtype)};
    paint_ground(&painter, canvas);
    put_nuclei(&painter, canvas);
}
