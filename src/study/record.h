/* Writing the record of a study; reading it: study.h. */
#ifndef RMIL_STUDY_RECORD_H
#define RMIL_STUDY_RECORD_H

#include "rankmil/study.h"

#include <sqlite3.h>

/* Kept in the file's header (PRAGMA user_version), so that a later format is told from a broken file. */
#define RMIL_RECORD_FORMAT 1

/* What the table `study` gets. */
typedef struct {
    const char *kind, *title, *plan, *cohort, *fingerprint, *reference, *variable;
} RmilRecordStudy;

/* Rows of one run that is done: GArrays as rmil_study_epochs … give them. */
typedef struct {
    RmilStudyRun run; /* model: relative to the study's folder */
    GArray *epochs, *predictions, *localisation, *attention;
} RmilRecordRun;

typedef struct _RmilRecord RmilRecord;
/* Opens the record at `path` for writing, or begins it. One that is there must be of the same kind and cohort; its plan is
 * replaced, and runs that the new plan has too are kept. runs: what is planned (RmilStudyRun), in the plan's order. */
RmilRecord *rmil_record_open(const char *path, const RmilRecordStudy *study, const RmilStudyRun *runs, int64_t count, GError **error);
void rmil_record_free(RmilRecord *record);
/* All rows of a run in one transaction: after a crash they are there, all of them, or none is. */
gboolean rmil_record_add(RmilRecord *record, const RmilRecordRun *run, GError **error);

/* -- SQLite with this project's errors, for both sides -- */
/* `path` names the file in errors. Statements are freed with sqlite3_finalize. */
gboolean rmil_sql_run(sqlite3 *db, const char *path, const char *sql, GError **error);
sqlite3_stmt *rmil_sql_prepare(sqlite3 *db, const char *path, const char *sql, GError **error);
/* One row: *row tells whether there is one. */
gboolean rmil_sql_step(sqlite3_stmt *statement, const char *path, gboolean *row, GError **error);
gboolean rmil_sql_fail(sqlite3 *db, const char *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRecord, rmil_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

#endif
