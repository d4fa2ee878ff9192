/* SPDX-License-Identifier: Apache-2.0 */
/* How reliable probabilities are, and what acting on them is worth. */
#include "evaluate-private.h"

#include <math.h>

gboolean rmil_reliability(const int *happened, const double *probabilities, int64_t n, int bins, double confidence,
                          RmilReliabilityBin *bin) {
    gboolean good = TRUE;
    for (int b = 0; b < bins; b++)
        bin[b] = (RmilReliabilityBin){(double)b / bins, (double)(b + 1) / bins, 0, NAN, NAN, rmil_interval_undefined};
    for (int64_t i = 0; i < n; i++) good = good && probabilities[i] >= 0 && probabilities[i] <= 1;
    for (int64_t i = 0; good && i < n; i++) {
        RmilReliabilityBin *of = &bin[rmil_bin_of(probabilities[i], bins)];
        if (of->n++ == 0) of->mean = of->share = 0;
        of->mean += probabilities[i];
        of->share += happened[i] != 0;
    }
    for (int b = 0; b < bins; b++) {
        if (bin[b].n == 0) continue;
        bin[b].mean /= (double)bin[b].n;
        bin[b].share /= (double)bin[b].n;
        bin[b].interval = rmil_clopper_pearson((int64_t)round(bin[b].share * (double)bin[b].n), bin[b].n, confidence);
    }
    return good;
}

void rmil_decision_curve(const int *labels, const double *probabilities, int64_t n, const double *thresholds, int points, double *benefit,
                         double *all) {
    for (int k = 0; k < points; k++) {
        const double t = thresholds[k], odds = t >= 0 && t < 1 ? t / (1 - t) : NAN;
        int64_t hits = 0, alarms = 0, positives = 0;
        gboolean good = n > 0;
        for (int64_t i = 0; i < n; i++) {
            good = good && !isnan(probabilities[i]);
            positives += labels[i] != 0;
            if (probabilities[i] >= t) labels[i] ? hits++ : alarms++;
        }
        benefit[k] = good ? ((double)hits - (double)alarms * odds) / (double)n : NAN;
        if (all) all[k] = n > 0 ? ((double)positives - (double)(n - positives) * odds) / (double)n : NAN;
    }
}
