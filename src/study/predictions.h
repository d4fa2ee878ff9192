/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions of every task as named numbers of the record, and as predictions.csv. */
#ifndef RMIL_STUDY_PREDICTIONS_H
#define RMIL_STUDY_PREDICTIONS_H

#include "rows.h"

/* Two classes have columns of their own in the table `prediction`. For other tasks, targets and predictions of a slide are rows of `output`
 * (RmilOutputRow):
 *   classes   the name of each class: its probability
 *   survival  "time", "event" (1, 0), "risk", "S(T)" for each bin that ends at T
 *   number    "value", "predicted"
 * Unknown numbers are left out. */
void rmil_outputs_of(const RmilTask *task, const RmilPredictionRow *row, GStringChunk *strings, GArray *outputs);
/* Puts outputs back into the rows (RmilPredictionRow) of the same slides. FORMAT: the task has no such output. */
gboolean rmil_outputs_take(const RmilTask *task, const GArray *outputs, GArray *rows, GError **error);

/* predictions.csv: id, split; what is known (label as the class's name; time, event; value); what is predicted. For two classes probability
 * and logit and, unless they are called 0 and 1, predicted and p_NAME for each; for more classes predicted and p_NAME; else risk and S(T),
 * or predicted. Free with g_free. */
char *rmil_predictions_csv(const RmilTask *task, const GArray *rows);

/* A model's prediction for a row of the data. times: the ends of a survival model's bins. Texts still belong to the data. */
RmilPredictionRow rmil_prediction_row(const RmilTrainData *data, int64_t row, RmilSplit part, const RmilPrediction *said,
                                      const double *times);

#endif
