/* SPDX-License-Identifier: Apache-2.0 */
/* GeoJSON as written by QuPath 0.1 to 0.6: a FeatureCollection (older QuPath: an array of features), each feature a Polygon or MultiPolygon
 * with holes, its class in properties.classification. Coordinates are level-0 pixels from the corner of what QuPath shows. A file with all
 * objects may have a million cells beside a few annotations, so features are examined one by one, and only annotations are read. */
#include "annotation-private.h"
#include "base/json.h"

#include <string.h>

enum { DEEPEST = 32 };
#define FEATURE_BYTES ((gsize)128 << 20) /* json-glib needs about 25 times as much memory */

typedef struct {
    RmilOutlines *outlines;
    RmilJsonPiece file;
    int64_t feature;           /* from 1 */
    char *name, *group, *hint; /* of the feature being read */
} Geojson;

static gboolean fail(const Geojson *geojson, GError **error, const char *reason) {
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %s: %s", geojson->outlines->path, geojson->name, reason);
}

/* -- geometry --------------------------------------------------------------------------------------------------------------- */
static gboolean read_point(JsonArray *points, guint i, double *x, double *y) {
    JsonArray *point = rmil_json_array(json_array_get_element(points, i));
    return point && json_array_get_length(point) >= 2 && rmil_json_number(json_array_get_element(point, 0), x) &&
           rmil_json_number(json_array_get_element(point, 1), y);
}

static gboolean read_ring(Geojson *geojson, RmilShape *shape, JsonArray *points, GError **error) {
    GArray *ring = rmil_shape_add_ring(shape);
    for (guint i = 0; points && i < json_array_get_length(points); i++) {
        double x, y;
        if (!read_point(points, i, &x, &y)) return fail(geojson, error, "a coordinate is not a pair of numbers");
        if (!rmil_outlines_add_point(geojson->outlines, shape, ring, x, y, error)) return FALSE;
    }
    /* GeoJSON repeats the first point as the last: three corners are four points */
    if (ring->len > 1 && memcmp(ring->data, ring->data + (ring->len - 1) * sizeof(RmilPoint), sizeof(RmilPoint)) == 0)
        g_array_set_size(ring, ring->len - 1);
    return points != NULL || fail(geojson, error, "a ring is not an array of coordinates");
}

static RmilShape *add_shape(Geojson *geojson, GError **error) {
    RmilShape *shape = rmil_outlines_add_shape(geojson->outlines, geojson->name, geojson->group, error);
    if (shape) shape->hint = g_strdup(geojson->hint);
    return shape;
}

static gboolean read_polygon(Geojson *geojson, JsonArray *rings, GError **error) {
    if (!rings) return fail(geojson, error, "a polygon has no rings");
    RmilShape *shape = add_shape(geojson, error);
    for (guint i = 0; shape && i < json_array_get_length(rings); i++)
        if (!read_ring(geojson, shape, rmil_json_array(json_array_get_element(rings, i)), error)) return FALSE;
    return shape != NULL;
}

/* A line whose last point equals its first is an outline drawn with the wrong tool. */
static gboolean read_line(Geojson *geojson, JsonArray *points, GError **error) {
    const guint n = points ? json_array_get_length(points) : 0;
    double x0, y0, x1, y1;
    if (n <= 3 || !read_point(points, 0, &x0, &y0) || !read_point(points, n - 1, &x1, &y1) || x0 != x1 || y0 != y1) {
        rmil_outlines_note_kind(geojson->outlines, RMIL_NOTE_NO_AREA, "line", geojson->group);
        return TRUE;
    }
    RmilShape *shape = add_shape(geojson, error);
    rmil_outlines_note(geojson->outlines, RMIL_NOTE_CLOSED, geojson->name);
    return shape && read_ring(geojson, shape, points, error);
}

/* Something with several parts, each read on its own: lines, polygons, or geometries. */
typedef gboolean (*ReadPart)(Geojson *geojson, JsonArray *part, GError **error);

static gboolean read_parts(Geojson *geojson, JsonArray *parts, ReadPart read, GError **error) {
    if (!parts) return fail(geojson, error, "a geometry of several parts is empty");
    for (guint i = 0; i < json_array_get_length(parts); i++)
        if (!read(geojson, rmil_json_array(json_array_get_element(parts, i)), error)) return FALSE;
    return TRUE;
}

static gboolean read_geometry(Geojson *geojson, JsonNode *geometry, int depth, GError **error) {
    const char *type = rmil_json_text(geometry, "type");
    JsonArray *coordinates = rmil_json_array(rmil_json_get(geometry, "coordinates")),
              *parts = rmil_json_array(rmil_json_get(geometry, "geometries"));
    if (!type) return fail(geojson, error, "a geometry has no type");
    if (strcmp(type, "Polygon") == 0) return read_polygon(geojson, coordinates, error);
    if (strcmp(type, "MultiPolygon") == 0) return read_parts(geojson, coordinates, read_polygon, error);
    if (strcmp(type, "LineString") == 0) return read_line(geojson, coordinates, error);
    if (strcmp(type, "MultiLineString") == 0) return read_parts(geojson, coordinates, read_line, error);
    if (strcmp(type, "Point") == 0 || strcmp(type, "MultiPoint") == 0) {
        rmil_outlines_note_kind(geojson->outlines, RMIL_NOTE_NO_AREA, "point", geojson->group);
        return TRUE;
    }
    if (strcmp(type, "GeometryCollection") != 0) {
        g_autofree char *reason = g_strdup_printf("geometry \"%.60s\" is not one of GeoJSON's", type);
        return fail(geojson, error, reason);
    }
    if (!parts || depth > DEEPEST) return fail(geojson, error, "a geometry of several parts is empty");
    for (guint i = 0; i < json_array_get_length(parts); i++)
        if (!read_geometry(geojson, json_array_get_element(parts, i), depth + 1, error)) return FALSE;
    return TRUE;
}

/* -- classes ---------------------------------------------------------------------------------------------------------------- */
/* QuPath derives classes: "Tumor: Positive" is part of "Tumor". It writes such a class as one name, as names = ["Tumor", "Positive"] (since
 * 0.4), or as the name "Positive" with its own parentClass (0.1). Free with g_free. */
static char *class_name(JsonNode *class, int depth) {
    JsonArray *names = rmil_json_array(rmil_json_get(class, "names"));
    if (!names) names = rmil_json_array(class);
    if (names) {
        g_autoptr(GString) whole = g_string_new(NULL);
        for (guint i = 0; i < json_array_get_length(names); i++) {
            const char *name = rmil_json_string(json_array_get_element(names, i));
            if (name && *name) g_string_append_printf(whole, "%s%s", whole->len ? ": " : "", name);
        }
        return g_strdup(whole->str);
    }
    const char *name = rmil_json_string(class) ? rmil_json_string(class) : rmil_json_text(class, "name");
    g_autofree char *parent = name && depth < DEEPEST ? class_name(rmil_json_get(class, "parentClass"), depth + 1) : NULL;
    g_autofree char *derived = parent && *parent ? g_strconcat(parent, ": ", NULL) : NULL;
    return derived && !g_str_has_prefix(name, derived) ? g_strconcat(derived, name, NULL) : g_strdup(name);
}

/* Takes ownership of the name; NULL for an empty one. */
static char *add_class(RmilOutlines *outlines, char *name) {
    if (name && *g_strstrip(name) == '\0') g_clear_pointer(&name, g_free);
    g_autofree char *child = g_strdup(name);
    for (char *colon; child && (colon = g_strrstr(child, ": "));) {
        g_autofree char *parent = g_strndup(child, (gsize)(colon - child));
        rmil_outlines_add_parent(outlines, child, parent);
        *colon = '\0';
    }
    return name;
}

/* Where other programs put what QuPath calls classification. */
static char *find_hint(RmilOutlines *outlines, JsonNode *properties) {
    static const char *const members[] = {"class", "class_name", "label", "type", "category", "group"};
    for (gsize i = 0; i < G_N_ELEMENTS(members); i++) {
        char *hint = add_class(outlines, class_name(rmil_json_get(properties, members[i]), 0));
        if (!hint || strcmp(hint, "annotation") == 0) { /* what QuPath calls its type */
            g_free(hint);
            continue;
        }
        if (!outlines->hint_member) outlines->hint_member = members[i];
        if (outlines->hint_member == members[i]) return hint;
        g_free(hint);
    }
    return NULL;
}

/* -- features --------------------------------------------------------------------------------------------------------------- */
static gboolean read_annotation(Geojson *geojson, JsonNode *feature, GError **error) {
    JsonNode *properties = rmil_json_get(feature, "properties"), *geometry = rmil_json_get(feature, "geometry");
    const char *own = rmil_json_text(properties, "name");
    if (own) {
        g_free(geojson->name);
        geojson->name = g_strdup_printf("feature %" G_GINT64_FORMAT " (\"%.100s\")", geojson->feature, own);
    }
    if (g_strcmp0(rmil_json_text(feature, "type"), "Feature") != 0) return fail(geojson, error, "is not a GeoJSON Feature");
    if (!geometry || JSON_NODE_HOLDS_NULL(geometry)) return TRUE;
    geojson->group = add_class(geojson->outlines, class_name(rmil_json_get(properties, "classification"), 0));
    geojson->hint = geojson->group ? NULL : find_hint(geojson->outlines, properties);
    if (rmil_json_get(properties, "tissue_id")) geojson->outlines->from_level0 = TRUE; /* written by TRIDENT */
    const guint first = geojson->outlines->shapes->len;
    gboolean good = read_geometry(geojson, geometry, 0, error);
    for (guint i = first; i < geojson->outlines->shapes->len; i++)
        ((RmilShape *)geojson->outlines->shapes->pdata[i])->title = g_strdup(own);
    g_clear_pointer(&geojson->group, g_free);
    g_clear_pointer(&geojson->hint, g_free);
    return good;
}

/* The kind of a feature that is not an annotation: QuPath states it in objectType (0.4 and later), object_type (0.3) or the id (0.2). */
static const char *other_object(RmilJsonPiece id, RmilJsonPiece properties) {
    static const char *const members[] = {"objectType", "object_type", "type"};
    static const struct {
        const char *names[3], *what;
    } kinds[] = {{{"\"detection\"", "\"PathDetectionObject\""}, "detection"},
                 {{"\"cell\"", "\"PathCellObject\""}, "cell"},
                 {{"\"tile\"", "\"PathTileObject\""}, "tile"},
                 {{"\"tmaCore\"", "\"tma_core\"", "\"TMACoreObject\""}, "TMA core"},
                 {{"\"root\"", "\"PathRootObject\""}, "whole image"}};
    RmilJsonPiece kind = id, found;
    for (gsize i = 0; i < G_N_ELEMENTS(members); i++)
        if (rmil_json_find(properties, members[i], &found)) {
            kind = found;
            break;
        }
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        for (gsize k = 0; k < 3 && kinds[i].names[k]; k++)
            if (rmil_json_piece_is(kind, kinds[i].names[k])) return kinds[i].what;
    return NULL;
}

/* json-glib's messages say best what is wrong, and where. */
static gboolean broken(const Geojson *geojson, GError **error) {
    if (geojson->file.size <= FEATURE_BYTES) {
        g_autoptr(JsonNode) root = rmil_json_parse(geojson->file.text, geojson->file.size, geojson->outlines->path, error);
        if (!root) return FALSE;
    }
    return rmil_fail(error, RMIL_ERROR_FORMAT,
                     "%s: is not well-formed JSON: feature %" G_GINT64_FORMAT " or what follows it is broken or cut off",
                     geojson->outlines->path, geojson->feature);
}

static gboolean read_features(Geojson *geojson, RmilJsonPiece list, int depth, GError **error);

static gboolean read_feature(Geojson *geojson, RmilJsonPiece feature, int depth, GError **error) {
    RmilJsonPiece name, value, id = {0}, properties = {0}, children[2] = {{0}, {0}};
    RmilJsonWalk walk;
    geojson->feature++;
    g_free(geojson->name);
    geojson->name = g_strdup_printf("feature %" G_GINT64_FORMAT, geojson->feature);
    if (depth > DEEPEST) return fail(geojson, error, "is nested too deeply");
    if (!rmil_json_walk_begin(&walk, feature) || !walk.object) return fail(geojson, error, "is not a GeoJSON Feature");
    while (rmil_json_walk_next(&walk, &name, &value)) {
        if (rmil_json_piece_is(name, "id")) id = value;
        if (rmil_json_piece_is(name, "properties")) properties = value;
        if (rmil_json_piece_is(name, "children")) children[0] = value;
        if (rmil_json_piece_is(name, "childObjects")) children[1] = value;
    }
    if (walk.broken) return broken(geojson, error);
    const char *other = other_object(id, properties);
    if (other) {
        rmil_outlines_note(geojson->outlines, RMIL_NOTE_OBJECT, other);
    } else {
        g_autofree char *where = g_strdup_printf("%s: %s", geojson->outlines->path, geojson->name);
        if (feature.size > FEATURE_BYTES) return fail(geojson, error, "is larger than 128 MiB");
        g_autoptr(JsonNode) node = rmil_json_parse(feature.text, feature.size, where, error);
        if (!node || !read_annotation(geojson, node, error)) return FALSE;
    }
    for (int i = 0; i < 2; i++)
        if (children[i].size && *children[i].text == '[' && !read_features(geojson, children[i], depth + 1, error)) return FALSE;
    return TRUE;
}

static gboolean read_features(Geojson *geojson, RmilJsonPiece list, int depth, GError **error) {
    RmilJsonWalk walk;
    RmilJsonPiece none, feature;
    rmil_json_walk_begin(&walk, list);
    while (rmil_json_walk_next(&walk, &none, &feature))
        if (!read_feature(geojson, feature, depth, error)) return FALSE;
    return rmil_json_walk_ended(&walk) || broken(geojson, error);
}

static gboolean read_root(Geojson *geojson, GError **error) {
    RmilJsonWalk walk;
    RmilJsonPiece name, value, type = {0}, features = {0};
    const char *path = geojson->outlines->path;
    if (!rmil_json_walk_begin(&walk, geojson->file)) return broken(geojson, error);
    if (!walk.object) return read_features(geojson, geojson->file, 0, error);
    while (rmil_json_walk_next(&walk, &name, &value)) {
        if (rmil_json_piece_is(name, "type")) type = value;
        if (rmil_json_piece_is(name, "features")) features = value;
    }
    if (!rmil_json_walk_ended(&walk)) return broken(geojson, error);
    if (rmil_json_piece_is(type, "\"Feature\"")) return read_feature(geojson, geojson->file, 0, error);
    if (rmil_json_piece_is(type, "\"FeatureCollection\"") && features.size && *features.text == '[')
        return read_features(geojson, features, 0, error);
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is JSON, but not a GeoJSON FeatureCollection as QuPath exports it", path);
}

static gboolean geojson_read(RmilOutlines *outlines, const RmilAnnotationOptions *options, GError **error) {
    GError *reason = NULL;
    gsize size;
    g_autofree char *file = rmil_file_read(outlines->path, RMIL_ANNOTATION_BYTES, &size, &reason);
    if (!file) {
        gboolean large = g_error_matches(reason, RMIL_ERROR, RMIL_ERROR_FORMAT);
        rmil_fail(error, (RmilErrorCode)reason->code, "%s%s", reason->message,
                  large ? ": in QuPath, export annotations only, without cells and detections" : "");
        g_error_free(reason);
        return FALSE;
    }
    const char *json = g_str_has_prefix(file, "\xef\xbb\xbf") ? file + 3 : file;
    size -= (gsize)(json - file);
    if (!g_utf8_validate_len(json, size, NULL)) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not UTF-8 text", outlines->path);
    Geojson geojson = {.outlines = outlines, .file = {json, size}};
    gboolean good = read_root(&geojson, error);
    g_free(geojson.name);
    if (good) rmil_outlines_place(outlines, options);
    return good;
}

static gboolean geojson_matches(const char *head, gsize size) {
    if (g_str_has_prefix(head, "\xef\xbb\xbf")) head += 3;
    while (g_ascii_isspace(*head)) head++;
    return *head == '{' || *head == '[';
}

const RmilAnnotationFormat rmil_annotation_geojson = {"QuPath GeoJSON", geojson_matches, geojson_read, TRUE};
