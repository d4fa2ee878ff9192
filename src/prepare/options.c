/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the pipeline; those that new slides must be processed with, as JSON. */
#include "prepare-private.h"

#include "encoder/onnx-file.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

void rmil_prepare_options_init(RmilPrepareOptions *options) {
    RmilTileOptions tile;
    rmil_tile_options_init(&tile);
    *options = (RmilPrepareOptions){.min_tissue = tile.min_tissue, .mask_mpp = 4, .label_threshold = 0.05};
}

void rmil_prepare_options_clear(RmilPrepareOptions *options) {
    g_clear_pointer(&options->tissue, g_free);
    g_clear_pointer(&options->leave_out, g_free);
    g_clear_pointer(&options->tile_mpps, g_free);
    g_clear_pointer(&options->encoder, g_free);
    g_clear_pointer(&options->features_precision, g_free);
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
    to->tissue = g_strdup(from->tissue);
    to->leave_out = g_strdup(from->leave_out);
    to->tile_mpps = g_strdup(from->tile_mpps);
    to->encoder = g_strdup(from->encoder);
    to->features_precision = g_strdup(from->features_precision);
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
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s %g is outside %g … %g", name, value, low, high);
}

/* Marks one of "pen", "fold" and "blur" to be left out. */
static gboolean take_artefact(const char *name, RmilTissueOptions *tissue, GError **error) {
    gboolean *const wanted[RMIL_LEFT_REASONS] =
        {[RMIL_LEFT_PEN] = &tissue->pen, [RMIL_LEFT_FOLD] = &tissue->fold, [RMIL_LEFT_BLUR] = &tissue->blur};
    for (RmilLeftOut reason = RMIL_LEFT_NOTHING + 1; reason < RMIL_LEFT_REASONS; reason++)
        if (wanted[reason] && strcmp(name, rmil_left_out_name(reason)) == 0) return *wanted[reason] = TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--leave-out: \"%.60s\" is not one of pen, fold, blur", name);
}

gboolean rmil_prepare_tissue(const RmilPrepareOptions *options, RmilTissueOptions *tissue, GError **error) {
    rmil_tissue_options_init(tissue);
    tissue->mpp = options->mask_mpp;
    tissue->min_area = options->min_area;
    tissue->max_hole = options->max_hole;
    if (options->tissue && !rmil_tissue_method_parse(options->tissue, &tissue->method, error)) {
        g_prefix_error(error, "--tissue: ");
        return FALSE;
    }
    g_auto(GStrv) names = g_strsplit(options->leave_out ? options->leave_out : "", ",", -1);
    for (int i = 0; names[i]; i++)
        if (!take_artefact(g_strstrip(names[i]), tissue, error)) return FALSE;
    return TRUE;
}

gboolean rmil_tile_mpps_parse(const char *text, double *first, double *second, GError **error) {
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    double *const values[] = {first, second};
    const guint n = g_strv_length(parts);
    *second = 0;
    for (guint i = 0; i < n && n <= 2; i++) {
        char *end;
        *values[i] = g_ascii_strtod(g_strstrip(parts[i]), &end);
        if (!*parts[i] || *end) break;
        if (i + 1 == n) return TRUE;
    }
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--tile-mpp \"%s\": give one number of µm per pixel, or two as in 0.5,2", text);
}

static gboolean check_overlap(double overlap, GError **error) {
    if (overlap >= 0 && (overlap <= 0.9 || (overlap >= 1 && overlap <= 921 && overlap == floor(overlap)))) return TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                     "--overlap %g: give a share of a tile's side, 0 … 0.9, or whole pixels, at most 0.9 of its side", overlap);
}

static gboolean check_magnifications(const RmilPrepareOptions *o, GError **error) {
    double first = o->tile_mpp, second = o->second_mpp;
    if (o->tile_mpps && !rmil_tile_mpps_parse(o->tile_mpps, &first, &second, error)) return FALSE;
    const gboolean one = second == 0 && !(o->tile_mpps && strchr(o->tile_mpps, ','));
    if ((first != 0 || o->tile_mpps) && !in_range("--tile-mpp", first, 0.01, 100, error)) return FALSE;
    if (!one && !in_range("--tile-mpp", second, 0.01, 100, error)) return FALSE;
    if (!one && first == 0) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--tile-mpp gives the second magnification but not the first");
    return one || first != second || rmil_fail(error, RMIL_ERROR_ARGUMENT, "--tile-mpp gives the same µm per pixel twice: %g", first);
}

static gboolean check_precision(const char *name, GError **error) {
    if (!name || strcmp(name, "float16") == 0 || strcmp(name, "float32") == 0) return TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--features-precision \"%s\" is neither float16 nor float32", name);
}

gboolean rmil_prepare_options_check(const RmilPrepareOptions *o, GError **error) {
    RmilTissueOptions tissue;
    return check_precision(o->features_precision, error) && in_range("--mpp", o->mpp, 0, 100, error) &&
           (o->tile_px == 0 || in_range("--tile-px", o->tile_px, 64, 1024, error)) && check_magnifications(o, error) &&
           check_overlap(o->overlap, error) && in_range("--min-area", o->min_area, 0, 1e6, error) &&
           in_range("--max-hole", o->max_hole, 0, 1e6, error) && rmil_prepare_tissue(o, &tissue, error) &&
           in_range("--min-tissue", o->min_tissue, 0, 1, error) && in_range("--mask-mpp", o->mask_mpp, 0.1, 1000, error) &&
           in_range("--padding", o->padding, 0, 1e6, error) && in_range("--label-threshold", o->label_threshold, 0, 1, error);
}

void rmil_prepare_usual_tile(const RmilPrepareOptions *options, int *px, double *mpp) {
    RmilTileOptions usual;
    rmil_tile_options_init(&usual);
    *px = options->input_px ? options->input_px : usual.tile_px;
    *mpp = usual.mpp;
    const RmilEncoderOptions how = rmil_prepare_encoder(options);
    if (options->encoder) rmil_encoder_tiles(options->encoder, &how, px, mpp);
}

/* The encoder's default tile side. */
static int usual_px(const RmilPrepareOptions *options) {
    int px;
    double mpp;
    rmil_prepare_usual_tile(options, &px, &mpp);
    return px;
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
    if (g_strcmp0(options->features_precision, "float32") == 0)
        json_object_set_string_member(o, "features_precision", options->features_precision);
    if (options->mean) json_object_set_string_member(o, "mean", options->mean);
    if (options->sd) json_object_set_string_member(o, "sd", options->sd);
    if (options->input_px) json_object_set_int_member(o, "input_px", options->input_px);
    if (options->onnx_output) json_object_set_string_member(o, "onnx_output", options->onnx_output);
    if (options->device) json_object_set_string_member(o, "device", options->device);
    json_object_set_double_member(o, "tile_mpp", options->tile_mpp);
    if (options->second_mpp > 0) json_object_set_double_member(o, "second_mpp", options->second_mpp);
    if (options->tile_px && options->tile_px != usual_px(options)) json_object_set_int_member(o, "tile_px", options->tile_px);
    if (options->overlap > 0) json_object_set_double_member(o, "overlap", options->overlap);
    json_object_set_double_member(o, "min_tissue", options->min_tissue);
    json_object_set_double_member(o, "mask_mpp", options->mask_mpp);
    if (options->tissue) json_object_set_string_member(o, "tissue", options->tissue);
    if (options->leave_out) json_object_set_string_member(o, "leave_out", options->leave_out);
    if (options->min_area > 0) json_object_set_double_member(o, "min_area", options->min_area);
    if (options->max_hole > 0) json_object_set_double_member(o, "max_hole", options->max_hole);
    return node;
}

gboolean rmil_preprocessing_read(const char *cohort, JsonNode **node, GError **error) {
    g_autofree char *folder = g_path_get_dirname(cohort), *path = g_build_filename(folder, "preprocessing.json", NULL);
    gboolean there;
    *node = NULL;
    return rmil_file_exists(path, &there, error) && (!there || (*node = rmil_json_read(path, 64 << 20, error)));
}

/* *value is unchanged if there is no such member. */
static gboolean number_member(JsonNode *object, const char *name, double *value, GError **error) {
    JsonNode *member = rmil_json_get(object, name);
    if (!member || rmil_json_number(member, value)) return TRUE;
    if (!JSON_NODE_HOLDS_VALUE(member) || json_node_get_value_type(member) != G_TYPE_BOOLEAN)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "run.json: %s of its preprocessing is not a number", name);
    *value = json_node_get_boolean(member);
    return TRUE;
}

/* Is the given value the recorded one or, if none is recorded, the default (NULL: it has no name)? */
static gboolean same(const char *option, const char *recorded, const char *usual, const char *given, GError **error) {
    const char *then = recorded ? recorded : usual;
    if (!given || g_strcmp0(given, then) == 0) return TRUE;
    g_autofree char *by = then ? g_strdup_printf("%s %s", option, then) : g_strdup_printf("no %s", option);
    return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                     "the model was trained on features made with %s, and %s %s would make different "
                     "ones: leave the option out",
                     by, option, given);
}

static gboolean text_member(JsonNode *object, const char *name, const char *option, const char *usual, char **text, GError **error) {
    const char *recorded = rmil_json_text(object, name);
    if (!same(option, recorded, usual, *text, error)) return FALSE;
    g_free(*text);
    *text = g_strdup(recorded);
    return TRUE;
}

/* For the encoder "onnx": takes the recorded values as options, and refuses given ones that differ. says: from its file, used if the record
 * has no value. */
static gboolean apply_said(JsonNode *node, const RmilOnnxSays *says, RmilPrepareOptions *options, GError **error) {
    double side = 0;
    const gboolean both = says->mean && says->sd;
    if (!text_member(node, "mean", "--mean", both ? says->mean : RMIL_IMAGENET_MEAN, &options->mean, error) ||
        !text_member(node, "sd", "--sd", both ? says->sd : RMIL_IMAGENET_SD, &options->sd, error) ||
        !text_member(node, "onnx_output", "--onnx-output", NULL, &options->onnx_output, error) ||
        !number_member(node, "input_px", &side, error))
        return FALSE;
    if (side < 0 || side > 1e6) return rmil_fail(error, RMIL_ERROR_FORMAT, "run.json: input_px of its preprocessing is not a size");
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

/* As apply_onnx, for the tissue options. */
static gboolean apply_tissue(JsonNode *node, RmilPrepareOptions *options, GError **error) {
    static const struct {
        const char *member, *option;
        gsize place;
    } areas[] = {{"min_area", "--min-area", G_STRUCT_OFFSET(RmilPrepareOptions, min_area)},
                 {"max_hole", "--max-hole", G_STRUCT_OFFSET(RmilPrepareOptions, max_hole)}};
    for (gsize i = 0; i < G_N_ELEMENTS(areas); i++) {
        double *area = &G_STRUCT_MEMBER(double, options, areas[i].place), recorded = 0;
        if (!number_member(node, areas[i].member, &recorded, error)) return FALSE;
        g_autofree char *then = recorded > 0 ? g_strdup_printf("%g", recorded) : NULL,
                        *given = *area > 0 ? g_strdup_printf("%g", *area) : NULL;
        if (!same(areas[i].option, then, NULL, given, error)) return FALSE;
        *area = recorded;
    }
    return text_member(node, "tissue", "--tissue", rmil_tissue_method_name(RMIL_TISSUE_OTSU), &options->tissue, error) &&
           text_member(node, "leave_out", "--leave-out", NULL, &options->leave_out, error);
}

/* The tiles' side, which is recorded if it was not the encoder's. */
static gboolean apply_side(JsonNode *node, RmilPrepareOptions *options, GError **error) {
    const int usual = usual_px(options);
    double side = usual;
    if (!number_member(node, "tile_px", &side, error)) return FALSE;
    if (!(side >= 8 && side <= 8192)) return rmil_fail(error, RMIL_ERROR_FORMAT, "run.json: tile_px of its preprocessing is not a size");
    g_autofree char *then = g_strdup_printf("%d", (int)side),
                    *given = g_strdup_printf("%d", options->tile_px ? options->tile_px : (int)side);
    if (!same("--tile-px", then, NULL, given, error)) return FALSE;
    options->tile_px = (int)side == usual ? 0 : (int)side;
    return TRUE;
}

gboolean rmil_preprocessing_apply(JsonNode *node, RmilPrepareOptions *options, GError **error) {
    const char *encoder = rmil_json_text(node, "encoder");
    double bfloat16 = 0;
    options->second_mpp = options->overlap = 0;
    g_clear_pointer(&options->tile_mpps, g_free);
    if (!encoder) return rmil_fail(error, RMIL_ERROR_FORMAT, "run.json: preprocessing names no encoder");
    g_free(options->encoder);
    options->encoder = g_strdup(encoder);
    if (!options->weights) options->weights = g_strdup(rmil_json_text(node, "weights"));
    if (!number_member(node, "encode_bfloat16", &bfloat16, error) || !number_member(node, "tile_mpp", &options->tile_mpp, error) ||
        !number_member(node, "min_tissue", &options->min_tissue, error) || !number_member(node, "mask_mpp", &options->mask_mpp, error) ||
        !apply_tissue(node, options, error) || !number_member(node, "second_mpp", &options->second_mpp, error) ||
        !number_member(node, "overlap", &options->overlap, error) ||
        !text_member(node, "features_precision", "--features-precision", "float16", &options->features_precision, error) ||
        (strcmp(encoder, "onnx") == 0 && !apply_onnx(node, options, error)) || !apply_side(node, options, error))
        return FALSE;
    if (!options->device) options->device = g_strdup(rmil_json_text(node, "device"));
    options->bfloat16 = bfloat16 != 0;
    return TRUE;
}
