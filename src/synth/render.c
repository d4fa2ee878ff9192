#include "synth-private.h"

#include <math.h>
#include <string.h>

#define TILE RMIL_SYNTH_TILE
#define CELL RMIL_SYNTH_CELL

/* Fibres follow a flow: texture coordinates at the corners of map cells. Dense collagen runs along the node's outline,
 * looser tissue along a slowly turning field. */
typedef struct {
    int64_t width, height;
    float *u, *v;      /* loose */
} Flow;

static void flow_init(Flow *flow, const RmilSynthAnatomy *map, uint32_t seed, double turn) {
    float s = (float)map->scale, c = cosf((float)turn), sn = sinf((float)turn);
    flow->width = map->width + 1;
    flow->height = map->height + 1;
    flow->u = g_new(float, flow->width * flow->height);
    flow->v = g_new(float, flow->width * flow->height);
    for (int64_t j = 0; j < flow->height; j++)
        for (int64_t i = 0; i < flow->width; i++) {
            float x = (float)(i * CELL), y = (float)(j * CELL);
            float a = 190 * s * rmil_synth_noise(seed, x / (420 * s), y / (420 * s), 0, 0);
            float b = 190 * s * rmil_synth_noise(seed + 1, x / (420 * s), y / (420 * s), 0, 0);
            flow->u[j * flow->width + i] = c * x + sn * y + a + 4 * TILE;
            flow->v[j * flow->width + i] = -sn * x + c * y + b + 4 * TILE;
        }
}

static gboolean fibrous(RmilSynthKind kind) {
    return kind == RMIL_SYNTH_COLLAGEN || kind == RMIL_SYNTH_LOOSE || kind == RMIL_SYNTH_SEPTUM || kind == RMIL_SYNTH_WALL;
}

typedef struct {
    const RmilSynthAnatomy *map;
    const RmilSynthAtlas *atlas;
    const Flow *flow;
    uint32_t shift_x, shift_y; /* where this slide cuts the textures */
} Painter;

/* Corner values of a field over the cell; where it jumps (other island, the angle's seam) the cell stays flat. */
static void corners(const float *field, int64_t width, int64_t i, int64_t j, int64_t i1, int64_t j1, float *c) {
    c[0] = field[j * width + i];
    c[1] = field[j * width + i1];
    c[2] = field[j1 * width + i];
    c[3] = field[j1 * width + i1];
    for (int k = 1; k < 4; k++)
        if (fabsf(c[k] - c[0]) > 8 * CELL) c[k] = c[0];
}

static float bilinear(const float *c, int x, int y) {
    float fx = (float)x / CELL, fy = (float)y / CELL, top = c[0] + fx * (c[1] - c[0]), bottom = c[2] + fx * (c[3] - c[2]);
    return top + fy * (bottom - top);
}

static void paint_cell(const Painter *p, RmilSynthCanvas *canvas, int64_t i, int64_t j, gboolean mixed, gboolean fibres) {
    const RmilSynthAnatomy *map = p->map;
    int64_t x0 = i * CELL, y0 = j * CELL, x1 = MIN(x0 + CELL, canvas->width), y1 = MIN(y0 + CELL, canvas->height);
    float u[4], v[4], along[4], depth[4];
    if (fibres) {
        int64_t i1 = MIN(i + 1, map->width - 1), j1 = MIN(j + 1, map->height - 1);
        corners(p->flow->u, p->flow->width, i, j, i + 1, j + 1, u);
        corners(p->flow->v, p->flow->width, i, j, i + 1, j + 1, v);
        corners(map->island, map->width, i, j, i1, j1, along);
        corners(map->depth, map->width, i, j, i1, j1, depth);
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
            uint32_t tx = (uint32_t)x + p->shift_x, ty = (uint32_t)y + p->shift_y;
            if (fibres && fibrous(kind)) {
                gboolean capsule = kind == RMIL_SYNTH_COLLAGEN || kind == RMIL_SYNTH_WALL;
                tx = (uint32_t)(int32_t)bilinear(capsule ? along : u, (int)(x - x0), (int)(y - y0)) + p->shift_x;
                ty = (uint32_t)(int32_t)bilinear(capsule ? depth : v, (int)(x - x0), (int)(y - y0)) + p->shift_y;
            }
            RmilSynthStainPair pair = p->atlas->texture[kind][(ty & (TILE - 1)) * TILE + (tx & (TILE - 1))];
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

/* Which nuclei lie on which ground: at each point of set `set`, sort `sprite` with `chance` (of 1000). */
typedef struct {
    uint8_t set, kind, sprite;
    uint16_t chance;
} Rule;
static const Rule rules[] = {
    {0, RMIL_SYNTH_CORTEX, RMIL_SYNTH_LYMPHOCYTE, 930},  {0, RMIL_SYNTH_MANTLE, RMIL_SYNTH_LYMPHOCYTE, 1000},
    {0, RMIL_SYNTH_CENTRE, RMIL_SYNTH_LYMPHOCYTE, 110},  {0, RMIL_SYNTH_SINUS, RMIL_SYNTH_LYMPHOCYTE, 130},
    {0, RMIL_SYNTH_LOOSE, RMIL_SYNTH_LYMPHOCYTE, 14},    {0, RMIL_SYNTH_HISTIO, RMIL_SYNTH_LYMPHOCYTE, 90},
    {0, RMIL_SYNTH_TUMOUR, RMIL_SYNTH_LYMPHOCYTE, 35},   {0, RMIL_SYNTH_SEPTUM, RMIL_SYNTH_LYMPHOCYTE, 120},
    {0, RMIL_SYNTH_COLLAGEN, RMIL_SYNTH_LYMPHOCYTE, 8},  {0, RMIL_SYNTH_NECROSIS, RMIL_SYNTH_LYMPHOCYTE, 60},
    {1, RMIL_SYNTH_CENTRE, RMIL_SYNTH_BLAST, 920},       {1, RMIL_SYNTH_CORTEX, RMIL_SYNTH_BLAST, 25},
    {2, RMIL_SYNTH_TUMOUR, RMIL_SYNTH_CANCER, 970},      {2, RMIL_SYNTH_HISTIO, RMIL_SYNTH_HISTIOCYTE, 800},
    {2, RMIL_SYNTH_CENTRE, RMIL_SYNTH_MACROPHAGE, 45},   {2, RMIL_SYNTH_CORTEX, RMIL_SYNTH_HISTIOCYTE, 22},
    {3, RMIL_SYNTH_COLLAGEN, RMIL_SYNTH_SPINDLE, 330},   {3, RMIL_SYNTH_LOOSE, RMIL_SYNTH_SPINDLE, 210},
    {3, RMIL_SYNTH_WALL, RMIL_SYNTH_SPINDLE, 620},       {3, RMIL_SYNTH_SEPTUM, RMIL_SYNTH_SPINDLE, 560},
    {3, RMIL_SYNTH_SINUS, RMIL_SYNTH_HISTIOCYTE, 300},   {3, RMIL_SYNTH_FAT, RMIL_SYNTH_SPINDLE, 16},
    {3, RMIL_SYNTH_CORTEX, RMIL_SYNTH_SPINDLE, 18},      {3, RMIL_SYNTH_SINUS, RMIL_SYNTH_ERYTHROCYTE, 120},
};

/* The variants of spindle nuclei are ordered by angle: pick the one along the fibres. */
static int along_fibres(const Painter *p, RmilSynthKind kind, int64_t i, int64_t j, uint32_t draw) {
    gboolean capsule = kind == RMIL_SYNTH_COLLAGEN || kind == RMIL_SYNTH_WALL;
    const float *field = capsule ? p->map->depth : p->flow->v;
    int64_t width = capsule ? p->map->width : p->flow->width, i1 = MIN(i + 1, p->map->width - 1), j1 = MIN(j + 1, p->map->height - 1);
    float gx = field[j * width + i1] - field[j * width + i], gy = field[j1 * width + i] - field[j * width + i];
    double angle = atan2(gy, gx) + G_PI / 2 + ((double)(draw & 255) / 255 - 0.5) * 0.7; /* across the gradient */
    int variant = (int)floor(angle / G_PI * RMIL_SYNTH_VARIANTS);
    return ((variant % RMIL_SYNTH_VARIANTS) + RMIL_SYNTH_VARIANTS) % RMIL_SYNTH_VARIANTS;
}

static void put_nucleus(const Painter *p, RmilSynthCanvas *canvas, int set, int64_t x, int64_t y, uint32_t seed, gboolean low) {
    int64_t i = x / CELL, j = y / CELL;
    RmilSynthKind kind = p->map->kind[j * p->map->width + i];
    if (kind == RMIL_SYNTH_GLASS) return;
    uint32_t draw = rmil_synth_hash(seed, (int32_t)x, (int32_t)y);
    int chance = (int)(draw % 1000), variant = (int)((draw >> 10) % RMIL_SYNTH_VARIANTS);
    for (gsize k = 0; k < G_N_ELEMENTS(rules); k++) {
        if (rules[k].set != set || rules[k].kind != kind) continue;
        if ((chance -= rules[k].chance) >= 0) continue;
        RmilSynthSprite sprite = rules[k].sprite;
        if (sprite == RMIL_SYNTH_CANCER && low) sprite = RMIL_SYNTH_CANCER_LOW;
        if (sprite == RMIL_SYNTH_SPINDLE) variant = along_fibres(p, kind, i, j, draw >> 17);
        stamp(canvas, &p->atlas->stamp[sprite][variant], x + (int64_t)(draw >> 28 & 3) - 1, y + (int64_t)(draw >> 30) - 1);
        return;
    }
}

static void put_nuclei(const Painter *p, RmilSynthCanvas *canvas, uint32_t seed, gboolean low) {
    for (int set = 3; set >= 0; set--) {
        const GArray *points = p->atlas->points[set];
        for (int64_t ty = 0; ty < canvas->height; ty += TILE)
            for (int64_t tx = 0; tx < canvas->width; tx += TILE)
                for (guint k = 0; k < points->len; k++) {
                    RmilSynthPoint point = g_array_index(points, RmilSynthPoint, k);
                    int64_t x = tx + point.x, y = ty + point.y;
                    if (x < canvas->width && y < canvas->height) put_nucleus(p, canvas, set, x, y, seed + (uint32_t)set, low);
                }
    }
}

void rmil_synth_render(RmilSynthCanvas *canvas, const RmilSynthAnatomy *map, const RmilSynthAtlas *atlas,
                       const RmilSynthPlan *plan, uint64_t seed) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, plan->stream * 16 + 3);
    Flow flow;
    uint32_t base = (uint32_t)rmil_rng_next(&rng);
    flow_init(&flow, map, base, G_PI * rmil_rng_uniform(&rng));
    Painter painter = {map, atlas, &flow, (uint32_t)rmil_rng_below(&rng, TILE), (uint32_t)rmil_rng_below(&rng, TILE)};
    paint_ground(&painter, canvas);
    put_nuclei(&painter, canvas, base + 17, rmil_rng_uniform(&rng) < 0.4);
    g_free(flow.u);
    g_free(flow.v);
}
