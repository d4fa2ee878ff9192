/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes make an ONNX model, and what its metadata say of it. */
#ifndef RMIL_ONNX_FILE_H
#define RMIL_ONNX_FILE_H

#include "base/base-private.h"

#define RMIL_ONNX_ENDING ".onnx"

/* "sha256:…" of the file, and after it " NAME sha256:…" of each file of its folder that the model names as tensors outside itself, in the
 * order of names. IO: one of them cannot be read. Free with g_free. */
char *rmil_onnx_digest(const char *path, GError **error);

/* Names of the files that a model in memory has tensors in, each once, in order. Of bytes that are none, whatever looks like such names.
 * Free with g_ptr_array_unref. */
GPtrArray *rmil_onnx_outside_names(const char *bytes, gsize size);

/* What a file of the exporter (or any that has such metadata) says of its input: rmil_encoder_onnx_write's keys. NULL and 0: not said. */
typedef struct {
    char *encoder, *exporter, *weights; /* a name; the version of what wrote it; "sha256:…" */
    char *mean, *sd;                    /* "R,G,B" */
    char *pooling;
    int input_px;
    double mpp;
} RmilOnnxSays;
#define RMIL_ONNX_KEY "rankmil."
/* FORMAT: a number is none, or out of bounds. A file that is broken says nothing. Clear in any case. */
gboolean rmil_onnx_says(const char *path, RmilOnnxSays *says, GError **error);
/* The same of a file in memory. */
gboolean rmil_onnx_says_parse(const char *path, const void *bytes, gsize size, RmilOnnxSays *says, GError **error);
void rmil_onnx_says_clear(RmilOnnxSays *says);
/* Three numbers "R,G,B", from 0 (positive: above it) to 1; named: what the message calls them. */
gboolean rmil_onnx_colours(const char *named, const char *text, gboolean positive, double out[3], GError **error);
enum { RMIL_ONNX_LEAST_SIDE = 8, RMIL_ONNX_MOST_SIDE = 4096 };

#endif
