/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil draw: pictures of one slide: heat maps, previews of tissue and patch labels, the most attended tiles; attention for QuPath. This
 * room works on numbers and coordinates and knows no models. Every function writes a complete file or none. Arrays belong to the caller;
 * coords is count × 2, the top-left corners of tiles in level-0 px, and tile_level0 is the side of a tile in level-0 px. */
#ifndef RANKMIL_DRAW_H
#define RANKMIL_DRAW_H

#include "annotation.h"
#include "slide.h"

G_BEGIN_DECLS

/* -- pictures of slides ---------------------------------------------------------------------------------------------------- */
/* What colours mean. Attention spans orders of magnitude; a linear scale would show one bright tile and nothing else. */
typedef enum {
    RMIL_HEAT_RELATIVE,   /* for attention: value / mean value, on a logarithmic scale from 0.1 to at least 10. "1×" is the value of every
                           * tile under uniform attention, so slides of any size can be compared; for softmax attention, which sums to 1,
                           * it is a·K. Values below 0.1, including 0 from thresholding, get the darkest colour */
    RMIL_HEAT_PERCENTILE, /* for scores of any scale: the percentage of tiles with a lower value, where ties count half. Always uses the
                           * whole colour map, even if values hardly differ */
    RMIL_HEAT_VALUE       /* linear from the lowest to the highest value */
} RmilHeatScale;

typedef struct {
    int64_t max_side;      /* longest side of the drawn slide in px; slides are never enlarged. 1024 */
    double opacity;        /* of the heat map, 0 … 1: 0.7 */
    const char *title;     /* or NULL */
    const char *note;      /* a line below the title, or NULL */
    const char *legend;    /* what colours mean; NULL: "attention, × mean", "percentile of tiles" or "value", by the scale */
    gboolean side_by_side; /* TRUE: the slide with the lesion outline on the left (above, if the slide is more than twice as wide as high),
                            * and the heat map on the right; FALSE: only the heat map */
    RmilHeatScale scale;
    int64_t marks; /* this many tiles with the highest values are framed on the left panel and numbered as rmil_patches_write numbers
                    * them: 0 */
} RmilHeatOptions;
RMIL_API void rmil_heat_options_init(RmilHeatOptions *options);

/* Where the panels lie in the PNG: the level-0 point (X, Y) is drawn at (heat_x + X / downsample, heat_y + Y / downsample). */
typedef struct {
    int64_t width, height;             /* of the PNG */
    int64_t panel_width, panel_height; /* of the drawn slide */
    int64_t slide_x, slide_y;          /* corner of the left panel; −1 if there is none */
    int64_t heat_x, heat_y;
    double downsample;
} RmilHeatLayout;
RMIL_API void rmil_heat_layout(const RmilSlideInfo *info, const RmilHeatOptions *options, RmilHeatLayout *layout);

/* Writes a heat map as PNG: values (count, one per tile) in viridis, a perceptually uniform colour map, over the slide in gray, so that
 * stain is not mistaken for heat; with a legend, a scale bar if mpp is known, and the outline of region, which may be NULL. A pixel belongs
 * to the tile that contains its centre. Tiles with a value that is not finite are not coloured. The same input gives the same pixels. */
RMIL_API gboolean rmil_heat_write(RmilSlide *slide, const int64_t *coords, const float *values, int64_t count, double tile_level0,
                                  const RmilRegion *region, const RmilHeatOptions *options, const char *path, GError **error);
/* Writes the tissue mask and the tiles that were kept, over the slide, as PNG, so that users can check the tiling. */
RMIL_API gboolean rmil_mask_preview_write(RmilSlide *slide, const RmilMask *mask, const RmilGrid *grid, const RmilRegion *region,
                                          int64_t max_side, const char *path, GError **error);
/* Writes the patch labels as PNG: all tiles, tinted where labels[i] (count) is 1, the outline as drawn, and, dashed, the padded outline
 * that determined the labels (grown; NULL if padding is 0). */
RMIL_API gboolean rmil_label_preview_write(RmilSlide *slide, const int64_t *coords, const uint8_t *labels, int64_t count,
                                           double tile_level0, const RmilRegion *drawn, const RmilRegion *grown, double padding,
                                           int64_t max_side, const char *path, GError **error);

/* -- attention for other programs --------------------------------------------------------------------------------------------- */
/* Writes attention as GeoJSON for QuPath 0.4 and later. Each tile is an object of type "tile" with measurements for QuPath's measurement
 * maps: "Attention", "Attention x mean" (1: uniform attention), "Attention percentile" and, unless scores is NULL, "Score" (before the
 * softmax). Its class is "Attended" if its attention is above the mean, else "Not attended". left, top: the level-0 pixel that is (0, 0) in
 * QuPath, the corner of the slide's scanned area (bounds_x, bounds_y), which is all that QuPath shows. ARGUMENT: no tiles, or a side that
 * is not positive. */
RMIL_API gboolean rmil_qupath_write(const int64_t *coords, const float *attention, const float *scores, int64_t count, double tile_level0,
                                    int64_t left, int64_t top, const char *path, GError **error);
/* Writes the tiles with the highest values as PNG, best first (ties: the earlier tile), at most `most` (1 … 200), each tile_px (16 … 512)
 * px wide above its rank and value, with a scale bar if mpp is known. csv: path of a table rank,x,y,side,value in level-0 px, or NULL.
 * Tiles with a value that is not finite are left out. */
RMIL_API gboolean rmil_patches_write(RmilSlide *slide, const int64_t *coords, const float *values, int64_t count, double tile_level0,
                                     int64_t most, int64_t tile_px, const char *title, const char *png, const char *csv, GError **error);

G_END_DECLS
#endif
