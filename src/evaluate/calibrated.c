/* SPDX-License-Identifier: Apache-2.0 */
/* How well probabilities of two classes agree with the outcomes (Van Calster et al., J Clin Epidemiol 2016;74:167). */
#include "method-outcome.h"

#include "evaluate-private.h"

#include <math.h>

typedef struct {
    const int *labels;
    const double *probabilities, *logits;
    int64_t n;
    GArray *drawn_labels, *drawn_logits; /* scratch: a resample of patients can have more or fewer cases than n */
} Cases;

static void evaluate(const int64_t *weight, double *values, gpointer user) {
    const Cases *cases = user;
    double off = 0, seen = 0, expected = 0, intercept;
    g_array_set_size(cases->drawn_labels, 0);
    g_array_set_size(cases->drawn_logits, 0);
    for (int64_t i = 0; i < cases->n; i++) {
        const double p = cases->probabilities[i], count = (double)weight[i];
        off += count * (p - cases->labels[i]) * (p - cases->labels[i]);
        seen += count * cases->labels[i];
        expected += count * p;
        for (int64_t k = 0; k < weight[i]; k++) {
            g_array_append_val(cases->drawn_labels, cases->labels[i]);
            g_array_append_val(cases->drawn_logits, cases->logits[i]);
        }
    }
    const guint n = cases->drawn_labels->len;
    values[RMIL_AGREES_BRIER] = n ? off / (double)n : NAN;
    values[RMIL_AGREES_RATIO] = expected > 0 ? seen / expected : NAN;
    rmil_platt((const int *)(gpointer)cases->drawn_labels->data, (const double *)(gpointer)cases->drawn_logits->data, n, FALSE,
               &values[RMIL_AGREES_SLOPE], &intercept);
}

void rmil_measure_agreement(const int *labels, const double *probabilities, int64_t n, const int64_t *groups, double values[RMIL_AGREES],
                            RmilInterval intervals[RMIL_AGREES]) {
    const RmilBootstrap bootstrap = {groups, 0.95, RMIL_MEASURING_USUAL.rounds, RMIL_MEASURING_USUAL.seed};
    g_autofree double *logits = g_new(double, n + 1);
    g_autoptr(GArray) drawn_labels = g_array_new(FALSE, FALSE, sizeof(int)), drawn_logits = g_array_new(FALSE, FALSE, sizeof(double));
    g_autofree int64_t *once = g_new(int64_t, n + 1);
    const Cases cases = {labels, probabilities, logits, n, drawn_labels, drawn_logits};
    RmilResamples resamples;
    for (int64_t i = 0; i < n; i++) {
        const double p = CLAMP(probabilities[i], 1e-9, 1 - 1e-9); /* the logit of 0 or 1 is not finite */
        logits[i] = log(p / (1 - p));
        once[i] = 1;
    }
    evaluate(once, values, (gpointer)&cases);
    for (int a = 0; a < RMIL_AGREES; a++) intervals[a] = rmil_interval_undefined;
    if (!rmil_bootstrap_valid(&bootstrap, n) || !rmil_resamples_init(&resamples, &bootstrap, NULL, n)) return;
    double *drawn = rmil_resamples_values(&resamples, RMIL_AGREES, evaluate, (gpointer)&cases);
    for (int a = 0; drawn && a < RMIL_AGREES; a++) {
        int64_t undefined = 0; /* a resample that separates the classes has an infinite slope, which could become an end of the interval */
        for (int64_t k = 0; k < bootstrap.rounds; k++) undefined += isnan(drawn[a * bootstrap.rounds + k]);
        if (undefined > 0.5 * (1 - bootstrap.confidence) * (double)bootstrap.rounds) continue;
        intervals[a] = rmil_resamples_interval(&resamples, drawn + a * bootstrap.rounds, values[a], rmil_interval_undefined);
    }
    rmil_free(drawn);
    rmil_resamples_clear(&resamples);
}
