/* SPDX-License-Identifier: Apache-2.0 */
/* DS-MIL (docs/models.md, DS-MIL and Fast identities). With R = relu(X W1ᵀ + b1), K × hidden, and F = R W2ᵀ + b2, the instance logits c,
 * the scores s and the pooled values are all linear in R, so that the large matrices are only multiplied by vectors:
 *   c = R W2ᵀw_i + …;   F_t = W2 R_t + b2;   Q_t = W_q F_t + b_q;   g = W_qᵀ Q_t;   s = R W2ᵀg + b2·g + b_q·Q_t
 *   f = Σ a_k F_k = W2 Rᵀa + b2 Σa;   P = Σ a_k V_k = W_v f + b_v Σa;   B = LayerNorm(P);   z = ½ (B·w_b + b_b + c_t)
 * X enters two products per step: X W1ᵀ and, with the signs of R, dZᵀ X (masked.h). With C outputs, each has its own critical patch t, row
 * of attention and row of B: everything from c to B exists C times, and z_o = ½ (Σ_c B_c·w_oc + b_o + c_to). */
#include "attention.h"
#include "gemm.h"
#include "guide.h"
#include "layernorm.h"
#include "masked.h"
#include "onnx.h"
#include "rows.h"

#include <math.h>
#include <string.h>

enum { W1, B1, W2, B2, WI, BI, WQ, BQ, WV, BV, NORM_WEIGHT, NORM_BIAS, WB, BB };

/* Rows of X and R per block: large enough for efficient products, small enough to stay in the cache. */
#define ROWS 512

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    const int64_t d = config->dim, outputs = rmil_model_outputs(config);
    rmil_parameter_linear(layout, "adaptor.0", config->hidden, d, TRUE);
    rmil_parameter_linear(layout, "adaptor.2", d, config->hidden, TRUE);
    rmil_parameter_linear(layout, "instance_classifier", outputs, d, TRUE);
    rmil_parameter_linear(layout, "attention_q", config->attention_dim, d, TRUE);
    rmil_parameter_linear(layout, "attention_v", d, d, TRUE);
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 1, 1, d, 0, 0, "feature_norm.weight");
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 0, 1, d, 0, 0, "feature_norm.bias");
    const double bound = 1 / sqrt((double)(outputs * d)); /* as in nn.Conv1d: from the number of inputs of an output */
    rmil_parameter_add(layout, RMIL_INIT_UNIFORM, bound, 3, outputs, outputs, d, "bag_classifier.weight");
    rmil_parameter_add(layout, RMIL_INIT_UNIFORM, bound, 1, outputs, 0, 0, "bag_classifier.bias");
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    config->hidden = shape(user, "adaptor.0.weight", 0);
    config->dim = shape(user, "adaptor.0.weight", 1);
    config->attention_dim = shape(user, "attention_q.weight", 0);
    rmil_model_infer_outputs(config, shape(user, "instance_classifier.weight", 0));
}

/* What forward keeps for backward; each of the C outputs has its own row. */
typedef struct {
    int outputs;
    float *r;                       /* K × hidden */
    float *c, *s, *soft, *a;        /* C × K */
    float *u;                       /* C × hidden: W2ᵀ g */
    float *rt, *p;                  /* C × hidden: R_t, Rᵀ a */
    float *ft, *g, *f, *pooled, *b; /* C × D: F_t, g, f, P, B */
    float *qt;                      /* C × attention_dim: Q_t */
    float *mean, *rstd;             /* C: of P */
    int64_t *top;                   /* C: t */
    RmilAttention *attention;       /* C */
    float keep;                     /* dropout's factor */
} Work;

/* The first maximum, like PyTorch's max on one thread. */
static int64_t index_of_max(const float *x, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

static gboolean take(const RmilStep *step, Work *w, RmilArena *arena, GError **error) {
    const int outputs = w->outputs = rmil_model_outputs(step->config);
    w->keep = 1;
    const int64_t k = outputs * step->bag->count, d = outputs * step->config->dim, n = outputs * step->config->hidden;
    float *columns = rmil_arena_floats(arena, 4 * k, error), *narrow = rmil_arena_floats(arena, 3 * n, error);
    float *wide = rmil_arena_floats(arena, 5 * d, error);
    w->r = rmil_arena_floats(arena, step->bag->count * step->config->hidden, error);
    w->qt = rmil_arena_floats(arena, outputs * step->config->attention_dim, error);
    w->mean = rmil_arena_floats(arena, 2 * outputs, error);
    w->top = rmil_arena_take(arena, outputs, sizeof *w->top, error);
    w->attention = rmil_arena_take(arena, outputs, sizeof *w->attention, error);
    if (!columns || !narrow || !wide || !w->r || !w->qt || !w->mean || !w->top || !w->attention) return FALSE;
    w->c = columns, w->s = columns + k, w->soft = columns + 2 * k, w->a = columns + 3 * k;
    w->u = narrow, w->rt = narrow + n, w->p = narrow + 2 * n;
    w->ft = wide, w->g = wide + d, w->f = wide + 2 * d, w->pooled = wide + 3 * d, w->b = wide + 4 * d;
    w->rstd = w->mean + outputs;
    return TRUE;
}

/* R and the instance logits c. */
static gboolean forward_instances(const RmilStep *step, Work *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, d = step->config->dim, n = step->config->hidden;
    const float *wi = rmil_step_parameter(step, WI), *bi = rmil_step_parameter(step, BI);
    float shift[RMIL_OUTPUTS_MOST];
    for (int o = 0; o < w->outputs; o++) { /* u first holds c's vector, then s's */
        rmil_transposed_vector(rmil_step_parameter(step, W2), d, n, wi + o * d, FALSE, w->u + o * n);
        shift[o] = (float)(rmil_dot(rmil_step_parameter(step, B2), wi + o * d, d) + (double)bi[o]);
    }
    RmilTransposed wt;
    if (!rmil_transpose(rmil_step_parameter(step, W1), n, d, step->bag->precision, arena, &wt, error)) return FALSE;
    const int64_t block = rmil_features_block(step->bag->precision, ROWS);
    for (int64_t i = 0; i < k; i += block) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(block, k - i));
        float *r = w->r + i * n;
        if (!rmil_features_forward(&x, &wt, n, r, n, arena, error)) return FALSE;
        rmil_rows_relu(r, n, x.rows, n, rmil_step_parameter(step, B1));
        w->keep = rmil_dropout(step, 0, i, x.rows, n, r, n);
        for (int o = 0; o < w->outputs; o++) rmil_rows_dot(r, n, x.rows, n, w->u + o * n, shift[o], w->c + o * k + i);
    }
    return TRUE;
}

/* The row of one output: its critical patch, the scores of all patches, their attention, f and P; sum: hidden doubles of scratch. */
static void forward_row(const RmilStep *step, Work *w, int o, double *sum) {
    const RmilModelConfig *config = step->config;
    const int64_t k = step->bag->count, d = config->dim, n = config->hidden, q = config->attention_dim;
    const float *w2 = rmil_step_parameter(step, W2), *b2 = rmil_step_parameter(step, B2);
    const float *wq = rmil_step_parameter(step, WQ), *bq = rmil_step_parameter(step, BQ);
    float *u = w->u + o * n, *rt = w->rt + o * n, *p = w->p + o * n;
    float *ft = w->ft + o * d, *g = w->g + o * d, *f = w->f + o * d, *qt = w->qt + o * q;
    w->top[o] = index_of_max(w->c + o * k, k);
    memcpy(rt, w->r + w->top[o] * n, (size_t)n * sizeof(float));
    rmil_matrix_vector(w2, d, n, rt, b2, 1, ft);
    rmil_matrix_vector(wq, q, d, ft, bq, 1, qt);
    rmil_transposed_vector(wq, q, d, qt, FALSE, g);
    rmil_transposed_vector(w2, d, n, g, FALSE, u);
    const float shift = (float)(rmil_dot(b2, g, d) + rmil_dot(bq, qt, q));
    rmil_rows_dot(w->r, n, k, n, u, shift, w->s + o * k);
    rmil_attention_forward(w->s + o * k, k, 1 / sqrt((double)q), config->threshold, config->even_bags, w->soft + o * k, w->a + o * k,
                           &w->attention[o]);
    const float total = (float)w->attention[o].total;
    memset(sum, 0, (size_t)n * sizeof *sum);
    rmil_rows_pool(w->r, n, k, n, w->a + o * k, sum);
    for (int64_t i = 0; i < n; i++) p[i] = (float)sum[i];
    rmil_matrix_vector(w2, d, n, p, b2, total, f);
    rmil_matrix_vector(rmil_step_parameter(step, WV), d, d, f, rmil_step_parameter(step, BV), total, w->pooled + o * d);
}

static gboolean forward(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error) {
    Work *w = work;
    const int64_t k = step->bag->count, d = step->config->dim;
    const float *wb = rmil_step_parameter(step, WB);
    double *sum = rmil_arena_take(arena, step->config->hidden, sizeof *sum, error);
    if (!sum || !take(step, w, arena, error) || !forward_instances(step, w, arena, error)) return FALSE;
    for (int o = 0; o < w->outputs; o++) forward_row(step, w, o, sum);
    rmil_layernorm_forward(w->pooled, d, w->outputs, d, rmil_step_parameter(step, NORM_WEIGHT), rmil_step_parameter(step, NORM_BIAS), w->b,
                           w->mean, w->rstd);
    for (int o = 0; o < w->outputs; o++) {
        double bag = rmil_dot(w->b, wb + o * w->outputs * d, w->outputs * d) + (double)rmil_step_parameter(step, BB)[o];
        outcome->logits[o] = 0.5 * (bag + (double)w->c[o * k + w->top[o]]);
    }
    const size_t bytes = (size_t)(w->outputs * k) * sizeof(float);
    if (step->scores) memcpy(step->scores, w->s, bytes);
    if (step->attention) memcpy(step->attention, w->a, bytes);
    *shown = (RmilGuided){.scores = w->s,
                          .labels = step->bag->patch_labels,
                          .tissue = step->bag->tissue,
                          .count = k,
                          .rows = w->outputs,
                          .scale = 1 / sqrt((double)step->config->attention_dim)};
    return TRUE;
}

/* One block's share of q = Rᵀ ds and of ∂b1 = Σ dZ; dps and us: ∂L/∂p and u as they appear in dZ = 1[R > 0] ∘ (a dpsᵀ + ds usᵀ). */
RMIL_CLONES static void back_block(const float *r, int64_t rows, int64_t n, const float *a, const float *ds, const float *dps,
                                   const float *us, float *q, float *db) {
    for (int64_t k = 0; k < rows; k++) {
        const float ak = a[k], sk = ds[k];
        const float *row = r + k * n;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            q[i] += sk * row[i];
            db[i] += row[i] > 0.0f ? ak * dps[i] + sk * us[i] : 0.0f;
        }
    }
}

/* From ∂z to P, through LayerNorm, and on to dp = ∂L/∂p, row by row. part and df: scratch, df is used later. All are C × D, dp is C ×
 * hidden. */
static void backward_bag(const RmilStep *step, const Work *w, const double *slope, float *part, float *df, float *dpooled, float *dp) {
    const int64_t d = step->config->dim, n = step->config->hidden, all = w->outputs * d;
    const float *wb = rmil_step_parameter(step, WB);
    float *dwb = rmil_step_gradient(step, WB), *dbv = rmil_step_gradient(step, BV);
    for (int o = 0; o < w->outputs; o++) {
        const float half = rmil_step_gradient(step, BB)[o] = (float)(0.5 * slope[o]);
        for (int64_t i = 0; i < all; i++) dwb[o * all + i] = half * w->b[i], part[i] = (o ? part[i] : 0) + half * wb[o * all + i];
    }
    memset(dpooled, 0, (size_t)all * sizeof(float));
    rmil_layernorm_backward(w->pooled, d, w->outputs, d, rmil_step_parameter(step, NORM_WEIGHT), w->mean, w->rstd, part, dpooled, d,
                            rmil_step_gradient(step, NORM_WEIGHT), rmil_step_gradient(step, NORM_BIAS));
    for (int o = 0; o < w->outputs; o++) {
        const float *from = dpooled + o * d, total = (float)w->attention[o].total;
        rmil_outer(from, d, w->f + o * d, d, o > 0, rmil_step_gradient(step, WV));
        for (int64_t i = 0; i < d; i++) dbv[i] = (o ? dbv[i] : 0) + total * from[i];
        rmil_transposed_vector(rmil_step_parameter(step, WV), d, d, from, FALSE, df + o * d);
        rmil_transposed_vector(rmil_step_parameter(step, W2), d, n, df + o * d, FALSE, dp + o * n);
    }
}

/* From q = Rᵀ ds and Σ ds of output o to the query side's parameters and dft = ∂L/∂F_t; dg (D), dqt (attention_dim): scratch. */
static void backward_query(const RmilStep *step, const Work *w, double slope, int o, const float *q, float total, float *dg, float *dqt,
                           float *dft) {
    const int64_t d = step->config->dim, n = step->config->hidden, m = step->config->attention_dim;
    const float *wq = rmil_step_parameter(step, WQ), *wi = rmil_step_parameter(step, WI) + o * d;
    const float *ft = w->ft + o * d, *qt = w->qt + o * m, half = (float)(0.5 * slope);
    float *dwq = rmil_step_gradient(step, WQ), *dbq = rmil_step_gradient(step, BQ), *dwi = rmil_step_gradient(step, WI) + o * d;
    rmil_matrix_vector(rmil_step_parameter(step, W2), d, n, q, rmil_step_parameter(step, B2), total, dg);
    rmil_matrix_vector(wq, m, d, dg, rmil_step_parameter(step, BQ), total, dqt);
    for (int64_t i = 0; i < m; i++) dbq[i] = (o ? dbq[i] : 0) + (total * qt[i] + dqt[i]);
    rmil_outer(qt, m, dg, d, o > 0, dwq);
    rmil_outer(dqt, m, ft, d, TRUE, dwq);
    rmil_transposed_vector(wq, m, d, dqt, FALSE, dft);
    for (int64_t i = 0; i < d; i++) dft[i] += half * wi[i], dwi[i] = half * ft[i];
    rmil_step_gradient(step, BI)[o] = half;
}

/* q (C × hidden) = Rᵀ ds of every row; db (hidden) = Σ dZ over the part that all patches receive. part: 2 × hidden of scratch. */
static void backward_patches(const RmilStep *step, const Work *w, const float *ds, const float *dps, const float *us, float *part,
                             double *q, double *db) {
    const int64_t k = step->bag->count, n = step->config->hidden;
    memset(q, 0, (size_t)(w->outputs * n) * sizeof *q);
    memset(db, 0, (size_t)n * sizeof *db);
    for (int64_t i = 0; i < k; i += ROWS)
        for (int o = 0; o < w->outputs; o++) {
            memset(part, 0, (size_t)(2 * n) * sizeof *part);
            back_block(w->r + i * n, MIN(ROWS, k - i), n, w->a + o * k + i, ds + o * k + i, dps + o * n, us + o * n, part, part + n);
            for (int64_t j = 0; j < n; j++) q[o * n + j] += (double)part[j], db[j] += (double)part[n + j];
        }
}

/* The part that only t receives: one row of dZ for each output, into dzt (hidden), ∂W1 and db. */
static gboolean backward_top(const RmilStep *step, const Work *w, int o, const float *dft, float *dzt, double *db, RmilArena *arena,
                             GError **error) {
    const int64_t n = step->config->hidden;
    const float *rt = w->rt + o * n;
    rmil_transposed_vector(rmil_step_parameter(step, W2), step->config->dim, n, dft, FALSE, dzt);
    for (int64_t j = 0; j < n; j++) {
        dzt[j] = rt[j] > 0 ? w->keep * dzt[j] : 0;
        db[j] += (double)dzt[j];
    }
    RmilFeatures xt = rmil_features_of(step->bag, w->top[o], 1);
    return rmil_features_backward(&xt, dzt, n, n, TRUE, rmil_step_gradient(step, W1), arena, error);
}

/* The backward pass from ds = ∂L/∂s on. */
static gboolean backward_scores(const RmilStep *step, const Work *w, const double *slope, const float *ds, const float *df, const float *dp,
                                RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, d = step->config->dim, n = step->config->hidden;
    float *wide = rmil_arena_floats(arena, 2 * d + step->config->attention_dim, error);
    float *narrow = rmil_arena_floats(arena, (3 + 2 * w->outputs) * n, error), *q = narrow, *part = narrow + n;
    float *dps = narrow + 3 * n, *us = dps + w->outputs * n;
    double *sums = rmil_arena_take(arena, (w->outputs + 1) * n, sizeof *sums, error), *db = sums + w->outputs * n;
    RmilMaskedTerm terms[2 * RMIL_OUTPUTS_MOST];
    if (!wide || !narrow || !sums) return FALSE;
    for (int64_t j = 0; j < w->outputs * n; j++) dps[j] = w->keep * dp[j], us[j] = w->keep * w->u[j];
    backward_patches(step, w, ds, dps, us, part, sums, db);
    for (int o = 0; o < w->outputs; o++) {
        terms[2 * o] = (RmilMaskedTerm){w->a + o * k, dps + o * n};
        terms[2 * o + 1] = (RmilMaskedTerm){ds + o * k, us + o * n};
    }
    const RmilFeatures x = rmil_features_of(step->bag, 0, k);
    if (!rmil_masked_backward(&x, w->r, n, terms, 2 * w->outputs, rmil_step_gradient(step, W1), arena, error)) return FALSE;

    float *dg = wide, *dft = wide + d, *dw2 = rmil_step_gradient(step, W2), *db2 = rmil_step_gradient(step, B2);
    for (int o = 0; o < w->outputs; o++) {
        double total = 0;
        for (int64_t i = 0; i < k; i++) total += (double)ds[o * k + i];
        for (int64_t j = 0; j < n; j++) q[j] = (float)sums[o * n + j];
        backward_query(step, w, slope[o], o, q, (float)total, dg, wide + 2 * d, dft);
        rmil_outer(df + o * d, d, w->p + o * n, n, o > 0, dw2);
        rmil_outer(w->g + o * d, d, q, n, TRUE, dw2);
        rmil_outer(dft, d, w->rt + o * n, n, TRUE, dw2);
        for (int64_t i = 0; i < d; i++)
            db2[i] = (o ? db2[i] : 0) + ((float)w->attention[o].total * df[o * d + i] + (float)total * w->g[o * d + i] + dft[i]);
        if (!backward_top(step, w, o, dft, part, db, arena, error)) return FALSE;
    }
    float *db1 = rmil_step_gradient(step, B1);
    for (int64_t j = 0; j < n; j++) db1[j] = (float)db[j];
    return TRUE;
}

static gboolean backward(const RmilStep *step, gpointer work, const double *slope, float *ds, float *unused, RmilArena *arena,
                         GError **error) {
    const Work *w = work;
    const int64_t k = step->bag->count, d = step->config->dim, n = step->config->hidden, rows = w->outputs;
    float *wide = rmil_arena_floats(arena, 3 * rows * d, error), *dp = rmil_arena_floats(arena, rows * n, error);
    float *da = rmil_arena_floats(arena, k, error);
    if (!wide || !dp || !da) return FALSE;
    float *df = wide, *dpooled = wide + rows * d;
    memset(rmil_step_gradient(step, NORM_WEIGHT), 0, (size_t)d * sizeof(float));
    memset(rmil_step_gradient(step, NORM_BIAS), 0, (size_t)d * sizeof(float));
    backward_bag(step, w, slope, wide + 2 * rows * d, df, dpooled, dp);
    for (int o = 0; o < rows; o++) { /* ∂a_k = V_k·∂P = R_k·dp + b2·df + b_v·∂P */
        double shift = rmil_dot(rmil_step_parameter(step, B2), df + o * d, d) + rmil_dot(rmil_step_parameter(step, BV), dpooled + o * d, d);
        rmil_rows_dot(w->r, n, k, n, dp + o * n, (float)shift, da);
        rmil_attention_backward(&w->attention[o], w->soft + o * k, w->a + o * k, da, k, TRUE, ds + o * k);
    }
    return backward_scores(step, w, slope, ds, df, dp, arena, error);
}

/* From instance logits c and scores s of several outputs (K × C): every output's row of attention, f and P, then z. */
static void onnx_rows(const RmilModelConfig *config, RmilOnnx *o, const char *r, const char *c, const char *s, int outputs) {
    const int64_t first = 0;
    const char *w2 = rmil_onnx_parameter(o, "adaptor.2.weight"), *b2 = rmil_onnx_parameter(o, "adaptor.2.bias");
    const char *wv = rmil_onnx_parameter(o, "attention_v.weight"), *bv = rmil_onnx_parameter(o, "attention_v.bias");
    const char *wb = rmil_onnx_parameter(o, "bag_classifier.weight"), *bb = rmil_onnx_parameter(o, "bag_classifier.bias");
    const char *rows[RMIL_OUTPUTS_MOST], *scores = rmil_onnx_node(o, "Transpose", s, NULL);
    for (int i = 0; i < outputs; i++) {
        const char *one = rmil_onnx_flat(o, rmil_onnx_row_of(o, scores, i));
        one = rmil_onnx_attention(o, one, 1 / sqrt((double)config->attention_dim), config->threshold, config->even_bags);
        rows[i] = rmil_onnx_row(o, one);
    }
    const char *a = rmil_onnx_join(o, rows, outputs, 0), *total = rmil_onnx_node(o, "ReduceSum", a, RMIL_ONNX_WHOLES(o, 1), NULL);
    const char *f = rmil_onnx_linear(o, rmil_onnx_node(o, "MatMul", a, r, NULL), w2, rmil_onnx_node(o, "Mul", b2, total, NULL));
    const char *pooled = rmil_onnx_linear(o, f, wv, rmil_onnx_node(o, "Mul", bv, total, NULL));
    const char *heads = rmil_onnx_node(o, "Reshape", wb, RMIL_ONNX_WHOLES(o, outputs, -1), NULL);
    const char *bag = rmil_onnx_linear(o, rmil_onnx_row(o, rmil_onnx_norm(o, pooled, "feature_norm")), heads, bb);
    const char *top = rmil_onnx_node(o, "ReduceMax", c, NULL);
    rmil_onnx_ints(o, "axes", 1, &first);
    const char *sum = rmil_onnx_node(o, "Add", rmil_onnx_flat(o, bag), rmil_onnx_flat(o, top), NULL);
    rmil_onnx_outputs(o, rmil_onnx_node(o, "Mul", sum, rmil_onnx_number(o, 0.5), NULL), scores, a);
}

static void onnx(const RmilModelConfig *config, RmilOnnx *o) {
    const int outputs = rmil_model_outputs(config);
    const char *w2 = rmil_onnx_parameter(o, "adaptor.2.weight"), *b2 = rmil_onnx_parameter(o, "adaptor.2.bias");
    const char *wi = rmil_onnx_parameter(o, "instance_classifier.weight"), *bi = rmil_onnx_parameter(o, "instance_classifier.bias");
    const char *wq = rmil_onnx_parameter(o, "attention_q.weight"), *bq = rmil_onnx_parameter(o, "attention_q.bias");
    const char *wv = rmil_onnx_parameter(o, "attention_v.weight"), *bv = rmil_onnx_parameter(o, "attention_v.bias");
    const char *wb = rmil_onnx_parameter(o, "bag_classifier.weight"), *bb = rmil_onnx_parameter(o, "bag_classifier.bias");
    const char *r = rmil_onnx_hidden(o);

    const char *u = rmil_onnx_node(o, "MatMul", wi, w2, NULL);
    const char *shift = rmil_onnx_node(o, "Add", rmil_onnx_node(o, "MatMul", wi, b2, NULL), bi, NULL);
    const char *c = rmil_onnx_linear(o, r, u, shift); /* K × C; one output: a list */
    if (outputs == 1) c = rmil_onnx_flat(o, c);
    const char *t = rmil_onnx_node(o, "ArgMax", c, NULL); /* the first maximum */
    rmil_onnx_int(o, "axis", 0);
    if (outputs > 1) t = rmil_onnx_flat(o, t);

    const char *ft = rmil_onnx_linear(o, rmil_onnx_node(o, "Gather", r, t, NULL), w2, b2);
    const char *qt = rmil_onnx_linear(o, ft, wq, bq), *g = rmil_onnx_node(o, "MatMul", qt, wq, NULL);
    const char *from_q = rmil_onnx_node(o, "MatMul", qt, bq, NULL), *from_2 = rmil_onnx_node(o, "MatMul", g, b2, NULL);
    const char *s = rmil_onnx_linear(o, r, rmil_onnx_node(o, "MatMul", g, w2, NULL), rmil_onnx_node(o, "Add", from_q, from_2, NULL));
    if (outputs > 1) {
        onnx_rows(config, o, r, c, s, outputs);
        return;
    }
    s = rmil_onnx_flat(o, s);
    const char *a = rmil_onnx_attention(o, s, 1 / sqrt((double)config->attention_dim), config->threshold, config->even_bags);

    const char *p = rmil_onnx_node(o, "MatMul", rmil_onnx_row(o, a), r, NULL), *total = rmil_onnx_node(o, "ReduceSum", a, NULL);
    const char *f = rmil_onnx_linear(o, p, w2, rmil_onnx_node(o, "Mul", b2, total, NULL));
    const char *pooled = rmil_onnx_linear(o, f, wv, rmil_onnx_node(o, "Mul", bv, total, NULL));
    const char *bag = rmil_onnx_linear(o, rmil_onnx_norm(o, pooled, "feature_norm"), rmil_onnx_row(o, wb), bb);
    const char *top = rmil_onnx_node(o, "Gather", c, t, NULL);
    const char *sum = rmil_onnx_node(o, "Add", rmil_onnx_flat(o, bag), top, NULL);
    rmil_onnx_outputs(o, rmil_onnx_node(o, "Mul", sum, rmil_onnx_number(o, 0.5), NULL), s, a);
}

static const RmilTrainMethod methods[] = {
    {.name = "dsmil", .title = "DS-MIL", .style = {"#cc79a7", "(4,3)", 11}},
    {.name = "ds-rank", .guide = RMIL_GUIDE_RANK, .title = "DS-MIL + rank", .style = {"#882255", "(12,4)", 10}},
    {0},
};

static const RmilOption options[] = {RMIL_HIDDEN(256), RMIL_ATTENTION_DIM(384), RMIL_DROPOUT, RMIL_THRESHOLD, RMIL_EVEN_BAGS, {0}};

static const RmilModelClass class = {
    .name = "dsmil",
    .source = "dual-stream multiple-instance learning, Li et al. 2021",
    .methods = methods,
    .guide = RMIL_GUIDE_RANK,
    .first = "adaptor.0.weight",
    .logits = 1,
    .tasks = RMIL_TAKES_ALL,
    .rows = rmil_model_outputs,
    .options = options,
    .layout = layout,
    .infer = infer,
    .work = sizeof(Work),
    .forward = forward,
    .backward = backward,
    .onnx = onnx,
};
RMIL_MODEL_FILE(dsmil, &class);
