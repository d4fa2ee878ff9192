/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an ONNX model: tensors beyond 2 GiB are in files beside it. */
#include "onnx-file.h"

#include <string.h>

enum { MOST_NAME = 4096 };

/* Marks a tensor stored elsewhere: an entry with this key of 8 letters, followed by its value (a length with 7 bits per byte, then the name
 * of a file). */
static const char entry[] = "\x0a\x08location\x12";

/* Reads a length; NULL: the data end before it does. */
static const char *read_length(const char *at, const char *end, gsize *length) {
    *length = 0;
    for (int shift = 0; at < end && shift <= 28; shift += 7) {
        const guchar byte = (guchar)*at++;
        *length |= (gsize)(byte & 127) << shift;
        if (byte < 128) return at;
    }
    return NULL;
}

static int compare(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

GPtrArray *rmil_onnx_outside_names(const char *at, gsize size) {
    const char *end = at + size;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    while (at < end && (at = memmem(at, (gsize)(end - at), entry, sizeof entry - 1))) {
        gsize length;
        const char *name = read_length(at + sizeof entry - 1, end, &length);
        at += sizeof entry - 1;
        if (!name || length > MOST_NAME || length > (gsize)(end - name)) continue;
        g_autofree char *text = g_strndup(name, length);
        if (g_hash_table_contains(seen, text)) continue;
        g_hash_table_add(seen, text);
        g_ptr_array_add(names, g_steal_pointer(&text));
    }
    g_ptr_array_sort(names, compare);
    return names;
}

static GPtrArray *read_outside(const char *path, GError **error) {
    GError *reason = NULL;
    g_autoptr(GMappedFile) model = g_mapped_file_new(path, FALSE, &reason);
    if (!model) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", path, reason->message);
        g_error_free(reason);
        return NULL;
    }
    const char *bytes = g_mapped_file_get_length(model) ? g_mapped_file_get_contents(model) : "";
    return rmil_onnx_outside_names(bytes, g_mapped_file_get_length(model));
}

/* Digest of a file that the model names, which must be in its folder or below. */
static char *digest_outside(const char *path, const char *name, GError **error) {
    g_autofree char *folder = g_path_get_dirname(path), *full = g_build_filename(folder, name, NULL);
    if (g_path_is_absolute(name) || strstr(name, "..")) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has tensors in the file %s, which is not beside it", path, name);
        return NULL;
    }
    if (g_file_test(full, G_FILE_TEST_IS_REGULAR)) return rmil_file_sha256(full, error);
    rmil_fail(error, RMIL_ERROR_IO, "%s: has tensors in the file %s, which is not there: keep the two together", path, full);
    return NULL;
}

char *rmil_onnx_digest(const char *path, GError **error) {
    g_autofree char *own = rmil_file_sha256(path, error);
    g_autoptr(GPtrArray) names = own ? read_outside(path, error) : NULL;
    if (!names) return NULL;
    g_autoptr(GString) out = g_string_new("sha256:");
    g_string_append(out, own);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *sum = digest_outside(path, names->pdata[i], error);
        if (!sum) return NULL;
        g_string_append_printf(out, " %s sha256:%s", (const char *)names->pdata[i], sum);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}
