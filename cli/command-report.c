/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil report DIR: DIR/report.html */
#include "cli.h"

int command_report(int argc, char **argv) {
    static const CliUsage usage = {
        "DIR",
        "Writes one self-contained HTML file from the folder of a run or a study, and for a study also tables/ and figures/.",
        NULL,
        1,
        1,
        0,
        "report results\nreport study -o study.html"};
    Cli cli;
    int status;
    g_autofree char *output = NULL;
    const GOptionEntry own[] = {{"output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "the file (default: DIR/report.html)", "FILE"}, {0}};
    const CliGroup groups[] = {{"Output", own}, {NULL, NULL}};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) return status;
    GError *error = NULL;
    g_autofree char *path = output ? g_strdup(output) : g_build_filename(argv[1], "report.html", NULL);
    if (!rmil_report_write(argv[1], path, &cli.monitor, &error)) return cli_fail(&cli, error);
    json_object_set_string_member(cli.result, "report", path);
    cli_say(&cli, "%s", path);
    return cli_done(&cli);
}
