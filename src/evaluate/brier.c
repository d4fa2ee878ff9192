/* SPDX-License-Identifier: Apache-2.0 */
/* Brier score of predicted survival, weighted by the inverse probability of censoring. */
#include "evaluate-private.h"

#include <math.h>

double rmil_integrated_brier(const double *train_time, const gboolean *train_event, int64_t n_train, const double *time,
                             const gboolean *event, int64_t n, const double *times, int n_times, const double *survival, double *brier) {
    g_autoptr(GArray) censoring = rmil_censoring_curve(train_time, train_event, n_train);
    double *kept = n > 0 ? rmil_alloc(n, sizeof(double), NULL) : NULL; /* G(t_i) */
    double area = 0, before = NAN;
    const gboolean good = kept && censoring->len && n_times > 0;
    for (int64_t i = 0; good && i < n; i++) kept[i] = isnan(time[i]) ? NAN : rmil_survival_at(censoring, time[i]);
    for (int t = 0; t < n_times; t++) {
        const double now = good ? rmil_survival_at(censoring, times[t]) : NAN;
        double sum = good ? 0 : NAN;
        for (int64_t i = 0; good && i < n; i++) {
            const double s = survival[i * n_times + t];
            if (isnan(kept[i]) || isnan(s)) sum = NAN;
            else if (time[i] > times[t]) sum += now > 0 ? (1 - s) * (1 - s) / now : NAN;
            else if (event[i]) sum += kept[i] > 0 ? s * s / kept[i] : NAN;
        }
        const double score = sum / (double)n;
        if (brier) brier[t] = score;
        if (t) area += 0.5 * (score + before) * (times[t] - times[t - 1]);
        before = score;
    }
    rmil_free(kept);
    return good && n_times > 1 && times[n_times - 1] > times[0] ? area / (times[n_times - 1] - times[0]) : NAN;
}
