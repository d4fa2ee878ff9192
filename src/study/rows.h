/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a training, declared once: for the record, for the tables of a run's folder, and for reading both. */
#ifndef RMIL_STUDY_ROWS_H
#define RMIL_STUDY_ROWS_H

#include "rankmil/study.h"

#include <sqlite3.h>

typedef enum {
    RMIL_COLUMN_TEXT,   /* const char * */
    RMIL_COLUMN_NUMBER, /* double */
    RMIL_COLUMN_SHARE,  /* double in 0 … 1 */
    RMIL_COLUMN_REAL,   /* double; NaN: an empty cell, or a missing column in a file */
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
    const char *table; /* in the record: run, then the columns in this order */
    const char *file;  /* in a run's folder; NULL: none */
    gsize size;        /* size of the struct */
    int count;
    const RmilColumn *columns;
    gboolean once; /* each id occurs once */
    gboolean rare; /* no file if there are no rows */
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
/* Binds a row's values to the statement's parameters, from the second on. */
void rmil_rows_bind(const RmilRows *rows, const void *row, sqlite3_stmt *statement);
/* Reads the statement's current row; its texts are stored in `strings`. */
void rmil_rows_take(const RmilRows *rows, sqlite3_stmt *statement, GStringChunk *strings, void *row);

/* The file's whole text, header first; NULL: there is no file. Free with g_free. */
char *rmil_rows_csv(const RmilRows *rows, const GArray *values);
/* Reads a file of these rows; its texts are stored in `strings`. Errors name the file, the line and the reason. Free with g_array_unref. */
GArray *rmil_rows_read(const RmilRows *rows, const char *path, GStringChunk *strings, GError **error);

/* A model's results on a cohort (rmil_train_apply) as rows of all kinds except epochs, appended to rows[kind]; all: also for slides in no
 * set. strings: holds the names of outputs. */
void rmil_applied_rows(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, gboolean all, const RmilApplied *applied,
                       const GArray *lesions, GStringChunk *strings, GArray *const rows[RMIL_ROWS_COUNT]);

#endif
