/* SPDX-License-Identifier: Apache-2.0 */
/* A slide at picture size. */
#include "draw-private.h"

#include <math.h>

void rmil_panel_size(int64_t slide_width, int64_t slide_height, int64_t max_side, RmilPanel *panel) {
    int64_t longest = MAX(MAX(slide_width, slide_height), 1);
    panel->downsample = MAX((double)longest / (double)MAX(max_side, 1), 1);
    panel->width = MAX((int64_t)ceil((double)slide_width / panel->downsample - 1e-9), 1);
    panel->height = MAX((int64_t)ceil((double)slide_height / panel->downsample - 1e-9), 1);
}

uint8_t *rmil_panel_read(RmilSlide *slide, const RmilPanel *panel, GError **error) {
    uint8_t *rgb = rmil_alloc(panel->width * panel->height, 3, error);
    if (rgb && rmil_slide_read(slide, 0, 0, panel->downsample, panel->width, panel->height, rgb, error)) return rgb;
    rmil_free(rgb);
    return NULL;
}

void rmil_panel_span(double start, double side, double downsample, int64_t size, int64_t *from, int64_t *to) {
    /* Corners are rounded to whole pixels: if the side is not whole, neighbours can be up to a pixel apart. */
    double slack = side == floor(side) ? 0 : 0.5;
    double first = ceil((start - slack) / downsample - 0.5), last = ceil((start + side + slack) / downsample - 0.5);
    if (last <= first) { /* narrower than a pixel, between two centres */
        first = floor(start / downsample);
        last = first + 1;
    }
    *from = (int64_t)CLAMP(first, 0, (double)size);
    *to = (int64_t)CLAMP(last, 0, (double)size);
}

typedef struct {
    const RmilPanel *panel;
    GString *path;
} Outline;

/* Points less than a quarter pixel apart are left out: annotations have up to 10⁵ of them. */
static void add_ring(const double *xy, int64_t count, gboolean hole, gpointer user) {
    Outline *outline = user;
    double last_x = -1e9, last_y = -1e9;
    for (int64_t i = 0; i < count; i++) {
        double x = xy[2 * i] / outline->panel->downsample, y = xy[2 * i + 1] / outline->panel->downsample;
        if (i > 0 && fabs(x - last_x) + fabs(y - last_y) < 0.25) continue;
        g_string_append_printf(outline->path, "%c%.2f %.2f", i == 0 ? 'M' : 'L', x, y);
        last_x = x;
        last_y = y;
    }
    g_string_append_c(outline->path, 'Z');
}

/* White with a dark line inside: visible on any background. */
static void double_stroke(GString *svg, double stroke, gboolean dashed, const char *element) {
    g_autofree char *dashes = dashed ? g_strdup_printf(" stroke-dasharray=\"%.2f\"", 4 * stroke) : g_strdup("");
    g_string_append_printf(svg,
                           "<g fill=\"none\" stroke-linejoin=\"round\"><g stroke=\"#fff\" stroke-width=\"%.2f\">%s</g>"
                           "<g stroke=\"#111\" stroke-width=\"%.2f\"%s>%s</g></g>\n",
                           stroke * 2.2, element, stroke, dashes, element);
}

void rmil_panel_outline(RmilCanvas *canvas, const RmilPanel *panel, const RmilRegion *region, double stroke, gboolean dashed) {
    if (!region) return;
    g_autoptr(GString) path = g_string_new("<path d=\"");
    Outline outline = {panel, path};
    rmil_region_rings(region, add_ring, &outline);
    g_string_append(path, "\"/>");
    /* A nested <svg> clips its contents to the panel. */
    g_string_append_printf(canvas->svg,
                           "<svg x=\"%" G_GINT64_FORMAT "\" y=\"%" G_GINT64_FORMAT "\" width=\"%" G_GINT64_FORMAT
                           "\" height=\"%" G_GINT64_FORMAT "\" overflow=\"hidden\">",
                           panel->x, panel->y, panel->width, panel->height);
    double_stroke(canvas->svg, stroke, dashed, path->str);
    g_string_append(canvas->svg, "</svg>\n");
}

void rmil_panel_frame(RmilCanvas *canvas, const RmilPanel *panel) {
    g_string_append_printf(canvas->svg,
                           "<rect x=\"%.1f\" y=\"%.1f\" width=\"%" G_GINT64_FORMAT "\" height=\"%" G_GINT64_FORMAT
                           "\" fill=\"none\" stroke=\"#bbb\"/>\n",
                           (double)panel->x - 0.5, (double)panel->y - 0.5, panel->width + 1, panel->height + 1);
}

/* -- footer -------------------------------------------------------------------------------------------------------- */
void rmil_footer_init(RmilFooter *footer, RmilCanvas *canvas, double left, double right, double top, double text) {
    *footer = (RmilFooter){canvas, left, right, left, top, 3.4 * text, text};
}

void rmil_footer_place(RmilFooter *footer, double width, double *x, double *y) {
    if (footer->x > footer->left && footer->x + width > footer->right) {
        footer->x = footer->left;
        footer->y += footer->row;
    }
    *x = footer->x;
    *y = footer->y;
    footer->x += width + 2.5 * footer->text;
}

double rmil_footer_end(const RmilFooter *footer) { return footer->y + footer->row; }

/* The largest of 1, 2, 5 × 10ⁿ that is not above value. */
static double round_down(double value) {
    double power = pow(10, floor(log10(value)));
    return value >= 5 * power ? 5 * power : value >= 2 * power ? 2 * power : power;
}

void rmil_footer_scale_bar(RmilFooter *footer, double mpp, const RmilPanel *panel) {
    if (!(mpp > 0)) return;
    double per_pixel = mpp * panel->downsample;
    double micrometres = round_down(per_pixel * (double)panel->width / 4), length = micrometres / per_pixel;
    g_autofree char *text = micrometres >= 1000 ? g_strdup_printf("%g mm", micrometres / 1000) : g_strdup_printf("%g µm", micrometres);
    double x, y, size = footer->text;
    rmil_footer_place(footer, MAX(length, rmil_text_width(text, size)), &x, &y);
    if (!footer->canvas) return;
    rmil_canvas_text(footer->canvas, x, y + size, size, "start", FALSE, 0, text);
    g_string_append_printf(footer->canvas->svg,
                           "<path d=\"M%.2f %.2fv%.2fh%.2fv%.2f\" fill=\"none\" stroke=\"#222\" "
                           "stroke-width=\"%.1f\"/>\n",
                           x, y + 1.4 * size, 0.5 * size, length, -0.5 * size, MAX(size / 8, 1.5));
}

void rmil_footer_swatch(RmilFooter *footer, char kind, const char *text) {
    double x, y, size = footer->text, stroke = MAX(size / 9, 1.2);
    rmil_footer_place(footer, 2.2 * size + rmil_text_width(text, size), &x, &y);
    if (!footer->canvas) return;
    GString *svg = footer->canvas->svg;
    g_autofree char *box = g_strdup_printf("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x + 2, y + 0.15 * size,
                                           1.4 * size, 0.9 * size);
    if (kind == 'o' || kind == 'd') double_stroke(svg, stroke, kind == 'd', box);
    else if (kind == 'l') g_string_append_printf(svg, "<g fill=\"#f5c9a1\" stroke=\"#e67814\">%s</g>\n", box);
    else if (kind == 't') g_string_append_printf(svg, "<g fill=\"#c4e6e3\" stroke=\"#58b8b0\">%s</g>\n", box);
    else if (kind == 'x') g_string_append_printf(svg, "<g fill=\"#e3a0b2\" stroke=\"#c83c5a\">%s</g>\n", box);
    else g_string_append_printf(svg, "<g fill=\"none\" stroke=\"#1b3f8b\" stroke-width=\"%.1f\">%s</g>\n", stroke, box);
    rmil_canvas_text(footer->canvas, x + 2 * size, y + size, size, "start", FALSE, 0, text);
}
