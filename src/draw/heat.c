/* SPDX-License-Identifier: Apache-2.0 */
/* A slide's heat map, with legend and annotation. */
#include "draw-private.h"

#include <math.h>
#include <string.h>

void rmil_heat_options_init(RmilHeatOptions *options) {
    *options = (RmilHeatOptions){.max_side = 1024, .opacity = 0.7, .scale = RMIL_HEAT_RELATIVE};
}

G_GNUC_PRINTF(3, 4) static void add_tick(RmilHeatScaling *scale, double at, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    scale->at[scale->ticks] = at;
    g_vsnprintf(scale->text[scale->ticks++], sizeof scale->text[0], format, arguments);
    va_end(arguments);
}

#define RELATIVE_LOW 0.1

static void relative_ticks(RmilHeatScaling *scale, double high) {
    double range = log(high / RELATIVE_LOW);
    scale->label = "attention, × mean";
    add_tick(scale, 0, "≤%g×", RELATIVE_LOW);
    for (double tick = 1; tick <= high * 1.001 && scale->ticks < RMIL_HEAT_TICKS; tick *= 10)
        add_tick(scale, log(tick / RELATIVE_LOW) / range, "%g×", tick);
    if (scale->at[scale->ticks - 1] < 0.85 && scale->ticks < RMIL_HEAT_TICKS) add_tick(scale, 1, "%.0f×", high);
}

/* Value / mean on a logarithmic scale; high: its upper end, or 0: that of the highest value, at least 10. */
static void scale_relative(RmilHeatScaling *scale, const float *values, int64_t count, double high) {
    double sum = 0, highest = 0;
    int64_t finite = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        sum += values[i];
        highest = MAX(highest, (double)values[i]);
        finite++;
    }
    double mean = sum > 0 ? sum / (double)finite : 1;
    if (!(high > 0)) high = MAX(highest / mean, 10);
    double low = RELATIVE_LOW, range = log(high / low);
    for (int64_t i = 0; i < count; i++) {
        double relative = (double)values[i] / mean;
        scale->position[i] = !isfinite(values[i]) ? NAN : relative > low ? (float)MIN(log(relative / low) / range, 1) : 0;
    }
    relative_ticks(scale, high);
}

static gboolean scale_percentile(RmilHeatScaling *scale, const float *values, int64_t count, GError **error) {
    if (!rmil_percentiles(values, count, scale->position, error)) return FALSE;
    scale->label = "percentile of tiles";
    for (int i = 0; i <= 4; i++) add_tick(scale, i / 4.0, "%g %%", 25.0 * i);
    return TRUE;
}

static void scale_value(RmilHeatScaling *scale, const float *values, int64_t count) {
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(values[i])) {
            low = MIN(low, (double)values[i]);
            high = MAX(high, (double)values[i]);
        }
    for (int64_t i = 0; i < count; i++)
        scale->position[i] = !isfinite(values[i]) ? NAN : high > low ? (float)(((double)values[i] - low) / (high - low)) : 0.5f;
    scale->label = "value";
    if (!(high >= low)) return;
    for (int i = 0; i <= 4; i++) add_tick(scale, i / 4.0, "%.3g", low + i * (high - low) / 4);
}

gboolean rmil_heat_scaling(RmilHeatScaling *scale, RmilHeatScale how, const float *values, int64_t count, GError **error) {
    if (how == RMIL_HEAT_PERCENTILE) return scale_percentile(scale, values, count, error);
    if (how == RMIL_HEAT_RELATIVE) scale_relative(scale, values, count, 0);
    else scale_value(scale, values, count);
    return TRUE;
}

/* -- drawing ------------------------------------------------------------------------------------------------------- */
/* Lightened gray, so that dark nuclei do not look like a colour of the map. */
static uint8_t ground(const uint8_t rgb[3]) {
    double gray = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    return (uint8_t)(255 - 0.7 * (255 - gray) + 0.5);
}

static void blend(double opacity, const uint8_t colour[3], double below, uint8_t rgb[3]) {
    for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(opacity * colour[c] + (1 - opacity) * below + 0.5);
}

/* rgb: the slide as drawn, from the level-0 point (left, top), turned in place into gray with the heat map; returns the mean gray under the
 * heat map. */
static gboolean paint(const RmilPanel *panel, uint8_t *rgb, double left, double top, const int64_t *coords, const float *position,
                      int64_t count, double side, double opacity, double *mean_gray, GError **error) {
    int64_t pixels = panel->width * panel->height;
    float *heat = rmil_alloc(pixels, sizeof *heat, error);
    if (!heat) return FALSE;
    for (int64_t p = 0; p < pixels; p++) heat[p] = -1;
    for (int64_t i = 0; i < count; i++) {
        if (!(position[i] >= 0)) continue;
        int64_t x0, x1, y0, y1;
        rmil_panel_span((double)coords[2 * i] - left, side, panel->downsample, panel->width, &x0, &x1);
        rmil_panel_span((double)coords[2 * i + 1] - top, side, panel->downsample, panel->height, &y0, &y1);
        for (int64_t y = y0; y < y1; y++)
            for (int64_t x = x0; x < x1; x++) heat[y * panel->width + x] = MAX(heat[y * panel->width + x], position[i]);
    }
    double sum = 0;
    int64_t covered = 0;
    for (int64_t p = 0; p < pixels; p++) {
        uint8_t gray = ground(rgb + 3 * p), colour[3];
        if (heat[p] < 0) {
            memset(rgb + 3 * p, gray, 3);
            continue;
        }
        rmil_viridis(heat[p], colour);
        blend(opacity, colour, gray, rgb + 3 * p);
        sum += gray;
        covered++;
    }
    rmil_free(heat);
    *mean_gray = covered ? sum / (double)covered : 255;
    return TRUE;
}

/* The colours as they look over the slide's mean gray, so that map and legend match. */
static void draw_legend(RmilFooter *footer, const RmilHeatScaling *scale, const char *label, double opacity, double gray) {
    const double size = footer->text, width = 18 * size;
    double x, y;
    rmil_footer_place(footer, MAX(width + 3 * size, rmil_text_width(label, size)), &x, &y);
    if (!footer->canvas) return;
    GString *svg = footer->canvas->svg;
    rmil_canvas_text(footer->canvas, x, y + size, size, "start", FALSE, footer->right - x, label);
    double bar = x + size;
    g_string_append(svg, "<linearGradient id=\"heat\">");
    for (int i = 0; i <= 34; i++) {
        uint8_t colour[3], rgb[3];
        rmil_viridis(i / 34.0, colour);
        blend(opacity, colour, gray, rgb);
        g_string_append_printf(svg, "<stop offset=\"%.4f\" stop-color=\"#%02x%02x%02x\"/>", i / 34.0, rgb[0], rgb[1], rgb[2]);
    }
    g_string_append_printf(svg,
                           "</linearGradient><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                           "fill=\"url(#heat)\" "
                           "stroke=\"#888\"/>\n",
                           bar, y + 1.35 * size, width, 0.7 * size);
    for (int i = 0; i < scale->ticks; i++) {
        double tick = bar + width * scale->at[i];
        g_string_append_printf(svg, "<path d=\"M%.2f %.2fv%.2f\" stroke=\"#222\"/>\n", tick, y + 2.05 * size, 0.25 * size);
        rmil_canvas_text(footer->canvas, tick, y + 3.1 * size, 0.85 * size, "middle", FALSE, 0, scale->text[i]);
    }
}

gboolean rmil_heat_paint(uint8_t *rgb, const RmilPanel *panel, double x0, double y0, const int64_t *coords, const float *values,
                         int64_t count, double side, double high, double *gray, GError **error) {
    RmilHeatOptions usual;
    rmil_heat_options_init(&usual);
    RmilHeatScaling scale = {.position = rmil_alloc(count, sizeof(float), error)};
    if (!scale.position) return FALSE;
    scale_relative(&scale, values, count, high);
    gboolean done = paint(panel, rgb, x0, y0, coords, scale.position, count, side, usual.opacity, gray, error);
    rmil_free(scale.position);
    return done;
}

void rmil_heat_legend(RmilFooter *footer, double high, double gray) {
    RmilHeatOptions usual;
    rmil_heat_options_init(&usual);
    RmilHeatScaling scale = {.ticks = 0};
    relative_ticks(&scale, high);
    draw_legend(footer, &scale, scale.label, usual.opacity, gray);
}

/* -- layout -------------------------------------------------------------------------------------------------------- */
/* Layout of all elements; the same code measures (canvas NULL) and draws. */
typedef struct {
    RmilPanel slide, heat;
    gboolean both;
    double text, margin;
    int64_t width, height;
    double caption_slide, caption_heat, footer;
} Places;

static void place(const RmilSlideInfo *info, const RmilHeatOptions *options, Places *places) {
    memset(places, 0, sizeof *places);
    RmilPanel *heat = &places->heat, *slide = &places->slide;
    rmil_panel_size(info->width, info->height, options->max_side, heat);
    *slide = *heat;
    places->both = options->side_by_side;
    gboolean stacked = places->both && heat->width > 2 * heat->height;
    int64_t across = places->both && !stacked ? 2 * heat->width : heat->width;
    double text = places->text = CLAMP(round((double)across / 54), 12, 60);
    int64_t margin = (int64_t)(1.4 * text), gap = (int64_t)text, line = (int64_t)(1.7 * text);
    places->margin = (double)margin;
    int64_t content = MAX(across + (across > heat->width ? gap : 0), (int64_t)(24 * text));
    places->width = content + 2 * margin;
    int64_t y = margin + (options->title ? (int64_t)(2.2 * text) : 0) + (options->note ? line : 0);
    int64_t left = margin + (content - across - (across > heat->width ? gap : 0)) / 2;
    slide->x = heat->x = left;
    if (places->both) {
        places->caption_slide = (double)y + text;
        slide->y = heat->y = y + line;
        if (stacked) {
            places->caption_heat = (double)(slide->y + slide->height + gap) + text;
            heat->y = slide->y + slide->height + gap + line;
        } else {
            places->caption_heat = places->caption_slide;
            heat->x = left + heat->width + gap;
        }
    } else {
        heat->y = y;
    }
    places->footer = (double)(heat->y + heat->height) + text;
}

static void draw_footer(const Places *places, const RmilSlideInfo *info, const RmilHeatScaling *scale, const char *label, double opacity,
                        double gray, gboolean outline, RmilCanvas *canvas, double *end) {
    RmilFooter footer;
    rmil_footer_init(&footer, canvas, places->margin, (double)places->width - places->margin, places->footer, places->text);
    draw_legend(&footer, scale, label, opacity, gray);
    rmil_footer_scale_bar(&footer, info->mpp, &places->heat);
    if (outline) rmil_footer_swatch(&footer, 'o', "annotated lesion");
    *end = rmil_footer_end(&footer);
}

/* Frames and numbers of the tiles with the highest values, on the slide. */
static gboolean draw_marks(RmilCanvas *canvas, const Places *places, const int64_t *coords, const float *values, int64_t count, double side,
                           int64_t most, GError **error) {
    const RmilPanel *panel = &places->slide;
    const double size = 0.9 * places->text, box = MAX(side / panel->downsample, 0.6 * size);
    const gboolean within = box >= 2 * size; /* the number of a small frame is beside it */
    int64_t n, *order = rmil_descending(values, count, &n, error);
    if (!order) return FALSE;
    g_string_append_printf(canvas->svg,
                           "<svg x=\"%" G_GINT64_FORMAT "\" y=\"%" G_GINT64_FORMAT "\" width=\"%" G_GINT64_FORMAT
                           "\" height=\"%" G_GINT64_FORMAT "\" overflow=\"hidden\">",
                           panel->x, panel->y, panel->width, panel->height);
    for (int64_t k = MIN(n, most) - 1; k >= 0; k--) { /* the first on top */
        const double middle = 0.5 * side, x = ((double)coords[2 * order[k]] + middle) / panel->downsample - 0.5 * box,
                     y = ((double)coords[2 * order[k] + 1] + middle) / panel->downsample - 0.5 * box;
        g_string_append_printf(
            canvas->svg,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" stroke=\"#fff\" stroke-width=\"4\"/>"
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" stroke=\"#0b3d91\" stroke-width=\"2\"/>\n",
            x, y, box, box, x, y, box, box);
        const double wide = size * (k + 1 < 10 ? 0.95 : 1.6), right = (double)panel->width;
        const double lx = within ? MAX(x, 0) : x + box + wide <= right ? x + box : x - wide, ly = MAX(y, 0);
        g_string_append_printf(canvas->svg,
                               "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#0b3d91\" stroke=\"#fff\"/>\n", lx, ly,
                               wide, 1.15 * size);
        g_string_append_printf(
            canvas->svg,
            "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" text-anchor=\"middle\" font-weight=\"bold\" fill=\"#fff\">%" G_GINT64_FORMAT
            "</text>\n",
            lx + wide / 2, ly + 0.93 * size, 0.9 * size, k + 1);
    }
    g_string_append(canvas->svg, "</svg>\n");
    rmil_free(order);
    return TRUE;
}

/* The picture's height does not depend on whether there is an outline: room for its legend is always kept. */
static void measure(const RmilSlideInfo *info, const RmilHeatOptions *options, Places *places) {
    place(info, options, places);
    RmilHeatScaling none = {.ticks = 0};
    double end;
    draw_footer(places, info, &none, options->legend ? options->legend : "attention, × mean", 1, 255, TRUE, NULL, &end);
    places->height = (int64_t)(end + places->margin);
}

void rmil_heat_layout(const RmilSlideInfo *info, const RmilHeatOptions *options, RmilHeatLayout *layout) {
    Places places;
    measure(info, options, &places);
    *layout = (RmilHeatLayout){.width = places.width,
                               .height = places.height,
                               .panel_width = places.heat.width,
                               .panel_height = places.heat.height,
                               .slide_x = places.both ? places.slide.x : -1,
                               .slide_y = places.both ? places.slide.y : -1,
                               .heat_x = places.heat.x,
                               .heat_y = places.heat.y,
                               .downsample = places.heat.downsample};
}

static gboolean check(const RmilHeatOptions *options, const int64_t *coords, int64_t count, double side, const char *path, GError **error) {
    if (count < 1 || count > G_MAXINT)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: %" G_GINT64_FORMAT " tiles cannot be drawn", path, count);
    if (!(side > 0) || !isfinite(side))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: tiles need a side, not %g level-0 px", path, side);
    if (options->max_side < 16 || options->max_side > 8192)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: the side of a heat map must be 16 … 8192 px, not %" G_GINT64_FORMAT, path,
                         options->max_side);
    if (!(options->opacity >= 0 && options->opacity <= 1))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: opacity must be 0 … 1, not %g", path, options->opacity);
    return TRUE;
}

gboolean rmil_heat_write(RmilSlide *slide, const int64_t *coords, const float *values, int64_t count, double tile_level0,
                         const RmilRegion *region, const RmilHeatOptions *options, const char *path, GError **error) {
    if (!check(options, coords, count, tile_level0, path, error)) return FALSE;
    const RmilSlideInfo *info = rmil_slide_info(slide);
    if (region && rmil_region_empty(region)) region = NULL;
    Places places;
    measure(info, options, &places);

    g_autoptr(RmilCanvas) canvas = rmil_canvas_new(places.width, places.height, error);
    if (!canvas) return FALSE;
    uint8_t *rgb = rmil_panel_read(slide, &places.heat, error);
    RmilHeatScaling scale = {.position = rgb ? rmil_alloc(count, sizeof(float), error) : NULL};
    double gray = 255;
    gboolean done = scale.position && rmil_heat_scaling(&scale, options->scale, values, count, error);
    if (done && places.both) rmil_canvas_blit(canvas, places.slide.x, places.slide.y, rgb, places.slide.width, places.slide.height);
    done = done && paint(&places.heat, rgb, 0, 0, coords, scale.position, count, tile_level0, options->opacity, &gray, error);
    if (done) rmil_canvas_blit(canvas, places.heat.x, places.heat.y, rgb, places.heat.width, places.heat.height);
    rmil_free(rgb);
    rmil_free(scale.position);
    if (!done) return FALSE;

    const char *label = options->legend ? options->legend : scale.label;
    double text = places.text, stroke = MAX(text / 6, 1.4), room = (double)places.width - 2 * places.margin, end;
    if (options->title)
        rmil_canvas_text(canvas, places.margin, places.margin + 1.2 * text, 1.25 * text, "start", TRUE, room, options->title);
    if (options->note)
        rmil_canvas_text(canvas, places.margin, places.margin + (options->title ? 3.1 : 1.2) * text, text, "start", FALSE, room,
                         options->note);
    if (places.both) {
        room = (double)places.heat.width;
        rmil_canvas_text(canvas, (double)places.slide.x, places.caption_slide, text, "start", FALSE, room,
                         region ? "Slide and annotated lesion" : "Slide");
        rmil_canvas_text(canvas, (double)places.heat.x, places.caption_heat, text, "start", FALSE, room, label);
        rmil_panel_outline(canvas, &places.slide, region, stroke, FALSE);
        rmil_panel_frame(canvas, &places.slide);
        if (options->marks > 0 && !draw_marks(canvas, &places, coords, values, count, tile_level0, options->marks, error)) return FALSE;
    }
    rmil_panel_outline(canvas, &places.heat, region, stroke, FALSE);
    rmil_panel_frame(canvas, &places.heat);
    draw_footer(&places, info, &scale, label, options->opacity, gray, region != NULL, canvas, &end);
    return rmil_canvas_write(canvas, path, error);
}
