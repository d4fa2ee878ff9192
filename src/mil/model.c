/* SPDX-License-Identifier: Apache-2.0 */
/* The table of models, their configuration, outputs and parameters. */
#include "model.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* -- the table ---------------------------------------------------------------------------------------------------------- */
const RmilModelClass *const *rmil_model_classes(void) {
    static GPtrArray *classes;
    static gsize done;
    if (g_once_init_enter(&done)) {
        classes = g_ptr_array_new();
        for (int f = 0; rmil_model_files[f]; f++)
            for (int i = 0; rmil_model_files[f][i]; i++) g_ptr_array_add(classes, (gpointer)rmil_model_files[f][i]);
        g_ptr_array_add(classes, NULL);
        g_once_init_leave(&done, 1);
    }
    return (const RmilModelClass *const *)classes->pdata;
}

const char *const *rmil_model_names(void) {
    static GPtrArray *names;
    static gsize done;
    if (g_once_init_enter(&done)) {
        names = g_ptr_array_new();
        for (const RmilModelClass *const *class = rmil_model_classes(); *class; class ++) g_ptr_array_add(names, (gpointer)(*class)->name);
        g_ptr_array_add(names, NULL);
        g_once_init_leave(&done, 1);
    }
    return (const char *const *)names->pdata;
}

const RmilModelClass *rmil_model_class(const char *name, GError **error) {
    for (const RmilModelClass *const *class = rmil_model_classes(); *class; class ++)
        if (strcmp((*class)->name, name) == 0) return *class;
    g_autofree char *known = g_strjoinv(", ", (char **)rmil_model_names());
    rmil_fail(error, RMIL_ERROR_ARGUMENT, "unknown model \"%s\"; choose one of %s", name, known);
    return NULL;
}

gboolean rmil_model_takes(const RmilModelClass *class, RmilGuide guide, GError **error) {
    for (const RmilTrainMethod *method = class->methods; method->name; method++)
        if (method->guide == guide) return TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "model %s does not support the guide \"%s\"", class->name, rmil_guide_name(guide));
}

/* -- outputs ------------------------------------------------------------------------------------------------------------- */
int rmil_model_outputs(const RmilModelConfig *config) {
    const RmilTask *task = &config->task;
    if (task->kind == RMIL_TASK_CLASSES) return task->classes == 2 ? rmil_model_class(config->model, NULL)->logits : task->classes;
    return task->kind == RMIL_TASK_SURVIVAL && config->survival_loss == RMIL_SURVIVAL_HAZARD ? (int)config->bins : 1;
}

int rmil_model_config_rows(const RmilModelConfig *config) {
    const RmilModelClass *class = rmil_model_class(config->model, NULL);
    return class->rows ? class->rows(config) : 1;
}

gboolean rmil_model_annotated(const RmilModelConfig *config) {
    return config->guide != RMIL_GUIDE_NONE || rmil_model_class(config->model, NULL)->patches;
}

void rmil_model_infer_outputs(RmilModelConfig *config, int64_t rows) {
    if (rows == rmil_model_outputs(config) || rows < 3 || rows > RMIL_CLASSES_MOST) return;
    config->task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = (int)rows};
    for (int c = 0; c < rows; c++) g_snprintf(config->task.names[c], RMIL_CLASS_NAME, "%d", c);
}

/* -- parameters -------------------------------------------------------------------------------------------------------- */
int rmil_parameter_add_shape(RmilParameterLayout *layout, RmilInit init, double scale, int rank, const int64_t *shape, const char *name) {
    RmilParameter tensor = {.rank = rank, .count = 1, .offset = layout->count, .init = init, .scale = scale};
    g_strlcpy(tensor.name, name, sizeof tensor.name);
    for (int i = 0; i < rank; i++) {
        tensor.shape[i] = shape[i];
        tensor.count *= shape[i];
    }
    layout->count += (tensor.count + 15) / 16 * 16;
    g_array_append_val(layout->tensors, tensor);
    return (int)layout->tensors->len - 1;
}

int rmil_parameter_add(RmilParameterLayout *layout, RmilInit init, double scale, int rank, int64_t d0, int64_t d1, int64_t d2,
                       const char *name, ...) {
    va_list arguments;
    va_start(arguments, name);
    g_autofree char *full = g_strdup_vprintf(name, arguments);
    va_end(arguments);
    return rmil_parameter_add_shape(layout, init, scale, rank, (const int64_t[]){d0, d1, d2}, full);
}

int rmil_parameter_linear(RmilParameterLayout *layout, const char *name, int64_t out, int64_t in, gboolean bias) {
    double bound = 1 / sqrt((double)in);
    int weight = rmil_parameter_add(layout, RMIL_INIT_UNIFORM, bound, 2, out, in, 0, "%s.weight", name);
    if (bias) rmil_parameter_add(layout, RMIL_INIT_UNIFORM, bound, 1, out, 0, 0, "%s.bias", name);
    return weight;
}

static void draw(const RmilParameter *tensor, uint64_t seed, int index, float *values) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, UINT64_C(0x696e6974) << 32 | (uint64_t)index);
    for (int64_t i = 0; i < tensor->count; i++) {
        double x = 1;
        if (tensor->init == RMIL_INIT_UNIFORM) x = 2 * rmil_rng_uniform(&rng) - 1;
        if (tensor->init == RMIL_INIT_NORMAL) do
                x = rmil_rng_normal(&rng);
            while (fabs(x) > 2);
        values[i] = (float)(tensor->scale * x);
    }
}

RmilModel *rmil_model_alloc(const RmilModelConfig *config, GError **error) {
    RmilModelConfig paper, full = *config;
    if (!rmil_model_config_init(&paper, config->model, config->guide, error)) return NULL;
    if (full.hidden == 0) full.hidden = paper.hidden;
    if (full.attention_dim == 0) full.attention_dim = paper.attention_dim;
    const RmilModelClass *class = rmil_model_class(full.model, NULL);
    if (class->dim) full.dim = class->dim(&full);
    if (!rmil_model_config_check(&full, error)) return NULL;
    g_autoptr(RmilModel) model = g_new0(RmilModel, 1);
    model->config = full;
    model->class = class;
    model->layout.tensors = g_array_new(FALSE, TRUE, sizeof(RmilParameter));
    model->class->layout(&model->config, &model->layout);
    model->parameters = rmil_alloc(model->layout.count, sizeof(float), error);
    return model->parameters ? g_steal_pointer(&model) : NULL;
}

RmilModel *rmil_model_new(const RmilModelConfig *config, uint64_t seed, GError **error) {
    RmilModel *model = rmil_model_alloc(config, error);
    if (!model) return NULL;
    for (int i = 0; i < (int)model->layout.tensors->len; i++) {
        const RmilParameter *tensor = rmil_parameter_at(&model->layout, i);
        draw(tensor, seed, i, model->parameters + tensor->offset);
    }
    return model;
}

void rmil_model_free(RmilModel *model) {
    if (!model) return;
    if (model->layout.tensors) g_array_unref(model->layout.tensors);
    rmil_free(model->parameters);
    if (model->own) model->class->release(model->own);
    g_free(model);
}

const RmilModelConfig *rmil_model_config(const RmilModel *model) { return &model->config; }

gboolean rmil_model_sees(const RmilModel *model) { return model->class->look != NULL; }

void rmil_model_set_threads(RmilModel *model, int threads) { model->threads = threads; }

const RmilDecision *rmil_model_decision(const RmilModel *model) { return &model->decision; }

void rmil_model_set_decision(RmilModel *model, const RmilDecision *decision) { model->decision = *decision; }
