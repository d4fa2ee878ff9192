/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil study as a user starts it: kills, shards, plans by name, wrong input. */
#include "command.h"
#include "study/studies.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static const char plan[] = "study: threshold\nmethods: [rank, abmil]\nvalues: [0, 1, 2]\nseeds: 3\nsettings: {epochs: 20, warmup: 20}\n";

static char *make_plan(const char *root) { return test_file(root, "plan.yaml", plan); }

static char *cohort_path(void) { return g_build_filename(studies_cohort(), "cohort.csv", NULL); }

/* Starts the study, and kills it after some microseconds. FALSE: it had ended by then. */
static gboolean start_and_kill(const char *root, const char *folder, const char *threads, gulong after) {
    g_autofree char *program = g_build_filename(g_getenv("RMIL_BUILD"), "cli", "rankmil", NULL), *cohort = cohort_path();
    char *argv[] = {program,        (char *)"study", (char *)"plan.yaml", cohort,          (char *)"-o",
                    (char *)folder, (char *)"-q",    (char *)"--threads", (char *)threads, NULL};
    GPid pid;
    GError *error = NULL;
    int status;
    g_assert_true(g_spawn_async(root, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, &error));
    g_assert_no_error(error);
    g_usleep(after);
    kill(pid, SIGKILL);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    if (WIFSIGNALED(status)) return TRUE;
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return FALSE;
}

static void check_killed(const char *text, int most) {
    g_autofree char *root = test_folder(), *file = test_file(root, "plan.yaml", text), *cohort = cohort_path(),
                    *plain = g_build_filename(root, "plain", NULL);
    g_auto(Outcome) o = {0};
    command_run(&o, root, "study", "plan.yaml", cohort, "-o", "plain", "--threads", "1", NULL);
    command_expect(&o, 0, "");
    RmilRng rng;
    rmil_rng_init(&rng, 20, 0);
    int kills = 0, studies = 0;
    for (; kills < most || studies == 0; studies++) {
        g_autofree char *name = g_strdup_printf("killed-%d", studies), *folder = g_build_filename(root, name, NULL);
        gboolean killed = TRUE;
        while (killed && kills < most) {
            killed = start_and_kill(root, name, kills % 2 ? "3" : "1", (gulong)(20000 + rmil_rng_below(&rng, 400000)));
            kills += killed;
        }
        command_run(&o, root, "study", "plan.yaml", cohort, "-o", name, NULL);
        command_expect(&o, 0, "");
        studies_assert_same(plain, folder);
    }
    g_test_message("%d kills in %d studies", kills, studies);
}

static void test_killed(void) {
    check_killed(plan, 20);
    check_killed("study: comparison\nmethods: [rank, abmil]\nvary: [dropout, sampler]\nvalues: [[0, 0.5], [shuffle, balanced]]\n"
                 "seeds: 2\nsettings: {epochs: 20, warmup: 20}\n",
                 6);
}

/* Any plan can be made to vary something else. */
static void test_vary(void) {
    g_autofree char *root = test_folder(), *cohort = cohort_path();
    g_auto(Outcome) o = {0};
    for (int list = 0; list < 2; list++) {
        command_run(&o, root, "study", "comparison", cohort, "-o", "grid", "--set", "methods=rank", "--set", "seeds=1", "--set", "epochs=1",
                    "--set", "vary=[learning-rate, sampler]", "--set", "values=[[1e-4, 0.001], [shuffle, balanced]]",
                    list ? "--list" : NULL, NULL);
        command_expect(&o, 0, "");
    }
    g_assert_nonnull(strstr(o.out, "done  rank, learning-rate 0.001, sampler shuffle, seed 0"));
    g_assert_nonnull(strstr(o.out, "4 done, 0 left"));
}

static void test_shards(void) {
    g_autofree char *root = test_folder(), *file = make_plan(root), *cohort = cohort_path();
    g_autofree char *whole = g_build_filename(root, "whole", NULL), *shards = g_build_filename(root, "shards", NULL);
    g_auto(Outcome) o = {0};
    command_run(&o, root, "study", "plan.yaml", cohort, "-o", "whole", "--set", "epochs=2", "--threads", "2", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "18 runs made, 0 already there, 0 left"));
    g_autofree char *named = test_file(root, "cohort", cohort);
    command_shell(&o, root,
                  "\"$RANKMIL\" study plan.yaml \"$(cat cohort)\" -o shards --set epochs=2 --shard 1/2 &"
                  "\"$RANKMIL\" study plan.yaml \"$(cat cohort)\" -o shards --set epochs=2 --shard 2/2; s=$?; wait $! && exit $s");
    command_expect(&o, 0, "");
    studies_assert_same(whole, shards);
    command_run(&o, root, "study", "plan.yaml", cohort, "-o", "shards", "--list", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "done  abmil, threshold 2, seed 2"));
    g_assert_nonnull(strstr(o.out, "18 done, 0 left"));
    command_run(&o, root, "study", "plan.yaml", cohort, "-o", "new", "--list", "--json", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "\"left\" : 18"));
    g_autofree char *new = g_build_filename(root, "new", NULL);
    g_assert_false(g_file_test(new, G_FILE_TEST_EXISTS)); /* looking makes nothing */
}

static void test_granularity(void) {
    g_autofree char *root = test_folder(), *cohort = cohort_path();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "study", "granularity", cohort, "-o", "grown", "--set", "epochs=1", "--set", "seeds=1", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "12 runs made"));
}

static void test_slurm(void) {
    g_autofree char *root = test_folder(), *file = make_plan(root);
    g_auto(Outcome) o = {0};
    command_run(&o, root, "study", "plan.yaml", "it's a cohort.csv", "-o", "out", "--slurm", "3", "--set", "seeds=2",
                "--sbatch=--partition=long --mem=32G", NULL);
    command_expect(&o, 0, "");
    /* what it would submit, with an sbatch that shows its arguments; and what a shard would run */
    g_autofree char *fake = test_file(root, "sbatch", "#!/bin/sh\necho \"sbatch $*\" >&2\necho 7\n");
    g_assert_cmpint(g_chmod(fake, 0755), ==, 0);
    command_shell(&o, root, "PATH=\"$PWD:$PATH\" sh out/study.slurm && sh -n out/study.slurm");
    command_expect(&o, 0, "--dependency=afterany:7 --array=1-3 --requeue --parsable");
    g_assert_nonnull(strstr(o.err, " --partition=long --mem=32G "));
    g_assert_nonnull(strstr(o.out, "submitted: stages 7, shards 7, report 7"));
    command_shell(&o, root, "SLURM_ARRAY_TASK_ID=4 sh out/study.slurm shard");
    command_expect(&o, 2, "--shard \"4/3\": give I/N with I from 1 to N");
    command_shell(&o, root, "SLURM_ARRAY_TASK_ID=2 sh out/study.slurm shard");
    command_expect(&o, 1, "it's a cohort.csv");
}

/* A folder's name is never a command, nor one of Slurm's patterns. */
static void test_slurm_folder(void) {
    g_autofree char *root = test_folder(), *file = make_plan(root);
    g_auto(Outcome) o = {0};
    const char *folder = "50%j `touch injected`\ntouch injected\n$(touch injected)#";
    command_run(&o, root, "study", "plan.yaml", "cohort.csv", "-o", folder, "--slurm", "2", NULL);
    command_expect(&o, 0, "");
    g_autofree char *fake = test_file(root, "sbatch", "#!/bin/sh\nprintf '%s|' \"$@\" >&2\necho 7\n"),
                    *script = g_build_filename(root, folder, "study.slurm", NULL);
    g_assert_cmpint(g_chmod(fake, 0755), ==, 0);
    g_autofree char *quoted = g_shell_quote(script), *run = g_strconcat("PATH=\"$PWD:$PATH\" sh ", quoted, "; test ! -e injected", NULL);
    command_shell(&o, root, run);
    command_expect(&o, 0, "/50%%j `touch injected`\ntouch injected\n$(touch injected)#/slurm-%x-%j.log|");
}

/* Under a real Slurm, when RMIL_TEST_SLURM is set: it submits jobs, which no test should do unasked. */
static void test_slurm_real(void) {
    if (!g_getenv("RMIL_TEST_SLURM")) return g_test_skip("RMIL_TEST_SLURM is not set");
    g_autofree char *root = test_folder(), *file = make_plan(root), *cohort = cohort_path();
    g_autofree char *plain = g_build_filename(root, "plain", NULL), *cluster = g_build_filename(root, "cluster", NULL);
    g_auto(Outcome) o = {0};
    command_run(&o, root, "study", "plan.yaml", cohort, "-o", "plain", "--set", "epochs=2", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "study", "plan.yaml", cohort, "-o", "cluster", "--set", "epochs=2", "--slurm", "3", "--sbatch",
                g_getenv("RMIL_TEST_SLURM"), NULL);
    command_expect(&o, 0, "");
    command_shell(&o, root,
                  "sh cluster/study.slurm && for i in $(seq 600); do"
                  " [ -n \"$(squeue -h --me --name=rankmil-stages,rankmil-study,rankmil-report)\" ] || exit 0; sleep 0.5; done; exit 9");
    command_expect(&o, 0, "");
    studies_assert_same(plain, cluster);
    g_autofree char *shard = g_build_filename(cluster, "shards", "3-of-3.sqlite", NULL),
                    *report = g_build_filename(cluster, "report.html", NULL);
    g_assert_true(g_file_test(shard, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(report, G_FILE_TEST_EXISTS));
}

/* A slide that cannot be opened, in a cohort whose divisions a file fixes: it is told and left out, the study goes on. */
static void test_broken_slide(void) {
    g_autofree char *root = test_folder(), *path = cohort_path();
    g_autofree char *plan_file = test_file(root, "plan.yaml",
                                           "study: comparison\nmethods: [abmil, rank]\nreference: rank\nsplits: splits.csv\n"
                                           "settings: {epochs: 1, warmup: 1}\n");
    g_autofree char *slide = test_file(root, "broken.svs", "no slide");
    g_autoptr(GString) table = g_string_new("id,slide,features,label\nbroken,broken.svs,,1\n"),
                       splits = g_string_new("id,fixed\nbroken,train\n");
    GError *error = NULL;
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i];
        g_string_append_printf(table, "%s,,%s,%d\n", row->id, row->features, row->target.label);
        g_string_append_printf(splits, "%s,%s\n", row->id, row->split == RMIL_SPLIT_TEST ? "test" : i % 3 ? "train" : "val");
    }
    g_autofree char *cohort_file = test_file(root, "cohort.csv", table->str), *split_file = test_file(root, "splits.csv", splits->str);
    g_auto(Outcome) o = {0};
    for (int again = 0; again < 2; again++) {
        command_run(&o, root, "study", "plan.yaml", "cohort.csv", "-o", "study", NULL);
        command_expect(&o, 1, "broken.svs");
        g_assert_nonnull(strstr(o.out, again ? "0 runs made, 2 already there, 0 left" : "2 runs made, 0 already there, 0 left"));
    }
    /* the report again, from the record alone, elsewhere */
    command_run(&o, root, "report", "study", "-o", "elsewhere.html", NULL);
    command_expect(&o, 0, "");
    g_autofree char *report = g_build_filename(root, "elsewhere.html", NULL), *page = NULL;
    g_assert_true(g_file_get_contents(report, &page, NULL, NULL));
    g_assert_nonnull(strstr(page, "Rank induction"));
}

/* Features that could not be read when the study began, and then can be: all is trained on all slides, as if they had always been there; and
 * the other way round nothing is lost. */
static void test_returned(void) {
    g_autofree char *root = test_folder(), *path = cohort_path(), *late = test_file(root, "late.h5", "no features"), *good = NULL;
    g_autofree char *plan_file = test_file(root, "plan.yaml",
                                           "study: comparison\nmethods: [abmil]\nreference: abmil\nseeds: 2\n"
                                           "settings: {epochs: 2, warmup: 1}\n");
    g_autoptr(GString) table = g_string_new("id,features,label,split\n");
    GError *error = NULL;
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i];
        if (!good && row->split != RMIL_SPLIT_TEST) good = g_strdup(row->features);
        g_string_append_printf(table, "%s,%s,%d,%s\n", row->id, good && strcmp(good, row->features) == 0 ? "late.h5" : row->features,
                               row->target.label, rmil_split_name(row->split));
    }
    g_autofree char *cohort_file = test_file(root, "cohort.csv", table->str), *repair = g_strdup_printf("cp '%s' late.h5", good),
                    *damage = g_strdup("echo no features > late.h5"), *plain = g_build_filename(root, "plain", NULL),
                    *folder = g_build_filename(root, "study", NULL);
    g_auto(Outcome) o = {0};
    command_run(&o, root, "study", "plan.yaml", "cohort.csv", "-o", "study", NULL);
    command_expect(&o, 1, "late.h5");
    command_shell(&o, root, repair);
    command_run(&o, root, "study", "plan.yaml", "cohort.csv", "-o", "study", NULL);
    command_expect(&o, 0, "it is trained again on all slides");
    g_assert_nonnull(strstr(o.out, "2 runs made, 0 already there, 0 left"));
    command_run(&o, root, "study", "plan.yaml", "cohort.csv", "-o", "study", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "0 runs made, 2 already there, 0 left"));
    command_run(&o, root, "study", "plan.yaml", "cohort.csv", "-o", "plain", NULL);
    command_expect(&o, 0, "");
    studies_assert_same(plain, folder);
    command_shell(&o, root, damage);
    command_run(&o, root, "study", "plan.yaml", "cohort.csv", "-o", "study", NULL);
    command_expect(&o, 1, "contains runs on slides that cannot be read now");
}

static void test_wrong(void) {
    g_autofree char *root = test_folder(), *file = make_plan(root), *cohort = cohort_path();
    g_autofree char *broken = test_file(root, "broken.yaml", "study: comparison\nmethods: [rank]\nsettings:\n  epochs: x\n");
    static const struct {
        const char *arguments, *said;
        int status;
    } cases[] = {
        {"plan.yaml", "usage: rankmil study PLAN COHORT -o DIR", 2},
        {"plan.yaml C", "-o DIR is required", 2},
        {"nothing C -o o", "nothing: no such file; the plans that come with rankmil are annotate-next,", 1},
        {"broken.yaml C -o o", "broken.yaml: line 4: epochs is \"x\"; it must be a whole number in 1 … 1000000", 1},
        {"plan.yaml missing.csv -o o", "missing.csv", 1},
        {"plan.yaml C -o o --shard 3/2", "--shard \"3/2\"", 2},
        {"plan.yaml C -o o --shard 1", "--shard \"1\"", 2},
        {"plan.yaml C -o o --set values=x", "--set values=x: threshold is \"x\"; it must be a number in 0 … 1000000000", 1},
        {"plan.yaml C -o o --set vary=sigma", "--set vary=sigma: a study of the kind threshold always varies threshold", 1},
        {"comparison C -o o --set vary=sigma --set values=-1", "--set values=-1: sigma is -1; it must be in 1e-06 … 1000000", 1},
        {"plan.yaml C -o o --set splits=missing.csv", "missing.csv: cannot be opened", 1},
        {"plan.yaml C -o o --slurm=-1", "--slurm must be 1 … 100000", 2},
        {"plan.yaml C -o o --memory much --set epochs=1", "--memory is \"much\"; it must be a size such as 4G", 1},
        {"plan.yaml C -o plan.yaml", "plan.yaml", 1},
    };
    g_auto(Outcome) o = {0};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) parts = g_strsplit(cases[i].arguments, "C", 2);
        g_autofree char *script = parts[1] ? g_strdup_printf("exec \"$RANKMIL\" study %s'%s'%s", parts[0], cohort, parts[1])
                                           : g_strdup_printf("exec \"$RANKMIL\" study %s", cases[i].arguments);
        command_shell(&o, root, script);
        command_expect(&o, cases[i].status, cases[i].said);
    }
    /* a folder with a study of another kind, and one of another cohort */
    command_run(&o, root, "study", "comparison", cohort, "-o", "one", "--set", "methods=abmil", "--set", "reference=abmil", "--set",
                "seeds=1", "--set", "epochs=1", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "study", "plan.yaml", cohort, "-o", "one", NULL);
    command_expect(&o, 1, "study.sqlite: contains runs of another kind of study (");
    /* 'rankmil run' there is refused before it writes anything */
    command_run(&o, root, "run", cohort, "-o", "one", NULL);
    command_expect(&o, 1, "study.sqlite: contains runs of another kind of study (comparison, not run)");
    g_autofree char *written = g_build_filename(root, "one", "run.json", NULL);
    g_assert_false(g_file_test(written, G_FILE_TEST_EXISTS));
    command_run(&o, root, "evaluate", "one", NULL);
    command_expect(&o, 1, "one: is the folder of a study (comparison), whose trainings have no folders of their own");
}

/* Patches are annotated or not, whatever the task: of them the page speaks in words of two classes. */
static void cut_patches(char *page) {
    char *from = strstr(page, "<h3>Patches and lesions</h3>"), *to = from ? strstr(from, "</section>") : NULL;
    g_assert_nonnull(to);
    memmove(from, to, strlen(to) + 1);
}

/* What a page says of each task: its measures in figures and tables, and no words of two classes. */
static void test_tasks(void) {
    static const struct {
        const char *target, *columns, *says[4], *not [2];
    } tasks[] = {
        {"classes",
         "class",
         {"highest mean AUROC, macro", "Accuracy of every training by method", "annotated test slides", "probabilities averaged"},
         {"Average precision", "positive"}},
        {"survival",
         "time,event",
         {"highest mean C-index", "Uno’s C of every training by method", "annotated test slides", "predictions averaged"},
         {"AUROC", "positive"}},
        {"value",
         "value",
         {"highest mean R²", "Mean absolute error of every training by method", "annotated test slides", "predictions averaged"},
         {"AUROC", "positive"}},
        {"patients", "class", {"One case is a patient", "AUROC, macro of every training by method"}, {"The same slides under each method"}},
    };
    g_autofree char *root = test_folder(), *cohort = cohort_path(), *named = test_file(root, "cohort", cohort);
    g_auto(Outcome) o = {0};
    for (gsize t = 0; t < G_N_ELEMENTS(tasks); t++) {
        const gboolean classes = g_str_has_prefix(tasks[t].columns, "class");
        g_autofree char *command = g_strdup_printf(
            "set -e\nfolder=$(dirname \"$(cat cohort)\")\n"
            "awk -F, -v OFS=, -v folder=\"$folder\" -v columns=%s 'NR == 1 { print \"id,features,split,patient,\" columns; next }"
            " { n = $3 ? 1 + c++ %% 2 : 0; last = columns == \"label\" ? n : columns == \"value\" ? n + NR / 10 : (NR %% 7 + 1) \",\" NR %% 3 "
            "%% 2;"
            " print $1, folder \"/\" $2, $4, int(NR / 2) \"of\" n, last }' \"$(cat cohort)\" > %s.csv\n"
            "\"$RANKMIL\" study comparison %s.csv -o %s -q --set methods=rank,clam-mb --set seeds=2 --set epochs=1 %s 2>/dev/null",
            classes ? "label" : tasks[t].columns, tasks[t].target, tasks[t].target, tasks[t].target,
            strcmp(tasks[t].target, "patients") == 0 ? "--set bag=patient" : "");
        command_shell(&o, root, command);
        command_expect(&o, 0, "");
        g_autofree char *below = g_build_filename(tasks[t].target, "report.html", NULL);
        gsize size;
        g_autofree char *page = test_bytes(root, below, &size), *text = g_strndup(page, size);
        cut_patches(text);
        for (gsize i = 0; i < G_N_ELEMENTS(tasks[t].says) && tasks[t].says[i]; i++) {
            g_test_message("%s: %s", tasks[t].target, tasks[t].says[i]);
            g_assert_nonnull(strstr(text, tasks[t].says[i]));
        }
        for (gsize i = 0; i < G_N_ELEMENTS(tasks[t].not ) && tasks[t].not [i]; i++) {
            g_test_message("%s: not %s", tasks[t].target, tasks[t].not [i]);
            g_assert_null(strstr(text, tasks[t].not [i]));
        }
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli-study/killed", test_killed);
    g_test_add_func("/cli-study/vary", test_vary);
    g_test_add_func("/cli-study/shards", test_shards);
    g_test_add_func("/cli-study/granularity", test_granularity);
    g_test_add_func("/cli-study/slurm", test_slurm);
    g_test_add_func("/cli-study/slurm-folder", test_slurm_folder);
    g_test_add_func("/cli-study/slurm-real", test_slurm_real);
    g_test_add_func("/cli-study/broken-slide", test_broken_slide);
    g_test_add_func("/cli-study/returned", test_returned);
    g_test_add_func("/cli-study/wrong", test_wrong);
    g_test_add_func("/cli-study/tasks", test_tasks);
    return g_test_run();
}
