/* SPDX-License-Identifier: Apache-2.0 */
/* Bags and HDF5 files for tests. */
#include "make.h"

#include <stdlib.h>
#include <string.h>

RmilBag *make_bag(int64_t count, int64_t dim, RmilPrecision precision) {
    RmilBag *bag = g_new0(RmilBag, 1);
    bag->id = g_strdup("made");
    bag->count = count;
    bag->dim = dim;
    bag->precision = precision;
    bag->coords = malloc((size_t)count * 2 * sizeof(int64_t));
    bag->tissue = malloc((size_t)count * sizeof(float));
    bag->patch_labels = malloc((size_t)count);
    bag->features = dim ? malloc((size_t)(count * dim) * (precision == RMIL_BFLOAT16 ? 2 : 4)) : NULL;
    RmilRng rng;
    rmil_rng_init(&rng, 1, (uint64_t)count);
    for (int64_t i = 0; i < count * dim; i++) {
        /* 7 significant bits at exponents −24 … 8: exact in bfloat16, and in float16 where not too small */
        float value = (float)(rmil_rng_below(&rng, 256) - 128) * 0x1p-6f * (i % 5 == 0 ? 0x1p-14f : 1.0f);
        uint32_t bits;
        memcpy(&bits, &value, 4);
        if (precision == RMIL_BFLOAT16) ((uint16_t *)bag->features)[i] = (uint16_t)(bits >> 16);
        else ((uint32_t *)bag->features)[i] = bits;
    }
    for (int64_t i = 0; i < count; i++) {
        bag->coords[2 * i] = 10 + 448 * (i % 100);
        bag->coords[2 * i + 1] = 20 + 448 * (i / 100);
        bag->tissue[i] = (float)(i % 20) / 20;
        bag->patch_labels[i] = i % 3 == 0;
    }
    bag->patch_size = 224;
    bag->patch_size_level0 = 447.5;
    bag->target_mpp = 0.5;
    bag->slide_width = 100000;
    bag->slide_height = 20 + 448 * (count / 100 + 1);
    bag->source = g_strdup("encoder µ 1");
    return bag;
}

static void compare(const void *a, const void *b, int64_t n, size_t size) {
    g_assert_true((a == NULL) == (b == NULL));
    if (a) g_assert_true(memcmp(a, b, (size_t)n * size) == 0);
}

void make_bag_files(const char *folder, int labelled) {
    for (int i = 0; i < 12; i++) {
        g_autoptr(RmilBag) bag = make_bag(4, 3, RMIL_FLOAT32);
        g_autofree char *name = g_strdup_printf("f%d.h5", i), *path = g_build_filename(folder, name, NULL);
        GError *error = NULL;
        bag->coords[0] = 10000 + i;
        memset(bag->patch_labels, 0, 4);
        bag->patch_labels[1] = i < labelled;
        g_assert_true(rmil_bag_write(bag, path, TRUE, &error));
        g_assert_no_error(error);
    }
}

void compare_bags(const RmilBag *a, const RmilBag *b) {
    g_assert_cmpint(a->count, ==, b->count);
    g_assert_cmpint(a->dim, ==, b->dim);
    g_assert_cmpint(a->precision, ==, b->precision);
    compare(a->features, b->features, a->count * a->dim, a->precision == RMIL_BFLOAT16 ? 2 : 4);
    compare(a->coords, b->coords, a->count, 2 * sizeof(int64_t));
    compare(a->tissue, b->tissue, a->count, sizeof(float));
    compare(a->patch_labels, b->patch_labels, a->count, 1);
    g_assert_cmpfloat(a->patch_size, ==, b->patch_size);
    g_assert_cmpfloat(a->patch_size_level0, ==, b->patch_size_level0);
    g_assert_cmpfloat(a->target_mpp, ==, b->target_mpp);
    g_assert_cmpint(a->slide_width, ==, b->slide_width);
    g_assert_cmpint(a->slide_height, ==, b->slide_height);
    g_assert_cmpstr(a->source, ==, b->source);
}

hid_t make_dataset(hid_t file, const char *name, hid_t type, hid_t memory, int rank, const hsize_t *dims, hsize_t chunk, unsigned gzip,
                   const void *values) {
    hid_t space = H5Screate_simple(rank, dims, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk) {
        hsize_t size[8];
        for (int i = 0; i < rank; i++) size[i] = dims[i];
        size[MAX(0, rank - 2)] = chunk;
        H5Pset_chunk(creation, rank, size);
        if (gzip) H5Pset_deflate(creation, gzip);
    }
    hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    g_assert_true(data >= 0);
    if (values) g_assert_true(H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Pclose(creation);
    H5Sclose(space);
    return data;
}

void make_number(hid_t object, const char *name, double value) {
    hid_t space = H5Screate(H5S_SCALAR), id = H5Acreate2(object, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT);
    g_assert_true(H5Awrite(id, H5T_NATIVE_DOUBLE, &value) >= 0);
    H5Aclose(id);
    H5Sclose(space);
}

void make_text(hid_t object, const char *name, const char *text) {
    hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    hid_t id = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    g_assert_true(H5Awrite(id, type, &text) >= 0);
    H5Aclose(id);
    H5Tclose(type);
    H5Sclose(space);
}

hid_t make_half_type(void) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}
