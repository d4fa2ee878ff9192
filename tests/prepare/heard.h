/* SPDX-License-Identifier: Apache-2.0 */
/* A cohort with one broken slide, and what a monitor hears about it. */
#ifndef RMIL_TEST_HEARD_H
#define RMIL_TEST_HEARD_H

#include "rankmil/prepare.h"
#include "support.h"

enum { STAGES = 3 };
extern const char *const stages[STAGES];

/* What a monitor heard. */
typedef struct {
    int64_t made[STAGES], kept[STAGES]; /* −1: that stage did not end */
    GPtrArray *problems, *warnings;     /* char *: "tile broken: …" */
    gint inside;                        /* calls in progress */
} Heard;

extern Heard heard;
extern const RmilMonitor monitor; /* fills it; aborts if two calls overlap */
extern char *folder;              /* of the slides; cohort.csv has three that are sound, two of them annotated, and "broken" */

void make_cohort(void);
char *table_path(void); /* cohort.csv. Free with g_free */
void forget(void);      /* what was heard */
gboolean said(const GPtrArray *lines, const char *part);
/* made and kept of each stage: "3+0 2+0 3+0". */
void expect_stages(const char *expected);
void forget_all(void); /* at the end */

#endif
