/* The files of an ONNX model: tensors beyond 2 GiB stand in files beside it, whose names it holds as they are. */
#include "onnx-file.h"

#include <string.h>

static char *digest(const char *bytes, gsize size) {
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (gsize at = 0; at < size;) {
        const gsize part = MIN(size - at, (gsize)1 << 30); /* g_checksum_update counts in gssize and guint */
        g_checksum_update(sum, (const guchar *)bytes + at, (gssize)part);
        at += part;
    }
    return g_strdup(g_checksum_get_string(sum));
}

static GMappedFile *map(const char *path, GError **error) {
    GError *reason = NULL;
    GMappedFile *file = g_mapped_file_new(path, FALSE, &reason);
    if (!file) rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", path, reason->message);
    g_clear_error(&reason);
    return file;
}

static gboolean holds(GMappedFile *file, const char *text) {
    const char *bytes = g_mapped_file_get_contents(file);
    return bytes && memmem(bytes, g_mapped_file_get_length(file), text, strlen(text));
}

static int compare(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Files beside the model that it names; empty where it has no tensors outside itself. */
static GPtrArray *beside(GMappedFile *model, const char *path, GError **error) {
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    if (!holds(model, "location")) return g_steal_pointer(&names); /* by which ONNX says that a tensor is elsewhere */
    g_autofree char *folder = g_path_get_dirname(path), *own = g_path_get_basename(path);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, error);
    if (!dir) return NULL;
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *full = g_build_filename(folder, name, NULL);
        if (strcmp(name, own) != 0 && g_file_test(full, G_FILE_TEST_IS_REGULAR) && holds(model, name))
            g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, compare);
    return g_steal_pointer(&names);
}

char *rmil_onnx_digest(const char *path, GError **error) {
    g_autoptr(GMappedFile) model = map(path, error);
    g_autoptr(GPtrArray) names = model ? beside(model, path, error) : NULL;
    if (!names) return NULL;
    g_autofree char *own = digest(g_mapped_file_get_contents(model), g_mapped_file_get_length(model)), *folder = g_path_get_dirname(path);
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "sha256:%s", own);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *full = g_build_filename(folder, names->pdata[i], NULL);
        g_autoptr(GMappedFile) file = map(full, error);
        if (!file) {
            g_string_free(out, TRUE);
            return NULL;
        }
        g_autofree char *sum = digest(g_mapped_file_get_contents(file), g_mapped_file_get_length(file));
        g_string_append_printf(out, " %s sha256:%s", (const char *)names->pdata[i], sum);
    }
    return g_string_free(out, FALSE);
}
