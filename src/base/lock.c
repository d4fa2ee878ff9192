/* SPDX-License-Identifier: Apache-2.0 */
/* One process at a time in a folder: a lock on a file in it, which the system releases when the process ends, however it ends. */
#include "base-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct _RmilLock {
    int file;
    char *path;
    gboolean shared;
};

/* What the holder wrote about itself, for the message; "another process" if it wrote nothing. */
static char *holder(int file) {
    char text[512];
    const ssize_t n = pread(file, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0'; /* followed by the terms of those who share */
    for (char *p = text; *p; p++)
        if (g_ascii_iscntrl(*p)) *p = ' ';
    return g_strdup(*text && g_utf8_validate(text, -1, NULL) ? text : "another process");
}

static void introduce(int file, const char *what, const char *terms) {
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *since = g_date_time_format(now, "%Y-%m-%d %H:%M");
    g_autofree char *text = g_strdup_printf("%s (process %ld on %s, since %s)%s%s", what, (long)getpid(), g_get_host_name(), since,
                                            terms ? "\n" : "", terms ? terms : "");
    if (ftruncate(file, 0) != 0 || pwrite(file, text, strlen(text), 0) < 0) return; /* it only improves a message */
}

static int try_lock(int file, gboolean shared, gboolean wait) {
    struct flock how = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    while (fcntl(file, wait ? F_OFD_SETLKW : F_OFD_SETLK, &how) != 0)
        if (errno != EINTR) return errno;
    return 0;
}

static gboolean still_there(int file, const char *path) {
    GStatBuf opened, named;
    return fstat(file, &opened) == 0 && g_stat(path, &named) == 0 && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

void rmil_lock_free(RmilLock *lock) {
    if (!lock) return;
    /* while this process still holds it, and no other does: a process that opens it again finds that it is gone */
    gboolean alone = !lock->shared || try_lock(lock->file, FALSE, FALSE) == 0;
    if (!alone) { /* if two release it at once, neither is alone while both hold it; the last one to ask is */
        struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
        alone = fcntl(lock->file, F_OFD_SETLK, &none) == 0 && try_lock(lock->file, FALSE, FALSE) == 0 &&
                still_there(lock->file, lock->path);
    }
    if (alone) g_unlink(lock->path);
    close(lock->file);
    g_free(lock->path);
    g_free(lock);
}

/* A number after a name in a file of /proc; 0: not found. */
static uint64_t proc_mask(const char *text, const char *name) {
    const char *at = text ? strstr(text, name) : NULL;
    return at ? g_ascii_strtoull(at + strlen(name), NULL, 16) : 0;
}

/* Is a process of this host gone or ending: killed, but its files not yet closed, or not yet waited for by its parent? */
static gboolean is_ending(long id) {
    enum { EXITING = 4, KILLED = 1 << (SIGKILL - 1) }; /* PF_EXITING of /proc/ID/stat */
    g_autofree char *stat_path = g_strdup_printf("/proc/%ld/stat", id), *status_path = g_strdup_printf("/proc/%ld/status", id);
    g_autofree char *stat_text = NULL, *status = NULL;
    char state = ' ';
    unsigned flags = 0;
    if (kill((pid_t)id, 0) != 0 && errno == ESRCH) return TRUE;
    g_file_get_contents(stat_path, &stat_text, NULL, NULL);
    g_file_get_contents(status_path, &status, NULL, NULL);
    const char *behind = stat_text ? strrchr(stat_text, ')') : NULL;
    if (behind && sscanf(behind + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) == 2 &&
        (state == 'Z' || state == 'X' || (flags & EXITING) != 0))
        return TRUE;
    return ((proc_mask(status, "SigPnd:") | proc_mask(status, "ShdPnd:")) & KILLED) != 0;
}

/* Is the process that wrote about itself gone, or ending? A killed process may also have left a child that examines a file
 * (bag/hdf5-examine.c), and a child that has just started holds what its parent held. */
static gboolean is_dead(int file) {
    g_autofree char *who = holder(file), *host = g_strdup_printf(" on %s, ", g_get_host_name());
    const char *process = strstr(who, " (process ");
    const long id = process ? strtol(process + strlen(" (process "), NULL, 10) : 0;
    return id > 0 && strstr(process, host) && is_ending(id);
}

/* EAGAIN: a living process has it. */
static int try_for_a_while(int file, gboolean shared) {
    enum { TRIES = 250, PAUSE = 20000 }; /* five seconds, in µs */
    int reason = try_lock(file, shared, FALSE);
    for (int i = 0; (reason == EAGAIN || reason == EACCES) && i < TRIES && is_dead(file); i++) {
        g_usleep(PAUSE);
        reason = try_lock(file, shared, FALSE);
    }
    return reason;
}

static gboolean is_held(int reason) { return reason == EAGAIN || reason == EACCES; }

static void refuse(const char *folder, int file, const char *how, GError **error) {
    g_autofree char *who = holder(file);
    close(file);
    rmil_fail(error, RMIL_ERROR_IO, "%s: is in use by %s%s: try again when that has ended, or use another folder", folder, who, how);
}

/* Warns of a file system without locks, on which work must still be possible. */
static void say_lockless(const RmilMonitor *monitor, const char *folder, int reason) {
    rmil_monitor_warn(monitor,
                      "%s: its file system has no locks (%s), so nothing stops a second process from working here at the "
                      "same time",
                      folder, g_strerror(reason));
}

static RmilLock *lock_new(int file, const char *path, gboolean shared) {
    RmilLock *lock = g_new(RmilLock, 1);
    *lock = (RmilLock){file, g_strdup(path), shared};
    return lock;
}

RmilLock *rmil_lock_take(const char *folder, const char *name, RmilLockMode mode, const char *what, const RmilMonitor *monitor,
                         GError **error) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    for (;;) {
        const int file = rmil_create_in(folder, path, O_RDWR, path, error);
        if (file < 0) return NULL;
        int reason = try_for_a_while(file, FALSE);
        if (is_held(reason) && mode == RMIL_LOCK_TRY) {
            close(file);
            return NULL;
        }
        if (is_held(reason) && mode != RMIL_LOCK_WAIT) {
            refuse(folder, file, "", error);
            return NULL;
        }
        if (is_held(reason)) {
            g_autofree char *who = holder(file);
            rmil_monitor_warn(monitor, "%s: is in use by %s: waiting until that has ended", folder, who);
            reason = try_lock(file, FALSE, TRUE);
        }
        if (reason) say_lockless(monitor, folder, reason);
        if (!reason && !still_there(file, path)) { /* its holder ended and removed it in the meantime */
            close(file);
            continue;
        }
        introduce(file, what, NULL);
        return lock_new(file, path, FALSE);
    }
}

/* Do those who share have the same terms? */
static gboolean same_terms(int file, const char *terms) {
    g_autofree char *text = g_malloc0(1024 + strlen(terms));
    const ssize_t n = pread(file, text, 1023 + strlen(terms), 0);
    const char *theirs = n > 0 ? strchr(text, '\n') : NULL;
    return theirs && strcmp(theirs + 1, terms) == 0;
}

RmilLock *rmil_lock_share(const char *folder, const char *name, const char *terms, const char *what, const RmilMonitor *monitor,
                          GError **error) {
    enum { TRIES = 50, PAUSE = 20000 }; /* the first one locks it exclusively for a moment, to write the terms; one second, in µs */
    g_autofree char *path = g_build_filename(folder, name, NULL);
    for (int i = 0;; i++) {
        const int file = rmil_create_in(folder, path, O_RDWR, path, error);
        if (file < 0) return NULL;
        const gboolean first = try_lock(file, FALSE, FALSE) == 0;
        if (first) introduce(file, what, terms);
        const int reason = first ? try_lock(file, TRUE, FALSE) : try_for_a_while(file, TRUE);
        if (is_held(reason) && i >= TRIES) {
            refuse(folder, file, "", error);
            return NULL;
        }
        if (is_held(reason) || (!reason && !still_there(file, path))) {
            close(file);
            if (reason) g_usleep(PAUSE);
            continue;
        }
        if (reason) say_lockless(monitor, folder, reason);
        if (reason || first || same_terms(file, terms)) return lock_new(file, path, TRUE);
        refuse(folder, file, ", with other options or another cohort", error);
        return NULL;
    }
}
