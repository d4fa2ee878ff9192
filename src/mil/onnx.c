/* SPDX-License-Identifier: Apache-2.0 */
/* A model as an ONNX file: its inputs, tensors and outputs. */
#include "onnx.h"

#include "modelfile.h"

#include <stdarg.h>
#include <string.h>

static const RmilModel *model_of(const RmilOnnx *onnx) { return rmil_onnx_owner(onnx); }

#define PATCHES                                                                                                                            \
    { .name = "patches" }
#define SIDE                                                                                                                               \
    { .name = "side" }
#define SIZE(n)                                                                                                                            \
    { .size = n }

const char *rmil_onnx_features(RmilOnnx *onnx) {
    const RmilOnnxAxis axes[] = {PATCHES, SIZE(model_of(onnx)->config.dim)};
    return rmil_onnx_input(onnx, "features", RMIL_ONNX_FLOAT, 2, axes);
}

void rmil_onnx_places(RmilOnnx *onnx, const char **coords, const char **tile_size) {
    static const RmilOnnxAxis axes[] = {PATCHES, SIZE(2)}, one = SIZE(1);
    *coords = rmil_onnx_input(onnx, "coords", RMIL_ONNX_INT64, 2, axes);
    *tile_size = rmil_onnx_input(onnx, "tile_size", RMIL_ONNX_DOUBLE, 1, &one);
}

const char *rmil_onnx_tiles(RmilOnnx *onnx) {
    static const RmilOnnxAxis axes[] = {PATCHES, SIZE(3), SIDE, SIDE};
    return rmil_onnx_input(onnx, "tiles", RMIL_ONNX_FLOAT, 4, axes);
}

const char *rmil_onnx_parameter(RmilOnnx *onnx, const char *name, ...) {
    va_list arguments;
    va_start(arguments, name);
    g_autofree char *full = g_strdup_vprintf(name, arguments);
    va_end(arguments);
    const RmilModel *model = model_of(onnx);
    const RmilParameterLayout *layout = &model->layout;
    for (guint i = 0; i < layout->tensors->len; i++) {
        const RmilParameter *parameter = rmil_parameter_at(layout, (int)i);
        if (strcmp(parameter->name, full) == 0)
            return rmil_onnx_tensor(onnx, full, RMIL_ONNX_FLOAT, parameter->rank, parameter->shape, model->parameters + parameter->offset,
                                    (gsize)parameter->count * sizeof(float));
    }
    g_assert_not_reached(); /* graphs name only tensors of their own layout */
}

/* -- outputs -------------------------------------------------------------------------------------------------------------------- */

/* S_b = Π_{l ≤ b} (1 − sigmoid(z_l)) = exp(−Σ_{l ≤ b} softplus(z_l)), and the risk −Σ S. */
static void add_survival(RmilOnnx *onnx, const char *logits, int64_t bins) {
    static const int64_t first = 0;
    const RmilOnnxAxis each = SIZE(bins), one = SIZE(1);
    const char *axis = rmil_onnx_tensor(onnx, "axis 0", RMIL_ONNX_INT64, 0, NULL, &first, sizeof first);
    const char *hazard = rmil_onnx_node(onnx, "CumSum", rmil_onnx_node(onnx, "Softplus", logits, NULL), axis, NULL);
    const char *survival = rmil_onnx_node(onnx, "Exp", rmil_onnx_node(onnx, "Neg", hazard, NULL), NULL);
    rmil_onnx_output(onnx, "Identity", survival, "survival", 1, &each);
    rmil_onnx_output(onnx, "Neg", rmil_onnx_node(onnx, "ReduceSum", survival, NULL), "risk", 1, &one);
}

/* The outputs, by task. */
static void add_answer(RmilOnnx *onnx, const char *logits) {
    const RmilModelConfig *config = &model_of(onnx)->config;
    const int64_t count = rmil_model_outputs(config);
    const RmilOnnxAxis one = SIZE(1), all = SIZE(count);
    if (config->task.kind == RMIL_TASK_NUMBER) {
        const char *scaled = rmil_onnx_node(onnx, "Mul", logits, rmil_onnx_number(onnx, config->sd), NULL);
        const char *value = rmil_onnx_node(onnx, "Add", scaled, rmil_onnx_number(onnx, config->mean), NULL);
        rmil_onnx_output(onnx, "Identity", value, "value", 1, &one);
    } else if (config->task.kind == RMIL_TASK_SURVIVAL && count > 1) {
        add_survival(onnx, logits, count);
    } else if (config->task.kind == RMIL_TASK_SURVIVAL) {
        rmil_onnx_output(onnx, "Identity", logits, "risk", 1, &one);
    } else if (config->task.classes == 2) {
        rmil_onnx_output(onnx, "Sigmoid", logits, "probability", 1, &one);
        rmil_onnx_output(onnx, "Identity", logits, "logit", 1, &one);
    } else {
        rmil_onnx_output(onnx, "Softmax", logits, "probabilities", 1, &all);
        rmil_onnx_int(onnx, "axis", 0);
        rmil_onnx_output(onnx, "Identity", logits, "logits", 1, &all);
    }
}

void rmil_onnx_outputs(RmilOnnx *onnx, const char *logits, const char *scores, const char *attention) {
    const RmilModelConfig *config = &model_of(onnx)->config;
    const int64_t rows = config->task.classes == 2 ? 1 : rmil_model_config_rows(config);
    const RmilOnnxAxis axes[] = {SIZE(rows), PATCHES};
    add_answer(onnx, logits);
    rmil_onnx_output(onnx, "Identity", attention, "attention", rows > 1 ? 2 : 1, rows > 1 ? axes : axes + 1);
    rmil_onnx_output(onnx, "Identity", scores, "scores", rows > 1 ? 2 : 1, rows > 1 ? axes : axes + 1);
}

gboolean rmil_model_onnx_write(const RmilModel *model, const char *path, GError **error) {
    const RmilModelConfig *config = &model->config;
    g_autoptr(RmilOnnx) onnx = rmil_onnx_new(model);
    g_auto(GStrv) metadata = rmil_model_config_text(config);
    model->class->onnx(config, onnx);
    return rmil_onnx_write(onnx, path, config->model,
                           config->task.classes == 2
                               ? "Multiple instance learning: one slide's patches in, its probability and their attention out."
                               : "Multiple instance learning: one slide's patches in, what is predicted of it and their attention out.",
                           metadata, error);
}
