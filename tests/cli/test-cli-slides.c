/* SPDX-License-Identifier: Apache-2.0 */
/* Slides as scanners and converters write them, by the command: what is read, and what is said of it. */
#include "../slide/make-slide.h"
#include "command.h"

#include "rankmil/rankmil.h"

#include <json-glib/json-glib.h>
#include <string.h>

/* -- helpers ------------------------------------------------------------------------------------------------------------- */
/* An H&E-like picture: glass, and a rectangle of tissue with nuclei. */
static Picture *picture_tissue(int width, int height, int x, int y, int w, int h) {
    Picture *picture = picture_new(width, height, 0xf0eef2);
    picture_fill(picture, x, y, w, h, 0xd8a0c8);
    for (int row = y + 4; row + 8 < y + h; row += 16)
        for (int column = x + 4; column + 8 < x + w; column += 16) picture_fill(picture, column, row, 8, 8, 0x603080);
    return picture;
}

/* A cohort of one row. */
static void write_cohort(const char *folder, const char *slide, const char *annotation) {
    g_autofree char *text = g_strdup_printf("slide,label,annotation\n%s,1,%s\n", slide, annotation ? annotation : "");
    g_autofree char *path = test_file(folder, "c.csv", text);
}

/* A model of the built-in encoder's features, FOLDER/model.safetensors; its numbers mean nothing. */
static void write_model(const char *folder) {
    g_autofree char *path = g_build_filename(folder, "model.safetensors", NULL);
    RmilModelConfig config;
    GError *error = NULL;
    g_assert_true(rmil_model_config_init(&config, "abmil", RMIL_GUIDE_NONE, &error));
    g_autoptr(RmilEncoder) encoder = rmil_encoder_new("texture", &(RmilEncoderOptions){.workers = 1}, &error);
    g_assert_no_error(error);
    config.dim = rmil_encoder_dim(encoder);
    config.hidden = 8;
    config.attention_dim = 4;
    g_autoptr(RmilModel) model = rmil_model_new(&config, 1, &error);
    g_assert_no_error(error);
    g_assert_true(rmil_model_save(model, path, &error));
}

/* A number of --json's result. */
static int64_t number_of(const Outcome *o, const char *member) {
    g_autoptr(JsonParser) parser = json_parser_new();
    g_assert_true(json_parser_load_from_data(parser, o->out, -1, NULL));
    return json_object_get_int_member_with_default(json_node_get_object(json_parser_get_root(parser)), member, -1);
}

/* -- the scanned area ------------------------------------------------------------------------------------------------------ */
/* A Leica slide of 5000 × 4000 px, of which 1792 × 1344 at (1000, 600) were scanned: 4 × 3 tiles of 448 px, all tissue but for
 * an edge; the annotation is QuPath's and covers the tile in the second column and row. */
static void make_bounds(const char *folder) {
    g_autoptr(Picture) picture = picture_tissue(1792, 1344, 30, 30, 1700, 1250);
    g_autofree char *path = make_leica(folder, "s.scn", picture, 1000, 600, 5000, 4000, FALSE);
    g_autofree char *outline = test_file(
        folder, "a.geojson",
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
        "[[[450,450],[890,450],[890,890],[450,890]]]},\"properties\":{\"objectType\":\"annotation\"}}]}");
    write_cohort(folder, "s.scn", "a.geojson");
}

static void test_bounds_labels(void) {
    g_autofree char *folder = test_folder();
    g_auto(Outcome) o = {0};
    make_bounds(folder);
    command_run(&o, folder, "label", "c.csv", "-o", "w", "--preview", "--json", NULL);
    command_expect(&o, 0, "");
    g_assert_cmpint(number_of(&o, "annotated_patches"), ==, 1);
    g_autofree char *path = g_build_filename(folder, "w", "labels", "s.h5", NULL),
                    *tiles = g_build_filename(folder, "w", "tiles", "s.h5", NULL);
    GError *error = NULL;
    g_autoptr(RmilBag) bag = rmil_bag_read(tiles, NULL, RMIL_FLOAT32, RMIL_BAG_NO_FEATURES, &error);
    g_autofree uint8_t *labels = g_malloc0((gsize)bag->count);
    g_assert_true(rmil_labels_read(path, bag->count, labels, &error));
    for (int64_t i = 0; i < bag->count; i++) g_assert_cmpint(labels[i], ==, bag->coords[2 * i] == 1448 && bag->coords[2 * i + 1] == 1048);
    command_run(&o, folder, "check", "c.csv", NULL); /* one reading only fits: nothing to be said */
    command_expect(&o, 1, "every label is 1");
    g_assert_null(strstr(o.err, "a.geojson"));
    /* exported without cropping: the labels are made again */
    command_run(&o, folder, "label", "c.csv", "-o", "w", "--uncropped", "--json", NULL);
    command_expect(&o, 0, "no patch of s lies inside this annotation");
    command_run(&o, folder, "label", "c.csv", "-o", "w", "--json", NULL);
    g_assert_cmpint(number_of(&o, "annotated_patches"), ==, 1);
}

static void test_bounds_mask(void) {
    g_autofree char *folder = test_folder();
    g_auto(Outcome) o = {0};
    make_bounds(folder);
    g_autoptr(Picture) area = picture_new(448, 336, 0), whole = picture_new(500, 400, 0);
    picture_fill(area, 115, 115, 105, 105, 0xffffff);
    picture_fill(whole, 145, 105, 44, 44, 0xffffff);
    g_autofree char *area_path = make_image(folder, "area.png", area), *whole_path = make_image(folder, "whole.png", whole);
    const struct {
        const char *mask, *said;
    } cases[] = {{"area.png", "placed on the scanned area"}, {"whole.png", "placed on the whole slide"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        write_cohort(folder, "s.scn", cases[i].mask);
        command_run(&o, folder, "check", "c.csv", NULL);
        command_expect(&o, 1, cases[i].said);
        command_run(&o, folder, "label", "c.csv", "-o", cases[i].mask[0] == 'a' ? "area" : "whole", "--json", NULL);
        command_expect(&o, 0, cases[i].said);
        g_assert_cmpint(number_of(&o, "annotated_patches"), ==, 1);
    }
}

/* Corners of the tiles in qupath/s.geojson. */
static void qupath_extent(const char *folder, const char *work, double low[2], double high[2]) {
    g_autofree char *path = g_build_filename(folder, work, "qupath", "s.geojson", NULL);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_assert_true(json_parser_load_from_file(parser, path, NULL));
    JsonArray *features = json_object_get_array_member(json_node_get_object(json_parser_get_root(parser)), "features");
    low[0] = low[1] = 1e9;
    high[0] = high[1] = -1e9;
    for (guint i = 0; i < json_array_get_length(features); i++) {
        JsonObject *geometry = json_object_get_object_member(json_array_get_object_element(features, i), "geometry");
        JsonArray *ring = json_array_get_array_element(json_object_get_array_member(geometry, "coordinates"), 0);
        for (guint p = 0; p < json_array_get_length(ring); p++)
            for (guint c = 0; c < 2; c++) {
                double value = json_array_get_double_element(json_array_get_array_element(ring, p), c);
                low[c] = MIN(low[c], value);
                high[c] = MAX(high[c], value);
            }
    }
}

static void test_bounds_overlay(void) {
    g_autofree char *folder = test_folder();
    g_auto(Outcome) o = {0};
    double low[2], high[2];
    make_bounds(folder);
    write_model(folder);
    command_run(&o, folder, "predict", "model.safetensors", "s.scn", "-o", "p", "--encoder", "texture", NULL);
    command_expect(&o, 0, "");
    qupath_extent(folder, "p", low, high);
    g_assert_true(low[0] == 0 && low[1] == 0 && high[0] == 1792 && high[1] == 1344);
    command_run(&o, folder, "predict", "model.safetensors", "s.scn", "-o", "u", "--encoder", "texture", "--uncropped", NULL);
    command_expect(&o, 0, "");
    qupath_extent(folder, "u", low, high);
    g_assert_true(low[0] == 1000 && low[1] == 600 && high[0] == 2792 && high[1] == 1944);
}

/* -- resolution ------------------------------------------------------------------------------------------------------------- */
/* What check, tile and predict say of these slides, by `said` in each. */
static void expect_said(const char *folder, const char *cohort, const char *const *slides, const char *said) {
    g_auto(Outcome) o = {0};
    g_autofree char *table = test_file(folder, "c.csv", cohort);
    command_run(&o, folder, "check", "c.csv", NULL);
    command_expect(&o, 0, said);
    command_shell(&o, folder, "rm -rf w p; \"$RANKMIL\" tile c.csv -o w");
    command_expect(&o, 0, said);
    g_autoptr(GString) names = g_string_new("\"$RANKMIL\" predict model.safetensors --encoder texture -o p");
    for (int i = 0; slides && slides[i]; i++) g_string_append_printf(names, " %s", slides[i]);
    if (!slides) return;
    command_shell(&o, folder, names->str);
    command_expect(&o, 0, said);
}

static void test_resolutions(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_tissue(900, 700, 100, 100, 700, 500);
    write_model(folder);
    const struct {
        const char *name;
        double mpp;
        gboolean strips;
    } slides[] = {{"a.tif", 0.5, FALSE},     {"b.tif", 0.5, FALSE},  {"coarse.tif", 1, FALSE},
                  {"fine.tif", 0.12, FALSE}, {"plain.tif", 0, TRUE}, {"wrong.tif", 0.05, FALSE}};
    for (gsize i = 0; i < G_N_ELEMENTS(slides); i++)
        g_free(make_slide(folder, slides[i].name, picture, (SlideForm){.mpp = slides[i].mpp, .strips = slides[i].strips}));
    expect_said(
        folder, "slide,label\na.tif,1\nb.tif,0\ncoarse.tif,0\n", (const char *[]){"a.tif", "coarse.tif", NULL},
        "1 slide is coarser than the tiles' 0.5 µm per pixel and enlarged to it; leave them out or give a larger --tile-mpp: coarse "
        "(1 µm)");
    expect_said(folder, "slide,label\na.tif,1\nb.tif,0\nfine.tif,0\n", (const char *[]){"a.tif", "b.tif", "fine.tif", NULL},
                "1 slide has at least 4 times the cohort's 0.5 µm per pixel, or at most a quarter of it: fine (0.12 µm)");
    expect_said(folder, "slide,label\na.tif,1\nb.tif,0\nplain.tif,0\n", (const char *[]){"plain.tif", NULL},
                "1 image is without a resolution");
    expect_said(folder, "slide,label\na.tif,1\nwrong.tif,0\n", (const char *[]){"wrong.tif", NULL},
                "wrong.tif: the TIFF resolution is 0.05 µm per pixel, which is unusual: a scan at 200×");
    expect_said(folder, "slide,label,mpp\na.tif,1,0.5\nb.tif,0,20\n", NULL,
                "b.tif: the given mpp is 20 µm per pixel: is that the magnification?");
    g_auto(Outcome) o = {0};
    g_autofree char *table = test_file(folder, "c.csv", "slide,label\na.tif,1\nb.tif,0\n");
    command_run(&o, folder, "check", "c.csv", NULL);
    command_expect(&o, 0, "");
    g_assert_null(strstr(o.err, "µm")); /* nothing is said of resolutions that go together */
    command_run(&o, folder, "check", "c.csv", "--tile-mpp", "20", NULL);
    command_expect(&o, 0, "if you meant the magnification");
}

/* -- tissue -------------------------------------------------------------------------------------------------------------------- */
/* A picture of 25 µm, less than a pixel of the mask that check makes of large slides: it sees the tissue all the same. */
static void test_small(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) core = picture_tissue(100, 100, 20, 20, 60, 60);
    g_free(make_slide(folder, "core.tif", core, (SlideForm){.mpp = 0.25}));
    g_free(make_slide(folder, "other.tif", core, (SlideForm){.mpp = 0.25}));
    g_autofree char *table = test_file(folder, "c.csv", "slide,label\ncore.tif,1\nother.tif,0\n");
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "check", "c.csv", NULL);
    command_expect(&o, 0, "");
    g_assert_null(strstr(o.err, "tissue"));
}

/* check sees it before tile does; one bad slide does not stop the other. */
static void test_tissue(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) good = picture_tissue(1600, 1200, 200, 200, 800, 600), blank = picture_new(1600, 1200, 0xf0eef2);
    g_free(make_slide(folder, "blank.tif", blank, (SlideForm){.mpp = 0.5}));
    picture_fill(good, 1200, 0, 400, 1200, 0);
    g_free(make_slide(folder, "black.tif", good, (SlideForm){.mpp = 0.5}));
    for (int i = 0; i < 3 * good->width * good->height; i++) good->rgb[i] = good->rgb[i] / 16;
    g_free(make_slide(folder, "dark.tif", good, (SlideForm){.mpp = 0.5}));
    g_autofree char *table = test_file(folder, "c.csv", "slide,label\nblank.tif,1\nblack.tif,0\ndark.tif,0\n");
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "check", "c.csv", NULL);
    command_expect(&o, 0, "blank.tif: no tissue found");
    command_expect(&o, 0, "% of it is pure black");
    command_expect(&o, 0, "dark.tif: is very dark");
    g_assert_nonnull(strstr(o.out, "no errors, but"));
    command_run(&o, folder, "tile", "c.csv", "-o", "w", "--json", NULL);
    command_expect(&o, 1, "blank.tif: no tissue found");
    command_expect(&o, 1, "% of it is pure black");
    command_expect(&o, 1, "dark.tif: is very dark");
    g_autofree char *tiles = g_build_filename(folder, "w", "tiles", "dark.h5", NULL);
    g_assert_true(g_file_test(tiles, G_FILE_TEST_EXISTS));
}

/* -- surroundings -------------------------------------------------------------------------------------------------------------- */
/* More than 256 MiB of pixels go into the temporary folder; when that is full or missing, it is to blame, not the image. */
static void test_temporary(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_new(10000, 9200, 0xd8a0c8);
    g_free(make_image(folder, "big.png", picture));
    write_cohort(folder, "big.png", NULL);
    g_auto(Outcome) o = {0};
    command_shell(&o, folder, "ulimit -f 20000; mkdir tmp; TMPDIR=$PWD/tmp \"$RANKMIL\" tile c.csv -o w");
    command_expect(&o, 1, "big.png: its 0.3 GiB of pixels do not fit into the temporary folder ");
    command_expect(&o, 1, "set TMPDIR to a folder with space");
    command_shell(&o, folder, "TMPDIR=$PWD/none \"$RANKMIL\" tile c.csv -o w");
    command_expect(&o, 1, "none: No such file or directory: set TMPDIR");
    command_shell(&o, folder, "[ -z \"$(ls -A tmp)\" ] || echo left >&2"); /* nothing is left behind */
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.err, ==, "");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/slides/bounds/labels", test_bounds_labels);
    g_test_add_func("/cli/slides/bounds/mask", test_bounds_mask);
    g_test_add_func("/cli/slides/bounds/overlay", test_bounds_overlay);
    g_test_add_func("/cli/slides/resolutions", test_resolutions);
    g_test_add_func("/cli/slides/tissue", test_tissue);
    g_test_add_func("/cli/slides/small", test_small);
    g_test_add_func("/cli/slides/temporary", test_temporary);
    return g_test_run();
}
