/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals of two classes' metrics where patients have several cases: resamples of patients; exact intervals for shares. */
#include "evaluate-private.h"

#include <math.h>

enum { METRICS = 3 }; /* resampled: AUROC, AUPRC, average precision */

typedef struct {
    RmilRanking ranking;
    const int *labels;
    int64_t n, above;
    int64_t *counts; /* 2 × groups of the ranking: positives and negatives of a resample */
} Grouped;

static void list(const RmilMetrics *metrics, double values[METRICS]) {
    const double all[METRICS] = {metrics->auroc, metrics->auprc, metrics->average_precision};
    for (int m = 0; m < METRICS; m++) values[m] = all[m];
}

static void evaluate(const int64_t *weight, double *values, gpointer user) {
    Grouped *grouped = user;
    const int64_t groups = grouped->ranking.groups;
    int64_t total[2] = {0};
    RmilMetrics metrics;
    for (int64_t k = 0; k < 2 * groups; k++) grouped->counts[k] = 0;
    for (int64_t i = 0; i < grouped->n; i++) {
        const int negative = grouped->labels[i] == 0;
        grouped->counts[negative * groups + grouped->ranking.group[i]] += weight[i];
        total[negative] += weight[i];
    }
    rmil_ranking_metrics(groups, grouped->counts, grouped->counts + groups, total[0], total[1], grouped->above, &metrics);
    list(&metrics, values);
}

static void resample(Grouped *grouped, RmilResamples *r, const int *positive, RmilMetricIntervals *out) {
    RmilMetrics metrics;
    double own[METRICS], *values = rmil_resamples_values(r, METRICS, evaluate, grouped);
    const RmilRanking *ranking = &grouped->ranking;
    const double confidence = r->bootstrap.confidence;
    int64_t p, n;
    if (!values) return;
    rmil_ranking_metrics(ranking->groups, ranking->pos, ranking->neg, ranking->positives, ranking->negatives, grouped->above, &metrics);
    list(&metrics, own);
    rmil_resamples_count(r, positive, 1, &p, &n);
    const RmilInterval agreed[METRICS] = {rmil_newcombe(own[0], p, n, confidence), rmil_wilson(own[1], p, confidence),
                                          rmil_wilson(own[2], p, confidence)};
    RmilInterval *const into[METRICS] = {&out->auroc, &out->auprc, &out->average_precision};
    for (int m = 0; m < METRICS; m++) *into[m] = rmil_resamples_interval(r, values + m * r->bootstrap.rounds, own[m], agreed[m]);
    rmil_free(values);
}

/* hit: scratch, n. */
static void shares(const Grouped *grouped, const double *scores, double cut, const RmilBootstrap *bootstrap, double *hit,
                   RmilMetricIntervals *out) {
    RmilInterval *const into[] = {&out->specificity, &out->sensitivity, &out->accuracy};
    for (int of = 0; of < (int)G_N_ELEMENTS(into); of++) { /* of = 0, 1: among the cases with that label */
        for (int64_t i = 0; i < grouped->n; i++) {
            const int positive = grouped->labels[i] != 0;
            hit[i] = of == positive || of == 2 ? (scores[i] > cut) == positive : NAN;
        }
        *into[of] = rmil_share_of_patients(hit, bootstrap->groups, grouped->n, bootstrap->confidence);
    }
}

void rmil_metric_intervals_grouped(const int *labels, const double *scores, int64_t n, const int64_t *groups, double cut, double confidence,
                                   int64_t rounds, uint64_t seed, RmilMetricIntervals *out) {
    const RmilInterval none = rmil_interval_undefined;
    const RmilBootstrap bootstrap = {groups, confidence, rounds, seed};
    *out = (RmilMetricIntervals){none, none, none, none, none, none};
    if (!rmil_bootstrap_valid(&bootstrap, n)) return;
    Grouped grouped = {.labels = labels, .n = n};
    RmilResamples resamples;
    int *positive = rmil_alloc(n, sizeof(int), NULL);
    for (int64_t i = 0; positive && i < n; i++) positive[i] = labels[i] != 0;
    if (positive && rmil_resamples_init(&resamples, &bootstrap, positive, n)) {
        if (resamples.patients == n) rmil_metric_intervals(labels, scores, n, cut, confidence, rounds, seed, out);
        else if (rmil_ranking_init(&grouped.ranking, labels, scores, n)) {
            grouped.above = rmil_ranking_above(&grouped.ranking, cut);
            grouped.counts = rmil_alloc(grouped.ranking.groups, 2 * sizeof(int64_t), NULL);
            double *hit = rmil_alloc(n, sizeof(double), NULL);
            if (grouped.counts && hit) {
                resample(&grouped, &resamples, positive, out);
                shares(&grouped, scores, cut, &bootstrap, hit, out);
            }
            rmil_free(hit);
            rmil_free(grouped.counts);
            rmil_ranking_clear(&grouped.ranking);
        }
        rmil_resamples_clear(&resamples);
    }
    rmil_free(positive);
}
