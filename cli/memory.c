/* SPDX-License-Identifier: Apache-2.0 */
/* When memory runs out. The library's own large buffers fail with a message, and the other slides continue; but GLib and the libraries
 * built on it (OpenSlide, libvips) end the process. This makes the command end with a message, as after any other error: finished work is
 * kept, and half-written files have temporary names. */
#include "cli.h"

#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define BASE ((guint64)300 << 20)      /* address space of the libraries and one thread */
#define PER_THREAD ((guint64)50 << 20) /* for each further thread */

static void write_all(const char *text) {
    ssize_t written = write(STDERR_FILENO, text, strlen(text)); /* nothing can be done about a failure */
    (void)written;
}

static GLogWriterOutput note(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user) {
    for (gsize i = 0; i < n && (level & G_LOG_LEVEL_ERROR); i++) {
        if (strcmp(fields[i].key, "MESSAGE") != 0 || !strstr(fields[i].value, "failed to allocate")) continue;
        write_all("\nrankmil: not enough memory. Finished work is kept: run the same command again with fewer --threads or with more "
                  "memory\n");
        _exit(1);
    }
    return g_log_writer_default(level, fields, n, user);
}

/* The limit on address space (ulimit -v), or 0. */
static guint64 space(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? (guint64)limit.rlim_cur : 0;
}

void memory_begin(void) {
    g_log_set_writer_func(note, NULL, NULL);
    if (space()) mallopt(M_ARENA_MAX, 1); /* otherwise each thread's own arena would reserve 64 MiB */
}

int memory_threads(Cli *cli, int threads) {
    const guint64 have = space();
    if (!have) return threads;
    int most = have > BASE + PER_THREAD ? (int)MIN((have - BASE) / PER_THREAD, 4096) : 1;
    if (threads <= most) return threads;
    rmil_monitor_warn(&cli->monitor,
                      "the limit of %" G_GUINT64_FORMAT " MiB on address space (ulimit -v) allows only %d of %d "
                      "threads",
                      have >> 20, most, threads);
    return most;
}
