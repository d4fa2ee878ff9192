/* SPDX-License-Identifier: Apache-2.0 */
/* Predicted against true numbers, for any resample. */
#include "evaluate-private.h"

#include <math.h>

static const struct {
    const char *key, *name;
} words[RMIL_NUMBER_METRICS] = {
    [RMIL_NUMBER_MAE] = {"mae", "Mean absolute error"},
    [RMIL_NUMBER_RMSE] = {"rmse", "Root mean squared error"},
    [RMIL_NUMBER_R2] = {"r2", "R²"},
    [RMIL_NUMBER_PEARSON] = {"pearson", "Pearson's r"},
    [RMIL_NUMBER_SPEARMAN] = {"spearman", "Spearman's ρ"},
};
const char *rmil_number_metric_key(RmilNumberMetric metric) { return words[metric].key; }
const char *rmil_number_metric_name(RmilNumberMetric metric) { return words[metric].name; }

typedef struct {
    int64_t n;
    const double *value, *predicted;
    int64_t *order[2]; /* of the values and of the predictions */
    double *rank[2];   /* in a resample */
} Numbers;

static void numbers_clear(Numbers *numbers) {
    for (int k = 0; k < 2; k++) {
        rmil_free(numbers->order[k]);
        rmil_free(numbers->rank[k]);
    }
}

static gboolean numbers_init(Numbers *numbers, const double *value, const double *predicted, int64_t n) {
    *numbers = (Numbers){.n = n, .value = value, .predicted = predicted};
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(value[i]) || !isfinite(predicted[i])) return FALSE;
    if (n <= 0) return FALSE;
    gboolean good = TRUE;
    for (int k = 0; k < 2; k++) {
        numbers->order[k] = rmil_sorted_order(k ? predicted : value, n);
        numbers->rank[k] = rmil_alloc(n, sizeof(double), NULL);
        good = good && numbers->order[k] && numbers->rank[k];
    }
    if (!good) numbers_clear(numbers);
    return good;
}

static double times_of(const int64_t *weight, int64_t i) { return weight ? (double)weight[i] : 1; }

/* The mean rank of each value, with each case counted weight times. */
static void set_ranks(const Numbers *numbers, const int64_t *weight, int which) {
    const double *values = which ? numbers->predicted : numbers->value;
    const int64_t *order = numbers->order[which];
    double before = 0;
    for (int64_t first = 0, last; first < numbers->n; first = last) {
        double count = 0;
        for (last = first; last < numbers->n && values[order[last]] == values[order[first]]; last++) count += times_of(weight, order[last]);
        for (int64_t k = first; k < last; k++) numbers->rank[which][order[k]] = before + 0.5 * (count + 1);
        before += count;
    }
}

/* Correlation; NaN where either does not vary. */
static double correlate(const double *x, const double *y, const int64_t *weight, int64_t n) {
    double count = 0, mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) {
        count += times_of(weight, i);
        mean_x += times_of(weight, i) * x[i];
        mean_y += times_of(weight, i) * y[i];
    }
    mean_x /= count;
    mean_y /= count;
    for (int64_t i = 0; i < n; i++) {
        const double dx = x[i] - mean_x, dy = y[i] - mean_y, w = times_of(weight, i);
        xx += w * dx * dx;
        yy += w * dy * dy;
        xy += w * dx * dy;
    }
    /* equal values still differ from their mean by rounding */
    const double least_x = 1e-26 * count * mean_x * mean_x, least_y = 1e-26 * count * mean_y * mean_y;
    return xx > least_x && yy > least_y ? CLAMP(xy / sqrt(xx) / sqrt(yy), -1, 1) : NAN;
}

static void evaluate(const int64_t *weight, double *metrics, gpointer user) {
    const Numbers *numbers = user;
    double count = 0, off = 0, squares = 0, mean = 0, spread = 0;
    for (int64_t i = 0; i < numbers->n; i++) {
        const double w = times_of(weight, i), d = numbers->predicted[i] - numbers->value[i];
        count += w;
        off += w * fabs(d);
        squares += w * d * d;
        mean += w * numbers->value[i];
    }
    mean /= count;
    for (int64_t i = 0; i < numbers->n; i++) spread += times_of(weight, i) * (numbers->value[i] - mean) * (numbers->value[i] - mean);
    set_ranks(numbers, weight, 0);
    set_ranks(numbers, weight, 1);
    metrics[RMIL_NUMBER_MAE] = off / count;
    metrics[RMIL_NUMBER_RMSE] = sqrt(squares / count);
    metrics[RMIL_NUMBER_R2] = spread > 1e-26 * count * mean * mean ? 1 - squares / spread : NAN;
    metrics[RMIL_NUMBER_PEARSON] = correlate(numbers->value, numbers->predicted, weight, numbers->n);
    metrics[RMIL_NUMBER_SPEARMAN] = correlate(numbers->rank[0], numbers->rank[1], weight, numbers->n);
}

void rmil_number_metrics(const double *values, const double *predicted, int64_t n, double metrics[RMIL_NUMBER_METRICS]) {
    Numbers numbers;
    for (int m = 0; m < RMIL_NUMBER_METRICS; m++) metrics[m] = NAN;
    if (!numbers_init(&numbers, values, predicted, n)) return;
    evaluate(NULL, metrics, &numbers);
    numbers_clear(&numbers);
}

void rmil_number_intervals(const double *values, const double *predicted, int64_t n, const RmilBootstrap *bootstrap,
                           RmilInterval intervals[RMIL_NUMBER_METRICS]) {
    Numbers numbers;
    RmilResamples resamples;
    double own[RMIL_NUMBER_METRICS];
    for (int m = 0; m < RMIL_NUMBER_METRICS; m++) intervals[m] = rmil_interval_undefined;
    if (!numbers_init(&numbers, values, predicted, n)) return;
    evaluate(NULL, own, &numbers);
    if (rmil_resamples_init(&resamples, bootstrap, NULL, n)) {
        double *drawn = rmil_resamples_values(&resamples, RMIL_NUMBER_METRICS, evaluate, &numbers);
        for (int m = 0; drawn && m < RMIL_NUMBER_METRICS; m++)
            intervals[m] = rmil_resamples_interval(&resamples, drawn + m * bootstrap->rounds, own[m], rmil_interval_undefined);
        rmil_free(drawn);
        rmil_resamples_clear(&resamples);
    }
    numbers_clear(&numbers);
}
