/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions of every task as named numbers of the record, and as predictions.csv. */
#ifndef RMIL_STUDY_PREDICTIONS_H
#define RMIL_STUDY_PREDICTIONS_H

#include "rows.h"

/* Two classes have their columns in the table `prediction`. What other tasks know and say of a slide are rows of `output` (RmilOutputRow):
 *   classes   the name of each class: its probability
 *   survival  "time", "event" (1, 0), "risk", "S(T)" for each bin that ends at T
 *   number    "value", "predicted"
 * A number that is not known is left out. */
void rmil_outputs_of(const RmilTask *task, const RmilPredictionRow *row, GStringChunk *strings, GArray *outputs);
/* Puts them back into the rows (RmilPredictionRow) of the same slides. FORMAT: an output that the task does not have. */
gboolean rmil_outputs_take(const RmilTask *task, const GArray *outputs, GArray *rows, GError **error);

/* predictions.csv: id, split, what is known (label as the class's name; time, event; value), what is said: of two classes probability
 * and logit, then, unless they are called 0 and 1, predicted and p_NAME for each; of more predicted and p_NAME; risk and S(T);
 * predicted. Free with g_free. */
char *rmil_predictions_csv(const RmilTask *task, const GArray *rows);

/* What a model said of a row of the data. times: where the bins of a survival model end. Texts stay the data's. */
RmilPredictionRow rmil_prediction_row(const RmilTrainData *data, int64_t row, RmilSplit part, const RmilPrediction *said,
                                      const double *times);

#endif
