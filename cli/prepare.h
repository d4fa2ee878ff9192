/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline on the command line: its options, its work opened from a table, what it made. */
#ifndef RMIL_CLI_PREPARE_H
#define RMIL_CLI_PREPARE_H

#include "cli.h"

/* Option tables that point to where values go; free with g_free. */
GOptionEntry *prepare_output_entries(char **folder);
GOptionEntry *prepare_tile_entries(RmilPrepareOptions *options);
GOptionEntry *prepare_encode_entries(RmilPrepareOptions *options);
GOptionEntry *prepare_label_entries(RmilPrepareOptions *options);
GOptionEntry *prepare_crop_entries(RmilPrepareOptions *options); /* --uncropped, part of the label entries too */

/* How the user wants the table read. Zero: as it says itself. */
typedef struct {
    char *classes, *target; /* as given, or NULL */
    gboolean by_site;
    char **list; /* of the classes */
} Reading;
/* --classes, --target and, with sets, --by-site; free with g_free. */
GOptionEntry *reading_entries(Reading *reading, gboolean sets);
void reading_clear(Reading *reading);
/* `how` points into the reading. */
gboolean reading_parse(Reading *reading, RmilReading *how, GError **error);
/* Its cohort, whose notes are said. Free with rmil_cohort_free. */
RmilCohort *reading_cohort(Cli *cli, Reading *reading, const char *path, GError **error);
/* What was taken where the table left a choice: on stdout, and "notes" of the result. */
void reading_say(Cli *cli, const RmilCohort *cohort);

/* A work in the folder (NULL: -o is missing) on the command's threads; without a cohort. Free with rmil_work_free. */
RmilWork *prepare_new(Cli *cli, const char *folder, RmilPrepareOptions *options, GError **error);
/* The same with the table that the user gives, whose notes are said: of a folder or a slide in its place it says what to do with it. */
RmilWork *prepare_open(Cli *cli, const char *folder, RmilPrepareOptions *options, const char *table, Reading *reading, GError **error);
/* For this command and others on the same cohort with the same options, until the work is freed. */
gboolean prepare_share(Cli *cli, RmilWork *work, GError **error);
/* "pen 12, fold 3": tiles that were left out, by reason; NULL: none. Free with g_free. */
char *prepare_left_out(const RmilWork *work);
/* What the stages made, as members of the result. */
void prepare_report(Cli *cli, const RmilWork *work);

#endif
