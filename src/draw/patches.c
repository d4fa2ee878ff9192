/* SPDX-License-Identifier: Apache-2.0 */
/* A sheet of the most attended patches. */
#include "draw-private.h"

#include <math.h>

static gboolean write_table(const int64_t *coords, const float *values, const int64_t *order, int64_t n, double side, const char *path,
                            GError **error) {
    g_autoptr(RmilCsv) csv = rmil_csv_new("rank,x,y,side,value");
    for (int64_t i = 0; i < n; i++) {
        rmil_csv_whole(csv, i + 1);
        for (int axis = 0; axis < 2; axis++) rmil_csv_whole(csv, coords[2 * order[i] + axis]);
        rmil_csv_number(csv, "%.10g", side);
        rmil_csv_number(csv, "%.9g", (double)values[order[i]]);
        rmil_csv_end(csv);
    }
    return rmil_csv_write(csv, path, error);
}

static gboolean draw(RmilSlide *slide, const int64_t *coords, const float *values, const int64_t *order, int64_t n, double side,
                     int64_t tile_px, const char *title, const char *path, GError **error) {
    int64_t columns = CLAMP((int64_t)round(sqrt((double)n * 1.6)), 1, 10), rows = (n + columns - 1) / columns;
    double text = CLAMP((double)tile_px / 11, 11, 24);
    int64_t gap = 8, margin = 16, label = (int64_t)(1.9 * text), top = margin + (title ? (int64_t)(2.4 * text) : 0);
    int64_t width = 2 * margin + columns * (tile_px + gap) - gap;
    const double mpp = rmil_slide_info(slide)->mpp;
    const int64_t below = mpp > 0 ? (int64_t)(3 * text) : margin / 2, bottom = top + rows * (tile_px + label);
    g_autoptr(RmilCanvas) canvas = rmil_canvas_new(width, bottom + below, error);
    uint8_t *rgb = canvas ? rmil_alloc(tile_px * tile_px, 3, error) : NULL;
    gboolean good = rgb != NULL;
    if (good && title)
        rmil_canvas_text(canvas, (double)margin, (double)margin + 1.2 * text, 1.2 * text, "start", TRUE, (double)(width - 2 * margin),
                         title);
    for (int64_t i = 0; i < n && good; i++) {
        int64_t x = margin + i % columns * (tile_px + gap), y = top + i / columns * (tile_px + label);
        good = rmil_slide_read(slide, (double)coords[2 * order[i]], (double)coords[2 * order[i] + 1], side / (double)tile_px, tile_px,
                               tile_px, rgb, error);
        if (!good) break;
        rmil_canvas_blit(canvas, x, y, rgb, tile_px, tile_px);
        g_autofree char *words = g_strdup_printf("%" G_GINT64_FORMAT ": %.3g", i + 1, (double)values[order[i]]);
        rmil_canvas_text(canvas, (double)x, (double)(y + tile_px) + 1.2 * text, text, "start", FALSE, (double)tile_px, words);
    }
    rmil_free(rgb);
    if (good) {
        const RmilPanel tile = {.width = tile_px, .height = tile_px, .downsample = side / (double)tile_px};
        RmilFooter footer;
        rmil_footer_init(&footer, canvas, (double)margin, (double)(width - margin), (double)bottom + 0.4 * text, text);
        rmil_footer_scale_bar(&footer, mpp, &tile);
    }
    return good && rmil_canvas_write(canvas, path, error);
}

gboolean rmil_patches_write(RmilSlide *slide, const int64_t *coords, const float *values, int64_t count, double tile_level0, int64_t most,
                            int64_t tile_px, const char *title, const char *png, const char *csv, GError **error) {
    if (most < 1 || most > 200 || tile_px < 16 || tile_px > 512 || !(tile_level0 > 0) || !isfinite(tile_level0))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                         "%s: cannot show %" G_GINT64_FORMAT " tiles (1 … 200) of side %g at %" G_GINT64_FORMAT " px "
                         "(16 … "
                         "512)",
                         png, most, tile_level0, tile_px);
    int64_t n, *order = rmil_descending(values, count, &n, error);
    if (!order) return FALSE;
    n = MIN(n, most);
    gboolean good = n > 0 ? draw(slide, coords, values, order, n, tile_level0, tile_px, title, png, error)
                          : rmil_fail(error, RMIL_ERROR_DATA, "%s: no tile has a value", png);
    good = good && (!csv || write_table(coords, values, order, n, tile_level0, csv, error));
    rmil_free(order);
    return good;
}
