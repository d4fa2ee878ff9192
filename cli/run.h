/* SPDX-License-Identifier: Apache-2.0 */
/* The main job: what it plans to train, its heat maps, and the record of it all. */
#ifndef RMIL_CLI_RUN_H
#define RMIL_CLI_RUN_H

#include "train.h"

/* report-options.c: what a page is told. Entries: free with g_free. check: do the columns exist? */
typedef struct {
    char *title;
    char **subgroups;
} ReportSettings;
GOptionEntry *report_entries(ReportSettings *settings);
gboolean report_check(const ReportSettings *settings, const RmilCohort *cohort, GError **error);
void report_clear(ReportSettings *settings);

/* What is given. groups: its options, which point into it: it stays where it is. */
typedef struct {
    RmilPrepareOptions preparation;
    RmilTrainOptions training;
    Reading reading;
    char *folder, *methods, *help;
    gint64 repeats, heatmaps;
    gboolean clean, partial;
    ReportSettings report;
    CliGroup groups[9];
} RunSettings;
void run_settings_init(RunSettings *settings);
void run_settings_clear(RunSettings *settings);

typedef struct {
    Cli *cli;
    RmilWork *work;
    const RmilTrainOptions *options;
    RmilCohort *cohort; /* DIR/cohort.csv: the slides that came through the stages */
    RmilTrainData *data;
    gboolean partial; /* --partial */
    const ReportSettings *report;
    GPtrArray *methods;      /* const RmilTrainMethod * */
    GArray *repeats;         /* RmilRepeat: of the data's rows */
    int64_t *bags;           /* by row of the cohort: that of the data whose bag the slide is in */
    RmilStudy *trained;      /* its record, once it is trained: methods outside, repeats inside */
    JsonNode *preprocessing; /* how slides became features; NULL: they were given, and nobody says how */
    char **given;            /* the command line, "run" first */
    RmilLock *turn;          /* from training on: processes may share the stages before */
} Run;
/* Heat maps of at most `limit` test slides, and where that is not 0 of all that a method gets wrong, one picture a method: the mean attention of those of its models that tested the
 * slide. Pictures of other methods and slides go. */
gboolean run_heatmaps(Run *run, int64_t limit, GError **error);
/* DIR/run.json. trained: the record once it is finished, for what only the end knows; or NULL. */
gboolean run_record(const Run *run, const RmilStudy *trained, GError **error);

#endif
