/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors on their way into an ONNX file. */
#include "onnx-tensors.h"

#include "onnx-graph.h"
#include "protobuf.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

/* Protocol buffers hold at most 2 GiB; everything but the weights fits easily in the remainder. */
const int64_t rmil_onnx_most_bytes = (INT64_C(1) << 31) - (INT64_C(1) << 24);

enum { LEAST_OUTSIDE = 1024, PAGE = 4096 }; /* bytes; alignment of tensors, so that they can be mapped */

enum { GRAPH_INITIALIZER = 5 };
enum { TENSOR_DIM = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9, TENSOR_OUTSIDE = 13, TENSOR_LOCATION = 14 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2, EXTERNAL = 1 };

typedef struct {
    GByteArray *head; /* its fields up to the numbers */
    const void *data; /* NULL: they are in the other file */
    gsize size;
    void (*release)(void *);
} Tensor;

struct _RmilOnnxTensors {
    GArray *all; /* Tensor */
    uint64_t bytes;
    char *beside, *part; /* the data file's final and temporary name; NULL: there is none */
    int file;
    int64_t at; /* its length so far */
    GError *failed;
};

static void clear(gpointer data) {
    Tensor *tensor = data;
    g_byte_array_unref(tensor->head);
    if (tensor->release) tensor->release((void *)tensor->data);
}

RmilOnnxTensors *rmil_onnx_tensors_new(void) {
    RmilOnnxTensors *t = g_new0(RmilOnnxTensors, 1);
    t->all = g_array_new(FALSE, TRUE, sizeof(Tensor));
    g_array_set_clear_func(t->all, clear);
    t->file = -1;
    return t;
}

static void close_file(RmilOnnxTensors *t) {
    if (t->file >= 0) close(t->file);
    t->file = -1;
}

void rmil_onnx_tensors_free(RmilOnnxTensors *t) {
    close_file(t);
    if (t->part) rmil_file_abandon(t->part);
    g_array_unref(t->all);
    g_clear_error(&t->failed);
    g_free(t->beside);
    g_free(t);
}

/* -- the file beside ------------------------------------------------------------------------------------------------------------ */

static gboolean cannot(const RmilOnnxTensors *t, int reason, GError **error) {
    return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be written: %s", t->beside, g_strerror(reason));
}

void rmil_onnx_tensors_outside(RmilOnnxTensors *t, const char *path) {
    t->beside = g_strconcat(path, ".data", NULL);
    if (!(t->part = rmil_file_begin(t->beside, &t->failed))) return;
    if ((t->file = open(t->part, O_WRONLY | O_CLOEXEC)) < 0) cannot(t, errno, &t->failed);
}

static void put_entry(GByteArray *head, const char *key, const char *value) {
    GByteArray *entry = g_byte_array_new();
    rmil_proto_text(entry, ENTRY_KEY, key);
    rmil_proto_text(entry, ENTRY_VALUE, value);
    rmil_proto_message(head, TENSOR_OUTSIDE, entry);
}

static void write_outside(RmilOnnxTensors *t, GByteArray *head, const void *data, gsize size) {
    const int64_t at = (t->at + PAGE - 1) / PAGE * PAGE;
    g_autofree char *name = g_path_get_basename(t->beside), *offset = g_strdup_printf("%" G_GINT64_FORMAT, at),
                    *length = g_strdup_printf("%zu", size);
    put_entry(head, "location", name);
    put_entry(head, "offset", offset);
    put_entry(head, "length", length);
    rmil_proto_int(head, TENSOR_LOCATION, EXTERNAL);
    if (!t->failed && !rmil_write_at(t->file, data, (int64_t)size, at)) cannot(t, errno, &t->failed);
    t->at = at + (int64_t)size;
}

/* -- all of them ---------------------------------------------------------------------------------------------------------------- */

void rmil_onnx_tensors_add(RmilOnnxTensors *t, const char *name, int type, int rank, const int64_t *shape, const void *data, gsize size,
                           void (*release)(void *)) {
    GByteArray *inner = g_byte_array_new();
    for (int i = 0; i < rank; i++) rmil_proto_int(inner, TENSOR_DIM, shape[i]);
    rmil_proto_int(inner, TENSOR_TYPE, type);
    rmil_proto_text(inner, TENSOR_NAME, name);
    const gboolean outside = t->beside && size >= LEAST_OUTSIDE;
    if (outside) write_outside(t, inner, data, size);
    else rmil_proto_tag(inner, TENSOR_RAW, size);
    if (outside && release) release((void *)data);
    Tensor tensor = {g_byte_array_new(), outside ? NULL : data, outside ? 0 : size, outside ? NULL : release};
    rmil_proto_tag(tensor.head, GRAPH_INITIALIZER, inner->len + tensor.size);
    g_byte_array_append(tensor.head, inner->data, inner->len);
    g_byte_array_unref(inner);
    t->bytes += tensor.head->len + tensor.size;
    g_array_append_val(t->all, tensor);
}

uint64_t rmil_onnx_tensors_bytes(const RmilOnnxTensors *t) { return t->bytes; }

static gboolean write_model(const RmilOnnxTensors *t, const char *path, const GByteArray *begin, const GByteArray *end, GError **error) {
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(struct iovec));
    struct iovec piece = {begin->data, begin->len};
    g_array_append_val(pieces, piece);
    for (guint i = 0; i < t->all->len; i++) {
        const Tensor *tensor = &g_array_index(t->all, Tensor, i);
        piece = (struct iovec){tensor->head->data, tensor->head->len};
        g_array_append_val(pieces, piece);
        piece = (struct iovec){(void *)tensor->data, tensor->size};
        g_array_append_val(pieces, piece);
    }
    piece = (struct iovec){end->data, end->len};
    g_array_append_val(pieces, piece);
    return rmil_file_write_pieces(path, (const struct iovec *)pieces->data, (int)pieces->len, error);
}

/* First removes an earlier model, so that no model ever lies next to another model's tensors. */
static gboolean write_beside(RmilOnnxTensors *t, const char *path, GError **error) {
    if (g_unlink(path) != 0 && errno != ENOENT)
        return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be replaced: %s", path, g_strerror(errno));
    close_file(t);
    return rmil_file_commit(g_steal_pointer(&t->part), t->beside, error);
}

gboolean rmil_onnx_tensors_write(RmilOnnxTensors *t, const char *path, const GByteArray *begin, const GByteArray *end, GError **error) {
    if (t->failed) {
        g_propagate_error(error, g_steal_pointer(&t->failed));
        return FALSE;
    }
    if (t->bytes > (uint64_t)rmil_onnx_most_bytes)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: the model's weights are larger than the 2 GiB that an ONNX file can hold", path);
    if (!t->beside) return write_model(t, path, begin, end, error);
    if (!write_beside(t, path, error)) return FALSE;
    if (write_model(t, path, begin, end, error)) return TRUE;
    g_unlink(t->beside);
    return FALSE;
}
