/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: tables and curves of its measures. */
#include "report.h"

#include <math.h>

/* The pooled predictions in the words of the page, by RmilTests; the last: one training each. */
static const struct {
    const char *caption, *how, *alone, *curves;
} pooled_words[] = {
    [RMIL_TESTS_SAME] =
        {"Test slides, predictions averaged over the seeds; 95 % interval below each value. Best in bold.",
         "A seed is one training with its own random numbers. The probabilities that the seeds give a test slide are averaged, and each measure is computed once from the averages.",
         "Test slides, every training alone: mean ± standard deviation over the seeds. The best mean in bold.",
         "ROC curves. Thick: probabilities averaged over the seeds, with the AUROC; thin: each seed."},
    [RMIL_TESTS_FOLDS] =
        {"Cross-validation: pooled out-of-fold predictions, every slide once; 95 % interval below each value. Best in bold.",
         "Each slide has one prediction, by the model of the fold that tested it; these are pooled, and each measure is computed once. "
         "The models of the folds may be scaled differently, which the pool counts as errors of ranking; the means of the folds, below, do not.",
         "Cross-validation: every fold alone, on its own test slides: mean ± standard deviation over the folds. The best mean in bold.",
         "ROC curves. Thick: the pooled out-of-fold predictions, with the AUROC; thin: each fold."},
    [RMIL_TESTS_MIXED] =
        {"Test slides of all trainings, pooled: a slide’s probability is the mean of those that tested it; 95 % interval below each value. "
         "Best in bold.",
         "The trainings have different test slides that overlap. A slide’s probability is the mean of the trainings that tested it, and "
         "each measure is computed once from these.",
         "Every training alone, on its own test slides: mean ± standard deviation over the trainings. The best mean in bold.",
         "ROC curves. Thick: the pooled predictions, with the AUROC; thin: each training."},
    {"Test slides; 95 % interval below each value.", "", "",
     "ROC curves, with the AUROC. Band: 95 % interval of the curve over 500 resamples of the slides."}};

const RmilMethodSummary *rmil_report_reference(const RmilReport *report) { return &report->summary->methods[report->summary->reference]; }

static RmilTests tests_of(const RmilReport *report) { return report->summary->methods[report->summary->reference].tests; }

/* Index of the words above that fit. */
static gsize pool_kind(const RmilReport *report) { return report->summary->repeats ? (gsize)tests_of(report) : RMIL_TESTS_MIXED + 1; }

/* -- tables */
static void header_row(GString *out, const RmilSummary *s, const char *first) {
    rmil_html(out, "<thead><tr><th scope=\"col\">%s</th>", first);
    for (int i = 0; i < s->n_measures; i++) rmil_html(out, "<th scope=\"col\">%s</th>", s->measures[i].name);
    g_string_append(out, "</tr></thead><tbody>\n");
}

/* Is it the best value of a column, as shown? Ties are all best; a single method is not. */
static gboolean is_best(const RmilSummary *summary, gboolean means, int metric, int method) {
    const double sign = summary->measures[metric].lower ? -1 : 1;
    double top = -INFINITY;
    for (int m = 0; m < summary->n; m++) {
        double value = sign * (means ? summary->methods[m].mean[metric] : summary->methods[m].value[metric]);
        if (value > top) top = value;
    }
    double mine = sign * (means ? summary->methods[method].mean[metric] : summary->methods[method].value[metric]);
    return summary->n > 1 && mine > top - 0.0005;
}

static void pooled_table(RmilReport *report) {
    const RmilSummary *s = report->summary;
    rmil_html_table_begin(report->out, "measures", pooled_words[pool_kind(report)].caption);
    header_row(report->out, s, "Method");
    for (int m = 0; m < s->n; m++) {
        const RmilMethodSummary *one = &s->methods[m];
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th>", one->method->title);
        for (int i = 0; i < s->n_measures; i++) {
            char value[16];
            rmil_html(report->out, "<td class=\"%s\">%s", is_best(s, FALSE, i, m) ? "best" : "value",
                      rmil_html_metric(one->value[i], value));
            rmil_html_interval(report->out, &one->interval[i]);
            g_string_append(report->out, "</td>");
        }
        g_string_append(report->out, "</tr>\n");
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

static void seeds_table(RmilReport *report) {
    const RmilSummary *s = report->summary;
    if (!s->repeats) return;
    rmil_html_table_begin(report->out, "trainings", pooled_words[pool_kind(report)].alone);
    g_autofree char *first = g_strdup_printf("Method (%ss)", rmil_tests_one(rmil_report_reference(report)));
    header_row(report->out, s, first);
    for (int m = 0; m < s->n; m++) {
        const RmilMethodSummary *one = &s->methods[m];
        rmil_html(report->out, "<tr><th scope=\"row\">%s (%d)</th>", one->method->title, one->seeds);
        for (int i = 0; i < s->n_measures; i++) {
            char mean[16], sd[16];
            rmil_html(report->out, "<td class=\"%s\">%s<small>± %s</small></td>", is_best(s, TRUE, i, m) ? "best" : "value",
                      rmil_html_metric(one->mean[i], mean), rmil_html_metric(one->sd[i], sd));
        }
        g_string_append(report->out, "</tr>\n");
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

static void p_cells(GString *out, double p, double adjusted, gboolean many) {
    char raw[16], holm[16];
    rmil_html(out, "<td>%s", rmil_html_p(p, raw));
    if (many && !isnan(p)) rmil_html(out, "<small>Holm: %s</small>", rmil_html_p(adjusted, holm));
    g_string_append(out, "</td>");
}

/* A difference with its sign; the limits of its interval have signs, too. */
static void difference_cell(GString *out, double difference, const RmilInterval *interval) {
    char shown[16], low[16], high[16];
    rmil_html(out, "<td>%s", rmil_html_difference(difference, shown));
    if (!isnan(interval->low))
        rmil_html(out, "<small>%s to %s</small>", rmil_html_difference(interval->low, low), rmil_html_difference(interval->high, high));
    g_string_append(out, "</td>");
}

static void comparison_table(RmilReport *report) {
    const RmilSummary *s = report->summary;
    if (s->n_comparisons == 0) return;
    g_autofree char *caption = g_strdup_printf(
        "%s against each other method: %s on the test slides, two-sided p values%s%s.", rmil_report_reference(report)->method->title,
        s->measures[0].name,
        s->task.classes == 2 && tests_of(report) == RMIL_TESTS_SAME ? ", DeLong’s 95 % interval below the difference" : "",
        s->n_comparisons > 1 ? ", below them the p values after Holm’s correction" : "");
    rmil_html_table_begin(report->out, "comparisons", caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Compared with</th><th scope=\"col\">Difference</th>");
    if (s->task.classes == 2) g_string_append(report->out, "<th scope=\"col\">DeLong</th>");
    g_string_append(report->out, "<th scope=\"col\">Mann-Whitney U</th><th scope=\"col\">Wilcoxon, "
                                 "paired</th></tr></thead><tbody>\n");
    for (int i = 0; i < s->n_comparisons; i++) {
        const RmilComparison *c = &s->comparisons[i];
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th>", s->methods[c->other].method->title);
        if (isnan(c->difference)) g_string_append(report->out, "<td>–</td>");
        else difference_cell(report->out, c->difference, &c->interval);
        gboolean many = s->n_comparisons > 1;
        if (s->task.classes == 2) p_cells(report->out, c->delong, c->delong_holm, many);
        p_cells(report->out, c->mann_whitney[0], c->mann_whitney_holm[0], many);
        p_cells(report->out, c->wilcoxon[0], c->wilcoxon_holm[0], many);
        g_string_append(report->out, "</tr>\n");
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
    if (s->task.classes != 2)
        rmil_html(
            report->out,
            "<p class=\"soft\">The tests compare the %s of repeated trainings: would the difference hold for other trainings? To reach "
            "p&nbsp;&lt;&nbsp;0.05, Mann-Whitney U needs at least four trainings per method, Wilcoxon’s test at least six pairs.</p>\n",
            s->measures[0].name);
    else if (s->repeats && tests_of(report) != RMIL_TESTS_SAME)
        g_string_append(report->out,
                        "<p class=\"soft\">The pooled predictions come from different models, one of each training, so that "
                        "DeLong’s test, which compares two models, is left out. Mann-Whitney U (the test of Kim et al.) and the paired "
                        "Wilcoxon test compare the AUROCs of the trainings on their own test slides. The trainings share slides, so "
                        "their AUROCs are not independent and small p values come too easily.</p>\n");
    else if (!s->repeats)
        g_string_append(report->out, "<p class=\"soft\">DeLong’s test asks whether the difference would hold for other "
                                     "slides. The other tests compare "
                                     "repeated trainings, and need at least two seeds.</p>\n");
    else
        g_string_append(report->out,
                        "<p class=\"soft\">DeLong compares the predictions on the same test slides: would "
                        "the difference hold for other slides? "
                        "Mann-Whitney U (the test of Kim et al.) and the paired Wilcoxon test compare the "
                        "AUROCs of the seeds: would it hold for other "
                        "trainings on these slides? To "
                        "reach p&nbsp;&lt;&nbsp;0.05, Mann-Whitney U needs at least four seeds per method, Wilcoxon’s test at least "
                        "six. Both are exact for few seeds, but Mann-Whitney U is approximate if two AUROCs are equal.</p>\n");
}

/* -- figures
 * ---------------------------------------------------------------------------------------------------------------------------
 */
static char *spoken_values(const RmilSummary *s, const char *what, int metric) {
    GString *text = g_string_new(what);
    for (int m = 0; m < s->n; m++) {
        char value[16];
        g_string_append_printf(text, "%s %s %s", m ? ";" : ":", s->methods[m].method->title,
                               rmil_html_metric(s->methods[m].value[metric], value));
    }
    return g_string_free(text, FALSE);
}

gboolean rmil_report_roc(RmilReport *report, GError **error) {
    const RmilSummary *s = report->summary;
    g_autofree char *roc = rmil_figure_roc(s, report->run->folder, error);
    if (!roc) return FALSE;
    g_autofree char *alt = spoken_values(s, "ROC curves of the test slides, AUROC", 0);
    rmil_html_svg(report->out, roc, alt, pooled_words[pool_kind(report)].curves);
    return TRUE;
}

/* Precision-recall curves, AUROC and probabilities of all methods, for two classes. */
static gboolean add_curves(RmilReport *report, GError **error) {
    const RmilSummary *s = report->summary;
    const char *folder = report->run->folder;
    g_autofree char *alt = spoken_values(s, "Precision-recall curves of the test slides, AUPRC", 1),
                    *auroc_alt = spoken_values(s, "AUROC with interval for each method", 0);
    g_string_append(report->out, "<div class=\"figures two\">\n");
    const gboolean done = rmil_html_figure(
                              report->out, rmil_figure_pr(s, folder, error), alt,
                              "Precision-recall curves, with the AUPRC. Dotted: the share of positive slides, which guessing reaches.") &&
                          rmil_html_figure(report->out, rmil_figure_auroc(s, folder, error), auroc_alt,
                                           "AUROC of each method with its 95 % interval.") &&
                          rmil_html_figure(report->out, rmil_figure_probabilities(s, folder, error),
                                           "Predicted probability of every test slide, by method and true label",
                                           "Predicted probability of every test slide. The line is at 0.5.");
    g_string_append(report->out, "</div>\n");
    return done;
}

/* Explains the measures that their names do not explain. */
static const char *measure_words(const RmilTask *task) {
    if (task->classes == 2)
        return "Accuracy, sensitivity and specificity are at probability > 0.5. AUPRC is the area under the precision-recall points joined by "
               "lines, as in the paper; average precision sums them as steps.";
    if (task->kind == RMIL_TASK_CLASSES)
        return "AUROC and average precision are means over the classes, each against the rest; F1 likewise. A slide’s class is the most "
               "probable one. Quadratic kappa counts far errors more, which means something only where the classes have an order.";
    return task->kind == RMIL_TASK_SURVIVAL
               ? "Harrell’s C-index is the share of comparable pairs of slides that the risk puts into the "
                 "right order; Uno’s C weights them by how many were still followed."
               : "R² is the share of the variance that the prediction explains; it is below 0 where the mean would be better.";
}

gboolean rmil_report_measures(RmilReport *report, GError **error) {
    const RmilSummary *s = report->summary;
    if (!report->tested) return TRUE;
    g_autofree int64_t *groups = rmil_predictions_patients(rmil_report_reference(report)->pooled);
    g_string_append(report->out, "<section id=\"tests\"><h2>Performance</h2>\n");
    pooled_table(report);
    rmil_html(report->out, "<p class=\"soft\">%s The interval says how much a value would vary with other test %s. %s %s</p>\n",
              pooled_words[pool_kind(report)].how, groups ? "patients" : "slides", rmil_interval_words(&s->task, groups != NULL),
              measure_words(&s->task));
    seeds_table(report);
    comparison_table(report);
    if (s->task.classes == 2 && !add_curves(report, error)) return FALSE;
    if (!rmil_report_outcomes(report, error)) return FALSE;
    g_string_append(report->out, "</section>\n");
    return TRUE;
}
