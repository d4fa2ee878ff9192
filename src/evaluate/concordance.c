/* SPDX-License-Identifier: Apache-2.0 */
/* Concordance of risks and times. One walk from the last time to the first: a tree of counts over the ranks of risk says how many of the
 * later cases have a lower, an equal or a higher risk. */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>

gboolean rmil_concordance_init(RmilConcordanceData *data, const double *time, const gboolean *event, const double *risk, int64_t n) {
    *data = (RmilConcordanceData){.n = n, .time = time, .event = event};
    for (int64_t i = 0; i < n; i++)
        if (isnan(time[i]) || isnan(risk[i])) return FALSE;
    int64_t *by_risk = n > 0 ? rmil_sorted_order(risk, n) : NULL;
    data->order = n > 0 ? rmil_sorted_order(time, n) : NULL;
    data->rank = n > 0 ? rmil_alloc(n, sizeof(int64_t), NULL) : NULL;
    data->tree = n > 0 ? rmil_alloc(n + 1, sizeof(int64_t), NULL) : NULL;
    const gboolean good = by_risk && data->order && data->rank && data->tree;
    for (int64_t k = 0; good && k < n; k++) {
        if (k == 0 || risk[by_risk[k]] != risk[by_risk[k - 1]]) data->ranks++;
        data->rank[by_risk[k]] = data->ranks; /* from 1 */
    }
    rmil_free(by_risk);
    if (!good) rmil_concordance_clear(data);
    return good;
}

void rmil_concordance_clear(RmilConcordanceData *data) {
    rmil_free(data->order);
    rmil_free(data->rank);
    rmil_free(data->tree);
}

static void plant(int64_t *tree, int64_t ranks, int64_t rank, int64_t count) {
    for (; rank <= ranks; rank += rank & -rank) tree[rank] += count;
}

static int64_t up_to(const int64_t *tree, int64_t rank) {
    int64_t sum = 0;
    for (; rank > 0; rank -= rank & -rank) sum += tree[rank];
    return sum;
}

static int64_t times_of(const int64_t *weight, int64_t i) { return weight ? weight[i] : 1; }

void rmil_concordance_count(RmilConcordanceData *data, const int64_t *weight, const double *inverse, RmilConcordance *out) {
    double pairs = 0, won = 0;
    int64_t later = 0;
    *out = (RmilConcordance){.c_index = NAN};
    for (int64_t r = 0; r <= data->ranks; r++) data->tree[r] = 0;
    for (int64_t last = data->n, first; last > 0; last = first) {
        int64_t censored = 0;
        for (first = last; first > 0 && data->time[data->order[first - 1]] == data->time[data->order[last - 1]]; first--) {
            const int64_t i = data->order[first - 1];
            if (data->event[i]) continue;
            plant(data->tree, data->ranks, data->rank[i], times_of(weight, i));
            censored += times_of(weight, i);
        }
        later += censored;
        for (int64_t k = first; k < last; k++) {
            const int64_t i = data->order[k], count = times_of(weight, i);
            if (!data->event[i] || count == 0) continue;
            const int64_t below = up_to(data->tree, data->rank[i] - 1), equal = up_to(data->tree, data->rank[i]) - below;
            const double each = inverse ? inverse[i] : 1;
            out->tied_time += count * censored;
            out->concordant += count * below;
            out->tied_risk += count * equal;
            out->discordant += count * (later - below - equal);
            if (each == 0 || later == 0) continue; /* without later cases there are no pairs, and 0 × an infinite weight is NaN */
            won += each * (double)count * ((double)below + 0.5 * (double)equal);
            pairs += each * (double)count * (double)later;
        }
        for (int64_t k = first; k < last; k++) {
            const int64_t i = data->order[k], count = times_of(weight, i);
            if (!data->event[i]) continue;
            plant(data->tree, data->ranks, data->rank[i], count);
            later += count;
        }
    }
    if (pairs > 0) out->c_index = won / pairs;
}

void rmil_c_index(const double *time, const gboolean *event, const double *risk, int64_t n, RmilConcordance *concordance) {
    RmilConcordanceData data;
    *concordance = (RmilConcordance){.c_index = NAN};
    if (!rmil_concordance_init(&data, time, event, risk, n)) return;
    rmil_concordance_count(&data, NULL, NULL, concordance);
    rmil_concordance_clear(&data);
}

void rmil_uno_c_index(const double *train_time, const gboolean *train_event, int64_t n_train, const double *time, const gboolean *event,
                      const double *risk, int64_t n, double tau, RmilConcordance *concordance) {
    RmilConcordanceData data;
    *concordance = (RmilConcordance){.c_index = NAN};
    g_autoptr(GArray) censoring = rmil_censoring_curve(train_time, train_event, n_train);
    if (!censoring->len || !rmil_concordance_init(&data, time, event, risk, n)) return;
    double *inverse = rmil_alloc(n, sizeof(double), NULL);
    for (int64_t i = 0; inverse && i < n; i++) {
        const double g = time[i] < tau ? rmil_survival_at(censoring, time[i]) : 1;
        inverse[i] = time[i] < tau ? 1 / (g * g) : 0;
    }
    if (inverse) rmil_concordance_count(&data, NULL, inverse, concordance);
    rmil_free(inverse);
    rmil_concordance_clear(&data);
}

static void evaluate(const int64_t *weight, double *values, gpointer data) {
    RmilConcordance found;
    rmil_concordance_count(data, weight, NULL, &found);
    values[0] = found.c_index;
}

RmilInterval rmil_c_index_interval(const double *time, const gboolean *event, const double *risk, int64_t n,
                                   const RmilBootstrap *bootstrap) {
    RmilInterval interval = rmil_interval_undefined;
    RmilConcordanceData data;
    RmilConcordance own;
    RmilResamples resamples;
    if (!rmil_concordance_init(&data, time, event, risk, n)) return interval;
    rmil_concordance_count(&data, NULL, NULL, &own);
    if (rmil_resamples_init(&resamples, bootstrap, event, n)) {
        double *values = rmil_resamples_values(&resamples, 1, evaluate, &data);
        int64_t with, without;
        rmil_resamples_count(&resamples, event, TRUE, &with, &without);
        if (values)
            interval = rmil_resamples_interval(&resamples, values, own.c_index, rmil_wilson(own.c_index, with, bootstrap->confidence));
        rmil_free(values);
        rmil_resamples_clear(&resamples);
    }
    rmil_concordance_clear(&data);
    return interval;
}
