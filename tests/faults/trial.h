/* SPDX-License-Identifier: Apache-2.0 */
/* Commands in their own folders, compared with the results of an undisturbed run. */
#ifndef RMIL_TEST_TRIAL_H
#define RMIL_TEST_TRIAL_H

#include "cli/command.h"

typedef struct {
    const char *name, *arguments; /* in a new folder beside the base's; what it makes goes into out */
    const char *results[3];       /* patterns below that folder */
} TrialCommand;

/* Makes the base: slides, a cohort that is enough to train on, features and a run, in folders of these names below base/. Free at
 * the end with trial_end. */
void trial_begin(void);
void trial_end(void);
const char *trial_home(void); /* holds base/ and the folders of trials */

/* An empty folder for a trial, always with the same name, since tables contain it (free with g_free); and its removal. */
char *trial_folder(void);
void trial_forget(const char *folder);
/* "exec rankmil ARGUMENTS" for a shell in the folder of a trial, preceded by `before` ("VARIABLE=value "). Free with g_free. */
char *trial_script(const TrialCommand *command, const char *before);
/* Names and digests of the results, and names of everything else below out, so that leftovers show. Free with g_free. */
char *trial_describe(const TrialCommand *command, const char *folder);
/* The same of an undisturbed run. seconds: how long it took, or NULL. Free with g_free. */
char *trial_expected(const TrialCommand *command, double *seconds);
/* After the disturbance `what`, runs the command undisturbed in the trial's folder, and compares. */
void trial_finish(const TrialCommand *command, const char *folder, const char *expected, const char *what);
/* The number of trials of a kind: from an environment variable, or `usual`. */
int trial_places(const char *variable, int usual);

#endif
