/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: results. */
#include "report.h"
#include "task-words.h"
#include "rankmil/present.h"

#include <math.h>
#include <string.h>

static const RmilMethodSummary *reference_of(const RmilReport *report) { return &report->summary->methods[report->summary->reference]; }

/* What the pooled predictions are, in the words of the page; by RmilTests, one training each last. */
static const struct {
    const char *caption, *how, *alone, *curves;
} pooled_words[] = {
    [RMIL_TESTS_SAME] =
        {"Test slides, predictions averaged over the seeds; below each value its 95 % interval. The best in bold.",
         "The probabilities that the seeds give a test slide are averaged, and each measure is computed once from the averages.",
         "Test slides, every training alone: mean ± standard deviation over the seeds. The best mean in bold.",
         "ROC curves. Thick: probabilities averaged over the seeds, with the AUROC; thin: each seed."},
    [RMIL_TESTS_FOLDS] =
        {"Cross-validation: pooled out-of-fold predictions, every slide once; below each value its 95 % interval. The best in bold.",
         "Each slide has one prediction, by the model of the fold that tested it; these are pooled, and each measure is computed once. "
         "The models of the folds may be scaled differently, which the pool counts as errors of ranking; the means of the folds, below, do not.",
         "Cross-validation: every fold alone, on its own test slides: mean ± standard deviation over the folds. The best mean in bold.",
         "ROC curves. Thick: the pooled out-of-fold predictions, with the AUROC; thin: each fold."},
    [RMIL_TESTS_MIXED] =
        {"Test slides of all trainings, pooled: a slide’s probability is the mean of those that tested it; below each value its 95 % interval. "
         "The best in bold.",
         "The trainings have different test slides that overlap. A slide’s probability is the mean of the trainings that tested it, and "
         "each measure is computed once from these.",
         "Every training alone, on its own test slides: mean ± standard deviation over the trainings. The best mean in bold.",
         "ROC curves. Thick: the pooled predictions, with the AUROC; thin: each training."},
    {"Test slides; below each value its 95 % interval.", "", "",
     "ROC curves, with the AUROC. Band: 95 % interval of the curve over 500 resamples of the slides."}};

static RmilTests tests_of(const RmilReport *report) { return report->summary->methods[report->summary->reference].tests; }

/* Which of the words above fit. */
static gsize pool_kind(const RmilReport *report) { return report->summary->repeats ? (gsize)tests_of(report) : RMIL_TESTS_MIXED + 1; }

static const char *plural(int64_t n, const char *one, const char *many) { return n == 1 ? one : many; }

/* -- what a reader should know first ------------------------------------------------------------------------------- */
static void sentence(RmilReport *report) {
    const RmilMethodSummary *best = reference_of(report);
    char value[16], low[16], high[16], p[16], other_value[16];
    const RmilTask *task = &report->summary->task;
    const gboolean folded = best->tests == RMIL_TESTS_FOLDS;
    g_autofree char *folds = g_strdup_printf("In %d-fold cross-validation over", best->seeds),
                    *counts = rmil_predictions_counts(best->pooled, task, ", ");
    rmil_html(report->out, "<p class=\"lead\">%s %u test slides%s%s%s, <strong>%s</strong> ", folded ? folds : "On", best->pooled->len,
              counts ? " (" : "", counts ? counts : "", counts ? ")" : "", best->method->title);
    if (task->classes == 2)
        rmil_html(report->out,
                  "ranks %s slide above %s one in %.0f&#8201;%% of all pairs: ", rmil_task_is_plain(task) ? "a positive" : task->names[1],
                  rmil_task_is_plain(task) ? "a negative" : task->names[0], 100 * best->value[0]);
    else g_string_append(report->out, "reaches: ");
    rmil_html(report->out, "%s <strong>%s</strong>%s, 95&#8201;%% interval %s to %s.", report->summary->measures[0].name,
              rmil_html_metric(best->value[0], value), folded ? " (pooled out-of-fold predictions)" : "",
              rmil_html_metric(best->interval[0].low, low), rmil_html_metric(best->interval[0].high, high));
    const char *unguided = rmil_method_unguided(rmil_method_reference())->name;
    for (int i = 0; i < report->summary->n_comparisons; i++) {
        const RmilComparison *comparison = &report->summary->comparisons[i];
        const RmilMethodSummary *other = &report->summary->methods[comparison->other];
        if (strcmp(other->method->name, unguided) != 0 || isnan(comparison->difference)) continue;
        rmil_html(report->out, " %s, which sees no annotations, reaches %s (difference %s%.3f", other->method->title,
                  rmil_html_metric(other->value[0], other_value), comparison->difference < 0 ? "−" : "+", fabs(comparison->difference));
        if (isnan(comparison->delong)) g_string_append(report->out, ").");
        else rmil_html(report->out, ", DeLong p %s%s).", comparison->delong < 0.001 ? "" : "= ", rmil_html_p(comparison->delong, p));
    }
    const RmilSummary *s = report->summary;
    const RmilLocalSummary *local = s->n_alphas ? &s->locals[s->reference * s->n_alphas] : NULL;
    if (local && !isnan(local->pointing))
        rmil_html(report->out,
                  " Its most attended %g&#8201;%% of tiles meet the annotated lesion in %.0f&#8201;%% of %d annotated "
                  "test %s (95&#8201;%% interval %.0f to %.0f&#8201;%%).",
                  s->alphas[0], 100 * local->pointing_share, s->local_slides, plural(s->local_slides, "slide", "slides"),
                  100 * local->pointing_interval.low, 100 * local->pointing_interval.high);
    g_string_append(report->out, "</p>\n");
}

/* The same in plain lines, for a terminal. */
static void add_line(GString *out, const RmilSummary *s, int m) {
    const RmilMethodSummary *one = &s->methods[m];
    char p[16];
    g_string_append_printf(out, "%s: %s %.3f (95 %% interval %.3f to %.3f)", one->method->title, s->measures[0].name, one->value[0],
                           one->interval[0].low, one->interval[0].high);
    if (one->seeds > 1) g_string_append_printf(out, ", %s", rmil_tests_pool(one));
    for (int i = 0; i < s->n_comparisons; i++) {
        const RmilComparison *c = &s->comparisons[i];
        if (c->other != m || isnan(c->difference)) continue;
        if (fabs(c->difference) < 0.0005) g_string_append_printf(out, "; the same as %s", s->methods[s->reference].method->title);
        else
            g_string_append_printf(out, "; %s is %.3f %s", s->methods[s->reference].method->title, fabs(c->difference),
                                   c->difference < 0 ? "lower" : "higher");
        if (!isnan(c->delong)) g_string_append_printf(out, ", DeLong p %s%s", c->delong < 0.001 ? "" : "= ", rmil_html_p(c->delong, p));
    }
    g_string_append_c(out, '\n');
}

char *rmil_report_summary(const char *folder, GError **error) {
    g_autoptr(RmilStudyReport) study = rmil_study_report_read(folder, error);
    if (!study) return NULL;
    const RmilSummary *s = study->levels[study->n_levels - 1].summary;
    const RmilMethodSummary *best = &s->methods[s->reference];
    GString *out = g_string_new(NULL);
    if (!rmil_predictions_measurable(best->pooled, &s->task))
        return g_string_free(g_string_append(out, s->task.classes == 2
                                                      ? "The labelled test slides are not of both classes: there is nothing to measure\n"
                                                      : "What is known of the test slides is too little to measure anything\n"),
                             FALSE);
    g_autofree char *counts = rmil_predictions_counts(best->pooled, &s->task, " and ");
    g_string_append_printf(out, "%u test slides%s%s\n", best->pooled->len, counts ? ", " : "", counts ? counts : "");
    add_line(out, s, s->reference);
    for (int m = 0; m < s->n; m++)
        if (m != s->reference) add_line(out, s, m);
    const RmilLocalSummary *local = s->n_alphas ? &s->locals[s->reference * s->n_alphas] : NULL;
    if (local && !isnan(local->pointing))
        g_string_append_printf(
            out, "Its most attended %g %% of tiles meet the outlined lesion in %.0f %% of %d slides (95 %% interval %.0f to %.0f %%)\n",
            s->alphas[0], 100 * local->pointing_share, s->local_slides, 100 * local->pointing_interval.low,
            100 * local->pointing_interval.high);
    return g_string_free(out, FALSE);
}

static void cards(RmilReport *report) {
    g_string_append(report->out, "<div class=\"cards\">\n");
    for (int m = 0; m < report->summary->n; m++) {
        const RmilMethodSummary *one = &report->summary->methods[m];
        char value[16], low[16], high[16], mean[16], sd[16];
        rmil_html(report->out,
                  "<div class=\"card%s\"><span class=\"name\">%s</span><b>%s</b><span>%s, 95&#8201;%% interval "
                  "%s–%s</span>",
                  m == report->summary->reference && report->summary->n > 1 ? " ref" : "", one->method->title,
                  rmil_html_metric(one->value[0], value), report->summary->measures[0].name, rmil_html_metric(one->interval[0].low, low),
                  rmil_html_metric(one->interval[0].high, high));
        if (one->seeds > 1)
            rmil_html(report->out, "<span>%d %ss, each alone: %s ± %s</span>", one->seeds, rmil_tests_one(one),
                      rmil_html_metric(one->mean[0], mean), rmil_html_metric(one->sd[0], sd));
        g_string_append(report->out, "</div>\n");
    }
    g_string_append(report->out, "</div>\n");
}

/* What there are few test slides of: "3 positive and 4 negative test slides"; NULL: there are enough. */
static char *few_of(const RmilTask *task, const GArray *rows) {
    enum { FEW = 20 };
    int64_t of_class[RMIL_CLASSES_MOST] = {0}, events = 0, least = rows->len;
    for (guint i = 0; i < rows->len; i++) {
        const RmilTarget *target = &g_array_index(rows, RmilPredictionRow, i).target;
        if (task->kind == RMIL_TASK_CLASSES) of_class[target->label]++;
        else events += target->event;
    }
    for (int c = 0; c < task->classes; c++) least = MIN(least, of_class[c]);
    if (task->kind == RMIL_TASK_SURVIVAL) least = MIN(least, events);
    if (least >= FEW) return NULL;
    g_autofree char *counts = rmil_predictions_counts(rows, task, " and ");
    return counts ? g_strdup_printf("%s test slides", counts) : g_strdup_printf("%u test slides", rows->len);
}

static void cautions(RmilReport *report) {
    const RmilMethodSummary *best = reference_of(report);
    g_autoptr(GString) notes = g_string_new(NULL);
    g_autofree char *few = report->tested ? few_of(&report->summary->task, best->pooled) : NULL;
    if (few) rmil_html(notes, "<p>Only %s: the intervals are wide, and small differences say nothing.</p>", few);
    for (int m = 0; m < report->summary->n; m++) {
        const RmilMethodSummary *one = &report->summary->methods[m];
        if (one->positives != best->positives || one->pooled->len != best->pooled->len)
            rmil_html(notes, "<p>%s was tested on %u slides, %s on %u: their values cannot be compared directly.</p>", one->method->title,
                      one->pooled->len, best->method->title, best->pooled->len);
    }
    if (report->tested && best->seeds == 1)
        g_string_append(notes, "<p>One training per method: how much the result depends on the seed is not known. "
                               "Three or more seeds show it.</p>");
    JsonNode *problems = rmil_json_get(report->run->info, "problems");
    guint n = problems && JSON_NODE_HOLDS_ARRAY(problems) ? json_array_get_length(json_node_get_array(problems)) : 0;
    if (n)
        rmil_html(notes, "<p>%u %s met while making this: <a href=\"#cohort\">see Cohort</a>.</p>", n,
                  n == 1 ? "problem was" : "problems were");
    if (notes->len) g_string_append_printf(report->out, "<div class=\"note\" role=\"note\">%s</div>\n", notes->str);
}

gboolean rmil_report_headline(RmilReport *report, GError **error) {
    g_string_append(report->out, "<section id=\"result\"><h2>Result</h2>\n");
    if (report->tested) {
        sentence(report);
        cards(report);
    } else {
        const RmilMethodSummary *best = reference_of(report);
        const RmilTask *task = &report->summary->task;
        g_autofree char *counts = rmil_predictions_counts(best->pooled, task, task->classes == 2 ? " and " : ", ");
        if (task->classes == 2)
            rmil_html(report->out,
                      "<p class=\"lead\">There are %s test slides with a label; measures of "
                      "discrimination need both, so none are given.</p>\n",
                      counts);
        else
            rmil_html(report->out,
                      "<p class=\"lead\">There are %u test slides of which the truth is known%s%s: too little to measure anything.</p>\n",
                      best->pooled->len, counts ? ": " : "", counts ? counts : "");
    }
    rmil_report_say_cases(report);
    cautions(report);
    if (report->run->missing->len) {
        rmil_html(report->out, "<details%s><summary>Not in this folder, so not in this report (%u)</summary><ul>\n",
                  report->run->missing->len <= 4 ? " open" : "", report->run->missing->len);
        for (guint i = 0; i < report->run->missing->len; i++)
            rmil_html(report->out, "<li>%s</li>\n", (const char *)g_ptr_array_index(report->run->missing, i));
        g_string_append(report->out, "</ul></details>\n");
    }
    g_string_append(report->out, "</section>\n");
    return TRUE;
}

/* -- tables
 * -------------------------------------------------------------------------------------------------------------------------
 */
static void header_row(GString *out, const RmilSummary *s, const char *first) {
    rmil_html(out, "<thead><tr><th scope=\"col\">%s</th>", first);
    for (int i = 0; i < s->n_measures; i++) rmil_html(out, "<th scope=\"col\">%s</th>", s->measures[i].name);
    g_string_append(out, "</tr></thead><tbody>\n");
}

/* The best value of a column, as shown: ties are all best; with one method none is. */
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
    rmil_html_table_begin(report->out, pooled_words[pool_kind(report)].caption);
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
    rmil_html_table_begin(report->out, pooled_words[pool_kind(report)].alone);
    g_autofree char *first = g_strdup_printf("Method (%ss)", rmil_tests_one(reference_of(report)));
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

static void comparison_table(RmilReport *report) {
    const RmilSummary *s = report->summary;
    if (s->n_comparisons == 0) return;
    g_autofree char *caption = g_strdup_printf("%s against each other method: %s on the test slides, two-sided p values%s.",
                                               reference_of(report)->method->title, s->measures[0].name,
                                               s->n_comparisons > 1 ? ", below them corrected for the number of comparisons (Holm)" : "");
    rmil_html_table_begin(report->out, caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Compared with</th><th scope=\"col\">Difference</th>");
    if (s->task.classes == 2) g_string_append(report->out, "<th scope=\"col\">DeLong</th>");
    g_string_append(report->out, "<th scope=\"col\">Mann-Whitney U</th><th scope=\"col\">Wilcoxon, "
                                 "paired</th></tr></thead><tbody>\n");
    for (int i = 0; i < s->n_comparisons; i++) {
        const RmilComparison *c = &s->comparisons[i];
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th>", s->methods[c->other].method->title);
        if (isnan(c->difference)) g_string_append(report->out, "<td>–</td>");
        else rmil_html(report->out, "<td>%s%.3f</td>", c->difference < 0 ? "−" : "+", fabs(c->difference));
        gboolean many = s->n_comparisons > 1;
        if (s->task.classes == 2) p_cells(report->out, c->delong, c->delong_holm, many);
        p_cells(report->out, c->mann_whitney[0], c->mann_whitney_holm[0], many);
        p_cells(report->out, c->wilcoxon[0], c->wilcoxon_holm[0], many);
        g_string_append(report->out, "</tr>\n");
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
    if (s->task.classes != 2)
        rmil_html(report->out,
                  "<p class=\"soft\">The tests compare the %s of repeated trainings: would the difference hold for other trainings? They "
                  "need at least two, and with fewer than five can hardly reach p&nbsp;&lt;&nbsp;0.05.</p>\n",
                  s->measures[0].name);
    else if (s->repeats && tests_of(report) != RMIL_TESTS_SAME)
        g_string_append(report->out,
                        "<p class=\"soft\">The pooled predictions come from different models, one of each training, so that "
                        "DeLong’s test, which compares two models, is left out. Mann-Whitney U (the paper’s test) and the paired "
                        "Wilcoxon test compare the AUROCs of the trainings on their own test slides. The trainings share slides, so "
                        "their AUROCs are not independent and small p values come too easily.</p>\n");
    else if (!s->repeats)
        g_string_append(report->out, "<p class=\"soft\">DeLong’s test asks whether the difference would hold for other "
                                     "slides. The other tests compare "
                                     "repeated trainings, and need at least two seeds.</p>\n");
    else
        g_string_append(report->out, "<p class=\"soft\">DeLong compares the predictions on the same test slides: would "
                                     "the difference hold for other slides? "
                                     "Mann-Whitney U (the paper’s test) and the paired Wilcoxon test compare the "
                                     "AUROCs of the seeds: would it hold for other "
                                     "trainings on these slides? They need at least two seeds, and with fewer than "
                                     "five can hardly reach p&nbsp;&lt;&nbsp;0.05.</p>\n");
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

/* ROC and precision-recall curves, AUROC and probabilities of all methods, for two classes. */
static gboolean add_curves(RmilReport *report, GError **error) {
    const RmilSummary *s = report->summary;
    g_autofree char *roc = rmil_figure_roc(s, report->run->folder, error);
    if (!roc) return FALSE;
    g_autofree char *pr = rmil_figure_pr(s, report->run->folder, error);
    if (!pr) return FALSE;
    g_autofree char *auroc = rmil_figure_auroc(s, report->run->folder, error);
    if (!auroc) return FALSE;
    g_autofree char *probabilities = rmil_figure_probabilities(s, report->run->folder, error);
    if (!probabilities) return FALSE;
    g_autofree char *roc_alt = spoken_values(s, "ROC curves of the test slides, AUROC", 0),
                    *pr_alt = spoken_values(s, "Precision-recall curves of the test slides, AUPRC", 1);
    g_autofree char *auroc_alt = spoken_values(s, "AUROC with interval for each method", 0);
    g_string_append(report->out, "<div class=\"figures two\">\n");
    rmil_html_svg(report->out, roc, roc_alt, pooled_words[pool_kind(report)].curves);
    rmil_html_svg(report->out, pr, pr_alt,
                  "Precision-recall curves, with the AUPRC. Dotted: the share of positive slides, which guessing "
                  "reaches.");
    rmil_html_svg(report->out, auroc, auroc_alt, "AUROC of each method with its 95 % interval.");
    rmil_html_svg(report->out, probabilities, "Predicted probability of every test slide, by method and true label",
                  "Predicted probability of every test slide. Dashed: 0.5.");
    g_string_append(report->out, "</div>\n");
    return TRUE;
}

/* What the measures are, as far as their names do not say it. */
static const char *measure_words(const RmilTask *task) {
    if (task->classes == 2)
        return "Accuracy, sensitivity and specificity are at probability > 0.5. AUPRC is the area under the precision-recall points joined by "
               "lines, as in the paper; average precision sums them as steps.";
    if (task->kind == RMIL_TASK_CLASSES)
        return "AUROC and average precision are means over the classes, each against the rest; F1 likewise. A slide’s class is the most "
               "probable one. Quadratic kappa counts far errors more, which means something only where the classes have an order.";
    return task->kind == RMIL_TASK_SURVIVAL
               ? "The C-index is the share of pairs of slides, of which it is known who had the event first, that the risk puts into this "
                 "order (Harrell); Uno’s C weights them by how many were still followed."
               : "R² is the share of the variance that the prediction explains; it is below 0 where the mean would be better.";
}

gboolean rmil_report_results(RmilReport *report, GError **error) {
    const RmilSummary *s = report->summary;
    if (!report->tested) return TRUE;
    g_autofree int64_t *groups = rmil_predictions_patients(reference_of(report)->pooled);
    rmil_html(report->out, "<section id=\"tests\"><h2>%s</h2>\n",
              s->task.kind == RMIL_TASK_CLASSES ? "How well the slides are told apart" : "How good the predictions are");
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

/* -- localisation
 * ------------------------------------------------------------------------------------------------------------------------
 */
static void localisation_table(RmilReport *report, int what, const char *caption) {
    const RmilSummary *s = report->summary;
    rmil_html_table_begin(report->out, caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Method</th>");
    for (int a = 0; a < s->n_alphas; a++) rmil_html(report->out, "<th scope=\"col\">α = %g&#8201;%%</th>", s->alphas[a]);
    g_string_append(report->out, "</tr></thead><tbody>\n");
    for (int m = 0; m < s->n; m++) {
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th>", s->methods[m].method->title);
        for (int a = 0; a < s->n_alphas; a++) {
            const RmilLocalSummary *local = &s->locals[m * s->n_alphas + a];
            double value = what == 0 ? local->iou : what == 1 ? local->dice : local->pointing;
            double sd = what == 0 ? local->iou_sd : what == 1 ? local->dice_sd : local->pointing_sd;
            char text[16], spread[16];
            rmil_html(report->out, "<td>%s", rmil_html_metric(value, text));
            if (!isnan(sd)) rmil_html(report->out, "<small>± %s</small>", rmil_html_metric(sd, spread));
            if (what == 2 && !isnan(value))
                rmil_html(report->out, "<small>%.3f–%.3f</small>", local->pointing_interval.low, local->pointing_interval.high);
            g_string_append(report->out, "</td>");
        }
        g_string_append(report->out, "</tr>\n");
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

gboolean rmil_report_localisation(RmilReport *report, GError **error) {
    const RmilSummary *s = report->summary;
    g_string_append(report->out, "<section id=\"localisation\"><h2>Whether attention finds the lesion</h2>\n");
    if (s->n_alphas == 0) {
        rmil_html(report->out,
                  "<p>No %stest slide has an annotation to compare the attention with "
                  "(no localisation.csv, or none with rows).</p></section>\n",
                  s->task.classes == 2 ? "positive " : "");
        return TRUE;
    }
    static const char *const names[] = {"IoU", "Dice", "Pointing game"};
    static const char *const captions[] = {"IoU of the top tiles with the annotated ones", "Dice of the top tiles with the annotated ones",
                                           "Pointing game: share of slides where a top tile is annotated"};
    rmil_html(report->out,
              "<p>On %d %s test %s, the tiles with the highest attention are compared with the tiles "
              "that the expert marked. "
              "For IoU and Dice, as many tiles are taken as α&#8201;%% of the number of annotated tiles: at "
              "100&#8201;%% a perfect attention reaches 1. "
              "For the pointing game, the top α&#8201;%% of all tiles, and a slide counts when at least one of them is "
              "annotated.</p>\n",
              s->local_slides, rmil_task_annotated(&s->task), plural(s->local_slides, "slide", "slides"));
    g_string_append(report->out, "<div class=\"figures\">\n");
    for (int what = 0; what < 3; what++) {
        g_autofree char *svg = rmil_figure_localisation(s, what, report->run->folder, error);
        if (!svg) return FALSE;
        g_autofree char *alt = g_strdup_printf("%s by share of tiles for each method; the values are in the table below", names[what]);
        rmil_html_svg(report->out, svg, alt, captions[what]);
    }
    g_string_append(report->out, "</div>\n");
    for (int what = 0; what < 3; what++) {
        g_autofree char *caption = g_strdup_printf("%s: mean over slides%s%s.", captions[what],
                                                   isnan(s->locals[s->reference * s->n_alphas].iou_sd) ? "" : ", then over trainings ± SD",
                                                   what == 2 ? "; below it Wilson’s 95 % interval over the slides" : "");
        localisation_table(report, what, caption);
    }
    if (!rmil_report_found(report, error)) return FALSE;
    g_string_append(report->out, "</section>\n");
    return TRUE;
}
