/* SPDX-License-Identifier: Apache-2.0 */
/* Files for the tests of layouts. */
#include "layouts.h"

void set_up(Fixture *f, gconstpointer data) {
    f->folder = test_folder();
    f->path = g_build_filename(f->folder, "slide_1.h5", NULL);
    f->file = H5Fcreate(f->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    f->bag = make_bag(COUNT, DIM, RMIL_FLOAT32);
}

void tear_down(Fixture *f, gconstpointer data) {
    rmil_bag_free(f->bag);
    g_free(f->folder);
    g_free(f->path);
}

hid_t put(Fixture *f, const char *name, hid_t type, hid_t memory, hsize_t rows, hsize_t columns, hsize_t chunk, unsigned gzip,
          const void *values) {
    hsize_t dims[2] = {rows, columns};
    return make_dataset(f->file, name, type, memory, 2, dims, chunk, gzip, values);
}

void put_features(Fixture *f, const char *name, hsize_t chunk, unsigned gzip) {
    H5Dclose(put(f, name, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, COUNT, DIM, chunk, gzip, f->bag->features));
}

hid_t put_coords(Fixture *f) { return put(f, "coords", H5T_STD_I64LE, H5T_NATIVE_INT64, COUNT, 2, 1, 0, f->bag->coords); }

void put_trident(Fixture *f) {
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

void put_patch(hid_t file, int column, int row, hid_t type, const float *feature, int dim, unsigned gzip) {
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

static size_t same(unsigned flags, size_t n, const unsigned *parameters, size_t size, size_t *allocated, void **buffer) { return size; }

void put_filtered(Fixture *f, int id, const void *bytes, size_t size) {
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

GByteArray *make_lzf(const guint8 *bytes, size_t size, size_t period) {
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
