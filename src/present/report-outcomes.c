/* The page of a run: classes one by one, cut-off and calibration, times, numbers, and the same by patient. */
#include "outcome-figures.h"
#include "report.h"
#include "task-words.h"

#include <math.h>
#include <string.h>

static const RmilPredictionRow *row_at(const GArray *rows, guint i) { return &g_array_index(rows, RmilPredictionRow, i); }

static const RmilMethodSummary *reference_of(const RmilReport *report) { return &report->summary->methods[report->summary->reference]; }

/* Draws what `svg` is, or fails; takes it. */
static gboolean add_figure(RmilReport *report, char *svg, const char *alt, const char *caption) {
    if (svg) rmil_html_svg(report->out, svg, alt, caption);
    g_free(svg);
    return svg != NULL;
}

static const char **names_of(const RmilTask *task) {
    const char **names = g_new0(const char *, RMIL_CLASSES_MOST + 1);
    for (int c = 0; c < task->classes; c++) names[c] = rmil_task_is_plain(task) ? (c ? "positive" : "negative") : task->names[c];
    return names;
}

/* Labels and probabilities (rows × classes). */
static void class_arrays(const RmilTask *task, const GArray *rows, int **labels, double **probabilities) {
    *labels = g_new(int, rows->len + 1);
    *probabilities = g_new(double, (gsize)(rows->len + 1) * (gsize)task->classes);
    for (guint i = 0; i < rows->len; i++) {
        (*labels)[i] = row_at(rows, i)->target.label;
        for (int c = 0; c < task->classes; c++)
            (*probabilities)[(int)i * task->classes + c] = rmil_class_probability(task, row_at(rows, i), c);
    }
}

/* -- more than two classes ----------------------------------------------------------------------------------------------------- */
static void class_table(RmilReport *report, const RmilClassMetrics *metrics, const RmilClassIntervals *intervals) {
    const RmilTask *task = &report->summary->task;
    g_autofree char *caption = g_strdup_printf("%s, each class against the rest; below each value its 95 %% interval.",
                                               reference_of(report)->method->title);
    rmil_html_table_begin(report->out, caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Class</th><th scope=\"col\" class=\"n\">Slides</th>");
    for (RmilClassMetric m = 0; m < RMIL_CLASS_METRICS; m++) rmil_html(report->out, "<th scope=\"col\">%s</th>", rmil_class_metric_name(m));
    g_string_append(report->out, "</tr></thead><tbody>\n");
    for (int c = 0; c < task->classes; c++) {
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%" G_GINT64_FORMAT "</td>", task->names[c], metrics->count[c]);
        for (RmilClassMetric m = 0; m < RMIL_CLASS_METRICS; m++) {
            char value[16];
            rmil_html(report->out, "<td>%s", rmil_html_metric(metrics->one[c][m], value));
            rmil_html_interval(report->out, &intervals->one[c][m]);
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

static gboolean add_classes(RmilReport *report, GError **error) {
    const RmilTask *task = &report->summary->task;
    const GArray *rows = reference_of(report)->pooled;
    g_autofree int *labels = NULL;
    g_autofree double *probabilities = NULL, *largest = g_new(double, rows->len + 1);
    g_autofree int *right = g_new(int, rows->len + 1);
    g_autofree int64_t *groups = rmil_predictions_patients(rows), *counts = g_new(int64_t, (gsize)(task->classes * task->classes));
    g_autofree const char **names = names_of(task);
    g_autofree RmilClassMetrics *metrics = g_new(RmilClassMetrics, 1);
    g_autofree RmilClassIntervals *intervals = g_new(RmilClassIntervals, 1);
    class_arrays(task, rows, &labels, &probabilities);
    rmil_class_metrics(labels, probabilities, rows->len, task->classes, metrics);
    const RmilBootstrap bootstrap = {groups, 0.95, RMIL_MEASURING_USUAL.rounds, RMIL_MEASURING_USUAL.seed};
    rmil_class_intervals(labels, probabilities, rows->len, task->classes, &bootstrap, intervals);
    for (int a = 0; a < task->classes; a++)
        for (int b = 0; b < task->classes; b++) counts[a * task->classes + b] = metrics->confusion[a][b];
    for (guint i = 0; i < rows->len; i++) {
        const int class = rmil_predicted_class(task, row_at(rows, i));
        largest[i] = rmil_class_probability(task, row_at(rows, i), class);
        right[i] = class == labels[i];
    }
    class_table(report, metrics, intervals);
    say_missing(report, metrics);
    const char *folder = report->run->folder;
    const RmilFigureSeries series = {reference_of(report)->method->title, largest};
    g_string_append(report->out, "<div class=\"figures two\">\n");
    const gboolean done =
        add_figure(report, rmil_figure_roc_classes("roc-classes", labels, probabilities, rows->len, task->classes, names, folder, error),
                   "ROC curve of each class against the rest", "ROC curve of each class against the rest, with its AUROC.") &&
        add_figure(report, rmil_figure_confusion("confusion", counts, task->classes, names, folder, error),
                   "Confusion matrix: true classes in rows, predicted ones in columns",
                   "Confusion matrix: true classes in rows, predicted ones in columns; shares of the row.") &&
        add_figure(report,
                   rmil_figure_reliability("reliability", &series, 1, right, rows->len, 10, "Probability of the predicted class",
                                           "Share predicted right", folder, error),
                   "Reliability diagram of the largest probability",
                   "Reliability: how often slides that are given a class with this probability are of it. On the diagonal, "
                   "probabilities mean what they say.");
    g_string_append(report->out, "</div>\n");
    return done;
}

/* -- two classes ------------------------------------------------------------------------------------------------------------------ */
/* Of each pooled slide the mean of the calibrated probabilities of those trainings that tested it. */
static double *calibrated_of(const RmilMethod *method, const GArray *rows) {
    double *sum = g_new0(double, rows->len + 1);
    g_autofree int64_t *count = g_new0(int64_t, rows->len + 1);
    g_autoptr(GHashTable) place = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < rows->len; i++) g_hash_table_insert(place, (gpointer)row_at(rows, i)->slide, GUINT_TO_POINTER(i));
    for (guint s = 0; s < method->seeds->len; s++) {
        const RmilSeedRun *seed = method->seeds->pdata[s];
        for (guint k = 0; k < seed->cases->len; k++) {
            const RmilPredictionRow *row = row_at(seed->cases, k);
            gpointer at;
            if (row->part != RMIL_SPLIT_TEST || !g_hash_table_lookup_extended(place, row->slide, NULL, &at)) continue;
            sum[GPOINTER_TO_UINT(at)] += rmil_decision_calibrated(&seed->decision, row->logit);
            count[GPOINTER_TO_UINT(at)]++;
        }
    }
    for (guint i = 0; i < rows->len; i++) sum[i] /= (double)MAX(count[i], 1);
    return sum;
}

/* Of several trainings used as one; FALSE: one of them carries no cut-off. */
static gboolean decision_of(const RmilMethod *method, RmilDecision *decision) {
    g_autofree const RmilDecision **all = g_new(const RmilDecision *, method->seeds->len);
    for (guint s = 0; s < method->seeds->len; s++) all[s] = &((const RmilSeedRun *)method->seeds->pdata[s])->decision;
    rmil_decision_pool(all, method->seeds->len, decision);
    return decision->chosen && !isnan(decision->cut);
}

static void cut_row(RmilReport *report, const RmilMethodSummary *one, const RmilDecision *decision, const int *labels,
                    const double *scores) {
    RmilCutMetrics at;
    char text[4][16];
    rmil_cut_metrics(labels, scores, one->pooled->len, decision->cut, &at);
    RmilInterval sensitivity = rmil_wilson(at.sensitivity, at.true_positives + at.false_negatives, 0.95),
                 specificity = rmil_wilson(at.specificity, at.true_negatives + at.false_positives, 0.95);
    g_autofree int64_t *groups = rmil_predictions_patients(one->pooled);
    if (groups) {
        RmilMetricIntervals by_patient;
        const double below = nextafter(decision->cut, -INFINITY); /* at the cut-off is positive; there above the cut is */
        rmil_metric_intervals_grouped(labels, scores, one->pooled->len, groups, below, 0.95, RMIL_MEASURING_USUAL.rounds,
                                      RMIL_MEASURING_USUAL.seed, &by_patient);
        sensitivity = by_patient.sensitivity, specificity = by_patient.specificity;
    }
    rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%.3f</td><td>%s / %s</td>", one->method->title, decision->cut,
              rmil_html_metric(decision->sensitivity, text[0]), rmil_html_metric(decision->specificity, text[1]));
    rmil_html(report->out, "<td>%s<small>%.3f–%.3f</small></td><td>%s<small>%.3f–%.3f</small></td>",
              rmil_html_metric(at.sensitivity, text[0]), sensitivity.low, sensitivity.high, rmil_html_metric(at.specificity, text[1]),
              specificity.low, specificity.high);
    rmil_html(report->out, "<td>%s</td><td>%s</td></tr>\n", rmil_html_metric(at.ppv, text[2]), rmil_html_metric(at.npv, text[3]));
}

/* TRUE: a method has a cut-off. */
static gboolean cut_table(RmilReport *report) {
    const RmilSummary *s = report->summary;
    RmilDecision decision;
    gboolean any = FALSE;
    for (int m = 0; m < s->n; m++) any = any || decision_of(s->methods[m].method, &decision);
    if (!any) {
        g_string_append(report->out,
                        "<p>The models carry no cut-off: they were trained by an earlier version, or the validation sets allow none. The "
                        "measures above are at 0.5.</p>\n");
        return FALSE;
    }
    decision_of(reference_of(report)->method, &decision);
    g_autofree char *words = rmil_decision_words(&decision);
    if (decision.rule == RMIL_CUT_HALF) g_string_append(report->out, "<p>Cut-off: 0.5, as asked for.</p>\n");
    else
        rmil_html(report->out,
                  "<p>Cut-off: %s, on the validation slides alone%s; positive where the probability is as high or higher. "
                  "The test slides took no part in the choice.</p>\n",
                  words, reference_of(report)->seeds > 1 ? "; of several trainings the mean of their cut-offs" : "");
    g_autofree int64_t *groups = rmil_predictions_patients(reference_of(report)->pooled);
    rmil_html_table_begin(
        report->out,
        groups
            ? "Test slides at the cut-off that the validation slides gave; below the shares 95 % intervals of 2,000 resamples of whole patients."
            : "Test slides at the cut-off that the validation slides gave; below the shares Wilson’s 95 % intervals.");
    g_string_append(report->out,
                    "<thead><tr><th scope=\"col\">Method</th><th scope=\"col\" class=\"n\">Cut-off</th><th scope=\"col\">Validation: "
                    "sensitivity / specificity</th><th scope=\"col\">Sensitivity</th><th scope=\"col\">Specificity</th><th "
                    "scope=\"col\">PPV</th><th scope=\"col\">NPV</th></tr></thead><tbody>\n");
    for (int m = 0; m < s->n; m++) {
        const RmilMethodSummary *one = &s->methods[m];
        g_autofree int *labels = g_new(int, one->pooled->len + 1);
        g_autofree double *scores = g_new(double, one->pooled->len + 1);
        rmil_predictions_scores(one->pooled, labels, scores);
        if (decision_of(one->method, &decision)) cut_row(report, one, &decision, labels, scores);
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
    return TRUE;
}

static gboolean add_decisions(RmilReport *report, GError **error) {
    const RmilTask *task = &report->summary->task;
    const RmilMethodSummary *best = reference_of(report);
    const GArray *rows = best->pooled;
    g_autofree int *labels = g_new(int, rows->len + 1);
    g_autofree double *scores = g_new(double, rows->len + 1), *calibrated = calibrated_of(best->method, rows);
    g_autofree const char **names = names_of(task);
    rmil_predictions_scores(rows, labels, scores);
    g_string_append(report->out, "<h3>Cut-off and calibration</h3>\n");
    const gboolean cut = cut_table(report);
    RmilDecision decision;
    decision_of(best->method, &decision);
    RmilCutMetrics at;
    rmil_cut_metrics(labels, scores, rows->len, rmil_decision_cut(&decision), &at);
    const int64_t counts[] = {at.true_negatives, at.false_positives, at.false_negatives, at.true_positives};
    const RmilFigureSeries series[] = {{"as the models say", scores}, {"calibrated", calibrated}};
    const int n_series = decision.chosen && decision.calibration != RMIL_CALIBRATE_NONE ? 2 : 1;
    g_autofree char *caption = g_strdup_printf("%s at %s %.3f: confusion matrix, true classes in rows.", best->method->title,
                                               cut ? "the cut-off" : "", rmil_decision_cut(&decision));
    g_autofree char *what = g_strdup_printf("Predicted probability of %s", names[1]),
                    *share = g_strdup_printf("Share of %s slides", names[1]);
    const char *folder = report->run->folder;
    g_string_append(report->out, "<div class=\"figures two\">\n");
    const gboolean done =
        add_figure(report, rmil_figure_confusion("confusion", counts, 2, names, folder, error), "Confusion matrix at the cut-off",
                   caption) &&
        add_figure(report, rmil_figure_reliability("reliability", series, n_series, labels, rows->len, 10, what, share, folder, error),
                   "Reliability diagram",
                   "Reliability: how often slides of a predicted probability are positive, with Wilson’s 95 % intervals. On the "
                   "diagonal, probabilities mean what they say. Calibrated: scaled on the validation slides.") &&
        add_figure(report, rmil_figure_decision("decision", series, n_series, labels, rows->len, folder, error), "Decision curve",
                   "Decision curve: net benefit of acting on slides above a threshold probability, beside acting on all "
                   "or on none (Vickers and Elkin 2006).");
    g_string_append(report->out, "</div>\n");
    return done;
}

/* -- times, numbers ------------------------------------------------------------------------------------------------------------- */
/* Halves of predicted risk; of many cases thirds. */
static int risk_groups(const GArray *rows, int *group) {
    enum { MANY = 60 };
    const int groups = rows->len >= MANY ? 3 : 2;
    g_autofree double *sorted = g_new(double, rows->len + 1);
    for (guint i = 0; i < rows->len; i++) sorted[i] = row_at(rows, i)->answer;
    qsort(sorted, rows->len, sizeof *sorted, rmil_compare_doubles);
    for (guint i = 0; i < rows->len; i++) {
        group[i] = 0;
        for (int g = 1; g < groups; g++) group[i] += row_at(rows, i)->answer > rmil_quantile(sorted, rows->len, (double)g / groups);
    }
    return groups;
}

static gboolean add_times(RmilReport *report, GError **error) {
    const GArray *rows = reference_of(report)->pooled;
    g_autofree double *time = g_new(double, rows->len + 1);
    g_autofree gboolean *event = g_new(gboolean, rows->len + 1);
    g_autofree int *group = g_new(int, rows->len + 1);
    for (guint i = 0; i < rows->len; i++) time[i] = row_at(rows, i)->target.time, event[i] = row_at(rows, i)->target.event;
    const int groups = risk_groups(rows, group);
    const char *const two[] = {"low risk", "high risk"}, *const three[] = {"low risk", "medium risk", "high risk"};
    g_autofree char *caption = g_strdup_printf(
        "Kaplan-Meier curves of the test slides by predicted risk (%s), with 95 %% bands, ticks where "
        "cases are censored, numbers at risk and the log-rank test.",
        groups == 3 ? "thirds" : "halves at the median");
    g_string_append(report->out, "<div class=\"figures\">\n");
    const gboolean done = add_figure(report,
                                     rmil_figure_survival("survival", time, event, group, rows->len, groups, groups == 3 ? three : two,
                                                          "Time", report->run->folder, error),
                                     "Kaplan-Meier curves by predicted risk", caption);
    g_string_append(report->out, "</div>\n");
    return done;
}

static gboolean add_numbers(RmilReport *report, GError **error) {
    const GArray *rows = reference_of(report)->pooled;
    g_autofree double *values = g_new(double, rows->len + 1), *said = g_new(double, rows->len + 1);
    for (guint i = 0; i < rows->len; i++) values[i] = row_at(rows, i)->target.value, said[i] = row_at(rows, i)->answer;
    g_string_append(report->out, "<div class=\"figures\">\n");
    const gboolean done = add_figure(report, rmil_figure_scatter("scatter", values, said, rows->len, "Value", report->run->folder, error),
                                     "Predicted against true values", "Predicted against true values of the test slides.");
    g_string_append(report->out, "</div>\n");
    return done;
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

static void patient_table(RmilReport *report) {
    const RmilSummary *s = report->summary;
    const char *word = recorded(report, "patient_pool");
    RmilPool rule = RMIL_POOL_HIGHEST;
    for (RmilPool r = 0; r < RMIL_POOLS; r++)
        if (strcmp(word, rmil_pool_name(r)) == 0) rule = r;
    if (rule == RMIL_POOL_NOISY_OR && s->task.classes != 2) rule = RMIL_POOL_MEAN;
    const GArray *rows = reference_of(report)->pooled;
    g_autofree int64_t *groups = rmil_predictions_patients(rows);
    if (!groups) return;
    g_autofree char *caption = g_strdup_printf("By patient (%s of the patient’s slides); below each value its 95 %% interval.",
                                               rmil_pool_name(rule));
    rmil_html_table_begin(report->out, caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Method</th><th scope=\"col\" class=\"n\">Patients</th>");
    for (int i = 0; i < s->n_measures; i++) rmil_html(report->out, "<th scope=\"col\">%s</th>", s->measures[i].name);
    g_string_append(report->out, "</tr></thead><tbody>\n");
    for (int m = 0; m < s->n; m++) {
        g_autoptr(GArray) patients = rmil_predictions_by_patient(s->methods[m].pooled, &s->task, rule);
        double values[RMIL_MEASURES_MOST];
        RmilInterval intervals[RMIL_MEASURES_MOST];
        rmil_measure(&s->task, patients, NULL, RMIL_MEASURING_USUAL, values, intervals);
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%u</td>", s->methods[m].method->title, patients->len);
        for (int i = 0; i < s->n_measures; i++) {
            char value[16];
            rmil_html(report->out, "<td>%s", rmil_html_metric(values[i], value));
            rmil_html_interval(report->out, &intervals[i]);
            g_string_append(report->out, "</td>");
        }
        g_string_append(report->out, "</tr>\n");
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

gboolean rmil_report_outcomes(RmilReport *report, GError **error) {
    const RmilTask *task = &report->summary->task;
    patient_table(report);
    return task->classes == 2                 ? add_decisions(report, error)
           : task->kind == RMIL_TASK_CLASSES  ? add_classes(report, error)
           : task->kind == RMIL_TASK_SURVIVAL ? add_times(report, error)
                                              : add_numbers(report, error);
}
