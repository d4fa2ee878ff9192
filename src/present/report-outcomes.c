/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: classes one by one, times, numbers, and the same by patient. */
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
    g_autofree char *caption = g_strdup_printf("%s, each class against the rest; 95 %% interval below each value.",
                                               rmil_report_reference(report)->method->title);
    rmil_html_table_begin(report->out, "classes", caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Class</th><th scope=\"col\" class=\"n\">Slides</th>");
    for (RmilClassMetric m = 0; m < RMIL_CLASS_METRICS; m++) rmil_html(report->out, "<th scope=\"col\">%s</th>", rmil_class_metric_name(m));
    g_string_append(report->out, "</tr></thead><tbody>\n");
    for (int c = 0; c < task->classes; c++) {
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%" G_GINT64_FORMAT "</td>", task->names[c],
                  outcome->classes->count[c]);
        for (RmilClassMetric m = 0; m < RMIL_CLASS_METRICS; m++)
            rmil_html_value_cell(report->out, outcome->classes->one[c][m], &outcome->intervals->one[c][m]);
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
/* The text in the record; "" without a record. */
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
        "By patient (%s of the patient’s slides), as in the first table; 95 %% interval below each value, exact for proportions.",
        rmil_pool_name(outcomes[s->reference]->rule));
    rmil_html_table_begin(report->out, "patients", caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Method</th><th scope=\"col\" class=\"n\">Patients</th>");
    for (int i = 0; i < s->n_measures; i++) rmil_html(report->out, "<th scope=\"col\">%s</th>", s->measures[i].name);
    g_string_append(report->out, "</tr></thead><tbody>\n");
    for (int m = 0; m < s->n; m++) {
        const RmilMethodOutcome *outcome = outcomes[m];
        if (!outcome->patients) continue;
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%u</td>", s->methods[m].method->title, outcome->patients->len);
        for (int i = 0; i < s->n_measures; i++) rmil_html_value_cell(report->out, outcome->patient_value[i], &outcome->patient_interval[i]);
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
    if (task->classes == 2) return rmil_report_decisions(report, outcomes, error);
    return task->kind != RMIL_TASK_CLASSES || add_classes(report, outcomes[report->summary->reference], error);
}
