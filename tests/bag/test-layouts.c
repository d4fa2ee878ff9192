/* SPDX-License-Identifier: Apache-2.0 */
/* Feature files as other tools lay them out (tests/bag/layouts.py writes the same with h5py), and broken ones. */
#include "tensors/torch-files.h"
#include "make.h"

#include <math.h>
#include <string.h>

typedef struct {
    char *folder, *path;
    hid_t file;
    RmilBag *bag; /* what the files are made from */
} Fixture;

#define COUNT 50
#define DIM 24

static void set_up(Fixture *f, gconstpointer data) {
    f->folder = test_folder();
    f->path = g_build_filename(f->folder, "slide_1.h5", NULL);
    f->file = H5Fcreate(f->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    f->bag = make_bag(COUNT, DIM, RMIL_FLOAT32);
}

static void tear_down(Fixture *f, gconstpointer data) {
    rmil_bag_free(f->bag);
    g_free(f->folder);
    g_free(f->path);
}

static hid_t put(Fixture *f, const char *name, hid_t type, hid_t memory, hsize_t rows, hsize_t columns, hsize_t chunk, unsigned gzip,
                 const void *values) {
    hsize_t dims[2] = {rows, columns};
    return make_dataset(f->file, name, type, memory, 2, dims, chunk, gzip, values);
}

static void put_features(Fixture *f, const char *name, hsize_t chunk, unsigned gzip) {
    H5Dclose(put(f, name, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, COUNT, DIM, chunk, gzip, f->bag->features));
}

static hid_t put_coords(Fixture *f) { return put(f, "coords", H5T_STD_I64LE, H5T_NATIVE_INT64, COUNT, 2, 1, 0, f->bag->coords); }

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

static void put_trident(Fixture *f) {
    hid_t coords = put_coords(f);
    make_number(coords, "patch_size", 224);
    make_number(coords, "patch_size_level0", 448);
    make_number(coords, "level0_magnification", 40);
    make_number(coords, "target_magnification", 20);
    make_number(coords, "level0_width", 60000);
    make_number(coords, "level0_height", 50000);
    make_text(coords, "name", "slide_1");
    H5Dclose(coords);
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
static size_t same(unsigned flags, size_t n, const unsigned *parameters, size_t size, size_t *allocated, void **buffer) { return size; }

/* A dataset of one chunk that holds `bytes` as they are, through filter `id`. */
static void put_filtered(Fixture *f, int id, const void *bytes, size_t size) {
    hsize_t dims[2] = {COUNT, DIM};
    const unsigned parameters[] = {4, 0x0105, COUNT * DIM * 4};
    const H5Z_class2_t filter = {H5Z_CLASS_T_VERS, id, 1, 1, "a test's", NULL, NULL, same}; /* while the file is made */
    g_assert_true(H5Zregister(&filter) >= 0);
    hid_t space = H5Screate_simple(2, dims, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 2, dims);
    g_assert_true(H5Pset_filter(creation, id, H5Z_FLAG_OPTIONAL, 3, parameters) >= 0);
    hid_t data = H5Dcreate2(f->file, "features", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    g_assert_true(H5Dwrite_chunk(data, H5P_DEFAULT, 0, (hsize_t[]){0, 0}, size, bytes) >= 0);
    H5Dclose(data);
    H5Pclose(creation);
    H5Sclose(space);
    H5Fclose(f->file);
    g_assert_true(H5Zunregister(id) >= 0);
    f->file = H5Fopen(f->path, H5F_ACC_RDWR, H5P_DEFAULT);
}

/* LZF: literals, and copies of what repeats with a period of `period` bytes. */
static GByteArray *make_lzf(const guint8 *bytes, size_t size, size_t period) {
    GByteArray *out = g_byte_array_new();
    for (size_t at = 0, length; at < size; at += length) {
        for (length = 0; at >= period && at + length < size && length < 264 && bytes[at + length] == bytes[at + length - period];) length++;
        if (length < 3) {
            length = MIN(size - at, 5);
            add_byte(out, (guint8)(length - 1));
            g_byte_array_append(out, bytes + at, (guint)length);
            continue;
        }
        const guint8 far = (guint8)((period - 1) >> 8);
        add_byte(out, (guint8)(MIN(length - 2, 7) << 5 | far));
        if (length >= 9) add_byte(out, (guint8)(length - 9));
        add_byte(out, (guint8)((period - 1) & 255));
    }
    return out;
}

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

static void lzf_cut(Fixture *f) {
    g_autoptr(GByteArray) packed = make_lzf(f->bag->features, COUNT * DIM * 4, 4);
    put_filtered(f, 32000, packed->data, packed->len - 3);
}
static void lzf_too_far(Fixture *f) {
    put_filtered(f, 32000,
                 "\0a\x3f\xff"
                 "aaaaaaaaaaaaaaaaaaaaaaaa",
                 28);
}
static void filtered_zstd(Fixture *f) { put_filtered(f, 32015, f->bag->features, 100); }
static void filtered_unknown(Fixture *f) { put_filtered(f, 31999, f->bag->features, 100); }

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

static void put_patch(hid_t file, int column, int row, hid_t type, const float *feature, int dim, unsigned gzip) {
    g_autofree char *name = g_strdup_printf("%d_%d", column, row);
    hsize_t dims[1] = {(hsize_t)dim};
    hid_t data = make_dataset(file, name, type, H5T_NATIVE_FLOAT, 1, dims, gzip ? dims[0] : 0, gzip, feature);
    make_number(data, "col", column);
    make_number(data, "row", row);
    make_number(data, "x_min", column * 448);
    make_number(data, "y_min", row * 448);
    make_number(data, "x_max", column * 448 + 448);
    make_number(data, "y_max", row * 448 + 440);
    H5Dclose(data);
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

/* -- broken files ------------------------------------------------------------------------------------------------------- */
typedef void (*Breaker)(Fixture *f);
static void no_datasets(Fixture *f) {}
static void one_axis(Fixture *f) {
    hsize_t dims[1] = {COUNT};
    H5Dclose(make_dataset(f->file, "features", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, dims, 0, 0, f->bag->features));
}
static void no_patches(Fixture *f) { H5Dclose(put(f, "features", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 0, DIM, 0, 0, NULL)); }
static void integers(Fixture *f) { H5Dclose(put(f, "features", H5T_STD_I64LE, H5T_NATIVE_INT64, COUNT, 2, 0, 0, f->bag->coords)); }
static void text(Fixture *f) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Dclose(put(f, "features", type, type, COUNT, 2, 0, 0, f->bag->features));
    H5Tclose(type);
}
static void too_wide(Fixture *f) { H5Dclose(put(f, "features", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, 70000, 1, 1, NULL)); }
static void unwritten(Fixture *f) { H5Dclose(put(f, "features", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 9000000, 60000, 100, 1, NULL)); }
static void fewer_coords(Fixture *f) {
    put_features(f, "features", 0, 0);
    H5Dclose(put(f, "coords", H5T_STD_I64LE, H5T_NATIVE_INT64, COUNT - 1, 2, 0, 0, f->bag->coords));
}
static void float_coords(Fixture *f) {
    put_features(f, "features", 0, 0);
    H5Dclose(put(f, "coords", H5T_IEEE_F64LE, H5T_NATIVE_INT64, COUNT, 2, 0, 0, f->bag->coords));
}
static void outside(Fixture *f) {
    put_features(f, "features", 0, 0);
    f->bag->coords[9] = 50000;
    put_trident(f);
}
static void many_labels(Fixture *f) {
    put_features(f, "features", 0, 0);
    H5Dclose(put_coords(f));
    H5Dclose(put(f, "patch_labels", H5T_STD_U8LE, H5T_NATIVE_INT64, COUNT, 2, 0, 0, f->bag->coords));
}
static void other_labels(Fixture *f) {
    hsize_t dims[1] = {COUNT};
    f->bag->patch_labels[6] = 3;
    put_features(f, "features", 0, 0);
    H5Dclose(put_coords(f));
    H5Dclose(make_dataset(f->file, "patch_labels", H5T_STD_I64LE, H5T_NATIVE_UINT8, 1, dims, 0, 0, f->bag->patch_labels));
}
static void absurd_coords(Fixture *f) {
    put_features(f, "features", 0, 0);
    f->bag->coords[9] = INT64_MIN;
    H5Dclose(put_coords(f));
}
static void negative_size(Fixture *f) {
    put_features(f, "features", 0, 0);
    hid_t coords = put_coords(f);
    make_number(coords, "patch_size_level0", -448);
    H5Dclose(coords);
}
static void odd_tissue(Fixture *f) {
    const float tissue[COUNT] = {0, 0.5f, 1, 1.5f};
    hsize_t dims[1] = {COUNT};
    put_features(f, "features", 0, 0);
    H5Dclose(put_coords(f));
    H5Dclose(make_dataset(f->file, "tissue", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, dims, 0, 0, tissue));
}
static void large_chunks(Fixture *f) { H5Dclose(put(f, "features", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 9000000, 60000, 5000, 0, NULL)); }
static void immense(Fixture *f) { H5Dclose(put(f, "features", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 9000000000, 60000, 100, 1, NULL)); }
static void group(Fixture *f) { H5Gclose(H5Gcreate2(f->file, "features", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)); }
static void linked(Fixture *f) { H5Lcreate_external("/etc/hostname", "/x", f->file, "features", H5P_DEFAULT, H5P_DEFAULT); }
static void stamp_untold(Fixture *f) {
    put_features(f, "feats", 0, 0);
    H5Dclose(put_coords(f));
}
static void stamp_slide(Fixture *f) {
    stamp_untold(f);
    make_text(f->file, "feat_type", "slide");
}
static void uneven_patches(Fixture *f) {
    put_patch(f->file, 1, 1, H5T_IEEE_F32LE, f->bag->features, DIM, 0);
    put_patch(f->file, 2, 1, H5T_IEEE_F32LE, f->bag->features, DIM - 1, 0);
}
static void placeless_patch(Fixture *f) {
    put_patch(f->file, 1, 1, H5T_IEEE_F32LE, f->bag->features, DIM, 0);
    H5Dclose(put(f, "2_1", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, DIM, 0, 0, f->bag->features));
}
static void image_patch(Fixture *f) {
    hsize_t dims[3] = {4, 4, 3};
    hid_t data = make_dataset(f->file, "0_0", H5T_STD_U8LE, H5T_NATIVE_UINT8, 3, dims, 0, 0, f->bag->coords);
    make_number(data, "x_min", 0);
    H5Dclose(data);
}

static void test_broken(void) {
    const struct {
        Breaker make;
        RmilErrorCode code;
        const char *message;
    } cases[] = {
        {no_datasets, RMIL_ERROR_FORMAT, "is not a feature file that rankmil knows (docs/formats.md): there is no dataset /features"},
        {lzf_cut, RMIL_ERROR_IO, "/features cannot be read: its data are damaged"},
        {lzf_too_far, RMIL_ERROR_IO, "/features cannot be read: its data are damaged"},
        {filtered_zstd, RMIL_ERROR_FORMAT, "/features is compressed with zstd (HDF5 filter 32015), which is not installed here"},
        {filtered_unknown, RMIL_ERROR_FORMAT, "(HDF5 filter 31999), which is not installed here"},
        {one_axis, RMIL_ERROR_FORMAT, "/features has 1 axes"},
        {no_patches, RMIL_ERROR_DATA, "/features holds no patches"},
        {integers, RMIL_ERROR_FORMAT, "/features contains integers; features must be float16 or float32"},
        {text, RMIL_ERROR_FORMAT, "/features does not contain numbers"},
        {too_wide, RMIL_ERROR_FORMAT, "/features is incomplete"},
        {unwritten, RMIL_ERROR_FORMAT, "/features is incomplete"},
        {fewer_coords, RMIL_ERROR_FORMAT, "/coords has 49 rows, but the features have 50"},
        {float_coords, RMIL_ERROR_FORMAT, "/coords does not contain integers"},
        {outside, RMIL_ERROR_FORMAT,
         "patch 4 at (1802, 50000) lies outside the slide of 60000 × 50000 px: coordinates must be level-0 pixels"},
        {absurd_coords, RMIL_ERROR_FORMAT, "/coords: patch 4 has coordinates that no slide can have: they must be level-0 pixels"},
        {negative_size, RMIL_ERROR_FORMAT, "/coords: its attribute patch_size_level0 is -448; it must not be negative"},
        {odd_tissue, RMIL_ERROR_FORMAT, "/tissue of patch 3 is 1.5, not a fraction from 0 to 1"},
        {large_chunks, RMIL_ERROR_FORMAT, "/features is stored in chunks of more than 1 GiB"},
        {immense, RMIL_ERROR_FORMAT, "/features claims to hold more than 64 TiB: the file is damaged"},
        {group, RMIL_ERROR_FORMAT, "/features is not a dataset (a group, for instance), or is damaged"},
        {many_labels, RMIL_ERROR_FORMAT, "/patch_labels has 100 values, but 50 are expected"},
        {other_labels, RMIL_ERROR_FORMAT, "/patch_labels of patch 6 is 3, not 0 or 1"},
        {linked, RMIL_ERROR_FORMAT, "/features is a link, which rankmil does not follow"},
        {stamp_untold, RMIL_ERROR_FORMAT, "does not say the size of its tiles"},
        {stamp_slide, RMIL_ERROR_DATA, "contains features of kind \"slide\""},
        {uneven_patches, RMIL_ERROR_FORMAT, "/2_1 has 23 columns, but the patches before it have 24"},
        {placeless_patch, RMIL_ERROR_FORMAT, "/2_1 has no usable attribute x_min"},
        {image_patch, RMIL_ERROR_FORMAT, "/0_0 is not one feature vector per patch (images and regions are not supported)"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Fixture f;
        set_up(&f, NULL);
        cases[i].make(&f);
        H5Fclose(f.file);
        GError *error = NULL;
        g_assert_null(rmil_bag_read(f.path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error));
        g_assert_nonnull(strstr(error->message, "slide_1.h5"));
        test_error(&error, cases[i].code, cases[i].message);
        tear_down(&f, NULL);
    }
}

/* -- PyTorch files --------------------------------------------------------------------------------------------------------- */
static void write_tensors(const char *path, const GByteArray *pickle, const void *numbers, guint size) {
    GByteArray *data = g_byte_array_new();
    g_byte_array_append(data, numbers, size);
    const char *const names[] = {"archive/data.pkl", "archive/data/0"};
    GByteArray *const contents[] = {(GByteArray *)pickle, data};
    g_autoptr(GByteArray) zip = make_zip(names, contents, 2, FALSE);
    g_assert_true(g_file_set_contents(path, (const char *)zip->data, zip->len, NULL));
    g_byte_array_unref(data);
}

static GByteArray *one_tensor(const char *type, int64_t count, int rank, const int64_t *shape) {
    GByteArray *pickle = g_byte_array_new();
    int64_t strides[4], stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= shape[i];
    }
    add_byte(pickle, 0x80);
    add_byte(pickle, 2);
    add_tensor(pickle, type, "0", count, FALSE, 0, rank, shape, strides);
    add(pickle, ".");
    return pickle;
}

static void refuse_tensor(const char *path, GByteArray *pickle, const float *numbers, const char *message) {
    GError *error = NULL;
    write_tensors(path, pickle, numbers, 12 * sizeof *numbers);
    g_assert_null(rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, "bad.pt: "));
    if (!strstr(error->message, message)) g_error("expected \"%s\", got \"%s\"", message, error->message);
    g_clear_error(&error);
    g_byte_array_unref(pickle);
}

static void test_broken_tensors(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "bad.pt", NULL);
    const float good[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    float infinite[12];
    memcpy(infinite, good, sizeof good);
    infinite[7] = INFINITY;
    GByteArray *hostile = g_byte_array_new();
    add(hostile, "cos\nsystem\n(");
    add_text(hostile, "true");
    add(hostile, "tR.");
    refuse_tensor(
        path, hostile, good,
        "contains an object of the kind os.system, which is not a tensor, and rankmil never runs anything in a file: save the features "
        "as torch.save(features, path)");
    refuse_tensor(path, one_tensor("FloatStorage", 12, 1, (const int64_t[]){12}), good, "the tensor has 1 axes");
    refuse_tensor(path, one_tensor("FloatStorage", 12, 3, (const int64_t[]){2, 2, 3}), good, "the tensor has 3 axes");
    refuse_tensor(path, one_tensor("FloatStorage", 12, 2, (const int64_t[]){0, 3}), good, "holds no patches");
    refuse_tensor(path, one_tensor("FloatStorage", 12, 2, (const int64_t[]){4, 0}), good, "has no columns");
    refuse_tensor(path, one_tensor("IntStorage", 12, 2, (const int64_t[]){4, 3}), good,
                  "holds I32; features must be floating-point "
                  "numbers");
    refuse_tensor(path, one_tensor("FloatStorage", 12, 2, (const int64_t[]){4, 3}), infinite, "patch 2, column 1 is infinite");
    refuse_tensor(path, one_tensor("FloatStorage", INT64_C(1) << 40, 2, (const int64_t[]){INT64_C(1) << 30, 1024}), good,
                  "storage 0 has 48 bytes, but the pickle says ");
    GByteArray *empty = g_byte_array_new();
    begin_dict(empty);
    end_dict(empty);
    refuse_tensor(path, empty, good, "is neither a tensor of features nor a dictionary with \"features\"");
    GByteArray *list = g_byte_array_new(); /* [tensor] */
    add(list, "](");
    add_tensor(list, "FloatStorage", "0", 12, FALSE, 0, 2, (const int64_t[]){4, 3}, (const int64_t[]){3, 1});
    add(list, "e.");
    refuse_tensor(path, list, good, "contains a list, which is not a tensor, and rankmil never runs anything in a file: ");
    GByteArray *places = g_byte_array_new(); /* coordinates that are neither a tensor nor an array are not left out in silence */
    begin_dict(places);
    add_text(places, "features");
    add_tensor(places, "FloatStorage", "0", 12, FALSE, 0, 2, (const int64_t[]){4, 3}, (const int64_t[]){3, 1});
    add_text(places, "coords");
    add(places, "]");
    end_dict(places);
    refuse_tensor(path, places, good, "its \"coords\" is a list");
    /* cut anywhere */
    GError *error = NULL;
    g_autoptr(GByteArray) pickle = one_tensor("FloatStorage", 12, 2, (const int64_t[]){4, 3});
    write_tensors(path, pickle, good, sizeof good);
    g_autofree char *bytes = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &bytes, &size, NULL));
    for (gsize cut = 0; cut < size; cut += 7) {
        g_assert_true(g_file_set_contents(path, bytes, (gssize)cut, NULL));
        g_assert_null(rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error));
        test_error(&error, RMIL_ERROR_FORMAT, "bad.pt: ");
    }
}

static void test_dictionary(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "both.pt", NULL);
    const float numbers[12] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 448, 896, 448};
    for (int wrong = FALSE; wrong <= TRUE; wrong++) {
        g_autoptr(GByteArray) pickle = g_byte_array_new();
        begin_dict(pickle);
        add_text(pickle, "feats");
        add_tensor(pickle, "FloatStorage", "0", 12, FALSE, 0, 2, (const int64_t[]){2, 4}, (const int64_t[]){4, 1});
        add_text(pickle, "coords");
        add_tensor(pickle, "FloatStorage", "0", 12, FALSE, 8, 2, wrong ? (const int64_t[]){1, 2} : (const int64_t[]){2, 2},
                   (const int64_t[]){2, 1});
        end_dict(pickle);
        write_tensors(path, pickle, numbers, sizeof numbers);
        GError *error = NULL;
        g_autoptr(RmilBag) bag = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
        if (wrong) {
            test_error(&error, RMIL_ERROR_FORMAT, "\"coords\" is not patches × 2 for the 2 patches");
            continue;
        }
        g_assert_no_error(error);
        g_assert_true(memcmp(bag->features, numbers, 32) == 0);
        const int64_t coords[] = {0, 448, 896, 448};
        g_assert_true(memcmp(bag->coords, coords, sizeof coords) == 0);
    }
}

/* Cut at any place, a file is refused or gives the same numbers; never anything else. */
static void test_cut(void) {
    Fixture f;
    set_up(&f, NULL);
    H5Fclose(f.file);
    GError *error = NULL;
    g_assert_true(rmil_bag_write(f.bag, f.path, FALSE, &error));
    g_autofree char *bytes = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(f.path, &bytes, &size, NULL));
    for (gsize cut = 0; cut < size; cut += 97) {
        g_assert_true(g_file_set_contents(f.path, bytes, (gssize)cut, NULL));
        g_assert_null(rmil_bag_read(f.path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error));
        test_error(&error, RMIL_ERROR_FORMAT, "slide_1.h5: ");
    }
    g_autofree char *gone = g_build_filename(f.folder, "none.h5", NULL);
    g_assert_null(rmil_bag_read(gone, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error));
    test_error(&error, RMIL_ERROR_IO, "none.h5: cannot be opened: No such file");
    g_assert_null(rmil_bag_read(f.folder, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error));
    test_error(&error, RMIL_ERROR_IO, "is not a regular file");
    tear_down(&f, NULL);
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
    g_test_add_func("/layouts/broken", test_broken);
    g_test_add_func("/layouts/broken-tensors", test_broken_tensors);
    g_test_add_func("/layouts/dictionary-of-tensors", test_dictionary);
    g_test_add_func("/layouts/cut", test_cut);
    return g_test_run();
}
