/* SPDX-License-Identifier: Apache-2.0 */
/* A classifier of single patches from their pixels: ResNet-50, fine-tuned on patch labels only, and a linear head: the paper's fully
 * supervised system (Multimedia Appendix 4). Its step takes the features that the network computes from tiles; pixels are handled in
 * cnn-features.c and cnn-train.c. */
#include "cnn.h"
#include "onnx.h"

#include <math.h>
#include <string.h>

static const char *const stages[] = {"none", "stem", "layer1", "layer2", "layer3", NULL};
static const char *const switches[] = {"off", "on", NULL};
static const char *const precisions[] = {"float32", "bfloat16", NULL}; /* as RmilPrecision */

static const RmilOption options[] = {
    {RMIL_WHOLE("cnn-width", "cnn_width", 64, 16, 256, "N", "channels of the network's stem: 64 is ResNet-50"),
     .offset = offsetof(RmilCnnOptions, width)},
    {RMIL_WORD("freeze", "freeze", 0, stages, "STAGE", "freeze the network's stages up to this one"),
     .offset = offsetof(RmilCnnOptions, frozen)},
    {RMIL_WHOLE("tile-batch", "tile_batch", 32, 2, 1024, "N", "tiles per step of Adam"), .offset = offsetof(RmilCnnOptions, batch)},
    {RMIL_WHOLE("epochs-tiles", "epochs_tiles", 32, 1, 1000000, "N", "tiles per slide and epoch, on average"),
     .offset = offsetof(RmilCnnOptions, tiles)},
    {RMIL_WHOLE("val-tiles", "val_tiles", 128, 0, 1000000, "N", "tiles per validation slide, always the same ones; 0: all"),
     .offset = offsetof(RmilCnnOptions, judged)},
    {RMIL_WORD("flip", "flip", TRUE, switches, "SWITCH", "mirror training tiles at random"), .offset = offsetof(RmilCnnOptions, flip),
     .elsewhere = TRUE},
    {RMIL_WORD("turn", "turn", TRUE, switches, "SWITCH", "rotate training tiles at random by multiples of 90°"),
     .offset = offsetof(RmilCnnOptions, turn), .elsewhere = TRUE},
    {RMIL_NUMBER("stain-jitter", "stain_jitter", 0.05, 0, 1, "X", "vary the stain of training tiles by up to this fraction; 0: off"),
     .offset = offsetof(RmilCnnOptions, stain)},
    {RMIL_WORD("cnn-precision", "cnn_precision", RMIL_FLOAT32, precisions, "NAME", "precision of the network in training"),
     .offset = offsetof(RmilCnnOptions, precision)},
    RMIL_PATCH_TOP,
    {0},
};

static int64_t dim(const RmilModelConfig *config) { return 32 * ((const RmilCnnOptions *)rmil_model_own(config))->width; }

static gboolean check(const RmilModelConfig *config, GError **error) {
    const RmilCnnOptions *own = rmil_model_own(config);
    return own->width % 16 == 0 ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT, "--cnn-width %" G_GINT64_FORMAT " is not a multiple of 16", own->width);
}

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    const RmilCnnOptions *own = rmil_model_own(config);
    const RmilNetworkShape shape = rmil_cnn_shape(config);
    g_autoptr(GArray) tensors = rmil_network_tensors(&shape);
    for (guint i = 0; i < tensors->len; i++) {
        const RmilNetworkTensor *t = &g_array_index(tensors, RmilNetworkTensor, i);
        const gboolean head = t->stage > RMIL_STAGES;
        const RmilInit init = !t->inputs ? RMIL_INIT_CONSTANT : head ? RMIL_INIT_UNIFORM : RMIL_INIT_NORMAL;
        /* convolutions: He et al. 2015, fan_out, as in torchvision */
        const double fan = t->rank == 4 ? (double)(t->shape[0] * t->shape[2] * t->shape[3]) : (double)t->inputs;
        const double scale = !t->inputs ? (double)t->usual : head ? 1 / sqrt(fan) : sqrt(2 / fan);
        const int at = rmil_parameter_add_shape(layout, init, scale, t->rank, t->shape, t->name);
        g_array_index(layout->tensors, RmilParameter, at).unused = t->statistic || t->stage < own->frozen;
    }
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    RmilCnnOptions *own = rmil_model_own(config);
    own->width = shape(user, "conv1.weight", 0);
    rmil_model_infer_outputs(config, shape(user, "fc.weight", 0));
    config->dim = dim(config);
}

typedef struct {
    float *o; /* outputs × K */
    RmilPatchPool pool;
} Work;

static gboolean forward(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error) {
    const int64_t k = step->bag->count, n = rmil_model_outputs(step->config);
    const int head = (int)step->layout->tensors->len - 2;
    Work *w = work;
    w->o = rmil_arena_floats(arena, n * k, error);
    return w->o && rmil_patch_logits(step, head, w->o, NULL, arena, error) && rmil_patch_pool(step, w->o, &w->pool, arena, outcome, error);
}

static gboolean loss(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, double *slope, GError **error) {
    const Work *w = work;
    rmil_patch_settle(step, w->o, &w->pool, NULL, outcome);
    return TRUE;
}

static void onnx(const RmilModelConfig *config, RmilOnnx *o) {
    const RmilCnnOptions *own = rmil_model_own(config);
    const char *x = rmil_onnx_network(o, (int)own->width), *weight = rmil_onnx_parameter(o, "fc.weight");
    rmil_patch_onnx(config, o, rmil_onnx_linear(o, x, weight, rmil_onnx_parameter(o, "fc.bias")));
}

static void release(gpointer own) { rmil_cnn_runner_free(own); }

static const RmilTrainMethod methods[] = {{.name = "supervised", .title = "Fully supervised", .style = {"#000080", "(9,2,2,2,2,2)", 10}},
                                          {0}};

static const RmilModelClass class = {
    .name = "patch-cnn",
    .source = "ResNet-50 fine-tuned on patches, with max pooling, Kim et al. 2026",
    .methods = methods,
    .logits = 1,
    .tasks = RMIL_TAKES_CLASSES,
    .patches = TRUE,
    .rows = rmil_model_outputs,
    .first = "layer4.0.conv1.weight",
    .options = options,
    .check = check,
    .dim = dim,
    .look = rmil_cnn_look,
    .release = release,
    .trainer = &rmil_cnn_trainer,
    .layout = layout,
    .infer = infer,
    .work = sizeof(Work),
    .forward = forward,
    .loss = loss,
    .onnx = onnx,
};
RMIL_MODEL_FILE(patch_cnn, &class);
