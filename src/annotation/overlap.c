/* SPDX-License-Identifier: Apache-2.0 */
/* Exact area of a region inside boxes, without clipping polygons.
 *
 * For a fixed x, the length of the region between y0 and y1 is a signed sum over the edges at x of clamp(y, y0, y1), so the area inside a
 * box is Σ weight ∫ (clamp(y(x), y0, y1) − y0) dx over the edges' pieces within the box's columns: a closed formula for each piece. All
 * tiles of one column share its pieces; pieces that lie wholly beyond a tile contribute only their widths, whose sums are precomputed. */
#include "annotation-private.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    double low, high;   /* the piece's range of y */
    double left, right; /* y at its ends */
    double width;       /* signed: weight × extent in x */
} Piece;

typedef struct {
    Piece *pieces;  /* by low */
    double *reach;  /* per piece: the largest high so far */
    double *beyond; /* per piece: Σ width from it to the last */
    int64_t count, room;
} Column;

static void column_clear(Column *column) {
    rmil_free(column->pieces);
    rmil_free(column->reach);
    rmil_free(column->beyond);
}

static gboolean column_init(Column *column, int64_t room, GError **error) {
    *column = (Column){.room = room,
                       .pieces = rmil_alloc(room, sizeof(Piece), error),
                       .reach = rmil_alloc(room, sizeof(double), error),
                       .beyond = rmil_alloc(room + 1, sizeof(double), error)};
    return column->pieces && column->reach && column->beyond;
}

static int compare_pieces(const void *a, const void *b) {
    const Piece *s = a, *t = b;
    if (s->low != t->low) return s->low < t->low ? -1 : 1;
    return (s->high > t->high) - (s->high < t->high);
}

/* Index of the first of n ascending keys (at the start of items of `stride` bytes) that is not below `value`. */
static int64_t lower_bound(const void *items, size_t stride, int64_t n, double value) {
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (*(const double *)(const void *)((const char *)items + (size_t)middle * stride) < value) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void column_fill(Column *column, const RmilRegion *region, double x, double width) {
    const RmilEdge *edges = (const RmilEdge *)(const void *)region->edges->data;
    const double end = x + width;
    column->count = 0;
    for (int64_t i = lower_bound(edges, sizeof(RmilEdge), region->edges->len, end) - 1; i >= 0 && region->reach[i] > x; i--) {
        const RmilEdge *e = &edges[i];
        if (e->x1 <= x) continue;
        double slope = (e->y1 - e->y0) / (e->x1 - e->x0);
        double left = e->x0 < x ? e->y0 + (x - e->x0) * slope : e->y0;
        double right = e->x1 > end ? e->y1 - (e->x1 - end) * slope : e->y1;
        /* relative to the column, so that widths of adjacent pieces cancel to the last bits */
        double extent = (e->x1 > end ? width : e->x1 - x) - (e->x0 < x ? 0 : e->x0 - x);
        column->pieces[column->count++] = (Piece){MIN(left, right), MAX(left, right), left, right, e->weight * extent};
    }
    qsort(column->pieces, (size_t)column->count, sizeof(Piece), compare_pieces);
    for (int64_t i = 0; i < column->count; i++) column->reach[i] = MAX(column->pieces[i].high, i ? column->reach[i - 1] : -INFINITY);
    column->beyond[column->count] = 0;
    for (int64_t i = column->count - 1; i >= 0; i--) column->beyond[i] = column->beyond[i + 1] + column->pieces[i].width;
}

/* ∫ from −∞ to t of clamp(s, 0, height) ds. */
static double ramp(double t, double height) { return t <= 0 ? 0 : t <= height ? 0.5 * t * t : height * (t - 0.5 * height); }

/* Mean of clamp(y − bottom, 0, height) along a piece. */
static double mean_clamped(const Piece *piece, double bottom, double height) {
    double u = piece->low - bottom, v = piece->high - bottom;
    if (u >= 0 && v <= height) return 0.5 * (u + v);
    if (v - u < 1e-6) return CLAMP(0.5 * (u + v), 0, height);
    return (ramp(v, height) - ramp(u, height)) / (v - u);
}

static double column_box(const Column *column, double y, double height) {
    int64_t last = lower_bound(column->pieces, sizeof(Piece), column->count, y + height);
    double area = height * column->beyond[last];
    for (int64_t i = last - 1; i >= 0 && column->reach[i] > y; i--)
        if (column->pieces[i].high > y) area += column->pieces[i].width * mean_clamped(&column->pieces[i], y, height);
    return area;
}

double rmil_region_box(const RmilRegion *region, double x, double y, double width, double height) {
    Column column;
    double area = NAN;
    if (column_init(&column, region->edges->len, NULL)) {
        column_fill(&column, region, x, width);
        area = column_box(&column, y, height);
    }
    column_clear(&column);
    return area;
}

typedef struct {
    int64_t x, y, index;
} Tile;

static int compare_tiles(const void *a, const void *b) {
    const Tile *s = a, *t = b;
    return (s->x > t->x) - (s->x < t->x);
}

/* Rounding leaves about 1e-13 in tiles that are wholly inside or outside. */
static double clean_share(double share) { return share < 1e-10 ? 0 : share > 1 - 1e-10 ? 1 : share; }

gboolean rmil_region_overlap(const RmilRegion *region, const int64_t *coords, int64_t count, double tile_level0, double *shares,
                             GError **error) {
    if (!(tile_level0 > 0 && tile_level0 <= 2 * RMIL_ANNOTATION_COORDINATE))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "a tile of %g px has no overlap with an annotation", tile_level0);
    Column column;
    Tile *tiles = rmil_alloc(count, sizeof(Tile), error);
    if (!tiles || !column_init(&column, region->edges->len, error)) {
        if (tiles) column_clear(&column);
        rmil_free(tiles);
        return FALSE;
    }
    for (int64_t i = 0; i < count; i++) tiles[i] = (Tile){coords[2 * i], coords[2 * i + 1], i};
    qsort(tiles, (size_t)count, sizeof(Tile), compare_tiles);
    for (int64_t i = 0; i < count; i++) {
        if (i == 0 || tiles[i].x != tiles[i - 1].x) column_fill(&column, region, (double)tiles[i].x, tile_level0);
        double area = column_box(&column, (double)tiles[i].y, tile_level0);
        shares[tiles[i].index] = clean_share(area / (tile_level0 * tile_level0));
    }
    column_clear(&column);
    rmil_free(tiles);
    return TRUE;
}

void rmil_patch_labels(const double *shares, int64_t count, double threshold, uint8_t *labels) {
    for (int64_t i = 0; i < count; i++) labels[i] = shares[i] > threshold;
}
