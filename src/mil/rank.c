#include "guide.h"

#include <math.h>
#include <string.h>

/* softplus(x) = log(1 + e^x) without overflow, and its derivative 1 / (1 + e^−x). */
static double softplus(double x, double *slope) {
    double e = exp(-fabs(x));
    *slope = x >= 0 ? 1 / (1 + e) : e / (1 + e);
    return MAX(x, 0) + log1p(e);
}

double rmil_rank_loss_reference(const float *positives, int64_t np, const float *negatives, int64_t nn, double sigma,
                                double margin, double *dp, double *dn) {
    double loss = 0, pairs = (double)np * (double)nn;
    if (dn) memset(dn, 0, (size_t)nn * sizeof *dn);
    for (int64_t i = 0; i < np; i++) {
        double row = 0;
        for (int64_t j = 0; j < nn; j++) {
            double slope;
            loss += softplus(-sigma * ((double)positives[i] - (double)negatives[j] - margin), &slope);
            row += slope;
            if (dn) dn[j] += sigma * slope / pairs;
        }
        if (dp) dp[i] = -sigma * row / pairs;
    }
    return loss / pairs;
}

gboolean rmil_rank_loss(const float *positives, int64_t np, const float *negatives, int64_t nn, double sigma,
                        double margin, RmilArena *arena, double *loss, double *dp, double *dn, GError **error) {
    *loss = rmil_rank_loss_reference(positives, np, negatives, nn, sigma, margin, dp, dn);
    return TRUE;
}
