/* What a file's outlines are before they become a region, and the steps from one to the other. */
#ifndef RMIL_ANNOTATION_PRIVATE_H
#define RMIL_ANNOTATION_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/annotation.h"

/* Bounds on what a file may ask for. Real files stay below 10⁵ vertices; slides below 10⁶ px. */
#define RMIL_ANNOTATION_BYTES ((gsize)512 << 20)
#define RMIL_ANNOTATION_VERTICES 5000000
#define RMIL_ANNOTATION_SHAPES 200000
#define RMIL_ANNOTATION_COORDINATE 1e7

typedef struct {
    double x, y; /* level-0 px */
} RmilPoint;

/* One outlined area: rings[0] is its outer ring, the others are holes; rings need not be closed. */
typedef struct {
    char *name;       /* for messages, e.g. annotation "Annotation 3" */
    char *group;      /* group or class; NULL: none was given */
    GPtrArray *rings; /* of GArray of RmilPoint */
} RmilShape;

typedef struct {
    const char *path;
    GPtrArray *shapes;   /* of RmilShape */
    GHashTable *parents; /* group -> the group that it is part of */
    int64_t vertices;
} RmilOutlines;

RmilShape *rmil_outlines_add_shape(RmilOutlines *outlines, const char *name, const char *group, GError **error);
GArray *rmil_shape_add_ring(RmilShape *shape);
gboolean rmil_outlines_add_point(RmilOutlines *outlines, const RmilShape *shape, GArray *ring, double x, double y,
                                 GError **error);
/* Sorts shapes into lesions and exclusions by the options' names (RmilShape, not owned); others are left out. */
gboolean rmil_outlines_select(const RmilOutlines *outlines, const RmilAnnotationOptions *options, GPtrArray *lesions,
                              GPtrArray *exclusions, GError **error);

/* A format: how to tell it by a file's first bytes (NUL behind them), and how to read it. */
typedef struct {
    const char *name;
    gboolean (*matches)(const char *head, gsize size);
    gboolean (*read)(RmilOutlines *outlines, const RmilAnnotationOptions *options, GError **error);
} RmilAnnotationFormat;
extern const RmilAnnotationFormat rmil_annotation_asap, rmil_annotation_geojson, rmil_annotation_mask;

/* Closed centripetal Catmull-Rom curve through the points (ASAP's spline), as a ring of points on it. */
GArray *rmil_spline(const GArray *points);

/* Whether the shapes' outlines cross each other so often that repairing them has no bounded cost. */
gboolean rmil_outlines_tangled(const GPtrArray *shapes);

/* -- region ---------------------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t first, count; /* points, the first repeated as the last */
    gboolean hole;
} RmilRing;

/* A non-vertical edge, left to right. `weight` is ±1, such that Σ weight ∫ y dx over all edges is the region's area. */
typedef struct {
    double x0, y0, x1, y1, weight;
} RmilEdge;

struct _RmilRegion {
    GArray *points, *rings; /* RmilPoint, RmilRing */
    GArray *edges;          /* RmilEdge, by x0 */
    double *reach;          /* per edge: the largest x1 so far */
    double area;
};

RmilRegion *rmil_region_new(void);
/* Takes over the points from `first` on as a ring. */
void rmil_region_add_ring(RmilRegion *region, int64_t first, gboolean hole);
void rmil_region_index(RmilRegion *region); /* after the last ring */
double rmil_region_box(const RmilRegion *region, double x, double y, double width, double height); /* area inside */

/* Outlines of another slide seldom fit: FALSE when most of the area lies off the slide, whose size is in the options. */
gboolean rmil_region_fits(const RmilRegion *region, const char *path, const RmilAnnotationOptions *options, GError **error);

/* Union of lesions minus union of exclusions, which must fit the slide, grown by the padding. */
RmilRegion *rmil_region_build(const char *path, const GPtrArray *lesions, const GPtrArray *exclusions,
                              const RmilAnnotationOptions *options, GError **error);

#endif
