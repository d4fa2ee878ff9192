/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: the same measures in parts of the test slides, by columns of the table. */
#include "report.h"
#include "evaluate/subgroups.h"

#include <math.h>
#include <string.h>

/* The column's text for each row; NULL if the cell is empty. The texts belong to the table. */
static const char **texts_of(const RmilReport *report, int column, const GArray *rows) {
    const char **texts = g_new0(const char *, rows->len + 1);
    g_autoptr(GHashTable) at = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < report->table->count; i++) g_hash_table_insert(at, report->table->rows[i].id, GSIZE_TO_POINTER((gsize)i + 1));
    for (guint i = 0; i < rows->len; i++) {
        const RmilPredictionRow *row = &g_array_index(rows, RmilPredictionRow, i);
        const gsize place = GPOINTER_TO_SIZE(g_hash_table_lookup(at, row->slide));
        if (place) texts[i] = rmil_table_cell(report->table->table, (int64_t)place - 1, column);
    }
    /* with bags of patients a row is a patient; it gets a text if all its slides agree on it */
    for (guint i = 0; i < rows->len; i++) {
        const RmilPredictionRow *row = &g_array_index(rows, RmilPredictionRow, i);
        gboolean alike = TRUE;
        if (texts[i] || g_hash_table_contains(at, row->slide)) continue;
        for (int64_t k = 0; k < report->table->count && alike; k++) {
            if (!report->table->rows[k].patient || strcmp(report->table->rows[k].patient, row->slide) != 0) continue;
            const char *text = rmil_table_cell(report->table->table, k, column);
            alike = !texts[i] || strcmp(texts[i], text) == 0;
            texts[i] = text;
        }
        if (!alike) texts[i] = "several";
    }
    return texts;
}

static void share_cell(GString *out, double value, const RmilInterval *interval, int64_t hits, int64_t cases) {
    char text[16];
    rmil_html(out, "<td>%s", rmil_html_metric(value, text));
    if (cases) rmil_html(out, " (%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT ")", hits, cases);
    rmil_html_interval(out, interval);
    g_string_append(out, "</td>");
}

static void group_row(RmilReport *report, const RmilSubgroup *group) {
    const RmilTask *task = &report->summary->task;
    char value[16];
    g_autofree char *counts = rmil_predictions_counts(group->rows, task, ", ");
    rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%u</td><td>%s</td><td>%s",
              *group->name ? group->name : "not known", group->rows->len, counts ? counts : "–", rmil_html_metric(group->value, value));
    rmil_html_interval(report->out, &group->interval);
    g_string_append(report->out, "</td>");
    if (task->classes == 2) {
        const RmilCutMetrics *at = &group->at;
        share_cell(report->out, at->sensitivity, &group->shares[RMIL_AT_SENSITIVITY], at->true_positives,
                   at->true_positives + at->false_negatives);
        share_cell(report->out, at->specificity, &group->shares[RMIL_AT_SPECIFICITY], at->true_negatives,
                   at->true_negatives + at->false_positives);
    }
    g_string_append(report->out, "</tr>\n");
}

static void column_table(RmilReport *report, const char *name, int column) {
    const RmilSummary *s = report->summary;
    const RmilMethodSummary *best = rmil_report_reference(report);
    g_autofree const char **texts = texts_of(report, column, best->pooled);
    g_autoptr(GPtrArray) groups = rmil_subgroups(&s->task, best->pooled, texts, rmil_report_cut(report, s->reference));
    g_autofree char *caption = g_strdup_printf("%s by %s: test slides, %s%s, with 95 %% intervals.", best->method->title, name,
                                               s->measures[0].name,
                                               s->task.classes == 2 ? ", sensitivity and specificity at the cut-off" : "");
    g_autofree char *file = g_strconcat("subgroup-", name, NULL);
    rmil_html_table_begin(report->out, file, caption);
    rmil_html(
        report->out,
        "<thead><tr><th scope=\"col\">%s</th><th scope=\"col\" class=\"n\">Slides</th><th scope=\"col\">Of these</th><th scope=\"col\">%s</th>",
        name, s->measures[0].name);
    if (s->task.classes == 2) g_string_append(report->out, "<th scope=\"col\">Sensitivity</th><th scope=\"col\">Specificity</th>");
    g_string_append(report->out, "</tr></thead><tbody>\n");
    for (guint i = 0; i < groups->len; i++) group_row(report, groups->pdata[i]);
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

/* Index of the column, or an error that names the columns there are. */
static int find_column(const RmilReport *report, const char *name, GError **error) {
    const RmilTable *table = report->table->table;
    const int column = rmil_table_find(table, name);
    if (column >= 0) return column;
    g_autoptr(GString) all = g_string_new(NULL);
    for (int c = 0; c < rmil_table_columns(table); c++) g_string_append_printf(all, "%s%s", c ? ", " : "", rmil_table_name(table, c));
    rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: there is no column \"%s\" to make subgroups by; it has %s", report->table->path, name,
              all->str);
    return -1;
}

gboolean rmil_report_subgroups(RmilReport *report, GError **error) {
    if (!report->groups || !report->groups[0]) return TRUE;
    if (!report->table || !report->table->table)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: subgroups by \"%s\" need the table of slides, which is neither in this folder nor where it was",
                         report->run->folder, report->groups[0]);
    if (!report->tested) return TRUE;
    g_string_append(report->out,
                    "<section id=\"subgroups\"><h2>Subgroups</h2>\n<p>Parts of the test slides, each measured by itself. They are "
                    "small, and the more of them one looks at, the more of them differ by chance: wide intervals that overlap "
                    "say that nothing is known of a difference.</p>\n");
    for (int k = 0; report->groups[k]; k++) {
        const int column = find_column(report, report->groups[k], error);
        if (column < 0) return FALSE;
        column_table(report, report->groups[k], column);
    }
    g_string_append(report->out, "</section>\n");
    return TRUE;
}
