/* SPDX-License-Identifier: Apache-2.0 */
/* A network as an ONNX graph (https://onnx.ai, operator set 17, which ONNX Runtime reads from 1.12 on): values have names, nodes make new
 * values from others. */
#ifndef RMIL_ONNX_GRAPH_H
#define RMIL_ONNX_GRAPH_H

#include "base/base-private.h"

enum { RMIL_ONNX_FLOAT = 1, RMIL_ONNX_INT64 = 7, RMIL_ONNX_DOUBLE = 11 }; /* types of numbers, as Cast takes them */

/* An axis of an input or output: its size, or a name if the size is open. */
typedef struct {
    int64_t size;
    const char *name; /* NULL: the size is fixed */
} RmilOnnxAxis;

/* Names that functions here return belong to the graph. Nothing fails until the graph is written. Not thread-safe. */
typedef struct _RmilOnnx RmilOnnx;
RmilOnnx *rmil_onnx_new(gconstpointer owner); /* owner: identifies the graph to its builders */
gconstpointer rmil_onnx_owner(const RmilOnnx *onnx);
void rmil_onnx_free(RmilOnnx *onnx);

/* From here on, tensors of 1 KiB and more go to the file PATH.data, PATH being where the graph will be written: a protocol buffers
 * file holds at most 2 GiB. */
void rmil_onnx_outside(RmilOnnx *onnx, const char *path);
extern const int64_t rmil_onnx_most_bytes; /* limit for tensors in the file itself */

const char *rmil_onnx_input(RmilOnnx *onnx, const char *name, int type, int rank, const RmilOnnxAxis *axes);
/* An output of that name, made from `value` by an operator with one input. rmil_onnx_int and the like apply to it, too. */
void rmil_onnx_output(RmilOnnx *onnx, const char *operator, const char * value, const char *name, int rank, const RmilOnnxAxis *axes);

/* A tensor; a second call with the same name returns the first. `data` must live until the graph is written; _given takes over the floats
 * and frees them with rmil_free. */
const char *rmil_onnx_tensor(RmilOnnx *onnx, const char *name, int type, int rank, const int64_t *shape, const void *data, gsize size);
const char *rmil_onnx_given(RmilOnnx *onnx, const char *name, int rank, const int64_t *shape, float *values);
const char *rmil_onnx_number(RmilOnnx *onnx, double value);                 /* (1), float32 */
const char *rmil_onnx_wholes(RmilOnnx *onnx, int n, const int64_t *values); /* (n), int64 */
#define RMIL_ONNX_WHOLES(onnx, ...)                                                                                                        \
    rmil_onnx_wholes(onnx, (int)G_N_ELEMENTS(((const int64_t[]){__VA_ARGS__})), (const int64_t[]){__VA_ARGS__})

/* A node: operator, inputs, NULL. Returns its output. The following calls apply to the node added last. */
const char *rmil_onnx_node(RmilOnnx *onnx, const char *operator, ...) G_GNUC_NULL_TERMINATED;
const char *rmil_onnx_another_output(RmilOnnx *onnx);
void rmil_onnx_int(RmilOnnx *onnx, const char *attribute, int64_t value);
void rmil_onnx_ints(RmilOnnx *onnx, const char *attribute, int n, const int64_t *values);
#define RMIL_ONNX_INTS(onnx, attribute, ...)                                                                                               \
    rmil_onnx_ints(onnx, attribute, (int)G_N_ELEMENTS(((const int64_t[]){__VA_ARGS__})), (const int64_t[]){__VA_ARGS__})
void rmil_onnx_float(RmilOnnx *onnx, const char *attribute, double value);
/* Concatenates values along an axis. */
const char *rmil_onnx_join(RmilOnnx *onnx, const char *const *values, int count, int axis);

/* Writes the file, and the data file, completely or not at all; the same graph gives the same bytes. metadata: key, value …, NULL. */
gboolean rmil_onnx_write(RmilOnnx *onnx, const char *path, const char *name, const char *doc, char *const *metadata, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilOnnx, rmil_onnx_free)

#endif
