/* SPDX-License-Identifier: Apache-2.0 */
/* Position embeddings for another grid. */
#include "vit-position.h"

#include <math.h>

static double cubic(double x, double a) {
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/* Row i of (new, old): weights of the old places for new place i. */
static void weigh(RmilPositionRule rule, int64_t old, int64_t new, int64_t i, double *weights) {
    const double step = (double)old / ((double)new + (rule == RMIL_POSITION_SCALE ? 0.1 : 0));
    memset(weights, 0, (size_t)old * sizeof *weights);
    if (rule == RMIL_POSITION_ANTIALIAS) {
        const double stretch = fmax(step, 1), centre = step * ((double)i + 0.5);
        double sum = 0;
        for (int64_t j = 0; j < old; j++) sum += weights[j] = cubic(((double)j + 0.5 - centre) / stretch, -0.5);
        for (int64_t j = 0; j < old; j++) weights[j] /= sum;
        return;
    }
    const double source = ((double)i + 0.5) * step - 0.5, floor_of = floor(source);
    for (int64_t tap = -1; tap <= 2; tap++) {
        const int64_t place = (int64_t)floor_of + tap;
        weights[CLAMP(place, 0, old - 1)] += cubic(source - floor_of - (double)tap, -0.75);
    }
}

gboolean rmil_position_resize(RmilPositionRule rule, const float *from, int64_t old, int64_t new, int64_t size, float *to, GError **error) {
    g_autofree double *weights = rmil_try_new(new *old, sizeof *weights, error), *row = NULL;
    if (!weights || !(row = rmil_try_new(old * size, sizeof *row, error))) return FALSE;
    for (int64_t i = 0; i < new; i++) weigh(rule, old, new, i, weights + i * old);
    for (int64_t y = 0; y < new; y++) {
        memset(row, 0, (size_t)(old * size) * sizeof *row);
        for (int64_t j = 0; j < old; j++) {
            const double weight = weights[y * old + j];
            for (int64_t k = 0; weight != 0 && k < old * size; k++) row[k] += weight * (double)from[j * old * size + k];
        }
        for (int64_t x = 0; x < new; x++)
            for (int64_t k = 0; k < size; k++) {
                double sum = 0;
                for (int64_t j = 0; j < old; j++) sum += weights[x * old + j] * row[j * size + k];
                to[(y * new + x) * size + k] = (float)sum;
            }
    }
    return TRUE;
}
