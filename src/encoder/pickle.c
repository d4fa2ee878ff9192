#include "pickle.h"

#include <string.h>

#define MOST_VALUES ((guint)1 << 20)
#define MARK G_MAXUINT32

typedef enum { REBUILD_TENSOR, REBUILD_TENSOR_V2, REBUILD_PARAMETER, ORDERED_DICT, SIZE, STORAGE } Callable;

static const struct {
    const char *module, *name;
    Callable callable;
    RmilDtype dtype; /* of a storage */
} globals[] = {
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR_V2, 0},
    {"torch._utils", "_rebuild_tensor", REBUILD_TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, 0},
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
};

typedef struct {
    const char *where;
    const guint8 *data;
    gsize size, at;
    Pickle *pickle;
    GArray *stack; /* guint32: indices of values, or MARK */
    GArray *memo;  /* guint32: indices of values, or MARK where nothing was put */
    GHashTable *by_key; /* storage key -> index + 1 */
    GError **error;
} Reader;

void rmil_pickle_free(Pickle *pickle) {
    if (!pickle) return;
    for (guint i = 0; i < pickle->values->len; i++) {
        GArray *items = g_array_index(pickle->values, PickleValue, i).items;
        if (items) g_array_unref(items);
    }
    for (guint i = 0; i < pickle->storages->len; i++) g_free(g_array_index(pickle->storages, PickleStorage, i).key);
    g_array_unref(pickle->values);
    g_array_unref(pickle->storages);
    g_array_unref(pickle->tensors);
    g_free(pickle);
}

static gboolean fail(Reader *r, const char *reason) {
    rmil_fail(r->error, RMIL_ERROR_FORMAT, "%s: pickle, byte %zu: %s", r->where, r->at, reason);
    return FALSE;
}

static PickleValue *value_at(Reader *r, guint32 i) { return &g_array_index(r->pickle->values, PickleValue, i); }

static gboolean push(Reader *r, PickleValue value) {
    if (r->pickle->values->len >= MOST_VALUES) return fail(r, "holds more objects than are accepted");
    guint32 index = r->pickle->values->len;
    g_array_append_val(r->pickle->values, value);
    g_array_append_val(r->stack, index);
    return TRUE;
}

static gboolean push_number(Reader *r, PickleKind kind, int64_t number) {
    return push(r, (PickleValue){.kind = kind, .number = number});
}

static gboolean pop(Reader *r, guint32 *value) {
    if (r->stack->len == 0 || (*value = g_array_index(r->stack, guint32, r->stack->len - 1)) == MARK)
        return fail(r, "takes more from its stack than it put there");
    g_array_set_size(r->stack, r->stack->len - 1);
    return TRUE;
}

/* The value on top, left there. */
static gboolean peek(Reader *r, guint32 *value) {
    if (!pop(r, value)) return FALSE;
    g_array_append_val(r->stack, *value);
    return TRUE;
}

/* Pops everything above the last mark, and the mark, into a new array; NULL when there is no mark. */
static GArray *pop_mark(Reader *r) {
    guint start = r->stack->len;
    while (start > 0 && g_array_index(r->stack, guint32, start - 1) != MARK) start--;
    if (start == 0) {
        fail(r, "has no mark where it needs one");
        return NULL;
    }
    GArray *items = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(items, &g_array_index(r->stack, guint32, start), r->stack->len - start);
    g_array_set_size(r->stack, start - 1);
    return items;
}

static gboolean take(Reader *r, guint64 n, const guint8 **bytes) {
    if (n > r->size - r->at) return fail(r, "is cut off");
    *bytes = r->data + r->at;
    r->at += n;
    return TRUE;
}

static gboolean take_number(Reader *r, int bytes, guint64 *number) {
    const guint8 *from;
    if (!take(r, (guint64)bytes, &from)) return FALSE;
    *number = 0;
    for (int i = 0; i < bytes; i++) *number |= (guint64)from[i] << (8 * i);
    return TRUE;
}

static gboolean take_line(Reader *r, const char **line, gsize *length) {
    const guint8 *end = memchr(r->data + r->at, '\n', r->size - r->at);
    if (!end) return fail(r, "is cut off");
    *line = (const char *)r->data + r->at;
    *length = (gsize)(end - r->data) - r->at;
    r->at += *length + 1;
    return TRUE;
}

static gboolean push_text(Reader *r, int length_bytes) {
    guint64 length;
    const guint8 *text;
    if (!take_number(r, length_bytes, &length) || !take(r, length, &text)) return FALSE;
    if (!g_utf8_validate((const char *)text, (gssize)length, NULL) || memchr(text, 0, length))
        return fail(r, "a text is not UTF-8");
    return push(r, (PickleValue){.kind = PICKLE_TEXT, .number = (int64_t)length, .text = (const char *)text});
}

static gboolean push_long(Reader *r) {
    guint64 length;
    const guint8 *bytes;
    if (!take_number(r, 1, &length) || !take(r, length, &bytes)) return FALSE;
    guint64 number = length && bytes[length - 1] & 0x80 ? G_MAXUINT64 : 0;
    for (guint64 i = 0; i < length && i < 8; i++) {
        number &= ~((guint64)0xff << (8 * i));
        number |= (guint64)bytes[i] << (8 * i);
    }
    /* longer ones occur (a legacy file's magic number), but never as a size: keep them, as no number */
    return length > 8 ? push_number(r, PICKLE_NONE, 0) : push_number(r, PICKLE_INT, (int64_t)number);
}

static gboolean push_global(Reader *r, const char *module, gsize module_length, const char *name, gsize name_length) {
    for (gsize i = 0; i < G_N_ELEMENTS(globals); i++)
        if (strlen(globals[i].module) == module_length && memcmp(globals[i].module, module, module_length) == 0 &&
            strlen(globals[i].name) == name_length && memcmp(globals[i].name, name, name_length) == 0)
            return push_number(r, PICKLE_GLOBAL, (int64_t)i);
    g_autofree char *where = g_strndup(module, MIN(module_length, 100)), *what = g_strndup(name, MIN(name_length, 100));
    g_autofree char *shown_where = g_strescape(where, NULL), *shown_what = g_strescape(what, NULL);
    return rmil_fail(r->error, RMIL_ERROR_FORMAT, "%s: refers to %s.%s, which is refused: only tensors are read from a "
                     "pickle, nothing in it is run (save the model's state_dict())", r->where, shown_where, shown_what);
}

static gboolean stack_global(Reader *r) {
    guint32 name, module;
    if (!pop(r, &name) || !pop(r, &module)) return FALSE;
    const PickleValue *n = value_at(r, name), *m = value_at(r, module);
    if (n->kind != PICKLE_TEXT || m->kind != PICKLE_TEXT) return fail(r, "a name is not a text");
    return push_global(r, m->text, (gsize)m->number, n->text, (gsize)n->number);
}

/* -- containers ------------------------------------------------------------------------------------------------------ */

/* Appends to the sequence or dict on top of the stack. */
static gboolean extend(Reader *r, PickleKind kind, const guint32 *items, guint n) {
    guint32 target;
    if (!peek(r, &target)) return FALSE;
    PickleValue *value = value_at(r, target);
    if (value->kind != kind || (kind == PICKLE_DICT && n % 2)) return fail(r, "adds to something that is not a container");
    if (!value->items) value->items = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(value->items, items, n);
    return TRUE;
}

static gboolean extend_marked(Reader *r, PickleKind kind) {
    g_autoptr(GArray) items = pop_mark(r);
    return items && extend(r, kind, (const guint32 *)(const void *)items->data, items->len);
}

static gboolean extend_by(Reader *r, PickleKind kind, guint n) {
    guint32 items[2];
    for (guint i = n; i-- > 0;)
        if (!pop(r, &items[i])) return FALSE;
    return extend(r, kind, items, n);
}

static gboolean push_tuple(Reader *r, guint n) {
    guint32 items[3];
    for (guint i = n; i-- > 0;)
        if (!pop(r, &items[i])) return FALSE;
    GArray *array = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(array, items, n);
    if (push(r, (PickleValue){.kind = PICKLE_SEQUENCE, .items = array})) return TRUE;
    g_array_unref(array);
    return FALSE;
}

static gboolean push_marked(Reader *r, PickleKind kind) {
    GArray *items = pop_mark(r);
    if (!items) return FALSE;
    if (kind == PICKLE_DICT && items->len % 2) {
        g_array_unref(items);
        return fail(r, "a dict has a key without a value");
    }
    if (push(r, (PickleValue){.kind = kind, .items = items})) return TRUE;
    g_array_unref(items);
    return FALSE;
}

/* -- memo -------------------------------------------------------------------------------------------------------------- */

static gboolean memo_put(Reader *r, guint64 index) {
    guint32 value;
    const guint32 nothing = MARK;
    if (!peek(r, &value)) return FALSE;
    if (index >= MOST_VALUES) return fail(r, "remembers more objects than are accepted");
    while (r->memo->len <= index) g_array_append_val(r->memo, nothing);
    g_array_index(r->memo, guint32, index) = value;
    return TRUE;
}

static gboolean memo_get(Reader *r, guint64 index) {
    if (index >= r->memo->len || g_array_index(r->memo, guint32, index) == MARK)
        return fail(r, "recalls an object that it did not remember");
    guint32 value = g_array_index(r->memo, guint32, index);
    g_array_append_val(r->stack, value);
    return TRUE;
}

/* -- tensors ----------------------------------------------------------------------------------------------------------- */

static guint length(const PickleValue *value) { return value->items ? value->items->len : 0; }

static const PickleValue *item(Reader *r, const PickleValue *value, guint i) {
    return value_at(r, g_array_index(value->items, guint32, i));
}

/* BINPERSID: ("storage", type, key, location, count[, view]). */
static gboolean push_storage(Reader *r) {
    guint32 id;
    if (!pop(r, &id)) return FALSE;
    const PickleValue *value = value_at(r, id);
    if (value->kind != PICKLE_SEQUENCE || length(value) < 5 || length(value) > 6) return fail(r, "a storage is not described");
    const PickleValue *type = item(r, value, 1), *key = item(r, value, 2), *count = item(r, value, 4);
    if (type->kind != PICKLE_GLOBAL || globals[type->number].callable != STORAGE || key->kind != PICKLE_TEXT ||
        count->kind != PICKLE_INT || count->number < 0 || count->number > INT64_C(1) << 40)
        return fail(r, "a storage is not described");
    if (length(value) == 6 && item(r, value, 5)->kind != PICKLE_NONE)
        return fail(r, "a storage is a view of another one, which only PyTorch before 0.4 wrote");
    PickleStorage storage = {.dtype = globals[type->number].dtype, .count = count->number};
    g_autofree char *name = g_strndup(key->text, (gsize)key->number);
    guint known = GPOINTER_TO_UINT(g_hash_table_lookup(r->by_key, name));
    if (known) {
        const PickleStorage *before = &g_array_index(r->pickle->storages, PickleStorage, known - 1);
        if (before->dtype != storage.dtype || before->count != storage.count)
            return fail(r, "a storage is described twice and differently");
        return push_number(r, PICKLE_STORAGE, known - 1);
    }
    storage.key = g_steal_pointer(&name);
    g_array_append_val(r->pickle->storages, storage);
    g_hash_table_insert(r->by_key, storage.key, GUINT_TO_POINTER(r->pickle->storages->len));
    return push_number(r, PICKLE_STORAGE, r->pickle->storages->len - 1);
}

/* A tuple of whole numbers ≥ 0; gives their number, or −1. */
static int take_sizes(Reader *r, const PickleValue *value, int64_t sizes[RMIL_TENSOR_RANK]) {
    if (value->kind != PICKLE_SEQUENCE || length(value) > RMIL_TENSOR_RANK) return -1;
    for (guint i = 0; i < length(value); i++) {
        const PickleValue *size = item(r, value, i);
        if (size->kind != PICKLE_INT || size->number < 0 || size->number > INT64_C(1) << 40) return -1;
        sizes[i] = size->number;
    }
    return (int)length(value);
}

/* Every number a tensor shows lies in its storage, and it shows no more of them than there are. */
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

static gboolean rebuild(Reader *r, const PickleValue *arguments) {
    if (length(arguments) < 4) return fail(r, "a tensor lacks arguments");
    const PickleValue *storage = item(r, arguments, 0), *offset = item(r, arguments, 1);
    if (storage->kind != PICKLE_STORAGE || offset->kind != PICKLE_INT || offset->number < 0 ||
        offset->number > INT64_C(1) << 40)
        return fail(r, "a tensor has no storage or no offset");
    PickleTensor tensor = {.storage = (guint32)storage->number, .offset = offset->number};
    tensor.rank = take_sizes(r, item(r, arguments, 2), tensor.shape);
    if (tensor.rank < 0 || take_sizes(r, item(r, arguments, 3), tensor.strides) != tensor.rank)
        return fail(r, "a tensor has a shape or strides that are not accepted");
    if (!fits(&tensor, &g_array_index(r->pickle->storages, PickleStorage, tensor.storage)))
        return fail(r, "a tensor reaches beyond its storage");
    g_array_append_val(r->pickle->tensors, tensor);
    return push_number(r, PICKLE_TENSOR, r->pickle->tensors->len - 1);
}

static gboolean make_dict(Reader *r, const PickleValue *arguments) {
    GArray *items = g_array_new(FALSE, FALSE, sizeof(guint32));
    const PickleValue *pairs = length(arguments) ? item(r, arguments, 0) : NULL;
    gboolean good = !pairs || pairs->kind == PICKLE_SEQUENCE;
    for (guint i = 0; good && pairs && i < length(pairs); i++) {
        const PickleValue *pair = item(r, pairs, i);
        good = pair->kind == PICKLE_SEQUENCE && length(pair) == 2;
        if (good) g_array_append_vals(items, pair->items->data, 2);
    }
    if (!good) fail(r, "a dict is not made of pairs");
    else good = push(r, (PickleValue){.kind = PICKLE_DICT, .items = items});
    if (!good) g_array_unref(items);
    return good;
}

static gboolean reduce(Reader *r) {
    guint32 arguments_index, callable_index;
    if (!pop(r, &arguments_index) || !pop(r, &callable_index)) return FALSE;
    const PickleValue *callable = value_at(r, callable_index), *arguments = value_at(r, arguments_index);
    if (callable->kind != PICKLE_GLOBAL || arguments->kind != PICKLE_SEQUENCE)
        return fail(r, "calls something that cannot be called");
    guint32 first = length(arguments) ? g_array_index(arguments->items, guint32, 0) : MARK;
    switch (globals[callable->number].callable) {
    case REBUILD_TENSOR:
    case REBUILD_TENSOR_V2: return rebuild(r, arguments);
    case ORDERED_DICT: return make_dict(r, arguments);
    case REBUILD_PARAMETER:
        if (first == MARK || value_at(r, first)->kind != PICKLE_TENSOR) return fail(r, "a parameter is not a tensor");
        g_array_append_val(r->stack, first);
        return TRUE;
    case SIZE:
        if (first == MARK || value_at(r, first)->kind != PICKLE_SEQUENCE) return fail(r, "a size is not a tuple");
        g_array_append_val(r->stack, first);
        return TRUE;
    case STORAGE: break;
    }
    return fail(r, "calls a storage, which is refused");
}

/* An OrderedDict's attributes (a state_dict's _metadata) say nothing of its tensors. */
static gboolean build(Reader *r) {
    guint32 state, target;
    if (!pop(r, &state) || !peek(r, &target)) return FALSE;
    return value_at(r, target)->kind == PICKLE_DICT || fail(r, "sets the state of something that is not a dict");
}

/* -- the language ------------------------------------------------------------------------------------------------------ */

static gboolean read_global(Reader *r) {
    const char *module, *name;
    gsize module_length, name_length;
    return take_line(r, &module, &module_length) && take_line(r, &name, &name_length) &&
           push_global(r, module, module_length, name, name_length);
}

static gboolean put_or_get(Reader *r, int bytes, gboolean put) {
    guint64 index;
    return take_number(r, bytes, &index) && (put ? memo_put(r, index) : memo_get(r, index));
}

static gboolean skip(Reader *r, int bytes) {
    guint64 ignored;
    return take_number(r, bytes, &ignored);
}

static gboolean push_int(Reader *r, int bytes) {
    guint64 number;
    return take_number(r, bytes, &number) &&
           push_number(r, PICKLE_INT, bytes == 4 ? (gint32)(guint32)number : (int64_t)number);
}

static gboolean step(Reader *r, guint8 opcode) {
    const guint32 mark = MARK;
    switch (opcode) {
    case 0x80: return skip(r, 1);                                     /* PROTO */
    case 0x95: return skip(r, 8);                                     /* FRAME */
    case '(': g_array_append_val(r->stack, mark); return TRUE;        /* MARK */
    case 'N': return push_number(r, PICKLE_NONE, 0);
    case 0x88: return push_number(r, PICKLE_BOOL, 1);                 /* NEWTRUE */
    case 0x89: return push_number(r, PICKLE_BOOL, 0);                 /* NEWFALSE */
    case 'K': return push_int(r, 1);                                  /* BININT1 */
    case 'M': return push_int(r, 2);                                  /* BININT2 */
    case 'J': return push_int(r, 4);                                  /* BININT */
    case 0x8a: return push_long(r);                                   /* LONG1 */
    case 'G': return skip(r, 8) && push_number(r, PICKLE_FLOAT, 0);   /* BINFLOAT: no tensor needs its value */
    case 'X': return push_text(r, 4);                                 /* BINUNICODE */
    case 0x8c: return push_text(r, 1);                                /* SHORT_BINUNICODE */
    case 'U': return push_text(r, 1);                                 /* SHORT_BINSTRING, Python 2 */
    case 'T': return push_text(r, 4);                                 /* BINSTRING, Python 2 */
    case ')': return push_tuple(r, 0);                                /* EMPTY_TUPLE */
    case 0x85: return push_tuple(r, 1);
    case 0x86: return push_tuple(r, 2);
    case 0x87: return push_tuple(r, 3);
    case 't': return push_marked(r, PICKLE_SEQUENCE);                 /* TUPLE */
    case 'l': return push_marked(r, PICKLE_SEQUENCE);                 /* LIST */
    case 'd': return push_marked(r, PICKLE_DICT);                     /* DICT */
    case ']': return push_number(r, PICKLE_SEQUENCE, 0);              /* EMPTY_LIST */
    case '}': return push_number(r, PICKLE_DICT, 0);                  /* EMPTY_DICT */
    case 'a': return extend_by(r, PICKLE_SEQUENCE, 1);                /* APPEND */
    case 'e': return extend_marked(r, PICKLE_SEQUENCE);               /* APPENDS */
    case 's': return extend_by(r, PICKLE_DICT, 2);                    /* SETITEM */
    case 'u': return extend_marked(r, PICKLE_DICT);                   /* SETITEMS */
    case 'q': return put_or_get(r, 1, TRUE);                          /* BINPUT */
    case 'r': return put_or_get(r, 4, TRUE);                          /* LONG_BINPUT */
    case 0x94: return memo_put(r, r->memo->len);                      /* MEMOIZE */
    case 'h': return put_or_get(r, 1, FALSE);                         /* BINGET */
    case 'j': return put_or_get(r, 4, FALSE);                         /* LONG_BINGET */
    case 'c': return read_global(r);                                  /* GLOBAL */
    case 0x93: return stack_global(r);                                /* STACK_GLOBAL */
    case 'Q': return push_storage(r);                                 /* BINPERSID */
    case 'R': return reduce(r);
    case 'b': return build(r);
    default:
        return rmil_fail(r->error, RMIL_ERROR_FORMAT, "%s: pickle, byte %zu: operation 0x%02x is refused: dictionaries of "
                         "tensors do not need it", r->where, r->at - 1, opcode);
    }
}

static gboolean run(Reader *r) {
    for (;;) {
        const guint8 *opcode;
        if (!take(r, 1, &opcode)) return FALSE;
        if (*opcode == '.') return pop(r, &r->pickle->result);
        if (!step(r, *opcode)) return FALSE;
    }
}

Pickle *rmil_pickle_read(const char *where, const guint8 *data, gsize size, gsize *used, GError **error) {
    g_autoptr(Pickle) pickle = g_new0(Pickle, 1);
    pickle->values = g_array_new(FALSE, FALSE, sizeof(PickleValue));
    pickle->storages = g_array_new(FALSE, FALSE, sizeof(PickleStorage));
    pickle->tensors = g_array_new(FALSE, FALSE, sizeof(PickleTensor));
    Reader reader = {.where = where, .data = data, .size = size, .pickle = pickle, .error = error};
    reader.stack = g_array_new(FALSE, FALSE, sizeof(guint32));
    reader.memo = g_array_new(FALSE, FALSE, sizeof(guint32));
    reader.by_key = g_hash_table_new(g_str_hash, g_str_equal);
    gboolean good = run(&reader);
    g_array_unref(reader.stack);
    g_array_unref(reader.memo);
    g_hash_table_unref(reader.by_key);
    *used = reader.at;
    return good ? g_steal_pointer(&pickle) : NULL;
}
