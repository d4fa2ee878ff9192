/* SPDX-License-Identifier: Apache-2.0 */
/* Two classes at a cut-off: counts, shares and their intervals. */
#include "evaluate-private.h"

#include <math.h>

/* Does a case with this label, called positive or not, count in the denominator of the share? */
static gboolean counts_for(int label, gboolean said, int share) {
    return share == RMIL_AT_SENSITIVITY   ? label == 1
           : share == RMIL_AT_SPECIFICITY ? label == 0
           : share == RMIL_AT_PPV         ? said
                                          : share == RMIL_AT_ACCURACY || !said;
}

void rmil_measure_cut(const GArray *rows, double cut, RmilCutMetrics *at, RmilInterval intervals[RMIL_AT_SHARES]) {
    const int64_t n = rows->len;
    g_autofree int *labels = g_new(int, n + 1);
    g_autofree double *scores = g_new(double, n + 1), *hit = g_new(double, n + 1);
    g_autofree int64_t *groups = rmil_predictions_patients(rows);
    rmil_predictions_scores(rows, labels, scores);
    rmil_cut_metrics(labels, scores, n, cut, at);
    for (int s = 0; s < RMIL_AT_SHARES; s++) {
        for (int64_t i = 0; i < n; i++) {
            const gboolean said = scores[i] >= cut;
            hit[i] = counts_for(labels[i], said, s) ? said == labels[i] : NAN;
        }
        intervals[s] = rmil_share_of_patients(hit, groups, n, 0.95);
    }
}
