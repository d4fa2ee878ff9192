/* SPDX-License-Identifier: Apache-2.0 */
/* An encoder's network with its weights, written as ONNX. */
#include "onnx-write.h"

#include "onnx-file.h"

#include <math.h>

/* The shortest text that reads back as the same number. */
static void append_number(GString *out, double value) {
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    for (int digits = 1; digits <= 17; digits++) {
        g_autofree char *format = g_strdup_printf("%%.%dg", digits);
        g_ascii_formatd(text, sizeof text, format, value);
        if (!(fabs(g_ascii_strtod(text, NULL) - value) > 0)) break;
    }
    g_string_append(out, text);
}

static char *number_text(double value) {
    GString *out = g_string_new(NULL);
    append_number(out, value);
    return g_string_free(out, FALSE);
}

static char *colours_text(const double values[3]) {
    GString *out = g_string_new(NULL);
    for (int c = 0; c < 3; c++) {
        if (c) g_string_append_c(out, ',');
        append_number(out, values[c]);
    }
    return g_string_free(out, FALSE);
}

/* Do its numbers, all as float32, fit into one file? */
static gboolean fits_inside(const RmilTensors *tensors, int64_t most) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < rmil_tensors_count(tensors); i++) {
        bytes += rmil_tensors_at(tensors, i)->count * (int64_t)sizeof(float);
        if (bytes > most) return FALSE;
    }
    return TRUE;
}

static char **metadata_of(const RmilEncoderInfo *info, const RmilEncoderFacts *facts, const char *sha256) {
    g_autoptr(GStrvBuilder) out = g_strv_builder_new();
    g_autofree char *mean = colours_text(facts->mean), *sd = colours_text(facts->sd), *px = g_strdup_printf("%d", info->tile_px),
                    *mpp = number_text(info->mpp), *weights = g_strconcat("sha256:", sha256, NULL);
    g_strv_builder_add_many(out, RMIL_ONNX_KEY "encoder", info->name, RMIL_ONNX_KEY "exporter", RMIL_ONNX_EXPORTER, RMIL_ONNX_KEY "weights",
                            weights, RMIL_ONNX_KEY "mean", mean, RMIL_ONNX_KEY "sd", sd, RMIL_ONNX_KEY "input_px", px, RMIL_ONNX_KEY "mpp",
                            mpp, RMIL_ONNX_KEY "pooling", facts->pooling, NULL);
    if (info->licence) g_strv_builder_add_many(out, RMIL_ONNX_KEY "licence", info->licence, RMIL_ONNX_KEY "source", info->source, NULL);
    return g_strv_builder_end(out);
}

gboolean rmil_encoder_graph_write(const RmilEncoderClass *class, const RmilTensors *weights, const char *sha256, const char *path,
                                  int64_t most, GError **error) {
    const RmilEncoderInfo *info = &class->info;
    const RmilOnnxAxis images[] = {{.name = "images"}, {.size = 3}, {.size = info->tile_px}, {.size = info->tile_px}},
                       features[] = {{.name = "images"}, {.size = info->dim}};
    g_autoptr(RmilOnnx) onnx = rmil_onnx_new(class);
    RmilEncoderFacts facts;
    if (!fits_inside(weights, most)) rmil_onnx_outside(onnx, path);
    const char *input = rmil_onnx_input(onnx, "images", RMIL_ONNX_FLOAT, 4, images);
    const char *output = class->onnx(class, weights, onnx, input, &facts, error);
    if (!output) return FALSE;
    rmil_onnx_output(onnx, "Identity", output, "features", 2, features);
    g_auto(GStrv) metadata = metadata_of(info, &facts, sha256);
    return rmil_onnx_write(onnx, path, info->name,
                           "Encoder of pathology: images are (pixel / 255 - mean) / SD, with the mean and SD of the metadata.", metadata,
                           error);
}

gboolean rmil_encoder_is_network(const char *name) {
    const RmilEncoderClass *class = rmil_encoder_find(name, NULL);
    return class && class->onnx;
}

gboolean rmil_encoder_onnx_write(const char *name, const char *weights, const char *path, gboolean *beside, GError **error) {
    const RmilEncoderClass *class = rmil_encoder_find(name, error);
    char sha256[65];
    if (!class) return FALSE;
    if (!class->onnx)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "the encoder %s is not a network, so it cannot be written as ONNX", name);
    g_autoptr(RmilTensors) tensors = rmil_encoder_weights(class, weights, sha256, error);
    if (!tensors) return FALSE;
    if (beside) *beside = !fits_inside(tensors, rmil_onnx_most_bytes);
    return rmil_encoder_graph_write(class, tensors, sha256, path, rmil_onnx_most_bytes, error);
}
