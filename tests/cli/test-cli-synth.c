/* SPDX-License-Identifier: Apache-2.0 */
/* `rankmil synth`: cohorts without slides, and what is refused. */
#include "command.h"

#include <glib/gstdio.h>
#include <string.h>

static void test_features(void) {
    g_autofree char *folder = test_folder();
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "synth", "--features", "c", "--slides", "30", "--scale", "0.01", "--dim", "16", "--precision", "float32",
                "--seed", "4", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "c: 30 feature files"));
    command_run(&o, folder, "check", "c/cohort.csv", NULL);
    command_expect(&o, 0, "");
    command_run(&o, folder, "train", "c/cohort.csv", "-o", "run", "--guide", "rank", "--epochs", "2", NULL);
    command_expect(&o, 0, "");
    command_shell(&o, folder, "grep -c '^test_.*,test,' run/predictions.csv");
    g_assert_cmpstr(o.out, ==, "10\n");
    command_shell(&o, folder, "tail -n +2 run/localisation.csv | cut -d, -f1 | sort -u | wc -l"); /* annotated test slides */
    g_assert_cmpstr(o.out, ==, "4\n");
    command_run(&o, folder, "synth", "--features", "c", "--slides", "31", "--scale", "0.01", "--dim", "16", "--json", NULL);
    command_expect(&o, 1, "already exists but was made with other options (");
}

/* Each task from one command, as the rest of rankmil reads it. */
static void test_tasks(void) {
    static const struct {
        const char *arguments, *header, *said;
    } cases[] = {
        {"--classes 3 --patients 0.5 --sites 4", "id,features,label,split,tiles,lesion_tiles,patient,site",
         "classes: normal (negative), ductal, lobular"},
        {"--survival", "id,features,time,event,true_risk,split,tiles,lesion_tiles", "events and"},
        {"--number", "id,features,value,split,tiles,lesion_tiles", "30 with a value"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *folder = test_folder();
        g_auto(Outcome) o = {0};
        g_autofree char *script = g_strdup_printf("\"$RANKMIL\" synth c --features --slides 30 --scale 0.01 --dim 16 -q %s && "
                                                  "head -1 c/cohort.csv && \"$RANKMIL\" check c/cohort.csv 2>&1",
                                                  cases[i].arguments);
        command_shell(&o, folder, script);
        command_expect(&o, 0, "");
        g_assert_true(g_str_has_prefix(o.out, cases[i].header));
        g_assert_nonnull(strstr(o.out, cases[i].said));
        g_assert_nonnull(strstr(o.out, "nothing wrong was found"));
    }
}

static void test_usage(void) {
    g_autofree char *folder = test_folder();
    g_auto(Outcome) o = {0};
    static const struct {
        const char *arguments, *message;
        int status;
    } cases[] = {{"--features --width 900", "--width cannot be used with --features", 2},
                 {"--features --test 0.3", "--test cannot be used with --features", 2},
                 {"--mnist m --features", "--features cannot be used with --mnist", 2},
                 {"--mnist m --dim 9", "--dim cannot be used with --mnist", 2},
                 {"--mnist m --width 900", "--width cannot be used with --mnist", 2},
                 {"--mnist m --classes 3", "--classes cannot be used with --mnist", 2},
                 {"--mnist m --sites 3", "--sites cannot be used with --mnist", 2},
                 {"--mnist m", "m: has neither t10k-images-idx3-ubyte nor", 1},
                 {"--classes 3 --survival", "give only one of --classes, --survival and --number", 2},
                 {"--classes 3 --positive 0.5", "--positive cannot be used with --classes, --survival and --number", 2},
                 {"--survival --layout camelyon16", "--layout camelyon16: has only the labels 0 and 1: leave out the layout or the task", 1},
                 {"--features --classes 9", "--classes 9: must be 2 … ", 1},
                 {"--classes 0", "--classes must be 2 … 6", 2},
                 {"--patients -1", "--patients -1: must be 0 … 1", 1},
                 {"--classes 1", "--classes 1: must be 2 … ", 1},
                 {"--features --patients 2", "--patients 2: must be 0 … 1", 1},
                 {"--sites -1", "--sites -1: must be 0 … ", 1},
                 {"--features --positive 0.3", "--positive cannot be used with --features", 2},
                 {"--features --layout camelyon16", "--layout cannot be used with --features", 2},
                 {"--layout tcga", "no layout \"tcga\"; choose one of rankmil, camelyon16, digestpath", 1},
                 {"--scale 0.5", "--scale cannot be used without --features", 2},
                 {"--precision float32", "--precision cannot be used without --features", 2},
                 {"--features --precision double", "--precision must be float16 or float32", 2},
                 {"--features --scale 0", "--scale 0: must be", 1},
                 {"--features --slides 0", "together they must be 1", 1},
                 {"--features --slides 2000000", "together they must be 1", 1},
                 {"--features --difficulty -1", "--difficulty -1", 1},
                 {"--slides 0", "--slides 0: must be", 1}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *script = g_strdup_printf("\"$RANKMIL\" synth c %s", cases[i].arguments);
        command_shell(&o, folder, script);
        command_expect(&o, cases[i].status, cases[i].message);
    }
    g_autofree char *made = g_build_filename(folder, "c", NULL);
    g_assert_false(g_file_test(made, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/synth/features", test_features);
    g_test_add_func("/cli/synth/tasks", test_tasks);
    g_test_add_func("/cli/synth/usage", test_usage);
    return g_test_run();
}
