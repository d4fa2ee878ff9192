/* SPDX-License-Identifier: Apache-2.0 */
/* A plan under way: what the runner's files share. */
#ifndef RMIL_STUDY_RUNNER_H
#define RMIL_STUDY_RUNNER_H

#include "export.h"
#include "jobs.h"

typedef struct {
    const RmilStudyPlan *plan;
    const RmilTrainData *data;
    const RmilStudyOptions *options;
    const RmilMonitor *monitor;
    const RmilJobs *jobs;
    RmilDecisionOptions decision; /* how cut-offs and calibrations are chosen */
    GArray *todo;                 /* indices of jobs, one of each training */
    RmilRecord *record;
    GMutex lock;   /* of the record and of what follows */
    int64_t light; /* how many of `todo`, the first, run side by side; the rest, one after the other, each on all threads */
    int64_t first; /* of those under way, in `todo` */
    int threads, busy;
    int64_t waiting, active; /* trainings that nobody has begun; that are under way */
    int64_t ended, epochs;   /* trainings that ended here, and their epochs */
    RmilStudyOutcome *outcome;
} RmilRunner;

/* kept.c: opens the record with the plan in it, keeps what is done as the record says, and puts the rest into `todo`. */
gboolean rmil_runner_open(RmilRunner *runner, const char *path, GError **error);
/* The run's folder below that of the plan; NULL: it has none. Free with g_free. */
char *rmil_runner_folder(const RmilRunner *runner, const RmilJob *job);
/* Makes that folder what the record says; nothing where there is none. model: path of the recorded one; renewed: as
 * in RmilExport. */
gboolean rmil_runner_export(const RmilRunner *runner, const RmilJob *job, const RmilRecordRun *run, const char *model, gboolean renewed,
                            GError **error);
/* Has the model carry the cut-off and the calibration that these predictions of its validation slides give. rows: RmilPredictionRow of all
 * slides. TRUE: it is another decision than it had. What could not be had is noted. */
gboolean rmil_runner_decide(const RmilRunner *runner, const RmilJob *job, const GArray *rows, RmilModel *model);
/* By the run's key, not by its training: a twin in another shard may be trained at the same time. Free with g_free. */
char *rmil_runner_checkpoint(const RmilRunner *runner, const RmilJob *job);

#endif
