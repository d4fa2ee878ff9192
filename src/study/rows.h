/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that a training leaves, declared once: for the record, for the tables of a run's folder, and for reading both. */
#ifndef RMIL_STUDY_ROWS_H
#define RMIL_STUDY_ROWS_H

#include "rankmil/study.h"

#include <sqlite3.h>

typedef enum {
    RMIL_COLUMN_TEXT,   /* const char * */
    RMIL_COLUMN_NUMBER, /* double */
    RMIL_COLUMN_SHARE,  /* double in 0 … 1 */
    RMIL_COLUMN_REAL,   /* double; NaN: nothing, an empty cell, or in a file no such column */
    RMIL_COLUMN_WHOLE,  /* int64_t */
    RMIL_COLUMN_LABEL,  /* int; < 0: none */
    RMIL_COLUMN_FLAG,   /* gboolean */
    RMIL_COLUMN_SPLIT   /* RmilSplit */
} RmilColumnType;

typedef struct {
    const char *name, *cell; /* in the record; in a CSV file */
    RmilColumnType type;
    gsize offset;
} RmilColumn;

typedef struct {
    const char *table; /* of the record: run, then the columns in this order */
    const char *file;  /* of a run's folder; NULL: none */
    gsize size;        /* of the struct */
    int count;
    const RmilColumn *columns;
    gboolean once; /* each id */
    gboolean rare; /* no file where there are no rows */
} RmilRows;

/* RmilEpoch, RmilPredictionRow, RmilOutputRow, RmilLocalisationRow, RmilAttentionRow, RmilPatchRow, RmilLesionRow */
enum {
    RMIL_ROWS_EPOCH,
    RMIL_ROWS_PREDICTION,
    RMIL_ROWS_OUTPUT,
    RMIL_ROWS_LOCALISATION,
    RMIL_ROWS_ATTENTION,
    RMIL_ROWS_PATCHES,
    RMIL_ROWS_LESION,
    RMIL_ROWS_COUNT
};
extern const RmilRows rmil_rows[RMIL_ROWS_COUNT];

/* "INSERT INTO … VALUES(?, …)": run, then the columns. "SELECT … WHERE run = ?", as they were inserted. Free with g_free. */
char *rmil_rows_insert(const RmilRows *rows);
char *rmil_rows_select(const RmilRows *rows);
/* Puts a row's values into the statement's parameters, from the second on. */
void rmil_rows_bind(const RmilRows *rows, const void *row, sqlite3_stmt *statement);
/* The row that a statement stands on; its texts become `strings`'s. */
void rmil_rows_take(const RmilRows *rows, sqlite3_stmt *statement, GStringChunk *strings, void *row);

/* The file's whole text, head first; NULL: there is to be none. Free with g_free. */
char *rmil_rows_csv(const RmilRows *rows, const GArray *values);
/* A file of these rows; its texts become `strings`'s. Errors name the file, the line, the reason. Free with g_array_unref. */
GArray *rmil_rows_read(const RmilRows *rows, const char *path, GStringChunk *strings, GError **error);

/* What a model says of a cohort (rmil_train_apply) as rows of all kinds but epochs, appended to rows[kind]; all: of slides in no set, too.
 * strings: of the names of outputs. */
void rmil_applied_rows(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, gboolean all, const RmilApplied *applied,
                       const GArray *lesions, GStringChunk *strings, GArray *const rows[RMIL_ROWS_COUNT]);

#endif
