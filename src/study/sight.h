/* SPDX-License-Identifier: Apache-2.0 */
/* Slides in the data that models of pixels cannot read. */
#ifndef RMIL_STUDY_SIGHT_H
#define RMIL_STUDY_SIGHT_H

#include "rankmil/study.h"

typedef struct _RmilSight RmilSight;
RmilSight *rmil_sight_new(int64_t rows);
void rmil_sight_free(RmilSight *sight);
/* Warns that a model leaves out a row, and why; once for each row, whatever models follow. Must not run in parallel with other calls of the
 * monitor. */
void rmil_sight_say(const RmilTrainData *data, int64_t row, const char *model, const char *why, const RmilMonitor *monitor);

#endif
