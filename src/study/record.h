/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the record of a study; reading it: study.h. */
#ifndef RMIL_STUDY_RECORD_H
#define RMIL_STUDY_RECORD_H

#include "rows.h"

/* Kept in the file's header (PRAGMA user_version), so that a later format is told from a broken file. */
#define RMIL_RECORD_FORMAT 1

/* What the table `study` gets. */
typedef struct {
    const char *kind, *title, *plan, *cohort, *fingerprint, *reference, *variable;
    const char *task;         /* rmil_task_text; NULL: two classes */
    const RmilCohort *slides; /* whose patients are kept */
    int pool;                 /* RmilPool: how their slides become one prediction in reports */
    const char *left_out;     /* ids of slides that could not be read, a line each; NULL or "": all could */
    gboolean replaces;        /* data and settings of before may differ: the folder is of what was asked for last */
    GPtrArray *dropped;       /* gets RmilRecordDropped; or NULL */
    char **returned;          /* gets the ids that could not be read when the study began, and can be now; freed with g_free; NULL: none */
} RmilRecordStudy;

/* A run that is done and that the plan before this one had. */
typedef struct {
    char *key, *method, *split, *config;
    int64_t seed;
} RmilRecordDropped;

/* One run that is done, with its rows of each kind; NULL: none. */
typedef struct {
    RmilStudyRun run; /* model: relative to the study's folder */
    GArray *rows[RMIL_ROWS_COUNT];
} RmilRecordRun;

typedef struct _RmilRecord RmilRecord;
/* Opens the record at `path` for writing, or begins it. One that is there is of the same kind (rmil_study_accepts), and unless
 * study->replaces must be of the same data, or of the same table while some of its slides could not be read, of which some now can; its plan is replaced, and what it holds stays. runs: what is planned (RmilStudyRun), in the
 * plan's order. */
RmilRecord *rmil_record_open(const char *path, const RmilRecordStudy *study, const RmilStudyRun *runs, int64_t count, GError **error);
void rmil_record_free(RmilRecord *record);
/* Has it a run of this configuration, planned or not? */
gboolean rmil_record_knows(RmilRecord *record, const char *config);
void rmil_record_dropped_free(RmilRecordDropped *dropped);
/* Forgets every run that is not planned and removes its model, which lies below `folder`. count: how many. */
gboolean rmil_record_clean(RmilRecord *record, const char *folder, int64_t *count, GError **error);
/* The run's model file was written again, with another cut-off and calibration (rmil_decision_text). */
gboolean rmil_record_set_model(RmilRecord *record, const char *key, const char *sha256, const char *decision, GError **error);
/* All rows of a run in one transaction: after a crash they are there, all of them, or none is. Those of the same key go in it. */
gboolean rmil_record_add(RmilRecord *record, const RmilRecordRun *run, GError **error);

/* -- SQLite with this project's errors, for both sides -- */
/* `path` names the file in errors. Statements are freed with sqlite3_finalize. */
sqlite3 *rmil_sql_open(const char *path, int flags, GError **error);
gboolean rmil_sql_run(sqlite3 *db, const char *path, const char *sql, GError **error);
sqlite3_stmt *rmil_sql_prepare(sqlite3 *db, const char *path, const char *sql, GError **error);
/* One row: *row tells whether there is one. */
gboolean rmil_sql_step(sqlite3_stmt *statement, const char *path, gboolean *row, GError **error);
/* Rows of a run that is done. Free with g_array_unref. */
GArray *rmil_study_rows(RmilStudy *study, int64_t index, int kind, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRecord, rmil_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

#endif
