/* SPDX-License-Identifier: Apache-2.0 */
/* The pooled predictions of one method, grouped by the slides' values in a column of the table. */
#ifndef RMIL_EVALUATE_SUBGROUPS_H
#define RMIL_EVALUATE_SUBGROUPS_H

#include "rankmil/evaluate.h"

typedef struct {
    char *name;            /* the column's value; a range for numbers; "" if the cell is empty */
    GArray *rows;          /* RmilPredictionRow of it */
    gboolean measured;     /* is there enough to measure? If so: */
    double value;          /* the task's first measure */
    RmilInterval interval; /* 95 %, of value */
    RmilCutMetrics at;     /* of two classes, at the cut-off */
    RmilInterval shares[RMIL_AT_SHARES];
} RmilSubgroup;

/* texts: one per row; NULL counts as "". Up to RMIL_SUBGROUP_VALUES different words or numbers are groups of their own, in order. More
 * numbers are cut into thirds of the slides, equal numbers together; of more words, the commonest are groups and the rest is one group,
 * "others". cut: positive from this probability on. GPtrArray of RmilSubgroup; free with g_ptr_array_unref. */
#define RMIL_SUBGROUP_VALUES 12
GPtrArray *rmil_subgroups(const RmilTask *task, const GArray *rows, const char *const *texts, double cut);

#endif
