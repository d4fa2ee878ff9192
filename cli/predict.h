/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil predict: its inputs, and the table of all predictions in a folder. */
#ifndef RMIL_CLI_PREDICT_H
#define RMIL_CLI_PREDICT_H

#include "models.h"

/* A line of predictions.csv. Numbers are kept as they were written. */
typedef struct {
    char *id, *split, *label, *probability, *logit, *sd, *models, *model, *input, *created, *digest;
    GPtrArray *more; /* char *: alternating names and values, for columns that only some models have: cut-offs, classes, risks; or NULL */
} PredictionLine;
/* Adds a column of that kind; takes ownership of the value. */
void prediction_add(PredictionLine *line, const char *name, char *value);

/* FOLDER/predictions.csv: the predictions of this and earlier calls, one line per input. */
typedef struct {
    GPtrArray *lines; /* PredictionLine */
} Predictions;
/* Reads the file; no lines if it does not exist. */
gboolean predictions_read(Predictions *predictions, const char *folder, GError **error);
void predictions_clear(Predictions *predictions);
/* The input with this id in the table, or NULL. */
const char *predictions_input(const Predictions *predictions, const char *id);
/* Takes ownership of the strings; an earlier line with the same id is replaced in place. */
void predictions_put(Predictions *predictions, PredictionLine line);
/* The models in the table with other digests, each once, as words; NULL: none. Free with g_free. */
char *predictions_others(const Predictions *predictions, const char *digest);
gboolean predictions_write(const Predictions *predictions, const char *folder, GError **error);

#endif
