/* SPDX-License-Identifier: Apache-2.0 */
/* A classifier of single patches on frozen features, trained only on patch labels: o = X Wᵀ + b, or with one hidden layer, R = relu(X W1ᵀ +
 * b1) (docs/models.md, Patch classifiers). Everything after o is in patch.c, which returns d = ∂L/∂o. X enters two products per step:
 * without a hidden layer ∂W = dᵀ X, with one ∂W1 = dZᵀ X, dZ = 1[R > 0] ∘ Σ_c d_c w_cᵀ (masked.h). */
#include "patch.h"

#include "gemm.h"
#include "masked.h"
#include "onnx.h"
#include "rows.h"

#include <string.h>

/* With a hidden layer the classifier comes after it. */
enum { W1, B1 };
static int weight_of(const RmilModelConfig *config) { return config->patch_hidden ? 2 : 0; }

/* Rows of X and R per block: large enough for efficient products, small enough to stay in the cache. */
#define ROWS 512

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    const int64_t n = config->patch_hidden;
    if (n) rmil_parameter_linear(layout, "patch_hidden", n, config->dim, TRUE);
    rmil_parameter_linear(layout, "patch_classifier", rmil_model_outputs(config), n ? n : config->dim, TRUE);
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    const int64_t hidden = shape(user, "patch_hidden.weight", 0);
    config->patch_hidden = MAX(hidden, 0);
    config->dim = shape(user, hidden > 0 ? "patch_hidden.weight" : "patch_classifier.weight", 1);
    rmil_model_infer_outputs(config, shape(user, "patch_classifier.weight", 0));
}

typedef struct {
    int outputs;
    float *o, *slope; /* outputs × K; slope: only if there is a backward pass */
    float *z;         /* K × outputs, without a hidden layer */
    float *r;         /* K × hidden; no backward pass: one block */
    RmilPatchPool pool;
} Work;

static gboolean forward_plain(const RmilStep *step, Work *w, RmilArena *arena, GError **error) {
    w->z = rmil_arena_floats(arena, step->bag->count * w->outputs, error);
    return w->z && rmil_patch_logits(step, 0, w->o, w->z, arena, error);
}

static gboolean forward_hidden(const RmilStep *step, Work *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, n = step->config->patch_hidden, block = rmil_features_block(step->bag->precision, ROWS);
    const float *weight = rmil_step_parameter(step, 2), *bias = rmil_step_parameter(step, 3);
    RmilTransposed wt;
    w->r = rmil_arena_floats(arena, (step->gradient ? k : MIN(k, block)) * n, error);
    if (!w->r || !rmil_transpose(rmil_step_parameter(step, W1), n, step->config->dim, step->bag->precision, arena, &wt, error))
        return FALSE;
    for (int64_t i = 0; i < k; i += block) {
        const RmilFeatures x = rmil_features_of(step->bag, i, MIN(block, k - i));
        float *r = w->r + (step->gradient ? i * n : 0);
        if (!rmil_features_forward(&x, &wt, n, r, n, arena, error)) return FALSE;
        rmil_rows_relu(r, n, x.rows, n, rmil_step_parameter(step, B1));
        for (int c = 0; c < w->outputs; c++) rmil_rows_dot(r, n, x.rows, n, weight + c * n, bias[c], w->o + c * k + i);
    }
    return TRUE;
}

static void backward_bias(const RmilStep *step, const Work *w) {
    const int64_t k = step->bag->count;
    float *db = rmil_step_gradient(step, weight_of(step->config) + 1);
    for (int c = 0; c < w->outputs; c++) {
        double sum = 0;
        for (int64_t i = 0; i < k; i++) sum += (double)w->slope[c * k + i];
        db[c] = (float)sum;
    }
}

static gboolean backward_plain(const RmilStep *step, const Work *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, n = w->outputs;
    const RmilFeatures x = rmil_features_of(step->bag, 0, k);
    for (int64_t i = 0; i < k; i++)
        for (int64_t c = 0; c < n; c++) w->z[i * n + c] = w->slope[c * k + i];
    return rmil_features_backward(&x, w->z, n, n, FALSE, rmil_step_gradient(step, 0), arena, error);
}

/* One block's share of ∂b1 from one output: b (n floats) += Σ_k 1[R_k > 0] d_k w. */
RMIL_CLONES static void hidden_bias(const float *r, int64_t rows, int64_t n, const float *d, const float *weight, float *b) {
    for (int64_t k = 0; k < rows; k++) {
        const float dk = d[k], *row = r + k * n;
        if (dk == 0.0f) continue;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) b[i] += row[i] > 0.0f ? dk * weight[i] : 0.0f;
    }
}

static gboolean backward_hidden(const RmilStep *step, const Work *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, n = step->config->patch_hidden;
    const float *weight = rmil_step_parameter(step, 2);
    float *dw = rmil_step_gradient(step, 2), *db1 = rmil_step_gradient(step, B1), *part = rmil_arena_floats(arena, n, error);
    double *sums = rmil_arena_take(arena, 2 * n, sizeof *sums, error), *bias = sums + n;
    RmilMaskedTerm terms[RMIL_OUTPUTS_MOST];
    if (!part || !sums) return FALSE;
    memset(bias, 0, (size_t)n * sizeof *bias);
    for (int c = 0; c < w->outputs; c++) {
        const float *d = w->slope + c * k;
        memset(sums, 0, (size_t)n * sizeof *sums);
        rmil_rows_pool(w->r, n, k, n, d, sums);
        for (int64_t j = 0; j < n; j++) dw[c * n + j] = (float)sums[j];
        for (int64_t i = 0; i < k; i += ROWS) {
            memset(part, 0, (size_t)n * sizeof *part);
            hidden_bias(w->r + i * n, MIN(ROWS, k - i), n, d + i, weight + c * n, part);
            for (int64_t j = 0; j < n; j++) bias[j] += (double)part[j];
        }
        terms[c] = (RmilMaskedTerm){d, weight + c * n};
    }
    for (int64_t j = 0; j < n; j++) db1[j] = (float)bias[j];
    const RmilFeatures x = rmil_features_of(step->bag, 0, k);
    return rmil_masked_backward(&x, w->r, n, terms, w->outputs, rmil_step_gradient(step, W1), arena, error);
}

static gboolean forward(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error) {
    const int64_t k = step->bag->count;
    Work *w = work;
    w->outputs = rmil_model_outputs(step->config);
    w->o = rmil_arena_floats(arena, w->outputs * k, error);
    if (step->gradient && w->o) w->slope = rmil_arena_floats(arena, w->outputs * k, error);
    if (!w->o || (step->gradient && !w->slope)) return FALSE;
    return (step->config->patch_hidden ? forward_hidden : forward_plain)(step, w, arena, error) &&
           rmil_patch_pool(step, w->o, &w->pool, arena, outcome, error);
}

static gboolean loss(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, double *slope, GError **error) {
    const Work *w = work;
    rmil_patch_settle(step, w->o, &w->pool, w->slope, outcome);
    return TRUE;
}

static gboolean backward(const RmilStep *step, gpointer work, const double *slope, float *ds, float *da, RmilArena *arena, GError **error) {
    backward_bias(step, work);
    return (step->config->patch_hidden ? backward_hidden : backward_plain)(step, work, arena, error);
}

static void onnx(const RmilModelConfig *config, RmilOnnx *o) {
    const char *x = rmil_onnx_features(o), *weight = rmil_onnx_parameter(o, "patch_classifier.weight");
    if (config->patch_hidden) {
        const char *w1 = rmil_onnx_parameter(o, "patch_hidden.weight"), *b1 = rmil_onnx_parameter(o, "patch_hidden.bias");
        x = rmil_onnx_node(o, "Relu", rmil_onnx_linear(o, x, w1, b1), NULL);
    }
    rmil_patch_onnx(config, o, rmil_onnx_linear(o, x, weight, rmil_onnx_parameter(o, "patch_classifier.bias")));
}

static const RmilTrainMethod methods[] = {{.name = "instance", .title = "Patch classifier", .style = {"#661100", "(5,8)", 8}}, {0}};

static const RmilOption options[] = {RMIL_PATCH_HIDDEN, RMIL_PATCH_TOP, {0}};

static const RmilModelClass class = {
    .name = "patch-linear",
    .source = "classifier of patches with max pooling, Kim et al. 2026",
    .methods = methods,
    .logits = 1,
    .tasks = RMIL_TAKES_CLASSES,
    .patches = TRUE,
    .rows = rmil_model_outputs,
    .first = "patch_classifier.weight",
    .options = options,
    .layout = layout,
    .infer = infer,
    .work = sizeof(Work),
    .forward = forward,
    .loss = loss,
    .backward = backward,
    .onnx = onnx,
};
RMIL_MODEL_FILE(patch_linear, &class);
