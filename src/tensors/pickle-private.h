/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of pickles, shared by the language (pickle.c) and the stand-ins for Python's objects (pickle-objects.c). */
#ifndef RMIL_PICKLE_PRIVATE_H
#define RMIL_PICKLE_PRIVATE_H

#include "pickle.h"

#define PICKLE_MARK G_MAXUINT32

typedef struct {
    const char *where;
    const guint8 *data;
    gsize size, at;
    Pickle *pickle;
    GArray *stack;      /* guint32: indices of values, or PICKLE_MARK */
    GArray *memo;       /* guint32: indices of values, or PICKLE_MARK if nothing was put */
    GHashTable *by_key; /* storage key -> index + 1 */
    GError **error;
} PickleReader;

gboolean rmil_pickle_fail(PickleReader *r, const char *reason);
gboolean rmil_pickle_push(PickleReader *r, PickleValue value);
static inline gboolean rmil_pickle_push_number(PickleReader *r, PickleKind kind, int64_t number) {
    return rmil_pickle_push(r, (PickleValue){.kind = kind, .number = number});
}
gboolean rmil_pickle_pop(PickleReader *r, guint32 *value);
gboolean rmil_pickle_peek(PickleReader *r, guint32 *value); /* the value on top, which stays */
static inline PickleValue *rmil_pickle_at(PickleReader *r, guint32 i) { return &g_array_index(r->pickle->values, PickleValue, i); }
static inline guint rmil_pickle_length(const PickleValue *value) { return value->items ? value->items->len : 0; }
static inline const PickleValue *rmil_pickle_item(PickleReader *r, const PickleValue *value, guint i) {
    return rmil_pickle_at(r, g_array_index(value->items, guint32, i));
}

gboolean rmil_pickle_global(PickleReader *r, const char *module, gsize module_length, const char *name, gsize name_length);
gboolean rmil_pickle_object(PickleReader *r, const char *name); /* without attributes; name: static or the pickle's */
gboolean rmil_pickle_storage(PickleReader *r);                  /* BINPERSID */
gboolean rmil_pickle_reduce(PickleReader *r);                   /* REDUCE and NEWOBJ: a callable, its arguments */
gboolean rmil_pickle_build(PickleReader *r);                    /* BUILD: an object, its state */
/* Reads a tuple of whole numbers ≥ 0; returns their count, or −1. */
int rmil_pickle_sizes(PickleReader *r, const PickleValue *value, int64_t sizes[RMIL_TENSOR_RANK]);

/* NumPy (pickle-array.c) */
gboolean rmil_pickle_new_array(PickleReader *r);
gboolean rmil_pickle_set_array(PickleReader *r, const PickleValue *array, const PickleValue *state);
gboolean rmil_pickle_filled_array(PickleReader *r, const PickleValue *arguments);
gboolean rmil_pickle_new_dtype(PickleReader *r, const PickleValue *arguments);
gboolean rmil_pickle_set_dtype(PickleReader *r, const PickleValue *dtype, const PickleValue *state);

#endif
