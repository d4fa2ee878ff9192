/* SPDX-License-Identifier: Apache-2.0 */
/* What all commands share: options, progress, messages, --json. */
#include "help.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* -- progress --------------------------------------------------------------------------------------------------------- */
static void clear_line(Cli *cli) {
    if (cli->shown && isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
}

static void format_time(double seconds, char text[32]) {
    int64_t s = (int64_t)(seconds + 0.5);
    if (s >= 3600) g_snprintf(text, 32, "%d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    else g_snprintf(text, 32, "%d:%02d", (int)(s / 60), (int)(s % 60));
}

/* Width of the terminal on stderr; 80 if unknown. */
static int columns(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 ? size.ws_col : 80;
}

/* One line that fits the terminal: a longer one would wrap, and the next would not overwrite it. */
static void print_line(const char *line, gboolean terminal) {
    g_autofree char *fitting = terminal && g_utf8_strlen(line, -1) >= columns() ? g_utf8_substring(line, 0, columns() - 1) : g_strdup(line);
    if (terminal) fputc('\r', stderr);
    cli_print(stderr, "%s", fitting);
    fputs(terminal ? "\033[K" : "\n", stderr);
}

static void show_note(gpointer user, const char *text) {
    Cli *cli = user;
    g_mutex_lock(&cli->lock);
    g_free(cli->note);
    cli->note = g_strdup(text);
    g_mutex_unlock(&cli->lock);
}

static void show_progress(gpointer user, const char *what, int64_t done, int64_t total) {
    Cli *cli = user;
    if (cli->quiet) return;
    g_mutex_lock(&cli->lock);
    gint64 now = g_get_monotonic_time();
    if (!cli->shown || strcmp(cli->shown, what) != 0) {
        if (cli->shown && isatty(STDERR_FILENO)) fputc('\n', stderr);
        g_free(cli->shown);
        cli->shown = g_strdup(what);
        if (cli->started) g_clear_pointer(&cli->note, g_free); /* from the previous stage */
        cli->started = now;
        cli->printed = 0;
        cli->first = done;
    }
    gboolean terminal = isatty(STDERR_FILENO) != 0, last = done >= total;
    gint64 pause = terminal ? G_USEC_PER_SEC / 10 : 15 * G_USEC_PER_SEC;
    if (last || now - cli->printed >= pause) {
        double seconds = (double)(now - cli->started) / G_USEC_PER_SEC;
        double rate = seconds > 0 ? (double)(done - cli->first) / seconds : 0;
        char left[32] = "";
        format_time(last ? seconds : rate > 0 ? (double)(total - done) / rate : 0, left);
        g_autofree char *line = g_strdup_printf("%-16s %" G_GINT64_FORMAT "/%" G_GINT64_FORMAT "  %.3g/s  %s %s%s%s", what, done, total,
                                                rate, left,
                                                last       ? "taken"
                                                : rate > 0 ? "left"
                                                           : "",
                                                cli->note && !last ? "  " : "", cli->note && !last ? cli->note : "");
        if (terminal || last || cli->printed) print_line(line, terminal);
        cli->printed = now;
    }
    g_mutex_unlock(&cli->lock);
}

/* Ends the progress line, so that other output starts on a line of its own. */
static void progress_end(Cli *cli) {
    g_mutex_lock(&cli->lock);
    if (cli->shown && isatty(STDERR_FILENO)) fputc('\n', stderr);
    g_clear_pointer(&cli->shown, g_free);
    g_mutex_unlock(&cli->lock);
}

static void show_warning(gpointer user, const char *message) {
    Cli *cli = user;
    g_autofree char *line = cli_message(message);
    g_mutex_lock(&cli->lock);
    if (g_hash_table_add(cli->warned, g_strdup(line))) { /* printed once, however many stages give it */
        json_array_add_string_element(cli->warnings, line);
        clear_line(cli);
        cli_print(stderr, "rankmil: warning: %s\n", line);
    }
    g_mutex_unlock(&cli->lock);
}

void cli_warn_all(Cli *cli, const char *const *warnings) {
    for (; warnings && *warnings; warnings++) rmil_monitor_warn(&cli->monitor, "%s", *warnings);
}

void cli_say(Cli *cli, const char *format, ...) {
    if (cli->json || cli->quiet) return;
    progress_end(cli);
    va_list arguments;
    va_start(arguments, format);
    cli_vprint(stdout, format, arguments);
    va_end(arguments);
    fputc('\n', stdout);
    fflush(stdout);
}

static void show_problem(gpointer user, const char *stage, const char *id, const GError *error) {
    Cli *cli = user;
    g_autofree char *message = cli_message(error->message), *name = id ? cli_message(id) : NULL;
    g_mutex_lock(&cli->lock);
    clear_line(cli);
    if (name) cli_print(stderr, "rankmil: %s: %s: %s\n", stage, name, message);
    else cli_print(stderr, "rankmil: %s\n", message);
    JsonObject *problem = json_object_new();
    json_object_set_string_member(problem, "stage", stage);
    if (name) json_object_set_string_member(problem, "id", name);
    json_object_set_string_member(problem, "message", message);
    json_array_add_object_element(cli->problems, problem);
    g_mutex_unlock(&cli->lock);
}

void cli_problem(Cli *cli, const char *stage, const char *id, GError *error) {
    show_problem(cli, stage, id, error);
    g_error_free(error);
}

static void show_done(gpointer user, const char *stage, int64_t made, int64_t kept, double seconds) {
    Cli *cli = user;
    JsonObject *object = json_object_new();
    json_object_set_int_member(object, "made", made);
    json_object_set_int_member(object, "kept", kept);
    json_object_set_double_member(object, "seconds", seconds);
    json_object_set_object_member(cli->stages, stage, object);
    if (kept) cli_say(cli, "%-8s %" G_GINT64_FORMAT " made, %" G_GINT64_FORMAT " already there, %.1f s", stage, made, kept, seconds);
    else cli_say(cli, "%-8s %" G_GINT64_FORMAT " made, %.1f s", stage, made, seconds);
}

/* -- beginning and end -------------------------------------------------------------------------------------------------- */
static void free_state(Cli *cli) {
    progress_end(cli);
    json_object_unref(cli->result);
    json_object_unref(cli->stages);
    json_array_unref(cli->problems);
    json_array_unref(cli->warnings);
    g_hash_table_unref(cli->warned);
    g_free(cli->note);
    g_mutex_clear(&cli->lock);
}

/* -- interruption -------------------------------------------------------------------------------------------------------- */
/* Only calls that are safe in a signal handler; the signal then ends the process as usual. */
static void interrupted(int number) {
    static const char words[] = "\nrankmil: interrupted. Finished work is kept: run the same command again to continue.\n";
    if (write(STDERR_FILENO, words, sizeof words - 1) < 0) return;
    signal(number, SIG_DFL);
    raise(number);
}

static void say_how_to_go_on(void) {
    const struct sigaction action = {.sa_handler = interrupted, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* -- options -------------------------------------------------------------------------------------------------------------- */
/* GOption leaves "--" among the arguments if an argument comes before it. */
static void remove_separator(int *argc, char **argv) {
    for (int i = 1; i < *argc; i++)
        if (strcmp(argv[i], "--") == 0) {
            for (int k = i; k < *argc; k++) argv[k] = argv[k + 1];
            (*argc)--;
            return;
        }
}

static gboolean wrong_usage(const Cli *cli, const char *message) {
    cli_print(stderr, "rankmil %s: %s\nSee 'rankmil %s --help'.\n", cli->name, message, cli->name);
    return FALSE;
}

/* Warns of an option that every command accepts but this one does not use. */
static void warn_meaningless(Cli *cli, CliTraits traits) {
    if (cli->threads && !(traits & CLI_THREADS))
        rmil_monitor_warn(&cli->monitor, "'rankmil %s' uses one thread: --threads has no effect here", cli->name);
    if (cli->seed && !(traits & CLI_SEED))
        rmil_monitor_warn(&cli->monitor, "'rankmil %s' uses no random numbers: --seed has no effect here", cli->name);
}

gboolean cli_parse_again(char **arguments, const CliGroup *groups, char ***rest, GError **error) {
    gint threads = 0;
    gint64 seed = 0;
    gboolean flag = FALSE;
    const GOptionEntry common[] = {{"threads", 0, 0, G_OPTION_ARG_INT, &threads, NULL, NULL},
                                   {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, NULL, NULL},
                                   {"json", 0, 0, G_OPTION_ARG_NONE, &flag, NULL, NULL},
                                   {"quiet", 'q', 0, G_OPTION_ARG_NONE, &flag, NULL, NULL},
                                   {0}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_set_help_enabled(context, FALSE);
    for (const CliGroup *group = groups; group && group->entries; group++) g_option_context_add_main_entries(context, group->entries, NULL);
    g_option_context_add_main_entries(context, common, NULL);
    *rest = g_strdupv(arguments);
    if (!g_option_context_parse_strv(context, rest, error)) return FALSE;
    int count = (int)g_strv_length(*rest);
    remove_separator(&count, *rest);
    return TRUE;
}

static gboolean parse(Cli *cli, int *argc, char ***argv, const CliUsage *usage, const CliGroup *groups, int *status) {
    gboolean help = FALSE;
    const int hide_threads = usage->traits & CLI_THREADS ? 0 : G_OPTION_FLAG_HIDDEN,
              hide_seed = usage->traits & CLI_SEED ? 0 : G_OPTION_FLAG_HIDDEN;
    const GOptionEntry entries[] = {
        {"threads", 0, hide_threads, G_OPTION_ARG_INT, &cli->threads, "threads to use (default: all processors)", "N"},
        {"seed", 0, hide_seed, G_OPTION_ARG_INT64, &cli->seed, "seed of every random choice (default: 0)", "S"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &cli->json, "print the result as JSON on stdout", NULL},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &cli->quiet, "print no progress and no tables", NULL},
        {"help", 'h', 0, G_OPTION_ARG_NONE, &help, "show this help", NULL},
        {0},
    };
    const CliGroup common = {"General", entries};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_set_help_enabled(context, FALSE);
    for (const CliGroup *group = groups; group && group->entries; group++) g_option_context_add_main_entries(context, group->entries, NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    g_autoptr(GError) error = NULL;
    *status = 2;
    if (!g_option_context_parse(context, argc, argv, &error)) return wrong_usage(cli, error->message);
    remove_separator(argc, *argv);
    if (help) {
        g_autofree char *text = cli_help_text(cli->name, usage, groups, &common);
        fputs(text, stdout);
        *status = 0;
        return FALSE;
    }
    const int arguments = *argc - 1;
    if (arguments < usage->least || (usage->most >= 0 && arguments > usage->most)) {
        cli_print(stderr, "usage: rankmil %s %s\nSee 'rankmil %s --help'.\n", cli->name, usage->arguments, cli->name);
        return FALSE;
    }
    if (cli->threads >= 0 && cli->threads <= 4096) return TRUE;
    g_autofree char *message = g_strdup_printf("--threads %d: must be 1 … 4096", cli->threads);
    return wrong_usage(cli, message);
}

gboolean cli_begin(Cli *cli, int *argc, char ***argv, const CliUsage *usage, const CliGroup *groups, int *status) {
    memset(cli, 0, sizeof *cli);
    cli->name = (*argv)[0];
    g_autofree char *program = g_strdup_printf("rankmil %s", cli->name);
    g_set_prgname(program);
    if (!parse(cli, argc, argv, usage, groups, status)) return FALSE;
    cli->result = json_object_new();
    json_object_set_string_member(cli->result, "command", cli->name);
    json_object_set_string_member(cli->result, "version", rmil_version());
    cli->stages = json_object_new();
    cli->problems = json_array_new();
    cli->warnings = json_array_new();
    cli->warned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_mutex_init(&cli->lock);
    cli->monitor = (RmilMonitor){show_progress, show_warning, cli, show_note, show_problem, show_done};
    warn_meaningless(cli, usage->traits);
    cli->threads = memory_threads(cli, rmil_threads(cli->threads));
    if (usage->traits & CLI_RESUMES) say_how_to_go_on();
    return TRUE;
}

/* Pretty-printed; free with g_free. */
static char *json_text(JsonObject *object) {
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    json_node_set_object(node, object);
    return json_to_string(node, TRUE);
}

/* whole: the command did everything that it could, apart from its problems. */
static int finish(Cli *cli, gboolean whole) {
    int status = json_array_get_length(cli->problems) ? 1 : 0;
    progress_end(cli);
    if (cli->json) {
        json_object_set_array_member(cli->result, "problems", json_array_ref(cli->problems));
        json_object_set_array_member(cli->result, "warnings", json_array_ref(cli->warnings));
        g_autofree char *text = json_text(cli->result);
        cli_print(stdout, "%s\n", text);
    } else if (status && json_array_get_length(cli->problems) > 1) {
        cli_print(stderr, "rankmil: %u problems, each reported above%s\n", json_array_get_length(cli->problems),
                  whole ? "; the rest is done" : "");
    }
    if (fflush(stdout) != 0) {
        cli_print(stderr, "rankmil: stdout: %s\n", g_strerror(errno));
        status = 1;
    }
    free_state(cli);
    return status;
}

int cli_done(Cli *cli) { return finish(cli, TRUE); }

int cli_fail(Cli *cli, GError *error) {
    cli_problem(cli, cli->name, NULL, error);
    return finish(cli, FALSE);
}

int cli_usage(Cli *cli, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    cli_print(stderr, "rankmil %s: ", cli->name);
    cli_vprint(stderr, format, arguments);
    cli_print(stderr, "\nSee 'rankmil %s --help'.\n", cli->name);
    va_end(arguments);
    free_state(cli);
    return 2;
}

/* -- JSON ----------------------------------------------------------------------------------------------------------------- */
gboolean cli_json_write(JsonObject *object, const char *path, GError **error) {
    g_autofree char *text = json_text(object);
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    return rmil_file_write(path, line, strlen(line), error);
}

JsonObject *cli_json_read(const char *path, GError **error) {
    g_autoptr(JsonNode) root = rmil_json_read(path, 64 << 20, error);
    return root ? json_object_ref(json_node_get_object(root)) : NULL;
}

void cli_json_number(JsonObject *object, const char *name, double value) {
    if (isfinite(value)) json_object_set_double_member(object, name, value);
    else json_object_set_null_member(object, name);
}
