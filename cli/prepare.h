/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline on the command line: its options, opening its work from a table, and what it made. */
#ifndef RMIL_CLI_PREPARE_H
#define RMIL_CLI_PREPARE_H

#include "cli.h"

/* Option tables whose entries point to their variables; free with g_free. */
GOptionEntry *prepare_output_entries(char **folder);
GOptionEntry *prepare_tile_entries(RmilPrepareOptions *options);
GOptionEntry *prepare_encode_entries(RmilPrepareOptions *options);
GOptionEntry *prepare_label_entries(RmilPrepareOptions *options);
GOptionEntry *prepare_crop_entries(RmilPrepareOptions *options); /* --uncropped, which is also among the label entries */

/* How the user wants the table to be read. Zero: as the table itself says. */
typedef struct {
    char *classes, *target; /* as given, or NULL */
    gboolean by_site;
    char **list; /* the classes as a list */
} Reading;
/* --classes, --target and, with sets, --by-site; free with g_free. */
GOptionEntry *reading_entries(Reading *reading, gboolean sets);
void reading_clear(Reading *reading);
/* `how` points into the reading. */
gboolean reading_parse(Reading *reading, RmilReading *how, GError **error);
/* The cohort; prints its notes. Free with rmil_cohort_free. */
RmilCohort *reading_cohort(Cli *cli, Reading *reading, const char *path, GError **error);
/* Choices that were made in reading the table: on stdout, and as "notes" of the result. */
void reading_say(Cli *cli, const RmilCohort *cohort);

/* A work in the folder (NULL: -o is missing) with the command's threads; without a cohort. Free with rmil_work_free. */
RmilWork *prepare_new(Cli *cli, const char *folder, RmilPrepareOptions *options, GError **error);
/* The same with the user's table, whose notes are printed. If a folder or a slide is given instead, says what to do with it. */
RmilWork *prepare_open(Cli *cli, const char *folder, RmilPrepareOptions *options, const char *table, Reading *reading, GError **error);
/* Makes it shared, until it is freed, by this command and others on the same cohort with the same options. */
gboolean prepare_share(Cli *cli, RmilWork *work, GError **error);
/* "pen 12, fold 3": number of tiles left out, by reason; NULL: none. Free with g_free. */
char *prepare_left_out(const RmilWork *work);
/* What the stages made, as members of the result. */
void prepare_report(Cli *cli, const RmilWork *work);

#endif
