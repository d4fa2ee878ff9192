/* SPDX-License-Identifier: Apache-2.0 */
/* A pathologist, simulated, who annotates slides in an order that the models give. */
#ifndef RMIL_STUDY_SUGGEST_H
#define RMIL_STUDY_SUGGEST_H

#include "vary-data.h"

/* GArray of RmilSuggested, one for each repeat; free with g_array_unref. For each of the shares (0 … 1), from the smallest on, three models
 * of the method are trained on what is annotated so far. Of the other annotated positive training slides those are next (WRONG) that they get
 * most wrong or disagree about, an SD of a half counting as much as a wrong prediction, or (SURE) those whose class they give the highest
 * probability; of equal ones the first by name. Trains on as many threads as there are; the result does not depend on that. */
GArray *rmil_suggest(RmilOrder order, const RmilTrainData *data, const GArray *repeats, const RmilTrainMethod *method,
                     const RmilTrainOptions *options, const double *shares, int64_t count, const RmilMonitor *monitor, GError **error);

#endif
