/* SPDX-License-Identifier: Apache-2.0 */
/* A product with a matrix of zeros and ones by tables (the method of four Russians). Row i of 1[R > 0]ᵀ diag(weight) X is a sum over the
 * patches k with R_ki > 0. Patches are taken in groups of GROUP. For each group, all sums of subsets are tabulated once, LANES columns of X
 * wide; then every i adds the entry of its own subset: one load and one addition, where a matrix product has GROUP multiplications. */
#include "masked.h"

#include <string.h>

#define GROUP 5
#define ENTRIES (1 << GROUP)
#define GROUPS 8               /* tables at once: 16 KiB */
#define BLOCK (GROUP * GROUPS) /* patches whose bits fit in one word */
#define LANES 16
#define FIRST_BIT 6 /* a group's bits, in place, are the byte offset of its entry: 64 per entry */
#define MOST_ROWS (12 * BLOCK)
#define PANEL_FLOATS (INT64_C(1) << 19)
/* Below this many rows of G the tables cost more than they save. */
#define FEW 32
/* Every term needs tables of its own, while a product takes all terms together: with more terms than this, a product is faster. */
#define MANY 6

typedef float Lanes __attribute__((vector_size(LANES * sizeof(float)), may_alias));
G_STATIC_ASSERT(sizeof(Lanes) == 1 << FIRST_BIT && FIRST_BIT + BLOCK <= 64);

/* One panel of patches: their features times weight, in slices of LANES columns, and their masks. */
typedef struct {
    int64_t rows, blocks; /* rows: allocated, a multiple of BLOCK; blocks: in use */
    int64_t slices;
    float *values;  /* slices × rows × LANES */
    uint64_t *bits; /* blocks × n: bit FIRST_BIT + j is set if R > 0 in patch j of the block */
    float *row;     /* slices × LANES: a patch that is widened or padded with zeros */
    float *tables;  /* GROUPS × ENTRIES × LANES */
    float *sums;    /* n × LANES */
} Panel;

RMIL_CLONES static void set_bits(const float *r, int64_t n, int shift, uint64_t *bits) {
    for (int64_t i = 0; i < n; i++) bits[i] |= (uint64_t)(r[i] > 0.0f) << shift;
}

/* Puts patch k at position `at`. */
RMIL_CLONES static void put(Panel *p, const RmilFeatures *x, int64_t k, float weight, int64_t at) {
    const gboolean wide = x->precision == RMIL_FLOAT32;
    const float *row = wide ? (const float *)x->data + k * x->dim : p->row;
    if (!wide) rmil_from_bfloat16((const uint16_t *)x->data + k * x->dim, x->dim, p->row);
    else if (x->dim % LANES) row = memcpy(p->row, row, (size_t)x->dim * sizeof(float));
    for (int64_t s = 0; s < p->slices; s++) {
        float *out = p->values + (s * p->rows + at) * LANES;
        const float *in = row + s * LANES;
#pragma omp simd
        for (int i = 0; i < LANES; i++) out[i] = weight * in[i];
    }
}

/* Every sum of a subset of the group's rows. The empty sum is Σ 0 · row, so that a NaN reaches every entry. */
RMIL_INLINE void fill_table(const float *values, float *table) {
    const Lanes *in = (const Lanes *)(const void *)values;
    Lanes *out = (Lanes *)(void *)table, none = in[0] * 0.0f;
    for (int j = 1; j < GROUP; j++) none += in[j] * 0.0f;
    out[0] = none;
    for (int j = 0; j < GROUP; j++)
        for (int e = 0; e < 1 << j; e++) out[(1 << j) + e] = out[e] + in[j];
}

/* sums (n × LANES) = one slice of 1[R > 0]ᵀ · values. Two running sums hide the latency of the additions. */
RMIL_CLONES static void sum_slice(const Panel *p, const float *values, int64_t n) {
    memset(p->sums, 0, (size_t)(n * LANES) * sizeof(float));
    Lanes *sums = (Lanes *)(void *)p->sums;
    for (int64_t b = 0; b < p->blocks; b++) {
        const uint64_t *bits = p->bits + b * n;
        for (int t = 0; t < GROUPS; t++) fill_table(values + (b * BLOCK + t * GROUP) * LANES, p->tables + t * ENTRIES * LANES);
        for (int64_t i = 0; i < n; i++) {
            uint64_t at = bits[i];
            const char *table = (const char *)p->tables;
            Lanes even = sums[i], odd = {0};
            for (int t = 0; t < GROUPS; t += 2) {
                even += *(const Lanes *)(const void *)(table + (at & ((ENTRIES - 1) << FIRST_BIT)));
                at >>= GROUP, table += sizeof(Lanes) * ENTRIES;
                odd += *(const Lanes *)(const void *)(table + (at & ((ENTRIES - 1) << FIRST_BIT)));
                at >>= GROUP, table += sizeof(Lanes) * ENTRIES;
            }
            sums[i] = even + odd;
        }
    }
}

/* G += scale ∘ 1[R > 0]ᵀ · values of the panel. */
RMIL_CLONES static void add_panel(const Panel *p, const float *scale, int64_t n, int64_t dim, float *g) {
    for (int64_t s = 0; s < p->slices; s++) {
        const int64_t width = MIN(LANES, dim - s * LANES);
        sum_slice(p, p->values + s * p->rows * LANES, n);
        for (int64_t i = 0; i < n; i++) {
            float *out = g + i * dim + s * LANES;
            const float *sum = p->sums + i * LANES;
            for (int64_t j = 0; j < width; j++) out[j] += scale[i] * sum[j];
        }
    }
}

/* The patches of one term from *next on, as many as the panel can hold; blocks are padded with zeros. */
static void fill_panel(Panel *p, const RmilFeatures *x, const float *r, int64_t n, const float *weight, int64_t *next) {
    int64_t at = 0;
    for (; *next < x->rows && at < p->rows; ++*next) {
        if (weight[*next] == 0.0f) continue;
        uint64_t *bits = p->bits + at / BLOCK * n;
        if (at % BLOCK == 0) memset(bits, 0, (size_t)n * sizeof *bits);
        set_bits(r + *next * n, n, FIRST_BIT + (int)(at % BLOCK), bits);
        put(p, x, *next, weight[*next], at++);
    }
    p->blocks = (at + BLOCK - 1) / BLOCK;
    for (int64_t s = 0; s < p->slices; s++)
        memset(p->values + (s * p->rows + at) * LANES, 0, (size_t)((p->blocks * BLOCK - at) * LANES) * sizeof(float));
}

static gboolean by_tables(const RmilFeatures *x, const float *r, int64_t n, const RmilMaskedTerm *terms, int count, float *g,
                          RmilArena *arena, GError **error) {
    Panel p = {.slices = (x->dim + LANES - 1) / LANES};
    p.rows = CLAMP(PANEL_FLOATS / (p.slices * LANES), BLOCK, MIN(MOST_ROWS, x->rows + BLOCK - 1)) / BLOCK * BLOCK;
    p.values = rmil_arena_floats(arena, p.slices * p.rows * LANES, error);
    p.bits = rmil_arena_take(arena, p.rows / BLOCK * n, sizeof *p.bits, error);
    p.row = rmil_arena_floats(arena, p.slices * LANES, error);
    p.tables = rmil_arena_floats(arena, GROUPS * ENTRIES * LANES, error);
    p.sums = rmil_arena_floats(arena, n * LANES, error);
    if (!p.values || !p.bits || !p.row || !p.tables || !p.sums) return FALSE;
    memset(p.row, 0, (size_t)(p.slices * LANES) * sizeof(float));
    memset(g, 0, (size_t)(n * x->dim) * sizeof *g);
    for (int t = 0; t < count; t++)
        for (int64_t next = 0; next < x->rows;) {
            fill_panel(&p, x, r, n, terms[t].weight, &next);
            if (p.blocks) add_panel(&p, terms[t].scale, n, x->dim, g);
        }
    return TRUE;
}

/* -- by a matrix product --------------------------------------------------------------------------------------------------- */
#define ROWS 1024

/* out += 1[row > 0] ∘ weight scale */
RMIL_CLONES static void add_term(const float *row, int64_t n, float weight, const float *scale, float *out) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) out[i] += row[i] > 0.0f ? weight * scale[i] : 0.0f;
}

/* dZ of the rows from `first` on: into `narrow` if it is set, row by row through the single row `dz`, else into `dz`. */
static void form(const float *r, int64_t first, int64_t rows, int64_t n, const RmilMaskedTerm *terms, int count, float *dz,
                 uint16_t *narrow) {
    for (int64_t k = first; k < first + rows; k++) {
        memset(dz, 0, (size_t)n * sizeof *dz);
        for (int t = 0; t < count; t++) add_term(r + k * n, n, terms[t].weight[k], terms[t].scale, dz);
        if (!narrow) dz += n;
        else rmil_to_bfloat16(dz, n, narrow + (k - first) * n);
    }
}

static gboolean by_product(const RmilFeatures *x, const float *r, int64_t n, const RmilMaskedTerm *terms, int count, float *g,
                           RmilArena *arena, GError **error) {
    const gboolean native = rmil_features_native(x->precision);
    const int64_t block = MIN(x->rows, rmil_features_block(x->precision, ROWS));
    float *dz = rmil_arena_floats(arena, native ? n : block * n, error);
    uint16_t *narrow = native && dz ? rmil_arena_take(arena, block * n, sizeof *narrow, error) : NULL;
    if (!dz || (native && !narrow)) return FALSE;
    for (int64_t i = 0; i < x->rows; i += block) {
        const RmilFeatures part = rmil_features_part(x, i, MIN(block, x->rows - i));
        form(r, i, part.rows, n, terms, count, dz, narrow);
        if (!(native ? rmil_features_backward_native(&part, narrow, n, i > 0, g, error)
                     : rmil_features_backward(&part, dz, n, n, i > 0, g, arena, error)))
            return FALSE;
    }
    return TRUE;
}

gboolean rmil_masked_backward(const RmilFeatures *x, const float *r, int64_t n, const RmilMaskedTerm *terms, int count, float *g,
                              RmilArena *arena, GError **error) {
    const gboolean product = n < FEW || count > MANY || rmil_features_native(x->precision);
    RmilArenaMark mark = rmil_arena_mark(arena);
    gboolean done = (product ? by_product : by_tables)(x, r, n, terms, count, g, arena, error);
    rmil_arena_release(arena, mark);
    return done;
}
