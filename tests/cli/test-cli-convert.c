/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil convert and rankmil cohort as users call them. */
#include "bag/make.h"
#include "command.h"

#include <glib/gstdio.h>
#include <string.h>

static char *at(const char *folder, const char *name) { return g_build_filename(folder, name, NULL); }

static void assert_same_file(const char *folder, const char *a, const char *b) {
    g_autofree char *pa = at(folder, a), *pb = at(folder, b);
    test_same_file(pa, pb);
}

static void write_bag(const char *folder, const char *name, int64_t count, gboolean half) {
    g_autofree char *path = at(folder, name);
    g_autoptr(RmilBag) bag = make_bag(count, 16, RMIL_FLOAT32);
    GError *error = NULL;
    rmil_bag_write(bag, path, half, &error);
    g_assert_no_error(error);
}

static void expect_out(const Outcome *o, const char *part) {
    if (!strstr(o->out, part)) g_error("expected \"%s\" in\n%s", part, o->out);
}

/* Folders there and back through every layout, one file broken. */
static void test_folders(void) {
    static const char *const layouts[] = {"clam", "trident", "stamp", "rankmil"};
    g_autofree char *folder = test_folder();
    g_auto(Outcome) o = {0};
    write_bag(folder, "in/a.h5", 30, FALSE);
    write_bag(folder, "in/b.h5", 7, TRUE);
    for (gsize i = 0; i < G_N_ELEMENTS(layouts); i++) {
        command_run(&o, folder, "convert", "in", "there", "--to", layouts[i], NULL);
        command_expect(&o, 0, "");
        expect_out(&o, "2 of 2 files written as ");
        command_run(&o, folder, "convert", "there", "back", NULL);
        command_expect(&o, 0, "");
        assert_same_file(folder, "in/a.h5", "back/a.h5");
        assert_same_file(folder, "in/b.h5", "back/b.h5");
    }
    /* CLAM's tensors alone find their coordinates */
    command_run(&o, folder, "convert", "in", "clam", "--to", "clam", NULL);
    command_run(&o, folder, "convert", "clam/pt_files", "again", NULL);
    command_expect(&o, 0, "");
    assert_same_file(folder, "in/a.h5", "again/a.h5");
    g_autofree char *broken = test_file(folder, "in/c.h5", "no HDF5");
    command_run(&o, folder, "convert", "in", "three", "--json", NULL);
    command_expect(&o, 1, "in/c.h5: is not an HDF5 file");
    expect_out(&o, "\"written\" : 2");
    assert_same_file(folder, "in/b.h5", "three/b.h5");
}

static void test_files(void) {
    g_autofree char *folder = test_folder();
    g_auto(Outcome) o = {0};
    write_bag(folder, "a.h5", 30, FALSE);
    command_run(&o, folder, "convert", "a.h5", "x/a.pt", NULL);
    command_expect(&o, 0, "");
    expect_out(&o, "1 of 1 files written as clam to x/a.pt");
    command_run(&o, folder, "convert", "a.h5", "half.h5", "--precision", "float16", NULL);
    command_expect(&o, 0, "");
    command_run(&o, folder, "convert", "half.h5", "whole.h5", "--precision", "float32", NULL);
    command_expect(&o, 0, "");
    assert_same_file(folder, "a.h5", "whole.h5"); /* its numbers are halves */
    /* features may be alone, but not where their places are what the layout is about */
    command_run(&o, folder, "convert", "x/a.pt", "from-tensor.h5", NULL);
    command_expect(&o, 0, "");
    command_run(&o, folder, "convert", "from-tensor.h5", "again.pt", NULL);
    command_expect(&o, 0, "");
    assert_same_file(folder, "x/a.pt", "again.pt");
    command_run(&o, folder, "convert", "x/a.pt", "stamp.h5", "--to", "stamp", "--mpp", "0.5", NULL);
    command_expect(&o, 1, "stamp.h5: cannot be written: there are no coordinates");
    g_autofree char *left = at(folder, "stamp.h5");
    g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
}

static void test_micrometres(void) {
    g_autofree char *folder = test_folder(), *path = at(folder, "s.h5"), *out = at(folder, "px.h5");
    const float features[4] = {1, 2, 3, 4}, places[4] = {0, 0, 256, 512};
    const hsize_t dims[2] = {2, 2};
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(make_dataset(file, "feats", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, dims, 0, 0, features));
    H5Dclose(make_dataset(file, "coords", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, dims, 0, 0, places));
    make_number(file, "tile_size_um", 256);
    make_number(file, "tile_size_px", 224);
    H5Fclose(file);
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "convert", "s.h5", "px.h5", NULL);
    command_expect(&o, 1, "coordinates are in µm, but the slide's µm per pixel is not known");
    command_run(&o, folder, "convert", "s.h5", "same.h5", "--to", "stamp", NULL); /* no pixels needed */
    command_expect(&o, 0, "");
    g_autofree char *cohort = test_file(folder, "cohort.csv", "features,mpp\ns.h5,0.5\n");
    for (int way = 0; way < 2; way++) {
        if (way) command_run(&o, folder, "convert", "same.h5", "px.h5", "--mpp", "0.5", NULL);
        else command_run(&o, folder, "convert", "s.h5", "px.h5", "--cohort", "cohort.csv", NULL);
        command_expect(&o, 0, "");
        GError *error = NULL;
        g_autoptr(RmilBag) bag = rmil_bag_read(out, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(bag->coords[2], ==, 512);
        g_assert_cmpint(bag->coords[3], ==, 1024);
        g_assert_cmpfloat(bag->patch_size_level0, ==, 512);
        g_assert_true(memcmp(bag->features, features, sizeof features) == 0);
    }
}

/* CLAM's features know neither mpp nor patch size: the slide says the one, the grid the other. */
static void test_by_slide(void) {
    g_autofree char *folder = test_folder(), *in = at(folder, "in/slide_001.h5"), *out = at(folder, "out/slide_001.h5");
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "synth", "made", "--slides", "4", "--width", "900", "--height", "800", "-q", NULL);
    command_expect(&o, 0, "");
    g_autoptr(RmilBag) bag = make_bag(30, 8, RMIL_FLOAT32);
    bag->patch_size = bag->patch_size_level0 = bag->target_mpp = 0;
    bag->slide_width = bag->slide_height = 0;
    GError *error = NULL;
    rmil_bag_write(bag, in, FALSE, &error);
    g_assert_no_error(error);
    command_run(&o, folder, "convert", "in", "out", "--to", "stamp", NULL);
    command_expect(&o, 1, "slide_001.h5: cannot be written: STAMP's coordinates are in µm, but the slide's µm per pixel is not known");
    command_run(&o, folder, "convert", "in", "out", "--to", "stamp", "--cohort", "made/cohort.csv", NULL);
    command_expect(&o, 0, "");
    g_autoptr(RmilBag) stamp = rmil_bag_read(out, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(stamp->mpp, ==, 0.5);
    g_assert_cmpfloat(stamp->patch_size_level0, ==, 448);
    g_assert_true(memcmp(stamp->coords, bag->coords, 30 * 16) == 0);
}

static void test_wrong(void) {
    g_autofree char *folder = test_folder();
    g_auto(Outcome) o = {0};
    write_bag(folder, "a.h5", 3, FALSE);
    g_autofree char *empty = at(folder, "empty");
    g_mkdir(empty, 0777);
    command_run(&o, folder, "convert", "a.h5", NULL);
    command_expect(&o, 2, "usage: rankmil convert");
    command_run(&o, folder, "convert", "a.h5", "b.h5", "--to", "stump", NULL);
    command_expect(&o, 1, "--to \"stump\" is not one of stamp, trident, clam, rankmil, paper");
    command_run(&o, folder, "convert", "a.h5", "b.pt", "--to", "trident", NULL);
    command_expect(&o, 1, "b.pt: a .pt file has CLAM's layout, not ");
    command_run(&o, folder, "convert", "a.h5", "b.h5", "--precision", "float8", NULL);
    command_expect(&o, 1, "--precision \"float8\" is neither");
    command_run(&o, folder, "convert", "a.h5", "a.h5", NULL);
    command_expect(&o, 1, "a.h5: input and output are the same file: give another output");
    command_run(&o, folder, "convert", ".", "a.h5", NULL);
    command_expect(&o, 1, "a.h5: is a file, but a folder is converted into a folder: name a folder");
    command_run(&o, folder, "convert", "empty", "out", NULL);
    command_expect(&o, 1, "empty: contains no feature files");
    command_run(&o, folder, "convert", "gone.h5", "b.h5", NULL);
    command_expect(&o, 1, "gone.h5: cannot be opened: No such file");
    command_run(&o, folder, "cohort", "camelyon", ".", NULL);
    command_expect(&o, 1, "choose one of camelyon16, digestpath, class-folders");
    command_run(&o, folder, "cohort", "camelyon16", "empty", NULL);
    command_expect(&o, 1, "contains no slides in training/normal");
}

/* From a data set's folders to the report, nothing edited in between. */
static void test_to_report(gconstpointer layout) {
    g_autofree char *folder = test_folder(), *report = at(folder, "run/report.html");
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "synth", "data", "--layout", layout, "--slides", "10", "--width", "1500", "--height", "1300", "--positive",
                "0.5", "--quiet", NULL);
    command_expect(&o, 0, "");
    command_run(&o, folder, "cohort", layout, "data", NULL);
    command_expect(&o, 0, "");
    expect_out(&o, "cohort.csv: 10 rows: 5 positive, 5 of them annotated, 5 negative; ");
    command_run(&o, folder, "check", "cohort.csv", NULL);
    command_expect(&o, 0, "");
    expect_out(&o, "nothing wrong was found");
    command_run(&o, folder, "run", "cohort.csv", "-o", "run", "--epochs", "2", "--quiet", NULL);
    command_expect(&o, 0, "");
    g_assert_true(g_file_test(report, G_FILE_TEST_EXISTS));
}

/* Training and prediction take foreign files as they are: the same model, to the byte. */
static void test_train(void) {
    static const char script[] = "set -e\n"
                                 "$RANKMIL synth f --features --slides 14 --scale 0.004 --dim 16 -q\n"
                                 "$RANKMIL convert f/features f/clam --to clam -q\n"
                                 "$RANKMIL convert f/features f/stamp --to stamp -q\n"
                                 "sed 's#features/\\([^,]*\\).h5#clam/pt_files/\\1.pt#' f/cohort.csv > f/clam.csv\n"
                                 "sed 's#features/\\([^,]*\\).h5#stamp/\\1.h5#' f/cohort.csv > f/stamp.csv\n"
                                 "for c in cohort clam stamp; do $RANKMIL train f/$c.csv -o run-$c --guide rank --epochs 1 -q; done\n"
                                 "$RANKMIL predict run-clam f/clam/pt_files/test_001.pt -o predicted -q\n";
    g_autofree char *folder = test_folder(), *overlay = at(folder, "predicted/qupath/test_001.geojson");
    g_auto(Outcome) o = {0};
    command_shell(&o, folder, script);
    command_expect(&o, 0, "");
    assert_same_file(folder, "run-cohort/model.safetensors", "run-clam/model.safetensors");
    assert_same_file(folder, "run-cohort/model.safetensors", "run-stamp/model.safetensors");
    g_assert_true(g_file_test(overlay, G_FILE_TEST_EXISTS));
    /* STAMP's own files do not say how many µm a pixel has: told, they have places; untold, a probability all the same */
    g_autofree char *path = at(folder, "s.h5"), *places = at(folder, "placed/qupath/s.geojson"),
                    *none = at(folder, "placeless/qupath/s.geojson");
    float features[3 * 16] = {0}, coords[6] = {0, 0, 112, 0, 224, 0};
    const hsize_t dims[2] = {3, 16}, coord_dims[2] = {3, 2};
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(make_dataset(file, "feats", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, dims, 0, 0, features));
    H5Dclose(make_dataset(file, "coords", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, coord_dims, 0, 0, coords));
    make_number(file, "tile_size_um", 112);
    make_number(file, "tile_size_px", 224);
    H5Fclose(file);
    command_run(&o, folder, "predict", "run-clam", "s.h5", "-o", "placed", "--mpp", "0.25", NULL);
    command_expect(&o, 0, "");
    expect_out(&o, "probability");
    g_assert_true(g_file_test(places, G_FILE_TEST_EXISTS));
    g_autofree char *scores = at(folder, "placed/patches/s.csv"), *text = NULL;
    g_assert_true(g_file_get_contents(scores, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "\n1,448,0,"));
    command_run(&o, folder, "predict", "run-clam", "s.h5", "-o", "placeless", NULL);
    command_expect(&o, 0,
                   "s: coordinates are in µm, but the slide's µm per pixel is not known: give --mpp or fill the cohort's mpp "
                   "column");
    expect_out(&o, "probability");
    g_assert_false(g_file_test(none, G_FILE_TEST_EXISTS));
}

/* Files of the tools themselves, where there is a Python with h5py and PyTorch. */
static void test_peers(void) {
    static const char *const inputs[] = {"trident.h5", "clam.h5",       "clam/pt_files/slide.pt", "clam",
                                         "legacy.pt",  "dictionary.pt", "one_bag_axis.h5",        "stamp.h5",
                                         "patches.h5"};
    const char *python = g_getenv("RMIL_PEER_PYTHON"), *source = g_getenv("RMIL_SOURCE");
    if (!python) {
        g_test_skip("RMIL_PEER_PYTHON names no Python with h5py and PyTorch");
        return;
    }
    g_autofree char *folder = test_folder(), *script = g_build_filename(source, "tests", "bag", "layouts.py", NULL);
    g_autofree char *write = g_strdup_printf("%s %s write . 200", python, script),
                    *check = g_strdup_printf("%s %s check .", python, script);
    g_auto(Outcome) o = {0};
    command_shell(&o, folder, write);
    command_expect(&o, 0, "");
    for (gsize i = 0; i < G_N_ELEMENTS(inputs); i++) {
        command_run(&o, folder, "convert", inputs[i], "out", "--mpp", "0.25", NULL);
        command_expect(&o, 0, "");
    }
    command_run(&o, folder, "convert", "trident.h5", "to_clam", "--to", "clam", NULL);
    command_expect(&o, 0, "");
    command_run(&o, folder, "convert", "trident.h5", "to_trident", "--to", "trident", NULL);
    command_expect(&o, 0, "");
    command_run(&o, folder, "convert", "trident.h5", "to_stamp", "--to", "stamp", NULL);
    command_expect(&o, 0, "");
    command_shell(&o, folder, check);
    command_expect(&o, 0, "");
    expect_out(&o, "the same");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/convert/folders", test_folders);
    g_test_add_func("/cli/convert/files", test_files);
    g_test_add_func("/cli/convert/micrometres", test_micrometres);
    g_test_add_func("/cli/convert/by-slide", test_by_slide);
    g_test_add_func("/cli/convert/wrong", test_wrong);
    g_test_add_func("/cli/convert/train", test_train);
    g_test_add_func("/cli/convert/peers", test_peers);
    g_test_add_data_func("/cli/cohort/camelyon16-to-report", "camelyon16", test_to_report);
    g_test_add_data_func("/cli/cohort/digestpath-to-report", "digestpath", test_to_report);
    return g_test_run();
}
