/* SPDX-License-Identifier: Apache-2.0 */
/* Files that appear completely or not at all. */
#include "base-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MOST = 120, HOST_MOST = 64, TRIES = 1000 }; /* so that the complete name fits into 255 bytes */

/* The text or, if it is longer than `most`, its beginning and a checksum. */
static void append_short(GString *out, const char *text, gsize most) {
    if (strlen(text) <= most) {
        g_string_append(out, text);
        return;
    }
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    g_string_append_len(out, text, (gssize)most - 17);
    g_string_append_printf(out, "~%.16s", sum);
}

/* Temporary names are ".NAME.HOST-PID-COUNTER.part", so that files left by a dead process of this host can be distinguished from those that
 * another process is writing. */
static char *part_prefix(const char *name) {
    GString *prefix = g_string_new(".");
    append_short(prefix, name, NAME_MOST);
    g_string_append_c(prefix, '.');
    append_short(prefix, g_get_host_name(), HOST_MOST);
    g_string_append_c(prefix, '-');
    return g_string_free(prefix, FALSE);
}

/* The PID in PID-COUNTER.part, also with what libzip appends while it writes; 0: another kind of name. */
static gint64 part_process(const char *rest) {
    char *end;
    gint64 pid = g_ascii_strtoll(rest, &end, 10);
    if (pid <= 0 || *end != '-') return 0;
    for (end++; g_ascii_isdigit(*end); end++) continue;
    return strcmp(end, ".part") == 0 || g_str_has_prefix(end, ".part.") ? pid : 0;
}

static void remove_if_dead(const char *folder, const char *name, gint64 pid) {
    if (pid == 0 || pid == getpid() || kill((pid_t)pid, 0) == 0 || errno != ESRCH) return;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_unlink(path);
}

static void remove_leftovers(const char *folder, const char *prefix) {
    GDir *dir = g_dir_open(folder, 0, NULL);
    if (!dir) return;
    for (const char *name; (name = g_dir_read_name(dir));)
        if (g_str_has_prefix(name, prefix)) remove_if_dead(folder, name, part_process(name + strlen(prefix)));
    g_dir_close(dir);
}

void rmil_folder_sweep(const char *folder) {
    g_autoptr(GString) mark = g_string_new(".");
    append_short(mark, g_get_host_name(), HOST_MOST);
    g_string_append_c(mark, '-');
    GDir *dir = g_dir_open(folder, 0, NULL);
    if (!dir) return;
    for (const char *name; (name = g_dir_read_name(dir));) {
        const char *at = *name == '.' ? g_strrstr(name, mark->str) : NULL;
        if (at) remove_if_dead(folder, name, part_process(at + mark->len));
    }
    g_dir_close(dir);
}

int rmil_create_in(const char *folder, const char *path, int flags, const char *shown, GError **error) {
    gboolean made = FALSE;
    int file = -1;
    /* GLib says ENOTDIR if the folder is removed while it looks. */
    for (int i = 0; i < TRIES; i++) {
        made = g_mkdir_with_parents(folder, 0777) == 0;
        if (made) file = open(path, flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666); /* a link could lead to any file */
        if (file >= 0) return file;
        if (errno != ENOENT && (made || errno != ENOTDIR)) break;
    }
    const int reason = errno;
    rmil_fail(error, RMIL_ERROR_IO, made ? "%s: cannot be written: %s" : "%s: cannot make the folder: %s", made ? shown : folder,
              g_strerror(reason));
    errno = reason;
    return -1;
}

char *rmil_file_begin(const char *path, GError **error) {
    static gint counter;
    g_autofree char *folder = g_path_get_dirname(path), *name = g_path_get_basename(path), *prefix = part_prefix(name);
    remove_leftovers(folder, prefix);
    for (int i = 0;; i++) { /* an unused name: an existing file, or a link that somebody planted, is left alone */
        g_autofree char *part = g_strdup_printf("%s%ld-%d.part", prefix, (long)getpid(), g_atomic_int_add(&counter, 1));
        g_autofree char *temporary = g_build_filename(folder, part, NULL);
        GError *reason = NULL;
        const int file = rmil_create_in(folder, temporary, O_WRONLY | O_EXCL, path, &reason);
        if (file >= 0) {
            close(file);
            return g_steal_pointer(&temporary);
        }
        if (errno != EEXIST || i == TRIES) {
            g_propagate_error(error, reason);
            return NULL;
        }
        g_clear_error(&reason);
    }
}

static gboolean sync_path(const char *path, int flags) {
    int file = open(path, flags | O_CLOEXEC);
    if (file < 0) return FALSE;
    gboolean synced = fsync(file) == 0;
    int reason = errno;
    close(file);
    errno = reason;
    return synced;
}

gboolean rmil_file_commit(char *temporary, const char *path, GError **error) {
    g_autofree char *folder = g_path_get_dirname(path);
    if (!sync_path(temporary, O_RDONLY) || g_rename(temporary, path) != 0) {
        int reason = errno;
        rmil_file_abandon(temporary);
        return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be written: %s", path, g_strerror(reason));
    }
    sync_path(folder, O_RDONLY | O_DIRECTORY); /* some file systems refuse this, but the rename has happened */
    g_free(temporary);
    return TRUE;
}

void rmil_file_abandon(char *temporary) {
    if (temporary) g_unlink(temporary);
    g_free(temporary);
}

gboolean rmil_read_at(int descriptor, void *data, int64_t size, int64_t offset) {
    while (size > 0) {
        ssize_t n = pread(descriptor, data, (size_t)size, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (n == 0) errno = ENODATA; /* the file ends here */
            return FALSE;
        }
        data = (char *)data + n;
        offset += n;
        size -= n;
    }
    return TRUE;
}

gboolean rmil_write_at(int descriptor, const void *data, int64_t size, int64_t offset) {
    while (size > 0) {
        ssize_t n = pwrite(descriptor, data, (size_t)size, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (n == 0) errno = ENOSPC;
            return FALSE;
        }
        data = (const char *)data + n;
        offset += n;
        size -= n;
    }
    return TRUE;
}

gboolean rmil_file_write_pieces(const char *path, const struct iovec *pieces, int n, GError **error) {
    char *temporary = rmil_file_begin(path, error);
    if (!temporary) return FALSE;
    int file = open(temporary, O_WRONLY | O_CLOEXEC);
    gboolean written = file >= 0;
    for (int64_t i = 0, at = 0; written && i < n; at += (int64_t)pieces[i++].iov_len)
        written = rmil_write_at(file, pieces[i].iov_base, (int64_t)pieces[i].iov_len, at);
    int reason = errno;
    if (file >= 0 && close(file) != 0 && written) {
        written = FALSE;
        reason = errno;
    }
    if (written) return rmil_file_commit(temporary, path, error);
    rmil_file_abandon(temporary);
    return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be written: %s", path, g_strerror(reason));
}

gboolean rmil_file_write(const char *path, const void *data, gsize size, GError **error) {
    return rmil_file_write_pieces(path, &(struct iovec){(void *)data, size}, 1, error);
}

gboolean rmil_file_exists(const char *path, gboolean *there, GError **error) {
    GStatBuf info;
    *there = g_stat(path, &info) == 0;
    return *there || errno == ENOENT || errno == ENOTDIR ||
           rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", path, g_strerror(errno));
}

char *rmil_file_read(const char *path, gsize limit, gsize *size, GError **error) {
    GStatBuf info;
    if (g_stat(path, &info) != 0) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", path, g_strerror(errno));
        return NULL;
    }
    if (!S_ISREG(info.st_mode)) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: is not a regular file", path);
        return NULL;
    }
    if ((guint64)info.st_size > limit) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has %" G_GINT64_FORMAT " bytes, but at most %zu are accepted", path, (gint64)info.st_size,
                  limit);
        return NULL;
    }
    char *data = NULL;
    GError *reason = NULL;
    if (!g_file_get_contents(path, &data, size, &reason)) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", path, reason->message);
        g_clear_error(&reason);
    }
    return data;
}

char *rmil_stream_read(const char *path, gsize limit, gsize *size, GError **error) {
    GStatBuf info;
    if (g_stat(path, &info) != 0 || !(S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode) || S_ISSOCK(info.st_mode)))
        return rmil_file_read(path, limit, size, error);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    g_autoptr(GByteArray) all = g_byte_array_new();
    ssize_t got = file < 0 ? -1 : 1;
    while (got > 0 && all->len <= limit) {
        uint8_t some[1 << 16];
        do got = read(file, some, sizeof some);
        while (got < 0 && errno == EINTR);
        if (got > 0) g_byte_array_append(all, some, (guint)got);
    }
    const int reason = errno;
    if (file >= 0) close(file);
    if (got < 0) rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", path, g_strerror(reason));
    else if (all->len > limit) rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has more than the accepted %zu bytes", path, limit);
    if (got < 0 || all->len > limit) return NULL;
    *size = all->len;
    g_byte_array_append(all, (const guint8 *)"", 1);
    return (char *)g_byte_array_free(g_steal_pointer(&all), FALSE);
}

char *rmil_file_sha256(const char *path, GError **error) {
    enum { PART = 1 << 20 };
    GStatBuf info;
    errno = 0;
    FILE *file = g_stat(path, &info) == 0 && !S_ISREG(info.st_mode) ? NULL : g_fopen(path, "rbe");
    if (!file) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", path, errno ? g_strerror(errno) : "it is not a regular file");
        return NULL;
    }
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree guchar *part = g_malloc(PART);
    for (gsize got; (got = fread(part, 1, PART, file)) > 0;) g_checksum_update(sum, part, (gssize)got);
    const int failed = ferror(file) ? errno : 0;
    fclose(file);
    if (!failed) return g_strdup(g_checksum_get_string(sum));
    rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", path, g_strerror(failed));
    return NULL;
}

char *rmil_file_identity(const char *path) {
    GStatBuf info;
    if (g_stat(path, &info) != 0) return g_strdup("missing");
    return g_strdup_printf("%" G_GINT64_FORMAT " bytes, modified %" G_GINT64_FORMAT ".%09ld", (gint64)info.st_size,
                           (gint64)info.st_mtim.tv_sec, (long)info.st_mtim.tv_nsec);
}
