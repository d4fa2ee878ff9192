/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders as ONNX files, inside. */
#ifndef RMIL_ONNX_WRITE_H
#define RMIL_ONNX_WRITE_H

#include "encoder-private.h"

#define RMIL_ONNX_EXPORTER "1" /* another where it writes another graph: files that were made of weights are made again */

/* rmil_encoder_onnx_write of weights that fit; `most` bytes of tensors in the file itself, beyond which PATH.data has them. */
gboolean rmil_encoder_graph_write(const RmilEncoderClass *class, const RmilTensors *weights, const char *sha256, const char *path,
                                  int64_t most, GError **error);

#endif
