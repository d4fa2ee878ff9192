/* SPDX-License-Identifier: Apache-2.0 */
/* Lymph nodes and their contents. */
#include "synth-private.h"

#include <math.h>

/* One lymph node (or piece of one): a warped, bent ellipse. */
typedef struct {
    double x, y, a, b, angle, bend, hilum;
    double fat; /* extent of the fat, in units of the shorter axis */
    uint32_t seed;
} Node;

typedef struct {
    double x, y, r;
    float squeeze, angle;
} Blob;

typedef struct {
    RmilSynthAnatomy *anatomy;
    Node node[3];
    int nodes;
    GArray *follicles, *vessels, *histiocytes, *bleedings; /* Blob */
    uint32_t seed;
    float s; /* scale */
} Maker;

static double between(RmilRng *rng, double low, double high) { return low + (high - low) * rmil_rng_uniform(rng); }

static void place_nodes(Maker *maker, const RmilSynthPlan *plan, RmilRng *rng) {
    double w = (double)plan->width, h = (double)plan->height;
    double draw = rmil_rng_uniform(rng);
    maker->nodes = draw < 0.35 ? 1 : draw < 0.85 ? 2 : 3;
    gboolean across = maker->nodes == 1 || w * between(rng, 0.7, 1.4) > h;
    double total = 0, part[3], from = 0;
    for (int i = 0; i < maker->nodes; i++) total += part[i] = between(rng, 0.7, 1.3);
    for (int i = 0; i < maker->nodes; i++) {
        double share = part[i] / total, box_w = across ? w * share : w, box_h = across ? h : h * share;
        Node *node = &maker->node[i];
        node->x = (across ? w * from : 0) + box_w * between(rng, 0.47, 0.53);
        node->y = (across ? 0 : h * from) + box_h * between(rng, 0.46, 0.54);
        from += share;
        double rx = 0.5 * box_w * between(rng, 0.70, 0.80), ry = 0.5 * box_h * between(rng, 0.68, 0.8);
        if (maker->nodes == 1) rx *= 0.96, ry *= 0.92;
        if (ry > 1.8 * rx) ry = rx * between(rng, 1.5, 1.8);
        if (rx > 1.8 * ry) rx = ry * between(rng, 1.5, 1.8);
        node->a = rx;
        node->b = ry;
        node->angle = between(rng, -0.3, 0.3);
        node->bend = between(rng, -0.25, 0.25);
        node->hilum = between(rng, 0, 2 * G_PI);
        node->fat = between(rng, -0.1, 0.28);
        node->seed = (uint32_t)rmil_rng_next(rng);
    }
}

/* Depth (px) of the point inside node n; *along: angle × mean radius, the position along the outline. */
static float node_depth(const Node *n, float s, double x, double y, float *along) {
    double dx = x - n->x, dy = y - n->y, c = cos(n->angle), sn = sin(n->angle), size = MIN(n->a, n->b);
    double u = c * dx + sn * dy, v = -sn * dx + c * dy;
    v += n->bend * (u * u / n->a - 0.35 * n->a) * 0.8;
    double q = sqrt(u * u / (n->a * n->a) + v * v / (n->b * n->b)), theta = atan2(v, u);
    double hilum = cos(theta - n->hilum);
    float fx = (float)(x / (0.55 * size)), fy = (float)(y / (0.55 * size));
    double warp = 0.17 * rmil_synth_fbm(n->seed, fx, fy, 2) +
                  0.008 * rmil_synth_fbm(n->seed + 7, (float)x / (75 * s), (float)y / (75 * s), 2);
    double notch = hilum > 0.86 ? 0.22 * (hilum - 0.86) / 0.14 : 0;
    *along = (float)(theta * 0.5 * (n->a + n->b));
    return (float)((1 - q + warp * MIN(1.0, q * 1.5) - notch) * size);
}

static gboolean blob_at(const GArray *blobs, double x, double y, uint32_t seed, float s, float *distance) {
    *distance = 1e9F;
    for (guint i = 0; i < blobs->len; i++) {
        const Blob *b = &g_array_index(blobs, Blob, i);
        double dx = x - b->x, dy = y - b->y, reach = 1.7 * b->r;
        if (dx * dx + dy * dy > reach * reach) continue;
        float u = (float)(cosf(b->angle) * dx + sinf(b->angle) * dy) * b->squeeze;
        float v = (float)(-sinf(b->angle) * dx + cosf(b->angle) * dy) / b->squeeze;
        float r = sqrtf(u * u + v * v) / (float)b->r;
        float warped = r + 0.22F * rmil_synth_fbm(seed + i * 31, (float)(x / (0.6 * b->r)), (float)(y / (0.6 * b->r)), 2);
        *distance = MIN(*distance, warped);
    }
    return *distance < 1;
}

/* Blobs at random places of the nodes whose depth lies between two values, without overlaps. */
static GArray *scatter(const Maker *maker, RmilRng *rng, int count, double r_low, double r_high, double depth_low, double depth_high) {
    const RmilSynthAnatomy *map = maker->anatomy;
    GArray *blobs = g_array_new(FALSE, FALSE, sizeof(Blob));
    for (int attempt = 0; attempt < count * 60 && (int)blobs->len < count; attempt++) {
        int64_t cell = rmil_rng_below(rng, map->width * map->height);
        Blob blob = {(double)(cell % map->width) * RMIL_SYNTH_CELL, (double)(cell / map->width) * RMIL_SYNTH_CELL,
                     between(rng, r_low, r_high) * map->scale, (float)between(rng, 0.75, 1.33), (float)between(rng, 0, G_PI)};
        double depth = (double)map->depth[cell] / map->scale;
        if (depth < depth_low || depth > depth_high) continue;
        gboolean free_place = TRUE;
        for (guint i = 0; i < blobs->len && free_place; i++) {
            const Blob *other = &g_array_index(blobs, Blob, i);
            free_place = hypot(other->x - blob.x, other->y - blob.y) > 1.15 * (other->r + blob.r);
        }
        if (free_place) g_array_append_val(blobs, blob);
    }
    return blobs;
}

/* One place on the map: its node, its position there, and the tissue that it becomes. */
typedef struct {
    const Node *node;
    float x, y, depth, angle; /* px; px inside; px along the outline */
    RmilSynthKind kind;
    float across;
} Place;

static RmilSynthKind outside_kind(const Maker *maker, Place *p) {
    const Node *n = p->node;
    float s = maker->s, size = (float)MIN(n->a, n->b);
    float reach = (float)n->fat + 0.30F * rmil_synth_fbm(n->seed + 11, p->x / (420 * s), p->y / (420 * s), 3);
    float septa = rmil_synth_fbm(n->seed + 13, p->x / (360 * s), p->y / (360 * s), 2);
    if (p->depth < -22 * s) p->across = septa * 260 * s;
    if (p->depth < -size * reach) { /* wisps of torn connective tissue right outside */
        float wisp = rmil_synth_fbm(n->seed + 12, p->x / (90 * s), p->y / (90 * s), 3);
        return p->depth > -20 * s && wisp > 0.25F ? RMIL_SYNTH_LOOSE : RMIL_SYNTH_GLASS;
    }
    return fabsf(septa) < 0.05F || p->depth > -14 * s ? RMIL_SYNTH_LOOSE : RMIL_SYNTH_FAT;
}

static RmilSynthKind vessel_kind(const Maker *maker, Place *p, float distance) {
    p->across = distance * 60 * maker->s;
    if (distance > 1) return RMIL_SYNTH_LOOSE;
    if (distance > 0.58F) return RMIL_SYNTH_WALL;
    float s = maker->s, filled = rmil_synth_fbm(p->node->seed + 22, p->x / (60 * s), p->y / (60 * s), 2);
    return filled > 0.05F ? RMIL_SYNTH_BLOOD : RMIL_SYNTH_GLASS;
}

static RmilSynthKind inside_kind(const Maker *maker, Place *p) {
    const Node *n = p->node;
    float s = maker->s, d = p->depth / s, x = p->x, y = p->y, distance;
    float thickness = 20 + 14 * rmil_synth_noise(n->seed + 21, p->angle / (260 * s), 3.5F, 0, 0);
    if (d < thickness) return RMIL_SYNTH_COLLAGEN;
    blob_at(maker->vessels, x, y, maker->seed + 1, s, &distance);
    if (distance < 1.2F) return vessel_kind(maker, p, distance);
    float sinus = 16 + 12 * rmil_synth_noise(n->seed + 23, p->angle / (180 * s), 9.5F, 0, 0);
    if (d < thickness + sinus) return RMIL_SYNTH_SINUS;
    float trabecula = rmil_synth_fbm(n->seed + 24, x / (620 * s), y / (620 * s), 2);
    p->across = trabecula * 500 * s;
    if (fabsf(trabecula) < 0.022F && d < 500 + 300 * trabecula) return RMIL_SYNTH_COLLAGEN;
    if (blob_at(maker->bleedings, x, y, maker->seed + 2, s, &distance)) {
        float seep = rmil_synth_fbm(n->seed + 27, x / (50 * s), y / (50 * s), 2);
        if (distance < 0.8F + 0.5F * seep) return RMIL_SYNTH_BLOOD;
    }
    if (blob_at(maker->histiocytes, x, y, maker->seed + 3, s, &distance)) return RMIL_SYNTH_HISTIO;
    if (blob_at(maker->follicles, x, y, maker->seed + 4, s, &distance)) return distance < 0.68F ? RMIL_SYNTH_CENTRE : RMIL_SYNTH_MANTLE;
    /* medulla: cords of lymphocytes between sinuses, stronger towards the hilum */
    float towards = cosf(p->angle / (0.5F * (float)(n->a + n->b)) - (float)n->hilum);
    float medulla = 0.55F * towards + (d - 420) / 600 + 0.35F * rmil_synth_noise(n->seed + 25, x / (500 * s), y / (500 * s), 0, 0);
    if (medulla < 0.35F) return RMIL_SYNTH_CORTEX;
    float cord = rmil_synth_fbm(n->seed + 26, x / (150 * s), y / (150 * s), 2);
    if (fabsf(cord) < 0.05F + 0.12F * MIN(1.0F, medulla - 0.35F)) return RMIL_SYNTH_SINUS;
    if (cord > 0.85F && towards > 0.3F) return RMIL_SYNTH_FAT;
    p->across = cord * 120 * s;
    return cord < -0.9F ? RMIL_SYNTH_LOOSE : RMIL_SYNTH_CORTEX;
}

static Place find_place(const Maker *maker, int64_t i, int64_t j) {
    double x = ((double)i + 0.5) * RMIL_SYNTH_CELL, y = ((double)j + 0.5) * RMIL_SYNTH_CELL;
    Place place = {.x = (float)x, .y = (float)y, .depth = -1e9F};
    for (int k = 0; k < maker->nodes; k++) {
        float angle, depth = node_depth(&maker->node[k], maker->s, x, y, &angle);
        if (depth <= place.depth) continue;
        place.node = &maker->node[k];
        place.depth = depth;
        place.angle = angle;
    }
    return place;
}

static void fill_depth(Maker *maker) {
    RmilSynthAnatomy *map = maker->anatomy;
    for (int64_t cell = 0; cell < map->width * map->height; cell++) {
        Place place = find_place(maker, cell % map->width, cell / map->width);
        map->depth[cell] = place.depth;
        map->along[cell] = place.angle;
    }
}

static void fill_kinds(Maker *maker) {
    RmilSynthAnatomy *map = maker->anatomy;
    float s = maker->s, width = (float)(map->width * RMIL_SYNTH_CELL), height = (float)(map->height * RMIL_SYNTH_CELL);
    float c = cosf((float)maker->node[0].hilum), sn = sinf((float)maker->node[0].hilum);
    for (int64_t cell = 0; cell < map->width * map->height; cell++) {
        Place place = find_place(maker, cell % map->width, cell / map->width);
        float x = place.x, y = place.y;
        place.across = place.depth;
        place.kind = place.depth < 0 ? outside_kind(maker, &place) : inside_kind(maker, &place);
        if (place.across != place.depth) /* away from the outline the direction of fibres changes slowly */
            map->along[cell] = c * x + sn * y + 190 * s * rmil_synth_noise(maker->seed + 5, x / (420 * s), y / (420 * s), 0, 0);
        /* nothing is cut off by the picture's edge */
        float edge = MIN(MIN(x, y), MIN(width - x, height - y));
        if (edge < 24 + 16 * rmil_synth_noise(maker->seed, x / 90, y / 90, 0, 0)) place.kind = RMIL_SYNTH_GLASS;
        map->kind[cell] = (uint8_t)place.kind;
        map->across[cell] = place.across;
    }
}

static void find_box(RmilSynthAnatomy *map) {
    int64_t *box = map->box;
    box[0] = map->width, box[1] = map->height, box[2] = box[3] = 0;
    for (int64_t j = 0; j < map->height; j++)
        for (int64_t i = 0; i < map->width; i++) {
            if (map->kind[j * map->width + i] == RMIL_SYNTH_GLASS) continue;
            box[0] = MIN(box[0], i);
            box[1] = MIN(box[1], j);
            box[2] = MAX(box[2], i + 1);
            box[3] = MAX(box[3], j + 1);
        }
    for (int k = 0; k < 4; k++) box[k] *= RMIL_SYNTH_CELL;
}

void rmil_synth_anatomy_free(RmilSynthAnatomy *map) {
    if (!map) return;
    rmil_free(map->kind);
    rmil_free(map->depth);
    rmil_free(map->across);
    rmil_free(map->along);
    if (map->lesions) g_array_unref(map->lesions);
    g_free(map);
}

RmilSynthAnatomy *rmil_synth_anatomy_new(const RmilSynthOptions *options, const RmilSynthPlan *plan, GError **error) {
    g_autoptr(RmilSynthAnatomy) map = g_new0(RmilSynthAnatomy, 1);
    map->width = (plan->width + RMIL_SYNTH_CELL - 1) / RMIL_SYNTH_CELL;
    map->height = (plan->height + RMIL_SYNTH_CELL - 1) / RMIL_SYNTH_CELL;
    map->scale = 0.5 / options->mpp;
    int64_t cells = map->width * map->height;
    if (!(map->kind = rmil_alloc(cells, 1, error)) || !(map->depth = rmil_alloc(cells, sizeof(float), error)) ||
        !(map->across = rmil_alloc(cells, sizeof(float), error)) || !(map->along = rmil_alloc(cells, sizeof(float), error)))
        return NULL;
    map->lesions = g_array_new(FALSE, FALSE, sizeof(RmilSynthLesion));
    g_array_set_clear_func(map->lesions, rmil_synth_lesion_clear);

    RmilRng rng;
    rmil_rng_init(&rng, options->seed, plan->stream * 16 + 1);
    Maker maker = {.anatomy = map, .seed = (uint32_t)rmil_rng_next(&rng), .s = (float)map->scale};
    place_nodes(&maker, plan, &rng);
    fill_depth(&maker);
    double inside = 0; /* node area in units of 1000 × 1000 px at 0.5 µm/px */
    for (int64_t i = 0; i < cells; i++) inside += map->depth[i] > 0;
    inside *= RMIL_SYNTH_CELL * RMIL_SYNTH_CELL / (map->scale * map->scale * 1e6);
    double reactive = between(&rng, 0.3, 2.4); /* relative number of follicles of this node */
    maker.follicles = scatter(&maker, &rng, 1 + (int)(reactive * inside), 90, 210, 150, 520);
    maker.vessels = scatter(&maker, &rng, 1 + (int)(0.4 * inside), 24, 70, 90, 1e9);
    maker.histiocytes = scatter(&maker, &rng, 1 + (int)(between(&rng, 0.0, 1.3) * inside), 26, between(&rng, 60, 190), 60, 1e9);
    maker.bleedings = scatter(&maker, &rng, (int)(between(&rng, 0, 0.3) * inside), 24, 90, 60, 1e9);
    fill_kinds(&maker);
    find_box(map);
    g_array_unref(maker.follicles);
    g_array_unref(maker.vessels);
    g_array_unref(maker.histiocytes);
    g_array_unref(maker.bleedings);
    if (plan->label) rmil_synth_lesions_add(map, plan, options->seed);
    return g_steal_pointer(&map);
}
