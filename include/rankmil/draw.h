/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil draw: pictures of one slide: heat maps, previews of tissue and labels, the most attended tiles; attention for QuPath. Knows
 * numbers and places, no model. Every function writes a whole file or none. */
#ifndef RANKMIL_DRAW_H
#define RANKMIL_DRAW_H

#include "annotation.h"
#include "slide.h"

G_BEGIN_DECLS

/* -- pictures of slides ---------------------------------------------------------------------------------------------------- */
/* What colour stands for. Attention spans orders of magnitude, so a linear scale shows one bright tile and nothing else. */
typedef enum {
    RMIL_HEAT_RELATIVE,   /* values are attention: value / mean value, on a logarithmic scale from 0.1 to at least 10. "1×" is
                           * what every tile would have if all counted the same, so slides of any size compare; for softmax
                           * attention, which sums to 1, this is a·K. Below 0.1, thresholded (0) too, is the darkest colour */
    RMIL_HEAT_PERCENTILE, /* the share of tiles with a lower value (ties: half), 0 … 100 %: for raw scores of any scale. Always
                           * uses the whole colour map, even where the values hardly differ */
    RMIL_HEAT_VALUE       /* linear from the least to the greatest value */
} RmilHeatScale;

typedef struct {
    int64_t max_side;      /* longest side in px of the slide as drawn; never enlarged. 1024 */
    double opacity;        /* of the heat, 0 … 1: 0.7 */
    const char *title;     /* or NULL */
    const char *note;      /* a line below it, or NULL */
    const char *legend;    /* what the colour means, or NULL: "attention, × mean", "percentile of tiles", "value" */
    gboolean side_by_side; /* the slide with the lesion outline on the left (above, when the slide is far wider than high),
                           * the heat map on the right; FALSE: the heat map alone */
    RmilHeatScale scale;
    int64_t marks; /* so many tiles with the highest values are framed on the slide at the left, with the numbers that
                    * rmil_patches_write gives them: 0 */
} RmilHeatOptions;
RMIL_API void rmil_heat_options_init(RmilHeatOptions *options);

/* Where things lie in the PNG: the level-0 point (X, Y) is at (heat_x + X / downsample, heat_y + Y / downsample). */
typedef struct {
    int64_t width, height;             /* of the PNG */
    int64_t panel_width, panel_height; /* of the slide as drawn */
    int64_t slide_x, slide_y;          /* left panel's corner; −1 when there is none */
    int64_t heat_x, heat_y;
    double downsample;
} RmilHeatLayout;
RMIL_API void rmil_heat_layout(const RmilSlideInfo *info, const RmilHeatOptions *options, RmilHeatLayout *layout);

/* values: count numbers, one per tile (coords: level-0 px, tile_level0: side), shown in viridis, a perceptually even colour
 * map, over the slide in gray (so that stain and heat cannot be confused), with a legend, a scale bar when mpp is known and the
 * outline of region, which may be NULL. A picture pixel belongs to the tile that holds its centre. Values that are not
 * finite are left uncoloured. The same input gives the same pixels. Writes a PNG. */
RMIL_API gboolean rmil_heat_write(RmilSlide *slide, const int64_t *coords, const float *values, int64_t count, double tile_level0,
                                  const RmilRegion *region, const RmilHeatOptions *options, const char *path, GError **error);
/* The tissue mask and the kept tiles over the slide: how a user sees whether tiling was right. */
RMIL_API gboolean rmil_mask_preview_write(RmilSlide *slide, const RmilMask *mask, const RmilGrid *grid, const RmilRegion *region,
                                          int64_t max_side, const char *path, GError **error);
/* What annotations became: the tiles, those with labels[i] = 1 (count entries) tinted, and the region's outline as it was drawn;
 * grown (NULL when padding is 0): dashed, the region that was asked for the labels. Tile coords: level-0 px. A PNG. */
RMIL_API gboolean rmil_label_preview_write(RmilSlide *slide, const int64_t *coords, const uint8_t *labels, int64_t count,
                                           double tile_level0, const RmilRegion *drawn, const RmilRegion *grown, double padding,
                                           int64_t max_side, const char *path, GError **error);

/* -- attention for other programs --------------------------------------------------------------------------------------------- */
/* GeoJSON as QuPath (0.4 and later) reads it: each tile an object of type "tile" with the measurements "Attention", "Attention x
 * mean" (1: all tiles count the same), "Attention percentile" and, unless scores is NULL, "Score" (before softmax), for QuPath's
 * measurement maps; class "Attended" when its attention is above the mean, else "Not attended". left, top: the level-0 pixel that
 * QuPath calls (0, 0): the corner of the slide's scanned area (bounds_x, bounds_y), which is all that QuPath shows. */
RMIL_API gboolean rmil_qupath_write(const int64_t *coords, const float *attention, const float *scores, int64_t count, double tile_level0,
                                    int64_t left, int64_t top, const char *path, GError **error);
/* The tiles with the highest values, best first (ties: the earlier tile), at most `most` (1 … 200): a PNG with each tile at
 * tile_px (16 … 512) a side over its rank and value, a scale bar where mpp is known, and, unless csv is NULL, a table rank,x,y,side,value in level-0 px.
 * Tiles whose value is not finite are left out. */
RMIL_API gboolean rmil_patches_write(RmilSlide *slide, const int64_t *coords, const float *values, int64_t count, double tile_level0,
                                     int64_t most, int64_t tile_px, const char *title, const char *png, const char *csv, GError **error);

G_END_DECLS
#endif
