/* SPDX-License-Identifier: Apache-2.0 */
/* What is predicted, in the words of a page. */
#ifndef RMIL_PRESENT_TASK_WORDS_H
#define RMIL_PRESENT_TASK_WORDS_H

#include "evaluate/summary.h"

/* "positive", "LUSC", "event at 14.2", "censored at 30", "3.1"; "" where it is not known. Free with g_free. */
char *rmil_task_truth(const RmilTask *task, const RmilTarget *target);
/* "0.871"; of more than two classes "LUSC 0.71"; a risk, a number. Free with g_free. */
char *rmil_task_answer(const RmilTask *task, const RmilPredictionRow *row);
/* What that is called: "probability", "class and its probability", "risk", "prediction". */
const char *rmil_task_answer_name(const RmilTask *task);
/* Which test slides localisation is measured on: "annotated positive" of two classes, else "annotated". */
const char *rmil_task_annotated(const RmilTask *task);
/* Is another class predicted than the label, of two at this cut-off? FALSE for times and numbers, of which nothing is right or wrong. */
gboolean rmil_task_is_wrong(const RmilTask *task, const RmilPredictionRow *row, double cut);
/* How far the prediction is from what is known: 1 − probability of the true class, |difference|; of times NaN. */
double rmil_task_distance(const RmilTask *task, const RmilPredictionRow *row);

#endif
