/* SPDX-License-Identifier: Apache-2.0 */
/* Every test slide with each method's prediction, the worst mistakes first; for runs and studies. */
#include "report.h"
#include "task-words.h"
#include "rankmil/present.h"

#include <math.h>
#include <string.h>

const RmilPredictionRow *rmil_report_said(const RmilMethodSummary *summary, const char *id) {
    for (guint i = 0; i < summary->pooled->len; i++)
        if (strcmp(g_array_index(summary->pooled, RmilPredictionRow, i).slide, id) == 0)
            return &g_array_index(summary->pooled, RmilPredictionRow, i);
    return NULL;
}

/* -- order --------------------------------------------------------------------------------------------------------------------------- */
int rmil_report_by_distance(gconstpointer a, gconstpointer b, gpointer user) {
    const RmilReport *report = user;
    const RmilTask *task = &report->summary->task;
    const RmilPredictionRow *x = *(RmilPredictionRow *const *)a, *y = *(RmilPredictionRow *const *)b;
    const double cut = rmil_report_cut(report, report->summary->reference);
    const gboolean wrong_x = rmil_task_is_wrong(task, x, cut), wrong_y = rmil_task_is_wrong(task, y, cut);
    double u = rmil_task_distance(task, x), v = rmil_task_distance(task, y);
    if (wrong_x != wrong_y) return wrong_x ? -1 : 1;
    if (isnan(u)) u = -x->answer, v = -y->answer; /* times: the highest risk first */
    return u != v ? (u < v) - (u > v) : strcmp(x->slide, y->slide);
}

/* -- table --------------------------------------------------------------------------------------------------------------------------- */
/* A cell that carries all digits of the prediction for the table's CSV file. */
static void answer_cell(RmilReport *report, int m, const char *id) {
    const RmilTask *task = &report->summary->task;
    const RmilPredictionRow *said = rmil_report_said(&report->summary->methods[m], id);
    if (!said) {
        g_string_append(report->out, "<td>–</td>");
        return;
    }
    g_autofree char *answer = rmil_task_answer(task, said),
                    *digits = g_strdup_printf("%.9g", task->classes == 2 ? said->probability : said->answer);
    const gboolean whole = task->classes != 2 && task->kind == RMIL_TASK_CLASSES,
                   wrong = rmil_task_is_wrong(task, said, rmil_report_cut(report, m));
    g_string_append(report->out, wrong ? "<td class=\"wrong\"" : "<td");
    if (!whole) rmil_html(report->out, " data-csv=\"%s\"", digits);
    rmil_html(report->out, ">%s%s</td>", answer, wrong ? " ✗" : "");
}

static void slide_row(RmilReport *report, const RmilPredictionRow *item) {
    g_autofree char *truth = rmil_task_truth(&report->summary->task, &item->target);
    const gboolean patients = !rmil_report_of_patients(report);
    if (report->study->of_run && rmil_report_pictured(report, item->slide))
        rmil_html(report->out, "<tr><th scope=\"row\"><a href=\"#picture-%d\">%s</a></th>", rmil_report_number(report, item->slide),
                  item->slide);
    else rmil_html(report->out, "<tr><th scope=\"row\">%s</th>", item->slide);
    if (patients) rmil_html(report->out, "<td>%s</td>", item->patient ? item->patient : "");
    rmil_html(report->out, "<td>%s</td>", truth);
    for (int m = 0; m < report->summary->n; m++) answer_cell(report, m, item->slide);
    g_string_append(report->out, "</tr>\n");
}

static void slide_table(RmilReport *report, const char *name, const char *caption, GPtrArray *items, guint from, guint to) {
    rmil_html_table_begin(report->out, name, caption);
    rmil_html(report->out, "<thead><tr><th scope=\"col\">%s</th>%s", rmil_report_of_patients(report) ? "Patient" : "Slide", "");
    if (!rmil_report_of_patients(report)) g_string_append(report->out, "<th scope=\"col\">Patient</th>");
    g_string_append(report->out, "<th scope=\"col\">Known</th>");
    for (int m = 0; m < report->summary->n; m++)
        rmil_html(report->out, "<th scope=\"col\">%s</th>", report->summary->methods[m].method->title);
    g_string_append(report->out, "</tr></thead><tbody>\n");
    for (guint i = from; i < to; i++) slide_row(report, g_ptr_array_index(items, i));
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

guint rmil_report_wrong(const RmilReport *report, int m) {
    const GArray *pooled = report->summary->methods[m].pooled;
    guint wrong = 0;
    for (guint i = 0; i < pooled->len; i++)
        wrong += (guint)rmil_task_is_wrong(&report->summary->task, &g_array_index(pooled, RmilPredictionRow, i),
                                           rmil_report_cut(report, m));
    return wrong;
}

/* The opening paragraph: what the section shows. */
static void introduce(RmilReport *report) {
    const RmilSummary *s = report->summary;
    const RmilTask *task = &s->task;
    g_string_append(report->out, "<section id=\"errors\"><h2>Test slides, worst mistakes first</h2>\n<p>");
    for (int m = 0; task->kind == RMIL_TASK_CLASSES && m < s->n; m++)
        rmil_html(report->out, "%s gets %u of %u wrong. ", s->methods[m].method->title, rmil_report_wrong(report, m),
                  s->methods[m].pooled->len);
    if (task->kind == RMIL_TASK_SURVIVAL)
        g_string_append(report->out, "By falling risk: look again at slide and table where an early event has a low risk, or a long time "
                                     "a high one.</p>\n");
    else
        rmil_html(report->out,
                  "The worst mistakes of %s come first. Look again at the slide, the scan and the label of each. A name links to "
                  "pictures, where there are any.</p>\n",
                  rmil_report_reference(report)->method->title);
}

gboolean rmil_report_errors(RmilReport *report, GError **error) {
    enum { SEEN = 12 };
    const RmilSummary *s = report->summary;
    const RmilMethodSummary *best = rmil_report_reference(report);
    if (best->pooled->len == 0 || report->study->n_levels > 1) return TRUE;
    const RmilTask *task = &s->task;
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    for (guint i = 0; i < best->pooled->len; i++) g_ptr_array_add(items, &g_array_index(best->pooled, RmilPredictionRow, i));
    g_ptr_array_sort_with_data(items, rmil_report_by_distance, report);
    introduce(report);
    g_autofree char *name = g_strdup(rmil_task_answer_name(task));
    *name = g_ascii_toupper(*name);
    const char *what = task->classes == 2 ? "Predicted probability" : name;
    const guint seen = items->len > SEEN + 3 ? MAX(SEEN, MIN(rmil_report_wrong(report, s->reference), 40)) : items->len,
                shown = MIN(seen, items->len);
    g_autofree char *caption = g_strdup_printf("%s%s%s%s.", what, s->repeats ? ", " : "", s->repeats ? rmil_tests_pool(best) : "",
                                               task->classes == 2                ? "; ✗ marks the wrong side of the method’s cut-off"
                                               : task->kind == RMIL_TASK_CLASSES ? "; ✗ marks another class than the known one"
                                                                                 : "");
    slide_table(report, "slides", caption, items, 0, shown);
    if (items->len > shown) {
        rmil_html(report->out, "<details><summary>The other %u test slides</summary>\n", items->len - shown);
        g_autofree char *rest = g_strdup_printf("%s, the other test slides.", what);
        slide_table(report, "slides-others", rest, items, shown, items->len);
        g_string_append(report->out, "</details>\n");
    }
    g_string_append(report->out, "</section>\n");
    return TRUE;
}

/* -- for code that draws pictures ----------------------------------------------------------------------------------------------------- */
char **rmil_report_mistakes(const char *folder, GError **error) {
    g_autoptr(RmilStudyReport) study = rmil_study_report_read(folder, error);
    if (!study) return NULL;
    const RmilLevel *last = &study->levels[study->n_levels - 1];
    RmilReport report = {.study = study, .run = last->run, .summary = last->summary};
    const RmilSummary *s = report.summary;
    g_autoptr(GStrvBuilder) ids = g_strv_builder_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    rmil_report_find_outcomes(&report);
    for (int m = 0; m < s->n; m++)
        for (guint i = 0; i < s->methods[m].pooled->len; i++) {
            const RmilPredictionRow *row = &g_array_index(s->methods[m].pooled, RmilPredictionRow, i);
            if (rmil_task_is_wrong(&s->task, row, rmil_report_cut(&report, m)) && g_hash_table_add(seen, (gpointer)row->slide))
                g_strv_builder_add(ids, row->slide);
        }
    g_ptr_array_unref(report.outcomes);
    return g_strv_builder_end(ids);
}
