/* SPDX-License-Identifier: Apache-2.0 */
/* Safetensors files, read and written. */
#include "base/json.h"
#include "tensors-private.h"

#include <string.h>

#define HEADER_LIMIT ((guint64)16 << 20)

static gboolean size_at(JsonArray *array, guint i, int64_t *value) {
    return rmil_json_whole(json_array_get_element(array, i), value) && *value >= 0;
}

static gboolean find_dtype(const char *name, RmilDtype *dtype) {
    for (int i = RMIL_DTYPE_F64; i <= RMIL_DTYPE_BOOL; i++) {
        *dtype = (RmilDtype)i;
        if (strcmp(name, rmil_dtype_name(*dtype)) == 0) return TRUE;
    }
    return FALSE;
}

typedef struct {
    int64_t begin, end;
} Range;

static gint compare_ranges(gconstpointer a, gconstpointer b) {
    const Range *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static gboolean read_tensor(RmilTensors *tensors, const char *name, JsonNode *node, const char *data, int64_t bytes, GArray *ranges,
                            GError **error) {
    const char *path = rmil_tensors_path(tensors);
    JsonArray *sizes = rmil_json_array(rmil_json_get(node, "shape")), *offsets = rmil_json_array(rmil_json_get(node, "data_offsets"));
    const char *type = rmil_json_text(node, "dtype");
    if (!sizes || !offsets || json_array_get_length(offsets) != 2 || !type)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: tensor \"%s\": dtype, shape or data_offsets are missing", path, name);
    RmilDtype dtype;
    if (!find_dtype(type, &dtype))
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: tensor \"%s\": numbers of type \"%s\" are not supported: convert them to F32, F16 or BF16", path, name, type);
    int64_t shape[RMIL_TENSOR_RANK], count;
    guint rank = json_array_get_length(sizes);
    gboolean good = rank <= RMIL_TENSOR_RANK;
    for (guint i = 0; good && i < rank; i++) good = size_at(sizes, i, &shape[i]);
    if (!good || !rmil_shape_count((int)rank, shape, dtype, &count))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: tensor \"%s\" has an impossible shape, or one of more than %d dimensions", path,
                         name, RMIL_TENSOR_RANK);
    Range range;
    if (!size_at(offsets, 0, &range.begin) || !size_at(offsets, 1, &range.end) || range.begin > range.end || range.end > bytes)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: tensor \"%s\" lies outside the file, which is cut off or damaged", path, name);
    if (range.end - range.begin != count * (int64_t)rmil_dtype_size(dtype))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: tensor \"%s\": its number of bytes does not match its shape", path, name);
    g_array_append_val(ranges, range);
    return rmil_tensors_add(tensors, name, dtype, (int)rank, shape, data + range.begin, error);
}

static gboolean read_metadata(RmilTensors *tensors, JsonNode *node, GError **error) {
    JsonObject *object = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    JsonObjectIter iter;
    const char *key;
    JsonNode *value;
    if (object) json_object_iter_init(&iter, object);
    while (object && json_object_iter_next(&iter, &key, &value)) {
        const char *text = rmil_json_string(value);
        if (text) rmil_tensors_add_metadata(tensors, key, text);
        else object = NULL;
    }
    return object || rmil_fail(error, RMIL_ERROR_FORMAT, "%s: __metadata__ in the safetensors header must map names to strings",
                               rmil_tensors_path(tensors));
}

static gboolean parse(RmilTensors *tensors, const char *text, gsize size, const char *data, int64_t bytes, GError **error) {
    const char *path = rmil_tensors_path(tensors);
    g_autofree char *where = g_strdup_printf("%s: the safetensors header", path);
    g_autoptr(JsonNode) root = rmil_json_parse(text, size, where, error);
    if (!root) return FALSE;
    if (!JSON_NODE_HOLDS_OBJECT(root))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: the safetensors header is JSON, but not an object", path);
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(Range));
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;
    json_object_iter_init(&iter, json_node_get_object(root));
    while (json_object_iter_next(&iter, &name, &node))
        if (!(strcmp(name, "__metadata__") == 0 ? read_metadata(tensors, node, error)
                                                : read_tensor(tensors, name, node, data, bytes, ranges, error)))
            return FALSE;
    g_array_sort(ranges, compare_ranges);
    int64_t end = 0;
    for (guint i = 0; i < ranges->len; i++) {
        const Range *range = &g_array_index(ranges, Range, i);
        if (range->begin != end)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: tensors %s at byte %" G_GINT64_FORMAT " of the data", path,
                             range->begin < end ? "overlap" : "leave a gap", MIN(range->begin, end));
        end = range->end;
    }
    return end == bytes || rmil_fail(error, RMIL_ERROR_FORMAT,
                                     "%s: %" G_GINT64_FORMAT " bytes at its end belong to no tensor: it is damaged", path, bytes - end);
}

gboolean rmil_safetensors_parse(RmilTensors *tensors, const char *file, gsize size, GError **error) {
    guint64 header = 0;
    if (size >= 8) memcpy(&header, file, 8);
    if (size < 8 || header > HEADER_LIMIT || header > size - 8)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not a safetensors file, or its header is cut off", rmil_tensors_path(tensors));
    return parse(tensors, file + 8, header, file + 8 + header, (int64_t)(size - 8 - header), error);
}

RmilTensors *rmil_safetensors_read(const char *path, gsize limit, GError **error) {
    gsize size;
    char *file = rmil_file_read(path, limit, &size, error);
    if (!file) return NULL;
    g_autoptr(RmilTensors) tensors = rmil_tensors_new(path);
    rmil_tensors_keep(tensors, file, g_free);
    return rmil_safetensors_parse(tensors, file, size, error) ? g_steal_pointer(&tensors) : NULL;
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

static void append_quoted(GString *json, const char *text) {
    g_string_append_c(json, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') g_string_append_c(json, '\\');
        if ((guchar)*c < 0x20) g_string_append_printf(json, "\\u%04x", (guint)*c);
        else g_string_append_c(json, *c);
    }
    g_string_append_c(json, '"');
}

/* Wide numbers first, so that each tensor is aligned to its number size; then by name. */
static gint compare_tensors(gconstpointer a, gconstpointer b) {
    const RmilTensor *x = *(const RmilTensor *const *)a, *y = *(const RmilTensor *const *)b;
    size_t wide = rmil_dtype_size(x->dtype), wider = rmil_dtype_size(y->dtype);
    return wide != wider ? (wide > wider ? -1 : 1) : strcmp(x->name, y->name);
}

static gint compare_pairs(gconstpointer a, gconstpointer b) {
    const char *const *x = *(const char *const *const *)a, *const *y = *(const char *const *const *)b;
    return strcmp(x[0], y[0]);
}

static void append_metadata(GString *json, const char *const *metadata) {
    g_autoptr(GPtrArray) pairs = g_ptr_array_new();
    for (const char *const *pair = metadata; pair && pair[0]; pair += 2) g_ptr_array_add(pairs, (gpointer)pair);
    if (!pairs->len) return;
    g_ptr_array_sort(pairs, compare_pairs);
    g_string_append(json, "\"__metadata__\":{");
    for (guint i = 0; i < pairs->len; i++) {
        const char *const *pair = pairs->pdata[i];
        if (i) g_string_append_c(json, ',');
        append_quoted(json, pair[0]);
        g_string_append_c(json, ':');
        append_quoted(json, pair[1]);
    }
    g_string_append_c(json, '}');
}

static void append_entry(GString *json, const RmilTensor *tensor, int64_t begin, int64_t end) {
    if (json->len > 1) g_string_append_c(json, ',');
    append_quoted(json, tensor->name);
    g_string_append_printf(json, ":{\"dtype\":\"%s\",\"shape\":[", rmil_dtype_name(tensor->dtype));
    for (int i = 0; i < tensor->rank; i++) g_string_append_printf(json, "%s%" G_GINT64_FORMAT, i ? "," : "", tensor->shape[i]);
    g_string_append_printf(json, "],\"data_offsets\":[%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT "]}", begin, end);
}

gboolean rmil_safetensors_write(const char *path, const RmilTensor *tensors, int64_t count, const char *const *metadata, GError **error) {
    g_autoptr(GPtrArray) order = g_ptr_array_new();
    for (int64_t i = 0; i < count; i++) g_ptr_array_add(order, (gpointer)&tensors[i]);
    g_ptr_array_sort(order, compare_tensors);
    g_autoptr(GString) json = g_string_new("{");
    append_metadata(json, metadata);
    int64_t total = 0;
    for (guint i = 0; i < order->len; i++) {
        const RmilTensor *tensor = order->pdata[i];
        int64_t entries;
        if (tensor->rank < 0 || tensor->rank > RMIL_TENSOR_RANK || !rmil_shape_count(tensor->rank, tensor->shape, tensor->dtype, &entries))
            return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: tensor \"%s\" has an impossible shape, or one of more than %d dimensions",
                             path, tensor->name, RMIL_TENSOR_RANK);
        int64_t bytes = entries * (int64_t)rmil_dtype_size(tensor->dtype);
        append_entry(json, tensor, total, total + bytes);
        total += bytes;
    }
    g_string_append_c(json, '}');
    while (json->len % 8) g_string_append_c(json, ' ');
    gsize size = 8 + json->len + (gsize)total;
    g_autofree char *file = g_try_malloc(size);
    if (!file) return rmil_fail(error, RMIL_ERROR_MEMORY, "%s: not enough memory for %zu bytes", path, size);
    guint64 header = json->len;
    memcpy(file, &header, 8);
    memcpy(file + 8, json->str, json->len);
    char *to = file + 8 + json->len;
    for (guint i = 0; i < order->len; i++) {
        const RmilTensor *tensor = order->pdata[i];
        int64_t entries;
        rmil_shape_count(tensor->rank, tensor->shape, tensor->dtype, &entries);
        gsize bytes = (gsize)entries * rmil_dtype_size(tensor->dtype);
        if (bytes) memcpy(to, tensor->data, bytes);
        to += bytes;
    }
    return rmil_file_write(path, file, size, error);
}
