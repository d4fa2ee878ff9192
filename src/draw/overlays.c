/* SPDX-License-Identifier: Apache-2.0 */
/* The attention of several methods over one slide. */
#include "draw-private.h"

#include <math.h>
#include <string.h>

enum { PANEL = 340, ACROSS = 5, GAP = 14, TEXT = 17 };
#define HEAD (2.7 * TEXT) /* above a panel: title and line */

typedef struct {
    const RmilOverlays *overlays;
    double x0, y0, side; /* level-0 px: corner of the visible area, side of a patch */
    RmilPanel panel;     /* size of all panels; the corner is set for each */
    uint8_t *ground;     /* the picture below the colours */
    double high;         /* of the scale, × mean */
} Layout;

/* The area of the patches, plus a margin of one patch. */
static void find_extent(Layout *layout) {
    const RmilBag *bag = layout->overlays->bag;
    double x1 = -INFINITY, y1 = -INFINITY;
    layout->side = bag->patch_size_level0;
    layout->x0 = layout->y0 = INFINITY;
    for (int64_t i = 0; i < bag->count; i++) {
        double x = (double)bag->coords[2 * i], y = (double)bag->coords[2 * i + 1];
        layout->x0 = MIN(layout->x0, x);
        layout->y0 = MIN(layout->y0, y);
        x1 = MAX(x1, x + layout->side);
        y1 = MAX(y1, y + layout->side);
    }
    layout->x0 = MAX(layout->x0 - layout->side, 0);
    layout->y0 = MAX(layout->y0 - layout->side, 0);
    double longest = MAX(x1 + layout->side - layout->x0, y1 + layout->side - layout->y0);
    layout->panel.downsample = longest / PANEL;
    layout->panel.width = CLAMP((int64_t)ceil((x1 + layout->side - layout->x0) / layout->panel.downsample), 1, PANEL);
    layout->panel.height = CLAMP((int64_t)ceil((y1 + layout->side - layout->y0) / layout->panel.downsample), 1, PANEL);
}

static void find_scale(Layout *layout) {
    const RmilOverlays *o = layout->overlays;
    layout->high = 10;
    for (int m = 0; m < o->n; m++) {
        double sum = 0, highest = 0;
        for (int64_t i = 0; i < o->bag->count; i++) {
            sum += o->attention[m][i];
            highest = MAX(highest, (double)o->attention[m][i]);
        }
        if (sum > 0) layout->high = MAX(layout->high, highest / sum * (double)o->bag->count);
    }
}

/* The slide from its file if available, else the patches in light gray. The resolution does not matter here. */
static gboolean make_ground(Layout *layout, GError **error) {
    const RmilBag *bag = layout->overlays->bag;
    const RmilPanel *panel = &layout->panel;
    layout->ground = rmil_alloc(panel->width * panel->height, 3, error);
    if (!layout->ground) return FALSE;
    RmilSlide *slide = layout->overlays->slide ? rmil_slide_open(layout->overlays->slide, 1, NULL) : NULL;
    gboolean read = slide && panel->downsample >= 1 &&
                    rmil_slide_read(slide, layout->x0, layout->y0, panel->downsample, panel->width, panel->height, layout->ground, NULL);
    if (slide) rmil_slide_free(slide);
    if (read) return TRUE;
    memset(layout->ground, 255, (size_t)(panel->width * panel->height * 3));
    for (int64_t i = 0; i < bag->count; i++) {
        int64_t left, right, top, bottom;
        rmil_panel_span((double)bag->coords[2 * i] - layout->x0, layout->side, panel->downsample, panel->width, &left, &right);
        rmil_panel_span((double)bag->coords[2 * i + 1] - layout->y0, layout->side, panel->downsample, panel->height, &top, &bottom);
        for (int64_t y = top; y < bottom; y++) memset(layout->ground + (y * panel->width + left) * 3, 214, (size_t)((right - left) * 3));
    }
    return TRUE;
}

/* Keys for the corners of annotated patches, one number each. */
static int64_t corner_key(int64_t x, int64_t y) { return x * ((int64_t)1 << 31) + y; }

static GHashTable *annotated_corners(const RmilOverlays *o) {
    GHashTable *corners = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    for (int64_t i = 0; i < o->bag->count; i++) {
        if (!o->labels[i]) continue;
        int64_t *key = g_new(int64_t, 1);
        *key = corner_key(o->bag->coords[2 * i], o->bag->coords[2 * i + 1]);
        g_hash_table_add(corners, key);
    }
    return corners;
}

/* Is there an annotated patch one side away? Corners may be off by a pixel if the side is not a whole number. */
static gboolean neighbour(GHashTable *corners, int64_t x, int64_t y, double side, int dx, int dy) {
    for (int64_t ex = -1; ex <= 1; ex++)
        for (int64_t ey = -1; ey <= 1; ey++) {
            int64_t key = corner_key(x + (int64_t)lround(dx * side) + ex, y + (int64_t)lround(dy * side) + ey);
            if (g_hash_table_contains(corners, &key)) return TRUE;
        }
    return FALSE;
}

/* The border of the annotated patches: those of their edges without an annotated patch on the other side. */
static char *outline_path(const Layout *layout) {
    static const int step[4][2] = {{0, -1}, {1, 0}, {0, 1}, {-1, 0}}; /* above, right, below, left */
    static const int ends[4][4] = {{0, 0, 1, 0}, {1, 0, 1, 1}, {1, 1, 0, 1}, {0, 1, 0, 0}};
    const RmilOverlays *o = layout->overlays;
    g_autoptr(GHashTable) corners = annotated_corners(o);
    GString *path = g_string_new(NULL);
    for (int64_t i = 0; i < o->bag->count; i++) {
        if (!o->labels[i]) continue;
        int64_t x = o->bag->coords[2 * i], y = o->bag->coords[2 * i + 1];
        for (int e = 0; e < 4; e++) {
            if (neighbour(corners, x, y, layout->side, step[e][0], step[e][1])) continue;
            double at[4];
            for (int k = 0; k < 4; k++)
                at[k] = ((double)(k % 2 ? y : x) + ends[e][k] * layout->side - (k % 2 ? layout->y0 : layout->x0)) /
                        layout->panel.downsample;
            g_string_append_printf(path, "M%.1f %.1fL%.1f %.1f", at[0], at[1], at[2], at[3]);
        }
    }
    return g_string_free(path, FALSE);
}

static void draw_outline(RmilCanvas *canvas, const RmilPanel *panel, const char *path) {
    g_string_append_printf(
        canvas->svg,
        "<g transform=\"translate(%" G_GINT64_FORMAT " %" G_GINT64_FORMAT ")\" fill=\"none\" stroke-linecap=\"square\">"
        "<path d=\"%s\" stroke=\"#fff\" stroke-width=\"3.4\"/><path d=\"%s\" stroke=\"#d40000\" stroke-width=\"1.6\"/></g>\n",
        panel->x, panel->y, path, path);
}

static gboolean draw_panel(const Layout *layout, RmilCanvas *canvas, int index, int across, const char *outline, double *gray,
                           GError **error) {
    const RmilOverlays *o = layout->overlays;
    RmilPanel panel = layout->panel;
    gsize bytes = (gsize)(panel.width * panel.height * 3);
    panel.x = GAP + (index % across) * (panel.width + GAP);
    panel.y = GAP + (int64_t)HEAD + (index / across) * (panel.height + (int64_t)HEAD + GAP);
    g_autofree uint8_t *rgb = rmil_try_new((int64_t)bytes, 1, error);
    if (!rgb) return FALSE;
    memcpy(rgb, layout->ground, bytes);
    if (index && !rmil_heat_paint(rgb, &panel, layout->x0, layout->y0, o->bag->coords, o->attention[index - 1], o->bag->count, layout->side,
                                  layout->high, gray, error))
        return FALSE;
    rmil_canvas_blit(canvas, panel.x, panel.y, rgb, panel.width, panel.height);
    rmil_panel_frame(canvas, &panel);
    if (index == 0) draw_outline(canvas, &panel, outline);
    double x = (double)panel.x, y = (double)panel.y, room = (double)panel.width;
    rmil_canvas_text(canvas, x, y - 1.5 * TEXT, TEXT, "start", TRUE, room, index ? o->titles[index - 1] : "Annotated patches");
    rmil_canvas_text(canvas, x, y - 0.4 * TEXT, 0.85 * TEXT, "start", FALSE, room, index ? o->lines[index - 1] : "outlined in red");
    return TRUE;
}

gboolean rmil_overlays_write(const RmilOverlays *overlays, const char *path, GError **error) {
    Layout layout = {.overlays = overlays};
    find_extent(&layout);
    find_scale(&layout);
    int panels = overlays->n + 1,
        across = panels <= ACROSS             ? panels
                 : (panels + 1) / 2 <= ACROSS ? (panels + 1) / 2
                                              : ACROSS,
        down = (panels + across - 1) / across;
    int64_t width = GAP + across * (layout.panel.width + GAP), top = GAP + down * (layout.panel.height + (int64_t)HEAD + GAP);
    g_autoptr(RmilCanvas) canvas = rmil_canvas_new(MAX(width, 26 * TEXT), top + (int64_t)(4.2 * TEXT), error);
    if (!canvas || !make_ground(&layout, error)) return FALSE;
    g_autofree char *outline = outline_path(&layout);
    double gray = 255;
    gboolean good = TRUE;
    for (int i = 0; i < panels && good; i++) good = draw_panel(&layout, canvas, i, across, outline, &gray, error);
    rmil_free(layout.ground);
    if (!good) return FALSE;
    RmilFooter footer;
    rmil_footer_init(&footer, canvas, GAP, (double)canvas->width - GAP, (double)top, TEXT);
    rmil_heat_legend(&footer, layout.high, gray);
    return rmil_canvas_write(canvas, path, error);
}
