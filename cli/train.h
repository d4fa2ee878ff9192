/* SPDX-License-Identifier: Apache-2.0 */
/* Training: options, the data in memory, one run and its folder. */
#ifndef RMIL_CLI_TRAIN_H
#define RMIL_CLI_TRAIN_H

#include "prepare.h"

/* The library's table of training options as command line options; free with g_free. The second returns a single option. */
GOptionEntry *train_entries(RmilTrainOptions *options);
GOptionEntry train_entry(RmilTrainOptions *options, const char *name);
/* cli_begin for commands with such entries: an invalid number is also wrong usage. */
gboolean train_begin(Cli *cli, int *argc, char ***argv, const CliUsage *usage, const CliGroup *groups, const RmilTrainOptions *options,
                     int *status);
/* The features that a cohort names. Rows that cannot be read are reported and left out. cache: a folder for features beyond --memory. */
RmilTrainData *train_data_load(Cli *cli, const RmilCohort *cohort, const RmilTrainOptions *options, const char *cache, GError **error);
/* Checks everything that training needs from the table, before hours of work: labels, the classes of every set, splits, slides that occur
 * twice. undivided: NULL, or receives, instead of `error`, the error of sets that cannot be drawn (the cohort is too small). */
gboolean train_check(Cli *cli, const RmilCohort *cohort, const RmilTrainOptions *options, int64_t repeats, GError **undivided,
                     GError **error);

/* `repeats` Monte-Carlo splits or foldings from --seed on, or every column of --splits FILE. */
GArray *train_repeats(const Cli *cli, const RmilCohort *cohort, const RmilTrainOptions *options, int64_t repeats, GError **error);

/* Trains a plan into a folder, with folders of runs. Runs that cannot be trained are reported as problems. preprocessing: how slides became
 * features, or NULL. outcome: made, kept and left; nothing in it needs to be cleared. */
gboolean train_plan(Cli *cli, const char *folder, const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *options,
                    RmilRunFolders folders, JsonNode *preprocessing, gboolean clean, RmilStudyOutcome *outcome, GError **error);

/* The mean attention of `count` models over one slide as a PNG, with their common prediction in the title. `work` supplies the options for
 * slides and annotations, and the ids of its slides. For models with a row of attention for each of more than two classes: that of the
 * predicted class, and beside it ID-CLASS.png of each other class. more: receives their names (and owns them), or NULL. */
gboolean heat_write(const RmilWork *work, const RmilCohortRow *row, const RmilBag *bag, const RmilModel *const *models, int64_t count,
                    const char *title, const char *path, GPtrArray *more, GError **error);

#endif
