/* SPDX-License-Identifier: Apache-2.0 */
/* ASAP draws a spline as a centripetal Catmull-Rom curve: cubic pieces through the points, with knots spaced by the square root of the
 * distance (Yuksel, Schaefer and Keyser, Computer-Aided Design 2011). */
#include "annotation-private.h"

#include <math.h>

static double knot(RmilPoint a, RmilPoint b) { return sqrt(hypot(b.x - a.x, b.y - a.y)); }

static double hermite(double p, double q, double from, double to, double t) {
    double t2 = t * t, t3 = t2 * t;
    return p * (2 * t3 - 3 * t2 + 1) + from * (t3 - 2 * t2 + t) + q * (3 * t2 - 2 * t3) + to * (t3 - t2);
}

/* Derivative at q of the parabola through p, q, r with knot distances a and b, times the length of the piece. */
static double slope(double p, double q, double r, double a, double b, double length) {
    double before = a > 0 ? (q - p) / a : 0, after = b > 0 ? (r - q) / b : 0;
    if (a <= 0 || b <= 0) return (before + after) * length;
    return (before * b + after * a) / (a + b) * length;
}

GArray *rmil_spline(const GArray *points) {
    const guint n = points->len;
    const RmilPoint *p = (const RmilPoint *)(const void *)points->data;
    GArray *curve = g_array_new(FALSE, FALSE, sizeof(RmilPoint));
    if (n < 3) {
        g_array_append_vals(curve, p, n);
        return curve;
    }
    for (guint i = 0; i < n; i++) {
        RmilPoint before = p[(i + n - 1) % n], from = p[i], to = p[(i + 1) % n], after = p[(i + 2) % n];
        double a = knot(before, from), b = knot(from, to), c = knot(to, after);
        double x0 = slope(before.x, from.x, to.x, a, b, b), y0 = slope(before.y, from.y, to.y, a, b, b);
        double x1 = slope(from.x, to.x, after.x, b, c, b), y1 = slope(from.y, to.y, after.y, b, c, b);
        /* b² is the piece's length in px; chords of n steps stay within about length / (4 n²) of the curve */
        int steps = (int)CLAMP(ceil(b), 1, 64);
        for (int step = 0; step < steps; step++) {
            double t = (double)step / steps;
            RmilPoint on = {hermite(from.x, to.x, x0, x1, t), hermite(from.y, to.y, y0, y1, t)};
            g_array_append_val(curve, on);
        }
    }
    return curve;
}
