/* DeLong, DeLong and Clarke-Pearson (Biometrics 1988): the variance of an AUROC from its placement values, which the
 * sorted scores give in O(n log n) (Sun and Xu, IEEE Signal Processing Letters 2014). */
#include "evaluate-private.h"

#include <math.h>

/* values[i]: for a positive the share of negatives below it, for a negative the share of positives above it, ties half.
 * Either label's values have the AUROC as their mean. FALSE when a label is missing or a score is NaN. */
static gboolean placements(const int *labels, const double *scores, int64_t n, double *values, int64_t *positives) {
    RmilRanking ranking;
    if (!rmil_ranking_init(&ranking, labels, scores, n)) return FALSE;
    const double p = (double)ranking.positives, q = (double)ranking.negatives;
    const gboolean both = p > 0 && q > 0;
    double *share = both ? rmil_alloc(ranking.groups, 2 * sizeof(double), NULL) : NULL;
    if (share) {
        int64_t tp = 0, fp = 0;
        for (int64_t g = 0; g < ranking.groups; g++) {
            share[2 * g] = ((double)tp + 0.5 * (double)ranking.pos[g]) / p;
            tp += ranking.pos[g];
            fp += ranking.neg[g];
            share[2 * g + 1] = ((double)(ranking.negatives - fp) + 0.5 * (double)ranking.neg[g]) / q;
        }
        for (int64_t i = 0; i < n; i++) values[i] = share[2 * ranking.group[i] + (labels[i] ? 1 : 0)];
        *positives = ranking.positives;
    }
    rmil_ranking_clear(&ranking);
    rmil_free(share);
    return share != NULL;
}

/* Mean over the positives, and the variance of that mean: s²(positives)/p + s²(negatives)/q; NaN with one of a label. */
static void mean_variance(const int *labels, const double *values, int64_t n, int64_t positives, double *mean, double *variance) {
    double count[2] = {(double)(n - positives), (double)positives}, sum[2] = {0}, squares[2] = {0};
    for (int64_t i = 0; i < n; i++) sum[labels[i] != 0] += values[i];
    for (int64_t i = 0; i < n; i++) {
        int of = labels[i] != 0;
        double d = values[i] - sum[of] / count[of];
        squares[of] += d * d;
    }
    *mean = sum[1] / count[1];
    *variance = count[0] > 1 && count[1] > 1 ? squares[0] / (count[0] - 1) / count[0] + squares[1] / (count[1] - 1) / count[1] : NAN;
}

void rmil_delong(const int *labels, const double *scores, int64_t n, double confidence, double *variance, RmilInterval *interval) {
    int64_t positives;
    double mean, *values = rmil_alloc(n, sizeof(double), NULL);
    *variance = NAN;
    *interval = rmil_interval_undefined;
    if (values && placements(labels, scores, n, values, &positives)) {
        mean_variance(labels, values, n, positives, &mean, variance);
        if (*variance > 0 && confidence > 0 && confidence < 1) {
            double reach = rmil_normal_quantile(0.5 * (1 + confidence)) * sqrt(*variance);
            *interval = (RmilInterval){MAX(mean - reach, 0), MIN(mean + reach, 1), "DeLong"};
        } else {
            *interval = rmil_newcombe(mean, positives, n - positives, confidence);
        }
    }
    rmil_free(values);
}

void rmil_delong_test(const int *labels, const double *a, const double *b, int64_t n, double *z, double *p) {
    int64_t positives;
    double *of_a = rmil_alloc(n, sizeof(double), NULL), *of_b = rmil_alloc(n, sizeof(double), NULL);
    *z = *p = NAN;
    if (of_a && of_b && placements(labels, a, n, of_a, &positives) && placements(labels, b, n, of_b, &positives)) {
        /* The covariance term is that of the case-wise difference, whose variance is exactly 0 for equal rankings. */
        double difference, variance;
        for (int64_t i = 0; i < n; i++) of_a[i] -= of_b[i];
        mean_variance(labels, of_a, n, positives, &difference, &variance);
        if (variance > 0) *z = difference / sqrt(variance);
        else if (variance == 0 && difference == 0) *z = 0; /* a difference without variance cannot be judged: no p of 0 */
        if (!isnan(*z)) *p = 2 * rmil_normal_upper(fabs(*z));
    }
    rmil_free(of_a);
    rmil_free(of_b);
}
