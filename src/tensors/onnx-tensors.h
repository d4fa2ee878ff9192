/* SPDX-License-Identifier: Apache-2.0 */
/* The tensors of an ONNX file that is being made: in the file, or (what does not fit there) in one beside it. */
#ifndef RMIL_ONNX_TENSORS_H
#define RMIL_ONNX_TENSORS_H

#include "base/base-private.h"

typedef struct _RmilOnnxTensors RmilOnnxTensors;
RmilOnnxTensors *rmil_onnx_tensors_new(void);
void rmil_onnx_tensors_free(RmilOnnxTensors *tensors);                      /* what was not written is gone */
void rmil_onnx_tensors_outside(RmilOnnxTensors *tensors, const char *path); /* rmil_onnx_outside */
/* `data` goes when it is not needed any more, by `release`, where that is not NULL. */
void rmil_onnx_tensors_add(RmilOnnxTensors *tensors, const char *name, int type, int rank, const int64_t *shape, const void *data,
                           gsize size, void (*release)(void *));
uint64_t rmil_onnx_tensors_bytes(const RmilOnnxTensors *tensors); /* of the graph's fields that they are */
/* begin, tensors, end; and the file beside it. What failed before is said here. */
gboolean rmil_onnx_tensors_write(RmilOnnxTensors *tensors, const char *path, const GByteArray *begin, const GByteArray *end,
                                 GError **error);

#endif
