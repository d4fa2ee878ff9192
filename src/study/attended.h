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
    double *probability, *share; /* share of the attention that is on annotated patches */
    float **attention;
} RmilAttended;

/* From the reference's first training: the slide with the median share of attention on the lesion, and the one at the lower quartile, so
 * that not only good ones are shown. GPtrArray of RmilAttentionRow, owned by the training; free with g_ptr_array_unref. */
GPtrArray *rmil_attended_choose(const RmilSeedRun *seed);
/* Applies to a slide of the cohort the models of those trainings that have the same split and seed as `reference`. */
RmilAttended *rmil_attended_new(const RmilSummary *summary, const RmilSeedRun *reference, const RmilCohort *cohort, const char *id,
                                GError **error);
void rmil_attended_free(RmilAttended *one);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilAttended, rmil_attended_free)

#endif
