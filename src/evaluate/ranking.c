/* SPDX-License-Identifier: Apache-2.0 */
/* Ranking metrics and curves. One sort, then everything in one pass over the distinct scores. */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    double score;
    int64_t index;
} Case;

static int compare_cases(const void *a, const void *b) {
    double x = ((const Case *)a)->score, y = ((const Case *)b)->score;
    return (x < y) - (x > y);
}

void rmil_ranking_clear(RmilRanking *ranking) {
    rmil_free(ranking->score);
    rmil_free(ranking->pos);
    rmil_free(ranking->neg);
    rmil_free(ranking->group);
}

gboolean rmil_ranking_init(RmilRanking *ranking, const int *labels, const double *scores, int64_t n) {
    *ranking = (RmilRanking){0};
    for (int64_t i = 0; i < n; i++)
        if (isnan(scores[i])) return FALSE;
    Case *cases = rmil_alloc(n, sizeof(Case), NULL);
    ranking->score = rmil_alloc(n, sizeof(double), NULL);
    ranking->pos = rmil_alloc(n, sizeof(int64_t), NULL);
    ranking->neg = rmil_alloc(n, sizeof(int64_t), NULL);
    ranking->group = rmil_alloc(n, sizeof(int64_t), NULL);
    if (!cases || !ranking->score || !ranking->pos || !ranking->neg || !ranking->group) {
        rmil_free(cases);
        rmil_ranking_clear(ranking);
        return FALSE;
    }
    for (int64_t i = 0; i < n; i++) cases[i] = (Case){scores[i], i};
    qsort(cases, (size_t)n, sizeof(Case), compare_cases);
    int64_t group = -1;
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || cases[i].score != cases[i - 1].score) ranking->score[++group] = cases[i].score;
        if (labels[cases[i].index]) ranking->pos[group]++, ranking->positives++;
        else ranking->neg[group]++, ranking->negatives++;
        ranking->group[cases[i].index] = group;
    }
    ranking->groups = group + 1;
    rmil_free(cases);
    return TRUE;
}

int64_t rmil_ranking_above(const RmilRanking *ranking, double cut) {
    int64_t above = 0;
    while (above < ranking->groups && ranking->score[above] > cut) above++;
    return above;
}

void rmil_ranking_metrics(int64_t groups, const int64_t *pos, const int64_t *neg, int64_t positives, int64_t negatives, int64_t above,
                          RmilMetrics *metrics) {
    const double p = (double)positives, n = (double)negatives;
    double wins = 0, trapezoid = 0, average = 0, precision = 1;
    int64_t tp = 0, fp = 0, hits = 0, alarms = 0;
    for (int64_t g = 0; g < groups; g++) {
        if (g == above) hits = tp, alarms = fp;
        tp += pos[g];
        fp += neg[g];
        wins += (double)pos[g] * ((double)(negatives - fp) + 0.5 * (double)neg[g]);
        if (tp + fp == 0) continue; /* a resample without these cases */
        double before = precision, gain = (double)pos[g];
        precision = (double)tp / (double)(tp + fp);
        trapezoid += gain * 0.5 * (before + precision);
        average += gain * precision;
    }
    if (above >= groups) hits = tp, alarms = fp;
    const gboolean both = positives > 0 && negatives > 0;
    *metrics = (RmilMetrics){
        .auroc = both ? wins / (p * n) : NAN,
        .auprc = both ? trapezoid / p : NAN,
        .average_precision = both ? average / p : NAN,
        .accuracy = positives + negatives > 0 ? (double)(hits + negatives - alarms) / (p + n) : NAN,
        .sensitivity = positives > 0 ? (double)hits / p : NAN,
        .specificity = negatives > 0 ? (double)(negatives - alarms) / n : NAN,
        .positives = positives,
        .negatives = negatives,
    };
}

void rmil_metrics(const int *labels, const double *scores, int64_t n, double cut, RmilMetrics *metrics) {
    RmilRanking ranking;
    if (rmil_ranking_init(&ranking, labels, scores, n)) {
        rmil_ranking_metrics(ranking.groups, ranking.pos, ranking.neg, ranking.positives, ranking.negatives,
                             rmil_ranking_above(&ranking, cut), metrics);
        rmil_ranking_clear(&ranking);
        return;
    }
    *metrics = (RmilMetrics){NAN, NAN, NAN, NAN, NAN, NAN, 0, 0};
    for (int64_t i = 0; i < n; i++) labels[i] ? metrics->positives++ : metrics->negatives++;
}

static void add_point(GArray *curve, double x, double y, double score) {
    RmilCurvePoint point = {x, y, score};
    g_array_append_val(curve, point);
}

GArray *rmil_roc_curve(const int *labels, const double *scores, int64_t n) {
    GArray *curve = g_array_new(FALSE, FALSE, sizeof(RmilCurvePoint));
    RmilRanking ranking;
    if (!rmil_ranking_init(&ranking, labels, scores, n)) return curve;
    if (ranking.positives && ranking.negatives) {
        int64_t tp = 0, fp = 0;
        add_point(curve, 0, 0, INFINITY);
        for (int64_t g = 0; g < ranking.groups; g++) {
            tp += ranking.pos[g];
            fp += ranking.neg[g];
            add_point(curve, (double)fp / (double)ranking.negatives, (double)tp / (double)ranking.positives, ranking.score[g]);
        }
    }
    rmil_ranking_clear(&ranking);
    return curve;
}

GArray *rmil_pr_curve(const int *labels, const double *scores, int64_t n) {
    GArray *curve = g_array_new(FALSE, FALSE, sizeof(RmilCurvePoint));
    RmilRanking ranking;
    if (!rmil_ranking_init(&ranking, labels, scores, n)) return curve;
    if (ranking.positives && ranking.negatives) {
        int64_t tp = ranking.positives, fp = ranking.negatives; /* from the lowest score on, where every case is called positive */
        for (int64_t g = ranking.groups - 1; g >= 0; g--) {
            add_point(curve, (double)tp / (double)ranking.positives, (double)tp / (double)(tp + fp), ranking.score[g]);
            tp -= ranking.pos[g];
            fp -= ranking.neg[g];
        }
        add_point(curve, 0, 1, INFINITY);
    }
    rmil_ranking_clear(&ranking);
    return curve;
}
