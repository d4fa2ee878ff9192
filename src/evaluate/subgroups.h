/* SPDX-License-Identifier: Apache-2.0 */
/* The pooled predictions of one method by what a column of the table says of their slides. */
#ifndef RMIL_EVALUATE_SUBGROUPS_H
#define RMIL_EVALUATE_SUBGROUPS_H

#include "rankmil/evaluate.h"

typedef struct {
    char *name;            /* what the column says; of numbers a range; "" where it says nothing */
    GArray *rows;          /* RmilPredictionRow of it */
    gboolean measured;     /* is there enough to measure anything: */
    double value;          /* the task's first measure */
    RmilInterval interval; /* of that, 95 % */
    RmilCutMetrics at;     /* of two classes, at the cut-off */
    RmilInterval shares[RMIL_AT_SHARES];
} RmilSubgroup;

/* texts: of each row; NULL counts as "". Words, and numbers of at most RMIL_SUBGROUP_VALUES values, are groups of their own, in order; more
 * numbers than that are cut into thirds of the slides, equal numbers together. Of more words than that the commonest stand alone and the
 * rest is one group, "others". cut: positive from this probability on. GPtrArray of RmilSubgroup; free with g_ptr_array_unref. */
#define RMIL_SUBGROUP_VALUES 12
GPtrArray *rmil_subgroups(const RmilTask *task, const GArray *rows, const char *const *texts, double cut);

#endif
