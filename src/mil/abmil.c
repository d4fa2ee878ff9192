/* SPDX-License-Identifier: Apache-2.0 */
/* AB-MIL (docs/models.md, AB-MIL and Fast identities). With R = relu(X W1ᵀ + b1), K × hidden, H = R W2ᵀ + b2 is only used in dot products
 * with a vector or in weighted sums over patches. So W2 is only multiplied by vectors, and X enters two products per step:
 *   u = W2ᵀ wₐ, v = W2ᵀ w_c;   s = R u + b2·wₐ + bₐ;   z = Σ a_k (R_k·v) + (b2·w_c) Σa + b_c
 * The forward pass reads R once, for both dot products, while its block is in the cache. The backward pass reads it once for
 *   p = Rᵀ a, q = Rᵀ ds, dZ = 1[R > 0] ∘ (a dz vᵀ + ds uᵀ), ∂b1 = Σ dZ
 * and once more, only for its signs, for ∂W1 = dZᵀ X (masked.h). With C outputs, each has its own w_c and v, and they share the rest; the
 * backward pass takes them together, as Σ dz_c w_c and Σ dz_c v_c. */
#include "attention.h"
#include "gemm.h"
#include "guide.h"
#include "masked.h"
#include "onnx.h"
#include "rows.h"

#include <string.h>

enum { W1, B1, W2, B2, WA, BA, WC, BC };

/* Rows of X and R per block: large enough for efficient products, small enough to stay in the cache. */
#define ROWS 512

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    rmil_parameter_linear(layout, "adaptor.0", config->hidden, config->dim, TRUE);
    rmil_parameter_linear(layout, "adaptor.2", config->dim, config->hidden, TRUE);
    rmil_parameter_linear(layout, "attention_layer.linear", 1, config->dim, TRUE);
    rmil_parameter_linear(layout, "classifier", rmil_model_outputs(config), config->dim, TRUE);
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    config->hidden = shape(user, "adaptor.0.weight", 0);
    config->dim = shape(user, "adaptor.0.weight", 1);
    rmil_model_infer_outputs(config, shape(user, "classifier.weight", 0));
}

/* R = relu(R + b), then s[k] = R_k·u + shift and t[k] = R_k·v, in one pass. */
RMIL_CLONES static void relu_dots(float *r, int64_t rows, int64_t n, const float *b, const float *u, const float *v, float shift, float *s,
                                  float *t) {
    for (int64_t k = 0; k < rows; k++) {
        float *row = r + k * n, x = 0, y = 0;
#pragma omp simd reduction(+ : x, y)
        for (int64_t i = 0; i < n; i++) {
            float value = row[i] + b[i];
            value = value > 0 ? value : 0;
            row[i] = value;
            x += value * u[i];
            y += value * v[i];
        }
        s[k] = x + shift;
        t[k] = y;
    }
}

/* One block's share of p, q and ∂b1 (n floats each, overwritten); us and vs: u and v as they appear in dZ. */
RMIL_CLONES static void back_block(const float *r, int64_t rows, int64_t n, const float *a, const float *ds, const float *us,
                                   const float *vs, float *p, float *q, float *b) {
    memset(p, 0, (size_t)n * sizeof *p);
    memset(q, 0, (size_t)n * sizeof *q);
    memset(b, 0, (size_t)n * sizeof *b);
    for (int64_t k = 0; k < rows; k++) {
        const float ak = a[k], dk = ds[k];
        const float *row = r + k * n;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            p[i] += ak * row[i];
            q[i] += dk * row[i];
            b[i] += row[i] > 0 ? ak * vs[i] + dk * us[i] : 0;
        }
    }
}

/* G (d × n) = w pᵀ + wₐ qᵀ */
RMIL_CLONES static void outer_pair(const float *w, const float *wa, int64_t d, const float *p, const float *q, int64_t n, float *g) {
    for (int64_t i = 0; i < d; i++) {
        const float x = w[i], y = wa[i];
#pragma omp simd
        for (int64_t j = 0; j < n; j++) g[i * n + j] = x * p[j] + y * q[j];
    }
}

typedef struct {
    int outputs;
    float *u, *v, *zero; /* hidden: W2ᵀ wₐ; outputs × hidden: W2ᵀ w_c; hidden: 0 */
    float *r;            /* K × hidden */
    float *s, *soft, *a; /* K */
    float *t;            /* outputs × K: R v */
    double *base;        /* outputs: b2·w_c */
    RmilAttention attention;
    float keep; /* dropout's factor, 1 without dropout */
} Work;

static gboolean take(const RmilStep *step, Work *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, n = step->config->hidden;
    w->outputs = rmil_model_outputs(step->config);
    float *vectors = rmil_arena_floats(arena, (2 + w->outputs) * n, error);
    float *columns = rmil_arena_floats(arena, (3 + w->outputs) * k, error);
    w->base = rmil_arena_take(arena, w->outputs, sizeof(double), error);
    const int64_t kept = step->gradient ? k : MIN(k, rmil_features_block(step->bag->precision, ROWS)); /* no backward pass: one block */
    w->r = rmil_arena_floats(arena, kept * n, error);
    if (!vectors || !columns || !w->base || !w->r) return FALSE;
    w->keep = 1;
    w->u = vectors, w->v = vectors + n;
    w->zero = memset(w->v + w->outputs * n, 0, (size_t)n * sizeof(float));
    w->s = columns, w->t = columns + k, w->soft = w->t + w->outputs * k, w->a = w->soft + k;
    return TRUE;
}

static gboolean forward(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error) {
    Work *w = work;
    const RmilModelConfig *config = step->config;
    const int64_t k = step->bag->count, d = config->dim, n = config->hidden;
    const float *w2 = rmil_step_parameter(step, W2), *b2 = rmil_step_parameter(step, B2);
    const float *wa = rmil_step_parameter(step, WA), *wc = rmil_step_parameter(step, WC), *bc = rmil_step_parameter(step, BC);
    const int64_t block = rmil_features_block(step->bag->precision, ROWS);
    if (!take(step, w, arena, error)) return FALSE;
    rmil_transposed_vector(w2, d, n, wa, FALSE, w->u);
    for (int c = 0; c < w->outputs; c++) {
        rmil_transposed_vector(w2, d, n, wc + c * d, FALSE, w->v + c * n);
        w->base[c] = rmil_dot(b2, wc + c * d, d);
    }
    const float shift = (float)(rmil_dot(b2, wa, d) + (double)rmil_step_parameter(step, BA)[0]);
    RmilTransposed wt;
    if (!rmil_transpose(rmil_step_parameter(step, W1), n, d, step->bag->precision, arena, &wt, error)) return FALSE;
    for (int64_t i = 0; i < k; i += block) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(block, k - i));
        float *r = w->r + (step->gradient ? i * n : 0);
        if (!rmil_features_forward(&x, &wt, n, r, n, arena, error)) return FALSE;
        const float *bias = rmil_step_parameter(step, B1);
        if (step->train && config->dropout > 0) { /* comes between relu and the dot products, which then have nothing to add */
            rmil_rows_relu(r, n, x.rows, n, bias);
            w->keep = rmil_dropout(step, 0, i, x.rows, n, r, n);
            bias = w->zero;
        }
        relu_dots(r, x.rows, n, bias, w->u, w->v, shift, w->s + i, w->t + i);
        for (int c = 1; c < w->outputs; c++) rmil_rows_dot(r, n, x.rows, n, w->v + c * n, 0, w->t + c * k + i);
    }
    rmil_attention_forward(w->s, k, 1, config->threshold, config->even_bags, w->soft, w->a, &w->attention);
    for (int c = 0; c < w->outputs; c++)
        outcome->logits[c] = rmil_dot(w->a, w->t + c * k, k) + w->base[c] * w->attention.total + (double)bc[c];
    if (step->scores) memcpy(step->scores, w->s, (size_t)k * sizeof(float));
    if (step->attention) memcpy(step->attention, w->a, (size_t)k * sizeof(float));
    *shown = (RmilGuided){.scores = w->s, .attention = w->a, .labels = step->bag->patch_labels, .tissue = step->bag->tissue, .count = k};
    return TRUE;
}

/* From ds to all gradients. */
static gboolean backward_scores(const RmilStep *step, const Work *w, const double *slope, const float *ds, RmilArena *arena,
                                GError **error) {
    const RmilModelConfig *config = step->config;
    const int64_t k = step->bag->count, d = config->dim, n = config->hidden;
    const float *w2 = rmil_step_parameter(step, W2), *b2 = rmil_step_parameter(step, B2);
    const float *wa = rmil_step_parameter(step, WA), *wc = rmil_step_parameter(step, WC);
    float *part = rmil_arena_floats(arena, 5 * n, error), *us = part + 3 * n, *vs = part + 4 * n;
    float *wz = rmil_arena_floats(arena, 2 * d, error), *pooled = wz + d; /* Σ ∂z_c w_c; W2 p + b2 Σa */
    double *sums = rmil_arena_take(arena, 3 * n, sizeof(double), error);
    if (!part || !wz || !sums) return FALSE;
    for (int64_t j = 0; j < n; j++) us[j] = w->keep * w->u[j], vs[j] = 0;
    memset(wz, 0, (size_t)d * sizeof *wz);
    for (int c = 0; c < w->outputs; c++) {
        const float dz = (float)slope[c];
        for (int64_t j = 0; j < n; j++) vs[j] += w->keep * dz * w->v[c * n + j];
        for (int64_t i = 0; i < d; i++) wz[i] += dz * wc[c * d + i];
    }
    memset(sums, 0, (size_t)(3 * n) * sizeof *sums);
    for (int64_t i = 0; i < k; i += ROWS) {
        back_block(w->r + i * n, MIN(ROWS, k - i), n, w->a + i, ds + i, us, vs, part, part + n, part + 2 * n);
        for (int64_t j = 0; j < 3 * n; j++) sums[j] += (double)part[j];
    }
    const RmilFeatures x = rmil_features_of(step->bag, 0, k);
    const RmilMaskedTerm terms[] = {{w->a, vs}, {ds, us}};
    if (!rmil_masked_backward(&x, w->r, n, terms, 2, rmil_step_gradient(step, W1), arena, error)) return FALSE;
    float *p = part, *q = part + n, *db1 = rmil_step_gradient(step, B1);
    for (int64_t j = 0; j < n; j++) p[j] = (float)sums[j], q[j] = (float)sums[n + j], db1[j] = (float)sums[2 * n + j];
    double total = 0;
    for (int64_t i = 0; i < k; i++) total += (double)ds[i];

    float *db2 = rmil_step_gradient(step, B2), *dwa = rmil_step_gradient(step, WA);
    float *dwc = rmil_step_gradient(step, WC);
    const float all = (float)w->attention.total;
    rmil_matrix_vector(w2, d, n, q, b2, (float)total, dwa); /* ∂wₐ = W2 q + b2 Σds */
    rmil_matrix_vector(w2, d, n, p, b2, all, pooled);
    for (int c = 0; c < w->outputs; c++) { /* ∂w_c = ∂z_c (W2 p + b2 Σa) */
        const float dz = rmil_step_gradient(step, BC)[c] = (float)slope[c];
        for (int64_t i = 0; i < d; i++) dwc[c * d + i] = pooled[i] * dz;
    }
    for (int64_t i = 0; i < d; i++) db2[i] = wz[i] * all + wa[i] * (float)total;
    outer_pair(wz, wa, d, p, q, n, rmil_step_gradient(step, W2));
    rmil_step_gradient(step, BA)[0] = (float)total;
    return TRUE;
}

static gboolean backward(const RmilStep *step, gpointer work, const double *slope, float *ds, float *da, RmilArena *arena, GError **error) {
    const Work *w = work;
    const int64_t k = step->bag->count;
    for (int64_t i = 0; i < k; i++) { /* H_k·dc = Σ dz_c (R_k·v_c + b2·w_c) */
        double sum = 0;
        for (int c = 0; c < w->outputs; c++) sum += slope[c] * ((double)w->t[c * k + i] + w->base[c]);
        da[i] += (float)sum;
    }
    rmil_attention_backward(&w->attention, w->soft, w->a, da, k, TRUE, ds);
    return backward_scores(step, w, slope, ds, arena, error);
}

static void onnx(const RmilModelConfig *config, RmilOnnx *o) {
    const char *w2 = rmil_onnx_parameter(o, "adaptor.2.weight"), *b2 = rmil_onnx_parameter(o, "adaptor.2.bias");
    const char *wa = rmil_onnx_parameter(o, "attention_layer.linear.weight"), *ba = rmil_onnx_parameter(o, "attention_layer.linear.bias");
    const char *wc = rmil_onnx_parameter(o, "classifier.weight"), *bc = rmil_onnx_parameter(o, "classifier.bias");
    const char *r = rmil_onnx_hidden(o);
    const char *u = rmil_onnx_node(o, "MatMul", wa, w2, NULL);
    const char *shift = rmil_onnx_node(o, "Add", rmil_onnx_node(o, "MatMul", wa, b2, NULL), ba, NULL);
    const char *s = rmil_onnx_flat(o, rmil_onnx_linear(o, r, u, shift));
    const char *a = rmil_onnx_attention(o, s, 1, config->threshold, config->even_bags);
    const char *p = rmil_onnx_node(o, "MatMul", rmil_onnx_row(o, a), r, NULL);
    const char *total = rmil_onnx_node(o, "ReduceSum", a, NULL);
    const char *pooled = rmil_onnx_linear(o, p, w2, rmil_onnx_node(o, "Mul", b2, total, NULL));
    rmil_onnx_outputs(o, rmil_onnx_flat(o, rmil_onnx_linear(o, pooled, wc, bc)), s, a);
}

static const RmilTrainMethod methods[] = {
    {.name = "abmil", .title = "AB-MIL", .style = {"#d55e00", "(9,5)", 5}},
    {.name = "induction", .guide = RMIL_GUIDE_INDUCTION, .title = "Attention induction", .style = {"#009e73", "(9,4,2,4)", 9}},
    {.name = "rank", .guide = RMIL_GUIDE_RANK, .title = "Rank induction", .style = {"#0072b2", "solid", 7}, .reference = TRUE},
    {.name = "rank-across",
     .guide = RMIL_GUIDE_RANK,
     .option = "pairs",
     .value = "across",
     .title = "Rank across slides",
     .style = {"#6a3d9a", "(7,3)", 7}},
    {.name = "rank-both",
     .guide = RMIL_GUIDE_RANK,
     .option = "pairs",
     .value = "both",
     .title = "Rank within and across",
     .style = {"#b15928", "(11,2)", 7},
     .partial = TRUE},
    {.name = "rank-push",
     .guide = RMIL_GUIDE_RANK,
     .option = "push",
     .value = "4",
     .title = "Rank, top-weighted",
     .style = {"#33a02c", "(4,2,1,2)", 7}},
    {.name = "rank-anchor",
     .guide = RMIL_GUIDE_RANK,
     .option = "anchor",
     .value = "1",
     .title = "Rank, anchored",
     .style = {"#e31a1c", "(2,1)", 7}},
    {.name = "evenness", .guide = RMIL_GUIDE_EVENNESS, .title = "Even attention", .style = {"#806000", "(8,2,3,2)", 9}},
    {0},
};

static const RmilOption options[] = {RMIL_HIDDEN(256), RMIL_DROPOUT, RMIL_THRESHOLD, RMIL_EVEN_BAGS, {0}};

static const RmilModelClass class = {
    .name = "abmil",
    .source = "attention-based multiple-instance learning, Ilse et al. 2018",
    .methods = methods,
    .guide = RMIL_GUIDE_RANK,
    .first = "adaptor.0.weight",
    .logits = 1,
    .tasks = RMIL_TAKES_ALL,
    .options = options,
    .layout = layout,
    .infer = infer,
    .work = sizeof(Work),
    .forward = forward,
    .backward = backward,
    .onnx = onnx,
};
RMIL_MODEL_FILE(abmil, &class);
