/* SPDX-License-Identifier: Apache-2.0 */
/* Adds to an outline or takes from it: strokes of a round brush and other outlines, using GEOS. */
#include "serve-private.h"

#include <geos_c.h>
#include <math.h>
#include <string.h>

enum { STROKE_POINTS = 20000, SEGMENTS = 8 };

typedef struct {
    GEOSContextHandle_t geos;
    GEOSGeoJSONReader *reader;
    GEOSGeoJSONWriter *writer;
    char message[256];
} Brush;

static void complain(const char *message, void *user) { g_strlcpy(((Brush *)user)->message, message, sizeof((Brush *)user)->message); }

static void *fail(const Brush *brush, const char *what, GError **error) {
    rmil_fail(error, RMIL_ERROR_FORMAT, "%s%s%s", what, *brush->message ? ": " : "", brush->message);
    return NULL;
}

/* Makes any drawing valid. */
static GEOSGeometry *repair(const Brush *brush, GEOSGeometry *geometry) {
    if (!geometry || GEOSisValid_r(brush->geos, geometry) == 1) return geometry;
    GEOSGeometry *valid = GEOSMakeValid_r(brush->geos, geometry);
    GEOSGeom_destroy_r(brush->geos, geometry);
    return valid;
}

/* Nested arrays of positions, `depth` levels deep, none empty: GEOS's reader crashes on a position without numbers. */
static gboolean is_outline(JsonNode *node, int depth) {
    JsonArray *array = rmil_json_array(node);
    const guint n = array ? json_array_get_length(array) : 0;
    double number;
    gboolean good = n >= (depth ? 1 : 2);
    for (guint i = 0; good && i < n; i++) {
        JsonNode *each = json_array_get_element(array, i);
        good = depth ? is_outline(each, depth - 1) : rmil_json_number(each, &number) && fabs(number) <= 1e7;
    }
    return good;
}

static GEOSGeometry *read_shape(const Brush *brush, JsonNode *node, GError **error) {
    const char *type = rmil_json_text(node, "type");
    if (g_strcmp0(type, "Polygon") != 0 && g_strcmp0(type, "MultiPolygon") != 0)
        return fail(brush, "an outline is a Polygon or a MultiPolygon", error);
    if (!is_outline(rmil_json_get(node, "coordinates"), *type == 'M' ? 3 : 2))
        return fail(brush, "an outline has rings of points, each a pair of numbers", error);
    g_autofree char *text = json_to_string(node, FALSE);
    GEOSGeometry *shape = repair(brush, GEOSGeoJSONReader_readGeometry_r(brush->geos, brush->reader, text));
    return shape ? shape : fail(brush, "an outline cannot be read", error);
}

static GEOSGeometry *read_stroke(const Brush *brush, JsonNode *stroke, GError **error) {
    JsonArray *points = rmil_json_array(rmil_json_get(stroke, "points"));
    const guint n = points ? json_array_get_length(points) : 0;
    double radius;
    if (n < 1 || n > STROKE_POINTS || !rmil_json_number(rmil_json_get(stroke, "radius"), &radius) || !(radius > 0 && radius <= 1e6))
        return fail(brush, "a stroke has 1 to 20000 points and a radius above 0", error);
    GEOSCoordSequence *line = GEOSCoordSeq_create_r(brush->geos, MAX(n, 2), 2);
    for (guint i = 0; i < MAX(n, 2); i++) {
        JsonArray *point = rmil_json_array(json_array_get_element(points, MIN(i, n - 1)));
        double x = NAN, y = NAN;
        if (!point || json_array_get_length(point) < 2 || !rmil_json_number(json_array_get_element(point, 0), &x) ||
            !rmil_json_number(json_array_get_element(point, 1), &y) || !(fabs(x) <= 1e7 && fabs(y) <= 1e7)) {
            GEOSCoordSeq_destroy_r(brush->geos, line);
            return fail(brush, "a point of a stroke is not a pair of numbers", error);
        }
        GEOSCoordSeq_setXY_r(brush->geos, line, i, x + (n == 1 && i ? 1e-3 : 0), y);
    }
    GEOSGeometry *path = GEOSGeom_createLineString_r(brush->geos, line);
    GEOSGeometry *area = path ? GEOSBuffer_r(brush->geos, path, radius, SEGMENTS) : NULL;
    if (path) GEOSGeom_destroy_r(brush->geos, path);
    return area ? area : fail(brush, "a stroke has no area", error);
}

/* Only polygons, with a deviation of at most a tenth of a pixel and no more corners than that needs. */
static GEOSGeometry *tidy(const Brush *brush, GEOSGeometry *geometry) {
    GEOSGeometry *simple = geometry ? GEOSTopologyPreserveSimplify_r(brush->geos, geometry, 0.1) : NULL;
    if (!simple) return geometry;
    GEOSGeom_destroy_r(brush->geos, geometry);
    return simple;
}

static JsonNode *combine(const Brush *brush, JsonNode *request, GError **error) {
    JsonNode *shape = rmil_json_get(request, "shape"), *with = rmil_json_get(request, "with"), *stroke = rmil_json_get(request, "stroke"),
             *add = rmil_json_get(request, "add");
    const gboolean adds = add && JSON_NODE_HOLDS_VALUE(add) && json_node_get_boolean(add);
    GEOSGeometry *own = shape && !JSON_NODE_HOLDS_NULL(shape) ? read_shape(brush, shape, error)
                                                              : GEOSGeom_createEmptyPolygon_r(brush->geos);
    GEOSGeometry *other = !own ? NULL : with ? read_shape(brush, with, error) : read_stroke(brush, stroke, error);
    GEOSGeometry *made = !other ? NULL : adds ? GEOSUnion_r(brush->geos, own, other) : GEOSDifference_r(brush->geos, own, other);
    if (other && !made) fail(brush, "the outlines cannot be combined", error);
    if (own) GEOSGeom_destroy_r(brush->geos, own);
    if (other) GEOSGeom_destroy_r(brush->geos, other);
    if (!made) return NULL;
    made = tidy(brush, made);
    JsonNode *result = NULL;
    if (GEOSisEmpty_r(brush->geos, made) == 1) {
        result = json_node_new(JSON_NODE_NULL);
    } else {
        char *text = GEOSGeoJSONWriter_writeGeometry_r(brush->geos, brush->writer, made, -1);
        result = text ? rmil_json_parse(text, strlen(text), "outline", error) : fail(brush, "the outline cannot be written", error);
        if (text) GEOSFree_r(brush->geos, text);
    }
    GEOSGeom_destroy_r(brush->geos, made);
    return result;
}

JsonNode *rmil_brush(JsonNode *request, GError **error) {
    Brush brush = {.geos = GEOS_init_r()};
    if (!brush.geos) return fail(&brush, "GEOS cannot be started", error);
    GEOSContext_setErrorMessageHandler_r(brush.geos, complain, &brush);
    brush.reader = GEOSGeoJSONReader_create_r(brush.geos);
    brush.writer = GEOSGeoJSONWriter_create_r(brush.geos);
    JsonNode *result = combine(&brush, request, error);
    GEOSGeoJSONReader_destroy_r(brush.geos, brush.reader);
    GEOSGeoJSONWriter_destroy_r(brush.geos, brush.writer);
    GEOS_finish_r(brush.geos);
    return result;
}
