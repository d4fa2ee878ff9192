/* SPDX-License-Identifier: Apache-2.0 */
/* The methods that the models offer: a model and its guide. */
#include "guide.h"

#include <string.h>

const RmilTrainMethod *rmil_methods(gsize *count) {
    static GArray *methods;
    static gsize done;
    if (g_once_init_enter(&done)) {
        methods = g_array_new(FALSE, FALSE, sizeof(RmilTrainMethod));
        for (const RmilModelClass *const *class = rmil_model_classes(); *class; class ++)
            for (const RmilTrainMethod *method = (*class)->methods; method->name; method++) {
                g_array_append_vals(methods, method, 1);
                RmilTrainMethod *added = &g_array_index(methods, RmilTrainMethod, methods->len - 1);
                added->model = (*class)->name;
                added->patches = (*class)->patches;
                added->source = (*class)->source;
            }
        g_once_init_leave(&done, 1);
    }
    *count = methods->len;
    return (const RmilTrainMethod *)(void *)methods->data;
}

const RmilTrainMethod *rmil_method_find(const char *name, GError **error) {
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count);
    g_autoptr(GString) known = g_string_new(NULL);
    for (gsize i = 0; i < count; i++) {
        if (strcmp(methods[i].name, name) == 0) return &methods[i];
        g_string_append_printf(known, "%s%s", i ? ", " : "", methods[i].name);
    }
    rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no method \"%s\"; choose one of %s", name, known->str);
    return NULL;
}

static const RmilTrainMethod *find(const char *model, RmilGuide guide) {
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count);
    for (gsize i = 0; i < count; i++)
        if (methods[i].guide == guide && !methods[i].option && strcmp(methods[i].model, model) == 0) return &methods[i];
    return NULL;
}

const RmilTrainMethod *rmil_method_of(const char *model, const char *guide, GError **error) {
    const RmilModelClass *class = rmil_model_class(model, NULL);
    g_autofree char *known = g_strjoinv(", ", (char **)rmil_model_names());
    if (!class) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no model \"%s\"; choose one of %s", model, known);
        return NULL;
    }
    RmilGuide chosen = class->guide;
    const RmilTrainMethod *method = !guide || rmil_guide_find(guide, &chosen) ? find(model, chosen) : NULL;
    if (!method) rmil_fail(error, RMIL_ERROR_ARGUMENT, "--guide %s cannot be used with --model %s", guide, model);
    return method;
}

/* The value of its option. */
static double value_of(const RmilTrainMethod *method) {
    double value;
    const gboolean read = rmil_option_read(rmil_model_option_find(method->option), method->option, method->value, &value, NULL);
    g_assert(read); /* else the model's row is wrong */
    return value;
}

gboolean rmil_method_config_init(const RmilTrainMethod *method, RmilModelConfig *config, GError **error) {
    return rmil_model_config_init(config, method->model, method->guide, error) &&
           (!method->option || rmil_model_config_set(config, method->option, value_of(method), error));
}

const RmilTrainMethod *rmil_method_of_config(const RmilModelConfig *config) {
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count);
    for (gsize i = 0; i < count; i++) {
        if (!methods[i].option || methods[i].guide != config->guide || strcmp(methods[i].model, config->model) != 0) continue;
        if (rmil_model_config_get(config, methods[i].option) == value_of(&methods[i])) return &methods[i];
    }
    return find(config->model, config->guide);
}

const RmilTrainMethod *rmil_method_reference(void) {
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count), *method = methods;
    while (!method->reference) method++;
    return method;
}

const RmilTrainMethod *rmil_method_partial(void) {
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count), *method = methods;
    while (!method->partial) method++;
    return method;
}

const RmilTrainMethod *rmil_method_unguided(const RmilTrainMethod *method) { return find(method->model, RMIL_GUIDE_NONE); }
