/* SPDX-License-Identifier: Apache-2.0 */
/* What a training's models find of patches and lesions, for the terminal and for programs. */
#ifndef CLI_FOUND_H
#define CLI_FOUND_H

#include "cli.h"
#include "rankmil/study.h"

/* From the tables of a training's folder, as lines and as members of `out`. predictions: its test rows. */
gboolean found_report(Cli *cli, const char *folder, const GArray *predictions, RmilMeasuring how, JsonObject *out, GError **error);
/* Says once what is missing for all trainings, whose objects are in results. */
void found_say_missing(Cli *cli, JsonArray *results);

#endif
