/* SPDX-License-Identifier: Apache-2.0 */
/* A training's folder, written from its record: model, tables, run.json. */
#ifndef RMIL_STUDY_EXPORT_H
#define RMIL_STUDY_EXPORT_H

#include "record.h"

typedef struct {
    const char *folder; /* runs/METHOD/NAME */
    const RmilTrainData *data;
    const RmilSplit *splits; /* per row */
    const RmilTrainMethod *method;
    const char *model;       /* path of the recorded model */
    JsonNode *preprocessing; /* for run.json; or NULL */
    gboolean renewed;        /* the model was rewritten with another cut-off and calibration, so a difference is not reported */
} RmilExport;

/* Makes the folder hold exactly what the record says. Files that are already right stay. If a file of the same training was changed, it is
 * rewritten, with a warning. run.json is removed before anything changes and is written last, so it never stands beside another training's
 * files; metrics.json, which was computed from them, is removed with it. */
gboolean rmil_export_write(const RmilExport *export, const RmilRecordRun *run, const RmilMonitor *monitor, GError **error);
/* Removes below folder/runs the exports of the record that are not among `planned` ("runs/METHOD/NAME"). Other files and trainings stay. */
void rmil_export_sort(const char *folder, RmilRecord *record, GHashTable *planned);
/* Moves what version 0.1.0, which had no record, left in the folder into its subfolder earlier/. */
gboolean rmil_export_set_aside(const char *folder, gboolean many, const RmilMonitor *monitor, GError **error);

#endif
