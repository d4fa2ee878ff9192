/* SPDX-License-Identifier: Apache-2.0 */
/* Plain images, by libvips. */
#include "slide/vips.h"

#include <string.h>

static void drop_message(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer user) {}

static gpointer start(gpointer unused) {
    /* vips, and libtiff through it, write warnings to stderr, which a library must not do. */
    g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG | G_LOG_FLAG_FATAL,
                      drop_message, NULL);
    if (VIPS_INIT("rankmil") != 0) return NULL;
    vips_concurrency_set(1);
    vips_cache_set_max(0); /* results are cached by file name: a changed file would be read in its old state */
    return GINT_TO_POINTER(1);
}

gboolean rmil_vips_init(GError **error) {
    static GOnce once = G_ONCE_INIT;
    if (g_once(&once, start, NULL)) return TRUE;
    return rmil_vips_fail(error, RMIL_ERROR_IO, "libvips cannot be started");
}

gboolean rmil_vips_fail(GError **error, RmilErrorCode code, const char *what) {
    g_autofree char *text = vips_error_buffer_copy();
    g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
    g_strstrip(valid);
    char *end = strchr(valid, '\n');
    if (end) *end = '\0';
    return rmil_fail(error, code, "%s: %s", what, *valid ? valid : "no reason given");
}
