/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the record of a study. SQLite with its rollback journal and full synchronisation: a committed transaction survives a kill and a
 * power cut, an uncommitted one leaves no trace. Unlike the write-ahead log, this also holds on the network file systems of clusters. */
#include "record.h"

#include "base/base-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

struct _RmilRecord {
    sqlite3 *db;
    char *path;
};

static const char schema[] =
    "CREATE TABLE study(name TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE planned(position INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, method TEXT NOT NULL, value REAL,"
    " split TEXT NOT NULL, seed INTEGER NOT NULL);"
    "CREATE TABLE run(run INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, method TEXT NOT NULL, value REAL, split TEXT NOT NULL,"
    " seed INTEGER NOT NULL, epochs INTEGER NOT NULL, best_epoch INTEGER NOT NULL, seconds REAL NOT NULL,"
    " threads INTEGER NOT NULL, version TEXT NOT NULL, config TEXT NOT NULL, model TEXT NOT NULL);"
    "CREATE TABLE epoch(run INTEGER NOT NULL REFERENCES run, epoch INTEGER NOT NULL, train_loss REAL, slide_loss REAL,"
    " guide_loss REAL, val_loss REAL, val_auroc REAL, best INTEGER NOT NULL, PRIMARY KEY(run, epoch));"
    "CREATE TABLE prediction(run INTEGER NOT NULL REFERENCES run, slide TEXT NOT NULL, part TEXT NOT NULL, label INTEGER,"
    " probability REAL, logit REAL, PRIMARY KEY(run, slide));"
    "CREATE TABLE localisation(run INTEGER NOT NULL REFERENCES run, slide TEXT NOT NULL, alpha REAL NOT NULL, iou REAL, dice REAL,"
    " pointing REAL, PRIMARY KEY(run, slide, alpha));"
    "CREATE TABLE attention(run INTEGER NOT NULL REFERENCES run, slide TEXT NOT NULL, lesion REAL, elsewhere REAL,"
    " lesion_share REAL, PRIMARY KEY(run, slide));";
/* New in version 0.2; older records get them when they are opened. */
static const char later[] = "CREATE TABLE IF NOT EXISTS model(run INTEGER PRIMARY KEY REFERENCES run, sha256 TEXT NOT NULL);"
                            "CREATE TABLE IF NOT EXISTS varied(key TEXT NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL,"
                            " value TEXT NOT NULL, PRIMARY KEY(key, place));"
                            "CREATE TABLE IF NOT EXISTS output(run INTEGER NOT NULL REFERENCES run, slide TEXT NOT NULL,"
                            " name TEXT NOT NULL, value REAL, PRIMARY KEY(run, slide, name));"
                            "CREATE TABLE IF NOT EXISTS decision(run INTEGER PRIMARY KEY REFERENCES run, text TEXT NOT NULL);"
                            "CREATE TABLE IF NOT EXISTS patches(run INTEGER NOT NULL REFERENCES run, slide TEXT NOT NULL, auroc REAL,"
                            " average_precision REAL, PRIMARY KEY(run, slide));"
                            "CREATE TABLE IF NOT EXISTS lesion(run INTEGER NOT NULL REFERENCES run, slide TEXT NOT NULL,"
                            " lesion INTEGER NOT NULL, tiles INTEGER NOT NULL, score REAL, false_positives REAL,"
                            " negatives INTEGER NOT NULL, PRIMARY KEY(run, slide, lesion));"
                            "CREATE TABLE IF NOT EXISTS patient(slide TEXT PRIMARY KEY, patient TEXT NOT NULL)";

/* -- SQLite ------------------------------------------------------------------------------------------------------------------ */
static gboolean rmil_sql_fail(sqlite3 *db, const char *path, GError **error) {
    int code = sqlite3_errcode(db);
    gboolean content = code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_ERROR;
    return rmil_fail(error, content ? RMIL_ERROR_FORMAT : RMIL_ERROR_IO,
                     content ? "%s: is broken or not the record of a study: %s. If you move it away, its runs are trained again" : "%s: %s",
                     path, sqlite3_errmsg(db));
}

sqlite3 *rmil_sql_open(const char *path, int flags, GError **error) {
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_FULLMUTEX, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(db, 60000); /* other processes may be reading or writing */
        return db;
    }
    const int reason = db ? sqlite3_system_errno(db) : ENOMEM;
    rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", path, reason ? g_strerror(reason) : sqlite3_errmsg(db));
    sqlite3_close(db);
    return NULL;
}

gboolean rmil_sql_run(sqlite3 *db, const char *path, const char *sql, GError **error) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK || rmil_sql_fail(db, path, error);
}

sqlite3_stmt *rmil_sql_prepare(sqlite3 *db, const char *path, const char *sql, GError **error) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK) return statement;
    rmil_sql_fail(db, path, error);
    return NULL;
}

gboolean rmil_sql_step(sqlite3_stmt *statement, const char *path, gboolean *row, GError **error) {
    int result = sqlite3_step(statement);
    *row = result == SQLITE_ROW;
    return result == SQLITE_ROW || result == SQLITE_DONE || rmil_sql_fail(sqlite3_db_handle(statement), path, error);
}

/* types: one letter per value: t text, i int64_t, r double (NaN becomes NULL). */
static gboolean insert(RmilRecord *record, sqlite3_stmt *statement, GError **error, const char *types, ...) {
    va_list values;
    va_start(values, types);
    sqlite3_reset(statement);
    for (int i = 0; types[i]; i++) {
        if (types[i] == 't') sqlite3_bind_text(statement, i + 1, va_arg(values, const char *), -1, SQLITE_TRANSIENT);
        else if (types[i] == 'i') sqlite3_bind_int64(statement, i + 1, va_arg(values, int64_t));
        else sqlite3_bind_double(statement, i + 1, va_arg(values, double)); /* SQLite stores NaN as NULL */
    }
    va_end(values);
    gboolean row;
    return rmil_sql_step(statement, record->path, &row, error);
}

static sqlite3_stmt *prepare(RmilRecord *record, const char *sql, GError **error) {
    return rmil_sql_prepare(record->db, record->path, sql, error);
}

/* Ends a transaction: commits if everything has succeeded, else rolls back. */
static gboolean finish(RmilRecord *record, gboolean done, GError **error) {
    if (done && rmil_sql_run(record->db, record->path, "COMMIT", error)) return TRUE;
    sqlite3_exec(record->db, "ROLLBACK", NULL, NULL, NULL);
    return FALSE;
}

/* -- opening ----------------------------------------------------------------------------------------------------------------- */
void rmil_record_free(RmilRecord *record) {
    if (!record) return;
    sqlite3_close(record->db);
    g_free(record->path);
    g_free(record);
}

static gboolean read_number(RmilRecord *record, const char *sql, int64_t *number, GError **error) {
    g_autoptr(sqlite3_stmt) statement = prepare(record, sql, error);
    gboolean row = FALSE;
    if (!statement || !rmil_sql_step(statement, record->path, &row, error)) return FALSE;
    *number = row ? sqlite3_column_int64(statement, 0) : 0;
    return TRUE;
}

/* An existing record must be of this study; an empty file becomes a record. */
static gboolean check_format(RmilRecord *record, GError **error) {
    int64_t tables = 0, format = 0;
    if (!read_number(record, "SELECT count(*) FROM sqlite_schema", &tables, error) ||
        !read_number(record, "PRAGMA user_version", &format, error))
        return FALSE;
    g_autofree char *mark = g_strdup_printf("PRAGMA user_version = %d", RMIL_RECORD_FORMAT);
    if (tables == 0) return rmil_sql_run(record->db, record->path, schema, error) && rmil_sql_run(record->db, record->path, mark, error);
    return format == RMIL_RECORD_FORMAT ||
           rmil_fail(error, RMIL_ERROR_FORMAT,
                     "%s: is not the record of a study, or was written by another version of rankmil (format %" G_GINT64_FORMAT ", "
                     "this one writes %d)",
                     record->path, format, RMIL_RECORD_FORMAT);
}

/* A value that the record stores about its study; "": not set. NULL: it failed. Free with g_free. */
static char *value_of(RmilRecord *record, const char *name, GError **error) {
    g_autofree char *sql = g_strdup_printf("SELECT value FROM study WHERE name = '%s'", name);
    g_autoptr(sqlite3_stmt) statement = prepare(record, sql, error);
    gboolean row = FALSE;
    if (!statement || !rmil_sql_step(statement, record->path, &row, error)) return NULL;
    return g_strdup(row ? (const char *)sqlite3_column_text(statement, 0) : "");
}

/* The lines of one list that are not in another, separated by commas; NULL: none. */
static char *without(const char *list, const char *others) {
    g_auto(GStrv) ids = g_strsplit(list, "\n", -1), known = g_strsplit(others, "\n", -1);
    g_autoptr(GString) out = g_string_new(NULL);
    for (int i = 0; ids[i]; i++)
        if (*ids[i] && !g_strv_contains((const char *const *)known, ids[i]))
            g_string_append_printf(out, "%s%s", out->len ? ", " : "", ids[i]);
    return out->len ? g_strdup(out->str) : NULL;
}

/* Is the record of these data? Also accepts the same table if slides have become readable: runs trained without them are not mistaken for
 * runs with them, because a run's key includes its data. */
static gboolean check_data(RmilRecord *record, const RmilRecordStudy *study, GError **error) {
    g_autofree char *own = value_of(record, "fingerprint", error), *cohort = own ? value_of(record, "cohort", error) : NULL,
                    *left = cohort ? value_of(record, "left_out", error) : NULL;
    if (!left) return FALSE;
    if (!*own || strcmp(own, study->fingerprint) == 0) return TRUE;
    const gboolean same_table = strcmp(cohort, study->cohort) == 0;
    const char *now = study->left_out ? study->left_out : "";
    g_autofree char *gone = without(now, left), *back = without(left, now);
    if (same_table && back && !gone) {
        *study->returned = g_steal_pointer(&back);
        return TRUE;
    }
    if (same_table && gone)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: contains runs on slides that cannot be read now (%s): make them readable, or choose another folder",
                         record->path, gone);
    return rmil_fail(
        error, RMIL_ERROR_DATA,
        "%s: contains runs of another cohort, or its features or labels have changed, or an earlier build of rankmil started it: "
        "choose another folder (its results can still be reported)",
        record->path);
}

static gboolean is_planned(const RmilStudyRun *runs, int64_t count, const char *key) {
    int64_t i = 0;
    while (i < count && strcmp(runs[i].key, key) != 0) i++;
    return i < count;
}

/* Called before the plan is replaced. */
static gboolean find_dropped(RmilRecord *record, const RmilStudyRun *runs, int64_t count, GPtrArray *dropped, GError **error) {
    g_autoptr(sqlite3_stmt) statement = prepare(record,
                                                "SELECT run.key, run.method, run.split, run.config, run.seed FROM run"
                                                " JOIN planned ON planned.key = run.key ORDER BY planned.position",
                                                error);
    for (gboolean more = TRUE; statement && more;) {
        if (!rmil_sql_step(statement, record->path, &more, error)) return FALSE;
        if (!more || is_planned(runs, count, (const char *)sqlite3_column_text(statement, 0))) continue;
        char *texts[4];
        for (int i = 0; i < 4; i++) texts[i] = g_strdup((const char *)sqlite3_column_text(statement, i));
        RmilRecordDropped *one = g_new(RmilRecordDropped, 1);
        *one = (RmilRecordDropped){texts[0], texts[1], texts[2], texts[3], sqlite3_column_int64(statement, 4)};
        g_ptr_array_add(dropped, one);
    }
    return statement != NULL;
}

static gboolean write_patients(RmilRecord *record, const RmilCohort *slides, GError **error) {
    g_autoptr(sqlite3_stmt) patient = prepare(record, "INSERT INTO patient VALUES(?, ?)", error);
    if (!patient || !rmil_sql_run(record->db, record->path, "DELETE FROM patient", error)) return FALSE;
    for (int64_t i = 0; slides && i < slides->count; i++)
        if (slides->rows[i].patient && !insert(record, patient, error, "tt", slides->rows[i].id, slides->rows[i].patient)) return FALSE;
    return TRUE;
}

static gboolean write_plan(RmilRecord *record, const RmilRecordStudy *study, const RmilStudyRun *runs, int64_t count, GError **error) {
    g_autofree char *format = g_strdup_printf("rankmil-study-%d", RMIL_RECORD_FORMAT);
    const char *const values[][2] = {{"format", format},
                                     {"version", rmil_version()},
                                     {"kind", study->kind},
                                     {"title", study->title},
                                     {"plan", study->plan},
                                     {"cohort", study->cohort},
                                     {"task", study->task ? study->task : ""},
                                     {"patient_pool", rmil_pool_name((RmilPool)study->pool)},
                                     {"bag", study->slides && study->slides->slides ? "patient" : "slide"},
                                     {"fingerprint", study->fingerprint},
                                     {"left_out", study->left_out ? study->left_out : ""},
                                     {"reference", study->reference},
                                     {"variable", study->variable}};
    g_autoptr(sqlite3_stmt) value = prepare(record, "INSERT OR REPLACE INTO study VALUES(?, ?)", error);
    g_autoptr(sqlite3_stmt) run = value ? prepare(record, "INSERT INTO planned VALUES(?, ?, ?, ?, ?, ?)", error) : NULL;
    g_autoptr(sqlite3_stmt) varied = run ? prepare(record, "INSERT INTO varied VALUES(?, ?, ?, ?)", error) : NULL;
    if (!varied || !rmil_sql_run(record->db, record->path, "DELETE FROM planned; DELETE FROM varied", error)) return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
        if (!insert(record, value, error, "tt", values[i][0], values[i][1])) return FALSE;
    if (!write_patients(record, study->slides, error)) return FALSE;
    for (int64_t i = 0; i < count; i++) {
        if (!insert(record, run, error, "ittrti", i, runs[i].key, runs[i].method, runs[i].value, runs[i].split, runs[i].seed)) return FALSE;
        for (int64_t v = 0; v < RMIL_VARIED && runs[i].varied[v].name; v++)
            if (!insert(record, varied, error, "titt", runs[i].key, v, runs[i].varied[v].name, runs[i].varied[v].text)) return FALSE;
    }
    return TRUE;
}

RmilRecord *rmil_record_open(const char *path, const RmilRecordStudy *study, const RmilStudyRun *runs, int64_t count, GError **error) {
    g_autoptr(RmilRecord) record = g_new0(RmilRecord, 1);
    record->path = g_strdup(path);
    record->db = rmil_sql_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
    if (!record->db || !rmil_sql_run(record->db, path, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; BEGIN IMMEDIATE", error))
        return NULL;
    gboolean done = check_format(record, error) && rmil_sql_run(record->db, path, later, error) &&
                    (study->replaces || check_data(record, study, error)) &&
                    (!study->dropped || find_dropped(record, runs, count, study->dropped, error)) &&
                    write_plan(record, study, runs, count, error);
    return finish(record, done, error) ? g_steal_pointer(&record) : NULL;
}

/* -- removal -------------------------------------------------------------------------------------------------------------------- */
#define NOT_PLANNED "key NOT IN (SELECT key FROM planned)"

/* Removes all rows of the runs that satisfy a condition on rows of `run`. Within a transaction. */
static gboolean remove_where(RmilRecord *record, const char *condition, GError **error) {
    static const char *const tables[] = {"model",        "decision",  "epoch",   "prediction", "output",
                                         "localisation", "attention", "patches", "lesion"};
    gboolean done = TRUE;
    for (gsize i = 0; done && i <= G_N_ELEMENTS(tables); i++) {
        g_autofree char *sql = i < G_N_ELEMENTS(tables)
                                   ? g_strdup_printf("DELETE FROM %s WHERE run IN (SELECT run FROM run WHERE %s)", tables[i], condition)
                                   : g_strdup_printf("DELETE FROM run WHERE %s", condition);
        done = rmil_sql_run(record->db, record->path, sql, error);
    }
    return done;
}

/* -- runs -------------------------------------------------------------------------------------------------------------------- */
static gboolean add_values(RmilRecord *record, int64_t id, const RmilRows *rows, const GArray *values, GError **error) {
    g_autofree char *sql = rmil_rows_insert(rows);
    g_autoptr(sqlite3_stmt) statement = prepare(record, sql, error);
    gboolean row, done = statement != NULL;
    for (guint i = 0; done && i < values->len; i++) {
        sqlite3_reset(statement);
        sqlite3_bind_int64(statement, 1, id);
        rmil_rows_bind(rows, values->data + i * rows->size, statement);
        done = rmil_sql_step(statement, record->path, &row, error);
    }
    return done;
}

static gboolean add_rows(RmilRecord *record, const RmilRecordRun *run, GError **error) {
    g_autoptr(sqlite3_stmt) statement = prepare(record,
                                                "INSERT INTO run(key, method, value, split, seed, epochs, best_epoch, seconds,"
                                                " threads, version, config, model) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                                error);
    g_autoptr(sqlite3_stmt) model = prepare(record, "INSERT INTO model VALUES(?, ?)", error);
    const RmilStudyRun *r = &run->run;
    if (!statement || !model ||
        !insert(record, statement, error, "ttrtiiirittt", r->key, r->method, r->value, r->split, r->seed, r->epochs, r->best_epoch,
                r->seconds, r->threads, r->version, r->config, r->model))
        return FALSE;
    int64_t id = sqlite3_last_insert_rowid(record->db);
    g_autoptr(sqlite3_stmt) decision = prepare(record, "INSERT INTO decision VALUES(?, ?)", error);
    gboolean done = decision && (!r->sha256 || insert(record, model, error, "it", id, r->sha256)) &&
                    (!r->decision || insert(record, decision, error, "it", id, r->decision));
    for (int kind = 0; done && kind < RMIL_ROWS_COUNT; kind++)
        done = !run->rows[kind] || add_values(record, id, &rmil_rows[kind], run->rows[kind], error);
    return done;
}

static gboolean begin(RmilRecord *record, GError **error) { return rmil_sql_run(record->db, record->path, "BEGIN IMMEDIATE", error); }

gboolean rmil_record_add(RmilRecord *record, const RmilRecordRun *run, GError **error) {
    g_autofree char *same = g_strdup_printf("key = '%s'", run->run.key); /* the key is hexadecimal, so needs no quoting */
    return begin(record, error) && finish(record, remove_where(record, same, error) && add_rows(record, run, error), error);
}

gboolean rmil_record_set_model(RmilRecord *record, const char *key, const char *sha256, const char *decision, GError **error) {
    g_autoptr(sqlite3_stmt) model = prepare(record, "INSERT OR REPLACE INTO model SELECT run, ?2 FROM run WHERE key = ?1", error);
    g_autoptr(sqlite3_stmt) own = model ? prepare(record, "INSERT OR REPLACE INTO decision SELECT run, ?2 FROM run WHERE key = ?1", error)
                                        : NULL;
    return own && begin(record, error) &&
           finish(record, insert(record, model, error, "tt", key, sha256) && insert(record, own, error, "tt", key, decision), error);
}

/* The models of runs that are not planned. */
static gboolean remove_models(RmilRecord *record, const char *folder, int64_t *count, GError **error) {
    g_autoptr(sqlite3_stmt) statement = prepare(record, "SELECT model FROM run WHERE " NOT_PLANNED, error);
    for (gboolean more = TRUE; statement && more; *count += more) {
        if (!rmil_sql_step(statement, record->path, &more, error)) return FALSE;
        const char *name = more ? (const char *)sqlite3_column_text(statement, 0) : NULL;
        g_autofree char *path = name && !strstr(name, "..") ? g_build_filename(folder, name, NULL) : NULL;
        if (path) g_unlink(path);
    }
    return statement != NULL;
}

gboolean rmil_record_clean(RmilRecord *record, const char *folder, int64_t *count, GError **error) {
    *count = 0;
    return remove_models(record, folder, count, error) && begin(record, error) &&
           finish(record, remove_where(record, NOT_PLANNED, error), error);
}

gboolean rmil_record_knows(RmilRecord *record, const char *config) {
    g_autoptr(sqlite3_stmt) statement = prepare(record, "SELECT 1 FROM run WHERE config = ?", NULL);
    gboolean row = FALSE;
    if (statement) sqlite3_bind_text(statement, 1, config, -1, SQLITE_STATIC);
    return statement && rmil_sql_step(statement, record->path, &row, NULL) && row;
}

void rmil_record_dropped_free(RmilRecordDropped *dropped) {
    g_free(dropped->key);
    g_free(dropped->method);
    g_free(dropped->split);
    g_free(dropped->config);
    g_free(dropped);
}
