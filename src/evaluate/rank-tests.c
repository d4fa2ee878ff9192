/* SPDX-License-Identifier: Apache-2.0 */
/* Rank tests with SciPy's choices between exact and asymptotic p-values, and Holm's correction. */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>

enum { EXACT_SAMPLE = 8, EXACT_PAIRS = 50, EXACT_TIED_PAIRS = 13 }; /* SciPy's limits */

typedef struct {
    double value;
    int64_t index;
    double rank; /* mid-rank, from 1 */
} Ranked;

static int compare_ranked(const void *a, const void *b) {
    double x = ((const Ranked *)a)->value, y = ((const Ranked *)b)->value;
    return (x > y) - (x < y);
}

/* Sorts and ranks; returns Σ t³ − t over groups of t tied values. */
static double rank(Ranked *items, int64_t n) {
    double ties = 0;
    qsort(items, (size_t)n, sizeof(Ranked), compare_ranked);
    for (int64_t first = 0, last; first < n; first = last) {
        for (last = first + 1; last < n && items[last].value == items[first].value;) last++;
        double t = (double)(last - first);
        ties += t * t * t - t;
        for (int64_t i = first; i < last; i++) items[i].rank = 0.5 * (double)(first + 1 + last);
    }
    return ties;
}

/* P(U ≥ u) for samples of m ≤ 8 and n values without ties, u ≥ mn/2. The number of orderings with U = i is the
 * coefficient of qⁱ in the Gaussian binomial Π (1 − q^{n+j}) / (1 − q^j), j = 1 … m, symmetric about mn/2, so the upper
 * tail is the sum of the coefficients up to mn − u. NaN if memory runs out. */
static double exact_upper(int64_t m, int64_t n, int64_t u) {
    const int64_t last = m * n - u;
    double *counts = rmil_alloc(last + 1, sizeof(double), NULL), sum = 0, total = 1;
    if (!counts) return NAN;
    counts[0] = 1;
    for (int64_t j = 1; j <= m; j++) {
        for (int64_t i = last; i >= n + j; i--) counts[i] -= counts[i - n - j];
        for (int64_t i = j; i <= last; i++) counts[i] += counts[i - j];
        total *= (double)(n + j) / (double)j;
    }
    for (int64_t i = 0; i <= last; i++) sum += counts[i];
    rmil_free(counts);
    return sum / total;
}

void rmil_mann_whitney(const double *x, int64_t nx, const double *y, int64_t ny, double *u, double *p) {
    *u = *p = NAN;
    Ranked *items = nx > 0 && ny > 0 ? rmil_alloc(nx + ny, sizeof(Ranked), NULL) : NULL;
    if (!items) return;
    gboolean defined = TRUE;
    for (int64_t i = 0; i < nx + ny; i++) {
        items[i] = (Ranked){i < nx ? x[i] : y[i - nx], i, 0};
        defined = defined && !isnan(items[i].value);
    }
    if (defined) {
        const double a = (double)nx, b = (double)ny, n = a + b;
        double ties = rank(items, nx + ny), of_x = -0.5 * a * (a + 1);
        for (int64_t i = 0; i < nx + ny; i++)
            if (items[i].index < nx) of_x += items[i].rank;
        double larger = MAX(of_x, a * b - of_x), upper;
        if (ties == 0 && MIN(nx, ny) <= EXACT_SAMPLE) {
            upper = exact_upper(MIN(nx, ny), MAX(nx, ny), (int64_t)larger);
        } else {
            double sd = sqrt(a * b / 12 * (n + 1 - ties / (n * (n - 1)))); /* 0 when all are equal: then p is 1 */
            upper = rmil_normal_upper((larger - 0.5 * a * b - 0.5) / sd);
        }
        *u = of_x;
        *p = MIN(1, 2 * upper);
    }
    rmil_free(items);
}

/* Two-sided p of the sum of the ranks with positive sign, if all 2^n combinations of signs are equally likely. Ranks are
 * doubled, so that mid-ranks are whole numbers. */
static double exact_signed(const Ranked *items, int64_t n, double positive) {
    enum { LARGEST = EXACT_PAIRS * (EXACT_PAIRS + 1) };
    double chance[LARGEST + 1] = {1}, lower = 0, upper = 0;
    int64_t sum = 0, at = (int64_t)(2 * positive);
    for (int64_t i = 0; i < n; i++) {
        int64_t step = (int64_t)(2 * items[i].rank);
        sum += step;
        for (int64_t s = sum; s >= 0; s--) chance[s] = 0.5 * (chance[s] + (s >= step ? chance[s - step] : 0));
    }
    for (int64_t s = 0; s <= at; s++) lower += chance[s];
    for (int64_t s = at; s <= sum; s++) upper += chance[s];
    return MIN(1, 2 * MIN(lower, upper));
}

void rmil_wilcoxon(const double *x, const double *y, int64_t n, double *w, double *p) {
    *w = *p = NAN;
    Ranked *items = n > 0 ? rmil_alloc(n, sizeof(Ranked), NULL) : NULL;
    if (!items) return;
    gboolean defined = TRUE;
    int64_t used = 0;
    for (int64_t i = 0; i < n; i++) {
        double difference = x[i] - y[i];
        defined = defined && !isnan(difference);
        if (difference != 0) items[used++] = (Ranked){fabs(difference), i, 0};
    }
    if (defined) {
        const double count = (double)used, all = 0.5 * count * (count + 1);
        double ties = rank(items, used), positive = 0;
        for (int64_t i = 0; i < used; i++)
            if (x[items[i].index] > y[items[i].index]) positive += items[i].rank;
        *w = MIN(positive, all - positive);
        if (used == 0) {
            *p = 1;
        } else if (n <= EXACT_TIED_PAIRS || (n <= EXACT_PAIRS && ties == 0 && used == n)) {
            *p = exact_signed(items, used, positive);
        } else {
            double sd = sqrt((2 * all * (2 * count + 1) - 0.5 * ties) / 24);
            *p = 2 * rmil_normal_upper(fabs(positive - 0.5 * all) / sd);
        }
    }
    rmil_free(items);
}

typedef struct {
    double p;
    int64_t index;
} Hypothesis;

static int compare_hypotheses(const void *a, const void *b) {
    double x = ((const Hypothesis *)a)->p, y = ((const Hypothesis *)b)->p;
    return (x > y) - (x < y);
}

void rmil_holm(const double *p, int64_t n, double *adjusted) {
    int64_t used = 0;
    Hypothesis *order = rmil_alloc(n, sizeof(Hypothesis), NULL);
    for (int64_t i = 0; i < n; i++) {
        adjusted[i] = NAN;
        if (order && !isnan(p[i])) order[used++] = (Hypothesis){p[i], i};
    }
    double largest = 0;
    if (used) qsort(order, (size_t)used, sizeof(Hypothesis), compare_hypotheses);
    for (int64_t i = 0; i < used; i++) {
        largest = MIN(1, MAX(largest, (double)(used - i) * order[i].p));
        adjusted[order[i].index] = largest;
    }
    rmil_free(order);
}
