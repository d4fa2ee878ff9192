/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run of two classes: calls at the cut-off, and whether probabilities mean what they say. */
#include "outcome-figures.h"
#include "report.h"
#include "task-words.h"

#include <math.h>
#include <string.h>

static void cut_row(RmilReport *report, const char *title, const RmilDecision *decision, const RmilCutMetrics *at,
                    const RmilInterval *shares) {
    static const char whole[] = "<td class=\"n\">%" G_GINT64_FORMAT "</td>";
    const int64_t counts[] = {at->true_positives, at->false_negatives, at->true_negatives, at->false_positives};
    const double values[RMIL_AT_SHARES] = {at->sensitivity, at->specificity, at->ppv, at->npv, at->accuracy};
    rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%.3f</td>", title, rmil_decision_cut(decision));
    for (gsize k = 0; k < G_N_ELEMENTS(counts); k++) g_string_append_printf(report->out, whole, counts[k]);
    for (int s = 0; s < RMIL_AT_SHARES; s++) rmil_html_value_cell(report->out, values[s], &shares[s]);
    g_string_append(report->out, "</tr>\n");
}

/* The cut-offs of several trainings, and how few validation slides each rests on. */
static void say_trainings(RmilReport *report) {
    enum { FEW = 20 };
    const RmilMethodSummary *best = rmil_report_reference(report);
    const GPtrArray *seeds = best->method->seeds;
    double low = INFINITY, high = -INFINITY;
    int64_t positives = G_MAXINT64, negatives = G_MAXINT64;
    for (guint s = 0; s < seeds->len; s++) {
        const RmilDecision *own = &((const RmilSeedRun *)seeds->pdata[s])->decision;
        low = MIN(low, own->cut), high = MAX(high, own->cut);
        positives = MIN(positives, own->positives), negatives = MIN(negatives, own->negatives);
    }
    if (seeds->len > 1)
        rmil_html(report->out,
                  " It is the mean of the cut-offs of %u trainings, %.3f to %.3f, and is applied to the %s.", seeds->len, low, high,
                  best->tests == RMIL_TESTS_SAME ? "averaged probabilities" : "pooled probabilities");
    if (MIN(positives, negatives) < FEW)
        rmil_html(report->out,
                  " %s %" G_GINT64_FORMAT " positive and %" G_GINT64_FORMAT
                  " negative slides: with others the cut-off could be quite different.",
                  seeds->len > 1 ? "Validation sets have as few as" : "The validation set has only", positives, negatives);
}

/* Says how the cut-off was chosen. */
static void introduce_cut(RmilReport *report, const RmilDecision *decision) {
    g_autofree char *words = rmil_decision_words(decision);
    if (isnan(decision->cut))
        g_string_append(report->out,
                        "<p>Not all models of the method carry a cut-off: an earlier version trained them, or the validation slides allow "
                        "none. 0.5 is used.</p>\n");
    else if (decision->rule == RMIL_CUT_HALF) g_string_append(report->out, "<p>Cut-off: 0.5, as asked for.</p>\n");
    else {
        rmil_html(report->out,
                  "<p>Cut-off of %s: %s, on the validation slides alone; positive where the probability is as high or higher. "
                  "The test slides took no part in the choice.",
                  rmil_report_reference(report)->method->title, words);
        say_trainings(report);
        g_string_append(report->out, "</p>\n");
    }
}

/* Counts and shares at the cut-offs; of_patients: for patients, else for slides. */
static void cut_table(RmilReport *report, RmilMethodOutcome *const *outcomes, gboolean of_patients) {
    const RmilSummary *s = report->summary;
    const RmilTask *task = &s->task;
    const gboolean share = outcomes[s->reference]->patients != NULL;
    if (of_patients && !share) return;
    g_autofree char *caption = g_strdup_printf(
        "%s at the method’s cut-off. TP, FN: %s ones called correctly and missed; TN, FP: %s ones called correctly and falsely; 95 %% interval below each share, %s.",
        of_patients ? "Patients" : "Test slides", rmil_class_word(task, 1), rmil_class_word(task, 0),
        share && !of_patients
            ? "exact (Clopper-Pearson) with the effective number of slides (Korn and Graubard), because patients have several; if all slides agree, with the number of patients"
            : "exact (Clopper-Pearson)");
    rmil_html_table_begin(report->out, of_patients ? "cut-offs-patients" : "cut-offs", caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Method</th><th scope=\"col\" class=\"n\">Cut-off</th>");
    static const char *const counts[] = {"TP", "FN", "TN", "FP"};
    for (gsize k = 0; k < G_N_ELEMENTS(counts); k++) rmil_html(report->out, "<th scope=\"col\" class=\"n\">%s</th>", counts[k]);
    g_string_append(report->out, "<th scope=\"col\">Sensitivity</th><th scope=\"col\">Specificity</th><th scope=\"col\">PPV</th><th "
                                 "scope=\"col\">NPV</th><th scope=\"col\">Accuracy</th></tr></thead><tbody>\n");
    for (int m = 0; m < s->n; m++) {
        const RmilMethodOutcome *one = outcomes[m];
        if (of_patients && !one->patients) continue;
        cut_row(report, s->methods[m].method->title, &one->decision, of_patients ? &one->patient_at : &one->at,
                of_patients ? one->patient_shares : one->shares);
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

/* Says why a method has no calibrated row, and where calibration did not help. brier: per method, as predicted and calibrated. */
static void say_calibration(RmilReport *report, RmilMethodOutcome *const *outcomes, double (*brier)[2]) {
    const RmilSummary *s = report->summary;
    gboolean any = FALSE;
    for (int m = 0; m < s->n; m++)
        for (guint k = 0; k < s->methods[m].method->seeds->len; k++)
            any = any || ((const RmilSeedRun *)s->methods[m].method->seeds->pdata[k])->decision.calibration != RMIL_CALIBRATE_NONE;
    if (!any) return; /* not requested, or possible for no method */
    for (int m = 0; m < s->n; m++) {
        const RmilMethod *method = s->methods[m].method;
        int without = 0, one_class = 0;
        for (guint k = 0; k < method->seeds->len; k++) {
            const RmilDecision *own = &((const RmilSeedRun *)method->seeds->pdata[k])->decision;
            const gboolean none = own->calibration == RMIL_CALIBRATE_NONE;
            without += none;
            one_class += none && (!own->positives || !own->negatives);
        }
        if (without)
            rmil_html(report->out,
                      "<p class=\"soft\">%s has no calibrated row: %d of %u trainings could not be calibrated, because %s.</p>\n",
                      method->title, without, method->seeds->len,
                      one_class == 0         ? "the model separates its validation slides perfectly or not at all"
                      : one_class == without ? "their validation slides are all of one class"
                                             : "the validation slides are all of one class, or the model separates them perfectly or not at all");
        else if (outcomes[m]->calibrated && brier[m][1] > brier[m][0])
            rmil_html(report->out, "<p class=\"soft\">Calibration did not improve the Brier score of %s: %.3f before, %.3f after.</p>\n",
                      method->title, brier[m][0], brier[m][1]);
    }
}

/* Whether probabilities mean what they say: per method, as predicted and calibrated. */
static void agreement_table(RmilReport *report, RmilMethodOutcome *const *outcomes) {
    const RmilSummary *s = report->summary;
    g_autofree char *caption = g_strdup_printf(
        "Calibration on the test slides; 95 %% interval below each value, from 2,000 resamples of %s.",
        outcomes[s->reference]->patients ? "whole patients" : "slides");
    rmil_html_table_begin(report->out, "calibration", caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Method</th><th scope=\"col\" class=\"n\">Brier score</th><th scope=\"col\" "
                                 "class=\"n\">Observed / expected</th><th scope=\"col\" class=\"n\">Slope</th></tr></thead><tbody>\n");
    g_autofree double(*brier)[2] = g_malloc0_n((gsize)s->n + 1, sizeof *brier);
    for (int m = 0; m < s->n; m++) {
        const GArray *rows = s->methods[m].pooled;
        g_autofree int *labels = g_new(int, rows->len + 1);
        g_autofree double *scores = g_new(double, rows->len + 1);
        g_autofree int64_t *groups = rmil_predictions_patients(rows);
        rmil_predictions_scores(rows, labels, scores);
        for (int calibrated = 0; calibrated <= (outcomes[m]->calibrated != NULL); calibrated++) {
            double values[RMIL_AGREES];
            RmilInterval intervals[RMIL_AGREES];
            rmil_measure_agreement(labels, calibrated ? outcomes[m]->calibrated : scores, rows->len, groups, values, intervals);
            brier[m][calibrated] = values[RMIL_AGREES_BRIER];
            rmil_html(report->out, "<tr><th scope=\"row\">%s%s</th>", s->methods[m].method->title, calibrated ? ", calibrated" : "");
            for (int a = 0; a < RMIL_AGREES; a++) rmil_html_value_cell(report->out, values[a], &intervals[a]);
            g_string_append(report->out, "</tr>\n");
        }
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
    g_string_append(
        report->out,
        "<p class=\"soft\">Brier score: mean squared error of the probabilities, lower is better. Observed / expected: positive "
        "slides over the sum of the probabilities, 1 where they agree, above 1 where the model expects too few. Slope: of the "
        "logistic regression of the class on the logit, below 1 where probabilities are too extreme, above 1 where they are not "
        "extreme enough; – where the probabilities separate the classes, which leaves no finite slope, and no interval where more than "
        "2.5 % of the resamples separate them.</p>\n");
    say_calibration(report, outcomes, brier);
}

/* The method that the page compares with, if it has the same test slides in the same order; else NULL. */
static const RmilMethodSummary *beside(const RmilReport *report) {
    const RmilSummary *s = report->summary;
    const RmilComparison *against = rmil_report_comparison(s);
    const GArray *own = rmil_report_reference(report)->pooled, *its = against ? s->methods[against->other].pooled : NULL;
    if (!its || its->len != own->len) return NULL;
    for (guint i = 0; i < own->len; i++)
        if (strcmp(g_array_index(own, RmilPredictionRow, i).slide, g_array_index(its, RmilPredictionRow, i).slide) != 0) return NULL;
    return &s->methods[against->other];
}

gboolean rmil_report_decisions(RmilReport *report, RmilMethodOutcome *const *outcomes, GError **error) {
    const RmilTask *task = &report->summary->task;
    const RmilMethodSummary *best = rmil_report_reference(report);
    const RmilMethodOutcome *outcome = outcomes[report->summary->reference];
    const GArray *rows = best->pooled;
    g_autofree int *labels = g_new(int, rows->len + 1);
    g_autofree double *scores = g_new(double, rows->len + 1);
    rmil_predictions_scores(rows, labels, scores);
    g_string_append(report->out, "<h3>Cut-off and calibration</h3>\n");
    introduce_cut(report, &outcome->decision);
    cut_table(report, outcomes, FALSE);
    cut_table(report, outcomes, TRUE);
    g_string_append(report->out,
                    "<p class=\"soft\">PPV and NPV, the shares of positive and of negative calls that are correct, hold for "
                    "the share of positive cases that this test set has; where positives are rarer, PPV is lower and NPV higher.</p>\n");
    agreement_table(report, outcomes);
    const RmilCutMetrics *at = &outcome->at;
    const int64_t counts[] = {at->true_negatives, at->false_positives, at->false_negatives, at->true_positives};
    const RmilFigureSeries series[] = {{"as predicted", scores}, {"calibrated", outcome->calibrated}};
    const int n_series = outcome->calibrated ? 2 : 1;
    const RmilMethodSummary *other = beside(report);
    g_autofree int *its_labels = g_new(int, rows->len + 1);
    g_autofree double *its_scores = g_new(double, rows->len + 1);
    if (other) rmil_predictions_scores(other->pooled, its_labels, its_scores);
    g_autofree char *calibrated = g_strconcat(best->method->title, ", calibrated", NULL);
    RmilFigureSeries acting[3] = {{best->method->title, scores}};
    int n_acting = 1;
    if (other) acting[n_acting++] = (RmilFigureSeries){other->method->title, its_scores};
    if (outcome->calibrated) acting[n_acting++] = (RmilFigureSeries){calibrated, outcome->calibrated};
    const char *const classes[] = {rmil_class_word(task, 0), rmil_class_word(task, 1)};
    g_autofree char *caption = g_strdup_printf("%s at %.3f: confusion matrix, true classes in rows.", best->method->title,
                                               rmil_decision_cut(&outcome->decision));
    g_autofree char *what = g_strdup_printf("Predicted probability of %s", rmil_class_word(task, 1)),
                    *share = g_strdup_printf("Share of %s slides", rmil_class_word(task, 1));
    g_autofree char *reliability = g_strdup_printf(
        "Reliability of %s: how often slides of a predicted probability are positive, with exact 95 %% intervals. On the diagonal, "
        "predicted and observed frequencies agree.%s",
        best->method->title, n_series > 1 ? " Calibrated: scaled on the validation slides." : "");
    g_autofree char *curve = g_strdup_printf(
        "Decision curve of %s%s%s: net benefit of acting on slides above a threshold probability, beside acting on "
        "all or on none (Vickers and Elkin 2006).",
        best->method->title, other ? " and of " : "", other ? other->method->title : "");
    const char *folder = report->run->folder;
    g_string_append(report->out, "<div class=\"figures two\">\n");
    const gboolean done = rmil_html_figure(report->out, rmil_figure_confusion("confusion", counts, 2, classes, folder, error),
                                           "Confusion matrix at the cut-off", caption) &&
                          rmil_html_figure(
                              report->out,
                              rmil_figure_reliability("reliability", series, n_series, labels, rows->len, 10, what, share, folder, error),
                              "Reliability diagram", reliability) &&
                          rmil_html_figure(report->out,
                                           rmil_figure_decision("decision", acting, n_acting, labels, rows->len, folder, error),
                                           "Decision curve", curve);
    g_string_append(report->out, "</div>\n");
    return done;
}
