/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated pathologist who annotates slides in an order that the models suggest. */
#ifndef RMIL_STUDY_SUGGEST_H
#define RMIL_STUDY_SUGGEST_H

#include "vary-data.h"

/* How far the models are from a slide's true class: 1 − P(true class), averaged over the models, plus 2 × its SD, so that an SD of a half
 * counts as much as a wrong prediction. NaN: unknown, and ignored. */
double rmil_suggest_doubt(double said, double spread);

/* GArray of RmilSuggested, one for each repeat; free with g_array_unref. For each of the shares (0 … 1), in ascending order, three models
 * of the method are trained on the annotations so far. Among the other annotated positive training slides, the next are (WRONG) those with
 * the highest rmil_suggest_doubt, or (SURE) those for whose class they give the highest probability; if equal, the first by name. Trains on
 * all threads; the result does not depend on their number. */
GArray *rmil_suggest(RmilOrder order, const RmilTrainData *data, const GArray *repeats, const RmilTrainMethod *method,
                     const RmilTrainOptions *options, const double *shares, int64_t count, const RmilMonitor *monitor, GError **error);

#endif
