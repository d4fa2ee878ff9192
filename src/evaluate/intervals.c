/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals that stay defined where the normal approximation has no width: Wilson's for a share, Newcombe's for an AUROC. */
#include "evaluate-private.h"

#include <math.h>

const RmilInterval rmil_interval_undefined = {NAN, NAN, NULL};

static gboolean inside(double confidence) { return confidence > 0 && confidence < 1; }

RmilInterval rmil_wilson(double share, int64_t n, double confidence) {
    if (!(share >= 0 && share <= 1) || n < 1 || !inside(confidence)) return rmil_interval_undefined;
    const double z = rmil_normal_quantile(0.5 * (1 + confidence)), count = (double)n, shrink = 1 + z * z / count;
    const double middle = (share + z * z / (2 * count)) / shrink;
    const double reach = z / shrink * sqrt(share * (1 - share) / count + z * z / (4 * count * count));
    /* exactly 0 and 1 at the ends, in spite of rounding */
    return (RmilInterval){share > 0 ? MAX(middle - reach, 0) : 0, share < 1 ? MIN(middle + reach, 1) : 1, "Wilson"};
}

/* Hanley and McNeil's variance with Newcombe's symmetric weight for both labels (Stat Med 2006;25:559, method 5). */
static double variance_at(double theta, double positives, double negatives) {
    const double weight = (positives + negatives) / 2 - 1;
    return theta * (1 - theta) * (1 + weight * (1 - theta) / (2 - theta) + weight * theta / (1 + theta)) / (positives * negatives);
}

/* The θ at which |θ̂ − θ| = z √V(θ), between `from` (compatible with the estimate) and `to` (not compatible). */
static double limit(double estimate, double from, double to, double z, double positives, double negatives) {
    for (int i = 0; i < 100; i++) {
        const double theta = 0.5 * (from + to);
        if (fabs(estimate - theta) <= z * sqrt(variance_at(theta, positives, negatives))) from = theta;
        else to = theta;
    }
    return from;
}

RmilInterval rmil_newcombe(double auroc, int64_t positives, int64_t negatives, double confidence) {
    if (!(auroc >= 0 && auroc <= 1) || positives < 1 || negatives < 1 || !inside(confidence)) return rmil_interval_undefined;
    const double z = rmil_normal_quantile(0.5 * (1 + confidence)), p = (double)positives, n = (double)negatives;
    return (RmilInterval){auroc > 0 ? limit(auroc, auroc, 0, z, p, n) : 0, auroc < 1 ? limit(auroc, auroc, 1, z, p, n) : 1, "Newcombe"};
}
