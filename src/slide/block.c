/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles that are read together: a block of the slide is decoded once, and its tiles are cut from it. */
#include "slide/slide-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 2048                       /* level pixels of a block's side, about: less than a tile's costs nothing but time */
#define PIXELS_MOST (INT64_C(12) << 20) /* of a block: 48 MiB */
#define DENSE 0.4                       /* times the block's pixels are those of its tiles; in a thinner one, tile by tile decodes less */

/* -- which tiles ---------------------------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t row, column, tile;
} Cell;

static int compare_cells(const void *a, const void *b) {
    const Cell *p = a, *q = b;
    if (p->row != q->row) return p->row < q->row ? -1 : 1;
    if (p->column != q->column) return p->column < q->column ? -1 : 1;
    return (p->tile > q->tile) - (p->tile < q->tile);
}

/* Level-0 px of a block's side: so many steps of the grid that it ends where a tile of the file does, where a number of them does. */
static double span(const RmilGrid *grid, const RmilSlide *slide, int axis) {
    const int level = rmil_slide_level(slide, grid->downsample);
    const double step = grid->tile_level0 - grid->overlap * grid->tile_level0 / grid->tile_px, scale = slide->downsamples[level];
    const double wide = MIN(SIDE * scale / step, sqrt((double)PIXELS_MOST) / grid->tile_px); /* tiles that overlap much are many */
    const int64_t most = MAX(1, (int64_t)wide), file = slide->backend->tile_side(slide, level, axis);
    for (int64_t n = most; file > 0 && n > most / 2; n--) {
        const double tiles = (double)n * step / scale / (double)file;
        if (fabs(tiles - round(tiles)) * (double)file < 1) return (double)n * step;
    }
    return (double)most * step;
}

static void count_blocks(const Cell *cells, int64_t n, RmilGridBlocks *blocks) {
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || cells[i].row != cells[i - 1].row || cells[i].column != cells[i - 1].column) blocks->first[blocks->count++] = i;
        blocks->tiles[i] = cells[i].tile;
    }
    blocks->first[blocks->count] = n;
}

RmilGridBlocks *rmil_grid_blocks_new(const RmilGrid *grid, const RmilSlide *slide, const uint8_t *skip, GError **error) {
    const double across = span(grid, slide, 0), down = span(grid, slide, 1);
    g_autofree Cell *cells = rmil_try_new(grid->count, sizeof *cells, error);
    g_autoptr(RmilGridBlocks) blocks = g_new0(RmilGridBlocks, 1);
    if (!cells || !(blocks->first = rmil_try_new(grid->count + 1, sizeof *blocks->first, error)) ||
        !(blocks->tiles = rmil_try_new(grid->count, sizeof *blocks->tiles, error)))
        return NULL;
    int64_t n = 0;
    for (int64_t i = 0; i < grid->count; i++) {
        if (skip && skip[i]) continue;
        const double x = (double)(grid->coords[2 * i] - slide->info.bounds_x), y = (double)(grid->coords[2 * i + 1] - slide->info.bounds_y);
        cells[n++] = (Cell){(int64_t)floor((y + 0.5) / down), (int64_t)floor((x + 0.5) / across), i}; /* corners are rounded */
    }
    qsort(cells, (size_t)n, sizeof *cells, compare_cells);
    count_blocks(cells, n, blocks);
    return g_steal_pointer(&blocks);
}

void rmil_grid_blocks_free(RmilGridBlocks *blocks) {
    if (!blocks) return;
    g_free(blocks->first);
    g_free(blocks->tiles);
    g_free(blocks);
}

/* -- their pixels --------------------------------------------------------------------------------------------------------------- */
/* The level pixels of an axis that n tiles need; one more at each end, which interpolation looks at. */
static void reach(const RmilGrid *grid, const RmilSlide *slide, int level, const int64_t *tiles, int64_t n, int axis, int64_t *from,
                  int64_t *size) {
    const int64_t extent = axis == 0 ? slide->widths[level] : slide->heights[level];
    int64_t low = G_MAXINT64, high = G_MININT64;
    for (int64_t i = 0; i < n; i++) {
        low = MIN(low, grid->coords[2 * tiles[i] + axis]);
        high = MAX(high, grid->coords[2 * tiles[i] + axis]);
    }
    const double scale = slide->downsamples[level];
    *from = CLAMP((int64_t)floor((double)low / scale) - 1, 0, extent);
    *size = CLAMP((int64_t)ceil(((double)high + grid->tile_level0) / scale) + 1, 0, extent) - *from;
}

/* A level that whole level-0 pixels enter at whole pixels of its own; in others every tile lies a little elsewhere between them. */
static gboolean is_even(const RmilSlide *slide, int level) { return slide->downsamples[level] == floor(slide->downsamples[level]); }

/* argb NULL: these tiles are better read one by one, because they lie apart, or cannot be read together. */
static RmilBlock decode(const RmilGrid *grid, RmilSlide *slide, const int64_t *tiles, int64_t n) {
    RmilBlock block = {.level = rmil_slide_level(slide, grid->downsample)};
    const double scale = slide->downsamples[block.level];
    if (n < 2 || !is_even(slide, block.level)) return block;
    reach(grid, slide, block.level, tiles, n, 0, &block.x, &block.width);
    reach(grid, slide, block.level, tiles, n, 1, &block.y, &block.height);
    const double side = grid->tile_level0 / scale;
    if (block.width < 1 || block.height < 1 || block.width > PIXELS_MOST / block.height ||
        (double)n * side * side < DENSE * (double)block.width * (double)block.height)
        return block;
    block.argb = g_try_malloc((gsize)(block.width * block.height) * 4);
    /* a damaged tile of the file is the fault of those alone that need it */
    if (block.argb && !slide->backend->read(slide, (int64_t)((double)block.x * scale), (int64_t)((double)block.y * scale), block.level,
                                            block.width, block.height, block.argb, NULL))
        g_clear_pointer(&block.argb, g_free);
    return block;
}

gboolean rmil_grid_read_tiles(const RmilGrid *grid, RmilSlide *slide, const int64_t *tiles, int64_t n, uint8_t *const *rgb,
                              GError **error) {
    for (int64_t i = 0; i < n; i++)
        if (tiles[i] < 0 || tiles[i] >= grid->count)
            return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: there is no tile %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT, slide->name,
                             tiles[i], grid->count);
    RmilBlock block = decode(grid, slide, tiles, n);
    gboolean good = TRUE;
    for (int64_t i = 0; good && i < n; i++) {
        const int64_t *corner = grid->coords + 2 * tiles[i];
        good = rmil_slide_cut(slide, block.argb ? &block : NULL, (double)corner[0], (double)corner[1], grid->downsample, grid->tile_px,
                              grid->tile_px, rgb[i], error);
    }
    g_free(block.argb);
    return good;
}
