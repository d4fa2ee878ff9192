/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes that make up an ONNX model, and the contents of its metadata. */
#ifndef RMIL_ONNX_FILE_H
#define RMIL_ONNX_FILE_H

#include "base/base-private.h"

#define RMIL_ONNX_ENDING ".onnx"

/* "sha256:…" of the file, followed by " NAME sha256:…" for each file of its folder that the model names for external tensors, in order of
 * names. IO: one of them cannot be read. Free with g_free. */
char *rmil_onnx_digest(const char *path, GError **error);

/* Names of the files with tensors of a model in memory, each once, in order. For bytes that are not a model, anything that looks like such
 * names. Free with g_ptr_array_unref. */
GPtrArray *rmil_onnx_outside_names(const char *bytes, gsize size);

/* What a file by the exporter (or any with such metadata) states about its input: the keys of rmil_encoder_onnx_write. NULL and 0: not
 * stated. */
typedef struct {
    char *encoder, *exporter, *weights; /* a name; the version of the exporter; "sha256:…" */
    char *mean, *sd;                    /* "R,G,B" */
    char *pooling;
    int input_px;
    double mpp;
} RmilOnnxSays;
#define RMIL_ONNX_KEY "rankmil."
/* FORMAT: a value is not a number, or out of bounds. A broken file states nothing. Clear in any case. */
gboolean rmil_onnx_says(const char *path, RmilOnnxSays *says, GError **error);
/* The same for a file in memory. */
gboolean rmil_onnx_says_parse(const char *path, const void *bytes, gsize size, RmilOnnxSays *says, GError **error);
void rmil_onnx_says_clear(RmilOnnxSays *says);
/* Three numbers "R,G,B", from 0 (positive: above it) to 1; named: their name in messages. */
gboolean rmil_onnx_colours(const char *named, const char *text, gboolean positive, double out[3], GError **error);
enum { RMIL_ONNX_LEAST_SIDE = 8, RMIL_ONNX_MOST_SIDE = 4096 };

#endif
