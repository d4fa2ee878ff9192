/* SPDX-License-Identifier: Apache-2.0 */
/* Cut-offs for two classes, chosen among the scores that occur, and the results at one: positive where score ≥ threshold. */
#include "evaluate-private.h"

#include <math.h>

/* Is the threshold with these counts better than the best so far? Thresholds come from the highest to the lowest. */
typedef gboolean (*Better)(int64_t hits, int64_t alarms, int64_t best_hits, int64_t best_alarms, const RmilRanking *ranking, double least);

/* Compares Youden's J in whole numbers: exact on ties. */
static gboolean higher_youden(int64_t hits, int64_t alarms, int64_t best_hits, int64_t best_alarms, const RmilRanking *ranking,
                              double least) {
    return best_hits < 0 || (hits - best_hits) * ranking->negatives > (alarms - best_alarms) * ranking->positives;
}

static gboolean first_sensitive(int64_t hits, int64_t alarms, int64_t best_hits, int64_t best_alarms, const RmilRanking *ranking,
                                double least) {
    return best_hits < 0 && (double)hits / (double)ranking->positives >= least;
}

static gboolean last_specific(int64_t hits, int64_t alarms, int64_t best_hits, int64_t best_alarms, const RmilRanking *ranking,
                              double least) {
    return (double)(ranking->negatives - alarms) / (double)ranking->negatives >= least;
}

static gboolean find(const int *labels, const double *scores, int64_t n, double least, Better better, RmilCut *cut) {
    RmilRanking ranking;
    *cut = (RmilCut){NAN, NAN, NAN};
    if (n <= 0 || !rmil_ranking_init(&ranking, labels, scores, n)) return FALSE;
    int64_t hits = 0, alarms = 0, best_hits = -1, best_alarms = 0;
    for (int64_t g = 0; g < ranking.groups && ranking.positives && ranking.negatives; g++) {
        hits += ranking.pos[g];
        alarms += ranking.neg[g];
        if (!better(hits, alarms, best_hits, best_alarms, &ranking, least)) continue;
        best_hits = hits;
        best_alarms = alarms;
        *cut = (RmilCut){ranking.score[g], (double)hits / (double)ranking.positives,
                         (double)(ranking.negatives - alarms) / (double)ranking.negatives};
    }
    rmil_ranking_clear(&ranking);
    return best_hits >= 0;
}

gboolean rmil_cut_youden(const int *labels, const double *scores, int64_t n, RmilCut *cut) {
    return find(labels, scores, n, 0, higher_youden, cut);
}

gboolean rmil_cut_sensitivity(const int *labels, const double *scores, int64_t n, double least, RmilCut *cut) {
    return find(labels, scores, n, least, first_sensitive, cut);
}

gboolean rmil_cut_specificity(const int *labels, const double *scores, int64_t n, double least, RmilCut *cut) {
    return find(labels, scores, n, least, last_specific, cut);
}

static double share(int64_t part, int64_t whole) { return whole > 0 ? (double)part / (double)whole : NAN; }

void rmil_cut_metrics(const int *labels, const double *scores, int64_t n, double threshold, RmilCutMetrics *metrics) {
    int64_t tp = 0, fp = 0, tn = 0, fn = 0;
    gboolean good = !isnan(threshold);
    for (int64_t i = 0; i < n; i++) {
        good = good && !isnan(scores[i]);
        if (scores[i] >= threshold) labels[i] ? tp++ : fp++;
        else labels[i] ? fn++ : tn++;
    }
    *metrics = (RmilCutMetrics){0, 0, 0, 0, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (!good) return;
    *metrics = (RmilCutMetrics){tp,
                                fp,
                                tn,
                                fn,
                                share(tp + tn, n),
                                NAN,
                                share(tp, tp + fn),
                                share(tn, tn + fp),
                                share(tp, tp + fp),
                                share(tn, tn + fn),
                                share(2 * tp, 2 * tp + fp + fn)};
    metrics->balanced_accuracy = 0.5 * (metrics->sensitivity + metrics->specificity);
}
