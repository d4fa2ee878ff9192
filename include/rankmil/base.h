/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil base: errors, seeded random numbers, atomic files, parallel loops, CSV tables, progress.
 *
 * Conventions of the whole library. Fallible functions return gboolean (FALSE: failed) or a pointer (NULL: failed) and
 * set *error, whose message names the file, the place and the reason; a failed call leaves no partial result. The library
 * never exits, aborts on input, or prints. Unless a function says otherwise: it may be called from several threads as
 * long as no two of them use the same object at once, strings are UTF-8, and the caller frees what it gets with the
 * function named. Pixels and patches are counted in int64_t, bytes in size_t. "Level-0 pixels" are pixels of a slide's
 * finest level, counted from the top-left corner of that level. */
#ifndef RANKMIL_BASE_H
#define RANKMIL_BASE_H

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define RMIL_API __attribute__((visibility("default")))

/* -- errors ------------------------------------------------------------------------------------------------------- */
#define RMIL_ERROR (rmil_error_quark())
typedef enum {
    RMIL_ERROR_IO,         /* a file cannot be opened, read, or written */
    RMIL_ERROR_FORMAT,     /* a file's content is broken or not of the kind expected */
    RMIL_ERROR_ARGUMENT,   /* an option or argument that is not accepted */
    RMIL_ERROR_DATA,       /* well-formed input that cannot be used: no tissue, one class only, NaN features */
    RMIL_ERROR_RESOLUTION, /* a slide's µm per pixel is unknown */
    RMIL_ERROR_MEMORY      /* a budget or the machine's memory is too small */
} RmilErrorCode;
RMIL_API GQuark rmil_error_quark(void);

RMIL_API const char *rmil_version(void);

/* -- progress and warnings ---------------------------------------------------------------------------------------- */
/* What a long function reports to its caller. Any member, and the pointer to the whole, may be NULL. The functions may be
 * called from any thread, but never from two at once. */
typedef struct {
    void (*progress)(gpointer user, const char *what, int64_t done, int64_t total);
    void (*warn)(gpointer user, const char *message);
    gpointer user;
    void (*note)(gpointer user, const char *text); /* progress in numbers, shown beside the bar and replaced by the next */
    /* One of many (slide, training, input) failed at a stage ("tile", "label" …), and the others continue. id: its name, or NULL. Without
     * this function it is a warning. */
    void (*problem)(gpointer user, const char *stage, const char *id, const GError *error);
    /* A stage has ended: how many products it made, how many already existed, and how long it took. */
    void (*done)(gpointer user, const char *stage, int64_t made, int64_t kept, double seconds);
} RmilMonitor;
RMIL_API void rmil_monitor_progress(const RmilMonitor *monitor, const char *what, int64_t done, int64_t total);
RMIL_API void rmil_monitor_note(const RmilMonitor *monitor, const char *format, ...) G_GNUC_PRINTF(2, 3);
RMIL_API void rmil_monitor_warn(const RmilMonitor *monitor, const char *format, ...) G_GNUC_PRINTF(2, 3);
RMIL_API void rmil_monitor_problem(const RmilMonitor *monitor, const char *stage, const char *id, const GError *error);
/* since: g_get_monotonic_time() when the stage began. */
RMIL_API void rmil_monitor_done(const RmilMonitor *monitor, const char *stage, int64_t made, int64_t kept, gint64 since);

/* -- random numbers: xoshiro256** seeded by SplitMix64 (Blackman and Vigna) ---------------------------------------- */
/* The same (seed, stream) gives the same numbers on every machine. Streams are independent: use one per purpose and
 * index (slide, epoch …) instead of carrying state along. */
typedef struct {
    uint64_t s[4];
} RmilRng;
RMIL_API void rmil_rng_init(RmilRng *rng, uint64_t seed, uint64_t stream);
RMIL_API uint64_t rmil_rng_next(RmilRng *rng);
RMIL_API double rmil_rng_uniform(RmilRng *rng);           /* [0, 1), 53 bits */
RMIL_API double rmil_rng_normal(RmilRng *rng);            /* mean 0, SD 1 (Box-Muller) */
RMIL_API int64_t rmil_rng_below(RmilRng *rng, int64_t n); /* 0 … n−1, unbiased; n ≥ 1 */
RMIL_API void rmil_rng_shuffle(RmilRng *rng, int64_t *values, int64_t n);

/* -- memory that grows with the data -------------------------------------------------------------------------------- */
/* n × size zeroed bytes; free with g_free. NULL and RMIL_ERROR_MEMORY if there is not enough memory. GLib's own allocators end the process
 * instead: use them only for allocations that stay small for any data. */
RMIL_API void *rmil_try_new(int64_t n, gsize size, GError **error);

/* -- files that appear completely or not at all ------------------------------------------------------------------------- */
/* rmil_file_begin returns the name of a temporary file beside `path` (it creates missing parent folders and removes
 * what dead processes left for the same path); write it, then commit (fsync, rename over `path`, fsync the folder) or
 * abandon (remove). Both free `temporary`. */
RMIL_API char *rmil_file_begin(const char *path, GError **error);
RMIL_API gboolean rmil_file_commit(char *temporary, const char *path, GError **error);
RMIL_API void rmil_file_abandon(char *temporary);
/* Removes the temporary files that dead processes of this host left in a folder, including those of a process that was still dying when
 * the next one wrote the same file. */
RMIL_API void rmil_folder_sweep(const char *folder);
/* SHA-256 of a file's content, in hexadecimal digits. Free with g_free. */
RMIL_API char *rmil_file_sha256(const char *path, GError **error);
RMIL_API gboolean rmil_file_write(const char *path, const void *data, gsize size, GError **error);
/* *there: does anything of that name exist? Returns FALSE if that is unknown (a folder without search permission, a failing disk): do not
 * take it for "no". */
RMIL_API gboolean rmil_file_exists(const char *path, gboolean *there, GError **error);
/* A file's size and modification time as text: part of a product's identity. Free with g_free. */
RMIL_API char *rmil_file_identity(const char *path);
/* Whole file into memory, followed by a NUL; fails if it is larger than `limit` bytes. Free with g_free. */
RMIL_API char *rmil_file_read(const char *path, gsize limit, gsize *size, GError **error);

/* -- one process at a time in a folder -------------------------------------------------------------------------------- */
/* A lock on FOLDER/NAME (both are created if missing). It is held until it is freed or the process ends, even by a kill; it
 * excludes other processes and other locks of this process. On a file system without locks, a warning says so and the work
 * continues. */
typedef enum {
    RMIL_LOCK_ALONE, /* fails when another holds it; the error names the holder */
    RMIL_LOCK_WAIT,  /* the same, but a warning names the holder and the call waits */
    RMIL_LOCK_TRY    /* as ALONE, but returns NULL without an error if another holds it */
} RmilLockMode;
typedef struct _RmilLock RmilLock;
/* what: who takes it, for the message that others see: "rankmil run". Free with rmil_lock_free, which removes the file. */
RMIL_API RmilLock *rmil_lock_take(const char *folder, const char *name, RmilLockMode mode, const char *what, const RmilMonitor *monitor,
                                  GError **error);
RMIL_API void rmil_lock_free(RmilLock *lock);
/* A shared lock: any number of holders whose `terms` are the same text. Fails while somebody holds it with other terms, or alone. */
RMIL_API RmilLock *rmil_lock_share(const char *folder, const char *name, const char *terms, const char *what, const RmilMonitor *monitor,
                                   GError **error);

/* -- JSON within bounds --------------------------------------------------------------------------------------------- */
typedef struct _JsonNode JsonNode; /* json-glib's; include its header only if you look into nodes */
/* A file of at most `limit` bytes that holds one object. UTF-8 with or without a byte-order mark, nested at most 32 deep; NaN,
 * Infinity and -Infinity, which Python and older QuPath write as bare words, become null. Errors: IO, FORMAT. Free with
 * json_node_unref. */
RMIL_API JsonNode *rmil_json_read(const char *path, gsize limit, GError **error);
/* The same for text in memory and for any kind of value; error messages begin with `where`. */
RMIL_API JsonNode *rmil_json_parse(const char *json, gsize size, const char *where, GError **error);
/* Indented text without a final line end. Free with g_free. */
RMIL_API char *rmil_json_print(JsonNode *node);
/* Writes that text and a final line end to a file. */
RMIL_API gboolean rmil_json_write(JsonNode *node, const char *path, GError **error);

/* -- options ---------------------------------------------------------------------------------------------------------- */
/* The kind of a value, and the type of its field: double, int64_t, int (place among the words), int64_t (bytes), none. */
typedef enum { RMIL_OPTION_NUMBER, RMIL_OPTION_WHOLE, RMIL_OPTION_WORD, RMIL_OPTION_SIZE, RMIL_OPTION_FILE } RmilOptionType;
/* What an option concerns: one method's training, the data and their division, or the machine (no result depends on it). */
typedef enum { RMIL_SCOPE_METHOD, RMIL_SCOPE_DATA, RMIL_SCOPE_MACHINE } RmilOptionScope;
/* Each option is one row in the table of its owner: a model, a guide, the trainer, the splits, or the features in memory. The command line,
 * --help, plans, run.json, model files, every check and docs/options.md are made from it. A table ends with a row whose key is NULL. */
typedef struct {
    const char *name; /* on the command line and in plans: "clam-k"; NULL: it cannot be given */
    const char *key;  /* in files: "clam_k" */
    RmilOptionType type;
    RmilOptionScope scope;
    double value;             /* the default; for a word, its index among the words */
    double low, high;         /* bounds; ±RMIL_OPTION_MOST means unbounded */
    gboolean open;            /* the bounds themselves are excluded */
    const char *const *words; /* accepted words, NULL-terminated */
    const char *help, *unit;
    const char *usual; /* what the help shows instead of `value`, or NULL */
    gsize offset;      /* of its field in the owner's struct */
    /* Of models and guides alone, which share RmilModelConfig. */
    gboolean shared;     /* its field is one of RmilModelConfig's, not of the owner's own struct */
    gboolean untold;     /* needed to apply a model, and not evident from its tensors */
    gboolean quiet;      /* files name it only where it is not `value`; also of the trainer's */
    int place;           /* from 1: its place in every model file of version 0.1.0, whoever takes it; 0: it is only in files of … */
    double elsewhere;    /* … those that take it. Its value in files of the others */
    const char *without; /* the message if a model that does not take it is given it; NULL: none */
    /* Of tables that are put together from several owners'. */
    const char *owners;  /* "clam-sb, clam-mb"; NULL: all */
    const char *summary; /* owners, help, default and bounds in one line */
} RmilOption;
#define RMIL_OPTION_MOST 1e15

/* -- parallel loops ------------------------------------------------------------------------------------------------ */
/* Calls task(i, worker, user) once for every i in 0 … n−1 on `threads` threads (≤ 0: all processors; fewer where the system gives
 * no more). `worker` is in
 * 0 … threads−1, never in two calls at once: the index of a thread's own scratch memory. After a failure no further
 * index is started; the error of the lowest failing index is returned. OpenMP inside a task runs single-threaded. */
typedef gboolean (*RmilLoopBody)(int64_t index, int worker, gpointer user, GError **error);
RMIL_API gboolean rmil_parallel(int64_t n, int threads, RmilLoopBody task, gpointer user, GError **error);
RMIL_API int rmil_threads(int requested); /* `requested` if ≥ 1, otherwise the number of usable processors */

/* -- CSV tables, read (RFC 4180, header row, UTF-8 with or without a byte-order mark) -------------------------------------- */
/* As spreadsheets save them: cells separated by commas, semicolons or tabs (the most frequent in the header, or as a first line "sep=;"
 * says), lines ending in LF, CR LF or CR, blank rows, and missing or surplus empty cells at the end of a row. Numbers in a table with
 * semicolons may have a decimal comma. A pipe is read to its end. */
typedef struct _RmilTable RmilTable;
RMIL_API RmilTable *rmil_table_read(const char *path, GError **error);
RMIL_API void rmil_table_free(RmilTable *table);
RMIL_API int64_t rmil_table_rows(const RmilTable *table);
RMIL_API int rmil_table_columns(const RmilTable *table);
RMIL_API const char *rmil_table_name(const RmilTable *table, int column);
RMIL_API int rmil_table_find(const RmilTable *table, const char *name);                /* column, or −1 */
RMIL_API int64_t rmil_table_line(const RmilTable *table, int64_t row);                 /* line in the file, from 1 */
RMIL_API const char *rmil_table_cell(const RmilTable *table, int64_t row, int column); /* "" when empty or column −1 */
/* Parses a cell as a finite number; the error names file, line and column. */
RMIL_API gboolean rmil_table_number(const RmilTable *table, int64_t row, int column, double *value, GError **error);
/* Writes text into one cell of a table file: row as rmil_table_read counts it, column by name; a new column is added at the end. All other
 * bytes stay the same. ARGUMENT: no such row. */
RMIL_API gboolean rmil_table_put(const char *path, int64_t row, const char *column, const char *text, GError **error);

/* -- CSV tables, written --------------------------------------------------------------------------------------------- */
/* Cells from left to right, row by row. Text is quoted if necessary. Text that a spreadsheet would run as a formula gets a leading
 * apostrophe, which rmil_table_read removes. */
typedef struct _RmilCsv RmilCsv;
RMIL_API RmilCsv *rmil_csv_new(const char *header); /* comma-separated names; NULL: no header */
RMIL_API void rmil_csv_free(RmilCsv *csv);
RMIL_API void rmil_csv_text(RmilCsv *csv, const char *text); /* NULL: an empty cell */
RMIL_API void rmil_csv_whole(RmilCsv *csv, int64_t value);
/* format: printf's, or NULL: the shortest of %.6g … %.17g that reads back as the same number. Non-finite values give an empty cell. */
RMIL_API void rmil_csv_number(RmilCsv *csv, const char *format, double value);
RMIL_API void rmil_csv_numbers(RmilCsv *csv, const char *format, const double *values, int n);
RMIL_API void rmil_csv_end(RmilCsv *csv); /* ends a row; a row without cells is a blank line */
RMIL_API int64_t rmil_csv_rows(const RmilCsv *csv);
/* Atomically, as rmil_file_write. */
RMIL_API gboolean rmil_csv_write(const RmilCsv *csv, const char *path, GError **error);
RMIL_API char *rmil_csv_take(RmilCsv *csv); /* returns its text (free with g_free) and frees the table */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilLock, rmil_lock_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilTable, rmil_table_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilCsv, rmil_csv_free)

G_END_DECLS
#endif
