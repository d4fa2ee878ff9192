/* SPDX-License-Identifier: Apache-2.0 */
/* Incomplete outlines: a part of each annotation. */
#include "base/base-private.h"
#include "vary-data.h"

#include <math.h>
#include <stdlib.h>

enum { STREAM_WITHIN = 240 }; /* of random numbers (base.h: one per purpose) */

/* An annotated patch, and its distance from the drawn patch of its lesion. */
typedef struct {
    double distance;
    int64_t patch;
} Near;

static int compare_near(const void *a, const void *b) {
    const Near *p = a, *q = b;
    if (p->distance != q->distance) return p->distance < q->distance ? -1 : 1;
    return (p->patch > q->patch) - (p->patch < q->patch);
}

/* Squared, in the unit of the coordinates; without them, of positions in the bag. */
static double distance(const RmilBag *bag, int64_t a, int64_t b) {
    if (!bag->coords) return fabs((double)a - (double)b);
    const double dx = (double)bag->coords[2 * a] - (double)bag->coords[2 * b],
                 dy = (double)bag->coords[2 * a + 1] - (double)bag->coords[2 * b + 1];
    return dx * dx + dy * dy;
}

/* Draws depend on the slide's id and the seed, not on the cohort or other slides. */
static void start_draw(RmilRng *rng, const char *id, int64_t seed) {
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, id, -1);
    digest[16] = '\0';
    rmil_rng_init(rng, (uint64_t)seed ^ g_ascii_strtoull(digest, NULL, 16), STREAM_WITHIN);
}

/* Keeps the `wanted` patches of one lesion that are nearest to a drawn one. near: room for all its patches. Returns how many patches the
 * lesion has. */
static int64_t keep_lesion(const RmilBag *bag, const int64_t *lesion, int64_t number, int64_t wanted, RmilRng *rng, Near *near,
                           uint8_t *out) {
    int64_t n = 0;
    for (int64_t i = 0; i < bag->count; i++)
        if (lesion[i] == number) near[n++].patch = i;
    const int64_t middle = near[rmil_rng_below(rng, n)].patch;
    for (int64_t i = 0; i < n; i++) near[i].distance = distance(bag, middle, near[i].patch);
    if (wanted < n) qsort(near, (size_t)n, sizeof *near, compare_near);
    for (int64_t i = 0; i < MIN(n, wanted); i++) out[near[i].patch] = 1;
    return n;
}

gboolean rmil_vary_within(const RmilBag *bag, const char *id, const uint8_t *labels, double share, int64_t seed, uint8_t *out,
                          GError **error) {
    const int64_t k = bag->count;
    int64_t annotated = 0, *around = NULL;
    for (int64_t i = 0; i < k; i++) {
        annotated += labels[i] != 0;
        out[i] = 0;
    }
    if (!annotated) return TRUE;
    g_autofree Near *near = rmil_try_new(annotated, sizeof *near, error);
    g_autofree int64_t *lesion = near ? rmil_try_new(k, sizeof *lesion, error) : NULL;
    if (!lesion || !rmil_tile_neighbours(bag->coords, rmil_bag_step(bag), k, &around, error)) return FALSE;
    g_autofree int64_t *neighbours = around;
    const int64_t lesions = rmil_lesions(neighbours, labels, k, lesion);
    g_autofree int64_t *order = rmil_try_new(lesions, sizeof *order, error);
    if (!order) return FALSE;
    RmilRng rng;
    start_draw(&rng, id, seed);
    for (int64_t l = 0; l < lesions; l++) order[l] = l;
    rmil_rng_shuffle(&rng, order, lesions);
    int64_t left = MAX(1, (int64_t)floor(share * (double)annotated + 0.5));
    for (int64_t l = 0; l < lesions && left > 0; l++) left -= keep_lesion(bag, lesion, order[l], left, &rng, near, out);
    return TRUE;
}
