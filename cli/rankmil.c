/* SPDX-License-Identifier: Apache-2.0 */
/* The rankmil command: selects the subcommand. */
#include "cli.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void print_help(FILE *out) {
    fprintf(out,
            "rankmil %s: slide classifiers whose attention follows experts' annotations\n\n"
            "usage: rankmil COMMAND [OPTIONS …]\n\n",
            rmil_version());
    for (const CliCommand *command = cli_commands; command->name; command++) fprintf(out, "  %-10s %s\n", command->name, command->summary);
    fprintf(out, "\n'rankmil help COMMAND' explains one. Exit status: 0 done, 1 something failed, 2 wrong usage.\n");
}

int main(int argc, char **argv) {
    memory_begin();
    setlocale(LC_CTYPE, "C.UTF-8");
    signal(SIGXFSZ, SIG_IGN); /* a file over the size limit makes a write fail, instead of ending the process */
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "help") == 0 && argc > 2) { /* help COMMAND is COMMAND --help */
        argv[1] = argv[2];
        argv[2] = (char *)"--help";
        argc = 3;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("rankmil %s\n", rmil_version());
        return 0;
    }
    for (const CliCommand *command = cli_commands; command->name; command++)
        if (strcmp(argv[1], command->name) == 0) return command->run(argc - 1, argv + 1);
    cli_print(stderr, "rankmil: there is no command \"%s\"\nSee 'rankmil --help'.\n", argv[1]);
    return 2;
}
