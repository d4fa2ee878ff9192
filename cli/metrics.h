/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of predictions, as text and JSON. */
#ifndef RMIL_CLI_METRICS_H
#define RMIL_CLI_METRICS_H

#include "cli.h"

/* Predictions of one task, all with known targets. */
typedef struct {
    RmilTask task;
    GArray *rows;          /* RmilPredictionRow */
    GArray *train;         /* of the training set, which survival measures use; or NULL */
    RmilDecision decision; /* the cut-off stored with the predictions' models; chosen FALSE: there is none */
} Measured;
/* Fails if nothing can be measured: a class is missing, no event, … The message starts with `where`. */
gboolean measured_check(const Measured *measured, const char *where, GError **error);
void measured_clear(Measured *measured);
/* Prints the measures with intervals, and returns them as an object. */
JsonObject *measured_report(Cli *cli, const Measured *measured, RmilMeasuring how);

#endif
