/* SPDX-License-Identifier: Apache-2.0 */
/* The measures of each task's predictions. */
#include "evaluate-private.h"

#include <math.h>
#include <string.h>

/* name, key, is lower better?, is it in the tables of studies? */
static const RmilMeasure of_two[] = {
    {"AUROC", "auroc", FALSE, TRUE},
    {"AUPRC", "auprc", FALSE, TRUE},
    {"Average precision", "average-precision", FALSE, FALSE},
    {"Accuracy", "accuracy", FALSE, TRUE},
    {"Sensitivity", "sensitivity", FALSE, TRUE},
    {"Specificity", "specificity", FALSE, TRUE},
};
static const RmilMeasure of_classes[] = {
    {"AUROC, macro", "auroc-macro", FALSE, TRUE},
    {"Average precision, macro", "average-precision-macro", FALSE, FALSE},
    {"Accuracy", "accuracy", FALSE, TRUE},
    {"Balanced accuracy", "balanced-accuracy", FALSE, TRUE},
    {"F1, macro", "f1-macro", FALSE, TRUE},
    {"Kappa", "kappa", FALSE, TRUE},
    {"Kappa, quadratic", "kappa-quadratic", FALSE, FALSE},
    {"Log loss", "log-loss", TRUE, FALSE},
    {"Brier score", "brier", TRUE, FALSE},
    {"Calibration error", "ece", TRUE, FALSE},
};
static const RmilClassesMetric classes_metrics[] = {
    RMIL_CLASSES_AUROC,
    RMIL_CLASSES_AVERAGE_PRECISION,
    RMIL_CLASSES_ACCURACY,
    RMIL_CLASSES_BALANCED_ACCURACY,
    RMIL_CLASSES_F1,
    RMIL_CLASSES_KAPPA,
    RMIL_CLASSES_KAPPA_QUADRATIC,
    RMIL_CLASSES_LOG_LOSS,
    RMIL_CLASSES_BRIER,
    RMIL_CLASSES_ECE,
};
static const RmilMeasure of_survival[] = {
    {"C-index", "c-index", FALSE, TRUE},
    {"Uno’s C", "uno-c", FALSE, TRUE},
    {"Integrated Brier score", "integrated-brier", TRUE, TRUE},
};
static const RmilMeasure of_number[] = {
    {"R²", "r2", FALSE, TRUE},
    {"Mean absolute error", "mae", TRUE, TRUE},
    {"RMSE", "rmse", TRUE, FALSE},
    {"Pearson’s r", "pearson", FALSE, FALSE},
    {"Spearman’s ρ", "spearman", FALSE, TRUE},
};
static const RmilNumberMetric number_metrics[] = {RMIL_NUMBER_R2, RMIL_NUMBER_MAE, RMIL_NUMBER_RMSE, RMIL_NUMBER_PEARSON,
                                                  RMIL_NUMBER_SPEARMAN};

const RmilMeasure *rmil_measures(const RmilTask *task, int *count) {
    const struct {
        const RmilMeasure *rows;
        gsize count;
    } of[] = {{of_two, G_N_ELEMENTS(of_two)},
              {of_classes, G_N_ELEMENTS(of_classes)},
              {of_survival, G_N_ELEMENTS(of_survival)},
              {of_number, G_N_ELEMENTS(of_number)}};
    const int which = task->kind == RMIL_TASK_SURVIVAL ? 2 : task->kind == RMIL_TASK_NUMBER ? 3 : task->classes > 2;
    *count = (int)of[which].count;
    return of[which].rows;
}

const char *rmil_interval_words(const RmilTask *task, gboolean patients) {
    if (patients)
        return task->classes == 2
                   ? "95 % intervals: for AUROC DeLong’s by patient (Obuchowski 1997), cut off at 0 and 1; for accuracy, sensitivity and "
                     "specificity Clopper-Pearson intervals with Korn and Graubard’s effective number of slides (if all slides agree, with the "
                     "number of patients); for AUPRC and average precision percentiles of 2,000 resamples of whole patients, with all their "
                     "slides. If the classes are separated perfectly, AUROC has Newcombe’s interval, AUPRC and average precision have Wilson’s "
                     "with the number of patients."
               : task->kind == RMIL_TASK_CLASSES
                   ? "95 % intervals: for accuracy the Clopper-Pearson interval with Korn and Graubard’s effective number of slides (if all "
                     "slides agree, with the number of patients), otherwise percentiles of 2,000 resamples of whole patients, with all their "
                     "slides. If all resamples agree, Wilson’s interval (for AUROC Newcombe’s) with the number of patients, for means over "
                     "classes with that of the smallest class."
                   : "95 % intervals: percentiles of 2,000 resamples of whole patients, with all their slides.";
    if (task->classes == 2)
        return "95 % intervals: for AUROC DeLong’s, cut off at 0 and 1; for accuracy, sensitivity and specificity Clopper-Pearson intervals; "
               "for AUPRC and average precision percentiles of 2,000 resamples of the slides, stratified by label. If the classes are "
               "separated perfectly, AUROC has Newcombe’s interval, AUPRC and average precision have Wilson’s with the number of positive "
               "slides.";
    return task->kind == RMIL_TASK_CLASSES
               ? "95 % intervals: for accuracy the Clopper-Pearson interval, otherwise percentiles of 2,000 resamples of the slides, stratified "
                 "by class. If all resamples agree, Wilson’s interval (for AUROC Newcombe’s), for means over classes with the slides of the "
                 "smallest class."
               : "95 % intervals: percentiles of 2,000 resamples of the slides.";
}

/* -- rows --------------------------------------------------------------------------------------------------------------------- */
static const RmilPredictionRow *row_at(const GArray *rows, int64_t i) { return &g_array_index(rows, RmilPredictionRow, i); }

int64_t *rmil_predictions_patients(const GArray *rows) {
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    int64_t *groups = g_new(int64_t, rows->len + 1), count = 0;
    for (guint i = 0; i < rows->len; i++) {
        const char *patient = row_at(rows, i)->patient;
        gpointer before = NULL;
        if (!patient || !g_hash_table_lookup_extended(known, patient, NULL, &before)) {
            if (patient) g_hash_table_insert(known, (gpointer)patient, GSIZE_TO_POINTER((gsize)count));
            groups[i] = count++;
        } else {
            groups[i] = (int64_t)GPOINTER_TO_SIZE(before);
        }
    }
    if (count < rows->len) return groups;
    g_free(groups);
    return NULL;
}

RmilInterval rmil_pointing_interval(const char *const *slides, const double *met, int64_t n, const GArray *predictions) {
    g_autoptr(GHashTable) patient_of = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(RmilPredictionRow));
    for (guint i = 0; i < predictions->len; i++)
        g_hash_table_insert(patient_of, (gpointer)row_at(predictions, i)->slide, (gpointer)row_at(predictions, i)->patient);
    for (int64_t i = 0; i < n; i++) {
        const RmilPredictionRow row = {.slide = slides[i], .patient = g_hash_table_lookup(patient_of, slides[i])};
        g_array_append_val(rows, row);
    }
    g_autofree int64_t *groups = rmil_predictions_patients(rows);
    return rmil_share_of_patients(met, groups, n, 0.95);
}

const char *rmil_pointing_words(const RmilInterval *interval) {
    return g_strcmp0(interval->method, "exact by patient") == 0
               ? "the exact 95 % interval with the effective number of slides (Korn and Graubard), because patients have several"
               : "the exact 95 % interval over the slides";
}

GArray *rmil_predictions_of(const GArray *rows, const RmilTask *task, RmilSplit part) {
    GArray *of = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    for (guint i = 0; i < rows->len; i++)
        if (row_at(rows, i)->part == part && rmil_target_known(task, &row_at(rows, i)->target)) g_array_append_val(of, *row_at(rows, i));
    return of;
}

void rmil_predictions_scores(const GArray *rows, int *labels, double *scores) {
    for (guint i = 0; i < rows->len; i++) labels[i] = row_at(rows, i)->target.label, scores[i] = row_at(rows, i)->probability;
}

void rmil_predictions_classes(const GArray *rows, const RmilTask *task, int *labels, double *probabilities) {
    for (guint i = 0; i < rows->len; i++) {
        labels[i] = row_at(rows, i)->target.label;
        for (int c = 0; c < task->classes; c++) *probabilities++ = rmil_class_probability(task, row_at(rows, i), c);
    }
}

/* -- two classes ---------------------------------------------------------------------------------------------------------------- */
static void measure_two(const GArray *rows, RmilMeasuring how, double *values, RmilInterval *intervals) {
    const int64_t n = rows->len;
    g_autofree int *labels = g_new(int, n + 1);
    g_autofree double *scores = g_new(double, n + 1);
    RmilMetrics m;
    rmil_predictions_scores(rows, labels, scores);
    rmil_metrics(labels, scores, n, how.cut, &m);
    const double in_order[] = {m.auroc, m.auprc, m.average_precision, m.accuracy, m.sensitivity, m.specificity};
    memcpy(values, in_order, sizeof in_order);
    if (!intervals || m.positives == 0 || m.negatives == 0) return; /* intervals need both classes */
    RmilMetricIntervals b;
    g_autofree int64_t *groups = rmil_predictions_patients(rows);
    rmil_metric_intervals_grouped(labels, scores, n, groups, how.cut, 0.95, how.rounds, how.seed, &b);
    const RmilInterval all[] = {b.auroc, b.auprc, b.average_precision, b.accuracy, b.sensitivity, b.specificity};
    memcpy(intervals, all, sizeof all);
    double variance;
    rmil_delong_grouped(labels, scores, n, groups, 0.95, &variance, &intervals[0]);
}

/* -- other tasks ---------------------------------------------------------------------------------------------------------------- */
static RmilBootstrap bootstrap_of(const int64_t *groups, RmilMeasuring how) { return (RmilBootstrap){groups, 0.95, how.rounds, how.seed}; }

static void measure_classes(const RmilTask *task, const GArray *rows, RmilMeasuring how, double *values, RmilInterval *intervals) {
    const int64_t n = rows->len, classes = task->classes;
    g_autofree int *labels = g_new(int, n);
    g_autofree double *probabilities = g_new(double, n *classes);
    g_autofree int64_t *groups = rmil_predictions_patients(rows);
    rmil_predictions_classes(rows, task, labels, probabilities);
    RmilClassMetrics metrics;
    rmil_class_metrics(labels, probabilities, n, task->classes, &metrics);
    for (gsize m = 0; m < G_N_ELEMENTS(classes_metrics); m++) values[m] = metrics.all[classes_metrics[m]];
    if (!intervals) return;
    g_autofree RmilClassIntervals *found = g_new(RmilClassIntervals, 1);
    const RmilBootstrap bootstrap = bootstrap_of(groups, how);
    rmil_class_intervals(labels, probabilities, n, task->classes, &bootstrap, found);
    for (gsize m = 0; m < G_N_ELEMENTS(classes_metrics); m++) intervals[m] = found->all[classes_metrics[m]];
}

typedef struct {
    double *time, *risk;
    gboolean *event;
    int64_t n;
} Times;

static void times_of(const GArray *rows, Times *times) {
    *times = (Times){g_new(double, rows->len + 1), g_new(double, rows->len + 1), g_new(gboolean, rows->len + 1), rows->len};
    for (guint i = 0; i < rows->len; i++) {
        times->time[i] = row_at(rows, i)->target.time;
        times->risk[i] = row_at(rows, i)->answer;
        times->event[i] = row_at(rows, i)->target.event;
    }
}

static void times_clear(Times *times) {
    g_free(times->time);
    g_free(times->risk);
    g_free(times->event);
}

/* The longest follow-up. */
static double longest(const Times *times) {
    double most = 0;
    for (int64_t i = 0; i < times->n; i++) most = MAX(most, times->time[i]);
    return most;
}

/* Over the ends of all bins but the last, where nobody is followed any more. NaN: the model has no bins, or fewer than three. */
static double integrated_brier(const GArray *rows, const Times *own, const Times *all) {
    int count = RMIL_OUTPUTS_MOST;
    for (guint i = 0; i < rows->len; i++)
        count = memcmp(row_at(rows, i)->times, row_at(rows, 0)->times, sizeof row_at(rows, 0)->times) == 0
                    ? MIN(count, row_at(rows, i)->count)
                    : 0;
    const int ends = count - 1;
    if (ends < 2) return NAN;
    g_autofree double *survival = g_new(double, (gsize)rows->len *(gsize)ends);
    for (guint i = 0; i < rows->len; i++) memcpy(survival + (int)i * ends, row_at(rows, i)->values, (gsize)ends * sizeof *survival);
    return rmil_integrated_brier(all->time, all->event, all->n, own->time, own->event, own->n, row_at(rows, 0)->times, ends, survival,
                                 NULL);
}

static void measure_survival(const GArray *rows, const GArray *train, RmilMeasuring how, double *values, RmilInterval *intervals) {
    Times own, all;
    RmilConcordance c;
    times_of(rows, &own);
    times_of(train ? train : rows, &all);
    rmil_c_index(own.time, own.event, own.risk, own.n, &c);
    values[0] = c.c_index;
    rmil_uno_c_index(all.time, all.event, all.n, own.time, own.event, own.risk, own.n, INFINITY, &c);
    if (isnan(c.c_index)) rmil_uno_c_index(all.time, all.event, all.n, own.time, own.event, own.risk, own.n, longest(&all), &c);
    values[1] = c.c_index;
    values[2] = integrated_brier(rows, &own, &all);
    if (intervals) {
        g_autofree int64_t *groups = rmil_predictions_patients(rows);
        const RmilBootstrap bootstrap = bootstrap_of(groups, how);
        intervals[0] = rmil_c_index_interval(own.time, own.event, own.risk, own.n, &bootstrap);
    }
    times_clear(&own);
    times_clear(&all);
}

static void measure_numbers(const GArray *rows, RmilMeasuring how, double *values, RmilInterval *intervals) {
    g_autofree double *known = g_new(double, rows->len), *said = g_new(double, rows->len);
    for (guint i = 0; i < rows->len; i++) known[i] = row_at(rows, i)->target.value, said[i] = row_at(rows, i)->answer;
    double metrics[RMIL_NUMBER_METRICS];
    rmil_number_metrics(known, said, rows->len, metrics);
    for (gsize m = 0; m < G_N_ELEMENTS(number_metrics); m++) values[m] = metrics[number_metrics[m]];
    if (!intervals) return;
    g_autofree int64_t *groups = rmil_predictions_patients(rows);
    const RmilBootstrap bootstrap = bootstrap_of(groups, how);
    RmilInterval found[RMIL_NUMBER_METRICS];
    rmil_number_intervals(known, said, rows->len, &bootstrap, found);
    for (gsize m = 0; m < G_N_ELEMENTS(number_metrics); m++) intervals[m] = found[number_metrics[m]];
}

void rmil_measure(const RmilTask *task, const GArray *rows, const GArray *train, RmilMeasuring how, double *values,
                  RmilInterval *intervals) {
    for (int i = 0; i < RMIL_MEASURES_MOST; i++) {
        values[i] = NAN;
        if (intervals) intervals[i] = (RmilInterval){NAN, NAN, NULL};
    }
    if (!rows->len) return;
    if (task->classes == 2) measure_two(rows, how, values, intervals);
    else if (task->kind == RMIL_TASK_CLASSES) measure_classes(task, rows, how, values, intervals);
    else if (task->kind == RMIL_TASK_SURVIVAL) measure_survival(rows, train, how, values, intervals);
    else measure_numbers(rows, how, values, intervals);
}
