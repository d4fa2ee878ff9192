/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a file into a region: rings, and their edges sorted for measuring. */
#include "annotation-private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_OF_SLIDE 0.5 /* lesions rarely cover more: slides have empty glass */

/* From the list in meson.build: RMIL_FORMATS is FORMAT(asap) FORMAT(geojson) … */
#define FORMAT(name) extern const RmilAnnotationFormat rmil_annotation_##name;
RMIL_FORMATS
#undef FORMAT
#define FORMAT(name) &rmil_annotation_##name,
static const RmilAnnotationFormat *const formats[] = {RMIL_FORMATS};

void rmil_annotation_options_init(RmilAnnotationOptions *options) { *options = (RmilAnnotationOptions){0}; }

RmilRegion *rmil_region_new(void) {
    RmilRegion *region = g_new0(RmilRegion, 1);
    region->points = g_array_new(FALSE, FALSE, sizeof(RmilPoint));
    region->rings = g_array_new(FALSE, FALSE, sizeof(RmilRing));
    region->edges = g_array_new(FALSE, FALSE, sizeof(RmilEdge));
    return region;
}

void rmil_region_free(RmilRegion *region) {
    if (!region) return;
    g_array_unref(region->points);
    g_array_unref(region->rings);
    g_array_unref(region->edges);
    g_free(region->reach);
    g_strfreev(region->warnings);
    g_free(region);
}

void rmil_region_add_ring(RmilRegion *region, int64_t first, gboolean hole) {
    RmilRing ring = {first, region->points->len - first, hole};
    const RmilPoint *p = &g_array_index(region->points, RmilPoint, first);
    double twice = 0; /* twice the signed area, relative to the first point, because positions are large and lesions small */
    for (int64_t i = 0; i + 1 < ring.count; i++)
        twice += (p[i].x - p[0].x) * (p[i + 1].y - p[0].y) - (p[i + 1].x - p[0].x) * (p[i].y - p[0].y);
    region->area += (hole ? -0.5 : 0.5) * fabs(twice);
    double orientation = (twice > 0) == hole ? 1 : -1; /* ∮ y dx is minus the signed area */
    for (int64_t i = 0; i + 1 < ring.count; i++) {
        RmilPoint a = p[i], b = p[i + 1];
        RmilEdge edge = a.x < b.x ? (RmilEdge){a.x, a.y, b.x, b.y, orientation} : (RmilEdge){b.x, b.y, a.x, a.y, -orientation};
        if (a.x != b.x) g_array_append_val(region->edges, edge);
    }
    g_array_append_val(region->rings, ring);
}

static int compare_edges(const void *a, const void *b) {
    const RmilEdge *s = a, *t = b;
    if (s->x0 != t->x0) return s->x0 < t->x0 ? -1 : 1;
    return (s->y0 > t->y0) - (s->y0 < t->y0);
}

void rmil_region_index(RmilRegion *region) {
    RmilEdge *edges = (RmilEdge *)(void *)region->edges->data;
    const guint n = region->edges->len;
    if (n) qsort(edges, n, sizeof(RmilEdge), compare_edges);
    region->reach = g_new(double, (gsize)n + 1);
    for (guint i = 0; i < n; i++) region->reach[i] = MAX(edges[i].x1, i ? region->reach[i - 1] : -INFINITY);
}

static const RmilAnnotationFormat *find_format(const char *path, GError **error) {
    char head[513] = {0};
    FILE *file = g_file_test(path, G_FILE_TEST_IS_DIR) ? NULL : fopen(path, "rb");
    if (!file) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: annotation cannot be opened: %s", path,
                  g_file_test(path, G_FILE_TEST_IS_DIR) ? "it is a folder" : g_strerror(errno));
        return NULL;
    }
    size_t size = fread(head, 1, sizeof head - 1, file);
    fclose(file);
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++)
        if (formats[i]->matches(head, size)) return formats[i];
    g_autoptr(GString) names = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) g_string_append_printf(names, "%s%s", i ? ", " : "", formats[i]->name);
    rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is %s: rankmil reads annotations from %s", path,
              size ? "not an annotation file that rankmil knows" : "empty", names->str);
    return NULL;
}

gboolean rmil_region_fits(const RmilRegion *region, RmilOutlines *outlines, const RmilAnnotationOptions *options, GError **error) {
    const gboolean known = options->slide_width > 0 && options->slide_height > 0;
    const double width = (double)(known ? options->slide_width : outlines->width);
    const double height = (double)(known ? options->slide_height : outlines->height);
    if (!(width > 0 && height > 0) || region->area <= 0) return TRUE;
    double inside = rmil_region_box(region, 0, 0, width, height);
    double scanned = rmil_has_bounds(options) ? (double)options->bounds_width * (double)options->bounds_height : width * height;
    if (!options->tissue && inside > MOST_OF_SLIDE * scanned) {
        g_autofree char *share = g_strdup_printf("%.0f %%", 100 * inside / scanned);
        rmil_outlines_note(outlines, RMIL_NOTE_COVER, share);
    }
    if (inside >= 0.5 * region->area) return TRUE;
    return rmil_fail(error, RMIL_ERROR_DATA,
                     "%s: %.0f %% of the annotated area lies outside the slide of %.0f × %.0f px: does it belong to another slide, "
                     "or use other units?",
                     outlines->path, 100 * (1 - inside / region->area), width, height);
}

static gboolean check_options(const RmilAnnotationOptions *options, GError **error) {
    if (options->padding >= 0 && options->padding <= 1e6) return TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "annotation padding must be between 0 and 1000000 px, not %g", options->padding);
}

RmilRegion *rmil_region_read(const char *path, const RmilAnnotationOptions *options, GError **error) {
    if (!check_options(options, error)) return NULL;
    const RmilAnnotationFormat *format = find_format(path, error);
    if (!format) return NULL;
    g_autoptr(GPtrArray) lesions = g_ptr_array_new(), exclusions = g_ptr_array_new();
    RmilOutlines outlines;
    RmilRegion *region = NULL;
    rmil_outlines_init(&outlines, path);
    if (format->read(&outlines, options, error) && rmil_outlines_select(&outlines, options, lesions, exclusions, error))
        region = rmil_region_build(&outlines, lesions, exclusions, options, error);
    if (region) region->warnings = rmil_outlines_warnings(&outlines);
    rmil_outlines_clear(&outlines);
    return region;
}

gboolean rmil_annotation_cropped(const char *path) {
    const RmilAnnotationFormat *format = find_format(path, NULL);
    return format && format->cropped;
}

const char *const *rmil_region_warnings(const RmilRegion *region) { return (const char *const *)region->warnings; }

gboolean rmil_region_empty(const RmilRegion *region) { return region->rings->len == 0; }

double rmil_region_area(const RmilRegion *region) { return region->area; }

void rmil_region_rings(const RmilRegion *region, RmilRingFunc function, gpointer user) {
    for (guint i = 0; i < region->rings->len; i++) {
        const RmilRing *ring = &g_array_index(region->rings, RmilRing, i);
        function(&g_array_index(region->points, RmilPoint, ring->first).x, ring->count, ring->hole, user);
    }
}
