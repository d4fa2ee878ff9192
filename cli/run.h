/* SPDX-License-Identifier: Apache-2.0 */
/* The main job: its planned trainings, its heat maps, and its record. */
#ifndef RMIL_CLI_RUN_H
#define RMIL_CLI_RUN_H

#include "train.h"

/* report-options.c: options of a page. Entries: free with g_free. check: do the columns exist? */
typedef struct {
    char *title;
    char **subgroups;
} ReportSettings;
GOptionEntry *report_entries(ReportSettings *settings);
gboolean report_check(const ReportSettings *settings, const RmilCohort *cohort, GError **error);
void report_clear(ReportSettings *settings);

/* The settings. groups: its options, which point into the struct, so it must not move. */
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
    RmilCohort *cohort; /* DIR/cohort.csv: the slides that passed the stages */
    RmilTrainData *data;
    gboolean partial; /* --partial */
    const ReportSettings *report;
    GPtrArray *methods;      /* const RmilTrainMethod * */
    GArray *repeats;         /* RmilRepeat: over the rows of the data */
    int64_t *bags;           /* by row of the cohort: the row of the data whose bag contains the slide */
    RmilStudy *trained;      /* its record, after training: methods in the outer order, repeats in the inner */
    JsonNode *preprocessing; /* how slides became features; NULL: they were given, without a record */
    char **given;            /* the command line, "run" first */
    RmilLock *turn;          /* from training on: processes may share the stages before */
} Run;
/* Heat maps of at most `limit` test slides and, if limit is not 0, of all slides that a method gets wrong; one picture per method: the mean
 * attention of those of its models that had the slide in their test set. Removes pictures of other methods and slides. */
gboolean run_heatmaps(Run *run, int64_t limit, GError **error);
/* DIR/run.json. trained: the record after training, for what is known only at the end; or NULL. */
gboolean run_record(const Run *run, const RmilStudy *trained, GError **error);

#endif
