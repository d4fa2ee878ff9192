/* SPDX-License-Identifier: Apache-2.0 */
/* Gated attention pooling. */
#include "gated-pool.h"

#include "attention.h"
#include "gated.h"
#include "gemm.h"
#include "onnx.h"
#include "rows.h"

#include <string.h>

enum {
    WH = RMIL_POOL_WH,
    BH = RMIL_POOL_BH,
    WA = RMIL_POOL_WA,
    BA = RMIL_POOL_BA,
    WB = RMIL_POOL_WB,
    BB = RMIL_POOL_BB,
    WF = RMIL_POOL_WF,
    BF = RMIL_POOL_BF
};

#define ROWS 256

void rmil_gated_pool_layout(const RmilModelConfig *config, RmilParameterLayout *layout, int rows) {
    const int64_t n = config->hidden, m = config->attention_dim;
    rmil_parameter_linear(layout, "adaptor.0", n, config->dim, TRUE);
    rmil_parameter_linear(layout, "attention_net.attention_a.0", m, n, TRUE);
    rmil_parameter_linear(layout, "attention_net.attention_b.0", m, n, TRUE);
    rmil_parameter_linear(layout, "attention_net.fc", rows, m, TRUE);
}

void rmil_gated_pool_infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    config->hidden = shape(user, "adaptor.0.weight", 0);
    config->dim = shape(user, "adaptor.0.weight", 1);
    config->attention_dim = shape(user, "attention_net.attention_a.0.weight", 0);
}

static gboolean take(const RmilStep *step, RmilGatedPool *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, n = step->config->hidden, m = step->config->attention_dim;
    w->keep = 1;
    w->block = rmil_features_block(step->bag->precision, ROWS);
    float *columns = rmil_arena_floats(arena, 3 * w->rows * k, error);
    w->ldh = rmil_row_stride(n), w->ldu = rmil_row_stride(2 * m);
    w->h = rmil_arena_floats(arena, k * w->ldh, error);
    w->gates = rmil_arena_floats(arena, (step->gradient ? k : MIN(k, w->block)) * w->ldu, error);
    w->weights = rmil_arena_floats(arena, 2 * m * w->ldh, error);
    w->pooled = rmil_arena_floats(arena, 2 * w->rows * n, error);
    if (!columns || !w->h || !w->gates || !w->weights || !w->pooled) return FALSE;
    for (int64_t i = 0; i < 2 * m; i++)
        memcpy(w->weights + i * w->ldh, i < m ? rmil_step_parameter(step, WA) + i * n : rmil_step_parameter(step, WB) + (i - m) * n,
               (size_t)n * sizeof(float));
    w->s = columns, w->soft = columns + w->rows * k, w->a = w->soft + w->rows * k;
    w->slope = w->pooled + w->rows * n;
    return TRUE;
}

gboolean rmil_gated_pool_forward(const RmilStep *step, RmilGatedPool *w, int rows, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, n = step->config->hidden, m = step->config->attention_dim;
    double *sum = rmil_arena_take(arena, n, sizeof *sum, error);
    w->rows = rows;
    if (!sum || !take(step, w, arena, error)) return FALSE;
    RmilTransposed wt;
    if (!rmil_transpose(rmil_step_parameter(step, WH), n, step->config->dim, step->bag->precision, arena, &wt, error)) return FALSE;
    for (int64_t i = 0; i < k; i += w->block) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(w->block, k - i));
        float *h = w->h + i * w->ldh, *u = w->gates + (step->gradient ? i * w->ldu : 0);
        if (!rmil_features_forward(&x, &wt, n, h, w->ldh, arena, error)) return FALSE;
        rmil_rows_relu(h, w->ldh, x.rows, n, rmil_step_parameter(step, BH));
        w->keep = rmil_dropout(step, 0, i, x.rows, n, h, w->ldh);
        if (!rmil_gemm(FALSE, TRUE, x.rows, 2 * m, n, 1, h, w->ldh, w->weights, w->ldh, 0, u, w->ldu, error)) return FALSE;
        rmil_gated_forward(u, w->ldu, x.rows, m, rmil_step_parameter(step, BA), rmil_step_parameter(step, BB));
        rmil_dropout(step, 1, i, x.rows, 2 * m, u, w->ldu);
        rmil_gated_scores(u, w->ldu, x.rows, m, rmil_step_parameter(step, WF), rmil_step_parameter(step, BF), rows, w->s + i, k);
    }
    for (int c = 0; c < rows; c++) {
        RmilAttention attention;
        rmil_attention_forward(w->s + c * k, k, 1, -1, FALSE, w->soft + c * k, w->a + c * k, &attention);
        memset(sum, 0, (size_t)n * sizeof *sum);
        rmil_rows_pool(w->h, w->ldh, k, n, w->a + c * k, sum);
        for (int64_t i = 0; i < n; i++) w->pooled[c * n + i] = (float)sum[i];
    }
    if (step->scores) memcpy(step->scores, w->s, (size_t)(rows * k) * sizeof(float));
    if (step->attention) memcpy(step->attention, w->a, (size_t)(rows * k) * sizeof(float));
    return TRUE;
}

/* -- backward pass --------------------------------------------------------------------------------------------------------- */

/* dh += Σ A_c dM_c over the rows from the third on; the first two are added where dh is read anyway. */
RMIL_CLONES static void add_branches(float *dh, int64_t ld, int64_t rows, int64_t n, int classes, const float *a, int64_t stride,
                                     const float *slope) {
    for (int64_t k = 0; k < rows; k++)
        for (int c = 2; c < classes; c++) {
            const float weight = a[c * stride + k], *from = slope + c * n;
            float *d = dh + k * ld;
#pragma omp simd
            for (int64_t i = 0; i < n; i++) d[i] += weight * from[i];
        }
}

/* dh becomes dZ = 1[h > 0] ∘ keep (dh + Σ_c A_c dM_c), and its sum is added to db. */
RMIL_CLONES static void back_relu(const float *h, float *dh, int64_t ld, int64_t rows, int64_t n, int classes, const float *a,
                                  int64_t stride, const float *slope, float keep, float *db) {
    const float *slope1 = slope + (classes > 1 ? n : 0);
    for (int64_t k = 0; k < rows; k++) {
        const float *row = h + k * ld, a0 = a[k], a1 = classes > 1 ? a[stride + k] : 0.0f;
        float *d = dh + k * ld;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            float v = keep * (d[i] + a0 * slope[i] + a1 * slope1[i]);
            v = row[i] > 0.0f ? v : 0.0f;
            d[i] = v;
            db[i] += v;
        }
    }
}

/* ∂L/∂s of a block of patches, in place of the softmax, and its sum. */
static void backward_block(const RmilStep *step, RmilGatedPool *w, int64_t first, int64_t count, const double *base, const float *guided) {
    const int64_t k = step->bag->count, n = step->config->hidden;
    float *dbf = rmil_step_gradient(step, BF);
    for (int c = 0; c < w->rows; c++) {
        const float *a = w->a + c * k + first;
        float *d = w->soft + c * k + first;
        double sum = 0;
        rmil_rows_dot(w->h + first * w->ldh, w->ldh, count, n, w->slope + c * n, (float)-base[c], d);
        for (int64_t j = 0; j < count; j++) sum += (double)(d[j] = d[j] * a[j] + (guided ? guided[c * k + first + j] : 0));
        dbf[c] += (float)sum;
    }
}

gboolean rmil_gated_pool_backward(const RmilStep *step, RmilGatedPool *w, const float *guided, RmilGatedMore more, gpointer user,
                                  RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, n = step->config->hidden, m = step->config->attention_dim;
    float *dh = rmil_arena_floats(arena, MIN(k, w->block) * w->ldh, error), *ds = w->soft; /* attention stays in w->a */
    float *dweights = rmil_arena_floats(arena, 2 * m * n, error);
    if (!dh || !dweights) return FALSE;
    double base[RMIL_OUTPUTS_MOST];
    for (int c = 0; c < w->rows; c++) base[c] = rmil_dot(w->pooled + c * n, w->slope + c * n, n);
    for (int64_t i = 0; i < k; i += w->block) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(w->block, k - i));
        const float *h = w->h + i * w->ldh, again = i > 0;
        float *u = w->gates + i * w->ldu;
        backward_block(step, w, i, x.rows, base, guided);
        rmil_gated_backward(u, w->ldu, x.rows, m, rmil_step_parameter(step, WF), w->rows, ds + i, k, w->keep, rmil_step_gradient(step, WF),
                            rmil_step_gradient(step, BA), rmil_step_gradient(step, BB));
        if (!rmil_gemm(TRUE, FALSE, 2 * m, n, x.rows, 1, u, w->ldu, h, w->ldh, again, dweights, n, error) ||
            !rmil_gemm(FALSE, FALSE, x.rows, n, 2 * m, 1, u, w->ldu, w->weights, w->ldh, 0, dh, w->ldh, error))
            return FALSE;
        if (more) more(step, user, i, x.rows, dh);
        add_branches(dh, w->ldh, x.rows, n, w->rows, w->a + i, k, w->slope);
        back_relu(h, dh, w->ldh, x.rows, n, w->rows, w->a + i, k, w->slope, w->keep, rmil_step_gradient(step, BH));
        if (!rmil_features_backward(&x, dh, w->ldh, n, i > 0, rmil_step_gradient(step, WH), arena, error)) return FALSE;
    }
    memcpy(rmil_step_gradient(step, WA), dweights, (size_t)(m * n) * sizeof(float));
    memcpy(rmil_step_gradient(step, WB), dweights + m * n, (size_t)(m * n) * sizeof(float));
    return TRUE;
}

/* -- as ONNX --------------------------------------------------------------------------------------------------------------- */

const char *rmil_gated_pool_onnx(RmilOnnx *o, const char **scores, const char **attention) {
    const char *h = rmil_onnx_hidden(o), *gates[2];
    for (int i = 0; i < 2; i++) {
        const char *weight = rmil_onnx_parameter(o, "attention_net.attention_%c.0.weight", 'a' + i);
        const char *bias = rmil_onnx_parameter(o, "attention_net.attention_%c.0.bias", 'a' + i);
        gates[i] = rmil_onnx_node(o, i ? "Sigmoid" : "Tanh", rmil_onnx_linear(o, h, weight, bias), NULL);
    }
    const char *gated = rmil_onnx_node(o, "Mul", gates[0], gates[1], NULL);
    const char *s = rmil_onnx_linear(o, gated, rmil_onnx_parameter(o, "attention_net.fc.weight"),
                                     rmil_onnx_parameter(o, "attention_net.fc.bias"));
    *scores = rmil_onnx_node(o, "Transpose", s, NULL);
    *attention = rmil_onnx_node(o, "Softmax", *scores, NULL);
    rmil_onnx_int(o, "axis", 1);
    return rmil_onnx_node(o, "MatMul", *attention, h, NULL);
}
