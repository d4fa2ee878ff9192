/* SPDX-License-Identifier: Apache-2.0 */
/* What all ways of splitting a cohort balance between the sets: classes, events, low and high numbers. */
#include "cohort-private.h"

#include <stdlib.h>
#include <string.h>

void rmil_strata_free(RmilStrata *strata) {
    if (!strata) return;
    g_strfreev(strata->names);
    g_free(strata->needed);
    g_free(strata->of);
    g_free(strata);
}

/* Sets of[] to the stratum of each row, from 0 on; −1: unknown. Returns how many there may be. */
static int classes_of(const RmilCohort *cohort, int *of) {
    for (int64_t i = 0; i < cohort->count; i++) of[i] = cohort->rows[i].target.label;
    return cohort->task.classes;
}

static int events_of(const RmilCohort *cohort, int *of) {
    for (int64_t i = 0; i < cohort->count; i++)
        of[i] = rmil_target_known(&cohort->task, &cohort->rows[i].target) ? cohort->rows[i].target.event != FALSE : -1;
    return 2;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The lowest, middle and highest third of the numbers; equal numbers are in the same third. */
static int thirds_of(const RmilCohort *cohort, int *of) {
    g_autofree double *sorted = g_new(double, (gsize)cohort->count);
    size_t known = 0;
    for (int64_t i = 0; i < cohort->count; i++)
        if (!isnan(cohort->rows[i].target.value)) sorted[known++] = cohort->rows[i].target.value;
    qsort(sorted, known, sizeof *sorted, compare);
    for (int64_t i = 0; i < cohort->count; i++) {
        const double value = cohort->rows[i].target.value;
        of[i] = isnan(value) ? -1 : (value >= sorted[known / 3]) + (value >= sorted[2 * known / 3]);
    }
    return 3;
}

static char *name_of(const RmilTask *task, int stratum) {
    static const char *const events[] = {"no event", "an event"}, *const thirds[] = {"a low value", "a middle value", "a high value"};
    return task->kind == RMIL_TASK_CLASSES ? rmil_class_said(task, stratum)
                                           : g_strdup(task->kind == RMIL_TASK_SURVIVAL ? events[stratum] : thirds[stratum]);
}

RmilStrata *rmil_strata_new(const RmilCohort *cohort) {
    const RmilTask *task = &cohort->task;
    RmilStrata *strata = g_new0(RmilStrata, 1);
    strata->of = g_new(int, (gsize)cohort->count + 1);
    const int most = task->kind == RMIL_TASK_CLASSES    ? classes_of(cohort, strata->of)
                     : task->kind == RMIL_TASK_SURVIVAL ? events_of(cohort, strata->of)
                                                        : thirds_of(cohort, strata->of);
    g_autofree int *place = g_new(int, (gsize)most + 1); /* index of each among those that occur */
    for (int s = 0; s < most; s++) place[s] = -1;
    for (int64_t i = 0; i < cohort->count; i++)
        if (strata->of[i] >= 0) place[strata->of[i]] = 0;
    strata->names = g_new0(char *, (gsize)most + 1);
    strata->needed = g_new0(gboolean, (gsize)most + 1);
    for (int s = 0; s < most; s++) {
        if (place[s] < 0) continue;
        strata->names[strata->count] = name_of(task, s);
        strata->needed[strata->count] = task->kind == RMIL_TASK_CLASSES || (task->kind == RMIL_TASK_SURVIVAL && s == 1);
        place[s] = (int)strata->count++;
    }
    for (int64_t i = 0; i < cohort->count; i++)
        if (strata->of[i] >= 0) strata->of[i] = place[strata->of[i]];
    return strata;
}
