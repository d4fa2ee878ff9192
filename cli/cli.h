/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands share: options, progress on stderr, results on stdout, problems and the exit status. */
#ifndef RMIL_CLI_H
#define RMIL_CLI_H

#include "rankmil/rankmil.h"

#include <json-glib/json-glib.h>
#include <stdio.h>

typedef struct {
    /* options every command takes */
    gboolean json, quiet;
    gint threads;
    gint64 seed;
    /* state */
    const char *name;    /* of the subcommand */
    JsonObject *result;  /* printed with --json */
    JsonObject *stages;  /* per stage: made, kept, seconds */
    JsonArray *problems; /* of {"stage", "id", "message"} */
    JsonArray *warnings; /* of strings, each once, in the order in which they came */
    GHashTable *warned;  /* the same as a set */
    RmilMonitor monitor;
    GMutex lock;
    char *shown; /* what the progress line shows now */
    char *note;  /* how it goes, behind it */
    gint64 started, printed;
    int64_t first;
} Cli;

/* Each command: argv without the program's name, argv[0] is the command. Returns the exit status. */
int command_check(int argc, char **argv);
int command_compare(int argc, char **argv);
int command_cohort(int argc, char **argv);
int command_convert(int argc, char **argv);
int command_encode(int argc, char **argv);
int command_evaluate(int argc, char **argv);
int command_label(int argc, char **argv);
int command_metrics(int argc, char **argv);
int command_predict(int argc, char **argv);
int command_report(int argc, char **argv);
int command_run(int argc, char **argv);
int command_splits(int argc, char **argv);
int command_study(int argc, char **argv);
int command_synth(int argc, char **argv);
int command_tile(int argc, char **argv);
int command_train(int argc, char **argv);
int command_view(int argc, char **argv);
int command_watch(int argc, char **argv);

typedef struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} CliCommand;
extern const CliCommand cli_commands[]; /* ends with an empty one */

typedef enum {
    CLI_THREADS = 1, /* works on several threads */
    CLI_SEED = 2,    /* draws random numbers */
    CLI_RESUMES = 4  /* goes on where it was interrupted, which Ctrl-C then says */
} CliTraits;

typedef struct {
    const char *arguments;   /* "COHORT -o DIR" */
    const char *summary;     /* one line */
    const char *description; /* the rest of the help, or NULL */
    int least, most;         /* how many arguments remain after options; most < 0: any number */
    CliTraits traits;
    const char *examples; /* command lines, one a line, without "rankmil " */
} CliUsage;

typedef struct {
    const char *title;           /* of the group in the help: "Tiles" */
    const GOptionEntry *entries; /* ends with an empty one; NULL: end of the list of groups */
} CliGroup;

/* memory.c: once, before anything else. */
void memory_begin(void);
/* How many of so many threads a limit on address space allows; says when they are fewer. */
int memory_threads(Cli *cli, int threads);

/* Parses options; afterwards argv[1 … argc−1] are the arguments. "--" ends the options. FALSE: wrong usage or --help, *status is
 * the exit status. The caller ends with cli_done in any other case. */
gboolean cli_begin(Cli *cli, int *argc, char ***argv, const CliUsage *usage, const CliGroup *groups, int *status);
/* A command line that was parsed before, from a record: "run" first, of which *rest gets what are no options (g_strfreev, after a failure
 * too). Says and prints nothing. */
gboolean cli_parse_again(char **arguments, const CliGroup *groups, char ***rest, GError **error);
/* Prints the result (with --json), frees, and returns 0, or 1 when there were problems. */
int cli_done(Cli *cli);
/* Reports an error that ends the command; frees it; returns 1. Frees the state like cli_done. */
int cli_fail(Cli *cli, GError *error);
/* Wrong usage found after parsing: prints, frees, returns 2. */
int cli_usage(Cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* One slide (or run) failed at one stage; the rest goes on. Frees the error. Thread-safe. */
void cli_problem(Cli *cli, const char *stage, const char *id, GError *error);
/* Removes a folder and all in it; a link goes, not what it points to. Nothing there: done. */
gboolean remove_tree(const char *path, GError **error);
/* Prints text, whose control characters but line ends are shown, not obeyed. Everything that is printed goes this way. */
void cli_print(FILE *to, const char *format, ...) G_GNUC_PRINTF(2, 3);
void cli_vprint(FILE *to, const char *format, va_list arguments) G_GNUC_PRINTF(2, 0);
/* A message as one line of bounded length, in UTF-8; free with g_free. */
char *cli_message(const char *text);
/* Warnings that an object carries (NULL-terminated, or NULL), each said once however often it comes. */
void cli_warn_all(Cli *cli, const char *const *warnings);
/* A line for people on stdout; nothing with --json or --quiet. */
void cli_say(Cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);

gboolean cli_json_write(JsonObject *object, const char *path, GError **error);
JsonObject *cli_json_read(const char *path, GError **error);
/* Members with NaN or infinite numbers become null, which JSON has. */
void cli_json_number(JsonObject *object, const char *name, double value);

#endif
