/* SPDX-License-Identifier: Apache-2.0 */
/* Features written batch by batch, and what interrupts that. */
#include "make.h"

#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT 103
#define DIM 37
#define BATCH 10
#define BATCHES ((COUNT + BATCH - 1) / BATCH)

typedef struct {
    char *folder, *path, *partial, *plain;
    RmilBag *bag;
    char *expected; /* bytes of the undisturbed file */
    gsize size;
} Fixture;

static void set_up(Fixture *f, gconstpointer half) {
    f->folder = test_folder();
    f->path = g_build_filename(f->folder, "sub", "x.h5", NULL);
    f->partial = g_strconcat(f->path, ".partial", NULL);
    f->plain = g_build_filename(f->folder, "plain.h5", NULL);
    f->bag = make_bag(COUNT, DIM, RMIL_FLOAT32);
    GError *error = NULL;
    g_assert_true(rmil_bag_write(f->bag, f->plain, half != NULL, &error));
    g_assert_true(g_file_get_contents(f->plain, &f->expected, &f->size, NULL));
}

static void tear_down(Fixture *f, gconstpointer half) {
    g_free(f->folder);
    g_free(f->path);
    g_free(f->partial);
    g_free(f->plain);
    g_free(f->expected);
    rmil_bag_free(f->bag);
}

static RmilBagWriter *begin(Fixture *f, gconstpointer half) {
    GError *error = NULL;
    RmilBagWriter *writer = rmil_bag_writer_begin(f->bag, f->path, half != NULL, &error);
    g_assert_no_error(error);
    return writer;
}

static void put(Fixture *f, RmilBagWriter *writer, int64_t batch) {
    GError *error = NULL;
    int64_t first = batch * BATCH, rows = MIN(BATCH, COUNT - first);
    g_assert_true(rmil_bag_writer_put(writer, first, rows, (const float *)f->bag->features + first * DIM, &error));
    g_assert_no_error(error);
}

static gboolean has(RmilBagWriter *writer, int64_t batch) {
    return rmil_bag_writer_has(writer, batch * BATCH, MIN(BATCH, COUNT - batch * BATCH));
}

static void finish(Fixture *f, RmilBagWriter *writer) {
    GError *error = NULL;
    for (int64_t i = 0; i < BATCHES; i++)
        if (!has(writer, i)) put(f, writer, i);
    g_assert_true(rmil_bag_writer_commit(writer, &error));
    g_assert_no_error(error);
    g_autofree char *bytes = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(f->path, &bytes, &size, NULL));
    g_assert_true(size == f->size && memcmp(bytes, f->expected, size) == 0);
    g_assert_false(g_file_test(f->partial, G_FILE_TEST_EXISTS));
}

static gboolean put_one(int64_t i, int worker, gpointer user, GError **error) {
    gpointer *both = user;
    put(both[0], both[1], (i * 7) % BATCHES);
    return TRUE;
}

static void test_any_order(Fixture *f, gconstpointer half) {
    RmilBagWriter *writer = begin(f, half);
    gpointer both[2] = {f, writer};
    g_assert_true(rmil_parallel(BATCHES, 4, put_one, both, NULL));
    put(f, writer, 3); /* once more does no harm */
    finish(f, writer);
}

static void test_killed(Fixture *f, gconstpointer half) {
    pid_t child = fork();
    if (child == 0) {
        RmilBagWriter *writer = begin(f, half);
        for (int64_t i = 0; i < 5; i++) put(f, writer, i * 2);
        kill(getpid(), SIGKILL);
    }
    int status;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status));
    g_assert_false(g_file_test(f->path, G_FILE_TEST_EXISTS));
    RmilBagWriter *writer = begin(f, half);
    for (int64_t i = 0; i < BATCHES; i++) g_assert_cmpint(has(writer, i), ==, i < 10 && i % 2 == 0);
    finish(f, writer);
}

/* Cut anywhere, the whole batches before the cut count and nothing else does; so with a byte that has changed. */
static void test_torn(Fixture *f, gconstpointer half) {
    RmilBagWriter *writer = begin(f, half);
    GArray *ends = g_array_new(FALSE, FALSE, sizeof(goffset));
    struct stat info;
    for (int64_t i = 0; i < 4; i++) {
        put(f, writer, i);
        g_assert_cmpint(stat(f->partial, &info), ==, 0);
        g_array_append_val(ends, info.st_size);
    }
    rmil_bag_writer_free(writer);
    g_autofree char *bytes = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(f->partial, &bytes, &size, NULL));
    for (gsize cut = 0; cut <= size; cut += cut + 41 < size || cut == size ? 41 : size - cut) {
        g_assert_true(g_file_set_contents(f->partial, bytes, (gssize)cut, NULL));
        writer = begin(f, half);
        for (int64_t i = 0; i < 4; i++) g_assert_cmpint(has(writer, i), ==, g_array_index(ends, goffset, i) <= (goffset)cut);
        if (cut % 3 == 0) finish(f, writer);
        else rmil_bag_writer_abandon(writer);
        g_assert_false(g_file_test(f->partial, G_FILE_TEST_EXISTS));
    }
    bytes[g_array_index(ends, goffset, 1) + 200] ^= 1;
    g_assert_true(g_file_set_contents(f->partial, bytes, (gssize)size, NULL));
    writer = begin(f, half);
    g_assert_true(has(writer, 1));
    g_assert_false(has(writer, 2));
    finish(f, writer);
    g_array_unref(ends);
}

static void test_other_source(Fixture *f, gconstpointer half) {
    RmilBagWriter *writer = begin(f, half);
    put(f, writer, 0);
    rmil_bag_writer_free(writer);
    g_assert_true(g_file_test(f->partial, G_FILE_TEST_EXISTS));
    f->bag->coords[7]++;
    writer = begin(f, half);
    g_assert_false(has(writer, 0));
    put(f, writer, 0);
    rmil_bag_writer_free(writer);
    f->bag->coords[7]--;
    g_free(f->bag->source);
    f->bag->source = g_strdup("another");
    writer = begin(f, half);
    g_assert_false(has(writer, 0));
    rmil_bag_writer_free(writer); /* nothing put: nothing left behind */
    g_assert_false(g_file_test(f->partial, G_FILE_TEST_EXISTS));
}

static void test_refused(Fixture *f, gconstpointer half) {
    GError *error = NULL;
    RmilBagWriter *writer = begin(f, half);
    g_assert_null(rmil_bag_writer_begin(f->bag, f->path, half != NULL, &error));
    test_error(&error, RMIL_ERROR_IO, "x.h5.partial: is being written by another process: wait until it has ended");
    float rows[2 * DIM] = {0};
    rows[DIM + 5] = NAN;
    g_assert_false(rmil_bag_writer_put(writer, 50, 2, rows, &error));
    test_error(&error, RMIL_ERROR_DATA, "x.h5: the feature of patch 51, column 5 is not a number");
    rows[DIM + 5] = 70000;
    if (half) {
        g_assert_false(rmil_bag_writer_put(writer, 50, 2, rows, &error));
        test_error(&error, RMIL_ERROR_DATA, "patch 51, column 5 is 70000, too large for float16: store the features as float32");
    }
    g_assert_false(rmil_bag_writer_put(writer, COUNT - 1, 2, rows, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "rows 102 … 103 are outside 0 … 102");
    g_assert_false(rmil_bag_writer_has(writer, 50, 2));
    for (int64_t i = 0; i < BATCHES; i++)
        if (i != 4) put(f, writer, i);
    g_assert_false(rmil_bag_writer_commit(writer, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "the features of patch 40 are missing");
    g_assert_false(g_file_test(f->path, G_FILE_TEST_EXISTS));
    f->bag->dim = 0;
    g_assert_null(rmil_bag_writer_begin(f->bag, f->path, FALSE, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "columns and coordinates are needed");
    f->bag->dim = 65537;
    g_assert_null(rmil_bag_writer_begin(f->bag, f->path, FALSE, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "103 patches × 65537 columns");
    f->bag->dim = DIM;
    finish(f, begin(f, half)); /* batch 4 is all that was left to do */
}

static void test_disk_full(Fixture *f, gconstpointer half) {
    GError *error = NULL;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    RmilBagWriter *writer = begin(f, half);
    put(f, writer, 0);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){900, before.rlim_max});
    gboolean written = rmil_bag_writer_put(writer, 10, 10, f->bag->features, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    g_assert_false(written);
    test_error(&error, RMIL_ERROR_IO, "x.h5.partial: cannot be written: File too large");
    for (int64_t i = 0; i < BATCHES; i++) put(f, writer, i);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){5000, before.rlim_max});
    written = rmil_bag_writer_commit(writer, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    g_assert_false(written);
    test_error(&error, RMIL_ERROR_IO, "x.h5: cannot be written: File too large");
    writer = begin(f, half);
    g_assert_true(rmil_bag_writer_has(writer, 0, COUNT)); /* no batch was lost */
    finish(f, writer);
}

/* PATH.partial of a process that ended before it removed it; one that is being written; a link that somebody planted there. */
static void test_leftover(Fixture *f, gconstpointer half) {
    RmilBagWriter *writer = begin(f, half);
    put(f, writer, 0);
    rmil_bag_writer_forget(f->path);
    g_assert_true(g_file_test(f->partial, G_FILE_TEST_EXISTS)); /* in use */
    rmil_bag_writer_free(writer);
    rmil_bag_writer_forget(f->path);
    g_assert_false(g_file_test(f->partial, G_FILE_TEST_EXISTS));
    rmil_bag_writer_forget(f->path);
    g_autofree char *victim = test_file(f->folder, "victim", "precious");
    g_assert_cmpint(symlink(victim, f->partial), ==, 0);
    GError *error = NULL;
    g_assert_null(rmil_bag_writer_begin(f->bag, f->path, half != NULL, &error));
    test_error(&error, RMIL_ERROR_IO, "x.h5.partial: cannot be written");
    rmil_bag_writer_forget(f->path);
    gsize size;
    g_autofree char *text = rmil_file_read(victim, 100, &size, &error);
    g_assert_cmpstr(text, ==, "precious");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    const struct {
        const char *name;
        void (*run)(Fixture *, gconstpointer);
    } cases[] = {{"any-order", test_any_order},       {"killed", test_killed},   {"torn", test_torn},
                 {"other-source", test_other_source}, {"refused", test_refused}, {"disk-full", test_disk_full},
                 {"leftover", test_leftover}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        for (int half = FALSE; half <= TRUE; half++) {
            g_autofree char *name = g_strdup_printf("/writer/%s/%s", cases[i].name, half ? "float16" : "float32");
            g_test_add(name, Fixture, GINT_TO_POINTER(half), set_up, cases[i].run, tear_down);
        }
    return g_test_run();
}
