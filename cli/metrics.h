/* SPDX-License-Identifier: Apache-2.0 */
/* What predictions are worth, as text and JSON. */
#ifndef RMIL_CLI_METRICS_H
#define RMIL_CLI_METRICS_H

#include "cli.h"

/* Predictions of one task, all with known targets. */
typedef struct {
    RmilTask task;
    GArray *rows;          /* RmilPredictionRow */
    GArray *train;         /* of the training set, which measures of survival look at; or NULL */
    RmilDecision decision; /* the cut-off of who predicted; chosen FALSE: there is none */
} Measured;
/* Fails where there is nothing to measure: a class is missing, no event, … `where` begins the message. */
gboolean measured_check(const Measured *measured, const char *where, GError **error);
void measured_clear(Measured *measured);
/* Prints the measures with intervals and gives them as an object. */
JsonObject *measured_report(Cli *cli, const Measured *measured, RmilMeasuring how);

#endif
