/* SPDX-License-Identifier: Apache-2.0 */
/* DeLong, DeLong and Clarke-Pearson (Biometrics 1988): the variance of an AUROC from its placement values, which the
 * sorted scores give in O(n log n) (Sun and Xu, IEEE Signal Processing Letters 2014). */
#include "evaluate-private.h"

#include <math.h>

/* values[i]: for a positive the share of negatives below it, for a negative the share of positives above it, ties half.
 * Either label's values have the AUROC as their mean. FALSE if either label has no case, or a score is NaN. */
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

/* Mean over the positives, and the variance of that mean: s²(positives)/p + s²(negatives)/q; NaN if a label has only one case. */
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

/* Obuchowski's variance of that mean, from each patient's sums of deviations over positives and over negatives, and their covariance
 * within patients. counts: patients with positives, with negatives; NaN if either is below 2. rows: each case's patient. */
static void grouped_variance(const int *labels, const double *values, int64_t n, int64_t positives, const int64_t *rows, int64_t patients,
                             double *mean, double *variance, int64_t counts[2]) {
    const double cases[2] = {(double)(n - positives), (double)positives};
    double *sums = rmil_alloc(patients, 2 * sizeof(double), NULL), squares[2] = {0}, both = 0;
    int64_t *members = rmil_alloc(patients, 2 * sizeof(int64_t), NULL);
    *mean = *variance = NAN;
    counts[0] = counts[1] = 0;
    if (sums && members) {
        double total = 0;
        for (int64_t i = 0; i < n; i++) total += labels[i] ? values[i] : 0;
        *mean = total / cases[1];
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = 2 * rows[i] + (labels[i] != 0);
            sums[at] += values[i] - *mean;
            members[at]++;
        }
        for (int64_t p = 0; p < patients; p++) {
            for (int label = 0; label < 2; label++) {
                counts[label] += members[2 * p + label] > 0;
                squares[label] += sums[2 * p + label] * sums[2 * p + label];
            }
            both += sums[2 * p] * sums[2 * p + 1];
        }
        const double own[2] = {(double)counts[0], (double)counts[1]}, all = (double)patients;
        if (counts[0] > 1 && counts[1] > 1)
            *variance = own[1] / (own[1] - 1) * squares[1] / (cases[1] * cases[1]) +
                        own[0] / (own[0] - 1) * squares[0] / (cases[0] * cases[0]) + 2 * all / (all - 1) * both / (cases[0] * cases[1]);
    }
    rmil_free(sums);
    rmil_free(members);
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

static void judge(double difference, double variance, double *z, double *p, double *standard_error) {
    if (standard_error) *standard_error = sqrt(variance);
    if (variance > 0) *z = difference / sqrt(variance);
    else if (variance == 0 && difference == 0) *z = 0; /* a difference without variance cannot be judged: no p of 0 */
    if (!isnan(*z)) *p = 2 * rmil_normal_upper(fabs(*z));
}

void rmil_delong_test(const int *labels, const double *a, const double *b, int64_t n, double *z, double *p, double *standard_error) {
    int64_t positives;
    double *of_a = rmil_alloc(n, sizeof(double), NULL), *of_b = rmil_alloc(n, sizeof(double), NULL);
    *z = *p = NAN;
    if (standard_error) *standard_error = NAN;
    if (of_a && of_b && placements(labels, a, n, of_a, &positives) && placements(labels, b, n, of_b, &positives)) {
        /* Covariance enters through the case-wise difference, whose variance is exactly 0 for equal rankings. */
        double difference, variance;
        for (int64_t i = 0; i < n; i++) of_a[i] -= of_b[i];
        mean_variance(labels, of_a, n, positives, &difference, &variance);
        judge(difference, variance, z, p, standard_error);
    }
    rmil_free(of_a);
    rmil_free(of_b);
}

static gboolean one_each(const int64_t *groups, int64_t n, int64_t *rows, int64_t *patients) {
    *patients = !groups ? n : rows ? rmil_patient_rows(groups, n, rows) : -1;
    return *patients == n;
}

void rmil_delong_grouped(const int *labels, const double *scores, int64_t n, const int64_t *groups, double confidence, double *variance,
                         RmilInterval *interval) {
    int64_t positives, patients, counts[2], *rows = rmil_alloc(n, sizeof(int64_t), NULL);
    double mean, *values = rmil_alloc(n, sizeof(double), NULL);
    *variance = NAN;
    *interval = rmil_interval_undefined;
    if (one_each(groups, n, rows, &patients)) {
        rmil_delong(labels, scores, n, confidence, variance, interval);
    } else if (rows && values && patients > 0 && placements(labels, scores, n, values, &positives)) {
        grouped_variance(labels, values, n, positives, rows, patients, &mean, variance, counts);
        if (*variance > 0 && confidence > 0 && confidence < 1) {
            const double reach = rmil_normal_quantile(0.5 * (1 + confidence)) * sqrt(*variance);
            *interval = (RmilInterval){MAX(mean - reach, 0), MIN(mean + reach, 1), "DeLong by patient"};
        } else {
            *interval = rmil_newcombe(mean, counts[1], counts[0], confidence);
        }
    }
    rmil_free(values);
    rmil_free(rows);
}

void rmil_delong_test_grouped(const int *labels, const double *a, const double *b, int64_t n, const int64_t *groups, double *z, double *p,
                              double *standard_error) {
    int64_t positives, patients, counts[2], *rows = rmil_alloc(n, sizeof(int64_t), NULL);
    double difference, variance, *of_a = rmil_alloc(n, sizeof(double), NULL), *of_b = rmil_alloc(n, sizeof(double), NULL);
    *z = *p = NAN;
    if (standard_error) *standard_error = NAN;
    if (one_each(groups, n, rows, &patients)) {
        rmil_delong_test(labels, a, b, n, z, p, standard_error);
    } else if (rows && patients > 0 && of_a && of_b && placements(labels, a, n, of_a, &positives) &&
               placements(labels, b, n, of_b, &positives)) {
        for (int64_t i = 0; i < n; i++) of_a[i] -= of_b[i];
        grouped_variance(labels, of_a, n, positives, rows, patients, &difference, &variance, counts);
        judge(difference, variance, z, p, standard_error);
    }
    rmil_free(of_a);
    rmil_free(of_b);
    rmil_free(rows);
}
