/* SPDX-License-Identifier: Apache-2.0 */
/* Bags: written, read, refused. */
#include "make.h"

#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static char *in(const char *folder, const char *name) { return g_build_filename(folder, name, NULL); }

static void round_trip(int64_t count, int64_t dim, RmilPrecision precision, gboolean half) {
    g_autofree char *folder = test_folder(), *path = in(folder, "sub/made.h5"), *again = in(folder, "again.h5");
    GError *error = NULL;
    g_autoptr(RmilBag) bag = make_bag(count, dim, precision);
    g_assert_true(rmil_bag_write(bag, path, half, &error));
    g_assert_no_error(error);
    g_autoptr(RmilBag) read = rmil_bag_read(path, NULL, precision, RMIL_BAG_ALL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(read->id, ==, "made");
    compare_bags(bag, read);
    g_autofree char *source = NULL;
    g_assert_true(rmil_bag_source(path, &source, &error));
    g_assert_cmpstr(source, ==, "encoder µ 1");
    g_autoptr(RmilBag) bare = rmil_bag_read(path, "x", precision, RMIL_BAG_NO_FEATURES, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(bare->id, ==, "x");
    g_assert_cmpint(bare->dim, ==, dim);
    g_assert_null(bare->features);
    /* the same bag, the same bytes */
    g_assert_true(rmil_bag_write(read, again, half, &error));
    test_same_file(path, again);
}

static void test_round_trip(void) {
    for (int precision = RMIL_FLOAT32; precision <= RMIL_BFLOAT16; precision++)
        for (int half = FALSE; half <= TRUE; half++) {
            round_trip(1, 1, (RmilPrecision)precision, half);
            round_trip(3, 7, (RmilPrecision)precision, half);
            round_trip(2, 1024, (RmilPrecision)precision, half);
            round_trip(2003, 1025, (RmilPrecision)precision, half); /* several chunks, an odd end */
        }
    round_trip(5, 0, RMIL_FLOAT32, FALSE); /* tiles before they are encoded */
}

static void test_source(void) {
    g_autofree char *folder = test_folder(), *path = test_file(folder, "x.h5", "no HDF5"), *none = in(folder, "none.h5");
    char *source = NULL;
    GError *error = NULL;
    g_assert_true(rmil_bag_source(none, &source, &error));
    g_assert_null(source);
    g_assert_false(rmil_bag_source(path, &source, &error)); /* there, but what it says cannot be told */
    test_error(&error, RMIL_ERROR_FORMAT, "is not an HDF5 file");
    g_assert_null(source);
}

static void test_labels(void) {
    g_autofree char *folder = test_folder(), *path = in(folder, "labels.h5");
    uint8_t labels[5] = {0, 1, 1, 0, 1}, read[5] = {9, 9, 9, 9, 9};
    double shares[5] = {0, 0.5, 1, 0.04, 0.06};
    GError *error = NULL;
    g_assert_true(rmil_labels_write(path, labels, shares, 5, "padding 0", &error));
    g_assert_true(rmil_labels_read(path, 5, read, &error));
    g_assert_true(memcmp(labels, read, 5) == 0);
    g_autofree char *source = NULL;
    g_assert_true(rmil_bag_source(path, &source, &error));
    g_assert_cmpstr(source, ==, "padding 0");
    g_assert_false(rmil_labels_read(path, 4, read, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "/patch_labels has 5 values, but 4 are expected");
    g_assert_false(rmil_labels_write(path, labels, NULL, 0, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "no patches");
    labels[3] = 2;
    g_assert_true(rmil_labels_write(path, labels, NULL, 5, NULL, &error));
    g_assert_false(rmil_labels_read(path, 5, read, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "patch 3 is 2, not 0 or 1");
}

static void test_not_finite(void) {
    const struct {
        float value;
        RmilPrecision precision;
        gboolean half;
        const char *message, *written;
    } cases[] = {{NAN, RMIL_FLOAT32, FALSE, "patch 3, column 4 is not a number", "patch 3, column 4 is not a number"},
                 {-INFINITY, RMIL_FLOAT32, FALSE, "patch 3, column 4 is infinite", "patch 3, column 4 is infinite"},
                 {3.4e38f, RMIL_BFLOAT16, FALSE, "patch 3, column 4 is infinite or too large", NULL},
                 {65520, RMIL_FLOAT32, TRUE, "patch 3, column 4 is infinite or too large",
                  "patch 3, column 4 is 65520, too large for float16: store the features as float32"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *folder = test_folder(), *path = in(folder, "bad.h5");
        GError *error = NULL;
        float values[5 * 9] = {0};
        values[3 * 9 + 4] = cases[i].value;
        hsize_t dims[2] = {5, 9}, coord_dims[2] = {5, 2};
        int64_t coords[10] = {0};
        hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), half = make_half_type();
        uint16_t halves[5 * 9] = {0};
        halves[3 * 9 + 4] = 0x7c00; /* infinity */
        hid_t type = cases[i].half ? half : H5T_IEEE_F32LE;
        H5Dclose(make_dataset(file, "features", type, type, 2, dims, 0, 0, cases[i].half ? (void *)halves : (void *)values));
        H5Dclose(make_dataset(file, "coords", H5T_STD_I64LE, H5T_NATIVE_INT64, 2, coord_dims, 0, 0, coords));
        H5Tclose(half);
        H5Fclose(file);
        g_assert_null(rmil_bag_read(path, NULL, cases[i].precision, RMIL_BAG_ALL, &error));
        test_error(&error, RMIL_ERROR_DATA, cases[i].message);
        g_autoptr(RmilBag) bag = make_bag(5, 9, RMIL_FLOAT32);
        ((float *)bag->features)[3 * 9 + 4] = cases[i].value;
        if (cases[i].precision == RMIL_BFLOAT16) continue;
        g_autofree char *target = in(folder, "target.h5");
        g_assert_false(rmil_bag_write(bag, target, cases[i].half, &error));
        test_error(&error, RMIL_ERROR_DATA, cases[i].written);
        g_assert_false(g_file_test(target, G_FILE_TEST_EXISTS));
    }
}

/* Fails at every possible place of the file, keeps what was there, and leaves nothing behind. */
static void test_disk_full(void) {
    g_autofree char *folder = test_folder(), *path = in(folder, "x.h5");
    GError *error = NULL;
    g_autoptr(RmilBag) small = make_bag(3, 4, RMIL_FLOAT32), big = make_bag(1500, 512, RMIL_FLOAT32);
    g_assert_true(rmil_bag_write(small, path, FALSE, &error));
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    for (rlim_t size = 0; size < 3100000; size = size * 2 + 500) {
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){size, before.rlim_max});
        gboolean written = rmil_bag_write(big, path, FALSE, &error),
                 labels = rmil_labels_write(path, small->patch_labels, NULL, 3, NULL, NULL);
        setrlimit(RLIMIT_FSIZE, &before);
        g_assert_false(written);
        test_error(&error, RMIL_ERROR_IO, "x.h5: cannot be written: File too large");
        if (labels) g_assert_true(rmil_bag_write(small, path, FALSE, &error));
    }
    g_autoptr(RmilBag) read = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_assert_no_error(error);
    compare_bags(small, read);
    g_assert_cmpint(test_entries(folder, "."), ==, 1);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bag/round-trip", test_round_trip);
    g_test_add_func("/bag/source", test_source);
    g_test_add_func("/bag/labels", test_labels);
    g_test_add_func("/bag/not-finite", test_not_finite);
    g_test_add_func("/bag/disk-full", test_disk_full);
    return g_test_run();
}
