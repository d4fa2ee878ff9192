/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at an HTML page. */
#include "page.h"
#include "rankmil/present.h"
#include "support.h"

#include <string.h>

char *page_write(const char *folder) {
    g_autofree char *path = g_build_filename(folder, "report.html", NULL);
    GError *error = NULL;
    rmil_report_write(folder, path, NULL, &error);
    g_assert_no_error(error);
    return test_bytes(NULL, path, NULL);
}

/* Spaces at which no line breaks count as spaces. */
void page_has(const char *page, const char *part) {
    g_autoptr(GString) spaced = g_string_new(page);
    g_string_replace(spaced, "\u00a0", " ", 0);
    if (!strstr(spaced->str, part)) g_error("the report does not contain \"%s\"", part);
}

/* The page without its own script, which is the only one. */
static char *without_script(const char *page) {
    const char *start = strstr(page, "<script>"), *end = strstr(page, "</script>");
    g_assert_nonnull(start);
    g_assert_nonnull(end);
    g_assert_cmpint(test_count(page, "<script"), ==, 1);
    g_autofree char *head = g_strndup(page, (gsize)(start - page));
    return g_strconcat(head, end + strlen("</script>"), NULL);
}

/* Start and end tags match, attributes are quoted: the page is well-formed but for its void elements. */
static void check_markup(const char *whole) {
    g_autoptr(GString) xml = g_string_new(NULL);
    g_autofree char *page = without_script(whole);
    for (const char *p = strstr(page, "<html"); *p;) {
        gboolean empty = g_str_has_prefix(p, "<meta") || g_str_has_prefix(p, "<img");
        const char *close = strchr(p + 1, empty ? '>' : '<');
        if (!close) close = p + strlen(p);
        g_string_append_len(xml, p, close - p);
        if (empty) {
            g_string_append(xml, "/>");
            p = close + 1;
            const char *next = strchr(p, '<');
            g_string_append_len(xml, p, (next ? next : p + strlen(p)) - p);
            p = next ? next : p + strlen(p);
        } else {
            p = close;
        }
    }
    const GMarkupParser parser = {0};
    g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, NULL, NULL);
    g_autoptr(GString) spaced = g_string_new(xml->str);
    g_string_replace(spaced, "&nbsp;", " ", 0);
    g_string_replace(spaced, "<details open>", "<details>", 0);
    GError *error = NULL;
    g_markup_parse_context_parse(context, spaced->str, (gssize)spaced->len, &error);
    g_assert_no_error(error);
    g_assert_true(g_markup_parse_context_end_parse(context, &error));
}

void page_check(const char *page) {
    check_markup(page);
    g_assert_null(strstr(page, "http:")); /* the colon: pictures in base64 may hold any four letters */
    g_assert_null(strstr(page, "https:"));
    g_assert_null(strstr(page, "url("));
    g_assert_cmpint(test_count(page, "src=\""), ==, test_count(page, "src=\"data:image/"));
    g_assert_cmpint(test_count(page, "<img "), ==, test_count(page, " alt=\""));
    g_assert_cmpint(test_count(page, "<table "), ==, test_count(page, "<caption>"));
    g_assert_cmpint(test_count(page, ">nan"), ==, 0);
    g_assert_cmpint(test_count(page, "inf<"), ==, 0);
}
