/* SPDX-License-Identifier: Apache-2.0 */
/* Two classes at a cut-off: counts, shares, and the intervals of these. */
#include "evaluate-private.h"

#include <math.h>

/* Of each share: cases that count for it, of which cases. */
static void parts(const RmilCutMetrics *at, int64_t hits[RMIL_AT_SHARES], int64_t cases[RMIL_AT_SHARES]) {
    const int64_t tp = at->true_positives, fp = at->false_positives, tn = at->true_negatives, fn = at->false_negatives;
    const int64_t own_hits[] = {tp, tn, tp, tn, tp + tn}, own_cases[] = {tp + fn, tn + fp, tp + fp, tn + fn, tp + fp + tn + fn};
    for (int s = 0; s < RMIL_AT_SHARES; s++) hits[s] = own_hits[s], cases[s] = own_cases[s];
}

typedef struct {
    const int *labels;
    const double *scores;
    int64_t n;
    double cut;
} Cases;

static void evaluate(const int64_t *weight, double *values, gpointer user) {
    const Cases *cases = user;
    RmilCutMetrics at = {0};
    int64_t hits[RMIL_AT_SHARES], of[RMIL_AT_SHARES];
    for (int64_t i = 0; i < cases->n; i++) {
        const gboolean said = cases->scores[i] >= cases->cut;
        int64_t *count = cases->labels[i] ? (said ? &at.true_positives : &at.false_negatives)
                                          : (said ? &at.false_positives : &at.true_negatives);
        *count += weight[i];
    }
    parts(&at, hits, of);
    for (int s = 0; s < RMIL_AT_SHARES; s++) values[s] = of[s] ? (double)hits[s] / (double)of[s] : NAN;
}

/* Patients, of which those count as n whose cases the share is of. */
static void resample(const Cases *cases, RmilResamples *r, const int *positive, RmilInterval intervals[RMIL_AT_SHARES]) {
    Cases own = *cases;
    int64_t with_positive, with_negative;
    double *values = rmil_resamples_values(r, RMIL_AT_SHARES, evaluate, &own), share[RMIL_AT_SHARES];
    int64_t *once = rmil_alloc(cases->n, sizeof *once, NULL);
    if (values && once) {
        for (int64_t i = 0; i < cases->n; i++) once[i] = 1;
        evaluate(once, share, &own);
        rmil_resamples_count(r, positive, 1, &with_positive, &with_negative);
        for (int s = 0; s < RMIL_AT_SHARES; s++) {
            const int64_t n = s == RMIL_AT_SENSITIVITY ? with_positive : s == RMIL_AT_SPECIFICITY ? with_negative : r->patients;
            intervals[s] = rmil_resamples_interval(r, values + s * r->bootstrap.rounds, share[s],
                                                   rmil_wilson(share[s], n, r->bootstrap.confidence));
        }
    }
    rmil_free(once);
    rmil_free(values);
}

void rmil_measure_cut(const GArray *rows, double cut, RmilCutMetrics *at, RmilInterval intervals[RMIL_AT_SHARES]) {
    const int64_t n = rows->len;
    const RmilMeasuring how = RMIL_MEASURING_USUAL;
    g_autofree int *labels = g_new(int, n + 1);
    g_autofree double *scores = g_new(double, n + 1);
    g_autofree int64_t *groups = rmil_predictions_patients(rows);
    int64_t hits[RMIL_AT_SHARES], of[RMIL_AT_SHARES];
    rmil_predictions_scores(rows, labels, scores);
    rmil_cut_metrics(labels, scores, n, cut, at);
    parts(at, hits, of);
    for (int s = 0; s < RMIL_AT_SHARES; s++) intervals[s] = groups ? rmil_interval_undefined : rmil_clopper_pearson(hits[s], of[s], 0.95);
    if (!groups) return;
    const RmilBootstrap bootstrap = {groups, 0.95, how.rounds, how.seed};
    const Cases cases = {labels, scores, n, cut};
    RmilResamples resamples;
    if (!rmil_bootstrap_valid(&bootstrap, n) || !rmil_resamples_init(&resamples, &bootstrap, labels, n)) return;
    resample(&cases, &resamples, labels, intervals);
    rmil_resamples_clear(&resamples);
}
