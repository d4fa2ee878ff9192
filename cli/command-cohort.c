/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil cohort LAYOUT DIR: drafts the cohort table of a data set from its folders. */
#include "cli.h"

int command_cohort(int argc, char **argv) {
    static const CliUsage usage = {
        "LAYOUT DIR",
        "Writes the cohort table of a public data set, or of class folders.",
        "LAYOUT is one of\n"
        "  camelyon16     training/ and testing/, or the public bucket's images/, annotations/, evaluation/;\n"
        "                 official test set; slides with known problems are left out or noted\n"
        "  digestpath     DigestPath 2019: tissue-train-pos-v1 (with masks) and tissue-train-neg\n"
        "  class-folders  one folder per class; above them, if you like, train, val, test\n"
        "'rankmil check' and 'rankmil run' accept the table without editing.",
        2,
        2,
        0,
        "cohort camelyon16 /data/CAMELYON16 -o cohort.csv\ncohort class-folders slides --positive tumor -o cohort.csv"};
    Cli cli;
    int status;
    g_autofree gchar *output = NULL;
    g_auto(GStrv) positive = NULL;
    const GOptionEntry own[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "the table (default: cohort.csv)", "CSV"},
        {"positive", 0, 0, G_OPTION_ARG_STRING_ARRAY, &positive,
         "class-folders: a folder of class 1; all others are class 0; may be given again (default: the folders' names are the "
         "classes)",
         "NAME"},
        {0},
    };
    const CliGroup groups[] = {{"The table", own}, {NULL, NULL}};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) return status;
    const char *path = output ? output : "cohort.csv";
    RmilCohortSummary summary;
    GError *error = NULL;
    if (!rmil_cohort_make(argv[1], argv[2], path, (const char *const *)positive, &summary, &cli.monitor, &error))
        return cli_fail(&cli, error);
    json_object_set_string_member(cli.result, "cohort", path);
    json_object_set_int_member(cli.result, "rows", summary.rows);
    json_object_set_int_member(cli.result, "positive", summary.positive);
    json_object_set_int_member(cli.result, "negative", summary.negative);
    json_object_set_int_member(cli.result, "annotated", summary.annotated);
    json_object_set_int_member(cli.result, "test", summary.test);
    json_object_set_int_member(cli.result, "left_out", summary.left_out);
    cli_say(&cli,
            "%s: %" G_GINT64_FORMAT " rows: %" G_GINT64_FORMAT " positive, %" G_GINT64_FORMAT " of them annotated, %" G_GINT64_FORMAT
            " negative; %" G_GINT64_FORMAT " for testing; %" G_GINT64_FORMAT " left out",
            path, summary.rows, summary.positive, summary.annotated, summary.negative, summary.test, summary.left_out);
    return cli_done(&cli);
}
