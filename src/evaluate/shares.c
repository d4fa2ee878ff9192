/* SPDX-License-Identifier: Apache-2.0 */
/* The exact interval of a share if patients have several cases each. */
#include "evaluate-private.h"

#include <math.h>

/* Over the cases with a known answer. */
typedef struct {
    int64_t cases, patients;
    double hits, share, variance; /* variance: of the share, linearised, between patients */
} Share;

/* row: each case's patient, below n. sum: scratch, n. */
static Share measure(const double *hit, const int64_t *row, int64_t n, double *sum, double *count) {
    Share share = {0};
    double squares = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(hit[i])) continue;
        share.hits += hit[i];
        sum[row[i]] += hit[i];
        count[row[i]]++;
        share.cases++;
    }
    if (share.cases == 0) return share;
    share.share = share.hits / (double)share.cases;
    for (int64_t p = 0; p < n; p++) {
        const double off = sum[p] - share.share * count[p];
        squares += off * off;
        share.patients += count[p] > 0;
    }
    const double patients = (double)share.patients, cases = (double)share.cases;
    share.variance = share.patients > 1 ? patients / (patients - 1) * squares / (cases * cases) : NAN;
    return share;
}

/* The number of independent cases with the same information, divided by the number of cases. */
static double effective(const Share *share, double confidence) {
    const double p = share->share, cases = (double)share->cases, patients = (double)share->patients;
    if (share->patients == share->cases) return 1;
    /* if all cases agree or there is one patient, nothing is known of how patients differ */
    if (p <= 0 || p >= 1 || share->patients < 2) return patients / cases;
    const double t = rmil_t_quantile(0.5 * (1 + confidence), cases - 1) / rmil_t_quantile(0.5 * (1 + confidence), patients - 1);
    return MIN(1, p * (1 - p) / share->variance * t * t / cases);
}

RmilInterval rmil_share_of_patients(const double *hit, const int64_t *groups, int64_t n, double confidence) {
    RmilInterval interval = rmil_interval_undefined;
    if (n < 1 || !(confidence > 0 && confidence < 1)) return interval;
    int64_t *row = rmil_alloc(n, sizeof *row, NULL);
    double *sum = rmil_alloc(n, 2 * sizeof *sum, NULL);
    if (row && sum) {
        for (int64_t i = 0; i < n; i++) row[i] = i;
        const gboolean known = !groups || rmil_patient_rows(groups, n, row) > 0;
        const Share share = measure(hit, row, n, sum, sum + n);
        const double part = share.cases > 0 ? effective(&share, confidence) : 0;
        if (known) interval = rmil_exact(share.hits * part, ((double)share.cases - share.hits) * part, confidence);
        if (share.patients < share.cases) interval.method = "exact by patient";
    }
    rmil_free(row);
    rmil_free(sum);
    return interval;
}
