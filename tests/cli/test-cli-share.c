/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes in one folder: they divide the slides, one that is killed leaves its part to the others, and what comes out is what
 * one process makes. */
#include "command.h"

#include <string.h>

static char *root;

static void begin(void) {
    if (root) return;
    g_auto(Outcome) o = {0};
    root = test_folder();
    command_run(&o, root, "synth", "cohort", "--slides", "8", "--width", "1500", "--height", "1500", "--seed", "4", "-q", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "encode", "cohort/cohort.csv", "-o", "alone", "-q", NULL);
    command_expect(&o, 0, "");
}

static void expect_same(const char *into) {
    g_assert_cmpint(test_entries(root, "alone/features"), ==, 8);
    for (int i = 1; i <= 8; i++) {
        g_autofree char *name = g_strdup_printf("features/slide_%d.h5", i), *other = g_strdup_printf("features/slide_%03d.h5", i),
                        *a = g_build_filename(root, "alone", NULL), *b = g_build_filename(root, into, NULL);
        test_same_in(a, b, test_exists(a, other) ? other : name);
    }
    g_autofree char *features = g_build_filename(into, "features", NULL), *claims = g_build_filename(into, ".slides", NULL),
                    *lock = g_build_filename(into, ".lock", NULL);
    g_assert_cmpint(test_entries(root, features), ==, 8);
    g_assert_false(test_exists(root, claims) || test_exists(root, lock));
}

/* Slides that a process says it made, of all stages. */
static int64_t made(const char *log) {
    g_autofree char *text = test_bytes(root, log, NULL);
    const char *at = strstr(text, "encode  ");
    g_assert_nonnull(at);
    return g_ascii_strtoll(at + strlen("encode  "), NULL, 10);
}

static void test_divided(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "for i in 1 2 3; do \"$RANKMIL\" encode cohort/cohort.csv -o three --threads 1 >$i.log 2>&1 & pids=\"$pids $!\"; done\n"
                  "for p in $pids; do wait $p || exit 1; done");
    command_expect(&o, 0, "");
    g_assert_cmpint(made("1.log") + made("2.log") + made("3.log"), ==, 8);
    expect_same("three");
}

static void test_killed(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "\"$RANKMIL\" encode cohort/cohort.csv -o two --threads 1 >first.log 2>&1 & first=$!\n"
                  "while [ ! -e two/.slides ]; do sleep 0.02; done\n"
                  "\"$RANKMIL\" encode cohort/cohort.csv -o two --threads 1 >second.log 2>&1 & second=$!\n"
                  "sleep 0.3; kill -9 $first; wait $second");
    command_expect(&o, 0, "");
    expect_same("two");
}

/* A lock file without a process is nobody's. */
static void test_left(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_shell(&o, root, "mkdir -p left/.slides; touch left/.slides/slide_003.lock; \"$RANKMIL\" encode cohort/cohort.csv -o left -q");
    command_expect(&o, 0, "");
    expect_same("left");
    /* of a slide that is done, too, which nobody claims again */
    command_shell(&o, root, "mkdir -p left/.slides; touch left/.slides/slide_003.lock; \"$RANKMIL\" encode cohort/cohort.csv -o left -q");
    command_expect(&o, 0, "");
    expect_same("left");
}

static void test_other_options(void) {
    begin();
    g_auto(Outcome) o = {0};
    GError *error = NULL;
    g_autofree char *folder = g_build_filename(root, "terms", NULL);
    g_autoptr(RmilLock) lock = rmil_lock_share(folder, ".lock", "something else", "a test", NULL, &error);
    g_assert_no_error(error);
    g_autoptr(RmilLock) other = rmil_lock_share(folder, ".lock", "something else", "another", NULL, &error);
    g_assert_no_error(error);
    g_assert_null(rmil_lock_take(folder, ".lock", RMIL_LOCK_ALONE, "one alone", NULL, &error));
    test_error(&error, RMIL_ERROR_IO, "is in use by a test (process ");
    g_assert_null(rmil_lock_take(folder, ".lock", RMIL_LOCK_TRY, "one alone", NULL, &error));
    g_assert_no_error(error);
    command_run(&o, root, "encode", "cohort/cohort.csv", "-o", "terms", NULL);
    command_expect(&o, 1, "terms: is in use by a test (process ");
    command_expect(&o, 1, "with other options or another cohort");
    g_clear_pointer(&lock, rmil_lock_free);
    command_run(&o, root, "tile", "cohort/cohort.csv", "-o", "terms", NULL);
    command_expect(&o, 1, "with other options or another cohort");
    g_clear_pointer(&other, rmil_lock_free);
    command_run(&o, root, "tile", "cohort/cohort.csv", "-o", "terms", "-q", NULL);
    command_expect(&o, 0, "");
}

/* Two of the main job: one trains, the other finds it done. */
static void test_runs(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "for i in 1 2; do \"$RANKMIL\" run cohort/cohort.csv -o runs --epochs 2 --heatmaps 0 --methods abmil --threads 1 "
                  ">run$i.log 2>&1 & pids=\"$pids $!\"; done\n"
                  "for p in $pids; do wait $p || exit 1; done");
    command_expect(&o, 0, "");
    g_autofree char *a = test_bytes(root, "run1.log", NULL), *b = test_bytes(root, "run2.log", NULL);
    g_assert_cmpint(test_count(a, "train    1 made") + test_count(b, "train    1 made"), ==, 1);
    g_assert_cmpint(test_count(a, "train    0 made, 1 already there") + test_count(b, "train    0 made, 1 already there"), ==, 1);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/share/divided", test_divided);
    g_test_add_func("/cli/share/killed", test_killed);
    g_test_add_func("/cli/share/left", test_left);
    g_test_add_func("/cli/share/other-options", test_other_options);
    g_test_add_func("/cli/share/runs", test_runs);
    const int status = g_test_run();
    g_free(root);
    return status;
}
