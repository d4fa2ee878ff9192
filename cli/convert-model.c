/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil convert MODEL OUT: models to and from other programs. */
#include "convert.h"

#include <string.h>

void convert_model_init(ConvertModel *options) { *options = (ConvertModel){.model = NULL}; }

void convert_model_clear(ConvertModel *options) {
    g_free(options->model);
    g_free(options->guide);
    rmil_train_options_clear(&options->options);
    g_free(options->help[0]);
    g_free(options->help[1]);
}

GOptionEntry *convert_model_entries(ConvertModel *o) {
    g_autofree char *models = g_strjoinv(", ", (char **)rmil_model_names()), *guides = g_strjoinv(", ", (char **)rmil_guide_names());
    o->help[0] = g_strdup_printf("the model of a state_dict: %s (default: recognised by its tensors)", models);
    o->help[1] = g_strdup_printf("the guide it was trained with: %s (default: %s)", guides, rmil_guide_name(RMIL_GUIDE_NONE));
    gsize count;
    const RmilOption *table = rmil_train_option_table(&count);
    GOptionEntry *entries = g_new0(GOptionEntry, count + 3), *next = entries;
    *next++ = (GOptionEntry){"model", 0, 0, G_OPTION_ARG_STRING, &o->model, o->help[0], "NAME"};
    *next++ = (GOptionEntry){"guide", 0, 0, G_OPTION_ARG_STRING, &o->guide, o->help[1], "NAME"};
    for (gsize i = 0; i < count; i++)
        if (table[i].untold) *next++ = train_entry(&o->options, table[i].name);
    return entries;
}

gboolean convert_is_model(const char *from, const char *to) {
    return g_str_has_suffix(to, ".onnx") || g_str_has_suffix(to, ".safetensors") || g_str_has_suffix(from, ".safetensors") ||
           g_str_has_suffix(from, ".pth");
}

gboolean convert_model_name(const char *to, const char *layout) {
    return (g_str_has_suffix(to, ".onnx") && !layout) || g_str_has_suffix(to, ".safetensors") || g_str_has_suffix(to, ".pt") ||
           g_str_has_suffix(to, ".pth");
}

static gboolean write_model(const RmilModel *model, const char *layout, const char *to, GError **error) {
    if (g_str_has_suffix(to, ".onnx")) return rmil_model_onnx_write(model, to, error);
    if (g_str_has_suffix(to, ".safetensors") && !layout) return rmil_model_save(model, to, error);
    return rmil_model_export(model, to, layout ? layout : "paper", error);
}

/* What the user says about a state_dict; *told FALSE: nothing. */
static gboolean known_config(const ConvertModel *o, RmilModelConfig *config, gboolean *told, GError **error) {
    *told = o->model || o->guide;
    for (int i = 0; i < RMIL_TRAIN_OPTIONS; i++) *told = *told || o->options.texts[i];
    if (!*told) return TRUE;
    if (!o->model) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "--guide and the options of a model need --model NAME");
        return FALSE;
    }
    RmilTrainConfig train;
    const RmilTrainMethod *method = rmil_method_of(o->model, o->guide ? o->guide : rmil_guide_name(RMIL_GUIDE_NONE), error);
    return method && rmil_train_options_configure(&o->options, method, config, &train, error);
}

gboolean convert_model(Cli *cli, const ConvertModel *options, const char *layout, const char *from, const char *to, GError **error) {
    RmilModelConfig known;
    gboolean told;
    if (!known_config(options, &known, &told, error)) return FALSE;
    g_autoptr(RmilModel) model = rmil_model_load_as(from, told ? &known : NULL, error);
    if (!model || !write_model(model, layout, to, error)) return FALSE;
    const RmilModelConfig *config = rmil_model_config(model);
    json_object_set_string_member(cli->result, "model", config->model);
    json_object_set_string_member(cli->result, "guide", rmil_guide_name(config->guide));
    json_object_set_int_member(cli->result, "dim", config->dim);
    if (config->threshold >= 0) json_object_set_double_member(cli->result, "threshold", config->threshold);
    char threshold[40] = "";
    if (config->threshold >= 0) g_snprintf(threshold, sizeof threshold, ", threshold %g", config->threshold);
    g_autofree char *input = rmil_model_sees(model) ? g_strdup("tiles")
                                                    : g_strdup_printf("features of %" G_GINT64_FORMAT " numbers", config->dim);
    cli_say(cli, "%s: model %s, guide %s, %s%s", to, config->model, rmil_guide_name(config->guide), input, threshold);
    return TRUE;
}
