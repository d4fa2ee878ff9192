/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of a plan on a cohort's data, each with everything that its training and its record depend on. */
#ifndef RMIL_STUDY_JOBS_H
#define RMIL_STUDY_JOBS_H

#include "plan.h"

/* One run of the plan. Runs whose training is the same (because a value does not concern the method, or two shares give the same slides)
 * are trained once: `twin` links from the one that is trained to the others that are recorded with it. */
typedef struct _RmilJob {
    const RmilTrainMethod *method;
    const RmilRepeat *repeat;
    RmilStudyRun planned; /* as it is recorded before it is done; its key is owned */
    RmilTrainRun run;
    RmilVariedData data;
    char *annotations; /* owned identity, or NULL */
    char *config;
    char *training;        /* SHA-256 of everything that the trained model depends on */
    struct _RmilJob *twin; /* or NULL */
    int64_t epochs;        /* trained so far */
    gboolean ended;
    gpointer runner; /* set by the runner that trains it */
} RmilJob;

typedef struct {
    GPtrArray *list;      /* RmilJob, in the plan's order */
    GArray *repeats;      /* RmilRepeat */
    GPtrArray *grown;     /* RmilGrown of every padding; empty: no padding varies */
    GPtrArray *suggested; /* GArray of RmilSuggested, one per repeat, for every requested method and order */
} RmilJobs;

/* padded: the folder with labels of padded outlines, with a subfolder for each padding, or NULL. What the jobs refer to (plan, data) must
 * outlive them. */
RmilJobs *rmil_jobs_new(const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *base, const char *padded,
                        const RmilMonitor *monitor, GError **error);
void rmil_jobs_free(RmilJobs *jobs);
static inline RmilJob *rmil_jobs_at(const RmilJobs *jobs, int64_t index) { return jobs->list->pdata[index]; }
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilJobs, rmil_jobs_free)

#endif
