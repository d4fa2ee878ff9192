/* SPDX-License-Identifier: Apache-2.0 */
/* What every room uses and no caller of the library sees. */
#ifndef RMIL_BASE_PRIVATE_H
#define RMIL_BASE_PRIVATE_H

#include "rankmil/base.h"

#include <sys/uio.h>

/* Sets *error and gives FALSE, so that a failure is one line: return rmil_fail(error, RMIL_ERROR_FORMAT, "…"). */
gboolean rmil_fail(GError **error, RmilErrorCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* OpenMP libraries (oneDNN) read the calling thread's number of threads, some when an operation is planned, some when it runs.
 * One, so that neither the order of operations nor the load depends on the machine; returns what it was, to be set again. */
int rmil_openmp_single(void);
void rmil_openmp_restore(int threads);

/* n × size bytes, 64-byte aligned, zeroed; NULL and *error on overflow or want of memory. Free with rmil_free. */
void *rmil_alloc(int64_t n, size_t size, GError **error);
void rmil_free(void *memory);

/* Like rmil_file_read, but a pipe is read, too, to its end. */
char *rmil_stream_read(const char *path, gsize limit, gsize *size, GError **error);

/* Whole blocks of an open file, however often a call is interrupted. FALSE: errno says why, ENODATA that the file ends there. */
gboolean rmil_read_at(int descriptor, void *data, int64_t size, int64_t offset);
gboolean rmil_write_at(int descriptor, const void *data, int64_t size, int64_t offset);

/* rmil_file_write of n pieces, one behind the other. */
gboolean rmil_file_write_pieces(const char *path, const struct iovec *pieces, int n, GError **error);

/* 256 bits over an array, digest.c: to tell arrays apart, not against forgery. The size is not in it. */
typedef struct {
    uint64_t lanes[4];
} RmilDigest;
RmilDigest rmil_digest(const void *data, size_t bytes);

/* Would a spreadsheet run this cell? */
gboolean rmil_csv_formula(const char *field);
/* The character between a table's columns; *text and *line go behind a first line that says it. */
char rmil_csv_separator(char **text, int64_t *line);

/* Passes on to another monitor (copied, may be NULL) what any number of threads tell `monitor`: one call at a time, each warning once. */
typedef struct _RmilGate RmilGate;
RmilGate *rmil_gate_new(const RmilMonitor *to, RmilMonitor *monitor);
void rmil_gate_free(RmilGate *gate);

/* "/a/b/slide.01.tiff" -> "slide.01". Free with g_free. */
char *rmil_path_stem(const char *path);

/* -- options.c -- */
/* The beginning of a row: {RMIL_WHOLE("clam-k", "clam_k", 8, 1, 65536, "N", "patches of …"), .offset = …} */
#define RMIL_WHOLE(name_, key_, value_, low_, high_, unit_, help_)                                                                         \
    .name = name_, .key = key_, .type = RMIL_OPTION_WHOLE, .value = value_, .low = low_, .high = high_, .unit = unit_, .help = help_
#define RMIL_NUMBER(name_, key_, value_, low_, high_, unit_, help_)                                                                        \
    .name = name_, .key = key_, .type = RMIL_OPTION_NUMBER, .value = value_, .low = low_, .high = high_, .unit = unit_, .help = help_
#define RMIL_WORD(name_, key_, value_, words_, unit_, help_)                                                                               \
    .name = name_, .key = key_, .type = RMIL_OPTION_WORD, .value = value_, .words = words_, .unit = unit_, .help = help_
/* Text as a value, which must be of its kind and (read) within bounds. `called`: what the message calls the option. */
gboolean rmil_option_parse(const RmilOption *option, const char *called, const char *text, double *value, GError **error);
gboolean rmil_option_read(const RmilOption *option, const char *called, const char *text, double *value, GError **error);
gboolean rmil_option_check(const RmilOption *option, const char *called, double value, GError **error); /* bounds alone */
char *rmil_option_text(const RmilOption *option, double value); /* as files have it; reads back as the same value. g_free */
char *rmil_option_bounds(const RmilOption *option);             /* "1 … 65536"; "": none. g_free */
char *rmil_option_usual(const RmilOption *option);              /* what it is where nothing is said; NULL: nothing. g_free */
/* The field of an owner's struct. */
double rmil_option_get(const RmilOption *option, gconstpointer owner);
void rmil_option_put(const RmilOption *option, gpointer owner, double value);
/* Do files name it? Not where it is `quiet` and has its usual value. */
gboolean rmil_option_said(const RmilOption *option, gconstpointer owner);
/* All fields of a table: every default; every bound, with the message calling an option by its key. */
void rmil_options_init(const RmilOption *rows, gpointer owner);
gboolean rmil_options_check(const RmilOption *rows, gconstpointer owner, GError **error);
/* Appends a row to a table that is put together (zero-terminated), with what it is for people. owners: NULL: all. */
void rmil_options_add(GArray *table, const RmilOption *row, const char *owners);

/* A function compiled for several processors, the best one picked at load time by what the processor can do (not by its
 * name: "arch=haswell" would match Intel's Haswell alone). Sums declared `omp simd reduction` may be reordered by the
 * vector width; the order is fixed for one machine. What such a function calls in its loops must be RMIL_INLINE: a plain
 * inline function is not inlined into the clones, and the loop stays scalar. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RMIL_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RMIL_CLONES
#endif
#define RMIL_INLINE static inline __attribute__((always_inline))

#endif
