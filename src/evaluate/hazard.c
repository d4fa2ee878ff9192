/* SPDX-License-Identifier: Apache-2.0 */
/* Discrete-time hazards: the loss of one case, its risk, and the time bins. */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>

#define FLOOR 1e-7 /* smallest argument of a logarithm, as in MCAT */

static double sigmoid(double z) { return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z)); }

/* Adds weight · −log max(S_{upto}, FLOOR), S_{−1} = 1: d log S / d logit_l = −h_l. */
static double lose_survival(const double *logits, int upto, double weight, double *gradient) {
    double survival = 1;
    for (int l = 0; l <= upto; l++) survival *= 1 - sigmoid(logits[l]);
    if (gradient && survival >= FLOOR)
        for (int l = 0; l <= upto; l++) gradient[l] += weight * sigmoid(logits[l]);
    return -weight * log(MAX(survival, FLOOR));
}

double rmil_hazard_loss(const double *logits, int bins, int bin, gboolean event, double alpha, double *gradient) {
    for (int b = 0; gradient && b < bins; b++) gradient[b] = 0;
    for (int b = 0; b < bins; b++)
        if (isnan(logits[b])) return NAN;
    if (!event) return lose_survival(logits, bin, 1 - alpha, gradient);
    const double hazard = sigmoid(logits[bin]);
    if (gradient && hazard >= FLOOR) gradient[bin] -= 1 - hazard;
    return lose_survival(logits, bin - 1, 1, gradient) - log(MAX(hazard, FLOOR));
}

double rmil_hazard_risk(const double *logits, int bins, double *survival) {
    double product = 1, risk = 0;
    for (int b = 0; b < bins; b++) {
        product *= 1 - sigmoid(logits[b]);
        if (survival) survival[b] = product;
        risk -= product;
    }
    return risk;
}

/* The b-th of `bins` quantiles, rounded as in pandas' qcut (a quantile in percent, NumPy's interpolation), so that a time on an edge
 * falls into the same bin as there. */
static double edge(const double *sorted, int64_t n, int b, int bins) {
    const double at = (double)b * (1.0 / bins) * 100 / 100 * (double)(n - 1);
    const int64_t low = MIN((int64_t)at, n - 1), high = MIN(low + 1, n - 1);
    const double share = at - (double)low, step = sorted[high] - sorted[low];
    return share < 0.5 ? sorted[low] + step * share : sorted[high] - step * (1 - share);
}

gboolean rmil_time_bins(const double *times, const gboolean *events, int64_t n, int bins, double *edges) {
    double *observed = n > 0 && bins > 0 ? rmil_alloc(n, sizeof(double), NULL) : NULL;
    double least = INFINITY, most = -INFINITY;
    int64_t count = 0;
    gboolean good = observed != NULL;
    for (int64_t i = 0; good && i < n; i++) {
        good = isfinite(times[i]);
        least = MIN(least, times[i]);
        most = MAX(most, times[i]);
        if (events[i]) observed[count++] = times[i];
    }
    good = good && count > 0;
    if (good) {
        qsort(observed, (size_t)count, sizeof(double), rmil_compare_doubles);
        for (int b = 0; b <= bins; b++) edges[b] = edge(observed, count, b, bins);
        for (int b = 0; b < bins; b++) good = good && edges[b] < edges[b + 1];
        edges[0] = least - 1e-6;
        edges[bins] = most + 1e-6;
    }
    rmil_free(observed);
    return good;
}

int rmil_time_bin(const double *edges, int bins, double t) {
    int bin = 0;
    while (bin + 1 < bins && t >= edges[bin + 1]) bin++;
    return bin;
}
