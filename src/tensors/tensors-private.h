/* SPDX-License-Identifier: Apache-2.0 */
/* Stored numbers, named tensors, and the files that hold them. */
#ifndef RMIL_TENSORS_PRIVATE_H
#define RMIL_TENSORS_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/tensors.h"

#include <string.h>

/* -- numbers ---------------------------------------------------------------------------------------------------------- */
RMIL_INLINE uint32_t rmil_float_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

RMIL_INLINE float rmil_bits_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* float16 and bfloat16 as float32, exactly; float32 as bfloat16, rounded to nearest even, NaN staying NaN. */
RMIL_INLINE float rmil_half_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = (half >> 10) & 31, mantissa = half & 0x3ff;
    if (exponent == 31) return rmil_bits_float(sign | 0x7f800000 | mantissa << 13);
    if (exponent == 0) return rmil_bits_float(sign | rmil_float_bits((float)mantissa * 0x1p-24F));
    return rmil_bits_float(sign | (exponent + 112) << 23 | mantissa << 13);
}

RMIL_INLINE float rmil_bfloat16_float(uint16_t bfloat) { return rmil_bits_float((uint32_t)bfloat << 16); }

RMIL_INLINE uint16_t rmil_bfloat16(float value) {
    uint32_t bits = rmil_float_bits(value), rounded = (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16;
    return (uint16_t)((bits & 0x7fffffffU) > 0x7f800000U ? bits >> 16 | 0x40U : rounded);
}

/* n of them; FALSE: a result is infinite or not a number. */
gboolean rmil_to_bfloat16(const float *values, int64_t n, uint16_t *out);
gboolean rmil_from_bfloat16(const uint16_t *values, int64_t n, float *out);

/* n stored float16 (half) or float32 values -> float32 or bfloat16 (round to nearest even, subnormals kept). FALSE: a
 * result is infinite or not a number; all results are written nevertheless. Vectorised; bit-exact with the plain version. */
gboolean rmil_decode(gboolean half, const void *raw, RmilPrecision precision, void *out, int64_t n);
gboolean rmil_decode_plain(gboolean half, const void *raw, RmilPrecision precision, void *out, int64_t n);

/* The inverse: float32 or bfloat16 in memory -> float16 or float32. FALSE: a result is not finite. */
gboolean rmil_encode(RmilPrecision precision, const void *values, gboolean half, void *out, int64_t n);
gboolean rmil_encode_plain(RmilPrecision precision, const void *values, gboolean half, void *out, int64_t n);

static inline size_t rmil_precision_bytes(RmilPrecision precision) { return precision == RMIL_BFLOAT16 ? 2 : 4; }

/* For arrays of features: not zeroed, aligned to huge pages when large. Free with rmil_free. */
void *rmil_alloc_features(int64_t rows, int64_t row_bytes, GError **error);

/* -- tensors ---------------------------------------------------------------------------------------------------------- */
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
const char *rmil_dtype_name(RmilDtype dtype); /* "F64", "F32" …, as in safetensors */

#define RMIL_TENSOR_RANK 8 /* most dimensions of a tensor */

/* A tensor; its data belongs to someone else. */
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

void rmil_tensors_free(RmilTensors *tensors);
const char *rmil_tensors_path(const RmilTensors *tensors);
int64_t rmil_tensors_count(const RmilTensors *tensors);
const RmilTensor *rmil_tensors_at(const RmilTensors *tensors, int64_t i);          /* in order of names */
const RmilTensor *rmil_tensors_find(const RmilTensors *tensors, const char *name); /* NULL: not there */
/* What a name has instead of a tensor ("a list"); the name "" is the file's whole content. NULL: nothing, or a tensor. */
const char *rmil_tensors_noted(const RmilTensors *tensors, const char *name);
const char *rmil_tensors_metadata(const RmilTensors *tensors, const char *key); /* NULL: not there */

/* A tensor as floats or integers, converted; `values` has tensor->count entries. Integers only from integer dtypes. */
void rmil_tensor_floats(const RmilTensor *tensor, float *values);
gboolean rmil_tensor_integers(const RmilTensor *tensor, int64_t *values);
/* The named tensor, of exactly this shape (−1: any size there). NULL, naming file and tensor, if it is missing or has another shape. */
const RmilTensor *rmil_tensors_shaped(const RmilTensors *tensors, const char *name, int rank, const int64_t *shape, GError **error);
/* The same as floats; free with rmil_free. */
float *rmil_tensors_floats(const RmilTensors *tensors, const char *name, int rank, const int64_t *shape, GError **error);

/* -- for readers of other formats: a set is filled, then only read -------------------------------------------------- */
RmilTensors *rmil_tensors_new(const char *path);
/* Fails on a second tensor of that name, and on ranks and sizes out of bounds. `data` must outlive the set or be kept by it. */
gboolean rmil_tensors_add(RmilTensors *tensors, const char *name, RmilDtype dtype, int rank, const int64_t *shape, const void *data,
                          GError **error);
void rmil_tensors_keep(RmilTensors *tensors, gpointer memory, GDestroyNotify release);
void rmil_tensors_note(RmilTensors *tensors, const char *name, const char *what);
void rmil_tensors_add_metadata(RmilTensors *tensors, const char *key, const char *value);
/* Product of a shape; FALSE when a size is negative or the bytes would exceed 2^62. */
gboolean rmil_shape_count(int rank, const int64_t *shape, RmilDtype dtype, int64_t *count);

/* -- safetensors (https://github.com/huggingface/safetensors, "Format"): 8 bytes little-endian header size, a JSON header
 * {"name": {"dtype", "shape", "data_offsets"}, "__metadata__": {…}}, then the tensors' bytes, row-major and without holes -- */
/* Reads a whole file of at most `limit` bytes. Refuses headers over 16 MiB, other dtypes, overlapping, missing or
 * out-of-range data, ranks above RMIL_TENSOR_RANK. */
RmilTensors *rmil_safetensors_read(const char *path, gsize limit, GError **error);
/* The same for a file in memory, into an empty set, which must keep `file`. */
gboolean rmil_safetensors_parse(RmilTensors *tensors, const char *file, gsize size, GError **error);
/* The same bytes for the same content, whatever the order of `tensors` and `metadata` (key, value, …, NULL; may be
 * NULL). Names must differ. */
gboolean rmil_safetensors_write(const char *path, const RmilTensor *tensors, int64_t count, const char *const *metadata, GError **error);

/* -- weight files: safetensors, and what torch.save writes (zip since PyTorch 1.6, and the older pickles in a row) ------- */
/* The content determines the kind. Tensors in nested dictionaries are named with dots: "state_dict.conv1.weight".
 * sha256 (65 bytes, or NULL) receives the file's digest in hexadecimal. */
RmilTensors *rmil_weights_read(const char *path, char sha256[65], GError **error);

/* Does the file start like one from torch.save? FALSE also if it cannot be read. */
gboolean rmil_torch_match(const char *path);
/* Anything that torch.save wrote: a dictionary of tensors as above, or one tensor, then named "". NumPy's arrays count as
 * tensors. Whole modules give what their state_dict would; other objects are dictionaries of their attributes: nothing is
 * run. What is found in place of tensors is noted (rmil_tensors_noted), at the top and one level below. */
RmilTensors *rmil_torch_read(const char *path, GError **error);
/* One tensor as torch.save(tensor, path) of PyTorch 1.6 and later writes it: torch.load(path, weights_only=True) gives it
 * back. float32 or float16; the same bytes for the same tensor. */
gboolean rmil_torch_write(const char *path, const RmilTensor *tensor, GError **error);
/* The same for a dictionary of n tensors by name: a state_dict. */
gboolean rmil_torch_write_dict(const char *path, const RmilTensor *tensors, int64_t n, GError **error);

/* The two forms of PyTorch's files, from the whole file in memory, which `tensors` keeps. */
gboolean rmil_torch_zip_read(RmilTensors *tensors, const guint8 *data, gsize size, GError **error);
gboolean rmil_torch_legacy_read(RmilTensors *tensors, const guint8 *data, gsize size, GError **error);

/* -- NumPy's array files as patch labels: one axis of `count` zeros and ones ------------------------------------------- */
gboolean rmil_npy_match(const char *path);
gboolean rmil_npy_write(const char *path, const uint8_t *labels, int64_t count, GError **error);
gboolean rmil_npy_labels(const char *path, int64_t count, uint8_t *labels, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilTensors, rmil_tensors_free)

#endif
