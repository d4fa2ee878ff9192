/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals of all metrics; ranking metrics get a percentile bootstrap, stratified by label. The cases
 * are sorted once; a resample is only a new count of positives and negatives per distinct score, drawn in O(n) and evaluated in O(n). */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS = 3 }; /* resampled: AUROC, AUPRC, average precision */

static void draw(RmilRng *rng, const int64_t *groups, int64_t n, int64_t *counts) {
    for (int64_t i = 0; i < n; i++) counts[groups[rmil_rng_below(rng, n)]]++;
}

/* METRICS × rounds values, sorted within each metric; NULL: no memory. */
static double *resamples(const RmilRanking *ranking, const int *labels, int64_t n, int64_t above, int64_t rounds, uint64_t seed) {
    /* The groups of the positives, then those of the negatives; counts likewise. */
    const int64_t p = ranking->positives, groups = ranking->groups;
    int64_t *of_case = rmil_alloc(n, sizeof(int64_t), NULL), *counts = rmil_alloc(groups, 2 * sizeof(int64_t), NULL);
    double *values = rmil_alloc(rounds, METRICS * sizeof(double), NULL);
    if (of_case && counts && values) {
        for (int64_t i = 0, pos = 0, neg = p; i < n; i++) of_case[labels[i] ? pos++ : neg++] = ranking->group[i];
        for (int64_t round = 0; round < rounds; round++) {
            RmilRng rng;
            RmilMetrics metrics;
            rmil_rng_init(&rng, seed, (uint64_t)round);
            memset(counts, 0, 2 * (size_t)groups * sizeof *counts);
            draw(&rng, of_case, p, counts);
            draw(&rng, of_case + p, n - p, counts + groups);
            rmil_ranking_metrics(groups, counts, counts + groups, p, n - p, above, &metrics);
            const double one[METRICS] = {metrics.auroc, metrics.auprc, metrics.average_precision};
            for (int m = 0; m < METRICS; m++) values[m * rounds + round] = one[m];
        }
        for (int m = 0; m < METRICS; m++) qsort(values + m * rounds, (size_t)rounds, sizeof(double), rmil_compare_doubles);
    }
    rmil_free(of_case);
    rmil_free(counts);
    return values;
}

static RmilInterval percentiles(const double *sorted, int64_t rounds, double confidence, RmilInterval degenerate) {
    if (sorted[0] == sorted[rounds - 1] && rounds > 1) return degenerate;
    return (RmilInterval){rmil_quantile(sorted, rounds, 0.5 * (1 - confidence)), rmil_quantile(sorted, rounds, 0.5 * (1 + confidence)),
                          "bootstrap"};
}

static RmilInterval exact(double share, int64_t n, double confidence) {
    return isnan(share) ? rmil_interval_undefined : rmil_clopper_pearson((int64_t)round(share * (double)n), n, confidence);
}

void rmil_metric_intervals(const int *labels, const double *scores, int64_t n, double cut, double confidence, int64_t rounds, uint64_t seed,
                           RmilMetricIntervals *out) {
    const RmilInterval none = rmil_interval_undefined;
    *out = (RmilMetricIntervals){none, none, none, none, none, none};
    RmilRanking ranking;
    RmilMetrics metrics;
    if (n <= 0 || rounds <= 0 || !(confidence > 0 && confidence < 1)) return;
    if (!rmil_ranking_init(&ranking, labels, scores, n)) return;
    const int64_t p = ranking.positives, above = rmil_ranking_above(&ranking, cut);
    rmil_ranking_metrics(ranking.groups, ranking.pos, ranking.neg, p, n - p, above, &metrics);
    out->accuracy = exact(metrics.accuracy, n, confidence);
    out->sensitivity = exact(metrics.sensitivity, p, confidence);
    out->specificity = exact(metrics.specificity, n - p, confidence);
    double *values = p > 0 && p < n ? resamples(&ranking, labels, n, above, rounds, seed) : NULL;
    if (values) {
        out->auroc = percentiles(values, rounds, confidence, rmil_newcombe(metrics.auroc, p, n - p, confidence));
        out->auprc = percentiles(values + rounds, rounds, confidence, rmil_wilson(metrics.auprc, p, confidence));
        out->average_precision = percentiles(values + 2 * rounds, rounds, confidence,
                                             rmil_wilson(metrics.average_precision, p, confidence));
    }
    rmil_free(values);
    rmil_ranking_clear(&ranking);
}
