/* Pickled tensors, read without executing anything. Of Python's pickle language (Lib/pickletools.py) only what PyTorch's
 * torch.save writes for dictionaries of tensors is understood; of callables only the rebuilding of tensors, which is done
 * here. Everything else is refused by its name. Time and memory are linear in the size of the pickle. */
#ifndef RMIL_PICKLE_H
#define RMIL_PICKLE_H

#include "base/safetensors.h"

typedef enum {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT,
    PICKLE_TEXT,
    PICKLE_SEQUENCE, /* tuple or list */
    PICKLE_DICT,
    PICKLE_GLOBAL,
    PICKLE_STORAGE,
    PICKLE_TENSOR
} PickleKind;

typedef struct {
    PickleKind kind;
    int64_t number;     /* bool, int; which global; index of the storage or tensor; a text's length */
    const char *text;   /* into the pickle, not terminated */
    GArray *items;      /* guint32: values of a sequence; keys and values, by turns, of a dict; NULL when empty */
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

typedef struct {
    GArray *values;   /* PickleValue */
    GArray *storages; /* PickleStorage: each key once */
    GArray *tensors;  /* PickleTensor: within their storage, ranks, sizes and strides checked */
    guint32 result;   /* index into values */
} Pickle;

/* Reads one pickle at the start of data; *used: its length. `where` begins error messages. data must outlive it. */
Pickle *rmil_pickle_read(const char *where, const guint8 *data, gsize size, gsize *used, GError **error);
void rmil_pickle_free(Pickle *pickle);
static inline const PickleValue *rmil_pickle_value(const Pickle *pickle, guint32 i) {
    return &g_array_index(pickle->values, PickleValue, i);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pickle, rmil_pickle_free)

#endif
