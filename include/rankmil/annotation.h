/* rankmil annotation: experts' outlines -> one region in level-0 pixels; its overlap with tiles; patch labels. */
#ifndef RANKMIL_ANNOTATION_H
#define RANKMIL_ANNOTATION_H

#include "base.h"

G_BEGIN_DECLS

typedef struct {
    const char *const *lesion;    /* NULL-terminated group or class names; NULL: "_0", "_1", "Tumor", "Lesion" … */
    const char *const *exclusion; /* NULL: "_2", "Exclusion" */
    double padding;               /* grow the region by this many level-0 px, round joins; 0 */
    int64_t slide_width, slide_height; /* level 0; > 0: an annotation wholly or mostly outside is refused as another slide's */
} RmilAnnotationOptions;
RMIL_API void rmil_annotation_options_init(RmilAnnotationOptions *options);

/* Union of lesions minus union of exclusions; invalid polygons are repaired. Immutable; may be shared by threads. */
typedef struct _RmilRegion RmilRegion;
RMIL_API RmilRegion *rmil_region_read(const char *path, const RmilAnnotationOptions *options, GError **error);
RMIL_API void rmil_region_free(RmilRegion *region);
RMIL_API gboolean rmil_region_empty(const RmilRegion *region);
RMIL_API double rmil_region_area(const RmilRegion *region); /* level-0 px² */

/* shares[i] (0 … 1): part of the square tile at coords[2i], coords[2i+1] with side tile_level0 that lies inside. */
RMIL_API gboolean rmil_region_overlap(const RmilRegion *region, const int64_t *coords, int64_t count,
                                      double tile_level0, double *shares, GError **error);
/* labels[i] = 1 when shares[i] > threshold (DESIGN: 0.05). */
RMIL_API void rmil_patch_labels(const double *shares, int64_t count, double threshold, uint8_t *labels);

/* Every ring of the region, outer and inner; xy: count × 2 level-0 px, closed (first point repeated). For drawing. */
typedef void (*RmilRingFunc)(const double *xy, int64_t count, gboolean hole, gpointer user);
RMIL_API void rmil_region_rings(const RmilRegion *region, RmilRingFunc function, gpointer user);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRegion, rmil_region_free)

G_END_DECLS
#endif
