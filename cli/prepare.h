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

/* A work in the folder (NULL: -o is missing) on the command's threads; without a cohort. Free with rmil_work_free. */
RmilWork *prepare_new(Cli *cli, const char *folder, RmilPrepareOptions *options, GError **error);
/* The same with the table that the user gives: of a folder or a slide in its place it says what to do with it. */
RmilWork *prepare_open(Cli *cli, const char *folder, RmilPrepareOptions *options, const char *table, GError **error);
/* For this command alone, until the work is freed. */
gboolean prepare_lock(Cli *cli, RmilWork *work, GError **error);
/* What the stages made, as members of the result. */
void prepare_report(Cli *cli, const RmilWork *work);

#endif
