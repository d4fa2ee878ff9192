/* SPDX-License-Identifier: Apache-2.0 */
/* AB-MIL with gated attention (Ilse et al., ICML 2018, eq. 9; docs/models.md, Gated AB-MIL): gated pooling and one linear layer. */
#include "gated-pool.h"
#include "guide.h"
#include "onnx.h"
#include "rows.h"

#include <string.h>

enum { WC = RMIL_POOL_TENSORS, BC };

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    rmil_gated_pool_layout(config, layout, 1);
    rmil_parameter_linear(layout, "classifier", rmil_model_outputs(config), config->hidden, TRUE);
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    rmil_gated_pool_infer(config, shape, user);
    rmil_model_infer_outputs(config, shape(user, "classifier.weight", 0));
}

static gboolean forward(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error) {
    RmilGatedPool *pool = work;
    const int64_t n = step->config->hidden;
    const float *wc = rmil_step_parameter(step, WC), *bc = rmil_step_parameter(step, BC);
    if (!rmil_gated_pool_forward(step, pool, 1, arena, error)) return FALSE;
    for (int c = 0; c < rmil_model_outputs(step->config); c++) outcome->logits[c] = rmil_dot(wc + c * n, pool->pooled, n) + (double)bc[c];
    *shown = (RmilGuided){.scores = pool->s, .labels = step->bag->patch_labels, .tissue = step->bag->tissue, .count = step->bag->count};
    return TRUE;
}

static gboolean backward(const RmilStep *step, gpointer work, const double *slope, float *guided, float *unused, RmilArena *arena,
                         GError **error) {
    RmilGatedPool *pool = work;
    const int64_t n = step->config->hidden;
    const int outputs = rmil_model_outputs(step->config);
    float dz[RMIL_OUTPUTS_MOST];
    memset(step->gradient, 0, (size_t)step->layout->count * sizeof(float));
    for (int c = 0; c < outputs; c++) dz[c] = (float)slope[c];
    rmil_outer(dz, outputs, pool->pooled, n, FALSE, rmil_step_gradient(step, WC));
    memcpy(rmil_step_gradient(step, BC), dz, (size_t)outputs * sizeof *dz);
    rmil_transposed_vector(rmil_step_parameter(step, WC), outputs, n, dz, FALSE, pool->slope);
    return rmil_gated_pool_backward(step, pool, guided, NULL, NULL, arena, error);
}

static void onnx(const RmilModelConfig *config, RmilOnnx *o) {
    const char *s, *a, *pooled = rmil_gated_pool_onnx(o, &s, &a);
    const char *z = rmil_onnx_linear(o, pooled, rmil_onnx_parameter(o, "classifier.weight"), rmil_onnx_parameter(o, "classifier.bias"));
    rmil_onnx_outputs(o, rmil_onnx_flat(o, z), rmil_onnx_flat(o, s), rmil_onnx_flat(o, a));
}

static const RmilTrainMethod methods[] = {
    {.name = "gated-abmil", .title = "Gated AB-MIL", .style = {"#a6761d", "(8,2)", 8}},
    {.name = "gated-rank", .guide = RMIL_GUIDE_RANK, .title = "Gated AB-MIL + rank", .style = {"#66a61e", "(5,1,1,1)", 8}},
    {0},
};

static const RmilOption options[] = {RMIL_HIDDEN(512), RMIL_ATTENTION_DIM(256), RMIL_DROPOUT, {0}};

static const RmilModelClass class = {
    .name = "gated-abmil",
    .source = "gated attention-based multiple-instance learning, Ilse et al. 2018",
    .methods = methods,
    .guide = RMIL_GUIDE_RANK,
    .first = "adaptor.0.weight",
    .logits = 1,
    .tasks = RMIL_TAKES_ALL,
    .options = options,
    .layout = layout,
    .infer = infer,
    .work = sizeof(RmilGatedPool),
    .forward = forward,
    .backward = backward,
    .onnx = onnx,
};
RMIL_MODEL_FILE(gated_abmil, &class);
