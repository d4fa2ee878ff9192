/* SPDX-License-Identifier: Apache-2.0 */
/* Model files, our own and other programs'. */
#include "modelfile.h"

#include "guide.h"
#include "tensors/tensors-private.h"

#include <math.h>
#include <string.h>

#define FORMAT "rankmil-model-1"

static void add_number(GPtrArray *text, const char *key, double value) {
    char digits[G_ASCII_DTOSTR_BUF_SIZE];
    g_ptr_array_add(text, g_strdup(key));
    g_ptr_array_add(text, g_strdup(g_ascii_dtostr(digits, sizeof digits, value)));
}

/* What two plain classes do not need: the task, and what training learned from its targets. */
static void add_task(GPtrArray *text, const RmilModelConfig *config) {
    const int bins = rmil_model_outputs(config);
    g_ptr_array_add(text, g_strdup("task"));
    g_ptr_array_add(text, rmil_task_text(&config->task));
    if (config->task.kind == RMIL_TASK_NUMBER) {
        add_number(text, "target_mean", config->mean);
        add_number(text, "target_sd", config->sd);
    }
    if (config->task.kind != RMIL_TASK_SURVIVAL || bins == 1 || !(config->edges[bins] > 0)) return;
    GString *edges = g_string_new("[");
    char digits[G_ASCII_DTOSTR_BUF_SIZE];
    for (int b = 0; b <= bins; b++)
        g_string_append_printf(edges, "%s%s", b ? ", " : "", g_ascii_dtostr(digits, sizeof digits, config->edges[b]));
    g_ptr_array_add(text, g_strdup("edges"));
    g_ptr_array_add(text, g_string_free(g_string_append_c(edges, ']'), FALSE));
}

char **rmil_model_config_text(const RmilModelConfig *config) {
    GPtrArray *text = g_ptr_array_new();
    const char *fixed[] = {"format", FORMAT, "model", config->model, "guide", rmil_guide_name(config->guide)};
    for (gsize i = 0; i < G_N_ELEMENTS(fixed); i++) g_ptr_array_add(text, g_strdup(fixed[i]));
    for (const RmilOption *option = rmil_model_options(); option->key; option++) {
        if (!rmil_model_writes(config, option)) continue;
        g_ptr_array_add(text, g_strdup(option->key));
        g_ptr_array_add(text, rmil_option_text(option, rmil_option_get(option, config)));
    }
    if (!rmil_task_is_plain(&config->task)) add_task(text, config);
    g_ptr_array_add(text, NULL);
    return (char **)g_ptr_array_free(text, FALSE);
}

/* The tensors to write, with the paper's names or another program's; the chunk owns the names. Free with g_array_unref. */
static GArray *list_tensors(const RmilModel *model, const RmilForeignNames *foreign, GStringChunk *names) {
    const RmilParameterLayout *layout = &model->layout;
    GArray *tensors = g_array_new(FALSE, TRUE, sizeof(RmilTensor));
    for (guint i = 0; i < layout->tensors->len; i++) {
        const RmilParameter *parameter = rmil_parameter_at(layout, (int)i);
        g_autofree char *name = foreign ? foreign->name(parameter->name, model->class) : g_strdup(parameter->name);
        if (!name) continue;
        RmilTensor tensor = {.name = g_string_chunk_insert(names, name),
                             .dtype = RMIL_DTYPE_F32,
                             .rank = parameter->rank,
                             .count = parameter->count,
                             .data = model->parameters + parameter->offset};
        memcpy(tensor.shape, parameter->shape, sizeof parameter->shape);
        g_array_append_val(tensors, tensor);
    }
    return tensors;
}

/* Takes ownership of the value. */
static void add_metadata(char ***metadata, const char *name, char *value) {
    const guint count = g_strv_length(*metadata);
    *metadata = g_renew(char *, *metadata, count + 3);
    (*metadata)[count] = g_strdup(name), (*metadata)[count + 1] = value, (*metadata)[count + 2] = NULL;
}

gboolean rmil_model_save(const RmilModel *model, const char *path, GError **error) {
    GStringChunk *names = g_string_chunk_new(1024);
    g_autoptr(GArray) tensors = list_tensors(model, NULL, names);
    g_auto(GStrv) metadata = rmil_model_config_text(&model->config);
    if (model->decision.chosen) add_metadata(&metadata, "decision", rmil_decision_text(&model->decision));
    gboolean done = rmil_safetensors_write(path, (const RmilTensor *)(void *)tensors->data, tensors->len, (const char *const *)metadata,
                                           error);
    g_string_chunk_free(names);
    return done;
}

static const RmilForeignNames *find_foreign(const char *layout, GError **error) {
    g_autoptr(GString) known = g_string_new("paper");
    const RmilForeignNames *last = NULL;
    for (const RmilModelClass *const *class = rmil_model_classes(); *class; class ++) {
        const RmilForeignNames *foreign = (*class)->foreign;
        if (foreign && strcmp(foreign->layout, layout) == 0) return foreign;
        if (foreign && foreign != last) g_string_append_printf(known, ", %s", foreign->layout);
        last = foreign;
    }
    rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no model layout named \"%s\"; choose one of %s", layout, known->str);
    return NULL;
}

gboolean rmil_model_export(const RmilModel *model, const char *path, const char *layout, GError **error) {
    const gboolean paper = strcmp(layout, "paper") == 0;
    const RmilForeignNames *foreign = paper ? NULL : find_foreign(layout, error);
    if (!paper && !foreign) return FALSE;
    if (foreign && foreign != model->class->foreign)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: cannot be written: %s has no model %s", path, foreign->title,
                         model->config.model);
    static const char *const pytorch[] = {"format", "pt", NULL};
    GStringChunk *names = g_string_chunk_new(1024);
    g_autoptr(GArray) tensors = list_tensors(model, foreign, names);
    const RmilTensor *first = (const RmilTensor *)(void *)tensors->data;
    gboolean done = g_str_has_suffix(path, ".safetensors") ? rmil_safetensors_write(path, first, tensors->len, pytorch, error)
                                                           : rmil_torch_write_dict(path, first, tensors->len, error);
    g_string_chunk_free(names);
    return done;
}

/* -- reading -------------------------------------------------------------------------------------------------------------- */
static gboolean read_options(const RmilTensors *file, RmilModelConfig *config, GError **error) {
    for (const RmilOption *option = rmil_model_options(); option->key; option++) {
        const char *text = rmil_tensors_metadata(file, option->key);
        double value;
        if (!text) continue; /* written before this setting existed: the paper's value */
        g_autoptr(GError) reason = NULL;
        if (!rmil_option_parse(option, option->key, text, &value, &reason))
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s", reason->message);
        rmil_option_put(option, config, value);
    }
    return TRUE;
}

/* A file that does not state a task has labels 0 and 1. */
static gboolean read_task(const RmilTensors *file, RmilModelConfig *config, GError **error) {
    const char *text = rmil_tensors_metadata(file, "task");
    return !text || rmil_task_parse(text, &config->task, error);
}

static gboolean read_number(const RmilTensors *file, const char *key, double *value, GError **error) {
    const char *text = rmil_tensors_metadata(file, key);
    char *end = NULL;
    if (!text) return TRUE;
    *value = g_ascii_strtod(text, &end);
    return (end != text && !*end && isfinite(*value)) || rmil_fail(error, RMIL_ERROR_FORMAT, "%s is \"%s\", not a number", key, text);
}

/* "[0.5, 1, 2]": ascending, bins + 1 numbers. */
static gboolean read_edges(const RmilTensors *file, RmilModelConfig *config, GError **error) {
    const char *text = rmil_tensors_metadata(file, "edges");
    const int bins = rmil_model_outputs(config);
    char *at = (char *)text;
    if (!text || config->task.kind != RMIL_TASK_SURVIVAL || bins == 1) return TRUE;
    for (int b = 0; b <= bins; b++) {
        char *end = at + (*at == (b ? ',' : '['));
        config->edges[b] = end == at ? NAN : g_ascii_strtod(end, &at);
        if (end == at || !isfinite(config->edges[b]) || (b && !(config->edges[b] > config->edges[b - 1])))
            return rmil_fail(error, RMIL_ERROR_FORMAT, "edges is \"%s\", not %d ascending numbers for %d bins", text, bins + 1, bins);
    }
    return strcmp(at, "]") == 0 || rmil_fail(error, RMIL_ERROR_FORMAT, "edges is \"%s\", not %d numbers for %d bins", text, bins + 1, bins);
}

static gboolean read_targets(const RmilTensors *file, RmilModelConfig *config, GError **error) {
    if (!read_number(file, "target_mean", &config->mean, error) || !read_number(file, "target_sd", &config->sd, error)) return FALSE;
    if (!(config->sd > 0)) return rmil_fail(error, RMIL_ERROR_FORMAT, "target_sd is %g; it must be above 0", config->sd);
    return read_edges(file, config, error);
}

static gboolean own_config(const RmilTensors *file, RmilModelConfig *config, GError **error) {
    const char *name = rmil_tensors_metadata(file, "model"), *guide = rmil_tensors_metadata(file, "guide");
    RmilGuide known;
    if (name && guide && rmil_guide_find(guide, &known))
        return rmil_model_config_init(config, name, known, error) && read_task(file, config, error) && read_options(file, config, error) &&
               rmil_model_config_check(config, error) && read_targets(file, config, error);
    return rmil_fail(error, RMIL_ERROR_FORMAT, "the metadata name no model and guide");
}

static int64_t shape_of(gpointer file, const char *name, int axis) {
    const RmilTensor *tensor = rmil_tensors_find(file, name);
    return tensor && axis < tensor->rank ? tensor->shape[axis] : -1;
}

/* NULL if the file holds exactly the tensors that config asks for, else a description of what does not fit. */
static char *misfit(const RmilTensors *file, const RmilModelConfig *config) {
    RmilParameterLayout layout = {.tensors = g_array_new(FALSE, TRUE, sizeof(RmilParameter))};
    char *reason = NULL;
    rmil_model_class(config->model, NULL)->layout(config, &layout);
    for (guint i = 0; i < layout.tensors->len && !reason; i++) {
        const RmilParameter *parameter = rmil_parameter_at(&layout, (int)i);
        const RmilTensor *tensor = rmil_tensors_find(file, parameter->name);
        if (!tensor) reason = g_strdup_printf("tensor %s is missing", parameter->name);
        else if (tensor->rank != parameter->rank || memcmp(tensor->shape, parameter->shape, (size_t)tensor->rank * sizeof(int64_t)) != 0)
            reason = g_strdup_printf("tensor %s has a different shape from the one in the configuration", parameter->name);
    }
    if (!reason && rmil_tensors_count(file) != layout.tensors->len)
        reason = g_strdup_printf("it contains %" G_GINT64_FORMAT " tensors, but the model has %u", rmil_tensors_count(file),
                                 layout.tensors->len);
    g_array_unref(layout.tensors);
    return reason;
}

/* The prefix before the name of a tensor that identifies a model, ours or another program's. NULL: not such a tensor. g_free. */
static char *prefix_of(const char *name) {
    for (const RmilModelClass *const *class = rmil_model_classes(); *class; class ++) {
        const char *firsts[] = {(*class)->first, (*class)->foreign ? (*class)->foreign->first : (*class)->first};
        for (gsize k = 0; k < G_N_ELEMENTS(firsts); k++)
            if (g_str_has_suffix(name, firsts[k])) return g_strndup(name, strlen(name) - strlen(firsts[k]));
    }
    return NULL;
}

/* Names may have a prefix, such as DataParallel's "module." or from torch.save({"state_dict": …}). Returns the tensors without it, which
 * share the file's data; NULL and *error if there are several models. */
static RmilTensors *without_prefix(RmilTensors *file, GError **error) {
    g_autofree char *prefix = NULL;
    for (int64_t i = 0; i < rmil_tensors_count(file); i++) {
        const char *name = rmil_tensors_at(file, i)->name;
        char *before = prefix_of(name);
        if (before && prefix) {
            g_free(before);
            rmil_fail(error, RMIL_ERROR_FORMAT, "it contains more than one model: %s… and %s", prefix, name);
            return NULL;
        }
        if (before) prefix = before;
    }
    RmilTensors *inner = rmil_tensors_new(rmil_tensors_path(file));
    for (int64_t i = 0; i < rmil_tensors_count(file); i++) {
        const RmilTensor *tensor = rmil_tensors_at(file, i);
        if (!prefix || !g_str_has_prefix(tensor->name, prefix)) continue;
        rmil_tensors_add(inner, tensor->name + strlen(prefix), tensor->dtype, tensor->rank, tensor->shape, tensor->data, NULL);
    }
    return inner;
}

/* The program whose names the file uses, if not ours. */
static const RmilForeignNames *foreign_of(const RmilTensors *file) {
    for (const RmilModelClass *const *class = rmil_model_classes(); *class; class ++)
        if ((*class)->foreign && rmil_tensors_find(file, (*class)->foreign->first)) return (*class)->foreign;
    return NULL;
}

/* Sizes from the tensors; everything else from `config`. */
static gboolean infer(RmilTensors *file, RmilModelConfig *config, GError **error) {
    rmil_model_class(config->model, NULL)->infer(config, shape_of, file);
    g_autofree char *reason = NULL;
    if (rmil_model_config_check(config, NULL)) reason = misfit(file, config);
    else reason = g_strdup("tensors that determine its sizes are missing, or the sizes are impossible");
    return !reason || rmil_fail(error, RMIL_ERROR_FORMAT, "it is not a model %s: %s", config->model, reason);
}

/* A state_dict of the released code has no configuration: finds the model that all its tensors fit. */
static gboolean foreign_config(RmilTensors *file, const RmilModelConfig *known, RmilModelConfig *config, GError **error) {
    if (known) {
        *config = *known;
        return infer(file, config, error);
    }
    for (const char *const *name = rmil_model_names(); *name; name++) {
        if (!rmil_model_config_init(config, *name, RMIL_GUIDE_NONE, error)) return FALSE;
        if (infer(file, config, NULL)) return TRUE;
    }
    return rmil_fail(error, RMIL_ERROR_FORMAT, "its tensors do not belong to any model that rankmil knows");
}

static RmilModel *fill(RmilTensors *file, const RmilModelConfig *config, GError **error) {
    g_autofree char *reason = misfit(file, config);
    if (reason) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s", reason);
        return NULL;
    }
    g_autoptr(RmilModel) model = rmil_model_alloc(config, error);
    for (guint i = 0; model && i < model->layout.tensors->len; i++) {
        const RmilParameter *parameter = rmil_parameter_at(&model->layout, (int)i);
        float *values = model->parameters + parameter->offset;
        rmil_tensor_floats(rmil_tensors_find(file, parameter->name), values);
        for (int64_t j = 0; j < parameter->count; j++)
            if (!isfinite(values[j])) {
                rmil_fail(error, RMIL_ERROR_FORMAT, "tensor %s holds NaN or infinity", parameter->name);
                return NULL;
            }
    }
    return g_steal_pointer(&model);
}

static RmilModel *load(RmilTensors *file, const RmilModelConfig *known, GError **error) {
    RmilModelConfig config;
    const char *format = rmil_tensors_metadata(file, "format");
    if (!format || !g_str_has_prefix(format, "rankmil-")) {
        g_autoptr(RmilTensors) inner = without_prefix(file, error);
        const RmilForeignNames *foreign = inner ? foreign_of(inner) : NULL;
        g_autoptr(RmilTensors) renamed = foreign ? foreign->read(inner, error) : NULL;
        if (!inner || (foreign && !renamed)) return NULL;
        RmilTensors *own = renamed ? renamed : inner;
        return foreign_config(own, known, &config, error) ? fill(own, &config, error) : NULL;
    }
    if (strcmp(format, FORMAT) != 0) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "its format is %s, but this version reads %s", format, FORMAT);
        return NULL;
    }
    if (known) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT,
                  "rankmil wrote it together with its configuration, which cannot be changed: leave the "
                  "model's options out");
        return NULL;
    }
    g_autoptr(RmilModel) model = own_config(file, &config, error) ? fill(file, &config, error) : NULL;
    const char *decision = rmil_tensors_metadata(file, "decision");
    return model && (!decision || rmil_decision_parse(decision, &model->decision, error)) ? g_steal_pointer(&model) : NULL;
}

RmilModel *rmil_model_load_as(const char *path, const RmilModelConfig *known, GError **error) {
    g_autoptr(RmilTensors) file = rmil_weights_read(path, NULL, error);
    if (!file) return NULL;
    GError *reason = NULL;
    RmilModel *model = load(file, known, &reason);
    if (!model) {
        rmil_fail(error, (RmilErrorCode)reason->code, "%s: %s", path, reason->message);
        g_clear_error(&reason);
    }
    return model;
}

RmilModel *rmil_model_load(const char *path, GError **error) { return rmil_model_load_as(path, NULL, error); }
