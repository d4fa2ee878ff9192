#include "report.h"

#include <math.h>
#include <string.h>

const char rmil_html_style[] =
    ":root{--ink:#1b2430;--soft:#5a6675;--line:#dde3ea;--tint:#f5f7fa;--accent:#0b5a8f;--warn:#8a4b00}"
    "*{box-sizing:border-box}"
    "html{-webkit-text-size-adjust:100%}"
    "body{margin:0;background:#fff;color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}"
    "main,header,footer{max-width:1120px;margin:0 auto;padding:0 24px}"
    "header{padding-top:36px}"
    "h1{font-size:1.9rem;line-height:1.2;margin:.1em 0 .2em;overflow-wrap:anywhere}"
    "h2{font-size:1.35rem;line-height:1.25;margin:2.6em 0 .6em;padding-top:.5em;border-top:2px solid var(--line)}"
    "h3{font-size:1.05rem;margin:1.8em 0 .5em;overflow-wrap:anywhere}"
    "p{max-width:46em;margin:.7em 0}"
    ".eyebrow{color:var(--accent);font-weight:600;letter-spacing:.02em;margin:0}"
    ".soft,caption,figcaption{color:var(--soft)}"
    ".lead{font-size:1.15rem;line-height:1.5}"
    "nav{margin:1.2em 0 0;padding:.6em 0;border-top:1px solid var(--line);border-bottom:1px solid var(--line)}"
    "nav ul{display:flex;flex-wrap:wrap;gap:.3em 1.4em;list-style:none;margin:0;padding:0}"
    "a{color:var(--accent)}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(210px,350px));gap:14px;margin:1.4em 0}"
    ".card{border:1px solid var(--line);border-radius:8px;padding:14px 16px;background:var(--tint)}"
    ".card.ref{border-color:var(--accent);border-width:2px;background:#fff}"
    ".card b{display:block;font-size:2rem;line-height:1.15;font-variant-numeric:tabular-nums}"
    ".card span{display:block;font-size:.9rem;color:var(--soft)}"
    ".card .name{color:var(--ink);font-weight:600;font-size:1rem}"
    ".note{border-left:4px solid #d9a441;background:#fdf8ec;padding:.6em 1em;margin:1em 0;max-width:52em}"
    ".note p{margin:.25em 0}"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:18px;align-items:start;margin:1.2em 0}"
    ".figures.two{grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}"
    "figure{margin:0;break-inside:avoid}"
    "figure img{display:block;width:100%;height:auto;border:1px solid var(--line);border-radius:4px;background:#fff}"
    ".plot img{border:0;max-width:560px;margin:0 auto}"
    "figcaption{font-size:.9rem;margin-top:.4em}"
    ".scroll{overflow-x:auto;margin:1em 0}"
    "table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums;min-width:min(100%,32em)}"
    "caption{text-align:left;padding:0 0 .5em;font-size:.92rem;max-width:56em}"
    "caption span{position:sticky;left:0;display:inline-block;max-width:min(54em,calc(100vw - 34px))}"
    "th,td{padding:.42em .8em .42em 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}"
    "thead th{border-bottom:2px solid #aab4c0;white-space:nowrap}"
    "tbody th{font-weight:600;position:sticky;left:0;background:#fff}"
    "td small{color:var(--soft);white-space:nowrap;display:block}"
    "td.n,th.n{text-align:right;white-space:nowrap}"
    "td.best{font-weight:700}"
    "td.wrong{color:#a1260d;font-weight:600}"
    ".keys th{font-weight:400;color:var(--soft);white-space:normal;min-width:11em}"
    ".keys td{overflow-wrap:anywhere}"
    "details{margin:.8em 0;border:1px solid var(--line);border-radius:6px;padding:.5em 1em}"
    "summary{cursor:pointer;font-weight:600}"
    "pre{background:var(--tint);border:1px solid var(--line);border-radius:6px;padding:.8em 1em;overflow-x:auto;font-size:.88rem;white-space:pre-wrap;overflow-wrap:anywhere}"
    ".slide{margin:1.8em 0;break-inside:avoid}"
    ".slide h3{margin-top:0}"
    "footer{margin-top:4em;padding-top:1em;padding-bottom:3em;border-top:1px solid var(--line);color:var(--soft);font-size:.9rem}"
    "@media(max-width:600px){main,header,footer{padding-left:16px;padding-right:16px}h1{font-size:1.5rem}h2{font-size:1.2rem}"
    "body{font-size:15px}.card b{font-size:1.7rem}.cards{grid-template-columns:1fr;gap:10px}.card{padding:10px 14px}"
    ".keys th{min-width:7em}}"
    "@media print{body{font-size:10pt}nav{display:none}main,header,footer{max-width:none;padding:0}h2{break-after:avoid}"
    "details{border:0;padding:0}a{color:inherit;text-decoration:none}.scroll{overflow:visible}}";

void rmil_html(GString *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_markup_vprintf_escaped(format, arguments);
    va_end(arguments);
    g_string_append(out, text);
}

const char *rmil_html_metric(double value, char *text) {
    if (isnan(value)) return "–";
    g_snprintf(text, 16, "%.3f", value);
    return text;
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

void rmil_html_table_begin(GString *out, const char *caption) {
    rmil_html(out, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"%s\"><table><caption><span>%s</span></caption>\n", caption, caption);
}

void rmil_html_table_end(GString *out) { g_string_append(out, "</table></div>\n"); }

void rmil_html_svg(GString *out, const char *svg, const char *alt, const char *caption) {
    g_autofree char *data = g_base64_encode((const guchar *)svg, strlen(svg));
    rmil_html(out, "<figure class=\"plot\"><img alt=\"%s\" src=\"data:image/svg+xml;base64,", alt);
    g_string_append(out, data);
    rmil_html(out, "\"><figcaption>%s</figcaption></figure>\n", caption);
}

/* -- JSON as rows ------------------------------------------------------------------------------------------------------------- */
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
    for (guint i = 0; i < length; i++) flat = flat && !JSON_NODE_HOLDS_OBJECT(json_array_get_element(array, i)) && !JSON_NODE_HOLDS_ARRAY(json_array_get_element(array, i));
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
