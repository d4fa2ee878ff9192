/* SPDX-License-Identifier: Apache-2.0 */
/* The first screen of a study's page, its cohort, and its paragraph of methods. */
#include "study-report.h"

#include <math.h>
#include <string.h>

static void list_methods(const RmilStudyReport *study, GString *text) {
    for (guint m = 0; m < study->methods->len; m++)
        g_string_append_printf(text, "%s%s",
                               m == 0                        ? ""
                               : m + 1 < study->methods->len ? ", "
                                                             : " and ",
                               ((const RmilMethod *)study->methods->pdata[m])->title);
}

static void question(const RmilStudyReport *study, GString *out) {
    g_autoptr(GString) text = g_string_new(NULL);
    const char *measure = study->measures[0].name;
    if (!study->n_axes) {
        g_string_append_printf(text,
                               study->methods->len > 1 ? "Which method does best on unseen slides, by %s: "
                                                       : "How well does this method do on unseen slides, by %s: ",
                               measure);
        list_methods(study, text);
        g_string_append_c(text, '?');
    } else {
        g_string_append_printf(text, "How does the %s on unseen slides change with ", measure);
        for (int a = 0; a < study->n_axes; a++) {
            const RmilStudyAxis *axis = &study->axes[a];
            g_autofree char *words = g_strdup(axis->what ? axis->what->axis : axis->name);
            if (g_ascii_islower(words[1])) *words = g_ascii_tolower(*words); /* not "AUROC" */
            g_string_append_printf(text, "%sthe %s (%u values)", a ? " and " : "", words, axis->values->len);
        }
        g_string_append(text, " for ");
        list_methods(study, text);
        g_string_append_c(text, '?');
    }
    rmil_html(out, "<dt>Question</dt><dd><p>%s</p></dd>\n", text->str);
}

static void cohort(const RmilReport *report) {
    const RmilStudyReport *study = report->study;
    g_autofree char *name = g_path_get_basename(study->cohort);
    g_autofree char *sets = rmil_flow_words(report->flow);
    rmil_html(report->out,
              "<dt>Cohort</dt><dd><p>%s. %s. %" G_GINT64_FORMAT " trainings. <a href=\"#cohort\">How the slides were used</a></p></dd>\n",
              name, sets, study->done);
}

/* What the means over the trainings leave out: how results vary with the test slides. */
static void pooled_answer(const RmilReport *report) {
    const RmilMethodSummary *best = rmil_report_reference(report);
    char value[16], low[16], high[16];
    if (report->study->n_levels > 1 || !report->tested || best->tests == RMIL_TESTS_MIXED || isnan(best->interval[0].low)) return;
    rmil_html(report->out,
              "<p>On %u test slides the %s of %s reach %s %s, 95 %% interval %s to %s (how much other slides could change it).</p>\n",
              best->pooled->len, best->seeds > 1 ? rmil_tests_measured(best) : "predictions", best->method->title,
              report->summary->measures[0].name, rmil_html_metric(best->value[0], value), rmil_html_metric(best->interval[0].low, low),
              rmil_html_metric(best->interval[0].high, high));
}

gboolean rmil_study_answer(RmilReport *report, GError **error) {
    g_string_append(report->out, "<div class=\"glance\"><dl>\n");
    question(report->study, report->out);
    cohort(report);
    g_string_append(report->out, "<dt>Answer</dt><dd>");
    rmil_study_findings(report->study, report->out);
    pooled_answer(report);
    g_string_append(report->out, "</dd>\n</dl>\n<div>");
    if (!rmil_study_main_figure(report->study, report->out, error)) return FALSE;
    g_string_append(report->out, "</div></div>\n");
    return TRUE;
}

gboolean rmil_study_cohort(RmilReport *report, GError **error) {
    const RmilStudyReport *study = report->study;
    rmil_html(report->out, "<section id=\"cohort\"><h2>Cohort</h2>\n<p>Table of slides: <code>%s</code>%s%s.</p>\n", study->cohort,
              study->n_levels > 1 ? "; the figure is of the trainings at " : "",
              study->n_levels > 1 ? study->levels[study->n_levels - 1].text : "");
    if (!rmil_flow_draw(report->flow, study->folder, report->out, error)) return FALSE;
    g_string_append(report->out, "</section>\n");
    return TRUE;
}
