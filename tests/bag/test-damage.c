/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be read is an error, never "not there": failing reads at every place, damaged headers of every part, and
 * damage that HDF5 itself does not survive. */
#include "make.h"
#include "rankmil/cohort.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* HDF5 1.10 itself forgets memory when it gives up an object half way. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libhdf5"; }

static int reads, failing; /* the number of the read that fails, from 1; 0: none */

/* In place of the C library's, for the whole program. */
ssize_t pread(int file, void *to, size_t size, off_t at) {
    if (++reads == failing) {
        errno = EIO;
        return -1;
    }
    return (ssize_t)syscall(SYS_pread64, file, to, size, at);
}

static char *in(const char *folder, const char *name) { return g_build_filename(folder, name, NULL); }

static RmilBag *read_bag(const char *path, GError **error) { return rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, error); }

/* Either the whole bag or an error, whichever read fails; to be tried with every number of read that there is. */
static void fail_each_read(const char *path) {
    GError *error = NULL;
    g_autoptr(RmilBag) whole = read_bag(path, &error);
    g_assert_no_error(error);
    for (int n = 1;; n++) {
        reads = 0, failing = n;
        g_autoptr(RmilBag) bag = read_bag(path, &error);
        gboolean reached = reads >= n;
        failing = 0;
        if (bag) compare_bags(whole, bag);
        else test_error(&error, RMIL_ERROR_IO, "Input/output error");
        if (reached) continue;
        g_assert_cmpint(n, >, 5);
        break;
    }
}

static void test_failing_reads(void) {
    for (const char *const *layout = rmil_bag_layouts(); *layout; layout++) {
        g_autofree char *folder = test_folder(), *path = in(folder, "slide.h5");
        g_autoptr(RmilBag) bag = make_bag(70, 24, RMIL_FLOAT32);
        GError *error = NULL;
        g_assert_true(rmil_bag_write_as(bag, path, *layout, FALSE, &error));
        g_assert_no_error(error);
        fail_each_read(path);
    }
}

static void test_failing_reads_of_labels(void) {
    g_autofree char *folder = test_folder(), *path = in(folder, "labels.h5"), *source = NULL;
    uint8_t labels[9] = {0, 1, 1}, read[9];
    GError *error = NULL;
    g_assert_true(rmil_labels_write(path, labels, NULL, 9, "padding 0", &error));
    for (int n = 1; n < 30; n++) {
        reads = 0, failing = n;
        if (!rmil_labels_read(path, 9, read, &error)) test_error(&error, RMIL_ERROR_IO, "Input/output error");
        else g_assert_true(memcmp(labels, read, 9) == 0);
        reads = 0;
        g_clear_pointer(&source, g_free);
        if (!rmil_bag_source(path, &source, &error)) test_error(&error, RMIL_ERROR_IO, "Input/output error");
        else g_assert_cmpstr(source, ==, "padding 0");
    }
    failing = 0;
}

static void overwrite(const char *path, guint64 at, const void *bytes, gsize n) {
    gsize size;
    g_autofree char *content = NULL;
    g_assert_true(g_file_get_contents(path, &content, &size, NULL));
    g_assert_true(at + n <= size);
    memcpy(content + at, bytes, n);
    g_assert_true(g_file_set_contents(path, content, (gssize)size, NULL));
}

/* A header of an unknown version: the part is there, and what it is cannot be told. */
static void test_damaged_headers(void) {
    static const char *const parts[] = {"features", "coords", "tissue", "patch_labels"};
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *folder = test_folder(), *path = in(folder, "slide.h5");
        g_autoptr(RmilBag) bag = make_bag(50, 8, RMIL_FLOAT32);
        GError *error = NULL;
        g_assert_true(rmil_bag_write(bag, path, FALSE, &error));
        hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        H5O_info_t info;
        g_assert_true(H5Oget_info_by_name(file, parts[i], &info, H5P_DEFAULT) >= 0);
        H5Fclose(file);
        overwrite(path, info.addr, "\x41", 1);
        g_assert_null(read_bag(path, &error));
        test_error(&error, RMIL_ERROR_FORMAT, parts[i]);
    }
}

static void make_linked(const char *path, const char *part) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    g_assert_true(H5Lmove(file, part, file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    g_assert_true(H5Lcreate_soft("/elsewhere", file, part, H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
}

static void test_parts_elsewhere(void) {
    static const char *const parts[] = {"features", "tissue", "patch_labels"};
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *folder = test_folder(), *path = in(folder, "slide.h5");
        g_autoptr(RmilBag) bag = make_bag(50, 8, RMIL_FLOAT32);
        GError *error = NULL;
        g_assert_true(rmil_bag_write(bag, path, FALSE, &error));
        make_linked(path, parts[i]);
        g_assert_null(read_bag(path, &error));
        test_error(&error, RMIL_ERROR_FORMAT, "is a link, which rankmil does not follow");
    }
}

/* An attribute whose dataspace is said to be of 65528 bytes: HDF5 1.10 reads the value from behind it, where there may be no
 * memory at all. */
static void write_killer(const char *path) {
    const double value = 1.25;
    const hsize_t dims[1] = {1};
    g_autoptr(RmilBag) bag = make_bag(50, 8, RMIL_FLOAT32);
    GError *error = NULL;
    g_assert_true(rmil_bag_write(bag, path, FALSE, &error));
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), data = H5Dopen2(file, "coords", H5P_DEFAULT),
          space = H5Screate_simple(1, dims, NULL);
    hid_t id = H5Acreate2(data, "extent", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    g_assert_true(H5Awrite(id, H5T_NATIVE_DOUBLE, &value) >= 0);
    H5Aclose(id);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(file);
    gsize size;
    g_autofree char *content = NULL;
    g_assert_true(g_file_get_contents(path, &content, &size, NULL));
    const char *name = memmem(content, size, "extent", 7);
    g_assert_true(name && name - content > 8 && name[-8] == 1 && name[-6] == 7); /* version 1; name of 7 bytes */
    overwrite(path, (guint64)(name - content) - 2, "\xf8\xff", 2);
}

static void test_killer(void) {
    g_autofree char *folder = test_folder(), *path = in(folder, "killer.h5");
    GError *error = NULL;
    write_killer(path);
    for (int again = 0; again < 2; again++) {
        g_assert_null(read_bag(path, &error));
        test_error(&error, RMIL_ERROR_FORMAT, "killer.h5: the attribute ");
    }
    /* written anew, it is another file */
    g_autoptr(RmilBag) bag = make_bag(50, 8, RMIL_FLOAT32);
    g_assert_true(rmil_bag_write(bag, path, FALSE, &error));
    g_autoptr(RmilBag) read = read_bag(path, &error);
    g_assert_no_error(error);
}

static void test_killers_in_cohort(void) {
    enum { FILES = 7 };
    g_autofree char *folder = test_folder(), *csv = in(folder, "c.csv");
    g_autoptr(GString) table = g_string_new("features,label\n");
    GError *error = NULL;
    for (int i = 0; i < FILES; i++) {
        g_autofree char *name = g_strdup_printf("s%d.h5", i), *path = in(folder, name);
        g_autoptr(RmilBag) bag = make_bag(50 + i, 8, RMIL_FLOAT32);
        if (i % 3 == 1) write_killer(path);
        else g_assert_true(rmil_bag_write(bag, path, FALSE, &error));
        g_string_append_printf(table, "%s,%d\n", name, i % 2);
    }
    g_assert_true(g_file_set_contents(csv, table->str, -1, NULL));
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(csv, &error);
    g_assert_no_error(error);
    RmilBagSetOptions options;
    rmil_bag_set_options_init(&options);
    options.threads = 3;
    g_autoptr(RmilBagSet) set = rmil_bag_set_load(cohort, &options, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(set->loaded, ==, FILES - 2);
    for (int i = 0; i < FILES; i++) {
        g_assert_true((set->bags[i] == NULL) == (i % 3 == 1));
        if (set->bags[i]) g_assert_cmpint(set->bags[i]->count, ==, 50 + i);
        else g_assert_nonnull(strstr(set->errors[i], ".h5: "));
    }
}

/* Another thing than a number where a number is asked for; text that spells one counts. */
static void test_attributes(void) {
    const struct {
        const char *text, *error;
        double value;
    } cases[] = {{"224", NULL, 224},
                 {" 0.5 ", NULL, 0.5},
                 {"", NULL, 0},
                 {"None", NULL, 0},
                 {"wide", "the attribute patch_size is \"wide\", not a number", 0}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *folder = test_folder(), *path = in(folder, "slide.h5");
        g_autoptr(RmilBag) bag = make_bag(50, 8, RMIL_FLOAT32);
        GError *error = NULL;
        bag->patch_size = 0;
        g_assert_true(rmil_bag_write(bag, path, FALSE, &error));
        hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), coords = H5Dopen2(file, "coords", H5P_DEFAULT);
        make_text(coords, "patch_size", cases[i].text);
        H5Dclose(coords);
        H5Fclose(file);
        g_autoptr(RmilBag) read = read_bag(path, &error);
        if (cases[i].error) test_error(&error, RMIL_ERROR_FORMAT, cases[i].error);
        else g_assert_cmpfloat(read->patch_size, ==, cases[i].value);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/damage/failing-reads", test_failing_reads);
    g_test_add_func("/damage/failing-reads-of-labels", test_failing_reads_of_labels);
    g_test_add_func("/damage/headers", test_damaged_headers);
    g_test_add_func("/damage/parts-elsewhere", test_parts_elsewhere);
    g_test_add_func("/damage/killer", test_killer);
    g_test_add_func("/damage/killers-in-cohort", test_killers_in_cohort);
    g_test_add_func("/damage/attributes", test_attributes);
    return g_test_run();
}
