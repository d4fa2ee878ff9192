/* SPDX-License-Identifier: Apache-2.0 */
/* The paper's rank loss over all pairs.
 *
 * With x = σ (s_i − m) of annotated and y = σ s_j of other patches it sums f(x − y) = softplus(y − x) and its slope. f is analytic except
 * for poles at ±iπ, so on bins of width 1 its Chebyshev interpolant with NODES nodes is exact to about 12.6^−NODES, relative to f's size
 * there. With a common grid for both sides, all pairs of bins at the same distance share one NODES × NODES table:
 *   Σ f = Σ_bins A, B  u_Aᵀ F_(A−B) w_B,   u_A: Σ over the patches in A of the Lagrange polynomials at their x,
 * w_B likewise. The slopes are found by evaluating F' w and F'ᵀ u at the patches. Far below 0, f is −d and its slope −1 to all digits; far
 * above it is 0. Cost: one pass over the patches to gather, one to evaluate. */
#include "rank.h"

#include <math.h>
#include <string.h>

#define NODES 8
#define FAR_BELOW 40 /* bins: e^−40 is negligible beside 40 in double precision */
#define FAR_ABOVE 60 /* e^−60 is negligible */
#define FEW_PAIRS 4096
#define DENSE_BINS ((int64_t)1 << 18)

/* softplus(x) = log(1 + e^x) without overflow, and its derivative 1 / (1 + e^−x). */
static double softplus(double x, double *slope) {
    double e = exp(-fabs(x));
    *slope = x >= 0 ? 1 / (1 + e) : e / (1 + e);
    return MAX(x, 0) + log1p(e);
}

/* Weight of a patch within its side; equal weights are divided by their number at the end. */
static double weight_of(const RmilRankSide *side, int64_t i) { return side->weights ? side->weights[i] : 1; }
static double divisor(const RmilRankSide *side) { return side->weights ? 1 : (double)side->count; }

void rmil_rank_loss_reference(const RmilRankSide *annotated, const RmilRankSide *others, double sigma, double margin, double *loss) {
    const double pairs = divisor(annotated) * divisor(others);
    double sum = 0;
    if (others->slopes) memset(others->slopes, 0, (size_t)others->count * sizeof(double));
    if (others->losses) memset(others->losses, 0, (size_t)others->count * sizeof(double));
    for (int64_t i = 0; i < annotated->count; i++) {
        const double wi = weight_of(annotated, i);
        double row = 0;
        for (int64_t j = 0; j < others->count; j++) {
            const double wj = weight_of(others, j);
            double slope, f = softplus(-sigma * (annotated->scores[i] - others->scores[j] - margin), &slope);
            sum += wi * wj * f;
            row += wj * slope;
            if (others->slopes) others->slopes[j] += sigma * (wi * wj * slope) / pairs;
            if (others->losses) others->losses[j] += wi * f / divisor(annotated);
        }
        if (annotated->slopes) annotated->slopes[i] = -sigma * (wi * row) / pairs;
    }
    *loss = sum / pairs;
}

/* -- one side: annotated or other patches, by occupied bin ---------------------------------------------------------------------- */
typedef struct {
    const double *scores, *given; /* given: weights, or NULL */
    int64_t count;
    double scale, shift;  /* position on the grid: scale · s + shift, ≥ 0 */
    int64_t bins;         /* occupied ones, ascending */
    int64_t *bin;         /* occupied bins */
    double *weights;      /* bins × NODES: gathered at the nodes */
    double *slopes;       /* bins × NODES: Σ f' at the nodes, then Chebyshev coefficients */
    double *values;       /* likewise Σ f, if wanted; else NULL */
    double *number, *sum; /* bins + 1: weight of the patches in this bin and those above it, and the weighted sum of their positions */
    int32_t *slot;        /* count: index of each patch's bin */
} Side;

typedef struct {
    double nodes[NODES];        /* Chebyshev nodes in (−1, 1) */
    double basis[NODES][NODES]; /* [k][a]: Lagrange polynomial a is Σ_k basis[k][a] T_k */
} Nodes;

static void make_nodes(Nodes *n) {
    for (int a = 0; a < NODES; a++) {
        double angle = G_PI * (a + 0.5) / NODES;
        n->nodes[a] = cos(angle);
        for (int k = 0; k < NODES; k++) n->basis[k][a] = (k ? 2.0 : 1.0) / NODES * cos(k * angle);
    }
}

static double position(const Side *side, int64_t i) { return side->scale * side->scores[i] + side->shift; }

static int by_value(gconstpointer a, gconstpointer b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Finds the occupied bins and every patch's slot: with a table if the grid is small, else by sorting. */
static gboolean find_bins(Side *side, int64_t grid, RmilArena *arena, GError **error) {
    side->slot = rmil_arena_take(arena, side->count, sizeof *side->slot, error);
    side->bin = side->slot ? rmil_arena_take(arena, MIN(side->count, grid), sizeof *side->bin, error) : NULL;
    if (!side->bin) return FALSE;
    side->bins = 0;
    if (grid <= DENSE_BINS) {
        int32_t *table = rmil_arena_take(arena, grid, sizeof *table, error);
        if (!table) return FALSE;
        memset(table, 0xff, (size_t)grid * sizeof *table);
        for (int64_t i = 0; i < side->count; i++) table[side->slot[i] = (int32_t)position(side, i)] = 0;
        for (int64_t b = 0; b < grid; b++)
            if (table[b] == 0) table[b] = (int32_t)side->bins, side->bin[side->bins++] = b;
        for (int64_t i = 0; i < side->count; i++) side->slot[i] = table[side->slot[i]];
        return TRUE;
    }
    for (int64_t i = 0; i < side->count; i++) side->bin[i] = (int64_t)position(side, i);
    qsort(side->bin, (size_t)side->count, sizeof *side->bin, by_value);
    for (int64_t i = 0; i < side->count; i++)
        if (i == 0 || side->bin[i] != side->bin[side->bins - 1]) side->bin[side->bins++] = side->bin[i];
    for (int64_t i = 0; i < side->count; i++) {
        int64_t key = (int64_t)position(side, i);
        int64_t *found = bsearch(&key, side->bin, (size_t)side->bins, sizeof key, by_value);
        side->slot[i] = (int32_t)(found - side->bin);
    }
    return TRUE;
}

/* Σ T_k over the patches of each bin, turned into weights of the nodes; numbers and sums for distant bins. */
static gboolean gather(Side *side, const Nodes *nodes, int64_t grid, gboolean values, RmilArena *arena, GError **error) {
    if (!find_bins(side, grid, arena, error)) return FALSE;
    const size_t bytes = (size_t)(side->bins * NODES) * sizeof(double), column = (size_t)(side->bins + 1) * sizeof(double);
    side->weights = rmil_arena_take(arena, 1, bytes, error);
    side->slopes = rmil_arena_take(arena, 1, bytes, error);
    side->number = rmil_arena_take(arena, 1, column, error);
    side->sum = rmil_arena_take(arena, 1, column, error);
    side->values = values ? rmil_arena_take(arena, 1, bytes, error) : NULL;
    if (!side->weights || !side->slopes || !side->number || !side->sum || (values && !side->values)) return FALSE;
    if (values) memset(side->values, 0, bytes);
    memset(side->weights, 0, bytes);
    memset(side->slopes, 0, bytes);
    memset(side->number, 0, column);
    memset(side->sum, 0, column);
    for (int64_t i = 0; i < side->count; i++) {
        const int32_t b = side->slot[i];
        const double weight = side->given ? side->given[i] : 1;
        double x = position(side, i), t = 2 * (x - (double)side->bin[b]) - 1, before = 1, now = t;
        double *moment = side->weights + (int64_t)b * NODES;
        moment[0] += weight;
        for (int k = 1; k < NODES; k++) {
            moment[k] += weight * now;
            double next = 2 * t * now - before;
            before = now;
            now = next;
        }
        side->number[b] += weight;
        side->sum[b] += weight * x;
    }
    for (int64_t b = side->bins; b-- > 0;) {
        side->number[b] += side->number[b + 1];
        side->sum[b] += side->sum[b + 1];
        double moment[NODES], *weight = side->weights + b * NODES;
        memcpy(moment, weight, sizeof moment);
        for (int a = 0; a < NODES; a++) {
            weight[a] = 0;
            for (int k = 0; k < NODES; k++) weight[a] += nodes->basis[k][a] * moment[k];
        }
    }
    return TRUE;
}

/* out[i] = factor × the interpolant of the nodes (bins × NODES, overwritten) at patch i, times its weight if requested: Clenshaw's
 * recurrence on the coefficients of its bin. */
static void give_back(const Side *side, const Nodes *nodes, double *at_nodes, double factor, gboolean weighted, double *out) {
    for (int64_t b = 0; b < side->bins; b++) {
        double values[NODES], *slope = at_nodes + b * NODES;
        memcpy(values, slope, sizeof values);
        for (int k = 0; k < NODES; k++) {
            slope[k] = 0;
            for (int a = 0; a < NODES; a++) slope[k] += nodes->basis[k][a] * values[a];
        }
    }
    for (int64_t i = 0; i < side->count; i++) {
        const int32_t b = side->slot[i];
        const double *c = at_nodes + (int64_t)b * NODES, t = 2 * (position(side, i) - (double)side->bin[b]) - 1;
        double above = 0, now = 0;
        for (int k = NODES - 1; k > 0; k--) {
            double next = 2 * t * now - above + c[k];
            above = now;
            now = next;
        }
        out[i] = factor * (t * now - above + c[0]);
        if (weighted && side->given) out[i] *= side->given[i];
    }
}

/* -- pairs of bins ---------------------------------------------------------------------------------------------------------------- */
typedef struct {
    double value[NODES][NODES], slope[NODES][NODES]; /* f and f' at the distance of node a and node b */
} Table;

static void make_table(const Nodes *nodes, int64_t distance, Table *table) {
    for (int a = 0; a < NODES; a++)
        for (int b = 0; b < NODES; b++) {
            double slope;
            table->value[a][b] = softplus(-((double)distance + 0.5 * (nodes->nodes[a] - nodes->nodes[b])), &slope);
            table->slope[a][b] = -slope;
        }
}

/* uᵀ F w; dx += F' w, dy += F'ᵀ u. */
RMIL_CLONES static double near_pair(const Table *table, const double *u, const double *w, double *dx, double *dy) {
    double total = 0;
    for (int a = 0; a < NODES; a++) {
        double value = 0, slope = 0;
#pragma omp simd reduction(+ : value, slope)
        for (int b = 0; b < NODES; b++) {
            value += table->value[a][b] * w[b];
            slope += table->slope[a][b] * w[b];
            dy[b] += table->slope[a][b] * u[a];
        }
        total += value * u[a];
        dx[a] += slope;
    }
    return total;
}

/* vy += Fᵀ u. */
static void near_values(const Table *table, const double *u, double *vy) {
    for (int a = 0; a < NODES; a++)
        for (int b = 0; b < NODES; b++) vy[b] += table->value[a][b] * u[a];
}

/* What annotated patches far below contribute to each of the others: f = y − x, at every node of y. */
static void far_values(const Side *p, const Side *n, const Nodes *nodes) {
    for (int64_t b = 0, below = 0; b < n->bins; b++) {
        while (below < p->bins && p->bin[below] < n->bin[b] - FAR_BELOW) below++;
        const double many = p->number[0] - p->number[below], total = p->sum[0] - p->sum[below];
        for (int i = 0; i < NODES; i++) n->values[b * NODES + i] += many * ((double)n->bin[b] + 0.5 * (nodes->nodes[i] + 1)) - total;
    }
}

static gboolean all_pairs(Side *p, Side *n, const Nodes *nodes, RmilArena *arena, double *sum, GError **error) {
    const int64_t low = MAX(p->bin[0] - n->bin[n->bins - 1], -FAR_BELOW);
    const int64_t high = MIN(p->bin[p->bins - 1] - n->bin[0], FAR_ABOVE);
    Table *tables = rmil_arena_take(arena, MAX(high - low + 1, 1), sizeof *tables, error);
    if (!tables) return FALSE;
    for (int64_t d = low; d <= high; d++) make_table(nodes, d, &tables[d - low]);
    *sum = 0;
    for (int64_t a = 0, first = 0, last = 0; a < p->bins; a++) {
        double *dx = p->slopes + a * NODES;
        const double *u = p->weights + a * NODES;
        while (first < n->bins && n->bin[first] < p->bin[a] - FAR_ABOVE) first++;
        while (last < n->bins && n->bin[last] <= p->bin[a] + FAR_BELOW) last++;
        for (int64_t b = first; b < last; b++) {
            const Table *table = &tables[p->bin[a] - n->bin[b] - low];
            *sum += near_pair(table, u, n->weights + b * NODES, dx, n->slopes + b * NODES);
            if (n->values) near_values(table, u, n->values + b * NODES);
        }
        /* others from `last` on score far higher: f = y − x, slope −1 */
        const double many = p->number[a] - p->number[a + 1], total = p->sum[a] - p->sum[a + 1];
        *sum += many * n->sum[last] - n->number[last] * total;
        for (int i = 0; i < NODES; i++) dx[i] -= n->number[last];
    }
    for (int64_t b = 0, below = 0; b < n->bins; b++) { /* annotated patches far below this bin */
        while (below < p->bins && p->bin[below] < n->bin[b] - FAR_BELOW) below++;
        for (int i = 0; i < NODES; i++) n->slopes[b * NODES + i] -= p->number[0] - p->number[below];
    }
    if (n->values) far_values(p, n, nodes);
    return TRUE;
}

static void range(const Side *side, double *low, double *high) {
    for (int64_t i = 0; i < side->count; i++) {
        double x = position(side, i);
        *low = x < *low ? x : *low;
        *high = x > *high ? x : *high;
        if (isnan(x)) *high = NAN;
    }
}

gboolean rmil_rank_loss(const RmilRankSide *annotated, const RmilRankSide *others, double sigma, double margin, RmilArena *arena,
                        double *loss, GError **error) {
    const int64_t np = annotated->count, nn = others->count;
    Side p = {.scores = annotated->scores, .given = annotated->weights, .count = np, .scale = sigma, .shift = -sigma * margin};
    Side n = {.scores = others->scores, .given = others->weights, .count = nn, .scale = sigma};
    double low = INFINITY, high = -INFINITY, sum;
    range(&p, &low, &high);
    range(&n, &low, &high);
    if ((double)np * (double)nn <= FEW_PAIRS || !(high - low < 1e12) || MAX(np, nn) > G_MAXINT32) {
        rmil_rank_loss_reference(annotated, others, sigma, margin, loss);
        return TRUE;
    }
    Nodes nodes;
    make_nodes(&nodes);
    const int64_t grid = (int64_t)(high - low) + 2; /* one more than needed, for the rounding of positions */
    p.shift -= low;
    n.shift -= low;
    RmilArenaMark mark = rmil_arena_mark(arena);
    gboolean done = gather(&p, &nodes, grid, FALSE, arena, error) && gather(&n, &nodes, grid, others->losses != NULL, arena, error) &&
                    all_pairs(&p, &n, &nodes, arena, &sum, error);
    if (done) {
        const double pairs = divisor(annotated) * divisor(others);
        *loss = sum / pairs;
        if (annotated->slopes) give_back(&p, &nodes, p.slopes, sigma / pairs, TRUE, annotated->slopes);
        if (others->slopes) give_back(&n, &nodes, n.slopes, -sigma / pairs, TRUE, others->slopes);
        if (others->losses) give_back(&n, &nodes, n.values, 1 / divisor(annotated), FALSE, others->losses);
    }
    rmil_arena_release(arena, mark);
    return done;
}

gboolean rmil_rank_push(const RmilRankSide *annotated, const RmilRankSide *others, double sigma, double margin, double p, RmilArena *arena,
                        double *loss, GError **error) {
    if (p == 1) return rmil_rank_loss(annotated, others, sigma, margin, arena, loss, error);
    const int64_t n = others->count;
    RmilArenaMark mark = rmil_arena_mark(arena);
    double *each = rmil_arena_take(arena, 2 * n, sizeof *each, error), *weights = each + n, sum = 0;
    RmilRankSide lone = *annotated, asked = *others;
    if (!each) return FALSE;
    lone.slopes = asked.slopes = NULL, asked.losses = each;
    gboolean done = rmil_rank_loss(&lone, &asked, sigma, margin, arena, loss, error);
    for (int64_t j = 0; done && j < n; j++) {
        each[j] = fmax(each[j], 0); /* interpolation may give slightly less than 0 */
        sum += weight_of(others, j) / divisor(others) * pow(each[j], p);
    }
    const double norm = pow(sum, 1 / p);
    for (int64_t j = 0; done && j < n; j++) /* ∂norm/∂each */
        weights[j] = norm > 0 ? weight_of(others, j) / divisor(others) * pow(each[j] / norm, p - 1) : 0;
    asked = *others, asked.weights = weights;
    if (done && (annotated->slopes || others->slopes)) done = rmil_rank_loss(annotated, &asked, sigma, margin, arena, loss, error);
    *loss = norm;
    rmil_arena_release(arena, mark);
    return done;
}
