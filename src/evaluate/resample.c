/* SPDX-License-Identifier: Apache-2.0 */
/* Stratified resamples of patients, and percentiles over them. If each patient has one case, the draws are those of bootstrap.c:
 * the highest class first, in the order of the cases. */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

gboolean rmil_bootstrap_valid(const RmilBootstrap *bootstrap, int64_t n) {
    return n > 0 && bootstrap->rounds > 0 && bootstrap->confidence > 0 && bootstrap->confidence < 1;
}

void rmil_resamples_clear(RmilResamples *resamples) {
    rmil_free(resamples->row);
    rmil_free(resamples->begin);
    rmil_free(resamples->member);
    rmil_free(resamples->drawn);
    rmil_free(resamples->strata);
    rmil_free(resamples->weight);
}

/* Sorts cases by patient, and patients by stratum, the highest first. */
static void arrange(RmilResamples *r, const int *strata) {
    int64_t *next = r->drawn; /* scratch until it is filled: where a patient's next case goes */
    for (int64_t i = 0; i < r->n; i++) r->begin[r->row[i] + 1]++;
    for (int64_t p = 0; p < r->patients; p++) {
        next[p] = r->begin[p];
        r->begin[p + 1] += r->begin[p];
    }
    for (int64_t i = 0; i < r->n; i++) r->member[next[r->row[i]]++] = i;
    int highest = strata ? strata[0] : 0, lowest = highest;
    for (int64_t i = 0; strata && i < r->n; i++) {
        highest = MAX(highest, strata[i]);
        lowest = MIN(lowest, strata[i]);
    }
    for (int64_t p = 0; p < r->patients; p++) {
        int64_t of = lowest; /* the patient's stratum; stored in weight, which is free until the first draw */
        for (int64_t k = r->begin[p]; strata && k < r->begin[p + 1]; k++) of = MAX(of, strata[r->member[k]]);
        r->weight[p] = of;
    }
    int64_t placed = 0;
    for (int64_t stratum = highest; stratum >= lowest; stratum--) {
        const int64_t before = placed;
        for (int64_t p = 0; p < r->patients; p++)
            if (r->weight[p] == stratum) r->drawn[placed++] = p;
        if (placed > before) r->strata[r->n_strata++] = placed;
    }
}

gboolean rmil_resamples_init(RmilResamples *resamples, const RmilBootstrap *bootstrap, const int *strata, int64_t n) {
    *resamples = (RmilResamples){.n = n, .bootstrap = *bootstrap};
    if (!rmil_bootstrap_valid(bootstrap, n)) return FALSE;
    RmilResamples *r = resamples;
    r->row = rmil_alloc(n, sizeof(int64_t), NULL);
    r->begin = rmil_alloc(n + 1, sizeof(int64_t), NULL);
    r->member = rmil_alloc(n, sizeof(int64_t), NULL);
    r->drawn = rmil_alloc(n, sizeof(int64_t), NULL);
    r->strata = rmil_alloc(n, sizeof(int64_t), NULL);
    r->weight = rmil_alloc(n, sizeof(int64_t), NULL);
    gboolean good = r->row && r->begin && r->member && r->drawn && r->strata && r->weight;
    for (int64_t i = 0; good && i < n; i++) r->row[i] = i;
    r->patients = !good ? 0 : bootstrap->groups ? rmil_patient_rows(bootstrap->groups, n, r->row) : n;
    good = good && r->patients > 0;
    r->method = r->patients < n ? "patient bootstrap" : "bootstrap";
    if (good) arrange(r, strata);
    else rmil_resamples_clear(r);
    return good;
}

static void draw(RmilResamples *r, int64_t round) {
    RmilRng rng;
    rmil_rng_init(&rng, r->bootstrap.seed, (uint64_t)round);
    memset(r->weight, 0, (size_t)r->n * sizeof *r->weight);
    for (int64_t s = 0; s < r->n_strata; s++) {
        const int64_t first = s ? r->strata[s - 1] : 0, count = r->strata[s] - first;
        for (int64_t k = 0; k < count; k++) {
            const int64_t patient = r->drawn[first + rmil_rng_below(&rng, count)];
            for (int64_t m = r->begin[patient]; m < r->begin[patient + 1]; m++) r->weight[r->member[m]]++;
        }
    }
}

double *rmil_resamples_values(RmilResamples *resamples, int metrics, RmilResampled evaluate, gpointer data) {
    const int64_t rounds = resamples->bootstrap.rounds;
    double *values = rmil_alloc(rounds, (size_t)metrics * sizeof(double), NULL);
    double *one = values ? rmil_alloc(metrics, sizeof(double), NULL) : NULL;
    for (int64_t round = 0; one && round < rounds; round++) {
        draw(resamples, round);
        evaluate(resamples->weight, one, data);
        for (int m = 0; m < metrics; m++) values[m * rounds + round] = one[m];
    }
    if (!one) g_clear_pointer(&values, rmil_free);
    rmil_free(one);
    return values;
}

RmilInterval rmil_resamples_interval(const RmilResamples *resamples, double *values, double estimate, RmilInterval agreed) {
    const int64_t rounds = resamples->bootstrap.rounds;
    const double confidence = resamples->bootstrap.confidence;
    int64_t defined = 0;
    for (int64_t k = 0; k < rounds; k++)
        if (!isnan(values[k])) values[defined++] = values[k];
    if (isnan(estimate) || 2 * defined < rounds || defined == 0) return rmil_interval_undefined;
    qsort(values, (size_t)defined, sizeof(double), rmil_compare_doubles);
    if (values[0] == values[defined - 1] && rounds > 1) return agreed;
    return (RmilInterval){rmil_quantile(values, defined, 0.5 * (1 - confidence)), rmil_quantile(values, defined, 0.5 * (1 + confidence)),
                          resamples->method};
}

void rmil_resamples_count(const RmilResamples *resamples, const int *labels, int label, int64_t *with, int64_t *others) {
    *with = *others = 0;
    for (int64_t p = 0; p < resamples->patients; p++) {
        gboolean own = FALSE, other = FALSE;
        for (int64_t m = resamples->begin[p]; m < resamples->begin[p + 1]; m++) {
            own = own || labels[resamples->member[m]] == label;
            other = other || labels[resamples->member[m]] != label;
        }
        *with += own;
        *others += other;
    }
}
