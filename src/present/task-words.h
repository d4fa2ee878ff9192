/* SPDX-License-Identifier: Apache-2.0 */
/* Targets and predictions in the words of a page. */
#ifndef RMIL_PRESENT_TASK_WORDS_H
#define RMIL_PRESENT_TASK_WORDS_H

#include "evaluate/summary.h"

/* "positive", "LUSC", "event at 14.2", "censored at 30", "3.1"; "" if it is not known. Free with g_free. */
char *rmil_task_truth(const RmilTask *task, const RmilTarget *target);
/* "0.871"; for more than two classes "LUSC 0.71"; a risk, a number. Free with g_free. */
char *rmil_task_answer(const RmilTask *task, const RmilPredictionRow *row);
/* The name of that: "probability", "class and its probability", "risk", "prediction". */
const char *rmil_task_answer_name(const RmilTask *task);
/* The test slides on which localisation is measured: "annotated positive" for two classes, else "annotated". */
const char *rmil_task_annotated(const RmilTask *task);
/* Is the predicted class not the label (for two classes, at this cut-off)? FALSE for times and numbers, which are not right or wrong. */
gboolean rmil_task_is_wrong(const RmilTask *task, const RmilPredictionRow *row, double cut);
/* Distance of the prediction from the truth: 1 − probability of the true class, |difference|; NaN for times. */
double rmil_task_distance(const RmilTask *task, const RmilPredictionRow *row);

#endif
