/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil annotation: experts' outlines -> one region in level-0 pixels; its overlap with tiles; patch labels.
 *
 * Formats, recognised by content: ASAP XML (Polygon, Spline, Rectangle; others have no area), QuPath GeoJSON (annotations'
 * Polygon, MultiPolygon, GeometryCollection, with holes), and mask images (PNG, JPEG, TIFF: pixels that are not 0, in JPEG
 * those ≥ 128, scaled to the slide's size when it is given). docs/annotations.md has the rules in full. */
#ifndef RANKMIL_ANNOTATION_H
#define RANKMIL_ANNOTATION_H

#include "base.h"

G_BEGIN_DECLS

/* Group and class names are compared without regard to case and to blanks around them. A group in neither list has the role
 * of the group that it is part of (ASAP's nested groups; QuPath's "Tumor: Positive" is part of "Tumor"), or is left out. Where
 * no annotation of a file has a group, all are lesions; where some have, those without are left out. A file whose annotations
 * all are left out is an error that names its groups; a file without any annotation is an empty region. An outline of fewer
 * than 3 points, a point, a line are left out; the region's warnings list what was left out. */
typedef struct {
    const char *const *lesion;         /* NULL-terminated group or class names; NULL: "_0", "_1", "Tumor", "Tumour", "Lesion",
                                   * "Metastasis", "Metastases", "Cancer", "Carcinoma" */
    const char *const *exclusion;      /* NULL: "_2", "Exclusion", "Exclude" */
    double padding;                    /* grow the region by this many level-0 px, round joins; 0 */
    int64_t slide_width, slide_height; /* level 0; > 0: a region (before padding) with more than half of its area outside is
                                        * refused as another slide's; masks are scaled to this size. 0: unknown */
    int64_t bounds_x, bounds_y, bounds_width, bounds_height; /* the scanned area as in RmilSlideInfo; width 0: all of the slide.
                                        * QuPath shows nothing but this area, and its GeoJSON and masks count from its corner.
                                        * Outlines that fit into it only when they count from level 0, and masks of the whole
                                        * slide's shape, are taken as such, with a warning */
    gboolean tissue;    /* the file outlines tissue, not lesions: what is in a group "Tissue" is taken, or, where no group is called
                         * so, all that is no exclusion. TRIDENT's GeoJSON counts from level 0 whatever `uncropped` says */
    gboolean uncropped; /* GeoJSON and masks count from level 0 all the same: exported without cropping */
} RmilAnnotationOptions;
RMIL_API void rmil_annotation_options_init(RmilAnnotationOptions *options);

/* Union of lesions minus union of exclusions, then padding; invalid polygons are repaired. Immutable; may be shared by
 * threads, and any number of regions may be read at once. Errors: IO, FORMAT (not one of the formats, broken, positions that are no numbers or beyond 10⁷ px, more than 5 million vertices), DATA (another slide's,
 * no known group, outlines that cross each other more than 500,000 times or themselves more than 3,000 times), ARGUMENT. */
typedef struct _RmilRegion RmilRegion;
RMIL_API RmilRegion *rmil_region_read(const char *path, const RmilAnnotationOptions *options, GError **error);
RMIL_API void rmil_region_free(RmilRegion *region);
/* What whoever reads the file must know: what was left out and why, what was assumed; each names the file. NULL-terminated, of
 * the region. */
RMIL_API const char *const *rmil_region_warnings(const RmilRegion *region);
RMIL_API gboolean rmil_region_empty(const RmilRegion *region);
RMIL_API double rmil_region_area(const RmilRegion *region); /* level-0 px² */
/* Is the file of a format that may count from the corner of the scanned area (GeoJSON, a mask)? ASAP's never do. FALSE also for
 * a file that cannot be read. */
RMIL_API gboolean rmil_annotation_cropped(const char *path);

/* shares[i] (0 … 1): part of the square tile at coords[2i], coords[2i+1] with side tile_level0 that lies inside; exact but
 * for rounding (1e-10 from 0 or 1 counts as 0 or 1). Tiles may lie anywhere, in any order; grids are fastest. */
RMIL_API gboolean rmil_region_overlap(const RmilRegion *region, const int64_t *coords, int64_t count, double tile_level0, double *shares,
                                      GError **error);
/* labels[i] = 1 when shares[i] > threshold (DESIGN: 0.05). */
RMIL_API void rmil_patch_labels(const double *shares, int64_t count, double threshold, uint8_t *labels);

/* Every ring of the region, outer and inner; xy: count × 2 level-0 px, closed (first point repeated). For drawing. */
typedef void (*RmilRingFunc)(const double *xy, int64_t count, gboolean hole, gpointer user);
RMIL_API void rmil_region_rings(const RmilRegion *region, RmilRingFunc function, gpointer user);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRegion, rmil_region_free)

G_END_DECLS
#endif
