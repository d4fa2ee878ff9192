/* SPDX-License-Identifier: Apache-2.0 */
/* The upper tail of the chi-squared distribution, by the regularised incomplete gamma function. */
#include "evaluate-private.h"

#include <math.h>

enum { STEPS = 10000 };

/* P(a, x) by its series, for x < a + 1. */
static double lower_series(double a, double x) {
    double term = 1 / a, sum = term;
    for (int k = 1; k < STEPS && term > sum * 1e-17; k++) sum += term *= x / (a + k);
    return sum * exp(a * log(x) - x - lgamma(a));
}

/* Q(a, x) by Lentz's continued fraction, for x ≥ a + 1. */
static double upper_fraction(double a, double x) {
    const double tiny = 1e-300;
    double b = x + 1 - a, c = 1 / tiny, d = 1 / b, value = d;
    for (int k = 1; k < STEPS; k++) {
        const double by = -k * (k - a);
        b += 2;
        d = by * d + b;
        c = b + by / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        value *= d * c;
        if (fabs(d * c - 1) < 1e-16) break;
    }
    return value * exp(a * log(x) - x - lgamma(a));
}

double rmil_chi_squared_upper(double chi_squared, int degrees) {
    const double a = 0.5 * degrees, x = 0.5 * chi_squared;
    if (isnan(x) || degrees < 1) return NAN;
    if (x <= 0) return 1;
    return x < a + 1 ? 1 - lower_series(a, x) : upper_fraction(a, x);
}
