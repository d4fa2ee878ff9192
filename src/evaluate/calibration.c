/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration of logits and scores: temperature and Platt scaling. */
#include "evaluate-private.h"

#include <math.h>

static double sigmoid(double z) { return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z)); }

void rmil_temper(const double *logits, int columns, double temperature, double *probabilities) {
    if (columns == 1) {
        probabilities[0] = sigmoid(logits[0] / temperature);
        return;
    }
    double most = -INFINITY, sum = 0;
    for (int c = 0; c < columns; c++) most = MAX(most, logits[c]);
    for (int c = 0; c < columns; c++) sum += probabilities[c] = exp((logits[c] - most) / temperature);
    for (int c = 0; c < columns; c++) probabilities[c] /= sum;
}

/* Derivative of one case's −log softmax(β z)[label] with respect to β: the mean logit under the softmax minus the label's logit. A single
 * logit z stands for (0, z). */
static double slope_of(const double *logits, int columns, int label, double beta) {
    if (columns == 1) return (label ? -1 : 1) * logits[0] * sigmoid((label ? -1 : 1) * beta * logits[0]);
    double most = -INFINITY, sum = 0, weighted = 0;
    for (int c = 0; c < columns; c++) most = MAX(most, logits[c]);
    for (int c = 0; c < columns; c++) {
        const double weight = exp(beta * (logits[c] - most));
        sum += weight;
        weighted += weight * (logits[c] - logits[label]);
    }
    return weighted / sum;
}

static double slope(const int *labels, const double *logits, int64_t n, int columns, double beta) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += slope_of(logits + i * columns, columns, labels[i], beta);
    return sum;
}

/* Is any case wrong, so that the loss grows for large β? */
static gboolean any_wrong(const int *labels, const double *logits, int64_t n, int columns) {
    for (int64_t i = 0; i < n; i++) {
        const double *z = logits + i * columns;
        if (columns == 1 && (labels[i] ? z[0] < 0 : z[0] > 0)) return TRUE;
        for (int c = 0; c < columns && columns > 1; c++)
            if (z[c] > z[labels[i]]) return TRUE;
    }
    return FALSE;
}

double rmil_temperature(const int *labels, const double *logits, int64_t n, int columns) {
    for (int64_t i = 0; i < n * columns; i++)
        if (!isfinite(logits[i])) return NAN;
    for (int64_t i = 0; i < n; i++)
        if (labels[i] < 0 || labels[i] >= MAX(columns, 2)) return NAN;
    /* The loss is convex in β = 1/T: the minimum lies between 0, where it must fall, and a β where it rises again. */
    if (!any_wrong(labels, logits, n, columns) || !(slope(labels, logits, n, columns, 0) < 0)) return NAN;
    double low = 1, high = 1;
    while (low > 1e-300 && slope(labels, logits, n, columns, low) >= 0) low /= 4;
    while (high < 1e300 && slope(labels, logits, n, columns, high) < 0) high *= 4;
    for (int k = 0; k < 200 && high - low > 1e-15 * high; k++) {
        const double middle = 0.5 * (low + high);
        if (slope(labels, logits, n, columns, middle) < 0) low = middle;
        else high = middle;
    }
    return 2 / (low + high);
}

/* -- Platt ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const int *labels;
    const double *scores;
    int64_t n;
    double mean, sd, target[2]; /* scores are standardised, (f − mean)/sd; targets of negatives and positives */
} Platt;

/* Loss at (a, b), with gradient g and Hessian h (aa, ab, bb). */
static double platt_loss(const Platt *p, double a, double b, double g[2], double h[3]) {
    double loss = 0;
    g[0] = g[1] = h[0] = h[1] = h[2] = 0;
    for (int64_t i = 0; i < p->n; i++) {
        const double f = (p->scores[i] - p->mean) / p->sd, z = a * f + b, t = p->target[p->labels[i] != 0], q = sigmoid(z);
        loss += (z > 0 ? log1p(exp(-z)) + z : log1p(exp(z))) - t * z;
        g[0] += (q - t) * f;
        g[1] += q - t;
        h[0] += q * (1 - q) * f * f;
        h[1] += q * (1 - q) * f;
        h[2] += q * (1 - q);
    }
    return loss;
}

/* Newton steps, halved until the loss falls. */
static gboolean platt_solve(const Platt *p, double *a, double *b) {
    double g[2], h[3], next_g[2], next_h[3], loss = platt_loss(p, *a, *b, g, h);
    for (int k = 0; k < 200; k++) {
        const double determinant = h[0] * h[2] - h[1] * h[1];
        if (!(determinant > 0)) return FALSE;
        const double da = (h[1] * g[1] - h[2] * g[0]) / determinant, db = (h[1] * g[0] - h[0] * g[1]) / determinant;
        double step = 1, next = platt_loss(p, *a + da, *b + db, next_g, next_h);
        for (; next > loss + 1e-13 * fabs(loss) && step > 1e-12; step /= 2)
            next = platt_loss(p, *a + 0.5 * step * da, *b + 0.5 * step * db, next_g, next_h);
        *a += step * da;
        *b += step * db;
        loss = platt_loss(p, *a, *b, g, h);
        if (fabs(step * da) + fabs(step * db) < 1e-12 * (1 + fabs(*a) + fabs(*b))) return TRUE;
    }
    return TRUE;
}

/* Are all scores of one label at or above all scores of the other? Then the likelihood has no finite optimum. */
static gboolean separated(const int *labels, const double *scores, int64_t n) {
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int64_t i = 0; i < n; i++) {
        low[labels[i] != 0] = MIN(low[labels[i] != 0], scores[i]);
        high[labels[i] != 0] = MAX(high[labels[i] != 0], scores[i]);
    }
    return high[0] <= low[1] || high[1] <= low[0];
}

gboolean rmil_platt(const int *labels, const double *scores, int64_t n, gboolean smoothed, double *a, double *b) {
    Platt p = {.labels = labels, .scores = scores, .n = n, .target = {0, 1}};
    double count[2] = {0};
    *a = *b = NAN;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(scores[i])) return FALSE;
        count[labels[i] != 0]++;
    }
    rmil_mean_sd(scores, n, 1, &p.mean, &p.sd);
    if (count[0] < 1 || count[1] < 1 || !(p.sd > 0) || (!smoothed && separated(labels, scores, n))) return FALSE;
    if (smoothed) p.target[0] = 1 / (count[0] + 2), p.target[1] = (count[1] + 1) / (count[1] + 2);
    double slope_own = 0, shift = log((count[1] + 1) / (count[0] + 1)); /* of the standardised scores */
    if (!platt_solve(&p, &slope_own, &shift)) return FALSE;
    *a = slope_own / p.sd;
    *b = shift - slope_own * p.mean / p.sd;
    return TRUE;
}
