/* SPDX-License-Identifier: Apache-2.0 */
/* Pickled tensors and NumPy arrays, read without executing anything. Only the part of Python's pickle language
 * (Lib/pickletools.py) that torch.save writes is understood. Of callables, only those that rebuild tensors and arrays are
 * imitated here; any other callable gives a passive object: the name of its class, and its attributes. Time and memory are
 * linear in the size of the pickle. */
#ifndef RMIL_PICKLE_H
#define RMIL_PICKLE_H

#include "tensors-private.h"

typedef enum {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT,
    PICKLE_TEXT,
    PICKLE_BYTES,    /* as they lie in the pickle */
    PICKLE_LATIN,    /* bytes, each encoded as a UTF-8 character, as in pickles of protocol 2 */
    PICKLE_SEQUENCE, /* tuple or list */
    PICKLE_DICT,
    PICKLE_GLOBAL,
    PICKLE_STORAGE,
    PICKLE_TENSOR,
    PICKLE_DTYPE, /* of NumPy */
    PICKLE_ARRAY, /* of NumPy */
    PICKLE_OBJECT /* of an unknown class, or the result of an unknown function */
} PickleKind;

typedef struct {
    PickleKind kind;
    int64_t number;   /* bool, int; which global, −1 an unknown one; index of the storage, tensor, array; a text's length */
    const char *text; /* into the pickle, not terminated; of unknown globals and objects: "module.name", terminated */
    GArray *items;    /* guint32: values of a sequence; keys and values, by turns, of a dict, and of an object's attributes; NULL
                         * when empty */
} PickleValue;

typedef struct {
    char *key; /* names the storage in the file */
    RmilDtype dtype;
    int64_t count;
} PickleStorage;

typedef struct {
    guint32 storage;
    int64_t offset; /* in numbers, as strides */
    int rank;
    int64_t shape[RMIL_TENSOR_RANK], strides[RMIL_TENSOR_RANK];
} PickleTensor;

/* NumPy's type: kind 'f', 'i', 'u' or 'b' as in "<f4", bytes of a number, and their order. 0 bytes: another type. */
typedef struct {
    char kind;
    guint8 size;
    gboolean swapped; /* big-endian */
} PickleDtype;

typedef struct {
    gboolean set, columns; /* is it complete; is it in column order, not row order */
    PickleDtype dtype;
    int rank;
    int64_t shape[RMIL_TENSOR_RANK];
    const guint8 *bytes; /* into the pickle */
    int64_t size;        /* of bytes */
    gboolean latin;
} PickleArray;

typedef struct {
    GArray *values;   /* PickleValue */
    GArray *storages; /* PickleStorage: each key once */
    GArray *tensors;  /* PickleTensor: within their storage, ranks, sizes and strides checked */
    GArray *arrays;   /* PickleArray: types, ranks and sizes checked where they are set */
    GArray *dtypes;   /* PickleDtype */
    GStringChunk *names;
    const char *unknown; /* the first unknown name, or NULL */
    guint32 result;      /* index into values */
} Pickle;

/* Reads one pickle at the start of data; *used: its length. `where` begins error messages. data must outlive it. */
Pickle *rmil_pickle_read(const char *where, const guint8 *data, gsize size, gsize *used, GError **error);
void rmil_pickle_free(Pickle *pickle);
static inline const PickleValue *rmil_pickle_value(const Pickle *pickle, guint32 i) {
    return &g_array_index(pickle->values, PickleValue, i);
}
/* Converts an array that is set to one of our types (small integers become I64), in row order; free *bytes with rmil_free. */
gboolean rmil_pickle_array(const PickleArray *array, const char *where, RmilDtype *dtype, int64_t *count, void **bytes, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pickle, rmil_pickle_free)

#endif
