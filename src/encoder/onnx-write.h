/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders as ONNX files, internals. */
#ifndef RMIL_ONNX_WRITE_H
#define RMIL_ONNX_WRITE_H

#include "encoder-private.h"

#define RMIL_ONNX_EXPORTER "1" /* changes if the graph changes, so that files made from weights are made again */

/* rmil_encoder_onnx_write for weights that fit; at most `most` bytes of tensors in the file itself, otherwise they are in PATH.data. */
gboolean rmil_encoder_graph_write(const RmilEncoderClass *class, const RmilTensors *weights, const char *sha256, const char *path,
                                  int64_t most, GError **error);

#endif
