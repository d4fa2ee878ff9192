/* SPDX-License-Identifier: Apache-2.0 */
/* Outlines that several tests use. */
#include "outlines.h"

#include <math.h>
#include <string.h>

void outlines_add(GString *xml, const char *type, const char *group, const double *xy, int points) {
    g_string_append_printf(xml, "<Annotation Name=\"A %d\" Type=\"%s\" PartOfGroup=\"%s\" Color=\"#F4FA58\"><Coordinates>\n", (int)xml->len,
                           type, group);
    for (int i = 0; i < points; i++)
        g_string_append_printf(xml, "<Coordinate Order=\"%d\" X=\"%.17g\" Y=\"%.17g\" />\n", i, xy[2 * i], xy[2 * i + 1]);
    g_string_append(xml, "</Coordinates></Annotation>\n");
}

void outlines_square(GString *xml, const char *group, double x, double y, double side) {
    const double xy[] = {x, y, x + side, y, x + side, y + side, x, y + side};
    outlines_add(xml, "Polygon", group, xy, 4);
}

char *outlines_finish(const char *folder, GString *xml, const char *groups) {
    g_autofree char *text = g_strdup_printf("<?xml version=\"1.0\"?>\n<ASAP_Annotations><Annotations>\n%s</Annotations>"
                                            "<AnnotationGroups>%s</AnnotationGroups></ASAP_Annotations>\n",
                                            xml->str, groups ? groups : "");
    g_string_truncate(xml, 0);
    return test_file(folder, "a.xml", text);
}

RmilRegion *outlines_read_with(const char *path, const RmilAnnotationOptions *options) {
    GError *error = NULL;
    RmilRegion *region = rmil_region_read(path, options, &error);
    g_assert_no_error(error);
    return region;
}

RmilRegion *outlines_read(const char *path) {
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    return outlines_read_with(path, &options);
}

double outlines_area(const char *path, const RmilAnnotationOptions *options) {
    g_autoptr(RmilRegion) region = options ? outlines_read_with(path, options) : outlines_read(path);
    return rmil_region_area(region);
}

double outlines_share(const RmilRegion *region, int64_t x, int64_t y, double side) {
    const int64_t coords[] = {x, y};
    double share = NAN;
    GError *error = NULL;
    g_assert_true(rmil_region_overlap(region, coords, 1, side, &share, &error));
    return share;
}

void outlines_fail(const char *path, const RmilAnnotationOptions *options, RmilErrorCode code, const char *part) {
    RmilAnnotationOptions plain;
    rmil_annotation_options_init(&plain);
    GError *error = NULL;
    g_assert_null(rmil_region_read(path, options ? options : &plain, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, path));
    test_error(&error, code, part);
}
