/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the command and looks at what it says. */
#include "command.h"

#include <string.h>

static char *command_path(void) {
    const char *other = g_getenv("RMIL_COMMAND");
    return other ? g_strdup(other) : g_build_filename(g_getenv("RMIL_BUILD"), "cli", "rankmil", NULL);
}

void command_clear(Outcome *outcome) {
    g_clear_pointer(&outcome->out, g_free);
    g_clear_pointer(&outcome->err, g_free);
}

static void spawn(Outcome *outcome, const char *where, char **argv) {
    GError *error = NULL;
    int status;
    command_clear(outcome);
    g_autofree char *path = command_path();
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "RANKMIL", path, TRUE);
    g_spawn_sync(where, argv, environment, G_SPAWN_SEARCH_PATH, NULL, NULL, &outcome->out, &outcome->err, &status, &error);
    g_assert_no_error(error);
    outcome->status = g_spawn_check_wait_status(status, &error) ? 0 : error->domain == G_SPAWN_EXIT_ERROR ? error->code : -1;
    g_clear_error(&error);
}

void command_run(Outcome *outcome, const char *where, ...) {
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *path = command_path();
    g_ptr_array_add(argv, path);
    va_list arguments;
    va_start(arguments, where);
    for (char *argument; (argument = va_arg(arguments, char *));) g_ptr_array_add(argv, argument);
    va_end(arguments);
    g_ptr_array_add(argv, NULL);
    spawn(outcome, where, (char **)argv->pdata);
}

void command_shell(Outcome *outcome, const char *where, const char *script) {
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
    spawn(outcome, where, argv);
}

void command_expect(const Outcome *outcome, int status, const char *part) {
    if (outcome->status != status || !strstr(outcome->err, part))
        g_error("expected status %d and \"%s\"; got status %d\n--- stdout\n%s\n--- stderr\n%s", status, part, outcome->status, outcome->out,
                outcome->err);
}
