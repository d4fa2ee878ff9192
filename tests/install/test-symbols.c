/* SPDX-License-Identifier: Apache-2.0 */
/* What the shared library shows: the functions of tests/install/symbols.txt, under one version node, and nothing else. A function that
 * goes, or comes, is seen here before a program that is linked with the library sees it. */
#include "support.h"

#include <string.h>

static int by_name(gconstpointer a, gconstpointer b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* "name@@NODE" of each, sorted, one a line; NULL: there is no nm, and the test is skipped. */
static char *symbols(void) {
    g_autofree char *library = g_build_filename(g_getenv("RMIL_BUILD"), "librankmil.so", NULL), *nm = g_find_program_in_path("nm"),
                    *out = NULL;
    if (!nm) {
        g_test_skip("there is no nm (binutils), which lists a library's symbols");
        return NULL;
    }
    char *argv[] = {nm, (char *)"-D", (char *)"--defined-only", (char *)"--format=posix", library, NULL};
    GError *error = NULL;
    int status;
    g_spawn_sync(NULL, argv, NULL, 0, NULL, NULL, &out, NULL, &status, &error);
    g_assert_no_error(error);
    g_assert_true(g_spawn_check_wait_status(status, &error));
    g_auto(GStrv) lines = g_strsplit(g_strchomp(out), "\n", -1);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (int i = 0; lines[i]; i++) {
        *strchr(lines[i], ' ') = 0;
        if (strstr(lines[i], "@@")) g_ptr_array_add(names, lines[i]); /* not the node itself */
    }
    g_ptr_array_sort(names, by_name);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < names->len; i++) g_string_append_printf(text, "%s\n", (const char *)names->pdata[i]);
    return g_string_free(text, FALSE);
}

/* Lines of `a` that are not in `b`. */
static char *missing(const char *a, const char *b) {
    g_auto(GStrv) lines = g_strsplit(a, "\n", -1), others = g_strsplit(b, "\n", -1);
    GString *out = g_string_new(NULL);
    for (int i = 0; lines[i]; i++)
        if (*lines[i] && !g_strv_contains((const char *const *)others, lines[i])) g_string_append_printf(out, " %s", lines[i]);
    return g_string_free(out, FALSE);
}

static void test_list(void) {
    g_autofree char *have = symbols(), *path = g_build_filename(g_getenv("RMIL_SOURCE"), "tests", "install", "symbols.txt", NULL);
    if (!have) return;
    if (g_getenv("RMIL_WRITE")) {
        GError *error = NULL;
        rmil_file_write(path, have, strlen(have), &error);
        g_assert_no_error(error);
        return;
    }
    g_autofree char *listed = test_bytes(NULL, path, NULL), *gone = missing(listed, have), *new = missing(have, listed);
    if (strcmp(have, listed) != 0)
        g_error(
            "the library's symbols are not those of %s; gone:%s; new:%s. If that is meant, RMIL_WRITE=1 build/tests/install/test-symbols "
            "writes the list, and meson.build says when the node changes",
            path, *gone ? gone : " none", *new ? new : " none");
}

/* Nothing of other libraries and nothing internal is shown. */
static void test_prefix(void) {
    g_autofree char *have = symbols();
    if (!have) return;
    g_auto(GStrv) lines = g_strsplit(g_strchomp(have), "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), >, 100);
    for (int i = 0; lines[i]; i++)
        if (!g_str_has_prefix(lines[i], "rmil_") || !strstr(lines[i], "@@RANKMIL_")) g_error("%s is shown by the library", lines[i]);
}

/* Every header is in meson.build's list: what any of them declares is shown. */
static void test_headers(void) {
    g_autofree char *have = symbols(), *out = NULL;
    char *argv[] = {(char *)"sh", (char *)"-c",
                    (char *)"cd \"$RMIL_SOURCE\" && tools/exports NODE include/rankmil/*.h | sed -n 's/^ *\\(rmil_.*\\);/\\1@@/p'", NULL};
    GError *error = NULL;
    int status;
    if (!have) return;
    g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, NULL, &status, &error);
    g_assert_no_error(error);
    g_assert_true(g_spawn_check_wait_status(status, &error));
    g_auto(GStrv) lines = g_strsplit(g_strchomp(out), "\n", -1);
    for (int i = 0; lines[i]; i++)
        if (!strstr(have, lines[i])) g_error("%s is declared by a header that is not in meson.build's list of headers", lines[i]);
    g_assert_cmpuint(g_strv_length(lines), >, 100);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/symbols/list", test_list);
    g_test_add_func("/symbols/prefix", test_prefix);
    g_test_add_func("/symbols/headers", test_headers);
    return g_test_run();
}
