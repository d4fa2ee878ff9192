/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share: colours, pictures made of pixels and an SVG overlay, text for SVG and HTML. */
#ifndef RMIL_DRAW_PRIVATE_H
#define RMIL_DRAW_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/bag.h"
#include "rankmil/draw.h"

/* -- colormap.c ---------------------------------------------------------------------------------------------------- */
/* Viridis at t, clamped to [0, 1]. */
void rmil_viridis(double t, uint8_t rgb[3]);

/* -- canvas.c ------------------------------------------------------------------------------------------------------ */
/* Pixels at the bottom; above them a drawing in SVG units of one pixel. */
typedef struct {
    int64_t width, height;
    uint8_t *rgb; /* height × width × 3, initially white */
    GString *svg; /* elements; the enclosing <svg> is added when written */
} RmilCanvas;
RmilCanvas *rmil_canvas_new(int64_t width, int64_t height, GError **error);
void rmil_canvas_free(RmilCanvas *canvas);
void rmil_canvas_blit(RmilCanvas *canvas, int64_t x, int64_t y, const uint8_t *rgb, int64_t width, int64_t height);
/* One line of text with its baseline at y. If it is wider than `room` px (0: any), letters shrink down to 0.7 of `size`, then its middle is
 * cut out. anchor: "start", "middle", "end". */
void rmil_canvas_text(RmilCanvas *canvas, double x, double y, double size, const char *anchor, gboolean bold, double room,
                      const char *text);
gboolean rmil_canvas_write(RmilCanvas *canvas, const char *path, GError **error);
/* The picture file at path, at most max_width wide, as WebP bytes in base64; *width, *height: its size in px. */
char *rmil_picture_base64(const char *path, int max_width, int *width, int *height, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilCanvas, rmil_canvas_free)

/* -- panel.c: shared by heat maps and previews ---------------------------------------------------------------- */
typedef struct {
    int64_t x, y, width, height; /* in the picture */
    double downsample;           /* level-0 px per picture px */
} RmilPanel;
/* Panel size for a slide shown with at most max_side px per side, never enlarged. */
void rmil_panel_size(int64_t slide_width, int64_t slide_height, int64_t max_side, RmilPanel *panel);
/* The slide at the panel's size: height × width × 3, free with rmil_free. */
uint8_t *rmil_panel_read(RmilSlide *slide, const RmilPanel *panel, GError **error);
/* Picture pixels [*from, *to) covered by the level-0 span (start, start + side): those whose centres lie in it, and at least one, so that
 * neighbouring tiles have neither overlaps nor gaps. Clipped to 0 … size. */
void rmil_panel_span(double start, double side, double downsample, int64_t size, int64_t *from, int64_t *to);
void rmil_panel_outline(RmilCanvas *canvas, const RmilPanel *panel, const RmilRegion *region, double stroke, gboolean dashed);
void rmil_panel_frame(RmilCanvas *canvas, const RmilPanel *panel);

/* Footer: items placed from left to right, wrapped like words. */
typedef struct {
    RmilCanvas *canvas; /* NULL: only measures */
    double left, right, x, y, row, text;
} RmilFooter;
void rmil_footer_init(RmilFooter *footer, RmilCanvas *canvas, double left, double right, double top, double text);
/* Places an item: returns its top left corner. */
void rmil_footer_place(RmilFooter *footer, double width, double *x, double *y);
double rmil_footer_end(const RmilFooter *footer);
void rmil_footer_scale_bar(RmilFooter *footer, double mpp, const RmilPanel *panel);
/* kind: 'o' outline, 'd' dashed outline, 't' tissue tint, 'l' tint of labelled tiles, 'g' tile grid. */
void rmil_footer_swatch(RmilFooter *footer, char kind, const char *text);
double rmil_text_width(const char *text, double size); /* an upper estimate */

/* -- heat.c: its colours, for other pictures ------------------------------------------------------------------------ */
/* rgb: panel->height × width × 3, turned into gray with the colours of values / their mean over it, on a logarithmic scale from 0.1 to
 * high. The panel's corner is the level-0 point (x0, y0). *gray: mean gray below the colours. */
gboolean rmil_heat_paint(uint8_t *rgb, const RmilPanel *panel, double x0, double y0, const int64_t *coords, const float *values,
                         int64_t count, double side, double high, double *gray, GError **error);
/* Values as positions 0 … 1 on the colour map (rmil_viridis), NaN if there is no value, and the legend's ticks. */
#define RMIL_HEAT_TICKS 8
typedef struct {
    float *position; /* count; owned by the caller */
    const char *label;
    int ticks;
    double at[RMIL_HEAT_TICKS];
    char text[RMIL_HEAT_TICKS][16];
} RmilHeatScaling;
gboolean rmil_heat_scaling(RmilHeatScaling *scale, RmilHeatScale how, const float *values, int64_t count, GError **error);
/* The legend of that scale. */
void rmil_heat_legend(RmilFooter *footer, double high, double gray);

/* -- overlays.c ---------------------------------------------------------------------------------------------------- */
/* One slide several times in one picture: its annotated patches, then the attention of each method on one scale. */
typedef struct {
    const RmilBag *bag;    /* with coords and patch_size_level0 */
    const uint8_t *labels; /* K: annotated */
    const char *slide;     /* its file, or NULL: patches on a blank background */
    int n;
    float *const *attention; /* n × K */
    char **titles, **lines;  /* n each: above the panel */
} RmilOverlays;
/* A slide file that cannot be opened is treated as missing. Writes a PNG. */
gboolean rmil_overlays_write(const RmilOverlays *overlays, const char *path, GError **error);

/* -- order.c ------------------------------------------------------------------------------------------------------- */
/* Indices of the finite values, highest first, ties by index; *n: how many. Free with rmil_free. */
int64_t *rmil_descending(const float *values, int64_t count, int64_t *n, GError **error);
/* percentiles[i] in [0, 1]: share of the finite values below values[i], where ties share the middle of their range; NaN if values[i] is not
 * finite. */
gboolean rmil_percentiles(const float *values, int64_t count, float *percentiles, GError **error);

/* -- text ---------------------------------------------------------------------------------------------------------- */
/* Escaped for XML and HTML, as text or attribute; invalid UTF-8 and control characters are replaced. Free with g_free. */
char *rmil_markup(const char *text);
/* "12345.6" -> "12,346"; free with g_free. */
char *rmil_thousands(double value);

#endif
