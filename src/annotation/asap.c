/* SPDX-License-Identifier: Apache-2.0 */
/* ASAP's XML (computationalpathologygroup/ASAP): ASAP_Annotations / Annotations / Annotation (Name, Type, PartOfGroup) / Coordinates /
 * Coordinate (Order, X, Y), and AnnotationGroups / Group (Name, PartOfGroup). Read as a stream: no document types, no entities, no network,
 * bounded counts. */
#include "annotation-private.h"
#include "base/xml.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 32 };

typedef struct {
    RmilOutlines *outlines;
    xmlTextReader *reader;
    RmilShape *shape; /* the annotation being read; NULL: none, or one without area */
    GArray *points;   /* of Vertex */
    gboolean in_order, spline, rectangle;
    gboolean root, annotations; /* elements seen so far */
    char *problem;              /* libxml2's first message */
} Asap;

typedef struct {
    RmilPoint point;
    int64_t order;
} Vertex;

static void note(void *user, const xmlError *what) {
    Asap *asap = user;
    if (!asap->problem && what && what->level >= XML_ERR_ERROR)
        asap->problem = g_strdup_printf("line %d: %s", what->line, what->message ? g_strchomp(what->message) : "is broken");
}

static gboolean fail_at(const Asap *asap, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
static gboolean fail_at(const Asap *asap, GError **error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %d: %s", asap->outlines->path, xmlTextReaderGetParserLineNumber(asap->reader),
                     reason);
}

static char *attribute(const Asap *asap, const char *name) {
    xmlChar *value = xmlTextReaderGetAttribute(asap->reader, (const xmlChar *)name);
    char *copy = value ? g_strndup((const char *)value, 1000) : NULL;
    xmlFree(value);
    if (copy && !g_utf8_validate(copy, -1, NULL)) { /* truncated inside a character */
        char *valid = g_utf8_make_valid(copy, -1);
        g_free(copy);
        return valid;
    }
    return copy;
}

/* "None" is ASAP's name for no group. */
static char *group_attribute(const Asap *asap) {
    char *group = attribute(asap, "PartOfGroup");
    if (group && strcmp(g_strstrip(group), "None") == 0) g_clear_pointer(&group, g_free);
    return group;
}

static gboolean start_annotation(Asap *asap, GError **error) {
    g_autofree char *name = attribute(asap, "Name"), *type = attribute(asap, "Type"), *group = group_attribute(asap);
    static const char *const areas[] = {"Polygon", "Spline", "Rectangle", NULL};
    static const char *const others[] = {"Dot", "PointSet", "Measurement", "None", NULL};
    asap->shape = NULL;
    g_array_set_size(asap->points, 0);
    asap->in_order = TRUE;
    if (!type || !(g_strv_contains(areas, type) || g_strv_contains(others, type)))
        return fail_at(asap, error, "annotation \"%s\" has the type \"%s\", which ASAP does not know", name ? name : "", type ? type : "");
    if (g_strv_contains(others, type)) {
        rmil_outlines_note_kind(asap->outlines, RMIL_NOTE_NO_AREA, type, group);
        return TRUE;
    }
    asap->spline = strcmp(type, "Spline") == 0;
    asap->rectangle = strcmp(type, "Rectangle") == 0;
    g_autofree char *label = g_strdup_printf("annotation \"%s\"", name ? name : "");
    asap->shape = rmil_outlines_add_shape(asap->outlines, label, group, error);
    if (asap->shape) asap->shape->title = g_steal_pointer(&name);
    return asap->shape != NULL;
}

static gboolean parse_number(const char *text, double *value) {
    char *end;
    *value = g_ascii_strtod(text, &end);
    while (g_ascii_isspace(*end)) end++;
    return end != text && *end == '\0' && isfinite(*value);
}

static gboolean add_coordinate(Asap *asap, GError **error) {
    if (!asap->shape) return TRUE;
    Vertex vertex = {.order = asap->points->len};
    gboolean has_x = FALSE, has_y = FALSE;
    while (xmlTextReaderMoveToNextAttribute(asap->reader) == 1) {
        const char *name = (const char *)xmlTextReaderConstName(asap->reader);
        const char *text = (const char *)xmlTextReaderConstValue(asap->reader);
        double number;
        gboolean x = strcmp(name, "X") == 0, y = strcmp(name, "Y") == 0, order = strcmp(name, "Order") == 0;
        if (!x && !y && !order) continue;
        if (!text || !parse_number(text, &number) || (order && !(fabs(number) <= RMIL_ANNOTATION_VERTICES)))
            return fail_at(asap, error, "%s: %s=\"%.40s\" is not a number", asap->shape->name, name, text ? text : "");
        if (x) vertex.point.x = number, has_x = TRUE;
        else if (y) vertex.point.y = number, has_y = TRUE;
        else vertex.order = (int64_t)number;
    }
    if (!has_x || !has_y) return fail_at(asap, error, "%s: a coordinate has no X or no Y", asap->shape->name);
    if (asap->points->len >= RMIL_ANNOTATION_VERTICES) return fail_at(asap, error, "more than %d vertices", RMIL_ANNOTATION_VERTICES);
    if (asap->points->len && vertex.order < g_array_index(asap->points, Vertex, asap->points->len - 1).order) asap->in_order = FALSE;
    g_array_append_val(asap->points, vertex);
    return TRUE;
}

static int compare_vertices(const void *a, const void *b) {
    int64_t x = ((const Vertex *)a)->order, y = ((const Vertex *)b)->order;
    return (x > y) - (x < y);
}

/* A rectangle may be given by two opposite corners. */
static void complete_rectangle(GArray *ring) {
    if (ring->len != 2) return;
    RmilPoint a = g_array_index(ring, RmilPoint, 0), b = g_array_index(ring, RmilPoint, 1);
    const RmilPoint corners[] = {a, {b.x, a.y}, b, {a.x, b.y}};
    g_array_set_size(ring, 0);
    g_array_append_vals(ring, corners, 4);
}

static gboolean end_annotation(Asap *asap, GError **error) {
    RmilShape *shape = g_steal_pointer(&asap->shape);
    if (!shape) return TRUE;
    if (!asap->in_order) qsort(asap->points->data, asap->points->len, sizeof(Vertex), compare_vertices);
    GArray *ring = rmil_shape_add_ring(shape);
    for (guint i = 0; i < asap->points->len; i++) {
        RmilPoint point = g_array_index(asap->points, Vertex, i).point;
        if (!rmil_outlines_add_point(asap->outlines, shape, ring, point.x, point.y, error)) return FALSE;
    }
    if (asap->rectangle) complete_rectangle(ring);
    if (asap->spline) {
        GArray *curve = rmil_spline(ring);
        g_ptr_array_set_size(shape->rings, 0);
        g_ptr_array_add(shape->rings, curve);
        asap->outlines->vertices += curve->len;
    }
    return TRUE;
}

static void add_group(Asap *asap) {
    g_autofree char *name = attribute(asap, "Name"), *parent = group_attribute(asap);
    rmil_outlines_add_parent(asap->outlines, name, parent);
}

static gboolean start_element(Asap *asap, GError **error) {
    const char *name = (const char *)xmlTextReaderConstLocalName(asap->reader);
    int depth = xmlTextReaderDepth(asap->reader);
    if (depth > DEEPEST) return fail_at(asap, error, "elements are nested more than %d levels deep", DEEPEST);
    if (depth == 0) {
        asap->root = TRUE;
        return strcmp(name, "ASAP_Annotations") == 0 ||
               fail_at(asap, error, "is not an ASAP annotation file: its root is <%.60s>, not <ASAP_Annotations>", name);
    }
    if (depth == 1 && strcmp(name, "Annotations") == 0) asap->annotations = TRUE;
    if (strcmp(name, "Annotation") == 0) {
        gboolean empty = xmlTextReaderIsEmptyElement(asap->reader) == 1;
        return start_annotation(asap, error) && (!empty || end_annotation(asap, error));
    }
    if (strcmp(name, "Coordinate") == 0) return add_coordinate(asap, error);
    if (strcmp(name, "Group") == 0) add_group(asap);
    return TRUE;
}

static gboolean read_nodes(Asap *asap, GError **error) {
    int more;
    while ((more = xmlTextReaderRead(asap->reader)) == 1) {
        switch (xmlTextReaderNodeType(asap->reader)) {
        case XML_READER_TYPE_ELEMENT:
            if (!start_element(asap, error)) return FALSE;
            break;
        case XML_READER_TYPE_END_ELEMENT:
            if (strcmp((const char *)xmlTextReaderConstLocalName(asap->reader), "Annotation") == 0 && !end_annotation(asap, error))
                return FALSE;
            break;
        case XML_READER_TYPE_DOCUMENT_TYPE:
        case XML_READER_TYPE_ENTITY_REFERENCE: return fail_at(asap, error, "has a document type or entities, which ASAP files do not have");
        default: break;
        }
        if (asap->outlines->vertices > 4 * (int64_t)RMIL_ANNOTATION_VERTICES) return fail_at(asap, error, "splines have too many points");
    }
    if (more != 0 || asap->problem)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not well-formed XML: %s", asap->outlines->path,
                         asap->problem ? asap->problem : "it breaks off");
    if (!asap->root || !asap->annotations) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no <Annotations>", asap->outlines->path);
    return TRUE;
}

static gboolean asap_read(RmilOutlines *outlines, const RmilAnnotationOptions *options, GError **error) {
    static gsize initialised;
    if (g_once_init_enter(&initialised)) {
        xmlInitParser();
        g_once_init_leave(&initialised, 1);
    }
    gsize size;
    g_autofree char *text = rmil_file_read(outlines->path, RMIL_ANNOTATION_BYTES, &size, error);
    if (!text) return FALSE;
    Asap asap = {.outlines = outlines, .points = g_array_new(FALSE, FALSE, sizeof(Vertex))};
    const RmilXmlListener before = rmil_xml_hear(note, &asap);
    asap.reader = xmlReaderForMemory(text, (int)size, NULL, NULL, XML_PARSE_NONET | XML_PARSE_COMPACT);
    gboolean good = asap.reader || rmil_fail(error, RMIL_ERROR_MEMORY, "%s: no memory for reading XML", outlines->path);
    if (good) {
        xmlTextReaderSetStructuredErrorHandler(asap.reader, (xmlStructuredErrorFunc)note, &asap);
        good = read_nodes(&asap, error);
        xmlFreeTextReader(asap.reader);
    }
    rmil_xml_end(before);
    g_array_unref(asap.points);
    g_free(asap.problem);
    return good;
}

static gboolean asap_matches(const char *head, gsize size) {
    if (size >= 2 && (memcmp(head, "\xff\xfe", 2) == 0 || memcmp(head, "\xfe\xff", 2) == 0)) return TRUE; /* UTF-16 */
    if (g_str_has_prefix(head, "\xef\xbb\xbf")) head += 3;
    while (g_ascii_isspace(*head)) head++;
    return *head == '<';
}

const RmilAnnotationFormat rmil_annotation_asap = {"ASAP XML", asap_matches, asap_read, FALSE};
