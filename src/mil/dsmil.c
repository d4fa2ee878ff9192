/* DS-MIL (docs/models.md, DS-MIL and Fast identities). With R = relu(X W1ᵀ + b1), K × hidden, and F = R W2ᵀ + b2, the instance
 * logits c, the scores s and the pooled values are all linear in R, so that only vectors meet the large matrices:
 *   c = R W2ᵀw_i + …;   F_t = W2 R_t + b2;   Q_t = W_q F_t + b_q;   g = W_qᵀ Q_t;   s = R W2ᵀg + b2·g + b_q·Q_t
 *   f = Σ a_k F_k = W2 Rᵀa + b2 Σa;   P = Σ a_k V_k = W_v f + b_v Σa;   B = LayerNorm(P);   z = ½ (B·w_b + b_b + c_t)
 * and X enters two products a step: X W1ᵀ and, by the signs of R, dZᵀ X (masked.h). */
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

/* Rows of X and R per block: large enough for the products, small enough to stay near the processor. */
#define ROWS 512

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    const int64_t d = config->dim;
    rmil_parameter_linear(layout, "adaptor.0", config->hidden, d, TRUE);
    rmil_parameter_linear(layout, "adaptor.2", d, config->hidden, TRUE);
    rmil_parameter_linear(layout, "instance_classifier", 1, d, TRUE);
    rmil_parameter_linear(layout, "attention_q", config->attention_dim, d, TRUE);
    rmil_parameter_linear(layout, "attention_v", d, d, TRUE);
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 1, 1, d, 0, 0, "feature_norm.weight");
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 0, 1, d, 0, 0, "feature_norm.bias");
    rmil_parameter_add(layout, RMIL_INIT_UNIFORM, 1 / sqrt((double)d), 3, 1, 1, d, "bag_classifier.weight");
    rmil_parameter_add(layout, RMIL_INIT_UNIFORM, 1 / sqrt((double)d), 1, 1, 0, 0, "bag_classifier.bias");
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    config->hidden = shape(user, "adaptor.0.weight", 0);
    config->dim = shape(user, "adaptor.0.weight", 1);
    config->attention_dim = shape(user, "attention_q.weight", 0);
}

/* What forward leaves for backward. */
typedef struct {
    float *r;                       /* K × hidden */
    float *c, *s, *soft, *a;        /* K */
    float *u;                       /* hidden: W2ᵀ g */
    float *rt, *p;                  /* hidden: R_t, Rᵀ a */
    float *ft, *g, *f, *pooled, *b; /* D: F_t, g, f, P, B */
    float *qt;                      /* attention_dim: Q_t */
    int64_t top;                    /* t */
    float keep;                     /* dropout's factor */
    float mean, rstd;               /* of P */
    RmilAttention attention;
} Work;

/* The first of the largest, as PyTorch's max on one thread. */
static int64_t index_of_max(const float *x, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

static gboolean take(const RmilStep *step, Work *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, d = step->config->dim, n = step->config->hidden;
    float *columns = rmil_arena_floats(arena, 4 * k, error), *narrow = rmil_arena_floats(arena, 3 * n, error);
    float *wide = rmil_arena_floats(arena, 5 * d, error);
    w->r = rmil_arena_floats(arena, k * n, error);
    w->qt = rmil_arena_floats(arena, step->config->attention_dim, error);
    if (!columns || !narrow || !wide || !w->r || !w->qt) return FALSE;
    w->c = columns, w->s = columns + k, w->soft = columns + 2 * k, w->a = columns + 3 * k;
    w->u = narrow, w->rt = narrow + n, w->p = narrow + 2 * n;
    w->ft = wide, w->g = wide + d, w->f = wide + 2 * d, w->pooled = wide + 3 * d, w->b = wide + 4 * d;
    return TRUE;
}

static gboolean forward(const RmilStep *step, Work *w, RmilArena *arena, RmilOutcome *outcome, GError **error) {
    const RmilModelConfig *config = step->config;
    const int64_t k = step->bag->count, d = config->dim, n = config->hidden, q = config->attention_dim;
    const float *w2 = rmil_step_parameter(step, W2), *b2 = rmil_step_parameter(step, B2);
    const float *wi = rmil_step_parameter(step, WI), *wb = rmil_step_parameter(step, WB);
    const float *wq = rmil_step_parameter(step, WQ), *bq = rmil_step_parameter(step, BQ);
    double *sum = rmil_arena_take(arena, n, sizeof *sum, error);
    if (!sum || !take(step, w, arena, error)) return FALSE;

    rmil_transposed_vector(w2, d, n, wi, FALSE, w->u); /* for c; below the same memory is for s */
    float shift = (float)(rmil_dot(b2, wi, d) + (double)rmil_step_parameter(step, BI)[0]);
    RmilTransposed wt;
    if (!rmil_transpose(rmil_step_parameter(step, W1), n, d, step->bag->precision, arena, &wt, error)) return FALSE;
    const int64_t block = rmil_features_block(step->bag->precision, ROWS);
    for (int64_t i = 0; i < k; i += block) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(block, k - i));
        float *r = w->r + i * n;
        if (!rmil_features_forward(&x, &wt, n, r, n, arena, error)) return FALSE;
        rmil_rows_relu(r, n, x.rows, n, rmil_step_parameter(step, B1));
        w->keep = rmil_dropout(step, 0, i, x.rows, n, r, n);
        rmil_rows_dot(r, n, x.rows, n, w->u, shift, w->c + i);
    }
    w->top = index_of_max(w->c, k);
    memcpy(w->rt, w->r + w->top * n, (size_t)n * sizeof(float));
    rmil_matrix_vector(w2, d, n, w->rt, b2, 1, w->ft);
    rmil_matrix_vector(wq, q, d, w->ft, bq, 1, w->qt);
    rmil_transposed_vector(wq, q, d, w->qt, FALSE, w->g);
    rmil_transposed_vector(w2, d, n, w->g, FALSE, w->u);
    shift = (float)(rmil_dot(b2, w->g, d) + rmil_dot(bq, w->qt, q));
    rmil_rows_dot(w->r, n, k, n, w->u, shift, w->s);
    rmil_attention_forward(w->s, k, 1 / sqrt((double)q), config->threshold, w->soft, w->a, &w->attention);

    const float total = (float)w->attention.total;
    memset(sum, 0, (size_t)n * sizeof *sum);
    rmil_rows_pool(w->r, n, k, n, w->a, sum);
    for (int64_t i = 0; i < n; i++) w->p[i] = (float)sum[i];
    rmil_matrix_vector(w2, d, n, w->p, b2, total, w->f);
    rmil_matrix_vector(rmil_step_parameter(step, WV), d, d, w->f, rmil_step_parameter(step, BV), total, w->pooled);
    rmil_layernorm_forward(w->pooled, d, 1, d, rmil_step_parameter(step, NORM_WEIGHT), rmil_step_parameter(step, NORM_BIAS), w->b, &w->mean,
                           &w->rstd);
    double bag = rmil_dot(w->b, wb, d) + (double)rmil_step_parameter(step, BB)[0];
    outcome->logits[0] = 0.5 * (bag + (double)w->c[w->top]);
    if (step->scores) memcpy(step->scores, w->s, (size_t)k * sizeof(float));
    if (step->attention) memcpy(step->attention, w->a, (size_t)k * sizeof(float));
    return TRUE;
}

/* One block's share of q = Rᵀ ds and of ∂b1 = Σ dZ; dps and us: ∂L/∂p and u as dZ = 1[R > 0] ∘ (a dpsᵀ + ds usᵀ) has them. */
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

/* The way from ∂z to P, through LayerNorm, and on to dp = ∂L/∂p; part (D) and df (D) are scratch, df stays. */
static void backward_bag(const RmilStep *step, const Work *w, double slope, float *part, float *df, float *dpooled, float *dp) {
    const int64_t d = step->config->dim, n = step->config->hidden;
    const float *wb = rmil_step_parameter(step, WB), half = (float)(0.5 * slope), total = (float)w->attention.total;
    float *dwb = rmil_step_gradient(step, WB), *dbv = rmil_step_gradient(step, BV);
    for (int64_t i = 0; i < d; i++) dwb[i] = half * w->b[i], part[i] = half * wb[i];
    rmil_step_gradient(step, BB)[0] = half;
    memset(dpooled, 0, (size_t)d * sizeof(float));
    rmil_layernorm_backward(w->pooled, d, 1, d, rmil_step_parameter(step, NORM_WEIGHT), &w->mean, &w->rstd, part, dpooled, d,
                            rmil_step_gradient(step, NORM_WEIGHT), rmil_step_gradient(step, NORM_BIAS));
    rmil_outer(dpooled, d, w->f, d, FALSE, rmil_step_gradient(step, WV));
    for (int64_t i = 0; i < d; i++) dbv[i] = total * dpooled[i];
    rmil_transposed_vector(rmil_step_parameter(step, WV), d, d, dpooled, FALSE, df);
    rmil_transposed_vector(rmil_step_parameter(step, W2), d, n, df, FALSE, dp);
}

/* The way from q = Rᵀ ds and Σ ds to the query side's parameters and dft = ∂L/∂F_t; dg (D), dqt (attention_dim): scratch,
 * dg stays. */
static void backward_query(const RmilStep *step, const Work *w, double slope, const float *q, float total, float *dg, float *dqt,
                           float *dft) {
    const int64_t d = step->config->dim, n = step->config->hidden, m = step->config->attention_dim;
    const float *wq = rmil_step_parameter(step, WQ), *wi = rmil_step_parameter(step, WI);
    const float half = (float)(0.5 * slope);
    float *dwq = rmil_step_gradient(step, WQ), *dbq = rmil_step_gradient(step, BQ), *dwi = rmil_step_gradient(step, WI);
    rmil_matrix_vector(rmil_step_parameter(step, W2), d, n, q, rmil_step_parameter(step, B2), total, dg);
    rmil_matrix_vector(wq, m, d, dg, rmil_step_parameter(step, BQ), total, dqt);
    for (int64_t i = 0; i < m; i++) dbq[i] = total * w->qt[i] + dqt[i];
    rmil_outer(w->qt, m, dg, d, FALSE, dwq);
    rmil_outer(dqt, m, w->ft, d, TRUE, dwq);
    rmil_transposed_vector(wq, m, d, dqt, FALSE, dft);
    for (int64_t i = 0; i < d; i++) dft[i] += half * wi[i], dwi[i] = half * w->ft[i];
    rmil_step_gradient(step, BI)[0] = half;
}

/* From ds = ∂L/∂s on. */
static gboolean backward(const RmilStep *step, const Work *w, double slope, const float *ds, const float *df, const float *dp,
                         RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, d = step->config->dim, n = step->config->hidden;
    float *wide = rmil_arena_floats(arena, 2 * d + step->config->attention_dim, error);
    float *narrow = rmil_arena_floats(arena, 5 * n, error), *q = narrow, *part = narrow + n;
    float *dps = narrow + 3 * n, *us = narrow + 4 * n;
    double *sums = rmil_arena_take(arena, 2 * n, sizeof *sums, error);
    if (!wide || !narrow || !sums) return FALSE;
    for (int64_t j = 0; j < n; j++) dps[j] = w->keep * dp[j], us[j] = w->keep * w->u[j];
    memset(sums, 0, (size_t)(2 * n) * sizeof *sums);
    for (int64_t i = 0; i < k; i += ROWS) {
        memset(part, 0, (size_t)(2 * n) * sizeof *part);
        back_block(w->r + i * n, MIN(ROWS, k - i), n, w->a + i, ds + i, dps, us, part, part + n);
        for (int64_t j = 0; j < 2 * n; j++) sums[j] += (double)part[j];
    }
    const RmilFeatures x = rmil_features_of(step->bag, 0, k);
    const RmilMaskedTerm terms[] = {{w->a, dps}, {ds, us}};
    if (!rmil_masked_backward(&x, w->r, n, terms, 2, rmil_step_gradient(step, W1), arena, error)) return FALSE;
    double total = 0;
    for (int64_t i = 0; i < k; i++) total += (double)ds[i];
    for (int64_t j = 0; j < n; j++) q[j] = (float)sums[j];

    float *dg = wide, *dft = wide + d, *db1 = rmil_step_gradient(step, B1);
    float *dw2 = rmil_step_gradient(step, W2), *db2 = rmil_step_gradient(step, B2), *dzt = part;
    backward_query(step, w, slope, q, (float)total, dg, wide + 2 * d, dft);
    rmil_outer(df, d, w->p, n, FALSE, dw2);
    rmil_outer(w->g, d, q, n, TRUE, dw2);
    rmil_outer(dft, d, w->rt, n, TRUE, dw2);
    for (int64_t i = 0; i < d; i++) db2[i] = (float)w->attention.total * df[i] + (float)total * w->g[i] + dft[i];

    /* what t alone receives comes last, since it needs q: one row of dZ, one outer product */
    rmil_transposed_vector(rmil_step_parameter(step, W2), d, n, dft, FALSE, dzt);
    for (int64_t j = 0; j < n; j++) {
        dzt[j] = w->rt[j] > 0 ? w->keep * dzt[j] : 0;
        db1[j] = (float)(sums[n + j] + (double)dzt[j]);
    }
    RmilFeatures xt = rmil_features_of(step->bag, w->top, 1);
    return rmil_features_backward(&xt, dzt, n, n, TRUE, rmil_step_gradient(step, W1), arena, error);
}

static gboolean step(const RmilStep *step, RmilArena *arena, RmilOutcome *outcome, GError **error) {
    Work w;
    if (!forward(step, &w, arena, outcome, error)) return FALSE;
    if (step->target.label < 0) return TRUE;
    const int64_t k = step->bag->count, d = step->config->dim, n = step->config->hidden;
    double slope;
    outcome->slide_loss = rmil_bce(outcome->logits[0], step->target.label, &slope);
    float *ds = step->gradient ? rmil_arena_floats(arena, 2 * k, error) : NULL, *da = ds ? ds + k : NULL;
    if (step->gradient && !ds) return FALSE;
    const RmilGuided on = {.scores = w.s, .labels = step->bag->patch_labels, .tissue = step->bag->tissue, .count = k};
    if (!rmil_guide_loss(step, &on, arena, &outcome->guide_loss, ds, NULL, error)) return FALSE;
    outcome->loss = outcome->slide_loss + outcome->guide_loss;
    if (!step->gradient) return TRUE;

    float *wide = rmil_arena_floats(arena, 3 * d, error), *dp = rmil_arena_floats(arena, n, error);
    if (!wide || !dp) return FALSE;
    float *df = wide, *dpooled = wide + d;
    memset(rmil_step_gradient(step, NORM_WEIGHT), 0, (size_t)d * sizeof(float));
    memset(rmil_step_gradient(step, NORM_BIAS), 0, (size_t)d * sizeof(float));
    backward_bag(step, &w, slope, wide + 2 * d, df, dpooled, dp);
    /* ∂a_k = V_k·∂P = R_k·dp + b2·df + b_v·∂P */
    double shift = rmil_dot(rmil_step_parameter(step, B2), df, d) + rmil_dot(rmil_step_parameter(step, BV), dpooled, d);
    rmil_rows_dot(w.r, n, k, n, dp, (float)shift, da);
    rmil_attention_backward(&w.attention, w.soft, w.a, da, k, TRUE, ds);
    return backward(step, &w, slope, ds, df, dp, arena, error);
}

static void onnx(const RmilModelConfig *config, RmilOnnx *o) {
    const char *w2 = rmil_onnx_parameter(o, "adaptor.2.weight"), *b2 = rmil_onnx_parameter(o, "adaptor.2.bias");
    const char *wi = rmil_onnx_parameter(o, "instance_classifier.weight"), *bi = rmil_onnx_parameter(o, "instance_classifier.bias");
    const char *wq = rmil_onnx_parameter(o, "attention_q.weight"), *bq = rmil_onnx_parameter(o, "attention_q.bias");
    const char *wv = rmil_onnx_parameter(o, "attention_v.weight"), *bv = rmil_onnx_parameter(o, "attention_v.bias");
    const char *wb = rmil_onnx_parameter(o, "bag_classifier.weight"), *bb = rmil_onnx_parameter(o, "bag_classifier.bias");
    const char *r = rmil_onnx_hidden(o);

    const char *u = rmil_onnx_node(o, "MatMul", wi, w2, NULL);
    const char *shift = rmil_onnx_node(o, "Add", rmil_onnx_node(o, "MatMul", wi, b2, NULL), bi, NULL);
    const char *c = rmil_onnx_flat(o, rmil_onnx_linear(o, r, u, shift));
    const char *t = rmil_onnx_node(o, "ArgMax", c, NULL); /* the first of the largest */
    rmil_onnx_int(o, "axis", 0);

    const char *ft = rmil_onnx_linear(o, rmil_onnx_node(o, "Gather", r, t, NULL), w2, b2);
    const char *qt = rmil_onnx_linear(o, ft, wq, bq), *g = rmil_onnx_node(o, "MatMul", qt, wq, NULL);
    const char *from_q = rmil_onnx_node(o, "MatMul", qt, bq, NULL), *from_2 = rmil_onnx_node(o, "MatMul", g, b2, NULL);
    const char *s = rmil_onnx_flat(
        o, rmil_onnx_linear(o, r, rmil_onnx_node(o, "MatMul", g, w2, NULL), rmil_onnx_node(o, "Add", from_q, from_2, NULL)));
    const char *a = rmil_onnx_attention(o, s, 1 / sqrt((double)config->attention_dim), config->threshold);

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

static const RmilOption options[] = {RMIL_HIDDEN(256), RMIL_ATTENTION_DIM(384), RMIL_DROPOUT, RMIL_THRESHOLD, {0}};

static const RmilModelClass class = {
    .name = "dsmil",
    .methods = methods,
    .guide = RMIL_GUIDE_RANK,
    .first = "adaptor.0.weight",
    .logits = 1,
    .rows = 1,
    .options = options,
    .layout = layout,
    .infer = infer,
    .step = step,
    .onnx = onnx,
};
RMIL_MODEL_FILE(dsmil, &class);
