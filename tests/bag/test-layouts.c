/* SPDX-License-Identifier: Apache-2.0 */
/* Feature files as other tools lay them out (tests/bag/layouts.py writes the same with h5py). */
#include "layouts.h"

#include <math.h>
#include <string.h>

static RmilBag *read_file(Fixture *f) {
    GError *error = NULL;
    if (f->file >= 0) H5Fclose(f->file);
    f->file = -1;
    RmilBag *bag = rmil_bag_read(f->path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(bag->count, ==, COUNT);
    g_assert_cmpint(bag->dim, ==, DIM);
    g_assert_cmpstr(bag->id, ==, "slide_1");
    g_assert_true(memcmp(bag->features, f->bag->features, COUNT * DIM * 4) == 0);
    return bag;
}

static gboolean convert(const char *from, const char *to, const char *layout, double mpp, GError **error) {
    g_autoptr(RmilBag) bag = rmil_bag_read(from, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, error);
    if (!bag) return FALSE;
    rmil_bag_set_mpp(bag, mpp);
    return rmil_bag_write_as(bag, to, layout, bag->stored_half, error);
}

static void test_clam(Fixture *f, gconstpointer data) {
    put_features(f, "features", 1, 0);
    hid_t coords = put_coords(f);
    make_number(coords, "patch_level", 1);
    make_number(coords, "patch_size", 256);
    make_number(coords, "downsample", 4);
    H5Dclose(coords);
    g_autoptr(RmilBag) bag = read_file(f);
    g_assert_true(memcmp(bag->coords, f->bag->coords, COUNT * 16) == 0);
    g_assert_cmpfloat(bag->patch_size, ==, 256);
    g_assert_cmpfloat(bag->patch_size_level0, ==, 1024);
}

static void test_trident(Fixture *f, gconstpointer gzip) {
    put_features(f, "features", 1, gzip ? 4 : 0);
    put_trident(f);
    g_autoptr(RmilBag) bag = read_file(f);
    g_assert_cmpfloat(bag->patch_size_level0, ==, 448);
    g_assert_cmpfloat(bag->target_mpp, ==, 0.5);
    g_assert_cmpint(bag->slide_width, ==, 60000);
    g_assert_cmpint(bag->slide_height, ==, 50000);
}

static void test_three_axes(Fixture *f, gconstpointer chunk) {
    hsize_t dims[3] = {1, COUNT, DIM}, coord_dims[3] = {1, COUNT, 2};
    H5Dclose(make_dataset(f->file, "features", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 3, dims, chunk ? 7 : 0, chunk ? 1 : 0, f->bag->features));
    H5Dclose(make_dataset(f->file, "coords", H5T_STD_I32LE, H5T_NATIVE_INT64, 3, coord_dims, 0, 0, f->bag->coords));
    g_autoptr(RmilBag) bag = read_file(f);
    g_assert_true(memcmp(bag->coords, f->bag->coords, COUNT * 16) == 0);
}

/* As a tensor in a .pt file may be: features without places. */
static void test_features_alone(Fixture *f, gconstpointer name) {
    put_features(f, name, 0, 0);
    g_autoptr(RmilBag) bag = read_file(f);
    g_assert_null(bag->coords);
    g_assert_cmpfloat(bag->patch_size_level0, ==, 0);
    GError *error = NULL;
    static const char *const layouts[] = {"rankmil", "clam", "trident"};
    for (gsize i = 0; i < G_N_ELEMENTS(layouts); i++) {
        g_autofree char *to = g_build_filename(f->folder, layouts[i], "slide_1.h5", NULL);
        g_assert_true(rmil_bag_write_as(bag, to, layouts[i], FALSE, &error));
        g_assert_no_error(error);
        g_autoptr(RmilBag) again = rmil_bag_read(to, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
        g_assert_no_error(error);
        g_assert_null(again->coords);
        g_assert_true(memcmp(again->features, f->bag->features, COUNT * DIM * 4) == 0);
    }
    g_assert_false(rmil_bag_write_as(bag, f->path, "stamp", FALSE, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "cannot be written: there are no coordinates");
}

/* -- filters --------------------------------------------------------------------------------------------------------------- */

static void test_lzf(Fixture *f, gconstpointer period) {
    const size_t size = COUNT * DIM * 4, step = GPOINTER_TO_SIZE(period);
    guint8 *bytes = f->bag->features;
    for (size_t i = 1000; i < 3500; i++) bytes[i] = bytes[i - step]; /* long copies, which overlap where the period is short */
    g_autoptr(GByteArray) packed = make_lzf(bytes, size, step);
    g_assert_cmpint(packed->len, <, size);
    put_filtered(f, 32000, packed->data, packed->len);
    H5Dclose(put_coords(f));
    g_autoptr(RmilBag) bag = read_file(f);
}

static void test_doubles(Fixture *f, gconstpointer data) {
    H5Dclose(put(f, "features", H5T_IEEE_F64BE, H5T_NATIVE_FLOAT, COUNT, DIM, 0, 0, f->bag->features));
    H5Dclose(put_coords(f));
    g_autoptr(RmilBag) bag = read_file(f);
}

static void test_stamp(Fixture *f, gconstpointer historic) {
    double scale = historic ? 224.0 / 256.0 : 1, micrometres[COUNT * 2];
    for (int i = 0; i < COUNT * 2; i++) micrometres[i] = (double)f->bag->coords[i] * 0.25 * scale;
    put_features(f, "feats", 0, 0);
    H5Dclose(put(f, "coords", H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, COUNT, 2, 0, 0, micrometres));
    if (historic) {
        make_number(f->file, "tile_size", 224);
    } else {
        make_number(f->file, "tile_size_um", 256);
        make_number(f->file, "tile_size_px", 224);
        make_text(f->file, "unit", "um");
        make_text(f->file, "feat_type", "tile");
    }
    g_autoptr(RmilBag) bag = read_file(f);
    g_assert_cmpfloat(bag->target_mpp, ==, 256.0 / 224.0);
    g_assert_cmpfloat(bag->coords_um, ==, 0.001);
    GError *error = NULL;
    g_autofree char *target = g_build_filename(f->folder, "out.h5", NULL);
    g_assert_false(convert(f->path, target, "rankmil", 0, &error));
    test_error(&error, RMIL_ERROR_RESOLUTION, "coordinates are in µm");
    g_assert_true(convert(f->path, target, "rankmil", 0.25, &error));
    rmil_bag_set_mpp(bag, 0.25);
    g_autoptr(RmilBag) out = rmil_bag_read(target, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_assert_no_error(error);
    const RmilBag *both[] = {bag, out};
    for (int k = 0; k < 2; k++) {
        g_assert_cmpfloat(both[k]->patch_size_level0, ==, 1024);
        g_assert_true(memcmp(both[k]->coords, f->bag->coords, COUNT * 16) == 0);
    }
}

static void test_patches(Fixture *f, gconstpointer gzip) {
    const float *features = f->bag->features;
    /* names in the order of their bytes: 0_0, 10_0, 1_0, 2_0 … as h5py lists them */
    int order[COUNT], n = 0;
    for (int first = 0; first < 10; first++) { /* "10_0" before "1_0": '0' sorts before '_' */
        for (int second = 0; second < 10; second++)
            if (first > 0 && first * 10 + second < COUNT) order[n++] = first * 10 + second;
        order[n++] = first;
    }
    g_assert_cmpint(n, ==, COUNT);
    for (int i = COUNT - 1; i >= 0; i--) put_patch(f->file, order[i], 0, H5T_IEEE_F32LE, features + i * DIM, DIM, gzip ? 4 : 0);
    g_autoptr(RmilBag) bag = read_file(f);
    for (int i = 0; i < COUNT; i++) g_assert_cmpint(bag->coords[2 * i], ==, order[i] * 448);
    g_assert_cmpfloat(bag->patch_size_level0, ==, 448);
    GError *error = NULL;
    g_autoptr(RmilBag) bare = rmil_bag_read(f->path, NULL, RMIL_BFLOAT16, RMIL_BAG_NO_FEATURES, &error);
    g_assert_no_error(error);
    g_assert_cmpint(bare->dim, ==, DIM);
    g_assert_null(bare->features);
}

/* There and back in every layout: the same bytes. */
static void test_convert(Fixture *f, gconstpointer data) {
    H5Fclose(f->file);
    GError *error = NULL;
    g_autofree char *other = g_build_filename(f->folder, "made.h5", NULL), *back = g_build_filename(f->folder, "back", "made.h5", NULL);
    g_free(f->bag->id);
    f->bag->id = g_strdup("slide_1");
    for (const char *const *layout = rmil_bag_layouts(); *layout; layout++)
        for (int half = FALSE; half <= TRUE; half++) {
            if (strcmp(*layout, "paper") == 0) continue; /* which has no place for all of it */
            g_assert_true(rmil_bag_write(f->bag, f->path, half, &error));
            g_assert_true(convert(f->path, other, *layout, 0, &error));
            g_assert_no_error(error);
            g_autoptr(RmilBag) there = rmil_bag_read(other, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
            g_assert_no_error(error);
            g_assert_cmpint(there->stored_half, ==, half);
            compare_bags(there, f->bag);
            g_assert_true(convert(other, back, "rankmil", 0, &error));
            test_same_file(f->path, back);
        }
    g_assert_false(convert(f->path, other, "stump", 0, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "no layout named \"stump\" to write; choose one of stamp, trident, clam, rankmil, paper");
}

/* The paper's code's files: as they were, from whatever layout they come; patches in the order of their names, labels beside. */
static void test_to_paper(Fixture *f, gconstpointer half) {
    H5Fclose(f->file);
    GError *error = NULL;
    g_autofree char *other = g_build_filename(f->folder, "made.h5", NULL), *again = g_build_filename(f->folder, "again", "made.h5", NULL),
                    *npy = g_build_filename(f->folder, "made.npy", NULL);
    f->bag->patch_size_level0 = 448; /* at x = 10 + 448 i */
    g_assert_true(rmil_bag_write(f->bag, f->path, half != NULL, &error));
    g_assert_true(convert(f->path, other, "paper", 0, &error));
    g_assert_no_error(error);
    hid_t file = H5Fopen(other, H5F_ACC_RDONLY, H5P_DEFAULT);
    g_assert_true(H5Lexists(file, "0_0", H5P_DEFAULT) > 0 && H5Lexists(file, "49_0", H5P_DEFAULT) > 0 &&
                  H5Lexists(file, "50_0", H5P_DEFAULT) == 0);
    H5Fclose(file);
    g_autoptr(RmilBag) read = rmil_bag_read(other, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(read->count, ==, COUNT);
    g_assert_cmpint(read->stored_half, ==, half != NULL);
    g_assert_cmpfloat(read->patch_size_level0, ==, 448);
    uint8_t labels[COUNT];
    g_assert_true(rmil_labels_read(npy, COUNT, labels, &error));
    for (int i = 0; i < COUNT; i++) { /* "10_0" comes before "2_0" */
        const int64_t from = (read->coords[2 * i] - 10) / 448;
        g_assert_cmpint(read->coords[2 * i], ==, f->bag->coords[2 * from]);
        g_assert_cmpint(read->coords[2 * i + 1], ==, f->bag->coords[2 * from + 1]);
        g_assert_true(memcmp((float *)read->features + i * DIM, (float *)f->bag->features + from * DIM, DIM * 4) == 0);
        g_assert_cmpint(labels[i], ==, f->bag->patch_labels[from]);
    }
    g_assert_cmpint(read->coords[4], ==, 10 + 448 * 11);
    g_assert_true(convert(other, again, "paper", 0, &error));
    test_same_file(other, again);
    f->bag->coords[2] = 100; /* two patches in a cell have one name */
    g_assert_false(rmil_bag_write_as(f->bag, again, "paper", FALSE, &error));
    test_error(&error, RMIL_ERROR_DATA, "patches 0 and 1 lie in the same cell (0_0)");
    f->bag->patch_size_level0 = 0;
    g_assert_false(rmil_bag_write_as(f->bag, again, "paper", FALSE, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "needs features, coordinates in pixels and the patches' size");
}

/* What another tool's file says of its own comes back in that tool's layout. */
static void test_kept(Fixture *f, gconstpointer stamp) {
    GError *error = NULL;
    g_autofree char *ours = g_build_filename(f->folder, "ours", "slide_1.h5", NULL),
                    *back = g_build_filename(f->folder, "back", "slide_1.h5", NULL);
    put_features(f, stamp ? "feats" : "features", 0, 0);
    hid_t coords = put_coords(f);
    if (stamp) {
        make_number(f->file, "tile_size_um", 256);
        make_number(f->file, "tile_size_px", 224);
        make_text(f->file, "extractor", "ctranspath");
    } else {
        make_number(coords, "patch_size", 224);
        make_number(coords, "patch_size_level0", 448);
        make_number(coords, "target_magnification", 20);
        make_number(coords, "overlap", 112);
    }
    H5Dclose(coords);
    H5Fclose(f->file);
    f->file = -1;
    g_assert_true(convert(f->path, ours, "rankmil", 0.5, &error) && convert(ours, back, stamp ? "stamp" : "trident", 0, &error));
    g_assert_no_error(error);
    const char *const both[] = {ours, back};
    for (int i = 0; i < 2; i++) {
        g_autoptr(RmilBag) bag = rmil_bag_read(both[i], NULL, RMIL_FLOAT32, RMIL_BAG_NO_FEATURES, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(bag->extractor, ==, stamp ? "ctranspath" : NULL);
        g_assert_cmpfloat(bag->overlap, ==, stamp ? 0 : 112);
        g_assert_null(bag->source);
    }
    hid_t file = H5Fopen(back, H5F_ACC_RDONLY, H5P_DEFAULT);
    g_assert_true(H5Aexists_by_name(file, stamp ? "." : "coords", stamp ? "extractor" : "overlap", H5P_DEFAULT) > 0);
    H5Fclose(file);
}

/* CLAM's pair of a tensor and its coordinates. */
static void test_pair(Fixture *f, gconstpointer data) {
    H5Fclose(f->file);
    GError *error = NULL;
    g_autofree char *tensor = g_build_filename(f->folder, "clam", "pt_files", "slide_1.pt", NULL),
                    *coords = g_build_filename(f->folder, "clam", "h5_files", "slide_1.h5", NULL),
                    *alone = g_build_filename(f->folder, "alone.pt", NULL), *out = g_build_filename(f->folder, "out.h5", NULL);
    for (int half = FALSE; half <= TRUE; half++) {
        g_assert_true(rmil_bag_write(f->bag, f->path, half, &error));
        g_assert_true(convert(f->path, tensor, "clam", 0, &error) && convert(f->path, coords, "clam", 0, &error));
        g_autoptr(RmilBag) pair = rmil_bag_read(tensor, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(pair->stored_half, ==, half);
        compare_bags(pair, f->bag);
        g_assert_true(convert(tensor, out, "rankmil", 0, &error));
        test_same_file(f->path, out);
        g_autoptr(RmilBag) bare = rmil_bag_read(tensor, NULL, RMIL_BFLOAT16, RMIL_BAG_NO_FEATURES, &error);
        g_assert_no_error(error);
        g_assert_null(bare->features);
        g_assert_cmpint(bare->dim, ==, DIM);
    }
    g_assert_true(convert(f->path, alone, "clam", 0, &error)); /* features alone train, but have no place */
    g_autoptr(RmilBag) bag = rmil_bag_read(alone, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_assert_no_error(error);
    g_assert_null(bag->coords);
    g_assert_true(memcmp(bag->features, f->bag->features, COUNT * DIM * 4) == 0);
    g_assert_true(convert(alone, out, "rankmil", 0, &error));
    g_assert_false(convert(alone, out, "stamp", 0.5, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "there are no coordinates");
    f->bag->count--;
    g_assert_true(rmil_bag_write(f->bag, coords, FALSE, &error));
    f->bag->count++;
    g_assert_null(rmil_bag_read(tensor, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "slide_1.pt: has 50 patches, but the coordinates in ");
}

/* CLAM's feature files do not say how large a patch is: the grid does. */
static void test_spacing(Fixture *f, gconstpointer data) {
    put_features(f, "features", 1, 0);
    H5Dclose(put_coords(f));
    g_autoptr(RmilBag) bag = read_file(f);
    g_assert_cmpfloat(bag->patch_size_level0, ==, 448);
    for (int i = 0; i < COUNT; i++) f->bag->coords[2 * i] += i * i; /* no grid */
    f->file = H5Fcreate(f->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put_features(f, "features", 1, 0);
    H5Dclose(put_coords(f));
    g_autoptr(RmilBag) other = read_file(f);
    g_assert_cmpfloat(other->patch_size_level0, ==, 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    const struct {
        const char *name;
        gconstpointer data;
        void (*run)(Fixture *, gconstpointer);
    } cases[] = {{"/layouts/clam", NULL, test_clam},
                 {"/layouts/trident", NULL, test_trident},
                 {"/layouts/trident-gzip", "", test_trident},
                 {"/layouts/three-axes", NULL, test_three_axes},
                 {"/layouts/three-axes-gzip", "", test_three_axes},
                 {"/layouts/features-alone", "features", test_features_alone},
                 {"/layouts/features-alone-stamp", "feats", test_features_alone},
                 {"/layouts/lzf-1", GSIZE_TO_POINTER(1), test_lzf},
                 {"/layouts/lzf-4", GSIZE_TO_POINTER(4), test_lzf},
                 {"/layouts/lzf-960", GSIZE_TO_POINTER(960), test_lzf},
                 {"/layouts/doubles", NULL, test_doubles},
                 {"/layouts/stamp", NULL, test_stamp},
                 {"/layouts/stamp-historic", "", test_stamp},
                 {"/layouts/patches", NULL, test_patches},
                 {"/layouts/patches-gzip", "", test_patches},
                 {"/layouts/convert", NULL, test_convert},
                 {"/layouts/to-paper", NULL, test_to_paper},
                 {"/layouts/to-paper-half", "", test_to_paper},
                 {"/layouts/kept-trident", NULL, test_kept},
                 {"/layouts/kept-stamp", "", test_kept},
                 {"/layouts/tensor-and-coordinates", NULL, test_pair},
                 {"/layouts/spacing", NULL, test_spacing}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) g_test_add(cases[i].name, Fixture, cases[i].data, set_up, cases[i].run, tear_down);
    return g_test_run();
}
