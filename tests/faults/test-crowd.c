/* SPDX-License-Identifier: Apache-2.0 */
/* Two and four processes of one command in one folder at once: each does its part, waits, or says that another has it; together they leave
 * what one leaves. RMIL_CROWDS=N: so many times each instead of once. */
#include "trial.h"

#include <string.h>

static const TrialCommand commands[] = {
    {"tile", "tile ../base/slides/cohort.csv -o out", {"out/tiles/*.h5"}},
    {"encode", "encode ../base/slides/cohort.csv -o out", {"out/features/*.h5", "out/tiles/*.h5", "out/cohort.csv"}},
    {"label", "label ../base/slides/cohort.csv -o out", {"out/labels/*.h5"}},
    {"train",
     "train ../base/features/cohort.csv -o out --guide rank --epochs 10 --warmup 1",
     {"out/model.safetensors", "out/predictions.csv", "out/history.csv"}},
    {"run",
     "run ../base/cohort/cohort.csv -o out --methods abmil,rank --repeats 2 --heatmaps 1 --epochs 4 --warmup 1",
     {"out/runs/*/*/model.safetensors", "out/runs/*/*/*.csv", "out/features/*.h5"}},
    {"study",
     "study learning-rate ../base/features/cohort.csv -o out --set seeds=2 --set epochs=4 --set warmup=1 --set values=[[0.001],[0.01]]",
     {"out/tables/*.csv"}},
    {"predict", "predict ../base/run ../base/features/features -o out", {"out/patches/*.csv"}},
    {"convert features", "convert ../base/features/features out --to clam", {"out/h5_files/*.h5", "out/*.h5"}},
};

typedef struct {
    int done, refused;
} Ended;

/* All at once, or one after the other by as many milliseconds; what they say goes to 1.log … */
static Ended crowd(const TrialCommand *command, const char *folder, int processes, int apart) {
    g_autofree char *script = trial_script(command, "");
    g_autofree char *whole = g_strdup_printf(
        "for i in $(seq %d); do (%s) >$i.log 2>&1 & pids=\"$pids $!\"; sleep 0.%03d; done; for p in $pids; do wait $p; echo $?; done",
        processes, script, apart);
    g_auto(Outcome) outcome = {0};
    Ended ended = {0};
    command_shell(&outcome, folder, whole);
    g_auto(GStrv) lines = g_strsplit(g_strstrip(outcome.out), "\n", -1);
    for (int i = 0; lines[i]; i++) {
        g_autofree char *name = g_strdup_printf("%d.log", i + 1), *log = test_bytes(folder, name, NULL);
        const gboolean refused = strcmp(lines[i], "1") == 0 && strstr(log, "in use by");
        if (strcmp(lines[i], "0") != 0 && !refused)
            g_error("%s, process %d of %d: status %s\n%s", command->name, i + 1, processes, lines[i], log);
        ended.refused += refused;
        ended.done += !refused;
    }
    g_assert_cmpint(ended.done + ended.refused, ==, processes);
    g_assert_cmpint(ended.done, >, 0);
    return ended;
}

static void test_command(gconstpointer user) {
    const TrialCommand *command = user;
    const int times = trial_places("RMIL_CROWDS", 1);
    g_autofree char *expected = trial_expected(command, NULL);
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    for (int processes = 2; processes <= 4; processes += 2) {
        Ended all = {0};
        for (int i = 0; i < times; i++) {
            g_autofree char *folder = trial_folder();
            const Ended ended = crowd(command, folder, processes, i ? (int)rmil_rng_below(&rng, 200) : 0);
            g_autofree char *made = trial_describe(command, folder);
            if (strcmp(made, expected) != 0) g_error("%s, %d processes:\n%s\ninstead of\n%s", command->name, processes, made, expected);
            all.done += ended.done, all.refused += ended.refused;
            trial_forget(folder);
        }
        g_test_message("%s, %d processes, %d times: %d did their part, %d said who has the folder", command->name, processes, times,
                       all.done, all.refused);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    trial_begin();
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *name = g_strdelimit(g_strdup_printf("/crowd/%s", commands[i].name), " ", '-');
        g_test_add_data_func(name, &commands[i], test_command);
    }
    const int status = g_test_run();
    trial_end();
    return status;
}
