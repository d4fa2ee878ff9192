/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, and memory allocation that may fail. */
#include "base-private.h"

#include <stdlib.h>
#include <string.h>

G_DEFINE_QUARK(rmil - error - quark, rmil_error)

const char *rmil_version(void) { return RMIL_VERSION; }

gboolean rmil_fail(GError **error, RmilErrorCode code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (error) *error = g_error_new_valist(RMIL_ERROR, (gint)code, format, arguments);
    va_end(arguments);
    return FALSE;
}

void *rmil_alloc(int64_t n, size_t size, GError **error) {
    if (n < 0 || (size && (uint64_t)n > (SIZE_MAX - 64) / size)) {
        rmil_fail(error, RMIL_ERROR_MEMORY, "%" G_GINT64_FORMAT " items of %zu bytes are more than can be addressed", n, size);
        return NULL;
    }
    size_t bytes = (((size_t)n * size) + 63) & ~(size_t)63;
    void *memory = aligned_alloc(64, bytes ? bytes : 64);
    if (!memory) {
        rmil_fail(error, RMIL_ERROR_MEMORY, "not enough memory for %zu bytes", bytes);
        return NULL;
    }
    memset(memory, 0, bytes ? bytes : 64);
    return memory;
}

void *rmil_try_new(int64_t n, gsize size, GError **error) {
    void *memory = n < 0 ? NULL : g_try_malloc0_n((gsize)MAX(n, 1), size);
    if (!memory) rmil_fail(error, RMIL_ERROR_MEMORY, "not enough memory for %" G_GINT64_FORMAT " × %zu bytes", n, size);
    return memory;
}

void rmil_free(void *memory) { free(memory); }

char *rmil_path_stem(const char *path) {
    char *name = g_path_get_basename(path);
    char *dot = strrchr(name, '.');
    if (dot && dot != name) *dot = '\0';
    return name;
}
