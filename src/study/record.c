/* The record of a study, written. SQLite with its rollback journal and full synchronisation: a transaction that was committed
 * survives a kill and a power cut, one that was not leaves no trace; and unlike the write-ahead log this also holds on the
 * network file systems of clusters. */
#include "record.h"

#include "base/base-private.h"

#include <math.h>
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

/* -- SQLite ------------------------------------------------------------------------------------------------------------------ */
gboolean rmil_sql_fail(sqlite3 *db, const char *path, GError **error) {
    int code = sqlite3_errcode(db);
    gboolean content = code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_ERROR;
    return rmil_fail(error, content ? RMIL_ERROR_FORMAT : RMIL_ERROR_IO,
                     content ? "%s: is not the record of a study, or broken: %s" : "%s: %s", path, sqlite3_errmsg(db));
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

/* Ends a transaction: committed when all went well until here, else undone. */
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

/* A record that is there is of this study; a file that is empty becomes one. */
static gboolean check_format(RmilRecord *record, GError **error) {
    int64_t tables = 0, format = 0;
    if (!read_number(record, "SELECT count(*) FROM sqlite_schema", &tables, error) ||
        !read_number(record, "PRAGMA user_version", &format, error))
        return FALSE;
    g_autofree char *mark = g_strdup_printf("PRAGMA user_version = %d", RMIL_RECORD_FORMAT);
    if (tables == 0) return rmil_sql_run(record->db, record->path, schema, error) && rmil_sql_run(record->db, record->path, mark, error);
    return format == RMIL_RECORD_FORMAT ||
           rmil_fail(error, RMIL_ERROR_FORMAT,
                     "%s: is not the record of a study, or of another version of rankmil (format %" G_GINT64_FORMAT ", this one writes %d)",
                     record->path, format, RMIL_RECORD_FORMAT);
}

static gboolean check_same(RmilRecord *record, const char *name, const char *value, const char *what, GError **error) {
    g_autoptr(sqlite3_stmt) statement = prepare(record, "SELECT value FROM study WHERE name = ?", error);
    gboolean row = FALSE;
    if (!statement) return FALSE;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    if (!rmil_sql_step(statement, record->path, &row, error)) return FALSE;
    if (!row || g_strcmp0((const char *)sqlite3_column_text(statement, 0), value) == 0) return TRUE;
    return rmil_fail(error, RMIL_ERROR_DATA, "%s: holds runs of another %s; choose another folder", record->path, what);
}

static gboolean write_plan(RmilRecord *record, const RmilRecordStudy *study, const RmilStudyRun *runs, int64_t count, GError **error) {
    g_autofree char *format = g_strdup_printf("rankmil-study-%d", RMIL_RECORD_FORMAT);
    const char *const values[][2] = {{"format", format},
                                     {"version", rmil_version()},
                                     {"kind", study->kind},
                                     {"title", study->title},
                                     {"plan", study->plan},
                                     {"cohort", study->cohort},
                                     {"fingerprint", study->fingerprint},
                                     {"reference", study->reference},
                                     {"variable", study->variable}};
    g_autoptr(sqlite3_stmt) value = prepare(record, "INSERT OR REPLACE INTO study VALUES(?, ?)", error);
    g_autoptr(sqlite3_stmt) run = value ? prepare(record, "INSERT INTO planned VALUES(?, ?, ?, ?, ?, ?)", error) : NULL;
    if (!run || !rmil_sql_run(record->db, record->path, "DELETE FROM planned", error)) return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
        if (!insert(record, value, error, "tt", values[i][0], values[i][1])) return FALSE;
    for (int64_t i = 0; i < count; i++)
        if (!insert(record, run, error, "ittrti", i, runs[i].key, runs[i].method, runs[i].value, runs[i].split, runs[i].seed)) return FALSE;
    return TRUE;
}

RmilRecord *rmil_record_open(const char *path, const RmilRecordStudy *study, const RmilStudyRun *runs, int64_t count, GError **error) {
    g_autoptr(RmilRecord) record = g_new0(RmilRecord, 1);
    record->path = g_strdup(path);
    if (sqlite3_open_v2(path, &record->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL) != SQLITE_OK) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", path, record->db ? sqlite3_errmsg(record->db) : "no memory");
        return NULL;
    }
    sqlite3_busy_timeout(record->db, 60000); /* a report may be reading */
    if (!rmil_sql_run(record->db, path, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; BEGIN IMMEDIATE", error)) return NULL;
    gboolean done =
        check_format(record, error) && check_same(record, "kind", study->kind, "kind of study", error) &&
        check_same(record, "fingerprint", study->fingerprint,
                   "cohort, or its features or labels have changed, or an earlier build of rankmil began it (it can be reported as it is)",
                   error) &&
        write_plan(record, study, runs, count, error);
    return finish(record, done, error) ? g_steal_pointer(&record) : NULL;
}

/* -- runs -------------------------------------------------------------------------------------------------------------------- */
static gboolean add_epochs(RmilRecord *record, int64_t id, const GArray *epochs, GError **error) {
    g_autoptr(sqlite3_stmt) statement = prepare(record, "INSERT INTO epoch VALUES(?, ?, ?, ?, ?, ?, ?, ?)", error);
    for (guint i = 0; statement && i < epochs->len; i++) {
        const RmilEpoch *e = &g_array_index(epochs, RmilEpoch, i);
        if (!insert(record, statement, error, "iirrrrri", id, e->epoch, e->train_loss, e->train_slide_loss, e->train_guide_loss,
                    e->val_loss, e->val_auroc, (int64_t)e->best))
            return FALSE;
    }
    return statement != NULL;
}

static gboolean add_predictions(RmilRecord *record, int64_t id, const GArray *predictions, GError **error) {
    g_autoptr(sqlite3_stmt) statement = prepare(record, "INSERT INTO prediction VALUES(?, ?, ?, ?, ?, ?)", error);
    for (guint i = 0; statement && i < predictions->len; i++) {
        const RmilStudyPrediction *p = &g_array_index(predictions, RmilStudyPrediction, i);
        if (!insert(record, statement, error, "ittirr", id, p->slide, rmil_split_name(p->part), (int64_t)p->label, p->probability,
                    p->logit))
            return FALSE;
    }
    return statement != NULL;
}

static gboolean add_localisation(RmilRecord *record, int64_t id, const GArray *localisation, GError **error) {
    g_autoptr(sqlite3_stmt) statement = prepare(record, "INSERT INTO localisation VALUES(?, ?, ?, ?, ?, ?)", error);
    for (guint i = 0; statement && i < localisation->len; i++) {
        const RmilStudyLocalisation *l = &g_array_index(localisation, RmilStudyLocalisation, i);
        if (!insert(record, statement, error, "itrrrr", id, l->slide, l->alpha, l->iou, l->dice, l->pointing)) return FALSE;
    }
    return statement != NULL;
}

static gboolean add_attention(RmilRecord *record, int64_t id, const GArray *attention, GError **error) {
    g_autoptr(sqlite3_stmt) statement = prepare(record, "INSERT INTO attention VALUES(?, ?, ?, ?, ?)", error);
    for (guint i = 0; statement && i < attention->len; i++) {
        const RmilStudyAttention *a = &g_array_index(attention, RmilStudyAttention, i);
        if (!insert(record, statement, error, "itrrr", id, a->slide, a->lesion, a->elsewhere, a->lesion_share)) return FALSE;
    }
    return statement != NULL;
}

static gboolean add_rows(RmilRecord *record, const RmilRecordRun *run, GError **error) {
    g_autoptr(sqlite3_stmt) statement = prepare(record,
                                                "INSERT INTO run(key, method, value, split, seed, epochs, best_epoch, seconds,"
                                                " threads, version, config, model) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                                error);
    const RmilStudyRun *r = &run->run;
    if (!statement || !insert(record, statement, error, "ttrtiiirittt", r->key, r->method, r->value, r->split, r->seed, r->epochs,
                              r->best_epoch, r->seconds, r->threads, r->version, r->config, r->model))
        return FALSE;
    int64_t id = sqlite3_last_insert_rowid(record->db);
    return add_epochs(record, id, run->epochs, error) && add_predictions(record, id, run->predictions, error) &&
           add_localisation(record, id, run->localisation, error) && add_attention(record, id, run->attention, error);
}

gboolean rmil_record_add(RmilRecord *record, const RmilRecordRun *run, GError **error) {
    return rmil_sql_run(record->db, record->path, "BEGIN IMMEDIATE", error) && finish(record, add_rows(record, run, error), error);
}
