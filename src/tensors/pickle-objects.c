/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for Python's objects: tensors, dictionaries, arrays; for all other classes, their names and attributes. */
#include "pickle-private.h"

#include <string.h>

typedef enum {
    REBUILD_TENSOR,   /* of both versions: the arguments in use are the same */
    REBUILD_SUBCLASS, /* function, class, arguments, state */
    REBUILD_PARAMETER,
    ORDERED_DICT,
    SIZE,
    STORAGE,
    ARRAY, /* an empty array, filled by its state */
    FILLED_ARRAY,
    DTYPE,
    ENCODE
} Callable;

static const struct {
    const char *module, *name;
    Callable callable;
    RmilDtype dtype; /* of a storage */
} globals[] = {
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, 0},
    {"torch._utils", "_rebuild_tensor", REBUILD_TENSOR, 0},
    {"torch._tensor", "_rebuild_from_type_v2", REBUILD_SUBCLASS, 0},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, 0},
    {"torch._utils", "_rebuild_parameter_with_state", REBUILD_PARAMETER, 0},
    {"collections", "OrderedDict", ORDERED_DICT, 0},
    {"torch", "Size", SIZE, 0},
    {"torch", "DoubleStorage", STORAGE, RMIL_DTYPE_F64},
    {"torch", "FloatStorage", STORAGE, RMIL_DTYPE_F32},
    {"torch", "HalfStorage", STORAGE, RMIL_DTYPE_F16},
    {"torch", "BFloat16Storage", STORAGE, RMIL_DTYPE_BF16},
    {"torch", "LongStorage", STORAGE, RMIL_DTYPE_I64},
    {"torch", "IntStorage", STORAGE, RMIL_DTYPE_I32},
    {"torch", "ByteStorage", STORAGE, RMIL_DTYPE_U8},
    {"torch", "BoolStorage", STORAGE, RMIL_DTYPE_BOOL},
    {"numpy.core.multiarray", "_reconstruct", ARRAY, 0}, /* NumPy 1 */
    {"numpy._core.multiarray", "_reconstruct", ARRAY, 0},
    {"numpy.core.numeric", "_frombuffer", FILLED_ARRAY, 0},
    {"numpy._core.numeric", "_frombuffer", FILLED_ARRAY, 0},
    {"numpy", "dtype", DTYPE, 0},
    {"_codecs", "encode", ENCODE, 0},
};

gboolean rmil_pickle_global(PickleReader *r, const char *module, gsize module_length, const char *name, gsize name_length) {
    for (gsize i = 0; i < G_N_ELEMENTS(globals); i++)
        if (strlen(globals[i].module) == module_length && memcmp(globals[i].module, module, module_length) == 0 &&
            strlen(globals[i].name) == name_length && memcmp(globals[i].name, name, name_length) == 0)
            return rmil_pickle_push_number(r, PICKLE_GLOBAL, (int64_t)i);
    g_autofree char *where = g_strndup(module, MIN(module_length, 100)), *what = g_strndup(name, MIN(name_length, 100));
    g_autofree char *full = g_strconcat(where, ".", what, NULL), *shown = g_strescape(full, NULL);
    const char *kept = g_string_chunk_insert_const(r->pickle->names, shown);
    if (!r->pickle->unknown) r->pickle->unknown = kept;
    return rmil_pickle_push(r, (PickleValue){.kind = PICKLE_GLOBAL, .number = -1, .text = kept});
}

gboolean rmil_pickle_object(PickleReader *r, const char *name) {
    return rmil_pickle_push(r, (PickleValue){.kind = PICKLE_OBJECT, .text = name});
}

/* -- tensors ----------------------------------------------------------------------------------------------------------- */

/* BINPERSID: ("storage", type, key, location, count[, view]). */
gboolean rmil_pickle_storage(PickleReader *r) {
    guint32 id;
    if (!rmil_pickle_pop(r, &id)) return FALSE;
    const PickleValue *value = rmil_pickle_at(r, id);
    if (value->kind != PICKLE_SEQUENCE || rmil_pickle_length(value) < 5 || rmil_pickle_length(value) > 6)
        return rmil_pickle_fail(r, "a storage is not described");
    const PickleValue *type = rmil_pickle_item(r, value, 1), *key = rmil_pickle_item(r, value, 2), *count = rmil_pickle_item(r, value, 4);
    if (type->kind == PICKLE_GLOBAL && type->number < 0) return rmil_pickle_object(r, type->text); /* of an unknown type of numbers */
    if (type->kind != PICKLE_GLOBAL || globals[type->number].callable != STORAGE || key->kind != PICKLE_TEXT || count->kind != PICKLE_INT ||
        count->number < 0 || count->number > INT64_C(1) << 40)
        return rmil_pickle_fail(r, "a storage is not described");
    if (rmil_pickle_length(value) == 6 && rmil_pickle_item(r, value, 5)->kind != PICKLE_NONE)
        return rmil_pickle_fail(r, "a storage is a view of another one, which only PyTorch before 0.4 wrote");
    PickleStorage storage = {.dtype = globals[type->number].dtype, .count = count->number};
    g_autofree char *name = g_strndup(key->text, (gsize)key->number);
    guint known = GPOINTER_TO_UINT(g_hash_table_lookup(r->by_key, name));
    if (known) {
        const PickleStorage *before = &g_array_index(r->pickle->storages, PickleStorage, known - 1);
        if (before->dtype != storage.dtype || before->count != storage.count)
            return rmil_pickle_fail(r, "a storage is described twice and differently");
        return rmil_pickle_push_number(r, PICKLE_STORAGE, known - 1);
    }
    storage.key = g_steal_pointer(&name);
    g_array_append_val(r->pickle->storages, storage);
    g_hash_table_insert(r->by_key, storage.key, GUINT_TO_POINTER(r->pickle->storages->len));
    return rmil_pickle_push_number(r, PICKLE_STORAGE, r->pickle->storages->len - 1);
}

int rmil_pickle_sizes(PickleReader *r, const PickleValue *value, int64_t sizes[RMIL_TENSOR_RANK]) {
    if (value->kind != PICKLE_SEQUENCE || rmil_pickle_length(value) > RMIL_TENSOR_RANK) return -1;
    for (guint i = 0; i < rmil_pickle_length(value); i++) {
        const PickleValue *size = rmil_pickle_item(r, value, i);
        if (size->kind != PICKLE_INT || size->number < 0 || size->number > INT64_C(1) << 40) return -1;
        sizes[i] = size->number;
    }
    return (int)rmil_pickle_length(value);
}

/* Do all numbers of a tensor lie in its storage, and are there no more of them than the storage has? */
static gboolean fits(const PickleTensor *tensor, const PickleStorage *storage) {
    int64_t count, last = tensor->offset; /* sizes and strides ≤ 2^40, count ≤ storage ≤ 2^40: no overflow below */
    if (!rmil_shape_count(tensor->rank, tensor->shape, storage->dtype, &count) || count > storage->count) return FALSE;
    if (count == 0) return TRUE;
    for (int i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] == 1) continue;
        if (tensor->strides[i] > storage->count / (tensor->shape[i] - 1)) return FALSE;
        last += (tensor->shape[i] - 1) * tensor->strides[i];
    }
    return last < storage->count;
}

static gboolean rebuild(PickleReader *r, const PickleValue *arguments) {
    if (rmil_pickle_length(arguments) < 4) return rmil_pickle_fail(r, "a tensor lacks arguments");
    const PickleValue *storage = rmil_pickle_item(r, arguments, 0), *offset = rmil_pickle_item(r, arguments, 1);
    if (storage->kind == PICKLE_OBJECT) return rmil_pickle_object(r, storage->text);
    if (storage->kind != PICKLE_STORAGE || offset->kind != PICKLE_INT || offset->number < 0 || offset->number > INT64_C(1) << 40)
        return rmil_pickle_fail(r, "a tensor has no storage or no offset");
    PickleTensor tensor = {.storage = (guint32)storage->number, .offset = offset->number};
    tensor.rank = rmil_pickle_sizes(r, rmil_pickle_item(r, arguments, 2), tensor.shape);
    if (tensor.rank < 0 || rmil_pickle_sizes(r, rmil_pickle_item(r, arguments, 3), tensor.strides) != tensor.rank)
        return rmil_pickle_fail(r, "a tensor has a shape or strides that are not accepted");
    if (!fits(&tensor, &g_array_index(r->pickle->storages, PickleStorage, tensor.storage)))
        return rmil_pickle_fail(r, "a tensor reaches beyond its storage");
    g_array_append_val(r->pickle->tensors, tensor);
    return rmil_pickle_push_number(r, PICKLE_TENSOR, r->pickle->tensors->len - 1);
}

static gboolean make_dict(PickleReader *r, const PickleValue *arguments) {
    GArray *items = g_array_new(FALSE, FALSE, sizeof(guint32));
    const PickleValue *pairs = rmil_pickle_length(arguments) ? rmil_pickle_item(r, arguments, 0) : NULL;
    gboolean good = !pairs || pairs->kind == PICKLE_SEQUENCE;
    for (guint i = 0; good && pairs && i < rmil_pickle_length(pairs); i++) {
        const PickleValue *pair = rmil_pickle_item(r, pairs, i);
        good = pair->kind == PICKLE_SEQUENCE && rmil_pickle_length(pair) == 2;
        if (good) g_array_append_vals(items, pair->items->data, 2);
    }
    if (!good) rmil_pickle_fail(r, "a dict is not made of pairs");
    else good = rmil_pickle_push(r, (PickleValue){.kind = PICKLE_DICT, .items = items});
    if (!good) g_array_unref(items);
    return good;
}

/* codecs.encode(text, "latin1"): bytes. */
static gboolean encode(PickleReader *r, const PickleValue *arguments) {
    if (rmil_pickle_length(arguments) == 0) return rmil_pickle_fail(r, "nothing is encoded");
    PickleValue text = *rmil_pickle_item(r, arguments, 0);
    if (text.kind != PICKLE_TEXT && text.kind != PICKLE_LATIN) return rmil_pickle_fail(r, "something else than a text is encoded");
    text.kind = PICKLE_LATIN;
    return rmil_pickle_push(r, text);
}

/* Replaces the call by its first argument if that is of this kind, or by an unknown object. */
static gboolean pass_on(PickleReader *r, const PickleValue *arguments, PickleKind kind, const char *reason) {
    if (rmil_pickle_length(arguments) == 0) return rmil_pickle_fail(r, reason);
    guint32 first = g_array_index(arguments->items, guint32, 0);
    const PickleValue *value = rmil_pickle_at(r, first);
    if (value->kind != kind && value->kind != PICKLE_OBJECT) return rmil_pickle_fail(r, reason);
    g_array_append_val(r->stack, first);
    return TRUE;
}

static gboolean call(PickleReader *r, Callable callable, const PickleValue *arguments) {
    switch (callable) {
    case REBUILD_TENSOR: return rebuild(r, arguments);
    case REBUILD_SUBCLASS: {
        const PickleValue *function = rmil_pickle_length(arguments) >= 3 ? rmil_pickle_item(r, arguments, 0) : NULL;
        const PickleValue *inner = function ? rmil_pickle_item(r, arguments, 2) : NULL;
        if (!function || function->kind != PICKLE_GLOBAL || inner->kind != PICKLE_SEQUENCE)
            return rmil_pickle_fail(r, "a tensor lacks arguments");
        if (function->number < 0) return rmil_pickle_object(r, function->text);
        return globals[function->number].callable == REBUILD_TENSOR ? rebuild(r, inner)
                                                                    : rmil_pickle_fail(r, "a tensor is rebuilt by an unknown function");
    }
    case ORDERED_DICT: return make_dict(r, arguments);
    case REBUILD_PARAMETER: return pass_on(r, arguments, PICKLE_TENSOR, "a parameter is not a tensor");
    case SIZE: return pass_on(r, arguments, PICKLE_SEQUENCE, "a size is not a tuple");
    case ARRAY: return rmil_pickle_new_array(r);
    case FILLED_ARRAY: return rmil_pickle_filled_array(r, arguments);
    case DTYPE: return rmil_pickle_new_dtype(r, arguments);
    case ENCODE: return encode(r, arguments);
    case STORAGE: break;
    }
    return rmil_pickle_fail(r, "calls a storage, which is refused");
}

gboolean rmil_pickle_reduce(PickleReader *r) {
    guint32 arguments_index, callable_index;
    if (!rmil_pickle_pop(r, &arguments_index) || !rmil_pickle_pop(r, &callable_index)) return FALSE;
    const PickleValue *callable = rmil_pickle_at(r, callable_index), *arguments = rmil_pickle_at(r, arguments_index);
    if (callable->kind == PICKLE_OBJECT || (callable->kind == PICKLE_GLOBAL && callable->number < 0))
        return rmil_pickle_object(r, callable->text);
    if (callable->kind != PICKLE_GLOBAL || arguments->kind != PICKLE_SEQUENCE)
        return rmil_pickle_fail(r, "calls something that cannot be called");
    return call(r, globals[callable->number].callable, arguments);
}

/* An object's attributes: a dict, or a pair of dicts (the second has those in __slots__). */
static void add_attributes(PickleReader *r, guint32 target, const PickleValue *state, int depth) {
    if (state->kind == PICKLE_SEQUENCE && depth == 0)
        for (guint i = 0; i < MIN(rmil_pickle_length(state), 2); i++) add_attributes(r, target, rmil_pickle_item(r, state, i), depth + 1);
    if (state->kind != PICKLE_DICT || !state->items) return;
    PickleValue *object = rmil_pickle_at(r, target);
    if (!object->items) object->items = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(object->items, state->items->data, state->items->len);
}

gboolean rmil_pickle_build(PickleReader *r) {
    guint32 state, target;
    if (!rmil_pickle_pop(r, &state) || !rmil_pickle_peek(r, &target)) return FALSE;
    const PickleValue *value = rmil_pickle_at(r, target);
    switch (value->kind) {
    case PICKLE_DICT: return TRUE; /* an OrderedDict's attributes (a state_dict's _metadata) do not describe its tensors */
    case PICKLE_TENSOR: return TRUE;
    case PICKLE_ARRAY: return rmil_pickle_set_array(r, value, rmil_pickle_at(r, state));
    case PICKLE_DTYPE: return rmil_pickle_set_dtype(r, value, rmil_pickle_at(r, state));
    case PICKLE_OBJECT: add_attributes(r, target, rmil_pickle_at(r, state), 0); return TRUE;
    default: return rmil_pickle_fail(r, "sets the state of something that has none");
    }
}
