/* GeoJSON as QuPath writes it: a FeatureCollection (older QuPath: an array of features), each feature a Polygon or
 * MultiPolygon with holes, its class in properties.classification.name. Coordinates are level-0 pixels. */
#include "annotation-private.h"

#include <json-glib/json-glib.h>
#include <string.h>

enum { DEEPEST = 32 };
#define GEOJSON_BYTES ((gsize)128 << 20) /* json-glib needs about 25 times as much memory */

typedef struct {
    RmilOutlines *outlines;
    int64_t feature;   /* from 1 */
    const char *group; /* of the feature being read */
    char *name;
} Geojson;

static JsonNode *member(JsonNode *node, const char *name) {
    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_object_get_member(json_node_get_object(node), name) : NULL;
}

static const char *text(JsonNode *node) {
    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING ? json_node_get_string(node)
                                                                                                 : NULL;
}

static JsonArray *array(JsonNode *node) { return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL; }

static gboolean number(JsonArray *of, guint i, double *value) {
    JsonNode *node = json_array_get_element(of, i);
    if (!JSON_NODE_HOLDS_VALUE(node)) return FALSE;
    GType type = json_node_get_value_type(node);
    if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE) return FALSE;
    *value = json_node_get_double(node);
    return TRUE;
}

static gboolean fail(const Geojson *geojson, GError **error, const char *reason) {
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %s: %s", geojson->outlines->path, geojson->name, reason);
}

static gboolean read_ring(Geojson *geojson, RmilShape *shape, JsonArray *points, GError **error) {
    GArray *ring = rmil_shape_add_ring(shape);
    for (guint i = 0; points && i < json_array_get_length(points); i++) {
        JsonArray *point = array(json_array_get_element(points, i));
        double x, y;
        if (!point || json_array_get_length(point) < 2 || !number(point, 0, &x) || !number(point, 1, &y))
            return fail(geojson, error, "a coordinate is not a pair of numbers");
        if (!rmil_outlines_add_point(geojson->outlines, shape, ring, x, y, error)) return FALSE;
    }
    /* GeoJSON repeats the first point as the last: three corners are four points */
    if (ring->len > 1 && memcmp(ring->data, ring->data + (ring->len - 1) * sizeof(RmilPoint), sizeof(RmilPoint)) == 0)
        g_array_set_size(ring, ring->len - 1);
    return points != NULL || fail(geojson, error, "a ring is not an array of coordinates");
}

static gboolean read_polygon(Geojson *geojson, JsonArray *rings, GError **error) {
    if (!rings || json_array_get_length(rings) == 0) return fail(geojson, error, "a polygon has no outer ring");
    RmilShape *shape = rmil_outlines_add_shape(geojson->outlines, geojson->name, geojson->group, error);
    for (guint i = 0; shape && i < json_array_get_length(rings); i++)
        if (!read_ring(geojson, shape, array(json_array_get_element(rings, i)), error)) return FALSE;
    return shape != NULL;
}

static gboolean read_geometry(Geojson *geojson, JsonNode *geometry, int depth, GError **error) {
    static const char *const without_area[] = {"Point", "MultiPoint", "LineString", "MultiLineString", NULL};
    const char *type = text(member(geometry, "type"));
    if (!type) return fail(geojson, error, "a geometry has no type");
    if (g_strv_contains(without_area, type)) return TRUE;
    if (strcmp(type, "Polygon") == 0) return read_polygon(geojson, array(member(geometry, "coordinates")), error);
    gboolean multi = strcmp(type, "MultiPolygon") == 0, collection = strcmp(type, "GeometryCollection") == 0;
    if (!multi && !collection) {
        g_autofree char *reason = g_strdup_printf("geometry \"%.60s\" is not one of GeoJSON's", type);
        return fail(geojson, error, reason);
    }
    JsonArray *parts = array(member(geometry, multi ? "coordinates" : "geometries"));
    if (!parts || depth > DEEPEST) return fail(geojson, error, "a geometry of several parts has none");
    for (guint i = 0; i < json_array_get_length(parts); i++) {
        JsonNode *part = json_array_get_element(parts, i);
        if (!(multi ? read_polygon(geojson, array(part), error) : read_geometry(geojson, part, depth + 1, error))) return FALSE;
    }
    return TRUE;
}

/* QuPath derives classes: "Tumor: Positive" is part of "Tumor". */
static void add_class(RmilOutlines *outlines, const char *name) {
    g_autofree char *child = g_strdup(name);
    for (char *colon; (colon = g_strrstr(child, ": ")) && g_hash_table_size(outlines->parents) < RMIL_ANNOTATION_SHAPES;) {
        g_autofree char *parent = g_strndup(child, (gsize)(colon - child));
        g_hash_table_replace(outlines->parents, g_strdup(child), g_strdup(parent));
        *colon = '\0';
    }
}

static gboolean read_feature(Geojson *geojson, JsonNode *feature, GError **error) {
    JsonNode *properties = member(feature, "properties"), *geometry = member(feature, "geometry");
    const char *kind = text(member(properties, "objectType")), *own = text(member(properties, "name"));
    geojson->feature++;
    g_free(geojson->name);
    geojson->name = own ? g_strdup_printf("feature %" G_GINT64_FORMAT " (\"%.100s\")", geojson->feature, own)
                        : g_strdup_printf("feature %" G_GINT64_FORMAT, geojson->feature);
    if (g_strcmp0(text(member(feature, "type")), "Feature") != 0) return fail(geojson, error, "is not a GeoJSON Feature");
    if (kind && strcmp(kind, "annotation") != 0) return TRUE; /* detections, cells, tiles, TMA cores */
    if (!geometry || JSON_NODE_HOLDS_NULL(geometry)) return TRUE;
    JsonNode *class = member(properties, "classification");
    geojson->group = text(class) ? text(class) : text(member(class, "name"));
    if (geojson->group && *geojson->group == '\0') geojson->group = NULL;
    if (geojson->group) add_class(geojson->outlines, geojson->group);
    return read_geometry(geojson, geometry, 0, error);
}

static gboolean read_features(Geojson *geojson, JsonNode *root, GError **error) {
    const char *path = geojson->outlines->path, *type = text(member(root, "type"));
    JsonArray *features = array(root);
    if (g_strcmp0(type, "Feature") == 0) return read_feature(geojson, root, error);
    if (g_strcmp0(type, "FeatureCollection") == 0) features = array(member(root, "features"));
    if (!features)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is JSON, but not a GeoJSON FeatureCollection as QuPath exports it", path);
    for (guint i = 0; i < json_array_get_length(features); i++)
        if (!read_feature(geojson, json_array_get_element(features, i), error)) return FALSE;
    return TRUE;
}

/* json-glib calls itself for every level of nesting. */
static gboolean too_deep(const char *json, gsize size) {
    int depth = 0;
    gboolean quoted = FALSE;
    for (gsize i = 0; i < size; i++) {
        char c = json[i];
        if (quoted) {
            if (c == '\\') i++;
            else quoted = c != '"';
        } else if (c == '"') {
            quoted = TRUE;
        } else if (c == '[' || c == '{') {
            if (++depth > DEEPEST) return TRUE;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return FALSE;
}

static gboolean geojson_read(RmilOutlines *outlines, const RmilAnnotationOptions *options, GError **error) {
    gsize size;
    g_autofree char *file = rmil_file_read(outlines->path, GEOJSON_BYTES, &size, error);
    if (!file) return FALSE;
    const char *json = g_str_has_prefix(file, "\xef\xbb\xbf") ? file + 3 : file;
    size -= (gsize)(json - file);
    if (!g_utf8_validate_len(json, size, NULL))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not UTF-8 text", outlines->path);
    if (too_deep(json, size))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is nested more than %d deep", outlines->path, DEEPEST);
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) reason = NULL;
    if (!json_parser_load_from_data(parser, json, (gssize)size, &reason))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not well-formed JSON: %s", outlines->path, reason->message);
    Geojson geojson = {.outlines = outlines};
    gboolean good = read_features(&geojson, json_parser_get_root(parser), error);
    g_free(geojson.name);
    return good;
}

static gboolean geojson_matches(const char *head, gsize size) {
    if (g_str_has_prefix(head, "\xef\xbb\xbf")) head += 3;
    while (g_ascii_isspace(*head)) head++;
    return *head == '{' || *head == '[';
}

const RmilAnnotationFormat rmil_annotation_geojson = {"QuPath GeoJSON", geojson_matches, geojson_read};
