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

void test_error(GError **error, RmilErrorCode code, const char *part) {
    g_assert_error(*error, RMIL_ERROR, (gint)code);
    if (!strstr((*error)->message, part)) g_error("\"%s\" does not contain \"%s\"", (*error)->message, part);
    g_clear_error(error);
}
