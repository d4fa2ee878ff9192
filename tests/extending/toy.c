/* SPDX-License-Identifier: Apache-2.0 */
/* A model of docs/extending.md: every patch has a score, the slide's logit is their mean, weighted by softmax(sharpness × score). */
#include "mil/gemm.h"
#include "mil/guide.h"
#include "mil/onnx.h"
#include "mil/rows.h"

#include <math.h>
#include <string.h>

enum { W, B };

typedef struct {
    double sharpness;
} Options;

static const RmilOption options[] = {
    {RMIL_NUMBER("toy-sharpness", "toy_sharpness", 1, 0, 100, "X", "how much higher scores weigh more"),
     .offset = offsetof(Options, sharpness), .untold = TRUE},
    {0},
};

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    rmil_parameter_linear(layout, "toy", 1, config->dim, TRUE);
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    config->dim = shape(user, "toy.weight", 1);
}

typedef struct {
    float *s, *a; /* K */
} Work;

static gboolean forward(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error) {
    const Options *own = rmil_model_own(step->config);
    const int64_t k = step->bag->count;
    const RmilFeatures x = rmil_features_of(step->bag, 0, k);
    Work *w = work;
    float *s = w->s = rmil_arena_floats(arena, 2 * k, error), *a = w->a = s + k;
    RmilTransposed wt;
    if (!s || !rmil_transpose(rmil_step_parameter(step, W), 1, x.dim, x.precision, arena, &wt, error) ||
        !rmil_features_forward(&x, &wt, 1, s, 1, arena, error))
        return FALSE;
    double top = -INFINITY, sum = 0, z = 0;
    for (int64_t i = 0; i < k; i++) {
        s[i] += rmil_step_parameter(step, B)[0];
        top = MAX(top, (double)s[i]);
    }
    for (int64_t i = 0; i < k; i++) sum += (double)(a[i] = (float)exp(own->sharpness * ((double)s[i] - top)));
    for (int64_t i = 0; i < k; i++) z += (double)(a[i] = (float)((double)a[i] / sum)) * (double)s[i];
    outcome->logits[0] = z;
    if (step->scores) memcpy(step->scores, s, (size_t)k * sizeof *s);
    if (step->attention) memcpy(step->attention, a, (size_t)k * sizeof *a);
    *shown = (RmilGuided){.scores = s, .attention = a, .labels = step->bag->patch_labels, .tissue = step->bag->tissue, .count = k};
    return TRUE;
}

static gboolean backward(const RmilStep *step, gpointer work, const double *slope, float *ds, float *da, RmilArena *arena, GError **error) {
    const Options *own = rmil_model_own(step->config);
    const RmilFeatures x = rmil_features_of(step->bag, 0, step->bag->count);
    const Work *w = work;
    const float *s = w->s, *a = w->a;
    double mean = 0, all = 0; /* z is Σ a s, and a depends on s, too; so does what the guide makes of a */
    for (int64_t i = 0; i < x.rows; i++) mean += (double)a[i] * (double)(da[i] += (float)(slope[0] * (double)s[i]));
    for (int64_t i = 0; i < x.rows; i++) {
        ds[i] += (float)(slope[0] * (double)a[i] + own->sharpness * (double)a[i] * ((double)da[i] - mean));
        all += (double)ds[i];
    }
    rmil_step_gradient(step, B)[0] = (float)all;
    return rmil_features_backward(&x, ds, 1, 1, FALSE, rmil_step_gradient(step, W), arena, error);
}

static void onnx(const RmilModelConfig *config, RmilOnnx *o) {
    const Options *own = rmil_model_own(config);
    const char *weight = rmil_onnx_parameter(o, "toy.weight"), *bias = rmil_onnx_parameter(o, "toy.bias");
    const char *s = rmil_onnx_flat(o, rmil_onnx_linear(o, rmil_onnx_features(o), weight, bias));
    const char *a = rmil_onnx_attention(o, s, own->sharpness, -1, FALSE);
    rmil_onnx_outputs(o, rmil_onnx_node(o, "ReduceSum", rmil_onnx_node(o, "Mul", a, s, NULL), NULL), s, a);
}

static const RmilTrainMethod methods[] = {
    {.name = "toy", .title = "Toy", .style = {"#a6761d", "(3,1)", 3}},
    {.name = "toy-rank", .guide = RMIL_GUIDE_RANK, .title = "Toy + rank", .style = {"#666600", "(5,1,1,1)", 2}},
    {.name = "toy-lift", .guide = (RmilGuide)5, .title = "Toy + lift", .style = {"#1b5e20", "(7,1)", 1}},
    {0},
};

static const RmilModelClass class = {
    .name = "toy",
    .methods = methods,
    .guide = RMIL_GUIDE_RANK,
    .logits = 1,
    .first = "toy.weight",
    .options = options,
    .layout = layout,
    .infer = infer,
    .work = sizeof(Work),
    .forward = forward,
    .backward = backward,
    .onnx = onnx,
};
RMIL_MODEL_FILE(toy, &class);
