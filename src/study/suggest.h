/* SPDX-License-Identifier: Apache-2.0 */
/* A pathologist, simulated, who annotates slides in an order that the models give. */
#ifndef RMIL_STUDY_SUGGEST_H
#define RMIL_STUDY_SUGGEST_H

#include "vary-data.h"

/* How far the models are from a slide's true class: 1 − P(true class), their mean, and 2 × its SD, so that an SD of a half counts as much as a
 * wrong prediction. NaN: not known, and counts nothing. */
double rmil_suggest_doubt(double said, double spread);

/* GArray of RmilSuggested, one for each repeat; free with g_array_unref. For each of the shares (0 … 1), from the smallest on, three models
 * of the method are trained on what is annotated so far. Of the other annotated positive training slides those are next (WRONG) that
 * rmil_suggest_doubt is highest for, or (SURE) those whose class they give the highest
 * probability; of equal ones the first by name. Trains on as many threads as there are; the result does not depend on that. */
GArray *rmil_suggest(RmilOrder order, const RmilTrainData *data, const GArray *repeats, const RmilTrainMethod *method,
                     const RmilTrainOptions *options, const double *shares, int64_t count, const RmilMonitor *monitor, GError **error);

#endif
