/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil predict: its inputs, and the table of all predictions in a folder. */
#ifndef RMIL_CLI_PREDICT_H
#define RMIL_CLI_PREDICT_H

#include "models.h"

/* A line of predictions.csv. Numbers stay as they were written. */
typedef struct {
    char *id, *split, *label, *probability, *logit, *sd, *models, *model, *input, *created, *digest;
    GPtrArray *more; /* char *: names and values in turn, of columns that only some models have: cut-offs, classes, risks; or NULL */
} PredictionLine;
/* Adds one of those; takes the value. */
void prediction_add(PredictionLine *line, const char *name, char *value);

/* FOLDER/predictions.csv: what this and earlier calls predicted, a line each input. */
typedef struct {
    GPtrArray *lines; /* PredictionLine */
} Predictions;
/* Reads what is there; nothing there: no lines. */
gboolean predictions_read(Predictions *predictions, const char *folder, GError **error);
void predictions_clear(Predictions *predictions);
/* The input that has this id in the table, or NULL. */
const char *predictions_input(const Predictions *predictions, const char *id);
/* Takes the strings; an earlier line of the same id is replaced, in its place. */
void predictions_put(Predictions *predictions, PredictionLine line);
/* Models of other digests in the table, each once, as words; NULL: none. Free with g_free. */
char *predictions_others(const Predictions *predictions, const char *digest);
gboolean predictions_write(const Predictions *predictions, const char *folder, GError **error);

#endif
