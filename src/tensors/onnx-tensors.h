/* SPDX-License-Identifier: Apache-2.0 */
/* The tensors of an ONNX file being made: in the file or, if they do not fit, in a data file next to it. */
#ifndef RMIL_ONNX_TENSORS_H
#define RMIL_ONNX_TENSORS_H

#include "base/base-private.h"

typedef struct _RmilOnnxTensors RmilOnnxTensors;
RmilOnnxTensors *rmil_onnx_tensors_new(void);
void rmil_onnx_tensors_free(RmilOnnxTensors *tensors);                      /* drops what was not written */
void rmil_onnx_tensors_outside(RmilOnnxTensors *tensors, const char *path); /* rmil_onnx_outside */
/* `release` (may be NULL) frees `data` when it is no longer needed. */
void rmil_onnx_tensors_add(RmilOnnxTensors *tensors, const char *name, int type, int rank, const int64_t *shape, const void *data,
                           gsize size, void (*release)(void *));
uint64_t rmil_onnx_tensors_bytes(const RmilOnnxTensors *tensors); /* size of their fields in the graph */
/* Writes begin, tensors, end; and the data file. Also reports earlier failures. */
gboolean rmil_onnx_tensors_write(RmilOnnxTensors *tensors, const char *path, const GByteArray *begin, const GByteArray *end,
                                 GError **error);

#endif
