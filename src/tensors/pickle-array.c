/* SPDX-License-Identifier: Apache-2.0 */
/* Pickled NumPy arrays: a type, a shape, and the numbers as bytes. */
#include "pickle-private.h"

#include <string.h>

gboolean rmil_pickle_new_array(PickleReader *r) {
    PickleArray array = {.set = FALSE};
    g_array_append_val(r->pickle->arrays, array);
    return rmil_pickle_push_number(r, PICKLE_ARRAY, r->pickle->arrays->len - 1);
}

/* dtype("f4", …): kind and bytes; anything else ("O8", "U12", "c16" …) becomes a type of 0 bytes. */
gboolean rmil_pickle_new_dtype(PickleReader *r, const PickleValue *arguments) {
    PickleDtype dtype = {0};
    const PickleValue *name = rmil_pickle_length(arguments) ? rmil_pickle_item(r, arguments, 0) : NULL;
    if (!name || name->kind != PICKLE_TEXT) return rmil_pickle_fail(r, "a NumPy type has no name");
    if (name->number == 2 && memchr("fiub", name->text[0], 4) && memchr("1248", name->text[1], 4)) {
        dtype.kind = name->text[0];
        dtype.size = (guint8)(name->text[1] - '0');
    }
    if ((dtype.kind == 'f' && dtype.size == 1) || (dtype.kind == 'b' && dtype.size != 1)) dtype.size = 0;
    g_array_append_val(r->pickle->dtypes, dtype);
    return rmil_pickle_push_number(r, PICKLE_DTYPE, r->pickle->dtypes->len - 1);
}

/* (3, "<", …): only the byte order is used. */
gboolean rmil_pickle_set_dtype(PickleReader *r, const PickleValue *dtype, const PickleValue *state) {
    const PickleValue *order = state->kind == PICKLE_SEQUENCE && rmil_pickle_length(state) >= 2 ? rmil_pickle_item(r, state, 1) : NULL;
    if (!order || order->kind != PICKLE_TEXT || order->number != 1) return rmil_pickle_fail(r, "a NumPy type has no order of bytes");
    g_array_index(r->pickle->dtypes, PickleDtype, dtype->number).swapped = *order->text == '>';
    return TRUE;
}

static gboolean take_content(PickleReader *r, PickleArray *array, const PickleValue *shape, const PickleValue *dtype,
                             const PickleValue *bytes) {
    if (dtype->kind != PICKLE_DTYPE) return rmil_pickle_fail(r, "a NumPy array has no type");
    array->dtype = g_array_index(r->pickle->dtypes, PickleDtype, dtype->number);
    array->rank = rmil_pickle_sizes(r, shape, array->shape);
    if (array->rank < 0) return rmil_pickle_fail(r, "a NumPy array has a shape that is not accepted");
    if (array->dtype.size == 0 || (bytes->kind != PICKLE_BYTES && bytes->kind != PICKLE_LATIN && bytes->kind != PICKLE_TEXT)) return TRUE;
    array->latin = bytes->kind != PICKLE_BYTES;
    array->bytes = (const guint8 *)bytes->text;
    array->size = bytes->number;
    array->set = TRUE; /* an array of objects, or of an unknown type, stays unset */
    return TRUE;
}

/* (1, shape, dtype, are columns in order, bytes); before NumPy 1.0 without the 1. */
gboolean rmil_pickle_set_array(PickleReader *r, const PickleValue *value, const PickleValue *state) {
    guint n = state->kind == PICKLE_SEQUENCE ? rmil_pickle_length(state) : 0;
    if (n != 4 && n != 5) return rmil_pickle_fail(r, "a NumPy array has a state that is not known");
    PickleArray *array = &g_array_index(r->pickle->arrays, PickleArray, value->number);
    const PickleValue *columns = rmil_pickle_item(r, state, n - 2);
    array->columns = columns->kind == PICKLE_BOOL && columns->number;
    return take_content(r, array, rmil_pickle_item(r, state, n - 4), rmil_pickle_item(r, state, n - 3), rmil_pickle_item(r, state, n - 1));
}

/* _frombuffer(bytes, dtype, shape, order) */
gboolean rmil_pickle_filled_array(PickleReader *r, const PickleValue *arguments) {
    if (rmil_pickle_length(arguments) != 4) return rmil_pickle_fail(r, "a NumPy array lacks arguments");
    const PickleValue *order = rmil_pickle_item(r, arguments, 3);
    PickleArray array = {.columns = order->kind == PICKLE_TEXT && order->number == 1 && *order->text == 'F'};
    if (!take_content(r, &array, rmil_pickle_item(r, arguments, 2), rmil_pickle_item(r, arguments, 1), rmil_pickle_item(r, arguments, 0)))
        return FALSE;
    g_array_append_val(r->pickle->arrays, array);
    return rmil_pickle_push_number(r, PICKLE_ARRAY, r->pickle->arrays->len - 1);
}

/* -- as one of our types ----------------------------------------------------------------------------------------------------- */
/* Characters of UTF-8 up to U+00FF back into bytes; FALSE: there are others, or not `count` of them. */
static gboolean from_latin(const guint8 *text, int64_t size, guint8 *bytes, int64_t count) {
    int64_t made = 0;
    for (int64_t i = 0; i < size; made++) {
        if (made == count) return FALSE;
        if (text[i] < 0x80) {
            bytes[made] = text[i++];
            continue;
        }
        if ((text[i] != 0xc2 && text[i] != 0xc3) || i + 1 == size || (text[i + 1] & 0xc0) != 0x80) return FALSE;
        bytes[made] = (guint8)((text[i] & 3) << 6 | (text[i + 1] & 0x3f));
        i += 2;
    }
    return made == count;
}

static void swap(guint8 *bytes, int64_t count, int size) {
    for (int64_t i = 0; i < count; i++, bytes += size)
        for (int k = 0; k < size / 2; k++) {
            guint8 kept = bytes[k];
            bytes[k] = bytes[size - 1 - k];
            bytes[size - 1 - k] = kept;
        }
}

static RmilDtype own_type(const PickleDtype *dtype) {
    if (dtype->kind == 'f') return dtype->size == 8 ? RMIL_DTYPE_F64 : dtype->size == 4 ? RMIL_DTYPE_F32 : RMIL_DTYPE_F16;
    if (dtype->kind == 'b') return RMIL_DTYPE_BOOL;
    if (dtype->kind == 'u' && dtype->size == 1) return RMIL_DTYPE_U8;
    return dtype->kind == 'i' && dtype->size == 4 ? RMIL_DTYPE_I32 : RMIL_DTYPE_I64;
}

/* An integer of any width; one beyond int64_t becomes the largest. */
static int64_t whole(const PickleDtype *dtype, const guint8 *bytes) {
    guint64 number = 0;
    memcpy(&number, bytes, dtype->size);
    if (dtype->kind == 'u' || dtype->size == 8) return number > G_MAXINT64 && dtype->kind == 'u' ? G_MAXINT64 : (int64_t)number;
    const int shift = 64 - 8 * dtype->size;
    return (int64_t)(number << shift) >> shift;
}

/* Index, in column order, of number i in row order. */
static int64_t place(const PickleArray *array, int64_t i) {
    int64_t at = 0, stride = 1, index[RMIL_TENSOR_RANK];
    if (!array->columns) return i;
    for (int d = array->rank - 1; d >= 0; d--) index[d] = i % array->shape[d], i /= array->shape[d];
    for (int d = 0; d < array->rank; d++) at += index[d] * stride, stride *= array->shape[d];
    return at;
}

gboolean rmil_pickle_array(const PickleArray *array, const char *where, RmilDtype *dtype, int64_t *count, void **bytes, GError **error) {
    const int size = array->dtype.size;
    *dtype = own_type(&array->dtype);
    if (!rmil_shape_count(array->rank, array->shape, RMIL_DTYPE_I64, count) || *count > array->size / size)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: a NumPy array is cut off", where);
    const size_t own = rmil_dtype_size(*dtype);
    guint8 *raw = rmil_alloc(*count, (size_t)size, error), *out = raw ? rmil_alloc(*count, own, error) : NULL;
    gboolean good = out != NULL;
    if (good && !array->latin && array->size == *count * size) memcpy(raw, array->bytes, (size_t)array->size);
    else if (good && (!array->latin || !from_latin(array->bytes, array->size, raw, *count * size)))
        good = rmil_fail(error, RMIL_ERROR_FORMAT, "%s: a NumPy array does not have as many bytes as its shape and type say", where);
    if (good && array->dtype.swapped) swap(raw, *count, size);
    const gboolean widened = *dtype == RMIL_DTYPE_I64;
    for (int64_t i = 0; good && i < *count; i++) {
        const guint8 *from = raw + place(array, i) * size;
        const int64_t number = widened ? whole(&array->dtype, from) : 0;
        memcpy(out + (size_t)i * own, widened ? (const void *)&number : from, own);
    }
    rmil_free(raw);
    if (!good) rmil_free(out);
    *bytes = good ? out : NULL;
    return good;
}
