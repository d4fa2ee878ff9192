/* SPDX-License-Identifier: Apache-2.0 */
/* The features of a cohort in memory; NumPy's files. */
#include "bag/make.h"
#include "rankmil/cohort.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLIDES 6
#define DIM 64

typedef struct {
    char *folder, *cache, *labels;
    RmilBag *bags[SLIDES];
    RmilCohort *cohort;
} Fixture;

static char *slide_path(const Fixture *f, int i) {
    g_autofree char *name = g_strdup_printf("s%d.h5", i);
    return g_build_filename(f->folder, name, NULL);
}

static void set_up(Fixture *f, gconstpointer data) {
    f->folder = test_folder();
    f->cache = g_build_filename(f->folder, "cache", NULL);
    f->labels = g_build_filename(f->folder, "labels", NULL);
    g_autoptr(GString) text = g_string_new("features,label\n");
    GError *error = NULL;
    for (int i = 0; i < SLIDES; i++) {
        f->bags[i] = make_bag(100 + 10 * i, DIM, RMIL_FLOAT32);
        g_autofree char *path = slide_path(f, i);
        g_assert_true(rmil_bag_write(f->bags[i], path, FALSE, &error));
        g_string_append_printf(text, "s%d.h5,%d\n", i, i % 2);
    }
    g_autofree char *csv = test_file(f->folder, "cohort.csv", text->str);
    f->cohort = rmil_cohort_read(csv, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *f, gconstpointer data) {
    for (int i = 0; i < SLIDES; i++) rmil_bag_free(f->bags[i]);
    rmil_cohort_free(f->cohort);
    g_free(f->folder);
    g_free(f->cache);
    g_free(f->labels);
}

static RmilBagSet *load(const Fixture *f, int64_t memory, RmilPrecision precision, GError **error) {
    RmilBagSetOptions options;
    rmil_bag_set_options_init(&options);
    options.precision = precision;
    options.memory = memory;
    options.cache = f->cache;
    options.labels = f->labels;
    options.threads = 3;
    return rmil_bag_set_load(f->cohort, &options, NULL, error);
}

static void test_memory(Fixture *f, gconstpointer data) {
    GError *error = NULL;
    g_autoptr(RmilBagSet) set = load(f, 0, RMIL_FLOAT32, &error);
    g_assert_no_error(error);
    g_assert_cmpint(set->loaded, ==, SLIDES);
    g_assert_cmpint(set->dim, ==, DIM);
    g_assert_cmpint(set->mapped_bytes, ==, 0);
    g_assert_cmpint(set->memory_bytes, ==, 750 * (DIM * 4 + 16 + 4 + 1));
    for (int i = 0; i < SLIDES; i++) {
        compare_bags(set->bags[i], f->bags[i]);
        g_assert_null(set->errors[i]);
        g_assert_false(set->bags[i]->mapped);
    }
    g_assert_false(g_file_test(f->cache, G_FILE_TEST_EXISTS));
}

static int64_t newest(const char *folder, int *files) {
    GDir *dir = g_dir_open(folder, 0, NULL);
    int64_t last = 0;
    *files = 0;
    for (const char *name; (name = g_dir_read_name(dir)); (*files)++) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat info;
        g_assert_cmpint(stat(path, &info), ==, 0);
        last = MAX(last, info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec);
    }
    g_dir_close(dir);
    return last;
}

static void test_mapped(Fixture *f, gconstpointer data) {
    GError *error = NULL;
    for (int precision = RMIL_FLOAT32; precision <= RMIL_BFLOAT16; precision++) {
        int64_t value = precision == RMIL_BFLOAT16 ? 2 : 4, rest = 750 * 21;
        g_autoptr(RmilBagSet) whole = load(f, 0, (RmilPrecision)precision, &error);
        g_assert_no_error(error);
        /* room for the first two, beside three in the making */
        g_autoptr(RmilBagSet) set = load(f, (210 + 3 * 150) * DIM * value + rest, (RmilPrecision)precision, &error);
        g_assert_no_error(error);
        g_assert_cmpint(set->loaded, ==, SLIDES);
        g_assert_cmpint(set->mapped_bytes, ==, 540 * DIM * value);
        g_assert_cmpint(set->memory_bytes, ==, 210 * DIM * value + rest);
        for (int i = 0; i < SLIDES; i++) {
            g_assert_cmpint(set->bags[i]->mapped, ==, i >= 2);
            compare_bags(set->bags[i], whole->bags[i]);
        }
    }
    int files;
    newest(f->cache, &files);
    g_assert_cmpint(files, ==, 8);
    g_autoptr(RmilBagSet) second = load(f, 750 * 21 + 480 * DIM * 4, RMIL_FLOAT32, &error); /* none fits */
    g_assert_no_error(error);
    int64_t made = newest(f->cache, &files);
    g_assert_cmpint(files, ==, 10);
    g_autoptr(RmilBagSet) same = load(f, 750 * 21 + 480 * DIM * 4, RMIL_FLOAT32, &error);
    g_assert_no_error(error);
    g_assert_cmpint(newest(f->cache, &files), ==, made); /* what is there is used again */
    /* a source that has changed, a cache file that is damaged: made anew */
    g_autofree char *path = slide_path(f, 3);
    ((float *)f->bags[3]->features)[7] = 5;
    g_assert_true(rmil_bag_write(f->bags[3], path, FALSE, &error));
    GDir *dir = g_dir_open(f->cache, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *file = g_build_filename(f->cache, name, NULL);
        if (strstr(name, "0")) g_assert_cmpint(truncate(file, 70000), ==, 0);
    }
    g_dir_close(dir);
    g_autoptr(RmilBagSet) third = load(f, 750 * 21 + 480 * DIM * 4, RMIL_FLOAT32, &error);
    g_assert_no_error(error);
    for (int i = 0; i < SLIDES; i++) compare_bags(third->bags[i], f->bags[i]);
}

static void test_budget(Fixture *f, gconstpointer data) {
    GError *error = NULL;
    g_assert_null(load(f, 1000, RMIL_FLOAT32, &error));
    test_error(&error, RMIL_ERROR_MEMORY, "that is too little even with features in files");
    g_free(g_steal_pointer(&f->cache));
    g_assert_null(load(f, 100000, RMIL_FLOAT32, &error));
    test_error(&error, RMIL_ERROR_MEMORY, "but only 0.00 GiB is allowed");
}

static void test_broken(Fixture *f, gconstpointer data) {
    GError *error = NULL;
    g_autofree char *one = slide_path(f, 1), *two = slide_path(f, 2), *four = slide_path(f, 4);
    g_assert_cmpint(truncate(one, 3000), ==, 0);
    g_assert_cmpint(g_unlink(two), ==, 0);
    g_autoptr(RmilBag) narrow = make_bag(10, 32, RMIL_FLOAT32);
    g_assert_true(rmil_bag_write(narrow, four, FALSE, &error));
    for (int64_t memory = 0; memory <= 1 << 20; memory += 1 << 20) {
        g_autoptr(RmilBagSet) set = load(f, memory, RMIL_FLOAT32, &error);
        g_assert_no_error(error);
        g_assert_cmpint(set->loaded, ==, 3);
        g_assert_nonnull(strstr(set->errors[1], "s1.h5: is not an HDF5 file, or is damaged or cut short"));
        g_assert_nonnull(strstr(set->errors[2], "s2.h5: cannot be opened: No such file"));
        g_assert_nonnull(strstr(set->errors[4], "has features of size 32, but the others have 64"));
        g_assert_null(set->bags[4]);
        compare_bags(set->bags[5], f->bags[5]);
    }
    for (int i = 0; i < SLIDES; i++) {
        g_autofree char *path = slide_path(f, i);
        g_unlink(path);
    }
    g_assert_null(load(f, 0, RMIL_FLOAT32, &error));
    test_error(&error, RMIL_ERROR_DATA, "no bag can be loaded; the first: ");
}

static void test_labels(Fixture *f, gconstpointer data) {
    GError *error = NULL;
    uint8_t labels[110] = {0};
    labels[7] = labels[9] = 1;
    g_autofree char *h5 = g_build_filename(f->labels, "s0.h5", NULL), *npy = g_build_filename(f->labels, "s1.npy", NULL);
    g_assert_true(rmil_labels_write(h5, labels, NULL, 100, "x", &error));
    char array[128 + 110] = "\x93NUMPY\1\0v\0{'descr': '|b1', 'fortran_order': False, 'shape': (110,), }";
    memset(array + 10 + 58, ' ', 60);
    memcpy(array + 128, labels, 110);
    g_assert_true(g_file_set_contents(npy, array, sizeof array, NULL));
    g_autoptr(RmilBagSet) set = load(f, 0, RMIL_FLOAT32, &error);
    g_assert_no_error(error);
    g_assert_cmpint(set->loaded, ==, SLIDES);
    g_assert_true(memcmp(set->bags[0]->patch_labels, labels, 100) == 0);
    g_assert_true(memcmp(set->bags[1]->patch_labels, labels, 110) == 0);
    g_assert_true(memcmp(set->bags[2]->patch_labels, f->bags[2]->patch_labels, 120) == 0);
    g_assert_true(rmil_labels_write(h5, labels, NULL, 99, "x", &error));
    g_autoptr(RmilBagSet) bad = load(f, 0, RMIL_FLOAT32, &error);
    g_assert_no_error(error);
    g_assert_cmpint(bad->loaded, ==, SLIDES - 1);
    g_assert_nonnull(strstr(bad->errors[0], "s0.h5: /patch_labels has 99 values, but 100 are expected"));
}

static void test_folder_of_features(void) {
    g_autofree char *folder = test_folder();
    g_autofree char *csv = test_file(folder, "cohort.csv", "slide,id\na.svs,one\nb.svs,two\n");
    g_autofree char *path = g_build_filename(folder, "out", "one.h5", NULL), *out = g_path_get_dirname(path);
    GError *error = NULL;
    g_autoptr(RmilBag) bag = make_bag(4, 8, RMIL_FLOAT32);
    g_assert_true(rmil_bag_write(bag, path, TRUE, &error));
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(csv, &error);
    RmilBagSetOptions options;
    rmil_bag_set_options_init(&options);
    g_assert_null(rmil_bag_set_load(cohort, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "cohort.csv: line 2: slide \"one\" has no features");
    options.features = out;
    g_autoptr(RmilBagSet) set = rmil_bag_set_load(cohort, &options, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(set->loaded, ==, 1);
    compare_bags(set->bags[0], bag);
    g_assert_nonnull(set->errors[1]);
}

/* .npy as NumPy writes it: types, shapes, broken ones. */
static void test_npy(void) {
    const struct {
        const char *header;
        const char *values;
        gsize size;
        const char *message; /* NULL: reads as 0, 1, 1 */
    } cases[] = {
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "\0\1\1", 3, NULL},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (3, 1), }", "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 24, NULL},
        {"{'descr': '<i2', 'fortran_order': True, 'shape': (1, 3), }", "\0\0\1\0\1\0", 6, NULL},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "\0\0\0\0\0\0\x80\x3f\0\0\x80\x3f", 12, NULL},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "\0\1\2", 3, "patch 2 is 2, not 0 or 1"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "\0\0\0\0\0\0\0\x3f\0\0\x80\x3f", 12, "patch 1 is 0.5"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "\0\1", 2, "x.npy: is cut short: make the file again"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", "\0\1\1\1", 4, "is not a vector of 3 labels"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }", "\0\1\1\1", 4, "is not a vector of 3 labels"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3", "\0\1\1", 3, "is not a vector"},
        {"{'descr': '>i4', 'fortran_order': False, 'shape': (3,), }", "\0\0\0\0", 4,
         "labels must be little-endian integers, float32 or float64, or booleans"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "\0", 1,
         "labels must be little-endian integers, float32 or float64, or booleans"},
        {"{'shape': (3,), }", "\0\1\1", 3, "labels must be little-endian integers, float32 or float64, or booleans"},
    };
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "x.npy", NULL);
    uint8_t labels[3];
    GError *error = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) file = g_string_new_len("\x93NUMPY\1\0", 8);
        gsize length = strlen(cases[i].header);
        g_string_append_c(file, (char)length);
        g_string_append_c(file, 0);
        g_string_append(file, cases[i].header);
        g_string_append_len(file, cases[i].values, (gssize)cases[i].size);
        g_assert_true(g_file_set_contents(path, file->str, (gssize)file->len, NULL));
        memset(labels, 9, 3);
        gboolean read = rmil_labels_read(path, 3, labels, &error);
        g_assert_cmpint(read, ==, cases[i].message == NULL);
        if (read) g_assert_true(memcmp(labels, "\0\1\1", 3) == 0);
        else test_error(&error, RMIL_ERROR_FORMAT, cases[i].message);
    }
    g_assert_true(g_file_set_contents(path, "\x93NUMPY\1\0\xff\xff", 10, NULL));
    g_assert_false(rmil_labels_read(path, 3, labels, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "x.npy: is not a NumPy array file");
    g_assert_true(g_file_set_contents(path, "\x93NUMPY\1\0\xff\xff{}", 12, NULL));
    g_assert_false(rmil_labels_read(path, 3, labels, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "x.npy: the header is cut short");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add("/set/memory", Fixture, NULL, set_up, test_memory, tear_down);
    g_test_add("/set/mapped", Fixture, NULL, set_up, test_mapped, tear_down);
    g_test_add("/set/budget", Fixture, NULL, set_up, test_budget, tear_down);
    g_test_add("/set/broken", Fixture, NULL, set_up, test_broken, tear_down);
    g_test_add("/set/labels", Fixture, NULL, set_up, test_labels, tear_down);
    g_test_add_func("/set/folder", test_folder_of_features);
    g_test_add_func("/set/npy", test_npy);
    return g_test_run();
}
