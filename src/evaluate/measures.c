/* What is measured of the predictions of each task. */
#include "measures.h"

#include "evaluate-private.h"

#include <math.h>
#include <string.h>

#define CUT 0.5
#define BOOTSTRAP_ROUNDS 2000

static const RmilMeasure of_two[] = {
    {"AUROC", "auroc", FALSE, TRUE},
    {"AUPRC", "auprc", FALSE, TRUE},
    {"Average precision", "average-precision", FALSE, FALSE},
    {"Accuracy", "accuracy", FALSE, TRUE},
    {"Sensitivity", "sensitivity", FALSE, TRUE},
    {"Specificity", "specificity", FALSE, TRUE},
};

const RmilMeasure *rmil_measures(const RmilTask *task, int *count) {
    *count = G_N_ELEMENTS(of_two);
    return of_two;
}

const char *rmil_interval_words(const RmilTask *task, gboolean patients) {
    return "95 % intervals: DeLong’s for AUROC; Wilson’s for accuracy, sensitivity and specificity; for AUPRC and average precision the percentiles "
           "of 2,000 resamples of the slides, stratified by label. Where slides are told apart perfectly these have no width: there AUROC has "
           "Newcombe’s interval, AUPRC and average precision Wilson’s over the positive slides.";
}

/* -- rows --------------------------------------------------------------------------------------------------------------------- */
static const RmilPredictionRow *row_at(const GArray *rows, int64_t i) { return &g_array_index(rows, RmilPredictionRow, i); }

int64_t *rmil_rows_patients(const GArray *rows) {
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

gboolean rmil_rows_share_patients(const GArray *rows) {
    g_autofree int64_t *groups = rmil_rows_patients(rows);
    return groups != NULL;
}

void rmil_rows_scores(const GArray *rows, int *labels, double *scores) {
    for (guint i = 0; i < rows->len; i++) labels[i] = row_at(rows, i)->target.label, scores[i] = row_at(rows, i)->probability;
}

/* -- two classes ---------------------------------------------------------------------------------------------------------------- */
static void measure_two(const GArray *rows, double *values, RmilInterval *intervals) {
    const int64_t n = rows->len;
    g_autofree int *labels = g_new(int, n + 1);
    g_autofree double *scores = g_new(double, n + 1);
    RmilMetrics m;
    rmil_rows_scores(rows, labels, scores);
    rmil_metrics(labels, scores, n, CUT, &m);
    const double in_order[] = {m.auroc, m.auprc, m.average_precision, m.accuracy, m.sensitivity, m.specificity};
    memcpy(values, in_order, sizeof in_order);
    if (!intervals || m.positives == 0 || m.negatives == 0) return; /* intervals need both classes */
    RmilMetricIntervals b;
    rmil_metric_intervals(labels, scores, n, CUT, 0.95, BOOTSTRAP_ROUNDS, 0, &b);
    const RmilInterval all[] = {b.auroc, b.auprc, b.average_precision, b.accuracy, b.sensitivity, b.specificity};
    memcpy(intervals, all, sizeof all);
    double variance;
    rmil_delong(labels, scores, n, 0.95, &variance, &intervals[0]);
}

void rmil_measure(const RmilTask *task, const GArray *rows, const GArray *train, double *values, RmilInterval *intervals) {
    for (int i = 0; i < RMIL_MEASURES_MOST; i++) {
        values[i] = NAN;
        if (intervals) intervals[i] = (RmilInterval){NAN, NAN, NULL};
    }
    if (rows->len) measure_two(rows, values, intervals);
}
