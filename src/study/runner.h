/* SPDX-License-Identifier: Apache-2.0 */
/* A running plan: what the runner's files share. */
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
    GArray *todo;                 /* indices of jobs, one per training */
    RmilRecord *record;
    GMutex lock;   /* protects the record and the fields below */
    int64_t light; /* the first `light` of `todo` run side by side; the rest one after another, each on all threads */
    int64_t first; /* index in `todo` of the first of the current trainings */
    int threads, busy;
    int64_t waiting, active; /* trainings not yet started; trainings in progress */
    int64_t ended, epochs;   /* trainings that have ended here, and their epochs */
    RmilStudyOutcome *outcome;
} RmilRunner;

/* kept.c: opens the record, stores the plan in it, keeps recorded runs, and puts the rest into `todo`. */
gboolean rmil_runner_open(RmilRunner *runner, const char *path, GError **error);
/* The run's folder below that of the plan; NULL: it has none. Free with g_free. */
char *rmil_runner_folder(const RmilRunner *runner, const RmilJob *job);
/* Makes that folder match the record, if the run has one. model: path of the recorded model; renewed: as in RmilExport. */
gboolean rmil_runner_export(const RmilRunner *runner, const RmilJob *job, const RmilRecordRun *run, const char *model, gboolean renewed,
                            GError **error);
/* Sets the model's cut-off and calibration from the predictions of its validation slides. rows: RmilPredictionRow of all slides. TRUE: they
 * have changed. Notes whatever could not be determined. */
gboolean rmil_runner_decide(const RmilRunner *runner, const RmilJob *job, const GArray *rows, RmilModel *model);
/* Named after the run's key, not its training: a twin in another shard may be trained at the same time. Free with g_free. */
char *rmil_runner_checkpoint(const RmilRunner *runner, const RmilJob *job);

#endif
