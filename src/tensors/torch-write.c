/* SPDX-License-Identifier: Apache-2.0 */
/* What torch.save writes for a tensor or a dictionary of them: a zip archive, stored without compression, that contains a
 * pickle that says how to rebuild the tensors, and their numbers. */
#include "tensors-private.h"

#include <string.h>
#include <zip.h>

static void put(GByteArray *out, const char *text) { g_byte_array_append(out, (const guint8 *)text, (guint)strlen(text)); }

static void put_byte(GByteArray *out, guint8 byte) { g_byte_array_append(out, &byte, 1); }

static void put_text(GByteArray *out, const char *text) { /* BINUNICODE */
    guint32 length = GUINT32_TO_LE((guint32)strlen(text));
    put_byte(out, 'X');
    g_byte_array_append(out, (const guint8 *)&length, 4);
    put(out, text);
}

static void put_number(GByteArray *out, int64_t number) { /* ≥ 0: BININT, else LONG1 of eight bytes */
    if (number <= G_MAXINT32) {
        guint32 small = GUINT32_TO_LE((guint32)number);
        put_byte(out, 'J');
        g_byte_array_append(out, (const guint8 *)&small, 4);
        return;
    }
    gint64 large = GINT64_TO_LE(number);
    put_byte(out, 0x8a);
    put_byte(out, 8);
    g_byte_array_append(out, (const guint8 *)&large, 8);
}

static void put_tuple(GByteArray *out, int n, const int64_t *numbers) {
    put_byte(out, '(');
    for (int i = 0; i < n; i++) put_number(out, numbers[i]);
    put_byte(out, 't');
}

/* torch._utils._rebuild_tensor_v2(storage `index`, 0, shape, strides, False, OrderedDict()) */
static void put_tensor(GByteArray *out, const RmilTensor *tensor, int64_t index) {
    int64_t strides[RMIL_TENSOR_RANK], stride = 1;
    char key[24];
    g_snprintf(key, sizeof key, "%" G_GINT64_FORMAT, index);
    for (int i = tensor->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= tensor->shape[i];
    }
    put(out, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(out, "storage");
    put(out, tensor->dtype == RMIL_DTYPE_F16 ? "ctorch\nHalfStorage\n" : "ctorch\nFloatStorage\n");
    put_text(out, key);
    put_text(out, "cpu");
    put_number(out, stride);
    put(out, "tQ");
    put_number(out, 0);
    put_tuple(out, tensor->rank, tensor->shape);
    put_tuple(out, tensor->rank, strides);
    put_byte(out, 0x89);
    put(out, "ccollections\nOrderedDict\n)RtR");
}

/* The single tensor, or an OrderedDict of all by name. */
static GByteArray *make_pickle(const RmilTensor *tensors, int64_t count, gboolean dict) {
    GByteArray *out = g_byte_array_new();
    put_byte(out, 0x80);
    put_byte(out, 2);
    put(out, dict ? "ccollections\nOrderedDict\n)R(" : "");
    for (int64_t i = 0; i < count; i++) {
        if (dict) put_text(out, tensors[i].name);
        put_tensor(out, &tensors[i], i);
    }
    put(out, dict ? "u." : ".");
    return out;
}

/* `data` must stay until the archive is closed. */
static gboolean add_entry(zip_t *archive, const char *name, const void *data, gsize size) {
    zip_source_t *source = zip_source_buffer(archive, data, size, 0);
    zip_int64_t index = source ? zip_file_add(archive, name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0) {
        zip_source_free(source);
        return FALSE;
    }
    return zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_STORE, 0) == 0 &&
           zip_file_set_dostime(archive, (zip_uint64_t)index, 0, 1 << 5 | 1, 0) == 0; /* 1980-01-01: the same bytes every day */
}

static gboolean add_storages(zip_t *archive, const RmilTensor *tensors, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        char name[48];
        int64_t count;
        g_snprintf(name, sizeof name, "archive/data/%" G_GINT64_FORMAT, i);
        rmil_shape_count(tensors[i].rank, tensors[i].shape, tensors[i].dtype, &count);
        if (!add_entry(archive, name, tensors[i].data, (gsize)count * rmil_dtype_size(tensors[i].dtype))) return FALSE;
    }
    return TRUE;
}

static gboolean write_archive(const char *temporary, const char *path, const RmilTensor *tensors, int64_t n, gboolean dict,
                              GError **error) {
    static const char version[] = "3\n", order[] = "little";
    int64_t count;
    for (int64_t i = 0; i < n; i++)
        if ((tensors[i].dtype != RMIL_DTYPE_F32 && tensors[i].dtype != RMIL_DTYPE_F16) ||
            !rmil_shape_count(tensors[i].rank, tensors[i].shape, tensors[i].dtype, &count))
            return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: cannot be written: not a tensor of float32 or float16", path);
    int reason;
    zip_t *archive = zip_open(temporary, ZIP_CREATE | ZIP_TRUNCATE, &reason);
    if (!archive) {
        zip_error_t words;
        zip_error_init_with_code(&words, reason);
        rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be written: %s", path, zip_error_strerror(&words));
        zip_error_fini(&words);
        return FALSE;
    }
    g_autoptr(GByteArray) pickle = make_pickle(tensors, n, dict);
    gboolean good = add_entry(archive, "archive/data.pkl", pickle->data, pickle->len) &&
                    add_entry(archive, "archive/byteorder", order, strlen(order)) && add_storages(archive, tensors, n) &&
                    add_entry(archive, "archive/version", version, strlen(version));
    if (good && zip_close(archive) == 0) return TRUE;
    rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be written: %s", path, zip_strerror(archive));
    zip_discard(archive);
    return FALSE;
}

static gboolean write_file(const char *path, const RmilTensor *tensors, int64_t n, gboolean dict, GError **error) {
    char *temporary = rmil_file_begin(path, error);
    if (!temporary) return FALSE;
    if (write_archive(temporary, path, tensors, n, dict, error)) return rmil_file_commit(temporary, path, error);
    rmil_file_abandon(temporary);
    return FALSE;
}

gboolean rmil_torch_write(const char *path, const RmilTensor *tensor, GError **error) { return write_file(path, tensor, 1, FALSE, error); }

gboolean rmil_torch_write_dict(const char *path, const RmilTensor *tensors, int64_t n, GError **error) {
    return write_file(path, tensors, n, TRUE, error);
}
