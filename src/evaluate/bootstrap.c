/* Percentile bootstrap, stratified by label. The cases are sorted once; a resample is only a new count of positives and
 * negatives per distinct score, drawn in O(n) and evaluated in O(n). */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS = 6 };

static void metric_values(const RmilMetrics *m, double values[METRICS]) {
    const double all[METRICS] = {m->auroc, m->auprc, m->average_precision, m->accuracy, m->sensitivity, m->specificity};
    memcpy(values, all, sizeof all);
}

/* Linear interpolation between order statistics, as NumPy's default. */
static double quantile(const double *sorted, int64_t n, double q) {
    double at = q * (double)(n - 1);
    int64_t low = (int64_t)at;
    if (low >= n - 1) return sorted[n - 1];
    return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

static void draw(RmilRng *rng, const int64_t *groups, int64_t n, int64_t *counts) {
    for (int64_t i = 0; i < n; i++) counts[groups[rmil_rng_below(rng, n)]]++;
}

void rmil_bootstrap(const int *labels, const double *scores, int64_t n, double cut, double confidence, int64_t rounds,
                    uint64_t seed, RmilMetricIntervals *intervals) {
    RmilInterval *members[METRICS] = {&intervals->auroc,    &intervals->auprc,       &intervals->average_precision,
                                      &intervals->accuracy, &intervals->sensitivity, &intervals->specificity};
    for (int m = 0; m < METRICS; m++) *members[m] = (RmilInterval){NAN, NAN};
    RmilRanking ranking;
    if (n <= 0 || rounds <= 0 || !(confidence > 0 && confidence < 1)) return;
    if (!rmil_ranking_init(&ranking, labels, scores, n)) return;

    /* The groups of the positives, then those of the negatives; counts likewise. */
    const int64_t p = ranking.positives, groups = ranking.groups, above = rmil_ranking_above(&ranking, cut);
    int64_t *of_case = rmil_alloc(n, sizeof(int64_t), NULL), *counts = rmil_alloc(groups, 2 * sizeof(int64_t), NULL);
    double *values = rmil_alloc(rounds, METRICS * sizeof(double), NULL); /* METRICS × rounds */
    if (of_case && counts && values) {
        for (int64_t i = 0, pos = 0, neg = p; i < n; i++) of_case[labels[i] ? pos++ : neg++] = ranking.group[i];
        for (int64_t round = 0; round < rounds; round++) {
            RmilRng rng;
            RmilMetrics metrics;
            double one[METRICS];
            rmil_rng_init(&rng, seed, (uint64_t)round);
            memset(counts, 0, 2 * (size_t)groups * sizeof *counts);
            draw(&rng, of_case, p, counts);
            draw(&rng, of_case + p, n - p, counts + groups);
            rmil_ranking_metrics(groups, counts, counts + groups, p, n - p, above, &metrics);
            metric_values(&metrics, one);
            for (int m = 0; m < METRICS; m++) values[m * rounds + round] = one[m];
        }
        for (int m = 0; m < METRICS; m++) {
            double *of_metric = values + m * rounds;
            if (isnan(of_metric[0])) continue; /* undefined in one resample: undefined in all */
            qsort(of_metric, (size_t)rounds, sizeof(double), rmil_compare_doubles);
            *members[m] = (RmilInterval){quantile(of_metric, rounds, 0.5 * (1 - confidence)),
                                         quantile(of_metric, rounds, 0.5 * (1 + confidence))};
        }
    }
    rmil_free(of_case);
    rmil_free(counts);
    rmil_free(values);
    rmil_ranking_clear(&ranking);
}
