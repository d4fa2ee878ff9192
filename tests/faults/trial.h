/* SPDX-License-Identifier: Apache-2.0 */
/* Commands in folders of their own, and what an undisturbed one leaves. */
#ifndef RMIL_TEST_TRIAL_H
#define RMIL_TEST_TRIAL_H

#include "cli/command.h"

typedef struct {
    const char *name, *arguments; /* in a new folder beside the base's; what it makes goes into out */
    const char *results[3];       /* patterns below that folder */
} TrialCommand;

/* Makes the base: slides, a cohort that is enough to train on, features and a run, in folders of these names below base/. Free at the end with trial_end. */
void trial_begin(void);
void trial_end(void);
const char *trial_home(void); /* holds base/ and the folders of trials */

/* The folder of a trial, empty, each time of the same name, which tables hold (free with g_free); and away with it. */
char *trial_folder(void);
void trial_forget(const char *folder);
/* "exec rankmil ARGUMENTS" for a shell in the folder of a trial, with `before` before it ("VARIABLE=value "). Free with g_free. */
char *trial_script(const TrialCommand *command, const char *before);
/* Names and digests of the results, and names of everything else below out, so that leftovers show. Free with g_free. */
char *trial_describe(const TrialCommand *command, const char *folder);
/* The same of an undisturbed run. seconds: how long it took, or NULL. Free with g_free. */
char *trial_expected(const TrialCommand *command, double *seconds);
/* Runs it, undisturbed, in the folder of a trial after `what`, and compares. */
void trial_finish(const TrialCommand *command, const char *folder, const char *expected, const char *what);
/* How often a kind of trial is tried: the number in an environment variable, or `usual`. */
int trial_places(const char *variable, int usual);

#endif
