/* SPDX-License-Identifier: Apache-2.0 */
/* From where outlines and masks count on slides whose scanned area is a part of level 0. */
#include "outlines.h"
#include "slide/vips.h"

#include <string.h>

/* Level 0 of 3000 × 2000 px, of which 1000 × 800 at (700, 300) were scanned. */
static RmilAnnotationOptions options_with_bounds(void) {
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.slide_width = 3000;
    options.slide_height = 2000;
    options.bounds_x = 700;
    options.bounds_y = 300;
    options.bounds_width = 1000;
    options.bounds_height = 800;
    return options;
}

/* One 100 px square whose corner is (x, y). */
static char *write_geojson(const char *folder, int x, int y) {
    g_autofree char *text = g_strdup_printf(
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
        "[[[%d,%d],[%d,%d],[%d,%d],[%d,%d]]]},\"properties\":{\"objectType\":\"annotation\"}}]}",
        x, y, x + 100, y, x + 100, y + 100, x, y + 100);
    return test_file(folder, "a.geojson", text);
}

/* The region is the rectangle at (x, y), and its one warning has this part; NULL: there is none. */
static void expect(const char *path, const RmilAnnotationOptions *options, int64_t x, int64_t y, double side, const char *warning) {
    g_autoptr(RmilRegion) region = outlines_read_with(path, options);
    g_assert_cmpfloat_with_epsilon(outlines_share(region, x, y, side), 1, 1e-9);
    g_assert_cmpfloat_with_epsilon(rmil_region_area(region), side * side, 1e-6);
    const char *const *warnings = rmil_region_warnings(region);
    if (!warning) {
        g_assert_null(warnings[0]);
        return;
    }
    g_assert_nonnull(warnings[0]);
    g_assert_null(warnings[1]);
    if (!g_str_has_prefix(warnings[0], path) || !strstr(warnings[0], warning)) g_error("\"%s\" lacks \"%s\"", warnings[0], warning);
}

static void test_geojson(void) {
    g_autofree char *folder = test_folder();
    RmilAnnotationOptions options = options_with_bounds(), plain = options, uncropped = options;
    plain.bounds_width = plain.bounds_height = plain.bounds_x = plain.bounds_y = 0;
    uncropped.uncropped = TRUE;
    const struct {
        int x, y; /* in the file */
        gboolean shifted;
        const char *warning;
    } cases[] = {
        {10, 20, TRUE, NULL}, /* left of the scanned area, if it counted from level 0 */
        {800, 500, TRUE, "though they would also fit from the corner of level 0"}, /* fits either way */
        {1550, 900, FALSE,
         "only if their coordinates start at the corner of level 0"}, /* beyond the scanned area, if it counted from its corner */
        {1800, 100, TRUE, "whichever corner their coordinates start at; it begins at level-0 pixel: (700, 300)"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = write_geojson(folder, cases[i].x, cases[i].y);
        int dx = cases[i].shifted ? 700 : 0, dy = cases[i].shifted ? 300 : 0;
        expect(path, &options, cases[i].x + dx, cases[i].y + dy, 100, cases[i].warning);
        expect(path, &plain, cases[i].x, cases[i].y, 100, NULL);
        expect(path, &uncropped, cases[i].x, cases[i].y, 100, NULL);
        g_assert_true(rmil_annotation_cropped(path));
    }
    g_autofree char *empty = test_file(folder, "empty.geojson", "{\"type\":\"FeatureCollection\",\"features\":[]}");
    g_autoptr(RmilRegion) region = outlines_read_with(empty, &options);
    g_assert_true(rmil_region_empty(region));
    g_assert_null(rmil_region_warnings(region)[0]);
}

static void test_asap(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    outlines_square(xml, "_0", 800, 500, 100);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    RmilAnnotationOptions options = options_with_bounds();
    expect(path, &options, 800, 500, 100, NULL);
    g_assert_false(rmil_annotation_cropped(path));
    g_assert_false(rmil_annotation_cropped("/nonexistent.xml"));
}

/* A mask of width × height pixels, one of which is set: that at (2, 1). */
static char *write_mask(const char *folder, int width, int height) {
    char *path = g_build_filename(folder, "m.png", NULL);
    g_autofree uint8_t *pixels = g_malloc0((gsize)(width * height));
    pixels[width + 2] = 255;
    g_autoptr(RmilVipsImage) image = vips_image_new_from_memory(pixels, (size_t)(width * height), width, height, 1, VIPS_FORMAT_UCHAR);
    g_assert_cmpint(vips_image_write_to_file(image, path, NULL), ==, 0);
    return path;
}

static void test_mask(void) {
    g_autofree char *folder = test_folder();
    RmilAnnotationOptions options = options_with_bounds(), uncropped = options, alike = options;
    uncropped.uncropped = TRUE;
    g_autofree char *area = write_mask(folder, 50, 40);
    expect(area, &options, 700 + 40, 300 + 20, 20,
           "the mask is placed on the scanned area, because it has the same aspect ratio; the area begins at level-0 pixel: (700, 300)");
    outlines_fail(area, &uncropped, RMIL_ERROR_DATA, "does not have the aspect ratio of the slide");
    g_autofree char *whole = write_mask(folder, 30, 20);
    expect(whole, &options, 200, 100, 100, "placed on the whole slide");
    expect(whole, &uncropped, 200, 100, 100, NULL);
    alike.bounds_width = 1500;
    alike.bounds_height = 1000;
    expect(whole, &alike, 700 + 100, 300 + 50, 50, "though it would also fit the whole slide");
    g_autofree char *other = write_mask(folder, 40, 40);
    outlines_fail(other, &options, RMIL_ERROR_DATA, "or of its scanned area of 1000 × 800 px");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    if (!rmil_vips_init(NULL)) return 1;
    g_test_add_func("/annotation/frame/geojson", test_geojson);
    g_test_add_func("/annotation/frame/asap", test_asap);
    g_test_add_func("/annotation/frame/mask", test_mask);
    return g_test_run();
}
