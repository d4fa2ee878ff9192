/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of another side, that overlap, of two magnifications: from the slides to a prediction on a new one. */
#include "command.h"

#include "rankmil/bag.h"
#include "rankmil/encoder.h"
#include "rankmil/slide.h"

#include <math.h>
#include <string.h>

static char *root;

#define TILES "--tile-px 256 --tile-mpp 0.5,2 --overlap 0.25"

static void begin(void) {
    if (root) return;
    root = test_folder();
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "set -e; \"$RANKMIL\" synth cohort --slides 8 --width 1400 --height 1200 --positive 0.5 --seed 5 -q\n"
                  "\"$RANKMIL\" run cohort/cohort.csv -o run --epochs 2 --heatmaps 2 " TILES "\n"
                  "for slide in cohort/slides/*; do cp \"$slide\" a.tiff; break; done\n"
                  "for bag in run/features/*; do cp \"$bag\" a.h5; break; done\n");
    command_expect(&o, 0, "the encoder texture takes tiles of 224 px, so tiles of 256 px at 0.5 µm per pixel are read as 224 px at 0.5714");
    command_expect(&o, 0, "features of 0.5 and 2 µm per pixel are joined: 219 + 219 numbers per tile");
}

static RmilBag *read_bag(const char *name) {
    GError *error = NULL;
    g_autofree char *path = g_build_filename(root, name, NULL);
    RmilBag *bag = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_assert_no_error(error);
    return bag;
}

/* Both halves of a vector are the encoder's of the squares that they should be of, and the file says which these are. */
static void test_features(void) {
    begin();
    GError *error = NULL;
    g_autoptr(RmilBag) bag = read_bag("a.h5");
    g_assert_cmpint(bag->dim, ==, 2 * 219);
    g_assert_cmpfloat(bag->patch_size, ==, 256);
    g_assert_cmpfloat(bag->patch_size_level0, ==, 256);
    g_assert_cmpfloat(bag->overlap, ==, 64);
    g_assert_cmpfloat(rmil_bag_step(bag), ==, 192);
    g_assert_cmpfloat_with_epsilon(rmil_bag_level0_mpp(bag), 0.5, 1e-9);
    g_assert_nonnull(strstr(bag->source, "256 px at 0.5"));
    g_assert_nonnull(strstr(bag->source, "overlap 64"));
    g_assert_nonnull(strstr(bag->source, "joined with 2"));
    const RmilEncoderOptions options = {.workers = 1};
    g_autoptr(RmilEncoder) encoder = rmil_encoder_new("texture", &options, &error);
    g_autofree char *path = g_build_filename(root, "a.tiff", NULL);
    g_autoptr(RmilSlide) slide = rmil_slide_open(path, 0, &error);
    g_assert_no_error(error);
    g_autofree uint8_t *rgb = g_malloc(224 * 224 * 3);
    for (int64_t i = 0; i < bag->count; i++)
        for (int view = 0; view < 2; view++) {
            const double side = view ? 1024 : 256, margin = (side - 256) / 2;
            float expected[219];
            g_assert_true(rmil_slide_read(slide, (double)bag->coords[2 * i] - margin, (double)bag->coords[2 * i + 1] - margin, side / 224,
                                          224, 224, rgb, &error));
            g_assert_true(rmil_encoder_run(encoder, 0, rgb, 1, expected, &error));
            const float *found = (const float *)bag->features + i * bag->dim + view * 219;
            for (int c = 0; c < 219; c++) /* as float16 has it */
                g_assert_cmpfloat_with_epsilon((double)found[c], (double)expected[c], fabs((double)expected[c]) / 1024 + 1e-6);
        }
}

/* One label a patch; squares in QuPath as large as the tiles and a step apart. */
static void test_around(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autofree char *json = test_bytes(root, "run/run.json", NULL);
    const char *const said[] = {"\"tile_px\" : 256", "\"second_mpp\" : 2", "\"overlap\" : 64", "\"tile_mpp\" : 0.5"};
    for (gsize i = 0; i < G_N_ELEMENTS(said); i++) g_assert_nonnull(strstr(json, said[i]));
    g_autofree char *labels = g_build_filename(root, "run", "labels", NULL);
    g_autoptr(GDir) dir = g_dir_open(labels, 0, NULL);
    int64_t annotated = 0;
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(labels, name, NULL), *features = g_build_filename("run/features", name, NULL);
        g_autoptr(RmilBag) bag = read_bag(features);
        g_autofree uint8_t *marks = g_malloc((gsize)bag->count);
        GError *error = NULL;
        g_assert_true(rmil_labels_read(path, bag->count, marks, &error));
        for (int64_t i = 0; i < bag->count; i++) annotated += marks[i];
    }
    g_assert_cmpint(annotated, >, 0);
    g_assert_cmpint(test_entries(root, "run/heatmaps"), >, 0);
    command_run(&o, root, "check", "cohort/cohort.csv", "--tile-px", "256", "--tile-mpp", "0.5,2", "--overlap", "64", NULL);
    g_assert_nonnull(strstr(o.out, "tiles: 256 px at 0.5 µm per pixel, 128 µm a side, and around the same centre 256 px at 2, 512 "
                                   "µm, overlapping by 64 px, 32 µm"));
}

/* A slide goes the way of the training, whether one says so or not; what differs is refused with both values. */
static void test_predict(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "predict", "run", "a.tiff", "-o", "slide", "-q", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "predict", "run", "a.h5", "-o", "features", "-q", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "predict", "run", "a.tiff", "-o", "said", "-q", "--tile-px=256", "--tile-mpp=0.5,2", "--overlap=0.25", NULL);
    command_expect(&o, 0, "");
    command_shell(&o, root, "cmp slide/patches/a.csv features/patches/a.csv && cmp slide/patches/a.csv said/patches/a.csv");
    command_expect(&o, 0, "");
    g_assert_true(test_exists(root, "slide/heatmaps/a.png"));
    g_autoptr(RmilTable) patches = test_rows(root, "slide/patches/a.csv");
    g_autofree char *shapes = test_bytes(root, "slide/qupath/a.geojson", NULL), *first = NULL;
    const long x = strtol(test_cell(patches, 0, "x"), NULL, 10), y = strtol(test_cell(patches, 0, "y"), NULL, 10);
    first = g_strdup_printf("[[%ld,%ld],[%ld,%ld],[%ld,%ld]", x, y, x + 256, y, x + 256, y + 256);
    g_assert_nonnull(strstr(shapes, first));
    static const char *const cases[][2] = {
        {"--tile-px=224", "made with --tile-px 256, and --tile-px 224 would "},
        {"--overlap=0", "the model was trained on tiles that overlap by 64 px, and --overlap 0 would "},
        {"--overlap=0.5", "the model was trained on tiles that overlap by 64 px, and --overlap 0.5 would "},
        {"--tile-mpp=0.5", "trained on features of a second magnification of 2 µm per pixel, and --tile-mpp 0.5 would "},
        {"--tile-mpp=0.5,1", "a second magnification of 2 µm per pixel, and --tile-mpp 0.5,1 would "},
        {"--tile-mpp=1,2", "trained on tiles of 0.5 µm per pixel, and --tile-mpp 1,2 would "},
        {"--tile-mpp=x", "--tile-mpp \"x\": give one number"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        command_run(&o, root, "predict", "run", "a.tiff", "-o", "refused", cases[i][0], NULL);
        command_expect(&o, 1, cases[i][1]);
    }
    command_run(&o, root, "predict", "run/runs/rank/0/model.safetensors", "a.tiff", "-o", "alone", NULL); /* says nothing of slides */
    command_expect(&o, 1,
                   "takes 438 features per patch, and a model file does not record how its slides were turned into features. To make "
                   "them");
    command_expect(&o, 1, "The encoder texture, which is used when none is named, makes 219. Give --encoder NAME --weights FILE");
    g_assert_cmpint(test_entries(root, "alone/features"), ==, 0);
}

static void test_refused(void) {
    begin();
    g_auto(Outcome) o = {0};
    static const char *const cases[][2] = {
        {"--overlap=0.95", "--overlap 0.95: give a share of a tile's side, 0 … 0.9, or whole pixels, at most 0.9 of its side"},
        {"--overlap=1.5", "--overlap 1.5: give a share"},
        {"--overlap=220", "--overlap 220 is more than 0.9 of a tile's side, which is 224 px"},
        {"--overlap=-1", "--overlap -1: give a share"},
        {"--tile-px=32", "--tile-px 32 is outside 64 … 1024"},
        {"--tile-px=2000", "--tile-px 2000 is outside 64 … 1024"},
        {"--tile-mpp=0.5,0.5", "--tile-mpp gives the same µm per pixel twice: 0.5"},
        {"--tile-mpp=0.5,", "--tile-mpp \"0.5,\": give one number"},
        {"--tile-mpp=0.5,1,2", "--tile-mpp \"0.5,1,2\": give one number"},
        {"--tile-mpp=0.5,1000", "--tile-mpp 1000 is outside 0.01 … 100"},
        {"--tile-mpp=0", "--tile-mpp 0 is outside 0.01 … 100"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        command_run(&o, root, "tile", "cohort/cohort.csv", "-o", "never", cases[i][0], NULL);
        command_expect(&o, 1, cases[i][1]);
    }
    g_assert_false(test_exists(root, "never"));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/tiles/features", test_features);
    g_test_add_func("/cli/tiles/around", test_around);
    g_test_add_func("/cli/tiles/predict", test_predict);
    g_test_add_func("/cli/tiles/refused", test_refused);
    const int status = g_test_run();
    g_free(root);
    return status;
}
