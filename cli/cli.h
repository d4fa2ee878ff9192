/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands share: options, progress on stderr, results on stdout, problems and the exit status. */
#ifndef RMIL_CLI_H
#define RMIL_CLI_H

#include "rankmil/rankmil.h"

#include <json-glib/json-glib.h>
#include <stdio.h>

typedef struct {
    /* options that every command has */
    gboolean json, quiet;
    gint threads;
    gint64 seed;
    /* state */
    const char *name;    /* of the subcommand */
    JsonObject *result;  /* printed with --json */
    JsonObject *stages;  /* per stage: made, kept, seconds */
    JsonArray *problems; /* of {"stage", "id", "message"} */
    JsonArray *warnings; /* of strings, each once, in order of appearance */
    GHashTable *warned;  /* the same as a set */
    RmilMonitor monitor;
    GMutex lock;
    char *shown; /* current text of the progress line */
    char *note;  /* text after it */
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
    CLI_THREADS = 1, /* uses several threads */
    CLI_SEED = 2,    /* draws random numbers */
    CLI_RESUMES = 4  /* continues where it was interrupted; Ctrl-C says so */
} CliTraits;

typedef struct {
    const char *arguments;   /* "COHORT -o DIR" */
    const char *summary;     /* one line */
    const char *description; /* the rest of the help, or NULL */
    int least, most;         /* number of arguments after the options; most < 0: any number */
    CliTraits traits;
    const char *examples; /* command lines, one per line, without "rankmil " */
} CliUsage;

typedef struct {
    const char *title;           /* of the group in the help: "Tiles" */
    const GOptionEntry *entries; /* ends with an empty one; NULL: end of the list of groups */
} CliGroup;

/* memory.c: called once, before anything else. */
void memory_begin(void);
/* The number of threads, at most `threads`, that a limit on address space allows; says so if it is smaller. */
int memory_threads(Cli *cli, int threads);

/* Parses options; afterwards argv[1 … argc−1] are the arguments. "--" ends the options. FALSE: wrong usage or --help, and *status is the
 * exit status. Otherwise the caller must end with cli_done. */
gboolean cli_begin(Cli *cli, int *argc, char ***argv, const CliUsage *usage, const CliGroup *groups, int *status);
/* Parses a recorded command line, which starts with "run". *rest receives the arguments that are not options (g_strfreev, after a failure,
 * too). Prints nothing. */
gboolean cli_parse_again(char **arguments, const CliGroup *groups, char ***rest, GError **error);
/* Prints the result (with --json), frees the state, and returns 0, or 1 if there were problems. */
int cli_done(Cli *cli);
/* Reports an error that ends the command, frees it, and returns 1. Frees the state as cli_done does. */
int cli_fail(Cli *cli, GError *error);
/* Wrong usage found after parsing: prints it, frees the state, returns 2. */
int cli_usage(Cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* One slide (or run) failed at one stage; the others continue. Frees the error. Thread-safe. */
void cli_problem(Cli *cli, const char *stage, const char *id, GError *error);
/* Removes a folder with everything in it; a link is removed, but not its target. Does nothing if the path does not exist. */
gboolean remove_tree(const char *path, GError **error);
/* Prints text with its control characters escaped, except line ends. All output goes through this function. */
void cli_print(FILE *to, const char *format, ...) G_GNUC_PRINTF(2, 3);
void cli_vprint(FILE *to, const char *format, va_list arguments) G_GNUC_PRINTF(2, 0);
/* A message as one line of bounded length, in UTF-8; free with g_free. */
char *cli_message(const char *text);
/* Warnings of an object (NULL-terminated, or NULL), each printed only once. */
void cli_warn_all(Cli *cli, const char *const *warnings);
/* A line for users on stdout; nothing with --json or --quiet. */
void cli_say(Cli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);

gboolean cli_json_write(JsonObject *object, const char *path, GError **error);
JsonObject *cli_json_read(const char *path, GError **error);
/* NaN and infinite numbers, which JSON does not have, become null. */
void cli_json_number(JsonObject *object, const char *name, double value);

#endif
