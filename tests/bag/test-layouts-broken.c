/* SPDX-License-Identifier: Apache-2.0 */
/* Broken feature files: each is refused by name, with the reason. */
#include "layouts.h"

#include <string.h>

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
    g_test_add_func("/layouts-broken/each", test_broken);
    g_test_add_func("/layouts-broken/cut", test_cut);
    return g_test_run();
}
