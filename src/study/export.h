/* SPDX-License-Identifier: Apache-2.0 */
/* A training's folder, made from its record: model, tables, run.json. */
#ifndef RMIL_STUDY_EXPORT_H
#define RMIL_STUDY_EXPORT_H

#include "record.h"

typedef struct {
    const char *folder; /* runs/METHOD/NAME */
    const RmilTrainData *data;
    const RmilSplit *splits; /* by row */
    const RmilTrainMethod *method;
    const char *model;       /* path of the recorded model */
    JsonNode *preprocessing; /* for run.json; or NULL */
    gboolean renewed;        /* the model was written again, with another cut-off and calibration: that it differs is no news */
} RmilExport;

/* Makes the folder hold exactly what the record says. What is there and right stays. A file of the same training that changed is
 * written again, which a warning says. run.json goes before anything changes and comes back last: it never stands beside another
 * training's files; metrics.json, which was computed from those, goes with it. */
gboolean rmil_export_write(const RmilExport *export, const RmilRecordRun *run, const RmilMonitor *monitor, GError **error);
/* Removes below folder/runs what was made so of the record and is not among `planned` ("runs/METHOD/NAME"). Other people's files and
 * trainings stay. */
void rmil_export_sort(const char *folder, RmilRecord *record, GHashTable *planned);
/* Moves what version 0.1.0, which had no record, left in the folder into earlier/ below it. */
gboolean rmil_export_set_aside(const char *folder, gboolean many, const RmilMonitor *monitor, GError **error);

#endif
