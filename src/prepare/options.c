/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the pipeline, and those of them that a new slide must go through, as JSON. */
#include "prepare-private.h"

#include "encoder/onnx-file.h"

#include "base/json.h"

#include <string.h>

void rmil_prepare_options_init(RmilPrepareOptions *options) {
    RmilTileOptions tile;
    rmil_tile_options_init(&tile);
    *options = (RmilPrepareOptions){.min_tissue = tile.min_tissue, .mask_mpp = 4, .label_threshold = 0.05};
}

void rmil_prepare_options_clear(RmilPrepareOptions *options) {
    g_clear_pointer(&options->encoder, g_free);
    g_clear_pointer(&options->weights, g_free);
    g_clear_pointer(&options->mean, g_free);
    g_clear_pointer(&options->sd, g_free);
    g_clear_pointer(&options->onnx_output, g_free);
    g_clear_pointer(&options->device, g_free);
    g_clear_pointer(&options->lesion, g_strfreev);
    g_clear_pointer(&options->exclusion, g_strfreev);
}

void rmil_prepare_options_copy(const RmilPrepareOptions *from, RmilPrepareOptions *to) {
    *to = *from;
    to->encoder = g_strdup(from->encoder);
    to->weights = g_strdup(from->weights);
    to->mean = g_strdup(from->mean);
    to->sd = g_strdup(from->sd);
    to->onnx_output = g_strdup(from->onnx_output);
    to->device = g_strdup(from->device);
    to->lesion = g_strdupv(from->lesion);
    to->exclusion = g_strdupv(from->exclusion);
}

RmilEncoderOptions rmil_prepare_encoder(const RmilPrepareOptions *options) {
    return (RmilEncoderOptions){.weights = options->weights,
                                .precision = options->bfloat16 ? RMIL_BFLOAT16 : RMIL_FLOAT32,
                                .workers = options->threads,
                                .mean = options->mean,
                                .sd = options->sd,
                                .input_px = options->input_px,
                                .output = options->onnx_output,
                                .device = options->device};
}

static gboolean in_range(const char *name, double value, double low, double high, GError **error) {
    if (value >= low && value <= high) return TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s %g is not in %g … %g", name, value, low, high);
}

gboolean rmil_prepare_options_check(const RmilPrepareOptions *o, GError **error) {
    return in_range("--mpp", o->mpp, 0, 100, error) && (o->tile_mpp == 0 || in_range("--tile-mpp", o->tile_mpp, 0.01, 100, error)) &&
           in_range("--min-tissue", o->min_tissue, 0, 1, error) && in_range("--mask-mpp", o->mask_mpp, 0.1, 1000, error) &&
           in_range("--padding", o->padding, 0, 1e6, error) && in_range("--label-threshold", o->label_threshold, 0, 1, error);
}

JsonNode *rmil_preprocessing_get(const RmilPrepareOptions *options) {
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);
    JsonObject *o = json_object_new();
    json_node_take_object(node, o);
    json_object_set_string_member(o, "encoder", options->encoder);
    if (options->weights) {
        g_autofree char *weights = g_canonicalize_filename(options->weights, NULL);
        json_object_set_string_member(o, "weights", weights);
    }
    json_object_set_boolean_member(o, "encode_bfloat16", options->bfloat16);
    if (options->mean) json_object_set_string_member(o, "mean", options->mean);
    if (options->sd) json_object_set_string_member(o, "sd", options->sd);
    if (options->input_px) json_object_set_int_member(o, "input_px", options->input_px);
    if (options->onnx_output) json_object_set_string_member(o, "onnx_output", options->onnx_output);
    if (options->device) json_object_set_string_member(o, "device", options->device);
    json_object_set_double_member(o, "tile_mpp", options->tile_mpp);
    json_object_set_double_member(o, "min_tissue", options->min_tissue);
    json_object_set_double_member(o, "mask_mpp", options->mask_mpp);
    return node;
}

gboolean rmil_preprocessing_read(const char *cohort, JsonNode **node, GError **error) {
    g_autofree char *folder = g_path_get_dirname(cohort), *path = g_build_filename(folder, "preprocessing.json", NULL);
    gboolean there;
    *node = NULL;
    return rmil_file_exists(path, &there, error) && (!there || (*node = rmil_json_read(path, 64 << 20, error)));
}

/* *value stays when there is no such member. */
static gboolean number_member(JsonNode *object, const char *name, double *value, GError **error) {
    JsonNode *member = rmil_json_get(object, name);
    if (!member || rmil_json_number(member, value)) return TRUE;
    if (!JSON_NODE_HOLDS_VALUE(member) || json_node_get_value_type(member) != G_TYPE_BOOLEAN)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "run.json: %s of its preprocessing is not a number", name);
    *value = json_node_get_boolean(member);
    return TRUE;
}

/* What was given is what the record says, or, where it says nothing, the usual (NULL: it has no name). */
static gboolean same(const char *option, const char *recorded, const char *usual, const char *given, GError **error) {
    const char *then = recorded ? recorded : usual;
    if (!given || g_strcmp0(given, then) == 0) return TRUE;
    g_autofree char *by = then ? g_strdup_printf("%s %s", option, then) : g_strdup_printf("no %s", option);
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "the model was trained on features made with %s: %s %s would give it others; leave it out",
                     by, option, given);
}

static gboolean text_member(JsonNode *object, const char *name, const char *option, const char *usual, char **text, GError **error) {
    const char *recorded = rmil_json_text(object, name);
    if (!same(option, recorded, usual, *text, error)) return FALSE;
    g_free(*text);
    *text = g_strdup(recorded);
    return TRUE;
}

/* Of the encoder "onnx": what the record has becomes the options', and what was given and is another is refused. says: of its file, which
 * counts where the record has nothing. */
static gboolean apply_said(JsonNode *node, const RmilOnnxSays *says, RmilPrepareOptions *options, GError **error) {
    double side = 0;
    const gboolean both = says->mean && says->sd;
    if (!text_member(node, "mean", "--mean", both ? says->mean : RMIL_IMAGENET_MEAN, &options->mean, error) ||
        !text_member(node, "sd", "--sd", both ? says->sd : RMIL_IMAGENET_SD, &options->sd, error) ||
        !text_member(node, "onnx_output", "--onnx-output", NULL, &options->onnx_output, error) ||
        !number_member(node, "input_px", &side, error))
        return FALSE;
    if (side < 0 || side > 1e6) return rmil_fail(error, RMIL_ERROR_FORMAT, "run.json: input_px of its preprocessing is no size");
    const int usual = says->input_px ? says->input_px : rmil_encoder_info("onnx", NULL)->tile_px, recorded = side > 0 ? (int)side : usual;
    g_autofree char *then = g_strdup_printf("%d", recorded),
                    *given = g_strdup_printf("%d", options->input_px ? options->input_px : recorded);
    options->input_px = recorded;
    return same("--input-px", then, NULL, given, error);
}

static gboolean apply_onnx(JsonNode *node, RmilPrepareOptions *options, GError **error) {
    RmilOnnxSays says = {0};
    const gboolean done = (!options->weights || rmil_onnx_says(options->weights, &says, error)) && apply_said(node, &says, options, error);
    rmil_onnx_says_clear(&says);
    return done;
}

gboolean rmil_preprocessing_apply(JsonNode *node, RmilPrepareOptions *options, GError **error) {
    const char *encoder = rmil_json_text(node, "encoder");
    double bfloat16 = 0;
    if (!encoder) return rmil_fail(error, RMIL_ERROR_FORMAT, "run.json: preprocessing names no encoder");
    g_free(options->encoder);
    options->encoder = g_strdup(encoder);
    if (!options->weights) options->weights = g_strdup(rmil_json_text(node, "weights"));
    if (!number_member(node, "encode_bfloat16", &bfloat16, error) || !number_member(node, "tile_mpp", &options->tile_mpp, error) ||
        !number_member(node, "min_tissue", &options->min_tissue, error) || !number_member(node, "mask_mpp", &options->mask_mpp, error) ||
        (strcmp(encoder, "onnx") == 0 && !apply_onnx(node, options, error)))
        return FALSE;
    if (!options->device) options->device = g_strdup(rmil_json_text(node, "device"));
    options->bfloat16 = bfloat16 != 0;
    return TRUE;
}
