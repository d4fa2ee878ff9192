/* SPDX-License-Identifier: Apache-2.0 */
/* Every command, while one call of the system fails: the command ends with a message or does its work, never with a signal (but where it is
 * killed); status 0 means
 * that all is there; and run again it makes what it would have made. RMIL_FAULTS=N tries N places of each kind instead of 1. */
#include "cli/command.h"

#include <glib/gstdio.h>
#include <string.h>

static const struct {
    const char *name, *arguments; /* in a new folder beside the base's */
    const char *results[3];       /* patterns below it */
} commands[] = {
    {"check", "check ../base/slides/cohort.csv", {NULL}},
    {"tile", "tile ../base/slides/cohort.csv -o out", {"out/tiles/*.h5"}},
    {"encode", "encode ../base/slides/cohort.csv -o out", {"out/features/*.h5", "out/cohort.csv"}},
    {"label", "label ../base/slides/cohort.csv -o out", {"out/labels/*.h5"}},
    {"train",
     "train ../base/features/cohort.csv -o out --guide rank --epochs 2 --warmup 1",
     {"out/model.safetensors", "out/predictions.csv", "out/history.csv"}},
    {"run",
     "run ../base/features/cohort.csv -o out --methods rank --repeats 1 --epochs 2 --warmup 1",
     {"out/runs/rank/0/model.safetensors", "out/runs/rank/0/predictions.csv", "out/cohort.csv"}},
    {"study",
     "study learning-rate ../base/features/cohort.csv -o out --set seeds=1 --set epochs=1 --set warmup=1 --set values=[[0.001],[0.01]]",
     {"out/tables/*.csv"}},
    {"predict", "predict ../base/run ../base/features/features -o out", {"out/patches/*.csv"}},
    {"convert a model", "convert ../base/run/runs/rank/0/model.safetensors out/model.onnx", {"out/model.onnx"}},
    {"convert features", "convert ../base/features/features out --to clam", {"out/h5_files/*.h5", "out/*.h5"}},
    {"synth", "synth out --features --slides 6 --scale 0.005 --dim 8", {"out/features/*.h5", "out/cohort.csv"}},
};

static const char *const faults[] = {"allocate:ENOMEM", "write:ENOSPC:from", "write:EIO",  "write:SHORT", "write:EINTR",
                                     "read:EIO",        "read:SHORT",        "read:EINTR", "open:EMFILE", "open:EIO",
                                     "sync:EIO",        "rename:EIO",        "write:KILL", "rename:KILL"};
enum { COMMANDS = G_N_ELEMENTS(commands), FAULTS = G_N_ELEMENTS(faults) };

static char *base; /* holds base/ and the folders of trials */

/* -- results ----------------------------------------------------------------------------------------------------------------------- */
/* Names and digests of what matches, and names of everything else, so that leftovers show. models/ of a record keeps what was trained
 * when a slide could not be read. Free with g_free. */
static char *describe(const char *where, int command) {
    g_autoptr(GString) script = g_string_new("find out -type f 2>/dev/null | grep -v -e '\\.lock$' -e ^out/models/ | LC_ALL=C sort; cat ");
    for (int i = 0; i < 3 && commands[command].results[i]; i++) g_string_append_printf(script, "%s ", commands[command].results[i]);
    g_string_append(script, "/dev/null | sha256sum");
    g_auto(Outcome) outcome = {0};
    command_shell(&outcome, where, script->str);
    return g_steal_pointer(&outcome.out);
}

/* -- one trial ---------------------------------------------------------------------------------------------------------------------- */
static void run(Outcome *outcome, const char *where, int command, const char *fault, const char *count) {
    g_autoptr(GString) script = g_string_new(NULL);
    if (fault)
        g_string_append_printf(script, "RMIL_FAULT=%s RMIL_FAULT_COUNT=%s LD_PRELOAD=%s ", fault, count ? count : "",
                               g_getenv("RMIL_FAULT_SHIM"));
    g_string_append_printf(script, "exec \"$RANKMIL\" %s --threads 2 -q", commands[command].arguments);
    command_shell(outcome, where, script->str);
}

static char *new_folder(const char *name) {
    char *path = g_build_filename(base, name, NULL);
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    return path;
}

static void forget_folder(const char *path) {
    g_auto(Outcome) outcome = {0};
    g_autofree char *script = g_strdup_printf("rm -rf '%s'", path);
    command_shell(&outcome, base, script);
}

typedef struct {
    char *expected;    /* describe() of an undisturbed run */
    int64_t calls;     /* of the fault's kind */
    int trials, ended; /* with a message */
    int command, fault;
} Pair;

/* "write:ENOSPC:from" and 17: "write:ENOSPC:from17". */
static char *fault_at(int fault, int64_t n) {
    const gboolean from = g_str_has_suffix(faults[fault], ":from");
    return g_strdup_printf("%s%s%" G_GINT64_FORMAT, faults[fault], from ? "" : ":", n);
}

static void try_place(Pair *pair, int64_t n) {
    g_autofree char *fault = fault_at(pair->fault, n), *where = new_folder("trial");
    g_auto(Outcome) outcome = {0};
    run(&outcome, where, pair->command, fault, NULL);
    const gboolean killed = strstr(fault, "KILL") && outcome.status == -1;
    if (outcome.status != 0 && outcome.status != 1 && !killed)
        g_error("%s, %s: status %d\n%s", commands[pair->command].name, fault, outcome.status, outcome.err);
    if (outcome.status == 1 && !strstr(outcome.err, "rankmil"))
        g_error("%s, %s: status 1 without a word\n%s", commands[pair->command].name, fault, outcome.err);
    if (outcome.status == 0) {
        g_autofree char *made = describe(where, pair->command);
        if (strcmp(made, pair->expected) != 0)
            g_error("%s, %s: status 0, but\n%s\ninstead of\n%s\n%s", commands[pair->command].name, fault, made, pair->expected,
                    outcome.err);
    }
    pair->trials++;
    pair->ended += outcome.status != 0;
    run(&outcome, where, pair->command, NULL, NULL);
    /* a study that began without a slide that could not be read is of other data: docs/reliability.md */
    if (outcome.status == 1 && strstr(outcome.err, "contains runs of another cohort, or its features or labels have changed, or an "
                                                   "earlier build of rankmil started it: choose another folder (its results can "
                                                   "still be reported)")) {
        forget_folder(where);
        return;
    }
    g_autofree char *again = describe(where, pair->command);
    if (outcome.status != 0 || strcmp(again, pair->expected) != 0)
        g_error("%s, run again after %s: status %d\n%s\ninstead of\n%s\n%s", commands[pair->command].name, fault, outcome.status, again,
                pair->expected, outcome.err);
    forget_folder(where);
}

static int64_t count_calls(int command, int fault) {
    g_autofree char *none = fault_at(fault, 0), *where = new_folder("trial"), *count = g_build_filename(base, "count", NULL), *text = NULL;
    g_auto(Outcome) outcome = {0};
    run(&outcome, where, command, none, count);
    command_expect(&outcome, 0, "");
    g_assert_true(g_file_get_contents(count, &text, NULL, NULL));
    forget_folder(where);
    return g_ascii_strtoll(text, NULL, 10);
}

static void test_command(gconstpointer user) {
    const int command = GPOINTER_TO_INT(user);
    const int places = g_getenv("RMIL_FAULTS") ? (int)g_ascii_strtoll(g_getenv("RMIL_FAULTS"), NULL, 10) : 1;
    g_autofree char *where = new_folder("trial");
    g_auto(Outcome) outcome = {0};
    run(&outcome, where, command, NULL, NULL);
    command_expect(&outcome, 0, "");
    g_autofree char *expected = describe(where, command);
    forget_folder(where);
    RmilRng rng;
    rmil_rng_init(&rng, 1, (uint64_t)command);
    for (int fault = 0; fault < FAULTS; fault++) {
        Pair pair = {.expected = expected, .command = command, .fault = fault, .calls = count_calls(command, fault)};
        for (int i = 0; i < places && pair.calls > 0; i++) try_place(&pair, 1 + rmil_rng_below(&rng, pair.calls));
        g_test_message("%s, %s: %" G_GINT64_FORMAT " calls, %d trials, %d ended the command", commands[command].name, faults[fault],
                       pair.calls, pair.trials, pair.ended);
    }
}

static void make_base(void) {
    g_auto(Outcome) outcome = {0};
    command_shell(&outcome, base,
                  "set -e; mkdir base; cd base; \"$RANKMIL\" synth slides --slides 4 --width 640 --height 560 --test 0.5 -q; "
                  "\"$RANKMIL\" synth features --features --slides 16 --scale 0.005 --dim 8 --difficulty 0.1 -q; "
                  "\"$RANKMIL\" run features/cohort.csv -o run --methods rank --repeats 1 --epochs 2 --warmup 1 -q");
    command_expect(&outcome, 0, "");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
#ifdef __SANITIZE_ADDRESS__
    g_test_message("the shim cannot come before the sanitizer's own");
    return g_test_run();
#endif
    base = test_folder();
    make_base();
    for (int i = 0; i < COMMANDS; i++) {
        g_autofree char *name = g_strdelimit(g_strdup_printf("/faults/%s", commands[i].name), " ", '-');
        g_test_add_data_func(name, GINT_TO_POINTER(i), test_command);
    }
    const int status = g_test_run();
    g_free(base);
    return status;
}
