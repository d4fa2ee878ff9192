/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: how it was made. */
#include "report.h"

#include <string.h>

static void command_line(RmilReport *report) {
    JsonNode *command = rmil_json_get(report->run->info, "command"), *given = rmil_json_get(report->run->info, "arguments");
    const char *directory = rmil_json_text(report->run->info, "directory");
    const gboolean whole = rmil_json_array(given) != NULL; /* else the program and its command are missing */
    g_autoptr(GString) line = g_string_new(whole ? "rankmil run" : NULL);
    if (whole) command = given;
    if (command && JSON_NODE_HOLDS_ARRAY(command)) {
        JsonArray *words = json_node_get_array(command);
        for (guint i = 0; i < json_array_get_length(words); i++) {
            JsonNode *word = json_array_get_element(words, i);
            if (!JSON_NODE_HOLDS_VALUE(word) || json_node_get_value_type(word) != G_TYPE_STRING) continue;
            const char *text = json_node_get_string(word);
            g_autofree char *quoted = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./"
                                                   "=:,+@%") == strlen(text) &&
                                              *text
                                          ? g_strdup(text)
                                          : g_shell_quote(text);
            g_string_append_printf(line, "%s%s", line->len ? " " : "", quoted);
        }
    } else if (rmil_json_text(report->run->info, "command")) {
        g_string_append(line, rmil_json_text(report->run->info, "command"));
    }
    if (line->len == 0) return;
    rmil_html(report->out,
              "<h3>To repeat it</h3>\n<pre>%s</pre>\n<p class=\"soft\">The same version, input and seeds give the same "
              "models and predictions, byte for byte, on any number of threads.%s%s</p>\n",
              line->str, directory ? " The command was run in the folder " : "", directory ? directory : "");
    const char *commit = rmil_json_text(rmil_json_get(report->run->info, "environment"), "commit");
    if (commit && g_str_has_suffix(commit, "-dirty"))
        rmil_html(
            report->out,
            "<p class=\"soft\">The program contained changes on top of the commit that %s names, so that commit alone does not repeat the results.</p>\n",
            commit);
}

static void timings_table(RmilReport *report) {
    JsonNode *timings = rmil_json_get(report->run->info, "timings");
    if (!timings || !JSON_NODE_HOLDS_OBJECT(timings)) return;
    JsonObject *object = json_node_get_object(timings);
    g_autoptr(GList) members = json_object_get_members(object);
    if (!members) return;
    rmil_html_table_begin(report->out, "timings", "Run time of the last call. Steps that an earlier call had completed are not included.");
    g_string_append(report->out, "<tbody>\n");
    double total = 0;
    for (GList *m = members; m; m = m->next) {
        JsonNode *node = json_object_get_member(object, m->data);
        if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) == G_TYPE_STRING) continue;
        double seconds = json_node_get_double(node);
        char text[32];
        if (strcmp(m->data, "total") != 0) total += seconds;
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td></tr>\n", (const char *)m->data,
                  rmil_html_seconds(seconds, text));
    }
    char text[32];
    if (!json_object_has_member(object, "total"))
        rmil_html(report->out, "<tr><th scope=\"row\">all</th><td class=\"n\">%s</td></tr>\n", rmil_html_seconds(total, text));
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

gboolean rmil_report_making(RmilReport *report, GError **error) {
    static const char *const shown_elsewhere[] = {"cohort_summary", "problems",  "warnings", "timings", "command",
                                                  "arguments",      "directory", "config",   "runs",    "heatmaps",
                                                  "environment",    "subgroups", "title",    NULL};
    g_string_append(report->out, "<section id=\"making\"><h2>How this was made</h2>\n");
    command_line(report);
    timings_table(report);
    rmil_report_keys(report, "environment", "What it was computed with.", rmil_json_get(report->run->info, "environment"), NULL);
    rmil_report_keys(report, "versions", "The run, and digests (SHA-256) of what went into it.", report->run->info, shown_elsewhere);
    rmil_report_keys(report, "configuration", "Configuration.", rmil_json_get(report->run->info, "config"), NULL);
    for (guint m = 0; m < report->run->methods->len && !report->run->single; m++) {
        const RmilMethod *method = g_ptr_array_index(report->run->methods, m);
        const RmilSeedRun *seed = g_ptr_array_index(method->seeds, 0);
        if (!seed->info) continue;
        g_autoptr(GString) seeds = g_string_new(NULL);
        for (guint s = 0; s < method->seeds->len; s++)
            g_string_append_printf(seeds, "%s%" G_GINT64_FORMAT, s ? ", " : "", ((RmilSeedRun *)g_ptr_array_index(method->seeds, s))->seed);
        rmil_html(report->out, "<details><summary>%s: settings</summary>\n<p>%s %s.</p>\n", method->title,
                  method->seeds->len == 1 ? "Seed" : "Seeds", seeds->str);
        g_autofree char *name = g_strconcat("settings-", method->name, NULL);
        g_autofree char *caption = g_strdup_printf("run.json of %s, seed %" G_GINT64_FORMAT ".", method->title, seed->seed);
        rmil_report_keys(report, name, caption, seed->info, NULL);
        g_string_append(report->out, "</details>\n");
    }
    if (!rmil_html_tables(report->out, report->run->folder, error)) return FALSE;
    rmil_html(
        report->out,
        "<p class=\"soft\">%s: change the script and run <code>gnuplot NAME.gp</code> there. The folder tables/ has all numbers with every digit (CSV), and tables for LaTeX.</p></section>\n",
        report->drawn
            ? "The figures are in the folder figures/ as SVG, PDF and PNG, each with its data (CSV) and gnuplot script"
            : "The figures were not drawn, because gnuplot is not installed; the folder figures/ has their data (CSV) and gnuplot scripts");
    return TRUE;
}
