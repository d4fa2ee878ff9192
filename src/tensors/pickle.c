/* SPDX-License-Identifier: Apache-2.0 */
/* Reads Python's pickle format without running any of it. */
#include "pickle-private.h"

#include <string.h>

#define MOST_VALUES ((guint)1 << 20)

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
    g_array_unref(pickle->arrays);
    g_array_unref(pickle->dtypes);
    g_string_chunk_free(pickle->names);
    g_free(pickle);
}

gboolean rmil_pickle_fail(PickleReader *r, const char *reason) {
    rmil_fail(r->error, RMIL_ERROR_FORMAT,
              "%s: cannot be read as a PyTorch file of tensors (byte %zu of its pickle: %s). If PyTorch can load it, save the "
              "tensors again; otherwise it is damaged",
              r->where, r->at, reason);
    return FALSE;
}

gboolean rmil_pickle_push(PickleReader *r, PickleValue value) {
    if (r->pickle->values->len >= MOST_VALUES) return rmil_pickle_fail(r, "holds more objects than are accepted");
    guint32 index = r->pickle->values->len;
    g_array_append_val(r->pickle->values, value);
    g_array_append_val(r->stack, index);
    return TRUE;
}

gboolean rmil_pickle_pop(PickleReader *r, guint32 *value) {
    if (r->stack->len == 0 || (*value = g_array_index(r->stack, guint32, r->stack->len - 1)) == PICKLE_MARK)
        return rmil_pickle_fail(r, "takes more from its stack than it put there");
    g_array_set_size(r->stack, r->stack->len - 1);
    return TRUE;
}

gboolean rmil_pickle_peek(PickleReader *r, guint32 *value) {
    if (!rmil_pickle_pop(r, value)) return FALSE;
    g_array_append_val(r->stack, *value);
    return TRUE;
}

/* Pops everything above the last mark, and the mark, into a new array; NULL if there is no mark. */
static GArray *pop_mark(PickleReader *r) {
    guint start = r->stack->len;
    while (start > 0 && g_array_index(r->stack, guint32, start - 1) != PICKLE_MARK) start--;
    if (start == 0) {
        rmil_pickle_fail(r, "has no mark where it needs one");
        return NULL;
    }
    GArray *items = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(items, &g_array_index(r->stack, guint32, start), r->stack->len - start);
    g_array_set_size(r->stack, start - 1);
    return items;
}

static gboolean take(PickleReader *r, guint64 n, const guint8 **bytes) {
    if (n > r->size - r->at) return rmil_pickle_fail(r, "is cut off");
    *bytes = r->data + r->at;
    r->at += n;
    return TRUE;
}

static gboolean take_number(PickleReader *r, int bytes, guint64 *number) {
    const guint8 *from;
    if (!take(r, (guint64)bytes, &from)) return FALSE;
    *number = 0;
    for (int i = 0; i < bytes; i++) *number |= (guint64)from[i] << (8 * i);
    return TRUE;
}

static gboolean take_line(PickleReader *r, const char **line, gsize *length) {
    const guint8 *end = memchr(r->data + r->at, '\n', r->size - r->at);
    if (!end) return rmil_pickle_fail(r, "is cut off");
    *line = (const char *)r->data + r->at;
    *length = (gsize)(end - r->data) - r->at;
    r->at += *length + 1;
    return TRUE;
}

/* What is not valid text (for example with NUL) can still be the bytes of an array. */
static gboolean push_text(PickleReader *r, int length_bytes) {
    guint64 length;
    const guint8 *text;
    if (!take_number(r, length_bytes, &length) || !take(r, length, &text)) return FALSE;
    const gboolean plain = g_utf8_validate((const char *)text, (gssize)length, NULL);
    return rmil_pickle_push(
        r, (PickleValue){.kind = plain ? PICKLE_TEXT : PICKLE_LATIN, .number = (int64_t)length, .text = (const char *)text});
}

static gboolean push_bytes(PickleReader *r, int length_bytes) {
    guint64 length;
    const guint8 *bytes;
    return take_number(r, length_bytes, &length) && take(r, length, &bytes) &&
           rmil_pickle_push(r, (PickleValue){.kind = PICKLE_BYTES, .number = (int64_t)length, .text = (const char *)bytes});
}

static gboolean push_long(PickleReader *r, int length_bytes) {
    guint64 length;
    const guint8 *bytes;
    if (!take_number(r, length_bytes, &length) || !take(r, length, &bytes)) return FALSE;
    guint64 number = length && bytes[length - 1] & 0x80 ? G_MAXUINT64 : 0;
    for (guint64 i = 0; i < length && i < 8; i++) {
        number &= ~((guint64)0xff << (8 * i));
        number |= (guint64)bytes[i] << (8 * i);
    }
    /* longer numbers occur (a legacy file's magic number), but never as a size: keep them without a value */
    return length > 8 ? rmil_pickle_push_number(r, PICKLE_NONE, 0) : rmil_pickle_push_number(r, PICKLE_INT, (int64_t)number);
}

static gboolean stack_global(PickleReader *r) {
    guint32 name, module;
    if (!rmil_pickle_pop(r, &name) || !rmil_pickle_pop(r, &module)) return FALSE;
    const PickleValue *n = rmil_pickle_at(r, name), *m = rmil_pickle_at(r, module);
    if (n->kind != PICKLE_TEXT || m->kind != PICKLE_TEXT) return rmil_pickle_fail(r, "a name is not a text");
    return rmil_pickle_global(r, m->text, (gsize)m->number, n->text, (gsize)n->number);
}

/* -- containers ------------------------------------------------------------------------------------------------------ */

/* Appends to the sequence or dict on top of the stack. */
static gboolean extend(PickleReader *r, PickleKind kind, const guint32 *items, guint n) {
    guint32 target;
    if (!rmil_pickle_peek(r, &target)) return FALSE;
    PickleValue *value = rmil_pickle_at(r, target);
    if (value->kind == PICKLE_OBJECT && kind == PICKLE_SEQUENCE) return TRUE; /* a list whose class is unknown */
    if ((value->kind != kind && value->kind != PICKLE_OBJECT) || (kind == PICKLE_DICT && n % 2))
        return rmil_pickle_fail(r, "appends to something that is not a container");
    if (!value->items) value->items = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(value->items, items, n);
    return TRUE;
}

static gboolean extend_marked(PickleReader *r, PickleKind kind) {
    g_autoptr(GArray) items = pop_mark(r);
    return items && extend(r, kind, (const guint32 *)(const void *)items->data, items->len);
}

static gboolean extend_by(PickleReader *r, PickleKind kind, guint n) {
    guint32 items[2];
    for (guint i = n; i-- > 0;)
        if (!rmil_pickle_pop(r, &items[i])) return FALSE;
    return extend(r, kind, items, n);
}

static gboolean push_tuple(PickleReader *r, guint n) {
    guint32 items[3];
    for (guint i = n; i-- > 0;)
        if (!rmil_pickle_pop(r, &items[i])) return FALSE;
    GArray *array = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_vals(array, items, n);
    if (rmil_pickle_push(r, (PickleValue){.kind = PICKLE_SEQUENCE, .items = array})) return TRUE;
    g_array_unref(array);
    return FALSE;
}

static gboolean push_marked(PickleReader *r, PickleKind kind) {
    GArray *items = pop_mark(r);
    if (!items) return FALSE;
    if (kind == PICKLE_DICT && items->len % 2) {
        g_array_unref(items);
        return rmil_pickle_fail(r, "a dict has a key without a value");
    }
    if (rmil_pickle_push(r, (PickleValue){.kind = kind, .items = items})) return TRUE;
    g_array_unref(items);
    return FALSE;
}

/* -- memo -------------------------------------------------------------------------------------------------------------- */

static gboolean memo_put(PickleReader *r, guint64 index) {
    guint32 value;
    const guint32 nothing = PICKLE_MARK;
    if (!rmil_pickle_peek(r, &value)) return FALSE;
    if (index >= MOST_VALUES) return rmil_pickle_fail(r, "stores more objects than are accepted");
    while (r->memo->len <= index) g_array_append_val(r->memo, nothing);
    g_array_index(r->memo, guint32, index) = value;
    return TRUE;
}

static gboolean memo_get(PickleReader *r, guint64 index) {
    if (index >= r->memo->len || g_array_index(r->memo, guint32, index) == PICKLE_MARK)
        return rmil_pickle_fail(r, "refers to an object that it never stored");
    guint32 value = g_array_index(r->memo, guint32, index);
    g_array_append_val(r->stack, value);
    return TRUE;
}

/* -- the language ------------------------------------------------------------------------------------------------------ */

static gboolean read_global(PickleReader *r) {
    const char *module, *name;
    gsize module_length, name_length;
    return take_line(r, &module, &module_length) && take_line(r, &name, &name_length) &&
           rmil_pickle_global(r, module, module_length, name, name_length);
}

static gboolean put_or_get(PickleReader *r, int bytes, gboolean put) {
    guint64 index;
    return take_number(r, bytes, &index) && (put ? memo_put(r, index) : memo_get(r, index));
}

static gboolean skip(PickleReader *r, int bytes) {
    guint64 ignored;
    return take_number(r, bytes, &ignored);
}

static gboolean push_int(PickleReader *r, int bytes) {
    guint64 number;
    return take_number(r, bytes, &number) && rmil_pickle_push_number(r, PICKLE_INT, bytes == 4 ? (gint32)(guint32)number : (int64_t)number);
}

static gboolean drop_marked(PickleReader *r) {
    g_autoptr(GArray) items = pop_mark(r);
    return items != NULL;
}

static gboolean step(PickleReader *r, guint8 opcode) {
    const guint32 mark = PICKLE_MARK;
    guint32 ignored;
    switch (opcode) {
    case 0x80: return skip(r, 1);                              /* PROTO */
    case 0x95: return skip(r, 8);                              /* FRAME */
    case '(': g_array_append_val(r->stack, mark); return TRUE; /* MARK */
    case 'N': return rmil_pickle_push_number(r, PICKLE_NONE, 0);
    case 0x88: return rmil_pickle_push_number(r, PICKLE_BOOL, 1);               /* NEWTRUE */
    case 0x89: return rmil_pickle_push_number(r, PICKLE_BOOL, 0);               /* NEWFALSE */
    case 'K': return push_int(r, 1);                                            /* BININT1 */
    case 'M': return push_int(r, 2);                                            /* BININT2 */
    case 'J': return push_int(r, 4);                                            /* BININT */
    case 0x8a: return push_long(r, 1);                                          /* LONG1 */
    case 0x8b: return push_long(r, 4);                                          /* LONG4 */
    case 'G': return skip(r, 8) && rmil_pickle_push_number(r, PICKLE_FLOAT, 0); /* BINFLOAT: no tensor needs its value */
    case 'X': return push_text(r, 4);                                           /* BINUNICODE */
    case 0x8c: return push_text(r, 1);                                          /* SHORT_BINUNICODE */
    case 0x8d: return push_text(r, 8);                                          /* BINUNICODE8 */
    case 'C': return push_bytes(r, 1);                                          /* SHORT_BINBYTES */
    case 'B': return push_bytes(r, 4);                                          /* BINBYTES */
    case 0x8e:                                                                  /* BINBYTES8 */
    case 0x96: return push_bytes(r, 8);                                         /* BYTEARRAY8 */
    case 'U': return push_text(r, 1);                                           /* SHORT_BINSTRING, Python 2 */
    case 'T': return push_text(r, 4);                                           /* BINSTRING, Python 2 */
    case ')': return push_tuple(r, 0);                                          /* EMPTY_TUPLE */
    case 0x85: return push_tuple(r, 1);
    case 0x86: return push_tuple(r, 2);
    case 0x87: return push_tuple(r, 3);
    case 't': return push_marked(r, PICKLE_SEQUENCE);                        /* TUPLE */
    case 'l': return push_marked(r, PICKLE_SEQUENCE);                        /* LIST */
    case 'd': return push_marked(r, PICKLE_DICT);                            /* DICT */
    case ']': return rmil_pickle_push_number(r, PICKLE_SEQUENCE, 0);         /* EMPTY_LIST */
    case '}': return rmil_pickle_push_number(r, PICKLE_DICT, 0);             /* EMPTY_DICT */
    case 'a': return extend_by(r, PICKLE_SEQUENCE, 1);                       /* APPEND */
    case 'e': return extend_marked(r, PICKLE_SEQUENCE);                      /* APPENDS */
    case 's': return extend_by(r, PICKLE_DICT, 2);                           /* SETITEM */
    case 'u': return extend_marked(r, PICKLE_DICT);                          /* SETITEMS */
    case 'q': return put_or_get(r, 1, TRUE);                                 /* BINPUT */
    case 'r': return put_or_get(r, 4, TRUE);                                 /* LONG_BINPUT */
    case 0x94: return memo_put(r, r->memo->len);                             /* MEMOIZE */
    case 'h': return put_or_get(r, 1, FALSE);                                /* BINGET */
    case 'j': return put_or_get(r, 4, FALSE);                                /* LONG_BINGET */
    case 'c': return read_global(r);                                         /* GLOBAL */
    case 0x93: return stack_global(r);                                       /* STACK_GLOBAL */
    case 'Q': return rmil_pickle_storage(r);                                 /* BINPERSID */
    case 'R':                                                                /* REDUCE */
    case 0x81: return rmil_pickle_reduce(r);                                 /* NEWOBJ */
    case 0x92: return rmil_pickle_pop(r, &ignored) && rmil_pickle_reduce(r); /* NEWOBJ_EX: arguments by name come last */
    case 'b': return rmil_pickle_build(r);
    case 0x8f: return rmil_pickle_object(r, "builtins.set"); /* EMPTY_SET */
    case 0x90: return drop_marked(r);                        /* ADDITEMS */
    case 0x91: return drop_marked(r) && rmil_pickle_object(r, "builtins.frozenset");
    case '1': return drop_marked(r);                                                                 /* POP_MARK */
    case '0': return rmil_pickle_pop(r, &ignored);                                                   /* POP */
    case '2': return rmil_pickle_peek(r, &ignored) && (g_array_append_val(r->stack, ignored), TRUE); /* DUP */
    default:
        return rmil_fail(r->error, RMIL_ERROR_FORMAT,
                         "%s: byte %zu of its pickle: operation 0x%02x is refused, because tensors do not need it: save only the tensors",
                         r->where, r->at - 1, opcode);
    }
}

static gboolean run(PickleReader *r) {
    for (;;) {
        const guint8 *opcode;
        if (!take(r, 1, &opcode)) return FALSE;
        if (*opcode == '.') return rmil_pickle_pop(r, &r->pickle->result);
        if (!step(r, *opcode)) return FALSE;
    }
}

Pickle *rmil_pickle_read(const char *where, const guint8 *data, gsize size, gsize *used, GError **error) {
    g_autoptr(Pickle) pickle = g_new0(Pickle, 1);
    pickle->values = g_array_new(FALSE, FALSE, sizeof(PickleValue));
    pickle->storages = g_array_new(FALSE, FALSE, sizeof(PickleStorage));
    pickle->tensors = g_array_new(FALSE, FALSE, sizeof(PickleTensor));
    pickle->arrays = g_array_new(FALSE, TRUE, sizeof(PickleArray));
    pickle->dtypes = g_array_new(FALSE, FALSE, sizeof(PickleDtype));
    pickle->names = g_string_chunk_new(256);
    PickleReader reader = {.where = where, .data = data, .size = size, .pickle = pickle, .error = error};
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
