/* SPDX-License-Identifier: Apache-2.0 */
/* HTML, escaped. */
#include "report.h"
#include "report-page.h"

#include <math.h>
#include <string.h>

void rmil_html(GString *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_markup_vprintf_escaped(format, arguments);
    va_end(arguments);
    g_string_append(out, text);
}

/* Is the value below 0 as shown? −0.0004 shows as 0.000. */
static gboolean is_below(double value) { return value <= -0.0005; }

const char *rmil_html_metric(double value, char *text) {
    if (isnan(value)) return "–";
    g_snprintf(text, 16, "%s%.3f", is_below(value) ? "−" : "", fabs(value));
    return text;
}

const char *rmil_html_difference(double value, char *text) {
    if (isnan(value)) return "–";
    g_snprintf(text, 16, "%s%.3f", is_below(value) ? "−" : "+", fabs(value));
    return text;
}

char *rmil_html_range(double low, double high) {
    char from[16], to[16];
    return g_strdup_printf("%s%s%s", rmil_html_metric(low, from), is_below(low) ? " to " : "–", rmil_html_metric(high, to));
}

void rmil_html_interval(GString *out, const RmilInterval *interval) {
    g_autofree char *range = rmil_html_range(interval->low, interval->high);
    if (!isnan(interval->low)) rmil_html(out, "<small>%s</small>", range);
}

void rmil_html_value_cell(GString *out, double value, const RmilInterval *interval) {
    char text[16];
    rmil_html(out, "<td>%s", rmil_html_metric(value, text));
    rmil_html_interval(out, interval);
    g_string_append(out, "</td>");
}

const char *rmil_html_p(double p, char *text) {
    if (isnan(p)) return "–";
    if (p < 0.001) return "< 0.001";
    g_snprintf(text, 16, "%.3f", p);
    return text;
}

const char *rmil_html_seconds(double seconds, char *text) {
    if (!(seconds >= 0) || seconds > 1e10) return "–";
    if (seconds < 10) g_snprintf(text, 32, "%.1f s", seconds);
    else if (seconds < 120) g_snprintf(text, 32, "%.0f s", seconds);
    else if (seconds < 7200) g_snprintf(text, 32, "%.0f min %02.0f s", floor(seconds / 60), floor(fmod(seconds, 60)));
    else g_snprintf(text, 32, "%.0f h %02.0f min", floor(seconds / 3600), floor(fmod(seconds, 3600) / 60));
    return text;
}

void rmil_html_svg(GString *out, const char *svg, const char *alt, const char *caption) {
    if (!*svg) {
        rmil_html(out, "<figure class=\"plot\"><figcaption>Not drawn, because gnuplot is not installed: %s</figcaption></figure>\n",
                  caption);
        return;
    }
    int drawings = 0; /* on the page so far; makes the names in each drawing unique */
    for (const char *at = out->str; (at = strstr(at, "<svg ")); at++) drawings++;
    g_autofree char *name = g_strdup_printf("d%d", drawings);
    g_string_append(out, "<figure class=\"plot\">");
    rmil_html_drawing(out, svg, name, alt);
    rmil_html(out, "<figcaption>%s</figcaption></figure>\n", caption);
}

gboolean rmil_html_figure(GString *out, char *svg, const char *alt, const char *caption) {
    if (svg) rmil_html_svg(out, svg, alt, caption);
    g_free(svg);
    return svg != NULL;
}

/* -- JSON as rows -------------------------------------------------------------------------------------------------- */
#define ROWS_LIMIT 400

/* "tile_px" -> "tile px". */
static char *spoken(const char *key) {
    char *text = g_strdup(key);
    return g_strdelimit(text, "_", ' ');
}

static void append_value(GString *text, JsonNode *node) {
    GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
    if (JSON_NODE_HOLDS_NULL(node)) g_string_append(text, "none");
    else if (type == G_TYPE_STRING) g_string_append(text, json_node_get_string(node));
    else if (type == G_TYPE_BOOLEAN) g_string_append(text, json_node_get_boolean(node) ? "yes" : "no");
    else if (type == G_TYPE_DOUBLE) g_string_append_printf(text, "%.10g", json_node_get_double(node));
    else if (type == G_TYPE_INT64) g_string_append_printf(text, "%" G_GINT64_FORMAT, json_node_get_int(node));
}

static void add_rows(GString *out, const char *name, JsonNode *node, int *rows) {
    if (*rows >= ROWS_LIMIT) return;
    if (JSON_NODE_HOLDS_OBJECT(node)) {
        g_autoptr(GList) members = json_object_get_members(json_node_get_object(node));
        for (GList *m = members; m; m = m->next) {
            g_autofree char *word = spoken(m->data), *full = *name ? g_strdup_printf("%s · %s", name, word) : g_strdup(word);
            add_rows(out, full, json_object_get_member(json_node_get_object(node), m->data), rows);
        }
        return;
    }
    JsonArray *array = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    guint length = array ? json_array_get_length(array) : 0;
    gboolean flat = TRUE;
    for (guint i = 0; i < length; i++)
        flat = flat && !JSON_NODE_HOLDS_OBJECT(json_array_get_element(array, i)) &&
               !JSON_NODE_HOLDS_ARRAY(json_array_get_element(array, i));
    if (!flat) {
        for (guint i = 0; i < length; i++) {
            g_autofree char *full = g_strdup_printf("%s %u", name, i + 1);
            add_rows(out, full, json_array_get_element(array, i), rows);
        }
        return;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < length; i++) {
        if (i) g_string_append(text, ", ");
        append_value(text, json_array_get_element(array, i));
    }
    if (!array) append_value(text, node);
    rmil_html(out, "<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n", name, text->str);
    (*rows)++;
}

void rmil_html_json_rows(GString *out, JsonNode *object, const char *const *skip) {
    if (!object || !JSON_NODE_HOLDS_OBJECT(object)) return;
    int rows = 0;
    g_autoptr(GList) members = json_object_get_members(json_node_get_object(object));
    for (GList *m = members; m; m = m->next) {
        if (skip && g_strv_contains(skip, m->data)) continue;
        g_autofree char *word = spoken(m->data);
        add_rows(out, word, json_object_get_member(json_node_get_object(object), m->data), &rows);
    }
    if (rows >= ROWS_LIMIT) g_string_append(out, "<tr><th scope=\"row\">…</th><td>more in run.json</td></tr>\n");
}

/* -- the page ------------------------------------------------------------------------------------------------------ */
/* A file that was compiled in. */
static GBytes *part(const char *name) {
    g_autofree char *path = g_strconcat("/rankmil/report/", name, NULL);
    GBytes *bytes = g_resource_lookup_data(rmil_report_page_get_resource(), path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    g_assert(bytes); /* compiled in, so always there */
    return bytes;
}

/* Style, script, and a policy that nothing else may run or be fetched; the script is allowed by its digest. */
static void add_head(GString *out) {
    g_autoptr(GBytes) style = part("report.css"), script = part("report.js");
    gsize size, length = 32;
    const char *text = g_bytes_get_data(script, &size);
    guint8 digest[32];
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, (const guchar *)text, (gssize)size);
    g_checksum_get_digest(sum, digest, &length);
    g_autofree char *coded = g_base64_encode(digest, length);
    rmil_html(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' data: file:; style-src "
                   "'unsafe-inline'; script-src 'sha256-");
    g_string_append(out, coded);
    g_string_append(out, "'\">\n<style>");
    g_string_append_len(out, g_bytes_get_data(style, NULL), (gssize)g_bytes_get_size(style));
    g_string_append(out, "</style>\n");
}

/* A copy whose text does not break between a number and its %, before "= 0.5", or between "±" and its number. */
static char *keep_together(const char *html) {
    GString *out = g_string_sized_new(strlen(html) + 1024);
    const char *from = html;
    for (const char *at = html; *at;) {
        if (*at == '<') {
            const char *end = g_str_has_prefix(at, "<pre") ? strstr(at, "</pre>") : strchr(at, '>');
            at = end ? end + 1 : at + strlen(at);
            continue;
        }
        const gboolean unit = at > html && *at == ' ' && at[1] == '%' && g_ascii_isdigit(at[-1]),
                       value = at > html + 1 && *at == ' ' && g_ascii_isdigit(at[1]) &&
                               (at[-1] == '=' || (at[-2] == '\xc2' && at[-1] == '\xb1')); /* ± */
        const gboolean sign = *at == ' ' && at[1] == '=' && at[2] == ' ' && g_ascii_isdigit(at[3]);
        if (unit || value || sign) {
            g_string_append_len(out, from, at - from);
            g_string_append(out, "\u00a0"); /* no-break space */
            from = at + 1;
        }
        at++;
    }
    g_string_append(out, from);
    return g_string_free(out, FALSE);
}

gboolean rmil_html_page_write(const char *path, const char *eyebrow, const char *title, const char *line, const RmilHtmlSection *sections,
                              const char *body, GError **error) {
    g_autoptr(GString) out = g_string_new("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                                          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    rmil_html(out, "<title>%s – rankmil report</title>\n", title);
    add_head(out);
    rmil_html(out, "</head><body>\n<header><p class=\"eyebrow\">%s</p><h1>%s</h1>\n<p class=\"soft\">%s</p>\n", eyebrow, title, line);
    if (sections && sections->id) {
        g_string_append(out, "<nav aria-label=\"Sections\"><ul>");
        for (const RmilHtmlSection *s = sections; s->id; s++) {
            g_autofree char *section = g_strdup_printf("<section id=\"%s\"", s->id);
            if (strstr(body, section)) rmil_html(out, "<li><a href=\"#%s\">%s</a></li>", s->id, s->text);
        }
        g_string_append(out, "</ul></nav>");
    }
    g_autofree char *kept = keep_together(body);
    g_string_append(out, "</header>\n<main>\n");
    g_string_append(out, kept);
    rmil_html(out, "</main>\n<footer>rankmil %s. For research; not a medical device.</footer>\n<script>", rmil_version());
    g_autoptr(GBytes) script = part("report.js");
    g_string_append_len(out, g_bytes_get_data(script, NULL), (gssize)g_bytes_get_size(script));
    g_string_append(out, "</script></body></html>\n");
    return rmil_file_write(path, out->str, out->len, error);
}
