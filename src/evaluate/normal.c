/* SPDX-License-Identifier: Apache-2.0 */
/* The standard normal distribution. */
#include "evaluate-private.h"

#include <math.h>

double rmil_normal_upper(double z) { return 0.5 * erfc(z * G_SQRT2 * 0.5); }

double rmil_normal_quantile(double p) {
    /* Bisection on the accurate tail: a few intervals per report need no faster way. */
    const gboolean upper = p > 0.5;
    const double tail = upper ? 1 - p : p;
    double low = 0, high = 40;
    for (int i = 0; i < 80; i++) {
        double middle = 0.5 * (low + high);
        if (rmil_normal_upper(middle) > tail) low = middle;
        else high = middle;
    }
    return upper ? high : -high;
}
