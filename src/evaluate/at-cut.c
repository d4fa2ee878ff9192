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

/* Is a case one of those that the share is of? */
static gboolean counts_for(const Cases *cases, int64_t i, int share) {
    const gboolean said = cases->scores[i] >= cases->cut;
    return share == RMIL_AT_SENSITIVITY   ? cases->labels[i] == 1
           : share == RMIL_AT_SPECIFICITY ? cases->labels[i] == 0
           : share == RMIL_AT_PPV         ? said
                                          : share == RMIL_AT_ACCURACY || !said;
}

/* Where all resamples agree they know nothing of the width: the exact interval, with the patients as cases that have any of those that the
 * share is of. */
static RmilInterval agreed(const Cases *cases, const RmilResamples *r, int share, double value, int *among) {
    int64_t patients, others;
    for (int64_t i = 0; i < cases->n; i++) among[i] = counts_for(cases, i, share);
    rmil_resamples_count(r, among, 1, &patients, &others);
    return isnan(value) ? rmil_interval_undefined
                        : rmil_clopper_pearson((int64_t)round(value * (double)patients), patients, r->bootstrap.confidence);
}

static void resample(const Cases *cases, RmilResamples *r, const double share[RMIL_AT_SHARES], RmilInterval intervals[RMIL_AT_SHARES]) {
    double *values = rmil_resamples_values(r, RMIL_AT_SHARES, evaluate, (gpointer)cases);
    int *among = rmil_alloc(cases->n, sizeof *among, NULL);
    for (int s = 0; values && among && s < RMIL_AT_SHARES; s++)
        intervals[s] = rmil_resamples_interval(r, values + s * r->bootstrap.rounds, share[s], agreed(cases, r, s, share[s], among));
    rmil_free(among);
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
    double share[RMIL_AT_SHARES];
    for (int s = 0; s < RMIL_AT_SHARES; s++) {
        share[s] = of[s] ? (double)hits[s] / (double)of[s] : NAN;
        intervals[s] = groups ? rmil_interval_undefined : rmil_clopper_pearson(hits[s], of[s], 0.95);
    }
    if (!groups) return;
    const RmilBootstrap bootstrap = {groups, 0.95, how.rounds, how.seed};
    const Cases cases = {labels, scores, n, cut};
    RmilResamples resamples;
    if (!rmil_bootstrap_valid(&bootstrap, n) || !rmil_resamples_init(&resamples, &bootstrap, labels, n)) return;
    resample(&cases, &resamples, share, intervals);
    rmil_resamples_clear(&resamples);
}
