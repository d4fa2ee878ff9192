/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the record of a study; for reading it see study.h. */
#ifndef RMIL_STUDY_RECORD_H
#define RMIL_STUDY_RECORD_H

#include "rows.h"

/* Stored in the file's header (PRAGMA user_version), so that a later format is not mistaken for a broken file. */
#define RMIL_RECORD_FORMAT 1

/* Contents of the table `study`. */
typedef struct {
    const char *kind, *title, *plan, *cohort, *fingerprint, *reference, *variable;
    const char *task;         /* rmil_task_text; NULL: two classes */
    const RmilCohort *slides; /* its patients are stored */
    int pool;                 /* RmilPool: how slides are combined into one prediction in reports */
    const char *left_out;     /* ids of slides that could not be read, one per line; NULL or "": none */
    gboolean replaces;        /* the data and settings of the record may be different: the folder is replaced by this run */
    GPtrArray *dropped;       /* receives RmilRecordDropped; or NULL */
    char **returned;          /* receives the ids that could not be read when the study began but can be now, or NULL; free with g_free */
} RmilRecordStudy;

/* A finished run of the previous plan that is not in this one. */
typedef struct {
    char *key, *method, *split, *config;
    int64_t seed;
} RmilRecordDropped;

/* One finished run, with its rows of each kind; NULL: none. */
typedef struct {
    RmilStudyRun run; /* model: relative to the study's folder */
    GArray *rows[RMIL_ROWS_COUNT];
} RmilRecordRun;

typedef struct _RmilRecord RmilRecord;
/* Opens the record at `path` for writing, or creates it. An existing record must be of the same kind (rmil_study_accepts) and, unless
 * study->replaces, of the same data, or of the same table if some slides that could not be read can be read now. Its plan is replaced, its
 * runs stay. runs: the planned ones (RmilStudyRun), in the plan's order. */
RmilRecord *rmil_record_open(const char *path, const RmilRecordStudy *study, const RmilStudyRun *runs, int64_t count, GError **error);
void rmil_record_free(RmilRecord *record);
/* Does it have a run with this configuration, planned or not? */
gboolean rmil_record_knows(RmilRecord *record, const char *config);
void rmil_record_dropped_free(RmilRecordDropped *dropped);
/* Deletes every run that is not planned, and its model below `folder`. count: how many. */
gboolean rmil_record_clean(RmilRecord *record, const char *folder, int64_t *count, GError **error);
/* The run's model file was rewritten with another cut-off and calibration (rmil_decision_text). */
gboolean rmil_record_set_model(RmilRecord *record, const char *key, const char *sha256, const char *decision, GError **error);
/* Adds all rows of a run in one transaction, so that after a crash either all are there or none. Replaces those of the same key. */
gboolean rmil_record_add(RmilRecord *record, const RmilRecordRun *run, GError **error);

/* -- SQLite with this project's errors, for both sides -- */
/* `path` names the file in errors. Statements are freed with sqlite3_finalize. */
sqlite3 *rmil_sql_open(const char *path, int flags, GError **error);
gboolean rmil_sql_run(sqlite3 *db, const char *path, const char *sql, GError **error);
sqlite3_stmt *rmil_sql_prepare(sqlite3 *db, const char *path, const char *sql, GError **error);
/* One row: *row says whether there is one. */
gboolean rmil_sql_step(sqlite3_stmt *statement, const char *path, gboolean *row, GError **error);
/* Rows of a finished run. Free with g_array_unref. */
GArray *rmil_study_rows(RmilStudy *study, int64_t index, int kind, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRecord, rmil_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

#endif
