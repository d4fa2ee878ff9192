/* SPDX-License-Identifier: Apache-2.0 */
/* A file's outlines before they become a region, and the steps in between. */
#ifndef RMIL_ANNOTATION_PRIVATE_H
#define RMIL_ANNOTATION_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/annotation.h"

/* Limits for what a file may contain. Real files have fewer than 10⁵ vertices, slides fewer than 10⁶ px per side. */
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
    char *group;      /* group or class, trimmed; NULL: none */
    char *title;      /* the name given by its author, or NULL */
    char *hint;       /* a class found where the format does not put it, or NULL */
    GPtrArray *rings; /* of GArray of RmilPoint */
} RmilShape;

typedef struct {
    const char *path;
    GPtrArray *shapes;   /* of RmilShape */
    GHashTable *parents; /* group -> its parent group */
    int64_t vertices;
    int64_t width, height;   /* level-0 px that the file itself covers (a mask of a slide of unknown size); 0: unknown */
    const char *hint_member; /* where the hints were found */
    gboolean from_level0;    /* the file is from a program that counts from the corner of level 0 */
    GPtrArray *notes;        /* what was left out or assumed */
} RmilOutlines;

void rmil_outlines_init(RmilOutlines *outlines, const char *path);
void rmil_outlines_clear(RmilOutlines *outlines);
/* What a file's user must know, collected and reported as one warning for each reason, which is one of these texts. */
#define RMIL_NOTE_NO_AREA "left out, because points and lines have no area"
#define RMIL_NOTE_OBJECT "left out, because only annotations count"
#define RMIL_NOTE_CLOSED "drawn as a closed line, used as an outline"
#define RMIL_NOTE_FEW_POINTS "left out, because an outline needs at least 3 different points"
#define RMIL_NOTE_GROUP "left out, because their group or class is neither a lesion nor an exclusion (--lesion and --exclude name others)"
#define RMIL_NOTE_NO_TISSUE "left out, because their group or class is not Tissue while that of others is"
#define RMIL_NOTE_UNGROUPED "no annotation has a group or class, so all count as lesions, also"
#define RMIL_NOTE_HINT "no annotation has a class where QuPath writes it, so the class is taken from the member"
#define RMIL_NOTE_COVER "the lesion covers most of the slide (is the mask inverted, or the whole image outlined?)"
#define RMIL_NOTE_VALUES "contains several labels or colours, which all count as lesion"
GPtrArray *rmil_notes_new(void);
void rmil_outlines_note(RmilOutlines *outlines, const char *reason, const char *what);
/* The same for an outline of a kind that has no area, e.g. Dot of "Tumor". */
void rmil_outlines_note_kind(RmilOutlines *outlines, const char *reason, const char *kind, const char *group);
char **rmil_outlines_warnings(const RmilOutlines *outlines); /* free with g_strfreev */

RmilShape *rmil_outlines_add_shape(RmilOutlines *outlines, const char *name, const char *group, GError **error);
/* `child` is part of `parent`. */
void rmil_outlines_add_parent(RmilOutlines *outlines, const char *child, const char *parent);
GArray *rmil_shape_add_ring(RmilShape *shape);
gboolean rmil_outlines_add_point(RmilOutlines *outlines, const RmilShape *shape, GArray *ring, double x, double y, GError **error);
/* Sorts shapes into lesions and exclusions by the names in the options (RmilShape, not owned); others are left out. */
gboolean rmil_outlines_select(RmilOutlines *outlines, const RmilAnnotationOptions *options, GPtrArray *lesions, GPtrArray *exclusions,
                              GError **error);

/* A format is one file, which defines rmil_annotation_NAME, plus its name in the list in meson.build (docs/extending.md): how to recognise
 * it by a file's first bytes (followed by NUL), and how to read it. */
typedef struct {
    const char *name;
    gboolean (*matches)(const char *head, gsize size);
    gboolean (*read)(RmilOutlines *outlines, const RmilAnnotationOptions *options, GError **error);
    gboolean cropped; /* may count from the corner of the scanned area */
} RmilAnnotationFormat;

/* For a PNG or TIFF whose pixels are labels shown with a palette: its bytes, with a palette that shows label k as gray k; NULL: it has no
 * palette. Free with g_mapped_file_unref. */
GMappedFile *rmil_palette_exchange(const char *path);
/* frame.c: is the scanned area known, and smaller than the slide? */
gboolean rmil_has_bounds(const RmilAnnotationOptions *options);
/* Moves QuPath outlines to level-0 pixels; reports the assumed origin if it is not certain. */
void rmil_outlines_place(RmilOutlines *outlines, const RmilAnnotationOptions *options);
/* Position of a mask: level-0 position of its corner, and level-0 pixels per mask pixel. A mask may be smaller or larger than the slide or
 * its scanned area, but has the shape of one of them. */
typedef struct {
    double x, y, scale_x, scale_y;
} RmilMaskPlace;
gboolean rmil_mask_place(RmilOutlines *outlines, const RmilAnnotationOptions *options, int width, int height, RmilMaskPlace *place,
                         GError **error);

/* Closed centripetal Catmull-Rom curve through the points (ASAP's spline), as a ring of points on it. */
GArray *rmil_spline(const GArray *points);

/* Do the shapes' outlines cross so often that the cost of repairing them is unbounded? */
gboolean rmil_outlines_tangled(const GPtrArray *shapes);

/* -- region ---------------------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t first, count; /* points; the last repeats the first */
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
    char **warnings;
};

RmilRegion *rmil_region_new(void);
/* Takes the points from `first` on as a ring. */
void rmil_region_add_ring(RmilRegion *region, int64_t first, gboolean hole);
void rmil_region_index(RmilRegion *region);                                                        /* after the last ring */
double rmil_region_box(const RmilRegion *region, double x, double y, double width, double height); /* area inside */

/* Outlines of another slide rarely fit: FALSE if most of the area is off the slide, whose size is in the options. A region that covers most
 * of the slide is noted. */
gboolean rmil_region_fits(const RmilRegion *region, RmilOutlines *outlines, const RmilAnnotationOptions *options, GError **error);

/* Union of lesions minus union of exclusions, padded; it must fit the slide. */
RmilRegion *rmil_region_build(RmilOutlines *outlines, const GPtrArray *lesions, const GPtrArray *exclusions,
                              const RmilAnnotationOptions *options, GError **error);

#endif
