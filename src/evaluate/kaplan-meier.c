/* SPDX-License-Identifier: Apache-2.0 */
/* Kaplan-Meier estimates: of events, with intervals; of the censoring, for inverse weights. */
#include "evaluate-private.h"

#include <math.h>

/* Survival's log-log interval (Kalbfleisch and Prentice); sum: Greenwood's Σ d/(n (n − d)). */
static void set_interval(RmilSurvivalPoint *point, double sum, double confidence) {
    const double s = point->survival;
    point->se = s > 0 ? s * sqrt(sum) : NAN;
    point->low = point->high = s > 0 && s < 1 ? NAN : s;
    if (!(s > 0 && s < 1) || !(confidence > 0 && confidence < 1)) return;
    const double reach = rmil_normal_quantile(0.5 * (1 + confidence)) * sqrt(sum) / log(s); /* negative */
    point->low = pow(s, exp(-reach));
    point->high = pow(s, exp(reach));
}

/* of: do cases with an event count, or those without? If both occur at one time, events come first. */
static GArray *estimate(const double *time, const gboolean *event, int64_t n, gboolean of, double confidence) {
    GArray *curve = g_array_new(FALSE, FALSE, sizeof(RmilSurvivalPoint));
    for (int64_t i = 0; i < n; i++)
        if (isnan(time[i])) return curve;
    int64_t *order = n > 0 ? rmil_sorted_order(time, n) : NULL;
    double survival = 1, sum = 0;
    for (int64_t first = 0, last; order && first < n; first = last) {
        int64_t counted = 0;
        for (last = first; last < n && time[order[last]] == time[order[first]]; last++) counted += (event[order[last]] != 0) == of;
        const int64_t at_risk = n - first - (of ? 0 : last - first - counted);
        const double d = (double)counted, r = (double)at_risk;
        if (counted) survival *= (r - d) / r;
        if (counted && at_risk > counted) sum += d / (r * (r - d));
        RmilSurvivalPoint point = {.time = time[order[first]], .at_risk = at_risk, .events = counted, .survival = survival};
        set_interval(&point, sum, confidence);
        g_array_append_val(curve, point);
    }
    rmil_free(order);
    return curve;
}

GArray *rmil_kaplan_meier(const double *time, const gboolean *event, int64_t n, double confidence) {
    return estimate(time, event, n, TRUE, confidence);
}

GArray *rmil_censoring_curve(const double *time, const gboolean *event, int64_t n) { return estimate(time, event, n, FALSE, 0.95); }

double rmil_survival_median(const GArray *curve) {
    for (guint i = 0; i < curve->len; i++) /* rounding may put a product of shares that equals 1/2 slightly above it */
        if (g_array_index(curve, RmilSurvivalPoint, i).survival <= 0.5 + 1e-12) return g_array_index(curve, RmilSurvivalPoint, i).time;
    return NAN;
}

double rmil_survival_at(const GArray *curve, double t) {
    guint low = 0, high = curve->len; /* points before low: time ≤ t */
    while (low < high) {
        const guint middle = low + (high - low) / 2;
        if (g_array_index(curve, RmilSurvivalPoint, middle).time <= t) low = middle + 1;
        else high = middle;
    }
    return low ? g_array_index(curve, RmilSurvivalPoint, low - 1).survival : 1;
}

int64_t rmil_number_at_risk(const double *time, int64_t n, double t) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += time[i] >= t;
    return count;
}
