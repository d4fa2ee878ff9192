/* SPDX-License-Identifier: Apache-2.0 */
/* The help of a command. */
#ifndef RMIL_CLI_HELP_H
#define RMIL_CLI_HELP_H

#include "cli.h"

/* Free with g_free. common: the options that every command has. */
char *cli_help_text(const char *command, const CliUsage *usage, const CliGroup *groups, const CliGroup *common);

#endif
