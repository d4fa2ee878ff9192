/* SPDX-License-Identifier: Apache-2.0 */
/* Which slide to annotate next: how much is expected of it, and a pathologist, simulated, who does what is suggested. */
#ifndef RMIL_STUDY_SUGGEST_H
#define RMIL_STUDY_SUGGEST_H

#include "vary-data.h"

/* What is known of a slide before somebody outlines more on it. NaN: not known. */
typedef struct {
    double wrong;      /* 1 − P(true class), mean of the models */
    double spread;     /* SD of that probability over the models */
    gboolean outlined; /* somebody has outlined it */
    double stray;      /* of an outlined one: the share of attention that lies outside */
} RmilDoubts;
/* A wrong prediction counts as much as models that disagree by an SD of one half; a slide that nobody has outlined teaches more than a
 * correction of one that somebody has. */
double rmil_suggest_gain(const RmilDoubts *doubts);

/* GArray of RmilSuggested, one for each repeat; free with g_array_unref. For each of the shares (0 … 1), from the smallest on, three models
 * of the method are trained on what is annotated so far, and of the other annotated positive training slides those with the greatest gain are
 * next. Trains on as many threads as there are; the result does not depend on that. */
GArray *rmil_suggest(const RmilTrainData *data, const GArray *repeats, const RmilTrainMethod *method, const RmilTrainOptions *options,
                     const double *shares, int64_t count, const RmilMonitor *monitor, GError **error);

#endif
