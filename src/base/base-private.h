/* SPDX-License-Identifier: Apache-2.0 */
/* What every room uses, but no user of the library sees. */
#ifndef RMIL_BASE_PRIVATE_H
#define RMIL_BASE_PRIVATE_H

#include "rankmil/base.h"

#include <sys/uio.h>

/* Sets *error and returns FALSE, so that a failure is one line: return rmil_fail(error, RMIL_ERROR_FORMAT, "…"). */
gboolean rmil_fail(GError **error, RmilErrorCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Sets the calling thread's number of OpenMP threads to one, so that neither the order of operations nor the load depends on the machine.
 * OpenMP libraries (oneDNN) read it, some when an operation is planned, some when it runs. Returns the former number, to be restored. */
int rmil_openmp_single(void);
void rmil_openmp_restore(int threads);

/* n × size bytes, 64-byte aligned, zeroed; NULL and *error on overflow or if memory runs out. Free with rmil_free. */
void *rmil_alloc(int64_t n, size_t size, GError **error);
void rmil_free(void *memory);

/* Like rmil_file_read, but also reads a pipe to its end. */
char *rmil_stream_read(const char *path, gsize limit, gsize *size, GError **error);

/* Opens a file of the folder with O_CREAT and the flags, never through a link, and makes the folder; again if another process removes that
 * while it is empty, as one does that has ended its work there. shown: the path in the message. −1: IO, and errno. */
int rmil_create_in(const char *folder, const char *path, int flags, const char *shown, GError **error);
/* Reads complete blocks of an open file, even if calls are interrupted. FALSE: errno has the reason; ENODATA: the file ends there. */
gboolean rmil_read_at(int descriptor, void *data, int64_t size, int64_t offset);
gboolean rmil_write_at(int descriptor, const void *data, int64_t size, int64_t offset);

/* rmil_file_write for n pieces, one after another. */
gboolean rmil_file_write_pieces(const char *path, const struct iovec *pieces, int n, GError **error);

/* 256 bits over an array, digest.c: to distinguish arrays, not against forgery. Does not include the size. */
typedef struct {
    uint64_t lanes[4];
} RmilDigest;
RmilDigest rmil_digest(const void *data, size_t bytes);

/* Would a spreadsheet execute this cell? */
gboolean rmil_csv_formula(const char *field);
/* The separator of a table's columns; if the first line states it, *text and *line move past it. */
char rmil_csv_separator(char **text, int64_t *line);

/* Forwards to another monitor (copied, may be NULL) what any number of threads report to `monitor`: one call at a time, each warning
 * once. */
typedef struct _RmilGate RmilGate;
RmilGate *rmil_gate_new(const RmilMonitor *to, RmilMonitor *monitor);
void rmil_gate_free(RmilGate *gate);

/* "/a/b/slide.01.tiff" -> "slide.01". Free with g_free. */
char *rmil_path_stem(const char *path);

/* -- options.c -- */
/* The first fields of a row: {RMIL_WHOLE("clam-k", "clam_k", 8, 1, 65536, "N", "patches of …"), .offset = …} */
#define RMIL_WHOLE(name_, key_, value_, low_, high_, unit_, help_)                                                                         \
    .name = name_, .key = key_, .type = RMIL_OPTION_WHOLE, .value = value_, .low = low_, .high = high_, .unit = unit_, .help = help_
#define RMIL_NUMBER(name_, key_, value_, low_, high_, unit_, help_)                                                                        \
    .name = name_, .key = key_, .type = RMIL_OPTION_NUMBER, .value = value_, .low = low_, .high = high_, .unit = unit_, .help = help_
#define RMIL_WORD(name_, key_, value_, words_, unit_, help_)                                                                               \
    .name = name_, .key = key_, .type = RMIL_OPTION_WORD, .value = value_, .words = words_, .unit = unit_, .help = help_
/* Parses text as a value, which must be of the option's kind and (read) within bounds. `called`: name of the option in the message. */
gboolean rmil_option_parse(const RmilOption *option, const char *called, const char *text, double *value, GError **error);
gboolean rmil_option_read(const RmilOption *option, const char *called, const char *text, double *value, GError **error);
gboolean rmil_option_check(const RmilOption *option, const char *called, double value, GError **error); /* checks only the bounds */
char *rmil_option_text(const RmilOption *option, double value); /* as in files; reads back as the same value. g_free */
char *rmil_option_bounds(const RmilOption *option);             /* "1 … 65536"; "": none. g_free */
char *rmil_option_usual(const RmilOption *option);              /* the default; NULL: none. g_free */
/* Reads or sets the field in an owner's struct. */
double rmil_option_get(const RmilOption *option, gconstpointer owner);
void rmil_option_put(const RmilOption *option, gpointer owner, double value);
/* Do files contain it? Not if it is `quiet` and has its default value. */
gboolean rmil_option_said(const RmilOption *option, gconstpointer owner);
/* For all fields of a table: sets defaults; checks bounds, with messages that call an option by its key. */
void rmil_options_init(const RmilOption *rows, gpointer owner);
gboolean rmil_options_check(const RmilOption *rows, gconstpointer owner, GError **error);
/* Appends a row to a table under construction (zero-terminated), with its texts for users. owners: NULL: all. */
void rmil_options_add(GArray *table, const RmilOption *row, const char *owners);

/* A function compiled for several processors; the best version is chosen at load time by the processor's features (not by its name:
 * "arch=haswell" would match only Intel's Haswell). Sums declared `omp simd reduction` may be reordered depending on the vector width; the
 * order is fixed for one machine. Functions called in its loops must be RMIL_INLINE: a plain inline function is not inlined into the
 * clones, and the loop stays scalar. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RMIL_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RMIL_CLONES
#endif
#define RMIL_INLINE static inline __attribute__((always_inline))

#endif
