/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles in an order for fast reading: block by block, so that the file's own tiles, which lie across them, are decoded once and are still
 * cached when their other parts are needed. Row by row, a wide slide has more of them per row than the cache holds. */
#include "slide/slide-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* approximate side of a block in level pixels; blocks are high, because the one beside follows soon, and the one below late */
static const double sides[] = {1024, 2048};
enum { TILES_MOST = 15 }; /* per side of a block, of 224 px each: limits the number of overlapping tiles */

typedef struct {
    int64_t row, column, tile;
} Cell;

static int compare_cells(const void *a, const void *b) {
    const Cell *p = a, *q = b;
    if (p->row != q->row) return p->row < q->row ? -1 : 1;
    if (p->column != q->column) return p->column < q->column ? -1 : 1;
    return (p->tile > q->tile) - (p->tile < q->tile);
}

/* Level-0 px of a block's side: a number of grid steps after which a tile of the file also ends, if there is such a number. */
static double span(const RmilGrid *grid, const RmilSlide *slide, int axis) {
    const int level = rmil_slide_level(slide, grid->downsample);
    const double step = grid->tile_level0 - grid->overlap * grid->tile_level0 / grid->tile_px, scale = slide->downsamples[level];
    const int64_t most = MAX(1, (int64_t)MIN(sides[axis] * scale / step, TILES_MOST * 224.0 / grid->tile_px)),
                  file = slide->backend->tile_side(slide, level, axis);
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
