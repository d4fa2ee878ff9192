/* SPDX-License-Identifier: Apache-2.0 */
/* Mean, spread and quantiles of numbers. */
#include "rankmil/evaluate.h"

#include <math.h>

int rmil_compare_doubles(gconstpointer a, gconstpointer b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void rmil_mean_sd(const double *values, int64_t n, int stride, double *mean, double *sd) {
    double sum = 0, squares = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = values[i * stride];
        if (isnan(v)) continue;
        sum += v;
        count++;
    }
    *mean = count ? sum / (double)count : NAN;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(values[i * stride])) squares += (values[i * stride] - *mean) * (values[i * stride] - *mean);
    *sd = count > 1 ? sqrt(squares / (double)(count - 1)) : NAN;
}

double rmil_quantile(const double *sorted, int64_t n, double q) {
    double at = q * (double)(n - 1);
    int64_t low = (int64_t)at;
    if (low >= n - 1) return sorted[n - 1];
    return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}
