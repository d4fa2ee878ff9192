/* SPDX-License-Identifier: Apache-2.0 */
/* When the machine gives no more: memory, address space, threads. One clear message and status 1, or the same result by fewer. */
#include "command.h"

#include <string.h>

#ifdef RMIL_ASAN
#define PLAIN FALSE /* its own allocator, and terabytes of address space */
#else
#define PLAIN TRUE
#endif

static char *root; /* holds s/, a cohort of one slide, and f/, feature files */

static void make_inputs(void) {
    if (root) return;
    root = test_folder();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "synth", "s", "--slides", "1", "--width", "700", "--height", "600", "-q", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "synth", "f", "--features", "--slides", "30", "--scale", "0.01", "--dim", "16", "-q", NULL);
    command_expect(&o, 0, "");
}

static void run_refused(Outcome *o, const char *what, const char *command) {
    g_autofree char *library = g_build_filename(g_getenv("RMIL_BUILD"), "tests", "cli", "libfail.so", NULL);
    g_autofree char *script = g_strdup_printf("rm -rf o; RMIL_FAIL=%s LD_PRELOAD=%s \"$RANKMIL\" %s", what, library, command);
    command_shell(o, root, script);
}

static void test_memory(void) {
    if (!PLAIN) {
        g_test_skip("the sanitizer has its own allocator");
        return;
    }
    make_inputs();
    int failed = 0;
    for (int n = 1; n <= 30; n++) { /* ours, OpenSlide's, libvips' */
        g_auto(Outcome) o = {0};
        g_autofree char *what = g_strdup_printf("malloc:%d:262144", n);
        run_refused(&o, what, "encode s/cohort.csv -o o -q --threads 1");
        if (o.status == 0) continue;
        command_expect(&o, 1, "memory");
        failed++;
    }
    g_assert_cmpint(failed, >, 10);
}

static void test_threads(void) {
    if (!PLAIN) {
        g_test_skip("the sanitizer makes threads of its own");
        return;
    }
    make_inputs();
    g_auto(Outcome) o = {0};
    char *expected = NULL;
    for (int n = 0; n < 4; n++) {
        g_autofree char *what = g_strdup_printf("thread:%d", n ? n : 1000000),
                        *path = g_build_filename(root, "o", "model.safetensors", NULL);
        run_refused(&o, what, "train f/cohort.csv -o o --epochs 2 --hidden 6 --threads 3 -q");
        command_expect(&o, 0, "");
        char *model = NULL;
        gsize size;
        g_assert_true(g_file_get_contents(path, &model, &size, NULL));
        g_assert_true(!expected || memcmp(model, expected, size) == 0);
        g_free(expected);
        expected = model;
    }
    g_free(expected);
    run_refused(&o, "thread:1", "tile s/cohort.csv -o o --threads 3 -q"); /* libvips draws by a thread of its own */
    command_expect(&o, 1, "Error creating thread");
}

/* Every thread takes address space; libraries write through what they did not get. */
static void test_space(void) {
    if (!PLAIN) {
        g_test_skip("the sanitizer takes terabytes of address space");
        return;
    }
    make_inputs();
    g_auto(Outcome) o = {0};
    const int limits[] = {300000, 360000, 450000};
    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
        g_autofree char *script = g_strdup_printf("rm -rf o; ulimit -v %d; \"$RANKMIL\" train f/cohort.csv -o o --epochs 2 --threads 16 -q",
                                                  limits[i]);
        command_shell(&o, root, script);
        if (o.status != 1) command_expect(&o, 0, "MiB on address space (ulimit -v) allows only");
    }
}

/* What a process leaves that is killed between its last product and the removal of what it worked with, is gone after the same
 * command has run to its end. */
static void test_leftovers(void) {
    make_inputs();
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "rm -rf o; \"$RANKMIL\" encode s/cohort.csv -o o -q && touch o/features/slide_001.h5.partial && "
                  "\"$RANKMIL\" encode s/cohort.csv -o o -q && ls o/features");
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.out, ==, "slide_001.h5\n");
    command_shell(
        &o, root,
        "rm -rf o; t() { \"$RANKMIL\" train f/cohort.csv -o o --epochs 2 --hidden 6 -q; }; t && mkdir o/checkpoints && touch o/checkpoints/0123 && t && ls o");
    command_expect(&o, 0, "");
    g_assert_null(strstr(o.out, "checkpoint"));
    g_assert_nonnull(strstr(o.out, "model.safetensors"));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/limits/memory", test_memory);
    g_test_add_func("/cli/limits/threads", test_threads);
    g_test_add_func("/cli/limits/space", test_space);
    g_test_add_func("/cli/limits/leftovers", test_leftovers);
    int status = g_test_run();
    g_free(root);
    return status;
}
