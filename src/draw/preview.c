/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures for checking preprocessing: tissue mask and tiles, annotation and labelled tiles, over the slide. */
#include "draw-private.h"

#include <string.h>

static const uint8_t tissue_colour[3] = {88, 184, 176}, left_colour[3] = {200, 60, 90}, grid_colour[3] = {27, 63, 139},
                     label_colour[3] = {230, 120, 20};

/* What is drawn; everything except the tiles may be NULL. */
typedef struct {
    const RmilMask *mask;
    const int64_t *coords; /* count × 2 */
    int64_t count;
    double side;            /* level-0 px */
    const uint8_t *labels;  /* count: tiles with 1 are tinted */
    const GArray *left_out; /* RmilLeftTile: crossed out */
    const RmilRegion *drawn, *grown;
    const char *left_text;                             /* in the footer */
    const char *tiles_text, *labels_text, *grown_text; /* in the footer */
} Preview;

static void mix(uint8_t *rgb, const uint8_t colour[3], double share) {
    for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(share * colour[c] + (1 - share) * rgb[c] + 0.5);
}

static void tint(const RmilPanel *panel, const RmilMask *mask, uint8_t *rgb) {
    double step = panel->downsample / mask->downsample;
    for (int64_t y = 0; y < panel->height; y++) {
        int64_t my = (int64_t)(((double)y + 0.5) * step);
        for (int64_t x = 0; x < panel->width && my < mask->height; x++) {
            int64_t mx = (int64_t)(((double)x + 0.5) * step);
            if (mx >= mask->width) continue;
            uint8_t *pixel = rgb + (y * panel->width + x) * 3;
            if (mask->tissue[my * mask->width + mx]) mix(pixel, tissue_colour, 0.35);
            else if (mask->left_out && mask->left_out[my * mask->width + mx]) mix(pixel, left_colour, 0.45);
        }
    }
}

enum { KEPT = 1, EDGE = 2, LABELLED = 4, LEFT = 8 };

static void mark(uint8_t *marks, const RmilPanel *panel, int64_t x, int64_t y, uint8_t kind) {
    if (x < panel->width && y < panel->height) marks[y * panel->width + x] |= kind;
}

/* The four sides of every tile, one picture pixel wide; a side shared by two tiles is drawn once. Areas without tiles are faded. */
static gboolean draw_tiles(const RmilPanel *panel, const Preview *preview, uint8_t *rgb, GError **error) {
    static const uint8_t paper[3] = {250, 250, 250};
    uint8_t *marks = rmil_alloc(panel->width * panel->height, 1, error);
    if (!marks) return FALSE;
    for (int64_t i = 0; i < preview->count; i++) {
        int64_t x0, x1, y0, y1;
        rmil_panel_span((double)preview->coords[2 * i], preview->side, panel->downsample, panel->width, &x0, &x1);
        rmil_panel_span((double)preview->coords[2 * i + 1], preview->side, panel->downsample, panel->height, &y0, &y1);
        const uint8_t kind = preview->labels && preview->labels[i] ? KEPT | LABELLED : KEPT;
        for (int64_t y = y0; y < y1; y++)
            for (int64_t x = x0; x < x1; x++) mark(marks, panel, x, y, kind);
        for (int64_t x = x0; x <= x1; x++) {
            mark(marks, panel, x, y0, EDGE);
            mark(marks, panel, x, y1, EDGE);
        }
        for (int64_t y = y0; y <= y1; y++) {
            mark(marks, panel, x0, y, EDGE);
            mark(marks, panel, x1, y, EDGE);
        }
    }
    for (guint i = 0; preview->left_out && i < preview->left_out->len; i++) {
        const RmilLeftTile *tile = &g_array_index(preview->left_out, RmilLeftTile, i);
        int64_t x0, x1, y0, y1;
        rmil_panel_span((double)tile->x, preview->side, panel->downsample, panel->width, &x0, &x1);
        rmil_panel_span((double)tile->y, preview->side, panel->downsample, panel->height, &y0, &y1);
        for (int64_t k = 0; k < MIN(x1 - x0, y1 - y0); k++) { /* a cross */
            mark(marks, panel, x0 + k, y0 + k, LEFT);
            mark(marks, panel, x1 - 1 - k, y0 + k, LEFT);
        }
    }
    double side = preview->side / panel->downsample, share = side >= 12 ? 0.9 : side >= 4 ? 0.5 : 0.3;
    for (int64_t p = 0; p < panel->width * panel->height; p++) {
        if (!(marks[p] & KEPT)) mix(rgb + 3 * p, paper, 0.6);
        if (marks[p] & LABELLED) mix(rgb + 3 * p, label_colour, 0.4);
        if (marks[p] & LEFT) mix(rgb + 3 * p, left_colour, 0.9);
        if (marks[p] & EDGE) mix(rgb + 3 * p, grid_colour, share);
    }
    rmil_free(marks);
    return TRUE;
}

static void draw_footer(RmilCanvas *canvas, const RmilPanel *panel, const RmilSlideInfo *info, const Preview *preview, double width,
                        double margin, double text, double *end) {
    RmilFooter footer;
    rmil_footer_init(&footer, canvas, margin, width - margin, (double)(panel->y + panel->height) + text, text);
    footer.row = 2.4 * text;
    rmil_footer_swatch(&footer, 'g', preview->tiles_text);
    if (preview->mask) rmil_footer_swatch(&footer, 't', "tissue");
    if (preview->left_text) rmil_footer_swatch(&footer, 'x', preview->left_text);
    if (preview->labels) rmil_footer_swatch(&footer, 'l', preview->labels_text);
    if (preview->drawn) rmil_footer_swatch(&footer, 'o', "annotated lesion");
    if (preview->grown) rmil_footer_swatch(&footer, 'd', preview->grown_text);
    rmil_footer_scale_bar(&footer, info->mpp, panel);
    *end = rmil_footer_end(&footer);
}

static gboolean write_preview(RmilSlide *slide, Preview *preview, int64_t max_side, const char *path, GError **error) {
    if (max_side < 16 || max_side > 8192)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: the side of a preview must be 16 … 8192 px, not %" G_GINT64_FORMAT, path,
                         max_side);
    const RmilSlideInfo *info = rmil_slide_info(slide);
    if (preview->drawn && rmil_region_empty(preview->drawn)) preview->drawn = preview->grown = NULL;
    RmilPanel panel = {.x = 0};
    rmil_panel_size(info->width, info->height, max_side, &panel);
    double text = CLAMP((double)panel.width / 60, 12, 32);
    int64_t margin = (int64_t)text, content = MAX(panel.width, (int64_t)(28 * text)), width = content + 2 * margin;
    panel.x = margin + (content - panel.width) / 2;
    panel.y = margin;
    double end;
    draw_footer(NULL, &panel, info, preview, (double)width, (double)margin, text, &end);

    g_autoptr(RmilCanvas) canvas = rmil_canvas_new(width, (int64_t)(end + (double)margin / 2), error);
    uint8_t *rgb = canvas ? rmil_panel_read(slide, &panel, error) : NULL;
    if (!rgb) return FALSE;
    if (preview->mask) tint(&panel, preview->mask, rgb);
    gboolean done = draw_tiles(&panel, preview, rgb, error);
    if (done) rmil_canvas_blit(canvas, panel.x, panel.y, rgb, panel.width, panel.height);
    rmil_free(rgb);
    if (!done) return FALSE;
    rmil_panel_outline(canvas, &panel, preview->grown, MAX(text / 9, 1.1), TRUE);
    rmil_panel_outline(canvas, &panel, preview->drawn, MAX(text / 6, 1.4), FALSE);
    rmil_panel_frame(canvas, &panel);
    draw_footer(canvas, &panel, info, preview, (double)width, (double)margin, text, &end);
    return rmil_canvas_write(canvas, path, error);
}

/* "left out: pen 12 tiles, blur 3 tiles"; NULL: nothing was left out. Artefacts that cost no whole tile are only named. */
static char *left_words(const RmilMask *mask, const RmilGrid *grid) {
    GString *out = g_string_new(NULL);
    for (RmilLeftOut reason = RMIL_LEFT_NOTHING + 1; reason < RMIL_LEFT_REASONS; reason++) {
        if (!grid->left[reason] && mask->left[reason] == 0) continue;
        g_string_append_printf(out, "%s%s", out->len ? ", " : "left out: ", rmil_left_out_name(reason));
        if (grid->left[reason])
            g_string_append_printf(out, " %" G_GINT64_FORMAT " tile%s", grid->left[reason], grid->left[reason] == 1 ? "" : "s");
    }
    return g_string_free(out, out->len == 0);
}

gboolean rmil_mask_preview_write(RmilSlide *slide, const RmilMask *mask, const RmilGrid *grid, const RmilRegion *region, int64_t max_side,
                                 const char *path, GError **error) {
    g_autofree char *count = rmil_thousands((double)grid->count);
    g_autofree char *kept = grid->mpp > 0 ? g_strdup_printf("%s tiles of %d px, %.3g µm/px", count, grid->tile_px, grid->mpp)
                                          : g_strdup_printf("%s tiles of %d px", count, grid->tile_px);
    g_autofree char *left = left_words(mask, grid);
    Preview preview = {.mask = mask,
                       .coords = grid->coords,
                       .count = grid->count,
                       .side = grid->tile_level0,
                       .left_out = grid->left_out,
                       .drawn = region,
                       .left_text = left,
                       .tiles_text = kept};
    return write_preview(slide, &preview, max_side, path, error);
}

gboolean rmil_label_preview_write(RmilSlide *slide, const int64_t *coords, const uint8_t *labels, int64_t count, double tile_level0,
                                  const RmilRegion *drawn, const RmilRegion *grown, double padding, int64_t max_side, const char *path,
                                  GError **error) {
    if (count < 1 || !(tile_level0 > 0 && tile_level0 <= 1e9))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: %" G_GINT64_FORMAT " tiles of side %g cannot be drawn", path, count, tile_level0);
    int64_t annotated = 0;
    for (int64_t i = 0; i < count; i++) annotated += labels[i] != 0;
    g_autofree char *all = rmil_thousands((double)count), *some = rmil_thousands((double)annotated);
    g_autofree char *tiles_text = g_strconcat(all, " tiles", NULL), *labels_text = g_strconcat(some, " annotated", NULL);
    g_autofree char *grown_text = g_strdup_printf("grown by %g px", padding);
    Preview preview = {.coords = coords,
                       .count = count,
                       .side = tile_level0,
                       .labels = labels,
                       .drawn = drawn,
                       .grown = grown,
                       .tiles_text = tiles_text,
                       .labels_text = labels_text,
                       .grown_text = grown_text};
    return write_preview(slide, &preview, max_side, path, error);
}
