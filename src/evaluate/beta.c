/* SPDX-License-Identifier: Apache-2.0 */
/* The regularised incomplete beta function, and what its quantiles give: the exact interval of a share, and Student's t. */
#include "evaluate-private.h"

#include <math.h>

/* Lentz's continued fraction of I_x(a, b), for x < (a + 1) / (a + b + 2). */
static double fraction(double a, double b, double x) {
    enum { STEPS = 10000 };
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int m = 1; m < STEPS; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                     odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + even * d, c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        value *= d * c;
        d = 1 + odd * d, c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        value *= d * c;
        if (fabs(d * c - 1) < 1e-15) break;
    }
    return value;
}

double rmil_beta(double a, double b, double x) {
    if (!(a > 0 && b > 0) || isnan(x)) return NAN;
    if (x <= 0 || x >= 1) return x >= 1;
    const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * fraction(a, b, x) / a : 1 - front * fraction(b, a, 1 - x) / b;
}

/* The x with I_x(a, b) = p. */
static double quantile(double a, double b, double p) {
    double low = 0, high = 1;
    for (int i = 0; i < 200 && high - low > 1e-15; i++) {
        const double middle = 0.5 * (low + high);
        if (rmil_beta(a, b, middle) < p) low = middle;
        else high = middle;
    }
    return 0.5 * (low + high);
}

RmilInterval rmil_exact(double hits, double misses, double confidence) {
    if (!(hits >= 0 && misses >= 0 && hits + misses > 0 && confidence > 0 && confidence < 1)) return rmil_interval_undefined;
    const double tail = 0.5 * (1 - confidence);
    return (RmilInterval){hits > 0 ? quantile(hits, misses + 1, tail) : 0, misses > 0 ? quantile(hits + 1, misses, 1 - tail) : 1, "exact"};
}

RmilInterval rmil_clopper_pearson(int64_t hits, int64_t n, double confidence) {
    return rmil_exact((double)hits, (double)(n - hits), confidence);
}

double rmil_t_quantile(double p, double degrees) {
    const double x = quantile(0.5 * degrees, 0.5, 2 * MIN(p, 1 - p)), t = sqrt(degrees * (1 - x) / x);
    return p < 0.5 ? -t : t;
}
