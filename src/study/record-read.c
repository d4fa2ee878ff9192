/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the record of a study: all records of a folder as one. */
#include "record.h"
#include "predictions.h"
#include "vary.h"

#include "base/base-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *path;
    sqlite3 *db;
} Source;

typedef struct {
    RmilStudyRun run;
    const Source *source; /* the record that has it, or NULL */
    int64_t id;           /* its id there */
} Entry;

struct _RmilStudy {
    char *folder;
    GPtrArray *sources;
    GHashTable *values; /* name -> value, both in `strings` */
    GArray *entries;    /* Entry, in the plan's order */
    GHashTable *by_key; /* key -> index + 1 */
    GStringChunk *strings;
    GHashTable *patients; /* slide -> patient, both in `strings` */
    RmilTask task;
    int64_t done;
};

static void source_free(gpointer data) {
    Source *source = data;
    sqlite3_close(source->db);
    g_free(source->path);
    g_free(source);
}

void rmil_study_free(RmilStudy *study) {
    if (!study) return;
    g_ptr_array_unref(study->sources);
    g_hash_table_unref(study->values);
    g_hash_table_unref(study->by_key);
    g_hash_table_unref(study->patients);
    g_array_unref(study->entries);
    g_string_chunk_free(study->strings);
    g_free(study->folder);
    g_free(study);
}

/* -- columns ----------------------------------------------------------------------------------------------------------------- */
static const char *text_at(RmilStudy *study, sqlite3_stmt *row, int column) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    return g_string_chunk_insert_const(study->strings, text && g_utf8_validate(text, -1, NULL) ? text : "");
}

static double number_at(sqlite3_stmt *row, int column) {
    return sqlite3_column_type(row, column) == SQLITE_NULL ? NAN : sqlite3_column_double(row, column);
}

/* -- the files of a folder --------------------------------------------------------------------------------------------------- */
static int compare_text(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* An empty file has only just been created by a process. A file that cannot be examined stays in the list: opening it reports why. */
static void add_record(GPtrArray *paths, char *path) {
    GStatBuf info;
    const gboolean seen = g_stat(path, &info) == 0;
    if (seen ? S_ISREG(info.st_mode) && info.st_size > 0 : errno != ENOENT && errno != ENOTDIR) g_ptr_array_add(paths, path);
    else g_free(path);
}

/* The existing files among DIR/study.sqlite and DIR/shards/?.sqlite; NULL: that could not be determined. */
static GPtrArray *find_records(const char *folder, GError **error) {
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *shards = g_build_filename(folder, "shards", NULL);
    gboolean there;
    if (!rmil_file_exists(shards, &there, error)) return NULL;
    g_autoptr(GDir) dir = there ? g_dir_open(shards, 0, error) : NULL;
    if (there && !dir) return NULL;
    add_record(paths, g_build_filename(folder, "study.sqlite", NULL));
    const guint shard = paths->len;
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".sqlite")) add_record(paths, g_build_filename(shards, name, NULL));
    if (paths->len > shard) qsort(paths->pdata + shard, paths->len - shard, sizeof *paths->pdata, compare_text);
    return g_steal_pointer(&paths);
}

gboolean rmil_study_exists(const char *folder) {
    g_autoptr(GPtrArray) paths = find_records(folder, NULL);
    return !paths || paths->len > 0;
}

/* Opens it writable if possible, although nothing is written: only then can SQLite roll back what a killed process left unfinished. If that
 * process had only just started, no tables remain. */
static Source *open_source(const char *path, GError **error) {
    Source *source = g_new0(Source, 1);
    source->path = g_strdup(path);
    source->db = rmil_sql_open(path, SQLITE_OPEN_READWRITE, error);
    static const char sql[] = "SELECT user_version, schema_version FROM pragma_user_version, pragma_schema_version";
    g_autoptr(sqlite3_stmt) row = source->db ? rmil_sql_prepare(source->db, path, sql, error) : NULL;
    gboolean there;
    if (row && rmil_sql_step(row, path, &there, error)) {
        const int format = sqlite3_column_int(row, 0);
        if (format == RMIL_RECORD_FORMAT || sqlite3_column_int(row, 1) == 0) return source;
        rmil_fail(error, RMIL_ERROR_FORMAT,
                  "%s: is not the record of a study, or was written by another version of rankmil (format %d, this one reads %d)", path,
                  format, RMIL_RECORD_FORMAT);
    }
    g_clear_pointer(&row, sqlite3_finalize);
    source_free(source);
    return NULL;
}

/* -- the plan, which is in every record -------------------------------------------------------------------------------------- */
static gboolean read_values(RmilStudy *study, const Source *source, gboolean first, GError **error) {
    static const char *const same[] = {"kind", "plan", "fingerprint", "reference", "variable"};
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(sqlite3_stmt) row = rmil_sql_prepare(source->db, source->path, "SELECT name, value FROM study", error);
    gboolean more = TRUE;
    while (row && more) {
        if (!rmil_sql_step(row, source->path, &more, error)) return FALSE;
        if (more) g_hash_table_insert(values, (gpointer)text_at(study, row, 0), (gpointer)text_at(study, row, 1));
    }
    if (!row) return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(same); i++) {
        const char *here = g_hash_table_lookup(values, same[i]);
        if (!here) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: does not say its %s: it is broken", source->path, same[i]);
        if (!first && strcmp(here, rmil_study_value(study, same[i])) != 0)
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "%s: has a different %s from %s: move it away, or run its shard again with this "
                             "plan",
                             source->path, strcmp(same[i], "fingerprint") == 0 ? "cohort" : "plan",
                             ((Source *)study->sources->pdata[0])->path);
    }
    if (!first) return TRUE;
    g_hash_table_unref(study->values);
    study->values = g_steal_pointer(&values);
    return TRUE;
}

static gboolean read_planned(RmilStudy *study, const Source *source, gboolean first, GError **error) {
    g_autoptr(sqlite3_stmt) row = rmil_sql_prepare(source->db, source->path,
                                                   "SELECT key, method, value, split, seed FROM planned ORDER BY position", error);
    guint count = 0;
    for (gboolean more = TRUE; row && more;) {
        if (!rmil_sql_step(row, source->path, &more, error)) return FALSE;
        if (!more) break;
        count++;
        Entry entry = {.run = {.key = text_at(study, row, 0),
                               .method = text_at(study, row, 1),
                               .value = number_at(row, 2),
                               .split = text_at(study, row, 3),
                               .seed = sqlite3_column_int64(row, 4)}};
        if (first) {
            g_array_append_val(study->entries, entry);
            g_hash_table_insert(study->by_key, (gpointer)entry.run.key, GUINT_TO_POINTER(study->entries->len));
        } else if (!g_hash_table_contains(study->by_key, entry.run.key)) {
            count = G_MAXUINT;
            break;
        }
    }
    return row &&
           (count == study->entries->len || rmil_fail(error, RMIL_ERROR_DATA,
                                                      "%s: plans different runs from %s: it was made by another version or with other "
                                                      "options",
                                                      source->path, ((Source *)study->sources->pdata[0])->path));
}

/* Records of version 0.1 lack some tables. */
static gboolean has_table(const Source *source, const char *name, gboolean *has, GError **error) {
    g_autoptr(sqlite3_stmt) row = rmil_sql_prepare(source->db, source->path, "SELECT 1 FROM sqlite_schema WHERE name = ?", error);
    if (row) sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
    return row && rmil_sql_step(row, source->path, has, error);
}

static void add_varied(RmilStudyRun *run, int place, const char *name, const char *text) {
    char *end;
    const double number = g_ascii_strtod(text, &end);
    run->varied[place] = (RmilVaried){name, text, *text && !*end ? number : NAN};
}

/* What varies, and its values; if the record does not say, it is one number. */
static gboolean read_varied(RmilStudy *study, const Source *source, GError **error) {
    const char *variable = rmil_study_value(study, "variable");
    gboolean more;
    if (!has_table(source, "varied", &more, error)) return FALSE;
    g_autoptr(sqlite3_stmt) row = more ? rmil_sql_prepare(source->db, source->path, "SELECT key, place, name, value FROM varied", error)
                                       : NULL;
    if (more && !row) return FALSE;
    while (more) {
        if (!rmil_sql_step(row, source->path, &more, error)) return FALSE;
        const guint at = more ? GPOINTER_TO_UINT(g_hash_table_lookup(study->by_key, text_at(study, row, 0))) : 0;
        const int place = more ? sqlite3_column_int(row, 1) : 0;
        if (at && place >= 0 && place < RMIL_VARIED)
            add_varied(&g_array_index(study->entries, Entry, at - 1).run, place, text_at(study, row, 2), text_at(study, row, 3));
    }
    for (guint i = 0; *variable && i < study->entries->len; i++) {
        RmilStudyRun *run = &g_array_index(study->entries, Entry, i).run;
        g_autofree char *text = run->varied[0].name || isnan(run->value) ? NULL : rmil_number_text(run->value);
        if (text) add_varied(run, 0, variable, g_string_chunk_insert_const(study->strings, text));
    }
    return TRUE;
}

static gboolean read_patients(RmilStudy *study, const Source *source, GError **error) {
    gboolean more;
    if (!has_table(source, "patient", &more, error)) return FALSE;
    g_autoptr(sqlite3_stmt) row = more ? rmil_sql_prepare(source->db, source->path, "SELECT slide, patient FROM patient", error) : NULL;
    if (more && !row) return FALSE;
    while (more) {
        if (!rmil_sql_step(row, source->path, &more, error)) return FALSE;
        if (more) g_hash_table_insert(study->patients, (gpointer)text_at(study, row, 0), (gpointer)text_at(study, row, 1));
    }
    return TRUE;
}

static gboolean read_task(RmilStudy *study, const Source *source, GError **error) {
    const char *text = rmil_study_value(study, "task");
    rmil_task_init(&study->task);
    g_autoptr(GError) reason = NULL;
    return !*text || rmil_task_parse(text, &study->task, &reason) ||
           rmil_fail(error, RMIL_ERROR_FORMAT, "%s: does not say what is predicted: %s", source->path, reason->message);
}

static gboolean read_decisions(RmilStudy *study, const Source *source, GError **error) {
    gboolean more;
    if (!has_table(source, "decision", &more, error)) return FALSE;
    static const char sql[] = "SELECT key, text FROM decision JOIN run ON run.run = decision.run";
    g_autoptr(sqlite3_stmt) row = more ? rmil_sql_prepare(source->db, source->path, sql, error) : NULL;
    if (more && !row) return FALSE;
    while (more) {
        if (!rmil_sql_step(row, source->path, &more, error)) return FALSE;
        const guint at = more ? GPOINTER_TO_UINT(g_hash_table_lookup(study->by_key, text_at(study, row, 0))) : 0;
        Entry *entry = at ? &g_array_index(study->entries, Entry, at - 1) : NULL;
        if (entry && entry->source == source) entry->run.decision = text_at(study, row, 1);
    }
    return TRUE;
}

static gboolean read_done(RmilStudy *study, const Source *source, GError **error) {
    gboolean digests;
    if (!has_table(source, "model", &digests, error)) return FALSE;
    g_autoptr(sqlite3_stmt) row = rmil_sql_prepare(
        source->db, source->path,
        digests ? "SELECT run.run, key, epochs, best_epoch, seconds, threads, version, config, model, sha256"
                  " FROM run LEFT JOIN model ON model.run = run.run ORDER BY run.run"
                : "SELECT run, key, epochs, best_epoch, seconds, threads, version, config, model, '' FROM run ORDER BY run",
        error);
    for (gboolean more = TRUE; row && more;) {
        if (!rmil_sql_step(row, source->path, &more, error)) return FALSE;
        guint at = more ? GPOINTER_TO_UINT(g_hash_table_lookup(study->by_key, text_at(study, row, 1))) : 0;
        Entry *entry = at ? &g_array_index(study->entries, Entry, at - 1) : NULL;
        if (!entry || entry->source) continue; /* of an earlier plan, or in two records with the same numbers */
        entry->source = source;
        entry->id = sqlite3_column_int64(row, 0);
        RmilStudyRun *run = &entry->run;
        run->done = TRUE;
        run->epochs = sqlite3_column_int64(row, 2);
        run->best_epoch = sqlite3_column_int64(row, 3);
        run->seconds = number_at(row, 4);
        run->threads = sqlite3_column_int64(row, 5);
        run->version = text_at(study, row, 6);
        run->config = text_at(study, row, 7);
        g_autofree char *model = g_build_filename(study->folder, text_at(study, row, 8), NULL);
        run->model = g_string_chunk_insert_const(study->strings, model);
        run->sha256 = text_at(study, row, 9);
        study->done++;
    }
    return row && read_decisions(study, source, error);
}

static gboolean is_of_kind(const Source *source, const char *kind, GError **error) {
    gboolean there;
    if (!has_table(source, "study", &there, error)) return FALSE;
    if (!there) return TRUE;
    g_autoptr(sqlite3_stmt) row = rmil_sql_prepare(source->db, source->path, "SELECT value FROM study WHERE name = 'kind'", error);
    if (!row || !rmil_sql_step(row, source->path, &there, error)) return FALSE;
    const char *have = there ? (const char *)sqlite3_column_text(row, 0) : NULL;
    return !have || strcmp(have, kind) == 0 ||
           rmil_fail(error, RMIL_ERROR_DATA, "%s: contains runs of another kind of study (%s, not %s): choose another folder", source->path,
                     have, kind);
}

gboolean rmil_study_accepts(const char *folder, const char *kind, GError **error) {
    g_autoptr(GPtrArray) paths = find_records(folder, error);
    gboolean right = paths != NULL;
    for (guint i = 0; right && i < paths->len; i++) {
        Source *source = open_source(paths->pdata[i], error);
        right = source && is_of_kind(source, kind, error);
        g_clear_pointer(&source, source_free);
    }
    return right;
}

RmilStudy *rmil_study_open(const char *folder, GError **error) {
    g_autoptr(GPtrArray) paths = find_records(folder, error);
    if (!paths) return NULL;
    if (paths->len == 0) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: has no study.sqlite: it is not the folder of a study", folder);
        return NULL;
    }
    g_autoptr(RmilStudy) study = g_new0(RmilStudy, 1);
    study->folder = g_strdup(folder);
    study->sources = g_ptr_array_new_with_free_func(source_free);
    study->values = g_hash_table_new(g_str_hash, g_str_equal);
    study->by_key = g_hash_table_new(g_str_hash, g_str_equal);
    study->entries = g_array_new(FALSE, TRUE, sizeof(Entry));
    study->strings = g_string_chunk_new(4096);
    study->patients = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < paths->len; i++) {
        Source *source = open_source(paths->pdata[i], error);
        if (!source) return NULL;
        g_ptr_array_add(study->sources, source);
        /* one read transaction, so that a running study is read at one point in time */
        if (!rmil_sql_run(source->db, source->path, "BEGIN", error) || !read_values(study, source, i == 0, error) ||
            !read_planned(study, source, i == 0, error) ||
            (i == 0 && (!read_varied(study, source, error) || !read_patients(study, source, error) || !read_task(study, source, error))) ||
            !read_done(study, source, error) || !rmil_sql_run(source->db, source->path, "COMMIT", error))
            return NULL;
    }
    return g_steal_pointer(&study);
}

/* -- contents ---------------------------------------------------------------------------------------------------------------- */
const char *rmil_study_value(const RmilStudy *study, const char *name) {
    const char *value = g_hash_table_lookup(study->values, name);
    return value ? value : "";
}

const RmilTask *rmil_study_task(const RmilStudy *study) { return &study->task; }

const char *rmil_study_folder(const RmilStudy *study) { return study->folder; }

int64_t rmil_study_count(const RmilStudy *study) { return study->entries->len; }

int64_t rmil_study_done(const RmilStudy *study) { return study->done; }

const RmilStudyRun *rmil_study_run(const RmilStudy *study, int64_t index) { return &g_array_index(study->entries, Entry, index).run; }

GArray *rmil_study_rows(RmilStudy *study, int64_t index, int kind, GError **error) {
    const RmilRows *rows = &rmil_rows[kind];
    const Entry *entry = &g_array_index(study->entries, Entry, index);
    if (!entry->source) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: run %" G_GINT64_FORMAT " (%s) is not done", study->folder, index, entry->run.method);
        return NULL;
    }
    const char *path = entry->source->path;
    gboolean there;
    g_autoptr(GArray) out = g_array_new(FALSE, TRUE, (guint)rows->size);
    if (!has_table(entry->source, rows->table, &there, error)) return NULL;
    if (!there && rows->rare) return g_steal_pointer(&out); /* of an earlier version */
    g_autofree char *sql = rmil_rows_select(rows);
    g_autoptr(sqlite3_stmt) row = rmil_sql_prepare(entry->source->db, path, sql, error);
    if (!row) return NULL;
    sqlite3_bind_int64(row, 1, entry->id);
    for (gboolean more = TRUE; more;) {
        if (!rmil_sql_step(row, path, &more, error)) return NULL;
        if (!more) break;
        g_array_set_size(out, out->len + 1);
        rmil_rows_take(rows, row, study->strings, out->data + (out->len - 1) * rows->size);
    }
    return g_steal_pointer(&out);
}

GArray *rmil_study_epochs(RmilStudy *study, int64_t index, GError **error) { return rmil_study_rows(study, index, RMIL_ROWS_EPOCH, error); }

GArray *rmil_study_predictions(RmilStudy *study, int64_t index, GError **error) {
    g_autoptr(GArray) rows = rmil_study_rows(study, index, RMIL_ROWS_PREDICTION, error);
    if (!rows) return NULL;
    for (guint i = 0; i < rows->len; i++) {
        RmilPredictionRow *row = &g_array_index(rows, RmilPredictionRow, i);
        row->patient = g_hash_table_lookup(study->patients, row->slide);
    }
    if (study->task.classes == 2) return g_steal_pointer(&rows);
    g_autoptr(GArray) outputs = rmil_study_rows(study, index, RMIL_ROWS_OUTPUT, error);
    g_autoptr(GError) reason = NULL;
    if (!outputs) return NULL;
    if (rmil_outputs_take(&study->task, outputs, rows, &reason)) return g_steal_pointer(&rows);
    rmil_fail(error, RMIL_ERROR_FORMAT, "%s: run %.16s of the record: %s", study->folder, rmil_study_run(study, index)->key,
              reason->message);
    return NULL;
}

GArray *rmil_study_localisation(RmilStudy *study, int64_t index, GError **error) {
    return rmil_study_rows(study, index, RMIL_ROWS_LOCALISATION, error);
}

GArray *rmil_study_patches(RmilStudy *study, int64_t index, GError **error) {
    return rmil_study_rows(study, index, RMIL_ROWS_PATCHES, error);
}

GArray *rmil_study_lesions(RmilStudy *study, int64_t index, GError **error) {
    return rmil_study_rows(study, index, RMIL_ROWS_LESION, error);
}

GArray *rmil_study_attention(RmilStudy *study, int64_t index, GError **error) {
    return rmil_study_rows(study, index, RMIL_ROWS_ATTENTION, error);
}
