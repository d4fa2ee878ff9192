/* SPDX-License-Identifier: Apache-2.0 */
/* Outlines -> region by GEOS: repair, union, difference, padding. Every call has its own context, so that threads share nothing. */
#include "annotation-private.h"

#include <geos_c.h>
#include <math.h>

enum { QUADRANT_SEGMENTS = 16, MANY_VERTICES = 2000, FAR_TOO_MANY = 100000, CHUNK = 32 };
#define FAR_PADDING 1000 /* px */

typedef struct {
    GEOSContextHandle_t geos;
    RmilOutlines *outlines;
    char *message; /* GEOS's last message */
} Work;

static void note(const char *message, void *user) {
    Work *work = user;
    g_free(work->message);
    work->message = g_strdup(message);
}

/* Reports GEOS's message; frees nothing. */
static GEOSGeometry *geos_fail(const Work *work, const char *what, GError **error) {
    rmil_fail(error, RMIL_ERROR_DATA, "%s: %s fails: %s", work->outlines->path, what, work->message ? work->message : "out of memory");
    return NULL;
}

static GEOSGeometry *make_ring(const Work *work, const GArray *ring) {
    const RmilPoint *p = (const RmilPoint *)(const void *)ring->data;
    const guint n = ring->len;
    const gboolean closed = p[0].x == p[n - 1].x && p[0].y == p[n - 1].y;
    const guint count = closed ? n : n + 1;
    GEOSCoordSequence *sequence = GEOSCoordSeq_create_r(work->geos, MAX(count, 4), 2);
    if (!sequence) return NULL;
    for (guint i = 0; i < MAX(count, 4); i++) {
        RmilPoint at = p[i < n ? i : 0];
        GEOSCoordSeq_setXY_r(work->geos, sequence, i, at.x, at.y);
    }
    return GEOSGeom_createLinearRing_r(work->geos, sequence);
}

static GEOSGeometry *make_polygon(const Work *work, const RmilShape *shape) {
    GEOSGeometry *outer = make_ring(work, shape->rings->pdata[0]);
    const guint holes = shape->rings->len - 1;
    g_autofree GEOSGeometry **inner = g_new0(GEOSGeometry *, holes + 1);
    gboolean made = outer != NULL;
    for (guint i = 0; i < holes && made; i++) made = (inner[i] = make_ring(work, shape->rings->pdata[i + 1])) != NULL;
    GEOSGeometry *polygon = made ? GEOSGeom_createPolygon_r(work->geos, outer, inner, holes) : NULL;
    if (!made) {
        for (guint i = 0; i < holes; i++)
            if (inner[i]) GEOSGeom_destroy_r(work->geos, inner[i]);
        if (outer) GEOSGeom_destroy_r(work->geos, outer);
    }
    return polygon;
}

/* Adds copies of all polygons in a geometry. */
static void collect_polygons(const Work *work, const GEOSGeometry *geometry, GPtrArray *polygons) {
    if (GEOSGeomTypeId_r(work->geos, geometry) == GEOS_POLYGON) {
        GEOSGeometry *copy = GEOSisEmpty_r(work->geos, geometry) ? NULL : GEOSGeom_clone_r(work->geos, geometry);
        if (copy) g_ptr_array_add(polygons, copy);
        return;
    }
    if (GEOSGeomTypeId_r(work->geos, geometry) < GEOS_MULTIPOINT) return;
    for (int i = 0; i < GEOSGetNumGeometries_r(work->geos, geometry); i++)
        collect_polygons(work, GEOSGetGeometryN_r(work->geos, geometry, i), polygons);
}

static gboolean add_repaired(const Work *work, const RmilShape *shape, GPtrArray *parts, GError **error) {
    GEOSGeometry *polygon = make_polygon(work, shape);
    if (!polygon) return geos_fail(work, shape->name, error) != NULL;
    char valid = GEOSisValid_r(work->geos, polygon);
    if (valid == 1) {
        g_ptr_array_add(parts, polygon);
        return TRUE;
    }
    GEOSGeometry *repaired = valid == 0 ? GEOSMakeValid_r(work->geos, polygon) : NULL;
    GEOSGeom_destroy_r(work->geos, polygon);
    if (!repaired) return geos_fail(work, shape->name, error) != NULL;
    g_ptr_array_add(parts, repaired);
    return TRUE;
}

/* Union of the repaired shapes. If an outline runs back on itself, the repair leaves a line: it has no area, but padding grows it like the
 * rest. */
static GEOSGeometry *unite(const Work *work, const GPtrArray *shapes, GError **error) {
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    gboolean good = TRUE;
    for (guint i = 0; i < shapes->len && good; i++) good = add_repaired(work, shapes->pdata[i], parts, error);
    if (!good) {
        for (guint i = 0; i < parts->len; i++) GEOSGeom_destroy_r(work->geos, parts->pdata[i]);
        return NULL;
    }
    if (parts->len == 1) return parts->pdata[0];
    GEOSGeometry *all = GEOSGeom_createCollection_r(work->geos, GEOS_GEOMETRYCOLLECTION, (GEOSGeometry **)parts->pdata, parts->len);
    if (!all) return geos_fail(work, "collecting the annotations", error);
    GEOSGeometry *united = GEOSUnaryUnion_r(work->geos, all);
    GEOSGeom_destroy_r(work->geos, all);
    return united ? united : geos_fail(work, "uniting the annotations", error);
}

static gboolean add_ring(const Work *work, RmilRegion *region, const GEOSGeometry *ring, gboolean hole) {
    const GEOSCoordSequence *sequence = ring ? GEOSGeom_getCoordSeq_r(work->geos, ring) : NULL;
    unsigned int n;
    if (!sequence || !GEOSCoordSeq_getSize_r(work->geos, sequence, &n)) return FALSE;
    const guint first = region->points->len;
    g_array_set_size(region->points, first + n);
    if (!GEOSCoordSeq_copyToBuffer_r(work->geos, sequence, &g_array_index(region->points, RmilPoint, first).x, 0, 0)) return FALSE;
    rmil_region_add_ring(region, first, hole);
    return TRUE;
}

static RmilRegion *to_region(const Work *work, const GEOSGeometry *geometry, GError **error) {
    g_autoptr(RmilRegion) region = rmil_region_new();
    g_autoptr(GPtrArray) polygons = g_ptr_array_new();
    gboolean good = TRUE;
    collect_polygons(work, geometry, polygons);
    for (guint i = 0; i < polygons->len; i++) {
        const GEOSGeometry *polygon = polygons->pdata[i];
        good = good && add_ring(work, region, GEOSGetExteriorRing_r(work->geos, polygon), FALSE);
        for (int k = 0; good && k < GEOSGetNumInteriorRings_r(work->geos, polygon); k++)
            good = add_ring(work, region, GEOSGetInteriorRingN_r(work->geos, polygon, k), TRUE);
        GEOSGeom_destroy_r(work->geos, polygons->pdata[i]);
    }
    if (!good) {
        geos_fail(work, "reading the annotated region", error);
        return NULL;
    }
    rmil_region_index(region);
    return g_steal_pointer(&region);
}

/* Union of the lesions minus union of the exclusions. */
static GEOSGeometry *subtract(const Work *work, const GPtrArray *lesions, const GPtrArray *exclusions, GError **error) {
    GEOSGeometry *whole = unite(work, lesions, error);
    if (!whole || exclusions->len == 0) return whole;
    GEOSGeometry *cut = unite(work, exclusions, error), *rest = NULL;
    if (cut && !(rest = GEOSDifference_r(work->geos, whole, cut))) geos_fail(work, "cutting the exclusions out", error);
    if (cut) GEOSGeom_destroy_r(work->geos, cut);
    GEOSGeom_destroy_r(work->geos, whole);
    return rest;
}

static GEOSGeometry *buffer(const Work *work, const GEOSGeometry *geometry, double padding) {
    return GEOSBufferWithStyle_r(work->geos, geometry, padding, QUADRANT_SEGMENTS, GEOSBUF_CAP_ROUND, GEOSBUF_JOIN_ROUND, 5);
}

/* -- growing long outlines ------------------------------------------------------------------------------------------------ */
/* A single buffer of a long outline takes time with the square of its vertices within reach. So the outline is simplified, its notches are
 * filled, and it is grown piece by piece. The union of the pieces and the region is the grown region, with an error below OFF px (less for
 * small paddings), apart from that of GEOS's arcs. */
#define OFF 1.0

static double thinning(double padding) { return MIN(0.25 * OFF, padding / 1000); }

/* A notch may be bridged by a chord of this length: anything within the padding of the chord is within hypot(padding, chord / 2) of the
 * nearer of its ends, which are the outline's own, and that exceeds the padding by at most 3/4 OFF. */
static double longest_chord(double padding) { return sqrt(8 * padding * MIN(0.75 * OFF, padding / 500)); }

static double turn(const RmilPoint *a, const RmilPoint *b, const RmilPoint *c) {
    return (b->x - a->x) * (c->y - b->y) - (b->y - a->y) * (c->x - b->x);
}

/* Leaves out the vertices of a closed ring that lie in notches of the region; returns how many remain. A notch's outline is at most half as
 * long as the padding, so that its ends alone grow over all of it. */
static guint fill_notches(RmilPoint *p, guint n, gboolean hole, double padding) {
    const double chord = longest_chord(padding);
    g_autofree double *length = g_new0(double, n); /* length of the outline up to each kept vertex */
    double twice = 0, along = 0;
    for (guint i = 0; i + 1 < n; i++) twice += (p[i].x - p[0].x) * (p[i + 1].y - p[0].y) - (p[i + 1].x - p[0].x) * (p[i].y - p[0].y);
    const double inward = (twice > 0) == hole ? -1 : 1; /* sign of a turn towards the region */
    RmilPoint before = p[0];
    guint kept = 0;
    for (guint i = 0; i < n; i++) {
        const RmilPoint at = p[i];
        along += hypot(at.x - before.x, at.y - before.y);
        while (kept >= 2 && inward * turn(&p[kept - 2], &p[kept - 1], &at) <= 0 && along - length[kept - 2] <= padding / 2 &&
               hypot(at.x - p[kept - 2].x, at.y - p[kept - 2].y) <= chord)
            kept--;
        length[kept] = along;
        before = at;
        p[kept++] = at;
    }
    return kept;
}

/* Adds the grown pieces of a line, CHUNK vertices each. */
static gboolean grow_line(const Work *work, const RmilPoint *p, guint n, double padding, GPtrArray *parts) {
    const guint step = MIN(CHUNK, MAX(n / 2, 1)); /* never a closed ring: GEOS would grow its inside differently */
    for (guint first = 0; first + 1 < n; first += step) {
        GEOSCoordSequence *some = GEOSCoordSeq_copyFromBuffer_r(work->geos, &p[first].x, MIN(step + 1, n - first), 0, 0);
        GEOSGeometry *piece = some ? GEOSGeom_createLineString_r(work->geos, some) : NULL;
        GEOSGeometry *grown = piece ? buffer(work, piece, padding) : NULL;
        if (piece) GEOSGeom_destroy_r(work->geos, piece);
        if (!grown) return FALSE;
        g_ptr_array_add(parts, grown);
    }
    return TRUE;
}

typedef enum { LINE, OUTER, HOLE } LineKind;

static gboolean grow_curve(const Work *work, const GEOSGeometry *line, LineKind kind, double padding, GPtrArray *parts) {
    const GEOSCoordSequence *points = line ? GEOSGeom_getCoordSeq_r(work->geos, line) : NULL;
    unsigned int n;
    if (!points || !GEOSCoordSeq_getSize_r(work->geos, points, &n)) return FALSE;
    g_autofree RmilPoint *p = g_new(RmilPoint, (gsize)n + 1);
    if (!GEOSCoordSeq_copyToBuffer_r(work->geos, points, &p->x, 0, 0)) return FALSE;
    if (kind != LINE) n = fill_notches(p, n, kind == HOLE, padding);
    return grow_line(work, p, n, padding, parts);
}

static gboolean grow_parts(const Work *work, const GEOSGeometry *drawn, double padding, GPtrArray *parts) {
    const int type = GEOSGeomTypeId_r(work->geos, drawn);
    if (type == GEOS_LINESTRING || type == GEOS_LINEARRING) return grow_curve(work, drawn, LINE, padding, parts);
    if (type == GEOS_POLYGON) {
        gboolean good = GEOSisEmpty_r(work->geos, drawn) == 1 ||
                        grow_curve(work, GEOSGetExteriorRing_r(work->geos, drawn), OUTER, padding, parts);
        for (int i = 0; good && i < GEOSGetNumInteriorRings_r(work->geos, drawn); i++)
            good = grow_curve(work, GEOSGetInteriorRingN_r(work->geos, drawn, i), HOLE, padding, parts);
        return good;
    }
    for (int i = 0; i < GEOSGetNumGeometries_r(work->geos, drawn) && type >= GEOS_MULTIPOINT; i++)
        if (!grow_parts(work, GEOSGetGeometryN_r(work->geos, drawn, i), padding, parts)) return FALSE;
    return TRUE;
}

static GEOSGeometry *grow_large(const Work *work, const GEOSGeometry *drawn, double padding) {
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    GEOSGeometry *thinned = GEOSSimplify_r(work->geos, drawn, thinning(padding)), *grown = NULL;
    gboolean good = thinned && grow_parts(work, thinned, padding, parts);
    if (thinned) GEOSGeom_destroy_r(work->geos, thinned);
    GEOSGeometry *outline = GEOSGeom_createCollection_r(work->geos, GEOS_GEOMETRYCOLLECTION, (GEOSGeometry **)parts->pdata, parts->len);
    GEOSGeometry *band = outline && good ? GEOSUnaryUnion_r(work->geos, outline) : NULL;
    if (band) grown = GEOSUnion_r(work->geos, band, drawn);
    if (outline) GEOSGeom_destroy_r(work->geos, outline);
    if (band) GEOSGeom_destroy_r(work->geos, band);
    return grown;
}

/* GEOS smooths hollows shallower than 1 % of the padding, which shows in the shares of tiles if the padding is wide. For the same result as
 * with plain GEOS, this uses it as long as it is fast enough. */
static GEOSGeometry *grow(const Work *work, const GEOSGeometry *drawn, double padding, GError **error) {
    const int most = padding <= FAR_PADDING ? MANY_VERTICES : FAR_TOO_MANY;
    GEOSGeometry *grown = GEOSGetNumCoordinates_r(work->geos, drawn) > most ? grow_large(work, drawn, padding)
                                                                            : buffer(work, drawn, padding);
    return grown ? grown : geos_fail(work, "padding the annotations", error);
}

static RmilRegion *build(const Work *work, const GPtrArray *lesions, const GPtrArray *exclusions, const RmilAnnotationOptions *options,
                         GError **error) {
    GEOSGeometry *drawn = subtract(work, lesions, exclusions, error), *grown = NULL;
    g_autoptr(RmilRegion) region = drawn ? to_region(work, drawn, error) : NULL;
    if (region && !rmil_region_fits(region, work->outlines, options, error)) g_clear_pointer(&region, rmil_region_free);
    if (region && options->padding > 0) {
        g_clear_pointer(&region, rmil_region_free);
        grown = grow(work, drawn, options->padding, error);
        region = grown ? to_region(work, grown, error) : NULL;
    }
    if (grown) GEOSGeom_destroy_r(work->geos, grown);
    if (drawn) GEOSGeom_destroy_r(work->geos, drawn);
    return g_steal_pointer(&region);
}

RmilRegion *rmil_region_build(RmilOutlines *outlines, const GPtrArray *lesions, const GPtrArray *exclusions,
                              const RmilAnnotationOptions *options, GError **error) {
    if (rmil_outlines_tangled(lesions) || rmil_outlines_tangled(exclusions)) {
        rmil_fail(error, RMIL_ERROR_DATA,
                  "%s: the outlines cross themselves or each other too often to be repaired in reasonable time: redraw or simplify "
                  "them",
                  outlines->path);
        return NULL;
    }
    Work work = {GEOS_init_r(), outlines, NULL};
    GEOSContext_setErrorMessageHandler_r(work.geos, note, &work);
    RmilRegion *region = build(&work, lesions, exclusions, options, error);
    GEOS_finish_r(work.geos);
    g_free(work.message);
    return region;
}
