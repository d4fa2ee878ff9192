/* SPDX-License-Identifier: Apache-2.0 */
/* Exports for QuPath, and sheets of patches. */
#include "rankmil/draw.h"
#include "support.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>
#include <vips/vips.h>

static void test_qupath(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "tiles.geojson", NULL);
    const int64_t coords[] = {0, 0, 224, 0, 448, 1000000};
    const float attention[] = {0.1f, 0.9f, NAN}, scores[] = {-1.5f, 2, 3};
    GError *error = NULL;
    g_assert_true(rmil_qupath_write(coords, attention, scores, 3, 224.5, 0, 0, path, &error));
    g_assert_no_error(error);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_assert_true(json_parser_load_from_file(parser, path, &error));
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    g_assert_cmpstr(json_object_get_string_member(root, "type"), ==, "FeatureCollection");
    JsonArray *features = json_object_get_array_member(root, "features");
    g_assert_cmpint(json_array_get_length(features), ==, 3);
    JsonObject *second = json_array_get_object_element(features, 1), *properties = json_object_get_object_member(second, "properties");
    g_assert_cmpstr(json_object_get_string_member(properties, "objectType"), ==, "tile");
    g_assert_cmpstr(json_object_get_string_member(json_object_get_object_member(properties, "classification"), "name"), ==, "Attended");
    JsonObject *measurements = json_object_get_object_member(properties, "measurements");
    g_assert_cmpfloat_with_epsilon(json_object_get_double_member(measurements, "Attention x mean"), 1.8, 1e-6);
    g_assert_cmpfloat_with_epsilon(json_object_get_double_member(measurements, "Attention percentile"), 100, 1e-6);
    g_assert_cmpfloat_with_epsilon(json_object_get_double_member(measurements, "Score"), 2, 1e-6);
    JsonArray *ring = json_array_get_array_element(
        json_object_get_array_member(json_object_get_object_member(second, "geometry"), "coordinates"), 0);
    const double want[5][2] = {{224, 0}, {448.5, 0}, {448.5, 224.5}, {224, 224.5}, {224, 0}};
    g_assert_cmpint(json_array_get_length(ring), ==, 5);
    for (guint i = 0; i < 5; i++)
        for (guint j = 0; j < 2; j++)
            g_assert_cmpfloat(json_array_get_double_element(json_array_get_array_element(ring, i), j), ==, want[i][j]);
    /* a value that is not finite is left out */
    JsonObject *third = json_object_get_object_member(
        json_object_get_object_member(json_array_get_object_element(features, 2), "properties"), "measurements");
    g_assert_false(json_object_has_member(third, "Attention"));
    g_assert_true(json_object_has_member(third, "Score"));
    g_assert_false(rmil_qupath_write(coords, attention, NULL, 0, 224, 0, 0, path, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "0 tiles");
}

/* Ten tiles, each of one gray: the montage shows the best ones first. */
static void test_patches(void) {
    enum { SIDE = 64, TILES = 10 };
    g_autofree char *folder = test_folder(), *slide_path = g_build_filename(folder, "s.png", NULL);
    g_autofree char *png = g_build_filename(folder, "top.png", NULL), *csv = g_build_filename(folder, "top.csv", NULL);
    g_autofree uint8_t *rgb = g_malloc(TILES * SIDE * SIDE * 3);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < TILES * SIDE; x++) memset(rgb + (y * TILES * SIDE + x) * 3, 20 * (x / SIDE), 3);
    VipsImage *image = vips_image_new_from_memory(rgb, TILES * SIDE * SIDE * 3, TILES * SIDE, SIDE, 3, VIPS_FORMAT_UCHAR), *tagged = NULL;
    g_assert_cmpint(vips_copy(image, &tagged, "interpretation", VIPS_INTERPRETATION_sRGB, NULL), ==, 0);
    g_assert_cmpint(vips_pngsave(tagged, slide_path, NULL), ==, 0);
    g_object_unref(tagged);
    g_object_unref(image);
    GError *error = NULL;
    g_autoptr(RmilSlide) slide = rmil_slide_open(slide_path, 0, &error);
    g_assert_no_error(error);
    int64_t coords[2 * TILES] = {0};
    float values[TILES] = {0.1f, 0.5f, 0.5f, NAN, 0.9f, 0, 0, 0, 0, 0.2f};
    for (int i = 0; i < TILES; i++) coords[2 * i] = i * SIDE;
    g_assert_true(rmil_patches_write(slide, coords, values, TILES, SIDE, 3, SIDE, "Top <tiles>", png, csv, &error));
    g_assert_no_error(error);
    gsize size;
    g_autofree char *table = rmil_file_read(csv, 10000, &size, &error);
    g_assert_cmpstr(table, ==, "rank,x,y,side,value\n1,256,0,64,0.899999976\n2,64,0,64,0.5\n3,128,0,64,0.5\n");
    VipsImage *montage = vips_image_new_from_file(png, NULL);
    g_autofree uint8_t *seen = vips_image_write_to_memory(montage, NULL);
    int64_t width = vips_image_get_width(montage), height = vips_image_get_height(montage);
    g_object_unref(montage);
    int found[3] = {0};
    for (int64_t i = 0; i < width * height; i++)
        for (int k = 0; k < 3; k++) found[k] += seen[3 * i] == ((const int[]){80, 20, 40})[k] && seen[3 * i + 1] == seen[3 * i];
    for (int k = 0; k < 3; k++) g_assert_cmpint(found[k], >=, SIDE * SIDE);
    for (int i = 0; i < TILES; i++) values[i] = NAN;
    g_assert_false(rmil_patches_write(slide, coords, values, TILES, SIDE, 3, SIDE, NULL, png, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "no tile has a value");
    g_assert_false(rmil_patches_write(slide, coords, values, TILES, SIDE, 0, SIDE, NULL, png, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "1 … 200");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    if (VIPS_INIT(argv[0])) return 1;
    g_test_add_func("/present/qupath", test_qupath);
    g_test_add_func("/present/patches", test_patches);
    return g_test_run();
}
