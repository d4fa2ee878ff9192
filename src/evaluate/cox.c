/* SPDX-License-Identifier: Apache-2.0 */
/* Cox's partial likelihood. One walk from the last time to the first keeps the log of the sum over those at risk, so that risks
 * of any size neither overflow nor vanish; one walk back gives the gradient. */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>

static double log_add(double a, double b) {
    const double most = MAX(a, b);
    return most == -INFINITY ? most : most + log1p(exp(MIN(a, b) - most));
}

/* Log of the denominator of the l-th of d events at one time: those at risk, after Efron without l/d of the events themselves. */
static double log_denominator(double at_risk, double tied, double share) {
    return share > 0 ? at_risk + log1p(-share * exp(tied - at_risk)) : at_risk;
}

/* One point in time: cases order[first] … order[last − 1]. */
typedef struct {
    int64_t first, last, events;
    double at_risk, tied; /* log sums of exp(risk): of those at risk, of the events */
} Moment;

/* Moments from the last time to the first; returns their number. */
static int64_t walk(const double *risk, const double *time, const gboolean *event, int64_t n, const int64_t *order, Moment *moments) {
    double at_risk = -INFINITY;
    int64_t count = 0;
    for (int64_t last = n, first; last > 0; last = first) {
        Moment moment = {.last = last, .tied = -INFINITY};
        for (first = last; first > 0 && time[order[first - 1]] == time[order[last - 1]]; first--) {
            const int64_t i = order[first - 1];
            at_risk = log_add(at_risk, risk[i]);
            moment.events += event[i] != 0;
            if (event[i]) moment.tied = log_add(moment.tied, risk[i]);
        }
        moment.first = first;
        moment.at_risk = at_risk;
        moments[count++] = moment;
    }
    return count;
}

/* Walks from the first time on. passed: log Σ 1/denominator over the events so far. Efron subtracts some for the events of the moment. */
static void set_gradient(const Moment *moments, int64_t count, const double *risk, const gboolean *event, const int64_t *order,
                         gboolean efron, double *gradient) {
    double passed = -INFINITY;
    for (int64_t m = count - 1; m >= 0; m--) {
        double less = -INFINITY; /* log Σ (l/d) / denominator */
        for (int64_t l = 0; l < moments[m].events; l++) {
            const double share = efron ? (double)l / (double)moments[m].events : 0;
            const double below = log_denominator(moments[m].at_risk, moments[m].tied, share);
            passed = log_add(passed, -below);
            if (share > 0) less = log_add(less, log(share) - below);
        }
        for (int64_t k = moments[m].first; k < moments[m].last; k++) {
            const int64_t i = order[k];
            gradient[i] = exp(risk[i] + passed) - (event[i] ? 1 + exp(risk[i] + less) : 0);
        }
    }
}

double rmil_cox_loss(const double *risk, const double *time, const gboolean *event, int64_t n, gboolean efron, double *gradient) {
    double loss = 0;
    for (int64_t i = 0; gradient && i < n; i++) gradient[i] = 0;
    for (int64_t i = 0; i < n; i++)
        if (isnan(risk[i]) || isnan(time[i])) return NAN;
    if (n <= 0) return 0;
    int64_t *order = rmil_sorted_order(time, n);
    Moment *moments = rmil_alloc(n, sizeof(Moment), NULL);
    const int64_t count = order && moments ? walk(risk, time, event, n, order, moments) : 0;
    for (int64_t m = 0; m < count; m++)
        for (int64_t l = 0; l < moments[m].events; l++)
            loss += log_denominator(moments[m].at_risk, moments[m].tied, efron ? (double)l / (double)moments[m].events : 0);
    for (int64_t i = 0; i < n; i++) loss -= event[i] ? risk[i] : 0;
    if (count && gradient) set_gradient(moments, count, risk, event, order, efron, gradient);
    rmil_free(order);
    rmil_free(moments);
    return count ? loss : NAN;
}

gboolean rmil_cox_baseline(const double *risk, const double *time, const gboolean *event, int64_t n, const double *times, int n_times,
                           double *hazard) {
    for (int64_t i = 0; i < n; i++)
        if (isnan(risk[i]) || isnan(time[i])) return FALSE;
    int64_t *order = n > 0 ? rmil_sorted_order(time, n) : NULL;
    Moment *moments = n > 0 ? rmil_alloc(n, sizeof(Moment), NULL) : NULL;
    const int64_t count = order && moments ? walk(risk, time, event, n, order, moments) : 0;
    double sum = 0;
    for (int64_t t = 0, m = count - 1; count && t < n_times; t++) {
        for (; m >= 0 && time[order[moments[m].first]] <= times[t]; m--) sum += (double)moments[m].events * exp(-moments[m].at_risk);
        hazard[t] = sum;
    }
    rmil_free(order);
    rmil_free(moments);
    return count > 0;
}
