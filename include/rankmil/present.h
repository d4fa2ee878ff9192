/* rankmil present: heat maps, figures, the HTML report. */
#ifndef RANKMIL_PRESENT_H
#define RANKMIL_PRESENT_H

#include "annotation.h"
#include "mil.h"
#include "slide.h"

G_BEGIN_DECLS

/* -- pictures of slides ---------------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t max_side;     /* longest side of the picture in px: 1600 */
    double opacity;       /* of the heat, 0 … 1 */
    const char *title;    /* or NULL */
    const char *legend;   /* what the colour means, e.g. "attention rank" */
    gboolean side_by_side;/* the slide with the lesion outline on the left, the heat map on the right */
} RmilHeatOptions;
RMIL_API void rmil_heat_options_init(RmilHeatOptions *options);

/* values: count numbers, one per tile (coords: level-0 px, tile_level0: side), shown by a perceptually even colour map
 * with a legend and a scale bar (when mpp is known) over the slide's thumbnail; region may be NULL. Writes a PNG. */
RMIL_API gboolean rmil_heat_write(RmilSlide *slide, const int64_t *coords, const float *values, int64_t count,
                                  double tile_level0, const RmilRegion *region, const RmilHeatOptions *options,
                                  const char *path, GError **error);
/* The tissue mask and the kept tiles over the thumbnail: how a user sees whether tiling was right. */
RMIL_API gboolean rmil_mask_preview_write(RmilSlide *slide, const RmilMask *mask, const RmilGrid *grid,
                                          const RmilRegion *region, int64_t max_side, const char *path,
                                          GError **error);

/* -- report ------------------------------------------------------------------------------------------------------------------ */
/* Reads a folder that `rankmil run` (or train and predict) filled and writes one self-contained HTML file. */
RMIL_API gboolean rmil_report_write(const char *folder, const char *path, const RmilMonitor *monitor, GError **error);

G_END_DECLS
#endif
