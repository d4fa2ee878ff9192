/* SPDX-License-Identifier: Apache-2.0 */
/* The confidence band of a ROC curve, from resamples of the cases. */
#include "evaluate-private.h"

#include <stdlib.h>

/* Sensitivity at each rate: the highest at any false positive rate up to it. */
static void read_curve(const GArray *curve, int points, double *sensitivity) {
    guint at = 0;
    for (int p = 0; p < points; p++) {
        while (at + 1 < curve->len && g_array_index(curve, RmilCurvePoint, at + 1).x <= (double)p / (points - 1) + 1e-12) at++;
        sensitivity[p] = g_array_index(curve, RmilCurvePoint, at).y;
    }
}

/* The cases in memory, positives first, and the curves of their resamples. */
typedef struct {
    int64_t n, positives;
    double *own, *drawn;   /* n */
    int *labels;           /* n */
    double *values, *rate; /* rounds × points; rounds */
} Band;

static gboolean resample(Band *band, RmilRng *rng, int points, double *sensitivity) {
    for (int64_t i = 0; i < band->n; i++) {
        const int64_t first = i < band->positives ? 0 : band->positives, count = i < band->positives ? band->positives : band->n - first;
        band->drawn[i] = band->own[first + rmil_rng_below(rng, count)];
    }
    g_autoptr(GArray) curve = rmil_roc_curve(band->labels, band->drawn, band->n);
    if (curve->len) read_curve(curve, points, sensitivity);
    return curve->len > 0;
}

gboolean rmil_roc_band(const int *labels, const double *scores, int64_t n, double confidence, int64_t rounds, uint64_t seed, int points,
                       double *low, double *high) {
    Band band = {.n = n};
    for (int64_t i = 0; i < n; i++) band.positives += labels[i] != 0;
    if (band.positives == 0 || band.positives == n || points < 2 || rounds < 1) return FALSE;
    band.own = rmil_alloc(2 * n, sizeof(double), NULL);
    band.labels = rmil_alloc(n, sizeof(int), NULL);
    band.values = rmil_alloc(rounds * (points + 1), sizeof(double), NULL);
    gboolean done = band.own && band.labels && band.values;
    if (done) {
        band.drawn = band.own + n;
        band.rate = band.values + rounds * points;
    }
    for (int64_t i = 0, p = 0, q = band.positives; done && i < n; i++) {
        band.own[labels[i] ? p++ : q++] = scores[i];
        band.labels[i] = i < band.positives;
    }
    RmilRng rng;
    rmil_rng_init(&rng, seed, 0);
    for (int64_t round = 0; done && round < rounds; round++) done = resample(&band, &rng, points, band.values + round * points);
    for (int p = 0; done && p < points; p++) {
        for (int64_t round = 0; round < rounds; round++) band.rate[round] = band.values[round * points + p];
        qsort(band.rate, (size_t)rounds, sizeof(double), rmil_compare_doubles);
        low[p] = rmil_quantile(band.rate, rounds, 0.5 * (1 - confidence));
        high[p] = rmil_quantile(band.rate, rounds, 0.5 * (1 + confidence));
    }
    rmil_free(band.own);
    rmil_free(band.labels);
    rmil_free(band.values);
    return done;
}
