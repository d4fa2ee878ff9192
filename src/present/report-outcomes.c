/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: classes one by one, cut-off and calibration, times, numbers, and the same by patient. */
#include "outcome-figures.h"
#include "report.h"
#include "task-words.h"

#include <math.h>
#include <string.h>

static const RmilPredictionRow *row_at(const GArray *rows, guint i) { return &g_array_index(rows, RmilPredictionRow, i); }

static const char **names_of(const RmilTask *task) {
    const char **names = g_new0(const char *, RMIL_CLASSES_MOST + 1);
    for (int c = 0; c < task->classes; c++) names[c] = rmil_class_word(task, c);
    return names;
}

/* -- more than two classes ----------------------------------------------------------------------------------------------------- */
static void class_table(RmilReport *report, const RmilMethodOutcome *outcome) {
    const RmilTask *task = &report->summary->task;
    g_autofree char *caption = g_strdup_printf("%s, each class against the rest; below each value its 95 %% interval.",
                                               rmil_report_reference(report)->method->title);
    rmil_html_table_begin(report->out, "classes", caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Class</th><th scope=\"col\" class=\"n\">Slides</th>");
    for (RmilClassMetric m = 0; m < RMIL_CLASS_METRICS; m++) rmil_html(report->out, "<th scope=\"col\">%s</th>", rmil_class_metric_name(m));
    g_string_append(report->out, "</tr></thead><tbody>\n");
    for (int c = 0; c < task->classes; c++) {
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%" G_GINT64_FORMAT "</td>", task->names[c],
                  outcome->classes->count[c]);
        for (RmilClassMetric m = 0; m < RMIL_CLASS_METRICS; m++) {
            char value[16];
            rmil_html(report->out, "<td>%s", rmil_html_metric(outcome->classes->one[c][m], value));
            rmil_html_interval(report->out, &outcome->intervals->one[c][m]);
            g_string_append(report->out, "</td>");
        }
        g_string_append(report->out, "</tr>\n");
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

static void say_missing(RmilReport *report, const RmilClassMetrics *metrics) {
    const RmilTask *task = &report->summary->task;
    g_autoptr(GString) missing = g_string_new(NULL);
    for (int c = 0; c < task->classes; c++)
        if (!metrics->count[c]) g_string_append_printf(missing, "%s%s", missing->len ? ", " : "", task->names[c]);
    if (missing->len)
        rmil_html(
            report->out,
            "<p class=\"soft\">No test slide is of class %s: what is undefined without one is left empty, and means are over the other "
            "classes.</p>\n",
            missing->str);
}

static gboolean class_confusion(RmilReport *report, GError **error) {
    const RmilTask *task = &report->summary->task;
    const RmilMethodOutcome *outcome = report->outcomes->pdata[report->summary->reference];
    g_autofree int64_t *counts = g_new(int64_t, (gsize)(task->classes * task->classes));
    g_autofree const char **names = names_of(task);
    for (int a = 0; a < task->classes; a++)
        for (int b = 0; b < task->classes; b++) counts[a * task->classes + b] = outcome->classes->confusion[a][b];
    g_autofree char *caption = g_strdup_printf("%s: true classes in rows, predicted ones in columns; slides, and shares of the row.",
                                               rmil_report_reference(report)->method->title);
    return rmil_html_figure(report->out, rmil_figure_confusion("confusion", counts, task->classes, names, report->run->folder, error),
                            "Confusion matrix: true classes in rows, predicted ones in columns", caption);
}

static gboolean add_classes(RmilReport *report, const RmilMethodOutcome *outcome, GError **error) {
    const RmilTask *task = &report->summary->task;
    const GArray *rows = rmil_report_reference(report)->pooled;
    g_autofree int *labels = g_new(int, rows->len + 1), *right = g_new(int, rows->len + 1);
    g_autofree double *probabilities = g_new(double, (gsize)(rows->len + 1) * (gsize)task->classes),
                      *largest = g_new(double, rows->len + 1);
    g_autofree const char **names = names_of(task);
    rmil_predictions_classes(rows, task, labels, probabilities);
    for (guint i = 0; i < rows->len; i++) {
        const int class = rmil_predicted_class(task, row_at(rows, i));
        largest[i] = rmil_class_probability(task, row_at(rows, i), class);
        right[i] = class == labels[i];
    }
    class_table(report, outcome);
    say_missing(report, outcome->classes);
    const char *folder = report->run->folder;
    const RmilFigureSeries series = {rmil_report_reference(report)->method->title, largest};
    g_string_append(report->out, "<div class=\"figures two\">\n");
    const gboolean done =
        rmil_html_figure(report->out,
                         rmil_figure_roc_classes("roc-classes", labels, probabilities, rows->len, task->classes, names, folder, error),
                         "ROC curve of each class against the rest", "ROC curve of each class against the rest, with its AUROC.") &&
        rmil_html_figure(report->out,
                         rmil_figure_reliability("reliability", &series, 1, right, rows->len, 10, "Probability of the predicted class",
                                                 "Share predicted right", folder, error),
                         "Reliability diagram of the largest probability",
                         "Reliability: how often slides that are given a class with this probability are of it. On the diagonal, "
                         "predicted and observed frequencies agree.");
    g_string_append(report->out, "</div>\n");
    return done;
}

/* -- two classes ------------------------------------------------------------------------------------------------------------------ */
static void cut_row(RmilReport *report, const char *title, const RmilDecision *decision, const RmilCutMetrics *at,
                    const RmilInterval *shares) {
    static const char whole[] = "<td class=\"n\">%" G_GINT64_FORMAT "</td>";
    const int64_t counts[] = {at->true_positives, at->false_negatives, at->true_negatives, at->false_positives};
    const double values[RMIL_AT_SHARES] = {at->sensitivity, at->specificity, at->ppv, at->npv, at->accuracy};
    rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%.3f</td>", title, rmil_decision_cut(decision));
    for (gsize k = 0; k < G_N_ELEMENTS(counts); k++) g_string_append_printf(report->out, whole, counts[k]);
    for (int s = 0; s < RMIL_AT_SHARES; s++) {
        char text[16];
        rmil_html(report->out, "<td>%s", rmil_html_metric(values[s], text));
        rmil_html_interval(report->out, &shares[s]);
        g_string_append(report->out, "</td>");
    }
    g_string_append(report->out, "</tr>\n");
}

/* How the cut-off came about. */
static void introduce_cut(RmilReport *report, const RmilDecision *decision) {
    g_autofree char *words = rmil_decision_words(decision);
    if (isnan(decision->cut))
        g_string_append(report->out,
                        "<p>Not all models of the method carry a cut-off: an earlier version trained them, or the validation slides allow "
                        "none. 0.5 is used.</p>\n");
    else if (decision->rule == RMIL_CUT_HALF) g_string_append(report->out, "<p>Cut-off: 0.5, as asked for.</p>\n");
    else
        rmil_html(report->out,
                  "<p>Cut-off: %s, on the validation slides alone%s; positive where the probability is as high or higher. "
                  "The test slides took no part in the choice.</p>\n",
                  words, rmil_report_reference(report)->seeds > 1 ? "; of several trainings the mean of their cut-offs" : "");
}

/* Counts and shares at the cut-offs; of_patients: of patients, else of slides. */
static void cut_table(RmilReport *report, RmilMethodOutcome *const *outcomes, gboolean of_patients) {
    const RmilSummary *s = report->summary;
    const RmilTask *task = &s->task;
    const gboolean share = outcomes[s->reference]->patients != NULL;
    if (of_patients && !share) return;
    g_autofree char *caption = g_strdup_printf(
        "%s at the method’s cut-off. TP, FN: %s ones called correctly and missed; TN, FP: %s ones called correctly and falsely; below each share its 95 %% interval, %s.",
        of_patients ? "Patients" : "Test slides", rmil_class_word(task, 1), rmil_class_word(task, 0),
        share && !of_patients ? "of 2,000 resamples of whole patients (where all agree, exact with patients as cases)"
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

static gboolean add_decisions(RmilReport *report, RmilMethodOutcome *const *outcomes, GError **error) {
    const RmilTask *task = &report->summary->task;
    const RmilMethodSummary *best = rmil_report_reference(report);
    const RmilMethodOutcome *outcome = outcomes[report->summary->reference];
    const GArray *rows = best->pooled;
    g_autofree int *labels = g_new(int, rows->len + 1);
    g_autofree double *scores = g_new(double, rows->len + 1);
    g_autofree const char **names = names_of(task);
    rmil_predictions_scores(rows, labels, scores);
    g_string_append(report->out, "<h3>Cut-off and calibration</h3>\n");
    introduce_cut(report, &outcome->decision);
    cut_table(report, outcomes, FALSE);
    cut_table(report, outcomes, TRUE);
    g_string_append(report->out,
                    "<p class=\"soft\">PPV and NPV, the shares of positive and of negative calls that are correct, hold for "
                    "the share of positive cases that this test set has; where they are rarer, PPV is lower and NPV higher.</p>\n");
    const RmilCutMetrics *at = &outcome->at;
    const int64_t counts[] = {at->true_negatives, at->false_positives, at->false_negatives, at->true_positives};
    const RmilFigureSeries series[] = {{"as predicted", scores}, {"calibrated", outcome->calibrated}};
    const int n_series = outcome->calibrated ? 2 : 1;
    g_autofree char *caption = g_strdup_printf("%s at %.3f: confusion matrix, true classes in rows.", best->method->title,
                                               rmil_decision_cut(&outcome->decision));
    g_autofree char *what = g_strdup_printf("Predicted probability of %s", names[1]),
                    *share = g_strdup_printf("Share of %s slides", names[1]);
    const char *folder = report->run->folder;
    g_string_append(report->out, "<div class=\"figures two\">\n");
    const gboolean done =
        rmil_html_figure(report->out, rmil_figure_confusion("confusion", counts, 2, names, folder, error),
                         "Confusion matrix at the cut-off", caption) &&
        rmil_html_figure(
            report->out, rmil_figure_reliability("reliability", series, n_series, labels, rows->len, 10, what, share, folder, error),
            "Reliability diagram",
            n_series > 1 ? "Reliability: how often slides of a predicted probability are positive, with Wilson’s 95 % intervals. On the "
                           "diagonal, predicted and observed frequencies agree. Calibrated: scaled on the validation slides."
                         : "Reliability: how often slides of a predicted probability are positive, with Wilson’s 95 % intervals. On the "
                           "diagonal, predicted and observed frequencies agree.") &&
        rmil_html_figure(report->out, rmil_figure_decision("decision", series, n_series, labels, rows->len, folder, error),
                         "Decision curve",
                         "Decision curve: net benefit of acting on slides above a threshold probability, beside acting on all "
                         "or on none (Vickers and Elkin 2006).");
    g_string_append(report->out, "</div>\n");
    return done;
}

/* -- times, numbers ------------------------------------------------------------------------------------------------------------- */
static gboolean add_times(RmilReport *report, GError **error) {
    const GArray *rows = rmil_report_reference(report)->pooled;
    g_autofree double *time = g_new(double, rows->len + 1);
    g_autofree gboolean *event = g_new(gboolean, rows->len + 1);
    g_autofree int *group = g_new(int, rows->len + 1);
    for (guint i = 0; i < rows->len; i++) time[i] = row_at(rows, i)->target.time, event[i] = row_at(rows, i)->target.event;
    const int groups = rmil_risk_groups(rows, group);
    const char *const two[] = {"low risk", "high risk"}, *const three[] = {"low risk", "medium risk", "high risk"};
    g_autofree char *caption = g_strdup_printf(
        "Kaplan-Meier curves of the test slides by predicted risk (%s), with 95 %% bands, ticks where "
        "cases are censored, numbers at risk and the log-rank test.",
        groups == 3 ? "thirds" : "halves at the median");
    return rmil_html_figure(report->out,
                            rmil_figure_survival("survival", time, event, group, rows->len, groups, groups == 3 ? three : two, "Time",
                                                 report->run->folder, error),
                            "Kaplan-Meier curves by predicted risk", caption);
}

static gboolean add_numbers(RmilReport *report, GError **error) {
    const GArray *rows = rmil_report_reference(report)->pooled;
    g_autofree double *values = g_new(double, rows->len + 1), *said = g_new(double, rows->len + 1);
    for (guint i = 0; i < rows->len; i++) values[i] = row_at(rows, i)->target.value, said[i] = row_at(rows, i)->answer;
    return rmil_html_figure(report->out, rmil_figure_scatter("scatter", values, said, rows->len, "Value", report->run->folder, error),
                            "Predicted against true values", "Predicted against true values of the test slides.");
}

/* -- by patient --------------------------------------------------------------------------------------------------------------------- */
/* What the record says; "" without one. */
static const char *recorded(const RmilReport *report, const char *name) {
    return report->study->record                ? rmil_study_value(report->study->record, name)
           : report->run && report->run->record ? rmil_study_value(report->run->record, name)
                                                : "";
}

gboolean rmil_report_of_patients(const RmilReport *report) { return strcmp(recorded(report, "bag"), "patient") == 0; }

void rmil_report_say_cases(RmilReport *report) {
    if (rmil_report_of_patients(report))
        g_string_append(report->out,
                        "<p>One case is a patient: what this page says of a slide, it says of all slides of a patient together.</p>\n");
}

static RmilPool pool_rule(const RmilReport *report) {
    RmilPool rule = RMIL_POOL_HIGHEST;
    for (RmilPool r = RMIL_POOL_HIGHEST; r < RMIL_POOLS; r++)
        if (strcmp(recorded(report, "patient_pool"), rmil_pool_name(r)) == 0) rule = r;
    return rule;
}

static void patient_table(RmilReport *report, RmilMethodOutcome *const *outcomes) {
    const RmilSummary *s = report->summary;
    if (!outcomes[s->reference]->patients) return;
    g_autofree char *caption = g_strdup_printf(
        "By patient (%s of the patient’s slides), as in the first table; below each value its 95 %% interval, of shares Wilson’s.",
        rmil_pool_name(outcomes[s->reference]->rule));
    rmil_html_table_begin(report->out, "patients", caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Method</th><th scope=\"col\" class=\"n\">Patients</th>");
    for (int i = 0; i < s->n_measures; i++) rmil_html(report->out, "<th scope=\"col\">%s</th>", s->measures[i].name);
    g_string_append(report->out, "</tr></thead><tbody>\n");
    for (int m = 0; m < s->n; m++) {
        const RmilMethodOutcome *outcome = outcomes[m];
        if (!outcome->patients) continue;
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%u</td>", s->methods[m].method->title, outcome->patients->len);
        for (int i = 0; i < s->n_measures; i++) {
            char value[16];
            rmil_html(report->out, "<td>%s", rmil_html_metric(outcome->patient_value[i], value));
            rmil_html_interval(report->out, &outcome->patient_interval[i]);
            g_string_append(report->out, "</td>");
        }
        g_string_append(report->out, "</tr>\n");
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

void rmil_report_find_outcomes(RmilReport *report) {
    const RmilSummary *s = report->summary;
    report->outcomes = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_method_outcome_free);
    for (int m = 0; m < s->n; m++) g_ptr_array_add(report->outcomes, rmil_method_outcome_new(&s->methods[m], &s->task, pool_rule(report)));
}

double rmil_report_cut(const RmilReport *report, int method) {
    return rmil_decision_cut(&((const RmilMethodOutcome *)report->outcomes->pdata[method])->decision);
}

gboolean rmil_report_main_figure(RmilReport *report, GError **error) {
    const RmilTask *task = &report->summary->task;
    return task->classes == 2                 ? rmil_report_roc(report, error)
           : task->kind == RMIL_TASK_CLASSES  ? class_confusion(report, error)
           : task->kind == RMIL_TASK_SURVIVAL ? add_times(report, error)
                                              : add_numbers(report, error);
}

gboolean rmil_report_outcomes(RmilReport *report, GError **error) {
    const RmilTask *task = &report->summary->task;
    RmilMethodOutcome *const *outcomes = (RmilMethodOutcome *const *)report->outcomes->pdata;
    patient_table(report, outcomes);
    if (task->classes == 2) return add_decisions(report, outcomes, error);
    return task->kind != RMIL_TASK_CLASSES || add_classes(report, outcomes[report->summary->reference], error);
}
