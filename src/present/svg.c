/* SPDX-License-Identifier: Apache-2.0 */
/* gnuplot's drawing as part of a page: in the page's font, and small. */
#include "report.h"

#include <string.h>

/* Removes every stretch from `from` to the end of `to`. */
static void cut_out(GString *text, const char *from, const char *to) {
    for (char *start; (start = strstr(text->str, from));) {
        const char *end = strstr(start + strlen(from), to);
        if (!end) return;
        g_string_erase(text, start - text->str, end + strlen(to) - start);
    }
}

/* gnuplot writes a group for each change of style; most are empty. */
static void drop_empty_groups(GString *text) {
    for (gsize at = 0;;) {
        const char *start = strstr(text->str + at, "<g "), *close = start ? strchr(start, '>') : NULL;
        if (!close) return;
        gsize blank = strspn(close + 1, " \t\r\n");
        const gsize from = (gsize)(start - text->str);
        if (g_str_has_prefix(close + 1 + blank, "</g>")) g_string_erase(text, (gssize)from, close + 1 + (gssize)blank + 4 - start);
        else at = from + 3;
    }
}

/* The symbols of points have the same names in every drawing, but different sizes. */
static void rename_symbols(GString *text, const char *name) {
    g_autofree char *own = g_strdup_printf("%s-gp", name);
    g_autofree char *id = g_strdup_printf("id='%s", own), *single = g_strdup_printf("href='#%s", own),
                    *twice = g_strdup_printf("href=\"#%s", own);
    g_string_replace(text, "xlink:href", "href", 0);
    g_string_replace(text, "id='gp", id, 0);
    g_string_replace(text, "href='#gp", single, 0);
    g_string_replace(text, "href=\"#gp", twice, 0);
}

void rmil_html_drawing(GString *out, const char *svg, const char *name, const char *alt) {
    const char *start = strstr(svg, "<svg"), *box = start ? strstr(start, "viewBox=\"") : NULL, *body = box ? strchr(box, '>') : NULL,
               *end = box ? strchr(box + strlen("viewBox=\""), '"') : NULL;
    g_return_if_fail(body && end);
    g_autoptr(GString) text = g_string_new(body + 1);
    cut_out(text, "<title>", "</title>");
    cut_out(text, "<desc>", "</desc>");
    cut_out(text, "<filter", "</filter>");
    cut_out(text, "<rect x=\"0\" y=\"0\"", "fill=\"#ffffff\"/>");
    cut_out(text, " id=\"gnuplot_", "\"");
    cut_out(text, " font-family=\"", "\"");
    rename_symbols(text, name);
    drop_empty_groups(text);
    g_string_replace(text, "\t", "", 0);
    g_string_replace(text, "\n\n", "\n", 0);
    rmil_html(out, "<svg role=\"img\" aria-label=\"%s\" ", alt);
    g_string_append_len(out, box, end + 1 - box);
    g_string_append_c(out, '>');
    g_string_append(out, text->str);
}
