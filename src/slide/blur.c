/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles out of focus: their finest details are weak compared with the next coarser ones. */
#include "slide/slide-private.h"

#include <math.h>
#include <string.h>

#define MARGIN 8     /* px that the filters of the bands reach, plus one */
#define SHARP 0.25   /* docs/preprocessing.md says how it was chosen */
#define CONTRAST 1.0 /* squared gray values in the coarsest band: below that, nothing can be in focus */
#define SIDE_LEAST (2 * MARGIN + 16)

/* [1 2 1]/4 with gaps, along one axis; values too near to the edge are unchanged. */
static void smooth(const float *in, float *out, int side, int gap, int64_t step) {
    memcpy(out, in, (gsize)side * (gsize)side * sizeof *in);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            const int place = step == 1 ? x : y;
            const float *at = in + (int64_t)y * side + x;
            if (place >= gap && place < side - gap)
                out[(int64_t)y * side + x] = 0.25f * at[-gap * step] + 0.5f * at[0] + 0.25f * at[gap * step];
        }
}

static double energy(const float *a, const float *b, int side) {
    double sum = 0;
    for (int y = MARGIN; y < side - MARGIN; y++)
        for (int x = MARGIN; x < side - MARGIN; x++) {
            const double d = (double)a[(int64_t)y * side + x] - b[(int64_t)y * side + x];
            sum += d * d;
        }
    return sum / ((double)(side - 2 * MARGIN) * (side - 2 * MARGIN));
}

double rmil_sharpness(const uint8_t *rgb, int side) {
    if (side < SIDE_LEAST) return INFINITY;
    const gsize n = (gsize)side * (gsize)side;
    g_autofree float *planes = g_new(float, 3 * n);
    float *fine = planes, *coarse = planes + n, *between = planes + 2 * n;
    for (gsize i = 0; i < n; i++) fine[i] = 0.299f * rgb[3 * i] + 0.587f * rgb[3 * i + 1] + 0.114f * rgb[3 * i + 2];
    double bands[3];
    for (int band = 0; band < 3; band++) {
        smooth(fine, between, side, 1 << band, 1);
        smooth(between, coarse, side, 1 << band, side);
        bands[band] = energy(fine, coarse, side);
        float *swap = fine;
        fine = coarse;
        coarse = swap;
    }
    return bands[2] < CONTRAST ? INFINITY : (bands[0] + bands[1]) / bands[2];
}

gboolean rmil_grid_drop_blurred(RmilGrid *grid, RmilSlide *slide, GError **error) {
    const int side = grid->tile_px;
    g_autofree uint8_t *rgb = rmil_try_new((int64_t)side * side * 3, 1, error);
    int64_t kept = 0;
    if (!rgb) return FALSE;
    for (int64_t i = 0; i < grid->count; i++) {
        if (!rmil_grid_read(grid, slide, i, rgb, error)) return FALSE;
        if (rmil_sharpness(rgb, side) < SHARP) {
            const RmilLeftTile tile = {grid->coords[2 * i], grid->coords[2 * i + 1], RMIL_LEFT_BLUR};
            g_array_append_val(grid->left_out, tile);
            grid->left[RMIL_LEFT_BLUR]++;
            continue;
        }
        memmove(grid->coords + 2 * kept, grid->coords + 2 * i, 2 * sizeof *grid->coords);
        grid->tissue[kept++] = grid->tissue[i];
    }
    grid->count = kept;
    return kept > 0 || rmil_fail(error, RMIL_ERROR_DATA, "%s: every tile is out of focus", slide->name);
}
