/* SPDX-License-Identifier: Apache-2.0 */
/* What all tests share. */
#include "support.h"

#include <ftw.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where) { return remove(path); }

static void remove_folder(gpointer path) {
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    g_free(path);
}

static GPtrArray *folders;

static void __attribute__((destructor)) clean(void) {
    if (folders) g_ptr_array_unref(folders);
}

char *test_folder(void) {
    GError *error = NULL;
    char *path = g_dir_make_tmp("rankmil-test-XXXXXX", &error);
    g_assert_no_error(error);
    if (!folders) folders = g_ptr_array_new_with_free_func(remove_folder);
    g_ptr_array_add(folders, g_strdup(path));
    return path;
}

char *test_shared(const char *name) {
    const char *shared = g_getenv("RMIL_SHARED"), *source = g_getenv("RMIL_SOURCE");
    char *path = shared ? g_build_filename(shared, name, NULL) : g_build_filename(source ? source : ".", "..", "shared", name, NULL);
    if (g_file_test(path, G_FILE_TEST_EXISTS)) return path;
    g_free(path);
    g_test_skip("real data is not here");
    return NULL;
}

char *test_file(const char *folder, const char *name, const char *text) {
    char *path = g_build_filename(folder, name, NULL);
    GError *error = NULL;
    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
    return path;
}

char *test_bytes(const char *folder, const char *name, gsize *size) {
    g_autofree char *path = g_canonicalize_filename(name, folder);
    char *text = NULL;
    GError *error = NULL;
    g_file_get_contents(path, &text, size, &error);
    g_assert_no_error(error);
    return text;
}

RmilTable *test_rows(const char *folder, const char *name) {
    g_autofree char *path = g_canonicalize_filename(name, folder);
    GError *error = NULL;
    RmilTable *table = rmil_table_read(path, &error);
    g_assert_no_error(error);
    return table;
}

const char *test_cell(const RmilTable *table, int64_t row, const char *column) {
    const int at = rmil_table_find(table, column);
    g_assert_cmpint(at, >=, 0);
    return rmil_table_cell(table, row, at);
}

gboolean test_exists(const char *folder, const char *name) {
    g_autofree char *path = g_canonicalize_filename(name, folder);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

int test_entries(const char *folder, const char *name) {
    g_autofree char *path = g_canonicalize_filename(name, folder);
    GDir *dir = g_dir_open(path, 0, NULL);
    int n = 0;
    while (dir && g_dir_read_name(dir)) n++;
    if (dir) g_dir_close(dir);
    return n;
}

void test_same_file(const char *a, const char *b) {
    gsize size_a, size_b;
    g_autofree char *x = test_bytes(NULL, a, &size_a), *y = test_bytes(NULL, b, &size_b);
    if (size_a != size_b || memcmp(x, y, size_a) != 0) g_error("%s and %s differ", a, b);
}

void test_same_in(const char *folder, const char *other, const char *name) {
    g_autofree char *a = g_build_filename(folder, name, NULL), *b = g_build_filename(other, name, NULL);
    test_same_file(a, b);
}

int test_count(const char *text, const char *part) {
    int n = 0;
    for (const char *p = text; (p = strstr(p, part)); p += strlen(part)) n++;
    return n;
}

void test_error(GError **error, RmilErrorCode code, const char *part) {
    g_assert_error(*error, RMIL_ERROR, (gint)code);
    if (!strstr((*error)->message, part)) g_error("\"%s\" does not contain \"%s\"", (*error)->message, part);
    g_clear_error(error);
}
