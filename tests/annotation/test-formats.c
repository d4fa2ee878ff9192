/* SPDX-License-Identifier: Apache-2.0 */
/* GeoJSON, masks, and other formats of outlines. */
#include "outlines.h"
#include "slide/vips.h"

#include <math.h>
#include <string.h>

/* -- GeoJSON ---------------------------------------------------------------------------------------------------------- */
#define FEATURE(class, geometry)                                                                                                           \
    "{\"type\":\"Feature\",\"id\":\"x\",\"geometry\":" geometry ",\"properties\":{\"objectType\":\"annotation\"," class "}}"
#define CLASS(name) "\"classification\":{\"name\":\"" name "\",\"color\":[200,0,0]}"
#define COLLECTION(features) "{\"type\":\"FeatureCollection\",\"features\":[" features "]}"
#define SQUARE "[[[0,0],[10,0],[10,10],[0,10],[0,0]]]"
#define HOLED "[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[2,2],[4,2],[4,4],[2,4],[2,2]]]"

static void test_geojson(void) {
    const struct {
        const char *text;
        double area;
    } cases[] = {
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":" SQUARE "}")), 100},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":" HOLED "}")), 96},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"MultiPolygon\",\"coordinates\":[" HOLED ",[[[20,0],[30,0],[30,10.5]]]]}")),
         96 + 52.5},
        {COLLECTION(FEATURE(CLASS("Tumor: Positive"), "{\"type\":\"Polygon\",\"coordinates\":" SQUARE "}") "," FEATURE(
             CLASS("Stroma"),
             "{\"type\":\"Polygon\",\"coordinates\":[[[50,50],[60,50],[60,60]]]}") "," FEATURE(CLASS("Exclusion"),
                                                                                               "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[10,0],[10,5],[0,5]]]}")),
         50},
        /* older QuPath: an array; no classes: everything is lesion; a point has no area */
        {"[" FEATURE("\"name\":\"n\"", "{\"type\":\"Polygon\",\"coordinates\":" SQUARE
                                       "}") "," FEATURE("\"isLocked\":false", "{\"type\":\"Point\",\"coordinates\":[3,3]}") "]",
         100},
        {FEATURE("\"classification\":\"tumor\"", "{\"type\":\"GeometryCollection\",\"geometries\":[{\"type\":\"Polygon\","
                                                 "\"coordinates\":" SQUARE "}]}"),
         100},
        /* cells are no annotations */
        {COLLECTION("{\"type\":\"Feature\",\"properties\":{\"objectType\":\"cell\"},\"geometry\":{\"type\":\"Polygon\","
                    "\"coordinates\":" SQUARE "}}"),
         0},
        {COLLECTION(""), 0},
        {"\xef\xbb\xbf" COLLECTION(FEATURE(CLASS("Tumor"), "null")), 0},
    };
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = test_file(folder, "a.geojson", cases[i].text);
        g_assert_cmpfloat_with_epsilon(outlines_area(path, NULL), cases[i].area, 1e-9);
    }
}

static void test_bad_geojson(void) {
    const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"type\":\"FeatureCollection\",\"features\":[", "not well-formed JSON"},
        {"{\"slides\": 3}", "not a GeoJSON FeatureCollection"},
        {"{\"type\":\"FeatureCollection\",\"features\":7}", "not a GeoJSON FeatureCollection"},
        {"[1,2]", "feature 1: is not a GeoJSON Feature"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":7}")), "feature 1: a polygon has no rings"},
        {COLLECTION(FEATURE("\"name\":\"left\"", "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,NaN],[0,5],[0,0]]]}")),
         "feature 1 (\"left\"): a coordinate is not a pair of numbers"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,\"a\"],[1,1]]]}")), "not a pair of numbers"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1],[1,1]]]}")), "not a pair of numbers"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":[3]}")), "a ring is not an array"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1e99,0],[1,1]]]}")),
         "is not a possible position on a slide"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Blob\",\"coordinates\":[]}")), "\"Blob\" is not one of GeoJSON's"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"coordinates\":[]}")), "a geometry has no type"},
        {"{\"type\":\"\xff\"}", "is not UTF-8"},
    };
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = test_file(folder, "bad.geojson", cases[i].text);
        outlines_fail(path, NULL, RMIL_ERROR_FORMAT, cases[i].message);
    }
    g_autofree char *deep = g_strnfill(200000, '[');
    g_autofree char *path = test_file(folder, "deep.geojson", deep);
    outlines_fail(path, NULL, RMIL_ERROR_FORMAT, "nested more than 32 levels deep");
}

/* -- masks ------------------------------------------------------------------------------------------------------------ */
static char *write_mask(const char *folder, const char *name, const uint8_t *pixels, int width, int height) {
    char *path = g_build_filename(folder, name, NULL);
    VipsImage *image = vips_image_new_from_memory(pixels, (size_t)width * (size_t)height, width, height, 1, VIPS_FORMAT_UCHAR);
    g_assert_cmpint(vips_image_write_to_file(image, path, NULL), ==, 0);
    g_object_unref(image);
    return path;
}

static void test_mask(void) {
    enum { W = 37, H = 23 };
    g_autofree char *folder = test_folder();
    uint8_t pixels[W * H];
    RmilRng rng;
    const char *names[] = {"m.png", "m.tif"};
    for (int round = 0; round < 20; round++) { /* from sparse to full: corners that touch, holes, islands in holes */
        int64_t set = 0;
        rmil_rng_init(&rng, 9, (uint64_t)round);
        for (int i = 0; i < W * H; i++) set += pixels[i] = rmil_rng_uniform(&rng) < round / 19.0;
        g_autofree char *path = write_mask(folder, names[round % 2], pixels, W, H);
        RmilAnnotationOptions options;
        rmil_annotation_options_init(&options);
        g_autoptr(RmilRegion) region = outlines_read_with(path, &options);
        g_assert_cmpfloat_with_epsilon(rmil_region_area(region), (double)set, 1e-9);
        g_assert_cmpint(rmil_region_empty(region), ==, set == 0);
        int64_t coords[2 * W * H];
        double shares[W * H];
        for (int i = 0; i < W * H; i++) coords[2 * i] = i % W, coords[2 * i + 1] = i / W;
        GError *error = NULL;
        g_assert_true(rmil_region_overlap(region, coords, W * H, 1, shares, &error));
        for (int i = 0; i < W * H; i++) g_assert_cmpfloat(shares[i], ==, pixels[i] ? 1 : 0);
        /* the mask at 1/10 of the slide, whose size is not a multiple of it */
        options.slide_width = W * 10 + 3;
        options.slide_height = H * 10 + 2;
        double scale = (double)options.slide_width * (double)options.slide_height / (W * H);
        g_assert_cmpfloat_with_epsilon(outlines_area(path, &options), scale * (double)set, 1e-6);
        options.padding = 1;
        g_assert_cmpfloat(outlines_area(path, &options), >=, scale * (double)set);
    }
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.slide_width = H * 10;
    options.slide_height = W * 10;
    g_autofree char *path = g_build_filename(folder, "m.png", NULL);
    outlines_fail(path, &options, RMIL_ERROR_DATA, "does not have the aspect ratio of the slide of 230 × 370 px");
}

static void test_mask_files(void) {
    enum { N = 64 };
    g_autofree char *folder = test_folder();
    uint8_t pixels[N * N] = {0};
    for (int y = 16; y < 40; y++) memset(pixels + y * N + 8, 255, 32);
    /* JPEG's traces around the edges do not count */
    g_autofree char *jpeg = write_mask(folder, "m.jpg", pixels, N, N);
    g_assert_cmpfloat(fabs(outlines_area(jpeg, NULL) - 24 * 32), <, 8);
    g_autofree char *png = write_mask(folder, "m.png", pixels, N, N);
    gsize size;
    GError *error = NULL;
    g_autofree char *bytes = rmil_file_read(png, 1 << 20, &size, &error);
    g_autofree char *cut = g_build_filename(folder, "cut.png", NULL);
    g_assert_true(rmil_file_write(cut, bytes, size / 2, &error));
    outlines_fail(cut, NULL, RMIL_ERROR_FORMAT, "cut.png: ");
    g_assert_true(rmil_file_write(cut, "\x89PNG\r\n", 6, &error));
    outlines_fail(cut, NULL, RMIL_ERROR_FORMAT, "cut.png: ");
    uint16_t wide[4] = {1};
    g_autofree char *deep = g_build_filename(folder, "deep.tif", NULL);
    VipsImage *image = vips_image_new_from_memory(wide, sizeof wide, 2, 2, 1, VIPS_FORMAT_USHORT);
    g_assert_cmpint(vips_image_write_to_file(image, deep, NULL), ==, 0);
    g_object_unref(image);
    outlines_fail(deep, NULL, RMIL_ERROR_FORMAT, "a mask image has 8 bits");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    /* libvips warns of broken images through GLib; the library drops that, and it must not end the test */
    g_log_set_always_fatal((GLogLevelFlags)(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL));
    if (!rmil_vips_init(NULL)) return 1;
    g_test_add_func("/annotation/geojson", test_geojson);
    g_test_add_func("/annotation/geojson/bad", test_bad_geojson);
    g_test_add_func("/annotation/mask", test_mask);
    g_test_add_func("/annotation/mask/files", test_mask_files);
    return g_test_run();
}
