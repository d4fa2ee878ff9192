/* SPDX-License-Identifier: Apache-2.0 */
/* Iterative pseudo-inverses. */
#include "pinv.h"

#include "gemm.h"

#include <string.h>

/* The largest sums, and where they are: row `row % m` of matrix `row / m`, and likewise for the column. The first if equal. */
typedef struct {
    double row_sum, column_sum;
    int64_t row, column;
} Largest;

static gboolean largest(const float *a, int64_t count, int64_t m, RmilArena *arena, Largest *out, GError **error) {
    double *columns = rmil_arena_take(arena, m, sizeof *columns, error);
    if (!columns) return FALSE;
    *out = (Largest){.row_sum = -1, .column_sum = -1};
    for (int64_t h = 0; h < count; h++) {
        memset(columns, 0, (size_t)m * sizeof *columns);
        for (int64_t i = 0; i < m; i++) {
            double sum = 0;
            for (int64_t j = 0; j < m; j++) {
                const double value = (double)a[(h * m + i) * m + j];
                sum += value;
                columns[j] += value;
            }
            if (sum > out->row_sum) out->row_sum = sum, out->row = h * m + i;
        }
        for (int64_t j = 0; j < m; j++)
            if (columns[j] > out->column_sum) out->column_sum = columns[j], out->column = h * m + j;
    }
    return TRUE;
}

static void begin(const float *a, int64_t m, const Largest *most, float *z) {
    const float scale = (float)(1 / (most->row_sum * most->column_sum));
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++) z[j * m + i] = scale * a[i * m + j];
}

static gboolean multiply(int64_t m, gboolean ta, gboolean tb, float alpha, const float *a, const float *b, float beta, float *c,
                         GError **error) {
    return rmil_gemm(ta, tb, m, m, m, alpha, a, m, b, m, beta, c, m, error);
}

/* x becomes value · I − x. */
static void from_diagonal(float *x, int64_t m, float value) {
    for (int64_t i = 0; i < m * m; i++) x[i] = -x[i];
    for (int64_t i = 0; i < m; i++) x[i * m + i] += value;
}

/* Intermediate results of one step from z: y = a z, p = 7 I − y, q = 15 I − y p, r = 13 I − y q, next = z r / 4. */
typedef struct {
    float *y, *p, *q, *r;
} Step;

static gboolean go(const float *a, const float *z, int64_t m, const Step *s, float *next, GError **error) {
    if (!multiply(m, FALSE, FALSE, 1, a, z, 0, s->y, error)) return FALSE;
    memcpy(s->p, s->y, (size_t)(m * m) * sizeof *s->p);
    from_diagonal(s->p, m, 7);
    if (!multiply(m, FALSE, FALSE, 1, s->y, s->p, 0, s->q, error)) return FALSE;
    from_diagonal(s->q, m, 15);
    if (!multiply(m, FALSE, FALSE, 1, s->y, s->q, 0, s->r, error)) return FALSE;
    from_diagonal(s->r, m, 13);
    return multiply(m, FALSE, FALSE, 0.25F, z, s->r, 0, next, error);
}

static gboolean take_step(int64_t m, RmilArena *arena, Step *s, GError **error) {
    float *memory = rmil_arena_floats(arena, 4 * m * m, error);
    *s = (Step){memory, memory + m * m, memory + 2 * m * m, memory + 3 * m * m};
    return memory != NULL;
}

gboolean rmil_pinv_forward(const float *a, int64_t count, int64_t m, int steps, float *z, RmilArena *arena, GError **error) {
    const int64_t size = m * m;
    Step s;
    Largest most;
    float *other = rmil_arena_floats(arena, size, error);
    if (!other || !take_step(m, arena, &s, error) || !largest(a, count, m, arena, &most, error)) return FALSE;
    for (int64_t h = 0; h < count; h++) {
        float *from = z + h * size, *to = other;
        begin(a + h * size, m, &most, from);
        for (int i = 0; i < steps; i++) {
            if (!go(a + h * size, from, m, &s, to, error)) return FALSE;
            float *swap = from;
            from = to, to = swap;
        }
        if (from == other) memcpy(z + h * size, other, (size_t)size * sizeof *z);
    }
    return TRUE;
}

/* dnext -> dz (overwritten), and da is added to; scratch: 3 m². With G = dnext / 4:
 *   dz = G rᵀ, dr = zᵀ G, dy = −dr qᵀ, dq = −yᵀ dr, dy −= dq pᵀ, dp = −yᵀ dq, dy −= dp, da += dy zᵀ, dz += aᵀ dy. */
static gboolean come_back(const float *a, const float *z, int64_t m, const Step *s, const float *dnext, float *dz, float *da,
                          float *scratch, GError **error) {
    const int64_t size = m * m;
    float *dr = scratch, *dy = scratch + size, *dq = scratch + 2 * size;
    if (!multiply(m, FALSE, TRUE, 0.25F, dnext, s->r, 0, dz, error) || !multiply(m, TRUE, FALSE, 0.25F, z, dnext, 0, dr, error) ||
        !multiply(m, FALSE, TRUE, -1, dr, s->q, 0, dy, error) || !multiply(m, TRUE, FALSE, -1, s->y, dr, 0, dq, error) ||
        !multiply(m, FALSE, TRUE, -1, dq, s->p, 1, dy, error) || !multiply(m, TRUE, FALSE, 1, s->y, dq, 1, dy, error))
        return FALSE; /* dp = −yᵀ dq, and y enters p with factor −1 */
    return multiply(m, FALSE, TRUE, 1, dy, z, 1, da, error) && multiply(m, TRUE, FALSE, 1, a, dy, 1, dz, error);
}

/* From the slope of Z₀ = Aᵀ / (c r) to that of A, and *scale, the slope of 1 / (c r). */
static void begin_back(const float *a, int64_t m, const Largest *most, const float *dz, float *da, double *scale) {
    const double share = 1 / (most->row_sum * most->column_sum);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++) {
            da[i * m + j] += (float)share * dz[j * m + i];
            *scale += (double)dz[j * m + i] * (double)a[i * m + j];
        }
}

gboolean rmil_pinv_backward(const float *a, int64_t count, int64_t m, int steps, float *dz, float *da, RmilArena *arena, GError **error) {
    const int64_t size = m * m;
    Step s;
    Largest most;
    double scale = 0;
    float *iterates = rmil_arena_floats(arena, (steps + 1) * size, error), *scratch = rmil_arena_floats(arena, 4 * size, error);
    if (!iterates || !scratch || !take_step(m, arena, &s, error) || !largest(a, count, m, arena, &most, error)) return FALSE;
    memset(da, 0, (size_t)(count * size) * sizeof *da);
    for (int64_t h = 0; h < count; h++) {
        const float *matrix = a + h * size;
        float *slope = dz + h * size, *next = scratch + 3 * size;
        begin(matrix, m, &most, iterates);
        for (int i = 0; i < steps; i++)
            if (!go(matrix, iterates + i * size, m, &s, iterates + (i + 1) * size, error)) return FALSE;
        for (int i = steps - 1; i >= 0; i--) {
            float *to = slope == next ? dz + h * size : next;
            if (!go(matrix, iterates + i * size, m, &s, iterates + (i + 1) * size, error) ||
                !come_back(matrix, iterates + i * size, m, &s, slope, to, da + h * size, scratch, error))
                return FALSE;
            slope = to;
        }
        begin_back(matrix, m, &most, slope, da + h * size, &scale);
    }
    /* the slopes of c and r are those of one row and one column */
    const double share = -scale / (most.row_sum * most.column_sum);
    const int64_t h = most.column / m, column = most.column % m;
    for (int64_t j = 0; j < m; j++) da[most.row * m + j] += (float)(share / most.row_sum);
    for (int64_t i = 0; i < m; i++) da[h * size + i * m + column] += (float)(share / most.column_sum);
    return TRUE;
}
