/* SPDX-License-Identifier: Apache-2.0 */
/* Lesions and their outlines. */
#include "synth-private.h"

#include <math.h>
#include <string.h>

#define DIRECTIONS 128
#define SMALLEST 70.0 /* px: radius of the smallest annotated lesion: some thirty tumour cells, 70 µm across */

void rmil_synth_lesion_clear(gpointer data) {
    RmilSynthLesion *lesion = data;
    if (lesion->polygon) g_array_unref(lesion->polygon);
}

static double outline_radius(const RmilSynthOutline *o, double theta) {
    double wave = 1, local = theta - o->angle, c = cos(local) / o->stretch, s = sin(local) * o->stretch;
    for (int k = 0; k < RMIL_SYNTH_HARMONICS; k++) wave += o->amplitude[k] * cos((k + 2) * theta + o->phase[k]);
    double r = o->r * wave / sqrt(c * c + s * s);
    double at = theta / (2 * G_PI) * DIRECTIONS, whole = floor(at);
    int i = (int)(((int64_t)whole % DIRECTIONS + DIRECTIONS) % DIRECTIONS);
    double cap = o->cap[i] + (at - whole) * (o->cap[(i + 1) % DIRECTIONS] - o->cap[i]);
    return MIN(r, cap);
}

static float depth_at(const RmilSynthAnatomy *map, double x, double y) {
    int64_t i = (int64_t)floor(x / RMIL_SYNTH_CELL), j = (int64_t)floor(y / RMIL_SYNTH_CELL);
    if (i < 0 || j < 0 || i >= map->width || j >= map->height) return -1e9F;
    return map->depth[j * map->width + i];
}

/* Distance of the point from the other lesions' outlines, in px along the ray from their centres. */
static double clearance(const RmilSynthAnatomy *map, double x, double y) {
    double clear = 1e9;
    for (guint i = 0; i < map->lesions->len; i++) {
        const RmilSynthOutline *o = &g_array_index(map->lesions, RmilSynthLesion, i).truth;
        double dx = x - o->x, dy = y - o->y;
        clear = MIN(clear, hypot(dx, dy) - 1.1 * outline_radius(o, atan2(dy, dx)));
    }
    return clear;
}

/* A lesion must not grow out of its node or into another one: the distance along the ray caps the radius. */
static void find_caps(const RmilSynthAnatomy *map, RmilSynthOutline *o) {
    double cap[DIRECTIONS], gap = 40 * map->scale;
    for (int i = 0; i < DIRECTIONS; i++) {
        double c = cos(2 * G_PI * i / DIRECTIONS), s = sin(2 * G_PI * i / DIRECTIONS), r = 0;
        while (depth_at(map, o->x + r * c, o->y + r * s) > 8 * map->scale && clearance(map, o->x + r * c, o->y + r * s) > gap)
            r += RMIL_SYNTH_CELL;
        cap[i] = r;
    }
    for (int i = 0; i < DIRECTIONS; i++) /* smoothed, never upwards */
        o->cap[i] = MIN(cap[i], 0.5 * cap[i] + 0.25 * (cap[(i + 1) % DIRECTIONS] + cap[(i + DIRECTIONS - 1) % DIRECTIONS]));
}

static void shape(RmilSynthOutline *o, RmilRng *rng, double roughness) {
    o->stretch = 0.8 + 0.5 * rmil_rng_uniform(rng);
    o->angle = 2 * G_PI * rmil_rng_uniform(rng);
    for (int k = 0; k < RMIL_SYNTH_HARMONICS; k++) {
        o->amplitude[k] = roughness * (0.5 + 0.5 * rmil_rng_uniform(rng)) / (k + 1.2);
        o->phase[k] = 2 * G_PI * rmil_rng_uniform(rng);
    }
}

/* The hand-drawn line: `count` vertices just outside the outline around them, with a tremor outwards; for an exclusion just inside. */
static GArray *draw_line(const RmilSynthOutline *o, gboolean inwards, double scale, int count, uint64_t stream) {
    GArray *polygon = g_array_new(FALSE, FALSE, sizeof(double));
    RmilRng rng;
    rmil_rng_init(&rng, stream, 77);
    for (int i = 0; i < count; i++) {
        double theta = 2 * G_PI * (i + 0.3 * rmil_rng_uniform(&rng)) / count, step = 2 * G_PI * 1.3 / count;
        double low = 1e18, high = 0, tremor = 1.7 * rmil_rng_uniform(&rng) * scale;
        for (int k = -3; k <= 3; k++) {
            double r = outline_radius(o, theta + step * k / 3);
            low = MIN(low, r);
            high = MAX(high, r);
        }
        double r = inwards ? MAX(2.0, 0.96 * low - 3 * scale - tremor) : 1.03 * high + 4 * scale + tremor;
        double xy[2] = {round((o->x + r * cos(theta)) * 10) / 10, round((o->y + r * sin(theta)) * 10) / 10};
        g_array_append_vals(polygon, xy, 2);
    }
    return polygon;
}

static double polygon_area(const GArray *polygon) {
    const double *xy = (const double *)(void *)polygon->data;
    double sum = 0;
    for (guint i = 0, n = polygon->len / 2; i < n; i++) {
        guint j = (i + 1) % n;
        sum += xy[2 * i] * xy[2 * j + 1] - xy[2 * j] * xy[2 * i + 1];
    }
    return fabs(sum) / 2;
}

static void annotate(RmilSynthLesion *lesion, double scale, uint64_t stream) {
    int count = (int)CLAMP(2 * G_PI * lesion->truth.r / (14 * scale), lesion->exclusion ? 40 : 20, 200);
    if (lesion->polygon) g_array_unref(lesion->polygon);
    lesion->polygon = draw_line(&lesion->truth, lesion->exclusion, scale, count, stream);
}

/* Grows the outline until the annotated area is as requested (or the node is full). */
static void fit_area(RmilSynthLesion *lesion, double area, double scale, uint64_t stream) {
    double low = 1, high = 4 * sqrt(area / G_PI);
    for (int i = 0; i < 30; i++) {
        lesion->truth.r = 0.5 * (low + high);
        annotate(lesion, scale, stream);
        *(polygon_area(lesion->polygon) < area ? &low : &high) = lesion->truth.r;
    }
}

static gboolean inside_outline(const RmilSynthOutline *o, double x, double y, double *q) {
    double dx = x - o->x, dy = y - o->y, reach = o->r * 3.2, d2 = dx * dx + dy * dy;
    if (d2 > reach * reach) return FALSE;
    *q = sqrt(d2) / MAX(outline_radius(o, atan2(dy, dx)), 1e-3);
    return *q < 1;
}

/* How the tumour of a slide grows: in nests of some size between septa, with or without glands. */
typedef struct {
    uint32_t seed;
    float nest, septum, gland; /* px; widths as noise levels; gland 2: none */
} Growth;

static RmilSynthKind tumour_kind(const Growth *g, const RmilSynthOutline *o, float s, float x, float y, float edge, float septum) {
    if (o->r < 90 * s) return RMIL_SYNTH_TUMOUR;
    if (fabsf(septum) < g->septum) return RMIL_SYNTH_SEPTUM;
    float core = rmil_synth_fbm(g->seed + 5, x / (300 * s), y / (300 * s), 2);
    if (o->r > 420 * s && edge > 0.3F && core > 0.62F) return RMIL_SYNTH_NECROSIS;
    float lumen = rmil_synth_fbm(g->seed + 6, x / (62 * s), y / (62 * s), 2);
    return lumen > g->gland ? RMIL_SYNTH_GLASS : RMIL_SYNTH_TUMOUR;
}

static void draw(RmilSynthAnatomy *map, const RmilSynthLesion *lesion, const Growth *g) {
    const RmilSynthOutline *o = &lesion->truth;
    double reach = o->r * 3.2 / RMIL_SYNTH_CELL, cx = o->x / RMIL_SYNTH_CELL, cy = o->y / RMIL_SYNTH_CELL;
    float s = (float)map->scale;
    for (int64_t j = (int64_t)MAX(0, cy - reach); j <= (int64_t)MIN((double)map->height - 1, cy + reach); j++)
        for (int64_t i = (int64_t)MAX(0, cx - reach); i <= (int64_t)MIN((double)map->width - 1, cx + reach); i++) {
            double q, px = ((double)i + 0.5) * RMIL_SYNTH_CELL, py = ((double)j + 0.5) * RMIL_SYNTH_CELL;
            if (!inside_outline(o, px, py, &q)) continue;
            uint8_t *kind = &map->kind[j * map->width + i];
            float x = (float)px, y = (float)py, edge = 1 - (float)q;
            if (lesion->exclusion) {
                gboolean loose = rmil_synth_noise(g->seed, x / (90 * s), y / (90 * s), 0, 0) > 0.3F;
                *kind = loose ? RMIL_SYNTH_LOOSE : RMIL_SYNTH_CORTEX;
                continue;
            }
            /* lymphocytes of the node lie between the outermost tumour cells */
            if (o->r > 90 * s && edge < 0.1F && rmil_synth_noise(g->seed + 9, x / (34 * s), y / (34 * s), 0, 0) > 0.15F) continue;
            float septum = rmil_synth_fbm(g->seed, x / (g->nest * s), y / (g->nest * s), 2);
            *kind = (uint8_t)tumour_kind(g, o, s, x, y, edge, septum);
            if (o->r > 90 * s) map->across[j * map->width + i] = septum * g->nest * s;
        }
}

/* A centre deep enough for the lesion and clear of the others. */
static gboolean place(const RmilSynthAnatomy *map, RmilSynthOutline *o, double r, RmilRng *rng) {
    double best = -1e18, scale = map->scale;
    int found = 0;
    for (int attempt = 0; attempt < 4000 && found < 12; attempt++) {
        int64_t cell = rmil_rng_below(rng, map->width * map->height);
        double depth = map->depth[cell], x = ((double)(cell % map->width) + 0.5) * RMIL_SYNTH_CELL,
               y = ((double)(cell / map->width) + 0.5) * RMIL_SYNTH_CELL;
        double wanted = attempt < 2000 ? 55 * scale + 0.75 * r : attempt < 3000 ? 55 * scale + 0.3 * r : 60 * scale;
        if (depth < wanted || clearance(map, x, y) < wanted) continue;
        found++;
        double score = rmil_rng_uniform(rng) - 0.3 * depth / (60 * scale + 3 * r); /* metastases start under the capsule */
        if (score <= best) continue;
        best = score;
        o->x = x;
        o->y = y;
    }
    return found > 0;
}

static int lesion_count(double share, RmilRng *rng) {
    /* more foci in slides with more tumour, as in Camelyon16 (where the counts are higher still) */
    double mean = share < 0.0006 ? 0.2 : share < 0.01 ? 1.6 : 2.5;
    double sum = 0;
    int count = 1;
    while (count < 6 && (sum -= log(1 - rmil_rng_uniform(rng))) < mean) count++;
    return count;
}

void rmil_synth_lesions_add(RmilSynthAnatomy *map, const RmilSynthPlan *plan, uint64_t seed) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, plan->stream * 16 + 2);
    double scale = map->scale;
    double extent = (double)(map->box[2] - map->box[0]) * (double)(map->box[3] - map->box[1]);
    double least = G_PI * SMALLEST * SMALLEST * scale * scale, total = MAX(plan->share * extent, least), made = 0;
    int count = lesion_count(plan->share, &rng), tries = 0;
    count = MIN(count, (int)(total / least));
    while (total - made > MAX(0.03 * total, 0.4 * least) && tries++ < 12) {
        double left = total - made, area = left;
        double part = 0.35 + 0.4 * rmil_rng_uniform(&rng);
        if (count > 1) area = MIN(left * part, left - (count - 1) * least);
        area = MAX(area, least);
        count--;
        RmilSynthLesion lesion = {.group = rmil_rng_uniform(&rng) < 0.25};
        uint64_t stream = rmil_rng_next(&rng);
        double r = sqrt(area / G_PI);
        shape(&lesion.truth, &rng, r > 90 * scale ? 0.16 : 0.06);
        if (!place(map, &lesion.truth, r, &rng)) continue;
        find_caps(map, &lesion.truth);
        fit_area(&lesion, area, scale, stream);
        made += polygon_area(lesion.polygon);
        g_array_append_val(map->lesions, lesion);
        if (lesion.truth.r < 330 * scale || rmil_rng_uniform(&rng) > 0.5) continue;
        RmilSynthLesion hole = {.exclusion = TRUE, .group = 2, .truth = {.x = lesion.truth.x, .y = lesion.truth.y}};
        shape(&hole.truth, &rng, 0.1);
        for (int i = 0; i < DIRECTIONS; i++) hole.truth.cap[i] = 0.6 * lesion.truth.cap[i];
        hole.truth.r = lesion.truth.r * (0.18 + 0.12 * rmil_rng_uniform(&rng));
        annotate(&hole, scale, stream + 1);
        made -= polygon_area(hole.polygon);
        g_array_append_val(map->lesions, hole);
    }
    map->share = made / extent;
    Growth growth = {.nest = (float)(90 + 90 * rmil_rng_uniform(&rng)), .septum = (float)(0.05 + 0.11 * rmil_rng_uniform(&rng))};
    growth.gland = rmil_rng_uniform(&rng) < 0.4 ? (float)(0.45 + 0.25 * rmil_rng_uniform(&rng)) : 2;
    const RmilSynthSubtype *own = rmil_synth_subtype(plan->subtype);
    if (own) growth = (Growth){.nest = own->nest, .septum = own->septum, .gland = own->gland};
    for (guint i = 0; i < map->lesions->len; i++) {
        growth.seed = (uint32_t)rmil_rng_next(&rng);
        draw(map, &g_array_index(map->lesions, RmilSynthLesion, i), &growth);
    }
}

static void append_annotation(GString *xml, const RmilSynthLesion *lesion, guint number, const char *name) {
    g_autofree char *group = name && !lesion->exclusion ? g_strdup(name) : g_strdup_printf("_%d", lesion->group);
    const double *xy = (const double *)(void *)lesion->polygon->data;
    g_string_append_printf(xml,
                           "\t\t<Annotation Name=\"Annotation %u\" Type=\"Polygon\" PartOfGroup=\"%s\" Color=\"#F4FA58\">\n"
                           "\t\t\t<Coordinates>\n",
                           number, group);
    for (guint i = 0; i < lesion->polygon->len / 2; i++) {
        char x[G_ASCII_DTOSTR_BUF_SIZE], y[G_ASCII_DTOSTR_BUF_SIZE];
        g_ascii_formatd(x, sizeof x, "%.8g", xy[2 * i]);
        g_ascii_formatd(y, sizeof y, "%.8g", xy[2 * i + 1]);
        g_string_append_printf(xml, "\t\t\t\t<Coordinate Order=\"%u\" X=\"%s\" Y=\"%s\" />\n", i, x, y);
    }
    g_string_append(xml, "\t\t\t</Coordinates>\n\t\t</Annotation>\n");
}

static void append_group(GString *xml, const char *name, const char *parent, const char *colour) {
    g_string_append_printf(xml, "\t\t<Group Name=\"%s\" PartOfGroup=\"%s\" Color=\"%s\">\n\t\t\t<Attributes />\n\t\t</Group>\n", name,
                           parent, colour);
}

char *rmil_synth_asap(const RmilSynthAnatomy *map, int subtype) {
    const char *name = subtype ? rmil_synth_class_name(subtype) : NULL;
    GString *xml = g_string_new("<?xml version=\"1.0\"?>\n<ASAP_Annotations>\n\t<Annotations>\n");
    for (guint i = 0; i < map->lesions->len; i++) append_annotation(xml, &g_array_index(map->lesions, RmilSynthLesion, i), i, name);
    g_string_append(xml, "\t</Annotations>\n\t<AnnotationGroups>\n");
    append_group(xml, "_2", "None", "#64FE2E");
    append_group(xml, name ? name : "_1", name ? "Tumor" : "None", "#FF0000");
    append_group(xml, name ? "Tumor" : "_0", "None", "#F4FA58");
    g_string_append(xml, "\t</AnnotationGroups>\n</ASAP_Annotations>\n");
    return g_string_free(xml, FALSE);
}
