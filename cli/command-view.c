/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil view DIR|COHORT: the local web page. rankmil watch DIR: the same loop without it. */
#include "run.h"

#include <glib-unix.h>
#include <signal.h>

typedef struct {
    Cli *cli;
    RunSettings settings; /* those that the folder was made with; for a table those on the command line */
    RmilServeOptions serve;
    RmilWork *work;
    char **rerun, *directory, *folder;
    char *given_method, *listen;
    gint port;
    gboolean read_only, live;
} View;

/* -- reading the folder ---------------------------------------------------------------------------------------------------------------- */
/* The recorded command line. FALSE: there is none (written by an earlier version, or with names that are not UTF-8). */
static gboolean read_arguments(View *view, JsonObject *run, char ***arguments) {
    JsonArray *array = json_object_has_member(run, "arguments") ? json_object_get_array_member(run, "arguments") : NULL;
    const guint n = array ? json_array_get_length(array) : 0;
    if (!n || n > 10000 || !json_object_has_member(run, "directory")) return FALSE;
    *arguments = g_new0(char *, n + 2);
    (*arguments)[0] = g_strdup("run");
    for (guint i = 0; i < n; i++) (*arguments)[i + 1] = g_strdup(json_array_get_string_element(array, i));
    view->directory = g_strdup(json_object_get_string_member(run, "directory"));
    return TRUE;
}

/* Sets the command that runs this program again with the recorded command line. */
static gboolean set_rerun(View *view, char **arguments, GError **error) {
    g_autofree char *self = g_file_read_link("/proc/self/exe", error);
    if (!self) return FALSE;
    const guint n = g_strv_length(arguments);
    view->rerun = g_new0(char *, n + 2);
    view->rerun[0] = g_strdup(self);
    for (guint i = 0; i < n; i++) view->rerun[i + 1] = g_strdup(arguments[i]);
    return TRUE;
}

static char *in_directory(const char *directory, const char *path) {
    return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(directory, path, NULL);
}

/* Fills the settings and returns the table's path; NULL: failed. */
static char *read_folder(View *view, const char *folder, GError **error) {
    g_autofree char *path = g_build_filename(folder, "run.json", NULL), *here = g_build_filename(folder, "cohort.csv", NULL);
    g_auto(GStrv) arguments = NULL, rest = NULL;
    g_autoptr(JsonObject) run = g_file_test(path, G_FILE_TEST_EXISTS) ? cli_json_read(path, error) : NULL;
    if (!run) {
        if (!*error)
            g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA,
                        "%s: is not a folder of 'rankmil run', since it has no run.json: give such a folder, or a table of slides", folder);
        return NULL;
    }
    if (!read_arguments(view, run, &arguments)) {
        rmil_monitor_warn(&view->cli->monitor,
                          "%s: does not record its command line, so the exact training cannot follow: run 'rankmil run' once more "
                          "with this version",
                          path);
        return g_steal_pointer(&here);
    }
    if (!cli_parse_again(arguments, view->settings.groups, &rest, error) || !rest[0] || !rest[1]) {
        g_prefix_error(error, "%s: its command line cannot be read again: ", path);
        return NULL;
    }
    g_autofree char *table = in_directory(view->directory, rest[1]);
    if (!g_file_test(table, G_FILE_TEST_EXISTS)) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_IO, "%s: the table that %s was made from is gone", table, folder);
        return NULL;
    }
    return set_rerun(view, arguments, error) ? g_steal_pointer(&table) : NULL;
}

static gboolean open_all(View *view, const char *given, gboolean watch, GError **error) {
    const gboolean folder = g_file_test(given, G_FILE_TEST_IS_DIR);
    if (watch && !folder) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: is not a folder of 'rankmil run'", given);
        return FALSE;
    }
    g_autofree char *table = folder ? read_folder(view, given, error) : g_strdup(given);
    RmilReading how;
    RmilPrepareOptions *preparation = &view->settings.preparation;
    preparation->threads = view->cli->threads;
    if (!table || !reading_parse(&view->settings.reading, &how, error)) return FALSE;
    view->work = rmil_work_new(folder ? given : NULL, preparation, &view->cli->monitor, error);
    if (!view->work || !rmil_work_read_as(view->work, table, &how, error)) return FALSE;
    reading_say(view->cli, view->work->cohort);
    view->serve.work = view->work;
    view->serve.folder = folder ? given : NULL;
    view->serve.training = &view->settings.training;
    view->serve.rerun = (const char *const *)view->rerun;
    view->serve.directory = view->directory;
    view->serve.method = view->given_method;
    view->serve.listen = view->listen;
    view->serve.port = view->port;
    view->serve.read_only = view->read_only;
    view->serve.live = view->live;
    view->serve.watch = watch;
    view->serve.threads = view->cli->threads;
    return !view->given_method || rmil_method_find(view->given_method, error);
}

static void clear(View *view) {
    rmil_work_free(view->work);
    run_settings_clear(&view->settings);
    g_strfreev(view->rerun);
    g_free(view->directory);
    g_free(view->given_method);
    g_free(view->listen);
}

/* -- until Ctrl-C ---------------------------------------------------------------------------------------------------------------------- */
static gboolean interrupted(gpointer serve) {
    rmil_serve_stop(serve);
    return G_SOURCE_CONTINUE;
}

static gpointer serve_thread(gpointer serve) {
    rmil_serve_run(serve);
    return NULL;
}

typedef struct {
    GThread *thread;
    GMainLoop *loop;
} Waiting;

static gpointer wait_thread(gpointer data) {
    Waiting *waiting = data;
    g_thread_join(waiting->thread);
    g_main_loop_quit(waiting->loop);
    return NULL;
}

/* This thread's main loop receives signals; the server answers on another thread. */
static void run_until_signal(RmilServe *serve) {
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    const guint sources[] = {g_unix_signal_add(SIGINT, interrupted, serve), g_unix_signal_add(SIGTERM, interrupted, serve)};
    Waiting waiting = {g_thread_new("serve", serve_thread, serve), loop};
    GThread *wait = g_thread_new("wait", wait_thread, &waiting);
    g_main_loop_run(loop);
    g_thread_join(wait);
    for (gsize i = 0; i < G_N_ELEMENTS(sources); i++) g_source_remove(sources[i]);
}

static void say_address(View *view, const char *address) {
    if (view->listen && g_strcmp0(view->listen, "127.0.0.1") != 0)
        rmil_monitor_warn(&view->cli->monitor,
                          "--listen %s: other machines can reach this page. Anyone who has its address can see the slides%s, and "
                          "nothing is encrypted: use it on a network that you trust, or through SSH (ssh -L)",
                          view->listen, view->read_only ? "" : ", change outlines and train");
    if (view->cli->json || view->cli->quiet) cli_print(stderr, "%s\n", address);
    cli_say(view->cli, "view     %s", address);
    cli_say(view->cli, "         Open this address in a browser. Ctrl-C stops the server; everything saved is kept.");
}

static int view_command(int argc, char **argv, const CliUsage *usage, gboolean watch) {
    Cli cli;
    View view = {.cli = &cli, .port = 8765};
    int status;
    run_settings_init(&view.settings);
    rmil_serve_options_init(&view.serve);
    const GOptionEntry server[] = {
        {"port", 0, 0, G_OPTION_ARG_INT, &view.port, "port to listen on; 0 takes any free one (default: 8765)", "N"},
        {"listen", 0, 0, G_OPTION_ARG_STRING, &view.listen,
         "address to listen on (default: 127.0.0.1, this machine only). With any other, other machines can reach the page: anyone "
         "who has its address can see the slides and change outlines, and nothing is encrypted",
         "ADDR"},
        {"read-only", 0, 0, G_OPTION_ARG_NONE, &view.read_only, "neither save nor train anything", NULL},
        {"live", 0, 0, G_OPTION_ARG_NONE, &view.live, "retrain after every change of an outline, including changes made in QuPath", NULL},
        {"method", 0, 0, G_OPTION_ARG_STRING, &view.given_method, "method to train (default: the report's main method)", "NAME"},
        {0}};
    const GOptionEntry watcher[] = {
        {"method", 0, 0, G_OPTION_ARG_STRING, &view.given_method, "method to train (default: the report's main method)", "NAME"},
        {0}};
    g_autofree GOptionEntry *labels = prepare_label_entries(&view.settings.preparation),
                            *table = reading_entries(&view.settings.reading, FALSE);
    const CliGroup of_view[] = {{"The page", server},
                                {"Cohort table (if DIR is not the folder of a run)", table},
                                {"Annotations (if DIR is not the folder of a run)", labels},
                                {NULL, NULL}};
    const CliGroup of_watch[] = {{"The loop", watcher}, {NULL, NULL}};
    if (!cli_begin(&cli, &argc, &argv, usage, watch ? of_watch : of_view, &status)) {
        clear(&view);
        return status;
    }
    GError *error = NULL;
    RmilServe *serve = open_all(&view, argv[1], watch, &error) ? rmil_serve_new(&view.serve, &error) : NULL;
    if (serve) {
        if (watch) cli_say(&cli, "watch    %s: retrains when annotations change. Ctrl-C stops it.", argv[1]);
        else say_address(&view, rmil_serve_address(serve));
        run_until_signal(serve);
        rmil_serve_free(serve);
        cli_say(&cli, "%s     ended", watch ? "watch" : "view ");
    }
    clear(&view);
    return serve ? cli_done(&cli) : cli_fail(&cli, error);
}

int command_view(int argc, char **argv) {
    static const CliUsage usage = {"DIR|COHORT",
                                   "View slides, draw outlines and retrain in the browser.",
                                   "DIR is a folder of 'rankmil run': view slides, predictions and heat maps, draw outlines, and retrain "
                                   "in\nseconds; the exact models are then trained in the background, and those are kept. If you give a "
                                   "table\ninstead, you can view and outline its slides. Outlines are saved as QuPath GeoJSON in the file "
                                   "that the\ntable names, or as annotations/ID.geojson beside the table. The page needs no network.",
                                   1,
                                   1,
                                   CLI_THREADS,
                                   "view results\nview cohort.csv\nview results --live --port 0"};
    return view_command(argc, argv, &usage, FALSE);
}

int command_watch(int argc, char **argv) {
    static const CliUsage usage = {"DIR",
                                   "Retrains when annotations change: the loop of 'rankmil view' for people who annotate in QuPath.",
                                   "Watches the annotation files that the table of DIR names. After a change it retrains in seconds, "
                                   "starting\nfrom the last model, and writes the attention of each changed slide to "
                                   "DIR/overlays/METHOD/ID.geojson,\nwhich QuPath can show. Then it trains the exact models, as 'rankmil "
                                   "run' does.",
                                   1,
                                   1,
                                   CLI_THREADS,
                                   "watch results\nwatch results --method rank"};
    return view_command(argc, argv, &usage, TRUE);
}
