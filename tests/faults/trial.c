/* SPDX-License-Identifier: Apache-2.0 */
#include "trial.h"

#include <glib/gstdio.h>

static char *home;

const char *trial_home(void) { return home; }

void trial_begin(void) {
    g_auto(Outcome) outcome = {0};
    home = test_folder();
    command_shell(&outcome, home,
                  "set -e; mkdir base; cd base; \"$RANKMIL\" synth slides --slides 4 --width 640 --height 560 --test 0.5 -q; "
                  "\"$RANKMIL\" synth cohort --slides 8 --width 512 --height 512 --test 0.25 -q; "
                  "\"$RANKMIL\" synth features --features --slides 16 --scale 0.005 --dim 8 --difficulty 0.1 -q; "
                  "\"$RANKMIL\" run features/cohort.csv -o run --methods rank --repeats 1 --epochs 2 --warmup 1 -q");
    command_expect(&outcome, 0, "");
}

void trial_end(void) { g_clear_pointer(&home, g_free); }

char *trial_folder(void) {
    char *path = g_build_filename(home, "trial", NULL);
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    return path;
}

void trial_forget(const char *folder) {
    g_auto(Outcome) outcome = {0};
    g_autofree char *script = g_strdup_printf("rm -rf '%s'", folder);
    command_shell(&outcome, home, script);
}

char *trial_script(const TrialCommand *command, const char *before) {
    return g_strdup_printf("%s exec \"$RANKMIL\" %s --threads 2 -q", before, command->arguments);
}

/* models/ of a record keeps what was trained when a slide could not be read. */
char *trial_describe(const TrialCommand *command, const char *folder) {
    g_autoptr(GString) script = g_string_new("find out -type f 2>/dev/null | grep -v -e '\\.lock$' -e ^out/models/ | LC_ALL=C sort; cat ");
    for (int i = 0; i < 3 && command->results[i]; i++) g_string_append_printf(script, "%s ", command->results[i]);
    g_string_append(script, "/dev/null | sha256sum");
    g_auto(Outcome) outcome = {0};
    command_shell(&outcome, folder, script->str);
    return g_steal_pointer(&outcome.out);
}

char *trial_expected(const TrialCommand *command, double *seconds) {
    g_autofree char *folder = trial_folder(), *script = trial_script(command, "");
    g_auto(Outcome) outcome = {0};
    const gint64 begin = g_get_monotonic_time();
    command_shell(&outcome, folder, script);
    if (seconds) *seconds = (double)(g_get_monotonic_time() - begin) / 1e6;
    command_expect(&outcome, 0, "");
    char *expected = trial_describe(command, folder);
    trial_forget(folder);
    return expected;
}

void trial_finish(const TrialCommand *command, const char *folder, const char *expected, const char *what) {
    g_autofree char *script = trial_script(command, "");
    g_auto(Outcome) outcome = {0};
    command_shell(&outcome, folder, script);
    g_autofree char *made = trial_describe(command, folder);
    if (outcome.status != 0 || g_strcmp0(made, expected) != 0)
        g_error("%s, run again after %s: status %d\n%s\ninstead of\n%s\n%s", command->name, what, outcome.status, made, expected,
                outcome.err);
}

int trial_places(const char *variable, int usual) {
    const char *given = g_getenv(variable);
    return given ? (int)g_ascii_strtoll(given, NULL, 10) : usual;
}
