/* SPDX-License-Identifier: Apache-2.0 */
/* The log-rank test of several groups. */
#include "evaluate-private.h"

#include <math.h>

enum { MOST_GROUPS = 64 };

typedef struct {
    int groups;
    int64_t at_risk[MOST_GROUPS];
    double excess[MOST_GROUPS], covariance[MOST_GROUPS][MOST_GROUPS]; /* observed − expected events, and its covariance */
} Test;

/* Adds one time with `events` events; at_risk counts those at risk just before it. */
static void add_time(Test *test, int64_t events) {
    int64_t all = 0;
    for (int g = 0; g < test->groups; g++) all += test->at_risk[g];
    const double n = (double)all, d = (double)events, spread = all > 1 ? d * (n - d) / (n - 1) : 0;
    for (int g = 0; g < test->groups; g++) {
        const double share = (double)test->at_risk[g] / n;
        test->excess[g] -= d * share;
        for (int h = 0; h < test->groups; h++) test->covariance[g][h] += spread * share * ((g == h ? 1 : 0) - (double)test->at_risk[h] / n);
    }
}

/* xᵀ A⁻¹ x of the first m groups by Cholesky factorisation, in place; NaN if A has no factorisation. */
static double quadratic(Test *test, int m) {
    double sum = 0;
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < i; j++) {
            double v = test->covariance[i][j];
            for (int k = 0; k < j; k++) v -= test->covariance[i][k] * test->covariance[j][k];
            test->covariance[i][j] = v / test->covariance[j][j];
        }
        double v = test->covariance[i][i], x = test->excess[i];
        const double whole = v;
        for (int k = 0; k < i; k++) {
            v -= test->covariance[i][k] * test->covariance[i][k];
            x -= test->covariance[i][k] * test->excess[k];
        }
        if (!(v > 1e-12 * whole)) return NAN;
        test->covariance[i][i] = sqrt(v);
        test->excess[i] = x / test->covariance[i][i];
        sum += test->excess[i] * test->excess[i];
    }
    return sum;
}

/* Removes groups without cases; returns how many are left. */
static int close_ranks(const int *group, int64_t n, int groups, int *place) {
    int used = 0;
    for (int g = 0; g < groups; g++) {
        gboolean any = FALSE;
        for (int64_t i = 0; i < n && !any; i++) any = group[i] == g;
        place[g] = any ? used++ : -1;
    }
    return used;
}

gboolean rmil_logrank(const double *time, const gboolean *event, const int *group, int64_t n, int groups, double *chi_squared, int *degrees,
                      double *p) {
    int place[MOST_GROUPS];
    *chi_squared = *p = NAN;
    *degrees = 0;
    for (int64_t i = 0; i < n; i++)
        if (isnan(time[i]) || group[i] < 0 || group[i] >= groups || groups > MOST_GROUPS) return FALSE;
    Test *test = n > 0 ? rmil_alloc(1, sizeof(Test), NULL) : NULL;
    int64_t *order = test ? rmil_sorted_order(time, n) : NULL;
    if (order) test->groups = close_ranks(group, n, groups, place);
    for (int64_t i = 0; order && i < n; i++) test->at_risk[place[group[i]]]++;
    for (int64_t first = 0, last; order && first < n; first = last) {
        int64_t events = 0;
        for (last = first; last < n && time[order[last]] == time[order[first]]; last++) events += event[order[last]] != 0;
        if (events) add_time(test, events);
        for (int64_t k = first; k < last; k++) {
            const int g = place[group[order[k]]];
            test->excess[g] += event[order[k]] != 0;
            test->at_risk[g]--;
        }
    }
    if (order && test->groups > 1) *chi_squared = quadratic(test, *degrees = test->groups - 1);
    if (!isnan(*chi_squared)) *p = rmil_chi_squared_upper(*chi_squared, *degrees);
    rmil_free(order);
    rmil_free(test);
    return !isnan(*chi_squared);
}
