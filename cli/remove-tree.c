/* SPDX-License-Identifier: Apache-2.0 */
/* Removes a folder with everything in it. */
#include "cli.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

static gboolean fail(const char *path, GError **error) {
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_IO, "%s: cannot be removed: %s", path, g_strerror(errno));
    return FALSE;
}

gboolean remove_tree(const char *path, GError **error) {
    GStatBuf info;
    if (g_lstat(path, &info) != 0) return errno == ENOENT || fail(path, error);
    if (!S_ISDIR(info.st_mode)) return g_unlink(path) == 0 || fail(path, error); /* a link is removed, not its target */
    GDir *dir = g_dir_open(path, 0, NULL);
    gboolean done = TRUE;
    for (const char *name; dir && done && (name = g_dir_read_name(dir));) {
        g_autofree char *inner = g_build_filename(path, name, NULL);
        done = remove_tree(inner, error);
    }
    if (dir) g_dir_close(dir);
    return done && (g_rmdir(path) == 0 || fail(path, error));
}
