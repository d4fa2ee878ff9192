/* SPDX-License-Identifier: Apache-2.0 */
/* Named tensors in memory. */
#include "tensors-private.h"

#include <string.h>

G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN); /* tensors are used exactly as stored in the file */

typedef struct {
    gpointer memory;
    GDestroyNotify release;
} Kept;

struct _RmilTensors {
    char *path;
    GPtrArray *ordered; /* RmilTensor, by name */
    GHashTable *metadata;
    GHashTable *notes; /* name -> what is there instead of a tensor */
    GArray *kept;
};

#define MOST_TENSORS 65536

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"I32", 4}, {"U8", 1}, {"BOOL", 1}};

size_t rmil_dtype_size(RmilDtype dtype) { return dtypes[dtype].size; }

const char *rmil_dtype_name(RmilDtype dtype) { return dtypes[dtype].name; }

static void free_tensor(gpointer data) {
    RmilTensor *tensor = data;
    g_free((char *)tensor->name);
    g_free(tensor);
}

RmilTensors *rmil_tensors_new(const char *path) {
    RmilTensors *tensors = g_new0(RmilTensors, 1);
    tensors->path = g_strdup(path);
    tensors->ordered = g_ptr_array_new_with_free_func(free_tensor);
    tensors->metadata = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    tensors->notes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    tensors->kept = g_array_new(FALSE, FALSE, sizeof(Kept));
    return tensors;
}

void rmil_tensors_free(RmilTensors *tensors) {
    if (!tensors) return;
    g_ptr_array_unref(tensors->ordered);
    g_hash_table_unref(tensors->metadata);
    g_hash_table_unref(tensors->notes);
    for (guint i = 0; i < tensors->kept->len; i++) {
        const Kept *kept = &g_array_index(tensors->kept, Kept, i);
        kept->release(kept->memory);
    }
    g_array_unref(tensors->kept);
    g_free(tensors->path);
    g_free(tensors);
}

void rmil_tensors_keep(RmilTensors *tensors, gpointer memory, GDestroyNotify release) {
    Kept kept = {memory, release};
    g_array_append_val(tensors->kept, kept);
}

void rmil_tensors_add_metadata(RmilTensors *tensors, const char *key, const char *value) {
    g_hash_table_replace(tensors->metadata, g_strdup(key), g_strdup(value));
}

void rmil_tensors_note(RmilTensors *tensors, const char *name, const char *what) {
    g_hash_table_replace(tensors->notes, g_strdup(name), g_strdup(what));
}

const char *rmil_tensors_noted(const RmilTensors *tensors, const char *name) { return g_hash_table_lookup(tensors->notes, name); }

gboolean rmil_shape_count(int rank, const int64_t *shape, RmilDtype dtype, int64_t *count) {
    const int64_t most = (INT64_C(1) << 62) / (int64_t)rmil_dtype_size(dtype);
    *count = 1;
    gboolean empty = FALSE;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0) return FALSE;
        if (shape[i] == 0) empty = TRUE;
        else if (*count > most / shape[i]) return FALSE;
        else *count *= shape[i];
    }
    if (empty) *count = 0;
    return TRUE;
}

/* Index of a name among the tensors, or the index at which to insert it. */
static gboolean search(const RmilTensors *tensors, const char *name, guint *place) {
    guint low = 0, high = tensors->ordered->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        int order = strcmp(((const RmilTensor *)tensors->ordered->pdata[middle])->name, name);
        if (order == 0) {
            *place = middle;
            return TRUE;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    *place = low;
    return FALSE;
}

gboolean rmil_tensors_add(RmilTensors *tensors, const char *name, RmilDtype dtype, int rank, const int64_t *shape, const void *data,
                          GError **error) {
    int64_t count;
    if (rank < 0 || rank > RMIL_TENSOR_RANK || !rmil_shape_count(rank, shape, dtype, &count))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: tensor \"%s\" has an impossible shape, or one of more than %d dimensions",
                         tensors->path, name, RMIL_TENSOR_RANK);
    guint place;
    if (search(tensors, name, &place)) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: two tensors are named \"%s\"", tensors->path, name);
    if (tensors->ordered->len >= MOST_TENSORS)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: contains more than %d tensors", tensors->path, MOST_TENSORS);
    RmilTensor *tensor = g_new0(RmilTensor, 1);
    *tensor = (RmilTensor){.name = g_strdup(name), .dtype = dtype, .rank = rank, .count = count, .data = data};
    for (int i = 0; i < rank; i++) tensor->shape[i] = shape[i];
    g_ptr_array_insert(tensors->ordered, (gint)place, tensor);
    return TRUE;
}

const char *rmil_tensors_path(const RmilTensors *tensors) { return tensors->path; }

int64_t rmil_tensors_count(const RmilTensors *tensors) { return tensors->ordered->len; }

const RmilTensor *rmil_tensors_at(const RmilTensors *tensors, int64_t i) { return tensors->ordered->pdata[i]; }

const RmilTensor *rmil_tensors_find(const RmilTensors *tensors, const char *name) {
    guint place;
    return search(tensors, name, &place) ? tensors->ordered->pdata[place] : NULL;
}

const char *rmil_tensors_metadata(const RmilTensors *tensors, const char *key) { return g_hash_table_lookup(tensors->metadata, key); }

#define CONVERT(type, expression)                                                                                                          \
    for (int64_t i = 0; i < tensor->count; i++) {                                                                                          \
        type x;                                                                                                                            \
        memcpy(&x, from + (size_t)i * sizeof x, sizeof x);                                                                                 \
        values[i] = expression;                                                                                                            \
    }                                                                                                                                      \
    break

void rmil_tensor_floats(const RmilTensor *tensor, float *values) {
    const char *from = tensor->data;
    switch (tensor->dtype) {
    case RMIL_DTYPE_F32:
        if (tensor->count) memcpy(values, from, (size_t)tensor->count * 4);
        break;
    case RMIL_DTYPE_F64: CONVERT(double, (float)x);
    case RMIL_DTYPE_F16: CONVERT(uint16_t, rmil_half_float(x));
    case RMIL_DTYPE_BF16: CONVERT(uint16_t, rmil_bfloat16_float(x));
    case RMIL_DTYPE_I64: CONVERT(int64_t, (float)x);
    case RMIL_DTYPE_I32: CONVERT(int32_t, (float)x);
    case RMIL_DTYPE_U8: CONVERT(uint8_t, (float)x);
    case RMIL_DTYPE_BOOL: CONVERT(uint8_t, x ? 1.0F : 0.0F);
    }
}

gboolean rmil_tensor_integers(const RmilTensor *tensor, int64_t *values) {
    const char *from = tensor->data;
    switch (tensor->dtype) {
    case RMIL_DTYPE_I64: CONVERT(int64_t, x);
    case RMIL_DTYPE_I32: CONVERT(int32_t, x);
    case RMIL_DTYPE_U8: CONVERT(uint8_t, x);
    case RMIL_DTYPE_BOOL: CONVERT(uint8_t, x != 0);
    default: return FALSE;
    }
    return TRUE;
}

static void append_shape(GString *text, int rank, const int64_t *shape) {
    g_string_append_c(text, '(');
    for (int i = 0; i < rank; i++) {
        if (i) g_string_append(text, ", ");
        if (shape[i] < 0) g_string_append(text, "any");
        else g_string_append_printf(text, "%" G_GINT64_FORMAT, shape[i]);
    }
    g_string_append_c(text, ')');
}

const RmilTensor *rmil_tensors_shaped(const RmilTensors *tensors, const char *name, int rank, const int64_t *shape, GError **error) {
    const RmilTensor *tensor = rmil_tensors_find(tensors, name);
    if (!tensor) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no tensor \"%s\"", tensors->path, name);
        return NULL;
    }
    gboolean fits = tensor->rank == rank;
    for (int i = 0; fits && i < rank; i++) fits = shape[i] < 0 || shape[i] == tensor->shape[i];
    if (fits) return tensor;
    g_autoptr(GString) message = g_string_new(NULL);
    append_shape(message, tensor->rank, tensor->shape);
    g_string_append(message, ", but ");
    append_shape(message, rank, shape);
    g_string_append(message, " is needed");
    rmil_fail(error, RMIL_ERROR_FORMAT, "%s: tensor \"%s\" has the shape %s", tensors->path, name, message->str);
    return NULL;
}

float *rmil_tensors_floats(const RmilTensors *tensors, const char *name, int rank, const int64_t *shape, GError **error) {
    const RmilTensor *tensor = rmil_tensors_shaped(tensors, name, rank, shape, error);
    float *values = tensor ? rmil_alloc(tensor->count, sizeof *values, error) : NULL;
    if (values) rmil_tensor_floats(tensor, values);
    return values;
}
