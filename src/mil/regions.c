/* SPDX-License-Identifier: Apache-2.0 */
/* A slide's patches as regions of a grid, for HIPT. */
#include "regions.h"

#include <math.h>
#include <stdlib.h>

/* A million tiles per side is far more than any slide has. */
#define SIDE_BITS 20
#define CELL_BITS 16

typedef struct {
    int64_t key; /* region row, region column, cell */
    int64_t patch;
} Place;

static int by_key(const void *x, const void *y) {
    const Place *a = x, *b = y;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return a->patch < b->patch ? -1 : a->patch > b->patch;
}

static int by_value(const void *x, const void *y) {
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return a < b ? -1 : a > b;
}

/* The smallest distance between different values of one axis; infinite if there is only one value. */
static double least_step(const int64_t *coords, int64_t count, int axis, int64_t *sorted) {
    double least = INFINITY;
    for (int64_t i = 0; i < count; i++) sorted[i] = coords[2 * i + axis];
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    for (int64_t i = 1; i < count; i++)
        if (sorted[i] != sorted[i - 1]) least = fmin(least, (double)sorted[i] - (double)sorted[i - 1]);
    return least;
}

static gboolean tile_side(const RmilBag *bag, RmilArena *arena, double *side, GError **error) {
    *side = bag->patch_size_level0;
    if (*side > 0) return TRUE;
    int64_t *sorted = rmil_arena_take(arena, bag->count, sizeof *sorted, error);
    if (!sorted) return FALSE;
    *side = fmin(least_step(bag->coords, bag->count, 0, sorted), least_step(bag->coords, bag->count, 1, sorted));
    if (!isfinite(*side)) *side = 1; /* one patch, or all in one place */
    return TRUE;
}

/* The grid column and row of every patch, and from them its region and cell. */
static gboolean place(const RmilBag *bag, double side, int64_t rows, int64_t columns, Place *places, GError **error) {
    double corner[2] = {INFINITY, INFINITY};
    const int64_t extent[2] = {columns, rows};
    for (int64_t i = 0; i < 2 * bag->count; i++) corner[i % 2] = fmin(corner[i % 2], (double)bag->coords[i]);
    for (int64_t i = 0; i < bag->count; i++) {
        int64_t at[2];
        for (int axis = 0; axis < 2; axis++) {
            double step = round(((double)bag->coords[2 * i + axis] - corner[axis]) / side);
            if (!(step < (1 << SIDE_BITS)))
                return rmil_fail(error, RMIL_ERROR_DATA,
                                 "%s: patch %" G_GINT64_FORMAT " lies %g tiles of %g px from the first: the coordinates do not form "
                                 "a tile grid",
                                 bag->id ? bag->id : "bag", i, step, side);
            at[axis] = (int64_t)step;
        }
        int64_t region = (at[1] / extent[1]) << SIDE_BITS | at[0] / extent[0];
        places[i] = (Place){region << CELL_BITS | (at[1] % extent[1] * extent[0] + at[0] % extent[0]), i};
    }
    qsort(places, (size_t)bag->count, sizeof *places, by_key);
    for (int64_t i = 1; i < bag->count; i++)
        if (places[i].key == places[i - 1].key)
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "%s: patches %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT
                             " lie in the same tile of %g px: regions need tiles that do not overlap",
                             bag->id ? bag->id : "bag", places[i - 1].patch, places[i].patch, side);
    return TRUE;
}

gboolean rmil_regions_group(const RmilBag *bag, int64_t rows, int64_t columns, RmilArena *arena, RmilRegions *regions, GError **error) {
    const int64_t k = bag->count;
    double side;
    if (!bag->coords)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: has no coordinates, from which regions are built", bag->id ? bag->id : "bag");
    Place *places = rmil_arena_take(arena, k, sizeof *places, error);
    int64_t *numbers = rmil_arena_take(arena, 3 * k + 1, sizeof *numbers, error);
    uint8_t *annotated = rmil_arena_take(arena, k, 1, error);
    if (!places || !numbers || !annotated || !tile_side(bag, arena, &side, error) || !place(bag, side, rows, columns, places, error))
        return FALSE;
    *regions =
        (RmilRegions){.patch = numbers, .cell = numbers + k, .first = numbers + 2 * k, .annotated = bag->patch_labels ? annotated : NULL};
    for (int64_t i = 0; i < k; i++) {
        if (i == 0 || places[i].key >> CELL_BITS != places[i - 1].key >> CELL_BITS) {
            annotated[regions->count] = 0;
            regions->first[regions->count++] = i;
        }
        regions->patch[i] = places[i].patch;
        regions->cell[i] = places[i].key & ((1 << CELL_BITS) - 1);
        if (bag->patch_labels && bag->patch_labels[places[i].patch]) annotated[regions->count - 1] = 1;
    }
    regions->first[regions->count] = k;
    return TRUE;
}
