/* SPDX-License-Identifier: Apache-2.0 */
/* One slide under the models of several methods. */
#ifndef RMIL_STUDY_ATTENDED_H
#define RMIL_STUDY_ATTENDED_H

#include "results.h"

/* With the attention of every method that has a model. */
typedef struct {
    const RmilCohortRow *row;
    RmilBag *bag;
    uint8_t *labels;
    int64_t annotated;
    int n;
    const RmilMethodSummary **methods;
    double *probability, *share; /* share of the attention on annotated patches */
    float **attention;
} RmilAttended;

/* Of the reference's first training: the slide in the middle by its share of attention on the lesion, and that at the lower
 * quarter, so that not only the best is shown. GPtrArray of
 * RmilAttentionRow, which are the training's; free with g_ptr_array_unref. */
GPtrArray *rmil_attended_choose(const RmilSeedRun *seed);
/* Applies to a slide of the cohort the models of those trainings that have the split and seed of `reference`. */
RmilAttended *rmil_attended_new(const RmilSummary *summary, const RmilSeedRun *reference, const RmilCohort *cohort, const char *id,
                                GError **error);
void rmil_attended_free(RmilAttended *one);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilAttended, rmil_attended_free)

#endif
