/* SPDX-License-Identifier: Apache-2.0 */
/* Files embedded in a page: each table as CSV, with what it shows. */
#include "report.h"

#include <glib/gstdio.h>
#include <string.h>

/* Plain text of a piece of HTML; the content of <small> and <sup> follows in parentheses. */
static char *plain_text(const char *html, gsize length) {
    static const struct {
        const char *name;
        const char *text;
    } entities[] = {{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&#39;", "'"}, {"&nbsp;", " "}, {"&amp;", "&"}};
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; i < length; i++) {
        if (html[i] != '<') {
            g_string_append_c(text, html[i] == '\n' ? ' ' : html[i]);
            continue;
        }
        const char *close = memchr(html + i, '>', length - i);
        if (g_str_has_prefix(html + i, "<small>") || g_str_has_prefix(html + i, "<sup>")) g_string_append(text, " (");
        if (g_str_has_prefix(html + i, "</small>") || g_str_has_prefix(html + i, "</sup>")) g_string_append_c(text, ')');
        if (!close) break;
        i = (gsize)(close - html);
    }
    for (gsize e = 0; e < G_N_ELEMENTS(entities); e++) g_string_replace(text, entities[e].name, entities[e].text, 0);
    return g_strstrip(g_string_free(g_steal_pointer(&text), FALSE));
}

/* The value of a start tag's attribute data-csv: a number with all its digits. NULL: there is none. */
static char *given_value(const char *tag, const char *close) {
    const char *at = g_strstr_len(tag, close - tag, "data-csv=\"");
    if (!at) return NULL;
    at += strlen("data-csv=\"");
    return g_strndup(at, strcspn(at, "\""));
}

static void add_cell(GString *csv, const char *text, gboolean first) {
    if (!first) g_string_append_c(csv, ',');
    if (!strpbrk(text, ",\"\n")) {
        g_string_append(csv, text);
        return;
    }
    g_autoptr(GString) quoted = g_string_new(text);
    g_string_replace(quoted, "\"", "\"\"", 0);
    g_string_append_printf(csv, "\"%s\"", quoted->str);
}

/* Rows and cells of a table that this program wrote, as CSV. */
static char *table_csv(const char *html) {
    GString *csv = g_string_new(NULL);
    for (const char *row = strstr(html, "<tr"); row; row = strstr(row + 1, "<tr")) {
        const char *end = strstr(row, "</tr>");
        gboolean first = TRUE;
        for (const char *at = strchr(row + 1, '<'); at && at < end; at = strchr(at + 1, '<')) {
            if (!g_str_has_prefix(at, "<th") && !g_str_has_prefix(at, "<td")) continue;
            const char *open = strchr(at, '>'), *close = strstr(open, at[2] == 'h' ? "</th>" : "</td>");
            g_autofree char *given = given_value(at, open), *text = given ? NULL : plain_text(open + 1, (gsize)(close - open - 1));
            add_cell(csv, given ? given : text, first);
            first = FALSE;
            at = close;
        }
        g_string_append(csv, "\n");
    }
    return g_string_free(csv, FALSE);
}

void rmil_html_file(GString *out, const char *name, const char *kind, const char *data, gsize size, const char *text) {
    g_autofree char *coded = g_base64_encode((const guchar *)data, size);
    rmil_html(out, "<a download=\"%s\" href=\"data:%s;base64,", name, kind);
    g_string_append(out, coded);
    rmil_html(out, "\">%s</a>", text);
}

void rmil_html_table_begin(GString *out, const char *name, const char *caption) {
    rmil_html(out,
              "<p class=\"hint\">This table is wider than the screen: scroll it sideways.</p><div class=\"scroll\" role=\"region\" "
              "tabindex=\"0\" aria-label=\"%s\"><table data-name=\"%s\"><caption><span>%s</span></caption>\n",
              caption, name, caption);
}

void rmil_html_table_end(GString *out) {
    const char *table = g_strrstr(out->str, "<table data-name=\"");
    g_return_if_fail(table);
    const char *name = table + strlen("<table data-name=\"");
    g_autofree char *csv = table_csv(table), *own = g_strndup(name, strcspn(name, "\"")), *file = g_strconcat(own, ".csv", NULL);
    g_string_append(out, "</table></div>\n<p class=\"save\">");
    rmil_html_file(out, file, "text/csv;charset=utf-8", csv, strlen(csv), "This table as CSV");
    g_string_append(out, "</p>\n");
}

static int by_name(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The tables in DIR/tables, with all digits; large ones are only named. */
gboolean rmil_html_tables(GString *out, const char *folder, GError **error) {
    enum { MOST = 1 << 20 };
    g_autofree char *below = g_build_filename(folder, "tables", NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(below, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".csv")) g_ptr_array_add(names, g_strdup(name));
    if (dir) g_dir_close(dir);
    if (!names->len) return TRUE;
    g_ptr_array_sort(names, by_name);
    g_string_append(out, "<h3>All numbers, with every digit</h3>\n<ul>");
    for (guint i = 0; i < names->len; i++) {
        gsize size;
        g_autofree char *path = g_build_filename(below, names->pdata[i], NULL), *data = NULL;
        GStatBuf told;
        if (g_stat(path, &told) == 0 && told.st_size > MOST) {
            rmil_html(out, "<li>tables/%s, too large for this page</li>", (const char *)names->pdata[i]);
            continue;
        }
        if (!(data = rmil_file_read(path, MOST, &size, error))) return FALSE;
        g_string_append(out, "<li>");
        rmil_html_file(out, names->pdata[i], "text/csv;charset=utf-8", data, size, names->pdata[i]);
        g_string_append(out, "</li>");
    }
    g_string_append(out, "</ul>\n");
    return TRUE;
}
