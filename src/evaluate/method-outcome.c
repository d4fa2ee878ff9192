/* SPDX-License-Identifier: Apache-2.0 */
/* One method at its cut-off, calibrated, class by class, by patient. */
#include "method-outcome.h"

#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>

static const RmilPredictionRow *row_at(const GArray *rows, guint i) { return &g_array_index(rows, RmilPredictionRow, i); }

/* -- two classes ------------------------------------------------------------------------------------------------------------------ */
static void pool_decisions(const RmilMethod *method, RmilDecision *pooled) {
    g_autofree const RmilDecision **all = g_new(const RmilDecision *, method->seeds->len);
    for (guint s = 0; s < method->seeds->len; s++) all[s] = &((const RmilSeedRun *)method->seeds->pdata[s])->decision;
    rmil_decision_pool(all, method->seeds->len, pooled);
    if (!pooled->chosen) pooled->cut = NAN;
}

static double *calibrate(const RmilMethod *method, const GArray *rows) {
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
    for (guint i = 0; i < rows->len; i++) sum[i] /= (double)count[i];
    return sum;
}

/* -- more classes ----------------------------------------------------------------------------------------------------------------- */
static void find_classes(const RmilTask *task, const GArray *rows, RmilMethodOutcome *out) {
    g_autofree int *labels = g_new(int, rows->len + 1);
    g_autofree double *probabilities = g_new(double, (gsize)(rows->len + 1) * (gsize)task->classes);
    g_autofree int64_t *groups = rmil_predictions_patients(rows);
    const RmilBootstrap bootstrap = {groups, 0.95, RMIL_MEASURING_USUAL.rounds, RMIL_MEASURING_USUAL.seed};
    rmil_predictions_classes(rows, task, labels, probabilities);
    out->classes = g_new0(RmilClassMetrics, 1);
    out->intervals = g_new0(RmilClassIntervals, 1);
    rmil_class_metrics(labels, probabilities, rows->len, task->classes, out->classes);
    rmil_class_intervals(labels, probabilities, rows->len, task->classes, &bootstrap, out->intervals);
}

/* -- any task --------------------------------------------------------------------------------------------------------------------- */
static void find_patients(const RmilTask *task, const GArray *rows, RmilPool rule, RmilMethodOutcome *out) {
    g_autofree int64_t *groups = rmil_predictions_patients(rows);
    if (!groups) return;
    const gboolean mean = task->kind == RMIL_TASK_NUMBER || (rule == RMIL_POOL_NOISY_OR && task->classes != 2);
    out->rule = mean ? RMIL_POOL_MEAN : rule;
    out->patients = rmil_predictions_by_patient(rows, task, out->rule);
    rmil_measure(task, out->patients, NULL, RMIL_MEASURING_USUAL, out->patient_value, out->patient_interval);
}

RmilMethodOutcome *rmil_method_outcome_new(const RmilMethodSummary *method, const RmilTask *task, RmilPool rule) {
    RmilMethodOutcome *out = g_new0(RmilMethodOutcome, 1);
    if (task->classes == 2) {
        pool_decisions(method->method, &out->decision);
        if (out->decision.chosen && out->decision.calibration != RMIL_CALIBRATE_NONE)
            out->calibrated = calibrate(method->method, method->pooled);
        rmil_measure_cut(method->pooled, rmil_decision_cut(&out->decision), &out->at, out->shares);
    } else if (task->kind == RMIL_TASK_CLASSES) {
        find_classes(task, method->pooled, out);
    }
    find_patients(task, method->pooled, rule, out);
    if (out->patients && task->classes == 2)
        rmil_measure_cut(out->patients, rmil_decision_cut(&out->decision), &out->patient_at, out->patient_shares);
    return out;
}

void rmil_method_outcome_free(RmilMethodOutcome *outcome) {
    if (!outcome) return;
    g_free(outcome->calibrated);
    g_free(outcome->classes);
    g_free(outcome->intervals);
    if (outcome->patients) g_array_unref(outcome->patients);
    g_free(outcome);
}

int rmil_risk_groups(const GArray *rows, int *group) {
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
