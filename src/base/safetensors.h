/* Named tensors, and their file format safetensors (https://github.com/huggingface/safetensors, "Format"): 8 bytes
 * little-endian header size, a JSON header {"name": {"dtype", "shape", "data_offsets"}, "__metadata__": {…}}, then the
 * tensors' bytes, row-major and without holes. */
#ifndef RMIL_SAFETENSORS_H
#define RMIL_SAFETENSORS_H

#include "base-private.h"

typedef enum {
    RMIL_DTYPE_F64,
    RMIL_DTYPE_F32,
    RMIL_DTYPE_F16,
    RMIL_DTYPE_BF16,
    RMIL_DTYPE_I64,
    RMIL_DTYPE_I32,
    RMIL_DTYPE_U8,
    RMIL_DTYPE_BOOL
} RmilDtype;
size_t rmil_dtype_size(RmilDtype dtype);
const char *rmil_dtype_name(RmilDtype dtype); /* "F64", "F32" … as safetensors spells them */

#define RMIL_TENSOR_RANK 8 /* most dimensions of a tensor */

/* A tensor that somebody else owns. */
typedef struct {
    const char *name;
    RmilDtype dtype;
    int rank;
    int64_t shape[RMIL_TENSOR_RANK];
    int64_t count;    /* product of the shape, 1 for rank 0; the writer computes it itself */
    const void *data; /* row-major, little-endian, not necessarily aligned */
} RmilTensor;

/* A set of named tensors with text metadata. Immutable once read: may be shared by threads. */
typedef struct _RmilTensors RmilTensors;

/* Reads a whole file of at most `limit` bytes. Refuses headers over 16 MiB, other dtypes, overlapping, missing or
 * out-of-range data, ranks above RMIL_TENSOR_RANK. */
RmilTensors *rmil_safetensors_read(const char *path, gsize limit, GError **error);
/* The same for a file in memory, into an empty set, which must keep `file`. */
gboolean rmil_safetensors_parse(RmilTensors *tensors, const char *file, gsize size, GError **error);
/* The same bytes for the same content, whatever the order of `tensors` and `metadata` (key, value, …, NULL; may be
 * NULL). Names must differ. */
gboolean rmil_safetensors_write(const char *path, const RmilTensor *tensors, int64_t count, const char *const *metadata, GError **error);

void rmil_tensors_free(RmilTensors *tensors);
const char *rmil_tensors_path(const RmilTensors *tensors);
int64_t rmil_tensors_count(const RmilTensors *tensors);
const RmilTensor *rmil_tensors_at(const RmilTensors *tensors, int64_t i);          /* in the order of the names */
const RmilTensor *rmil_tensors_find(const RmilTensors *tensors, const char *name); /* NULL: not there */
/* What stands under a name instead of a tensor ("a list"), "" being the file's whole content; NULL: nothing, or a tensor. */
const char *rmil_tensors_noted(const RmilTensors *tensors, const char *name);
const char *rmil_tensors_metadata(const RmilTensors *tensors, const char *key); /* NULL: not there */

/* A tensor as floats or integers, converted; `values` has tensor->count entries. Integers only from integer dtypes. */
void rmil_tensor_floats(const RmilTensor *tensor, float *values);
gboolean rmil_tensor_integers(const RmilTensor *tensor, int64_t *values);
/* The named tensor as floats of exactly this shape (−1: any size there); free with rmil_free. Fails, naming file and
 * tensor, when it is missing or shaped otherwise. */
float *rmil_tensors_floats(const RmilTensors *tensors, const char *name, int rank, const int64_t *shape, GError **error);

/* -- for readers of other formats: a set is filled, then only read -------------------------------------------------- */
RmilTensors *rmil_tensors_new(const char *path);
/* Fails on a second tensor of that name, ranks and sizes out of bounds. `data` must outlive the set, or be kept by it. */
gboolean rmil_tensors_add(RmilTensors *tensors, const char *name, RmilDtype dtype, int rank, const int64_t *shape, const void *data,
                          GError **error);
void rmil_tensors_keep(RmilTensors *tensors, gpointer memory, GDestroyNotify release);
void rmil_tensors_note(RmilTensors *tensors, const char *name, const char *what);
void rmil_tensors_add_metadata(RmilTensors *tensors, const char *key, const char *value);
/* Product of a shape; FALSE when a size is negative or the bytes would exceed 2^62. */
gboolean rmil_shape_count(int rank, const int64_t *shape, RmilDtype dtype, int64_t *count);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilTensors, rmil_tensors_free)

#endif
