/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil annotation: experts' outlines -> one region in level-0 pixels; its overlap with tiles; patch labels.
 *
 * Formats are recognised by content:
 *   ASAP XML         Polygon, Spline and Rectangle; other types have no area
 *   QuPath GeoJSON   Polygon, MultiPolygon and GeometryCollection of annotations, with holes
 *   mask images      PNG, JPEG, TIFF: pixels other than 0 (JPEG: ≥ 128), scaled to the size of the slide if that is given
 * docs/annotations.md has all the rules. */
#ifndef RANKMIL_ANNOTATION_H
#define RANKMIL_ANNOTATION_H

#include "base.h"

G_BEGIN_DECLS

/* Names of groups and classes are compared without regard to case or surrounding blanks. A group in neither list takes the role of its
 * parent (ASAP nests groups; QuPath's "Tumor: Positive" belongs to "Tumor"), or is ignored if it has none. If no annotation in a file has a
 * group, all of them are lesions; if only some do, those without a group are ignored. A file whose annotations all have unknown groups is
 * an error, which lists the groups. A file without annotations gives an empty region. Points, lines and outlines of fewer than 3 points are
 * ignored. The region's warnings say what was ignored. */
typedef struct {
    /* Names of lesion groups or classes, NULL-terminated. NULL: "_0", "_1", "Tumor", "Tumour", "Lesion", "Metastasis", "Metastases",
     * "Cancer", "Carcinoma". */
    const char *const *lesion;
    const char *const *exclusion; /* areas to cut out, likewise; NULL: "_2", "Exclusion", "Exclude" */
    double padding;               /* grows the region by this many level-0 px, with round joins; 0 … 10⁶, default 0 */
    /* Size of level 0; 0: unknown. If it is known, masks are scaled to it, and a region with more than half of its area (before padding)
     * outside the slide is refused, because it must belong to another slide. */
    int64_t slide_width, slide_height;
    /* The scanned area, as in RmilSlideInfo; width 0: the whole slide. QuPath shows only this area, so coordinates in its GeoJSON and masks
     * start at the area's corner. Outlines that fit into the area only if they start at the corner of level 0, and masks with the aspect
     * ratio of the whole slide only, are read that way, with a warning. */
    int64_t bounds_x, bounds_y, bounds_width, bounds_height;
    /* The file outlines tissue, not lesions: uses the group "Tissue", or, if there is none, everything except exclusions (Background,
     * Artefact …). `lesion` and `exclusion` are not used. Coordinates in TRIDENT's GeoJSON always start at level 0. */
    gboolean tissue;
    gboolean uncropped; /* coordinates in GeoJSON and masks start at level 0 despite the bounds: exported without cropping */
} RmilAnnotationOptions;
RMIL_API void rmil_annotation_options_init(RmilAnnotationOptions *options);

/* The union of the lesions minus the union of the exclusions, padded. Invalid polygons are repaired. A region is immutable and may be
 * shared by threads; rmil_region_read is thread-safe.
 * Errors: IO; FORMAT (unknown format, broken file, coordinates that are not numbers or beyond ±10⁷ px, more than 5 million vertices);
 * DATA (another slide's, no known group, outlines that cross each other more than 500,000 times or themselves more than 3,000 times);
 * ARGUMENT (options). Free with rmil_region_free. */
typedef struct _RmilRegion RmilRegion;
RMIL_API RmilRegion *rmil_region_read(const char *path, const RmilAnnotationOptions *options, GError **error);
RMIL_API void rmil_region_free(RmilRegion *region);
/* What was ignored or assumed, and why. Each warning names the file. NULL-terminated; owned by the region. */
RMIL_API const char *const *rmil_region_warnings(const RmilRegion *region);
RMIL_API gboolean rmil_region_empty(const RmilRegion *region);
RMIL_API double rmil_region_area(const RmilRegion *region); /* level-0 px² */
/* Is the file in a format whose coordinates may start at the corner of the scanned area (GeoJSON, a mask)? Those of ASAP never do. Also
 * FALSE if the file cannot be read. */
RMIL_API gboolean rmil_annotation_cropped(const char *path);

/* shares[i]: fraction (0 … 1) of a square tile that lies inside the region. Its top-left corner is (coords[2i], coords[2i + 1]) and its
 * side tile_level0, in level-0 px. Exact except for rounding (within 1e-10 of 0 or 1 counts as 0 or 1). Tiles may have any position and
 * order; grids are fastest. */
RMIL_API gboolean rmil_region_overlap(const RmilRegion *region, const int64_t *coords, int64_t count, double tile_level0, double *shares,
                                      GError **error);
/* labels[i] = 1 if shares[i] > threshold, otherwise 0. The usual threshold is 0.05. */
RMIL_API void rmil_patch_labels(const double *shares, int64_t count, double threshold, uint8_t *labels);

/* Calls `function` for every ring of the region, outer or hole, for drawing. xy: count × 2 level-0 px; closed (the last point repeats the
 * first); only valid during the call. */
typedef void (*RmilRingFunc)(const double *xy, int64_t count, gboolean hole, gpointer user);
RMIL_API void rmil_region_rings(const RmilRegion *region, RmilRingFunc function, gpointer user);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRegion, rmil_region_free)

G_END_DECLS
#endif
