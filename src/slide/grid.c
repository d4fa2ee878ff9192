/* SPDX-License-Identifier: Apache-2.0 */
/* The grid of tiles over a tissue mask. */
#include "slide/slide-private.h"

#include <math.h>
#include <string.h>

#define TILES_MAX 100000000

void rmil_tile_options_init(RmilTileOptions *options) { *options = (RmilTileOptions){.tile_px = 224, .mpp = 0.5, .min_tissue = 0.05}; }

static const char *check_options(const RmilTileOptions *options) {
    if (options->tile_px < 8 || options->tile_px > 8192) return "the tile's side must be 8 … 8192 pixels";
    if (!(options->mpp >= 0.02 && options->mpp <= 100)) return "the tile's mpp must be 0.02 … 100 µm per pixel";
    if (!(options->overlap >= 0 && options->overlap <= 0.95 * options->tile_px))
        return "the overlap of tiles must be 0 … 0.95 of their side";
    if (!(options->min_tissue >= 0 && options->min_tissue <= 1)) return "the least tissue share must be 0 … 1";
    return NULL;
}

/* Overlap of [from, to] with mask pixel i, in mask pixels. */
static double overlap(double from, double to, int64_t i) { return MAX(0, MIN(to, (double)i + 1) - MAX(from, (double)i)); }

/* Share of the square of `side` level-0 pixels at (x, y) that has `value` in a plane of the mask; outside the mask the share is 0. */
static double share_of(const RmilMask *mask, const uint8_t *plane, uint8_t value, int64_t x, int64_t y, double side) {
    double left = (double)x / mask->downsample, right = ((double)x + side) / mask->downsample;
    double top = (double)y / mask->downsample, bottom = ((double)y + side) / mask->downsample;
    int64_t first_column = MAX(0, (int64_t)floor(left)), last_column = MIN(mask->width - 1, (int64_t)floor(right));
    int64_t first_row = MAX(0, (int64_t)floor(top)), last_row = MIN(mask->height - 1, (int64_t)floor(bottom));
    double area = 0;
    for (int64_t row = first_row; row <= last_row; row++) {
        const uint8_t *at = plane + row * mask->width;
        double length = 0;
        int64_t whole = 0;
        for (int64_t i = first_column + 1; i < last_column; i++) whole += at[i] == value;
        if (at[first_column] == value) length += overlap(left, right, first_column);
        if (last_column > first_column && at[last_column] == value) length += overlap(left, right, last_column);
        area += (length + (double)whole) * overlap(top, bottom, row);
    }
    return area / ((right - left) * (bottom - top));
}

/* Does the tile lose its place because of what was left out? It does if it would have enough tissue otherwise, and now has too little, or
 * less than was left out. It is then counted, under the reason that covers most of it. */
static gboolean loses_place(RmilGrid *grid, const RmilMask *mask, const int64_t corner[2], double share, double min_tissue) {
    RmilLeftTile tile = {corner[0], corner[1], RMIL_LEFT_NOTHING};
    double left = 0, most = 0;
    for (RmilLeftOut reason = RMIL_LEFT_NOTHING + 1; mask->left_out && reason < RMIL_LEFT_REASONS; reason++) {
        const double part = share_of(mask, mask->left_out, (uint8_t)reason, corner[0], corner[1], grid->tile_level0);
        left += part;
        if (part <= most) continue;
        most = part;
        tile.reason = reason;
    }
    if (left == 0 || share + left < min_tissue - 1e-9 || (share >= min_tissue - 1e-9 && share >= left)) return FALSE;
    g_array_append_val(grid->left_out, tile);
    grid->left[tile.reason]++;
    return TRUE;
}

/* Doubles the room for tiles. */
static gboolean make_room(RmilGrid *grid, int64_t *room, GError **error) {
    *room = MAX(2 * *room, 1024);
    int64_t *coords = g_try_renew(int64_t, grid->coords, 2 * (gsize)*room);
    if (coords) grid->coords = coords;
    float *tissue = coords ? g_try_renew(float, grid->tissue, (gsize)*room) : NULL;
    if (!tissue) return rmil_fail(error, RMIL_ERROR_MEMORY, "not enough memory for %" G_GINT64_FORMAT " tiles", *room);
    grid->tissue = tissue;
    return TRUE;
}

RmilGrid *rmil_grid_new(const RmilSlide *slide, const RmilMask *mask, const RmilTileOptions *options, GError **error) {
    const RmilSlideInfo *info = &slide->info;
    const char *wrong = check_options(options);
    if (!wrong && (fabs((double)mask->width * mask->downsample - (double)info->width) > mask->downsample ||
                   fabs((double)mask->height * mask->downsample - (double)info->height) > mask->downsample))
        wrong = "the tissue mask is not this slide's";
    if (wrong) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: %s", slide->name, wrong);
        return NULL;
    }
    g_autoptr(RmilGrid) grid = g_new0(RmilGrid, 1);
    grid->left_out = g_array_new(FALSE, FALSE, sizeof(RmilLeftTile));
    grid->tile_px = options->tile_px;
    grid->mpp = info->mpp > 0 ? options->mpp : 0;
    grid->downsample = info->mpp > 0 ? options->mpp / info->mpp : 1;
    grid->tile_level0 = options->tile_px * grid->downsample;
    grid->slide_width = info->width;
    grid->slide_height = info->height;
    grid->overlap = options->overlap;
    const double overlap = options->overlap * grid->downsample, step = grid->tile_level0 - overlap;
    const double columns = MAX(1, ceil(((double)info->bounds_width - overlap) / step - 1e-9));
    const double rows = MAX(1, ceil(((double)info->bounds_height - overlap) / step - 1e-9));
    if (!(columns * rows <= TILES_MAX) || grid->tile_level0 < 1) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: a grid of %g × %g tiles is too fine", slide->name, columns, rows);
        return NULL;
    }
    for (int64_t row = 0, room = 0; row < (int64_t)rows; row++)
        for (int64_t column = 0; column < (int64_t)columns; column++) {
            int64_t corner[2] = {info->bounds_x + llround((double)column * step), info->bounds_y + llround((double)row * step)};
            double share = share_of(mask, mask->tissue, 1, corner[0], corner[1], grid->tile_level0);
            if (loses_place(grid, mask, corner, share, options->min_tissue) || share < options->min_tissue - 1e-9) continue;
            if (grid->count == room && !make_room(grid, &room, error)) return NULL;
            memcpy(grid->coords + 2 * grid->count, corner, sizeof corner);
            grid->tissue[grid->count++] = (float)MIN(share, 1);
        }
    if (grid->count == 0) {
        rmil_fail(error, RMIL_ERROR_DATA, "%s: no tile has a tissue share of %g or more", slide->name, options->min_tissue);
        return NULL;
    }
    return g_steal_pointer(&grid);
}

void rmil_grid_free(RmilGrid *grid) {
    if (!grid) return;
    g_free(grid->coords);
    g_free(grid->tissue);
    g_clear_pointer(&grid->left_out, g_array_unref);
    g_free(grid);
}

static RmilGrid *copy_grid(const RmilGrid *grid, GError **error) {
    g_autoptr(RmilGrid) copy = g_memdup2(grid, sizeof *grid);
    if (copy->left_out) g_array_ref(copy->left_out);
    copy->coords = NULL;
    copy->tissue = NULL;
    if (!(copy->coords = rmil_try_new(grid->count, 2 * sizeof *grid->coords, error)) ||
        (grid->tissue && !(copy->tissue = rmil_try_new(grid->count, sizeof *grid->tissue, error))))
        return NULL;
    memcpy(copy->coords, grid->coords, 2 * (gsize)grid->count * sizeof *grid->coords);
    if (grid->tissue) memcpy(copy->tissue, grid->tissue, (gsize)grid->count * sizeof *grid->tissue);
    return g_steal_pointer(&copy);
}

RmilGrid *rmil_grid_seen(const RmilGrid *grid, int pixels, GError **error) {
    RmilGrid *seen = copy_grid(grid, error);
    if (!seen || pixels == grid->tile_px) return seen;
    const double scale = (double)grid->tile_px / pixels;
    seen->tile_px = pixels;
    seen->downsample = grid->tile_level0 / pixels;
    seen->mpp = grid->mpp * scale;
    seen->overlap = grid->overlap / scale;
    return seen;
}

RmilGrid *rmil_grid_around(const RmilGrid *grid, double mpp, GError **error) {
    RmilGrid *around = copy_grid(grid, error);
    if (!around) return NULL;
    const double scale = grid->mpp > 0 ? mpp / grid->mpp : mpp;
    around->mpp = grid->mpp > 0 ? mpp : 0;
    around->downsample = grid->downsample * scale;
    around->tile_level0 = grid->tile_level0 * scale;
    around->overlap = grid->tile_px - (grid->tile_px - grid->overlap) / scale;
    for (int64_t i = 0; i < 2 * grid->count; i++)
        around->coords[i] = (int64_t)floor((double)grid->coords[i] + (grid->tile_level0 - around->tile_level0) / 2 + 0.5);
    return around;
}

gboolean rmil_grid_read(const RmilGrid *grid, RmilSlide *slide, int64_t i, uint8_t *rgb, GError **error) {
    if (i < 0 || i >= grid->count)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: there is no tile %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT, slide->name, i,
                         grid->count);
    return rmil_slide_read(slide, (double)grid->coords[2 * i], (double)grid->coords[2 * i + 1], grid->downsample, grid->tile_px,
                           grid->tile_px, rgb, error);
}
