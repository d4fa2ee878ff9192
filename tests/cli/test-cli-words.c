/* SPDX-License-Identifier: Apache-2.0 */
/* What a user reads: it says what is so, what it means and what to do next. */
#include "command.h"

#include "bag/make.h"

#include <glib/gstdio.h>
#include <string.h>

static char *root;

static void begin(void) {
    if (root) return;
    root = test_folder();
    make_bag_files(root, 3);
    g_autoptr(GString) text = g_string_new("id,features,label\n"), splits = g_string_new("id,fold 1,fold 2,fold 3\n");
    for (int i = 0; i < 12; i++) {
        static const char *const sets[] = {"train", "val", "test"};
        g_string_append_printf(text, "s%d,f%d.h5,%d\n", i, i, i % 2);
        g_string_append_printf(splits, "s%d", i);
        for (int k = 0; k < 3; k++) g_string_append_printf(splits, ",%s", sets[(i / 2 + k) % 3]);
        g_string_append_c(splits, '\n');
    }
    g_free(test_file(root, "cohort.csv", text->str));
    g_free(test_file(root, "splits.csv", splits->str));
}

static void test_check_sets(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "check", "cohort.csv", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "(3 rows with an annotation)"));
    g_assert_nonnull(strstr(o.out, "to be drawn 12"));
    command_run(&o, root, "check", "cohort.csv", "--splits", "splits.csv", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "splits.csv fixes the sets: 3 splits\n"));
    g_assert_null(strstr(o.out, "to be drawn"));
    command_run(&o, root, "check", "cohort.csv", "--json", NULL);
    g_assert_nonnull(strstr(o.out, "\"annotated\" : 3"));
}

/* An annotation that marks nothing on a positive slide; on a negative one that is as it should be. */
static void test_check_outlines(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_free(test_file(root, "none.geojson", "{\"type\":\"FeatureCollection\",\"features\":[]}"));
    g_free(test_file(root, "nuclei.geojson",
                     "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"properties\":{\"objectType\":\"detection\"},"
                     "\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[9,0],[9,9],[0,0]]]}}]}"));
    g_free(test_file(root, "outlines.csv",
                     "id,features,label,annotation\na,f0.h5,1,none.geojson\nb,f1.h5,0,none.geojson\nc,f2.h5,1,nuclei.geojson\n"));
    command_run(&o, root, "check", "outlines.csv", NULL);
    command_expect(&o, 0, "warning: a: ");
    command_expect(&o, 0, "none.geojson contains no outlines, so the slide is used with its label only");
    command_expect(&o, 0, "nuclei.geojson contains no outlines, so the slide is used with its label only");
    g_assert_null(strstr(o.err, "warning: b: "));
}

/* Nothing was tiled or encoded: the record and the report do not claim it. */
static void test_features_only(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "run", "cohort.csv", "-o", "run", "--epochs=1", "--methods=abmil", "-q", NULL);
    command_expect(&o, 0, "");
    g_autofree char *record = test_bytes(root, "run/run.json", NULL), *training = test_bytes(root, "run/runs/abmil/0/run.json", NULL),
                    *page = test_bytes(root, "run/report.html", NULL);
    g_assert_null(strstr(record, "encoder"));
    g_assert_null(strstr(training, "encoder"));
    g_assert_null(strstr(page, "min_tissue"));
    g_free(test_file(root, "preprocessing.json", "{\"encoder\": \"texture\", \"tile_mpp\": 0.75}")); /* as `rankmil encode` leaves it */
    command_run(&o, root, "run", "cohort.csv", "-o", "told", "--epochs=1", "--methods=abmil", "-q", NULL);
    command_expect(&o, 0, "");
    g_autofree char *told = test_bytes(root, "told/runs/abmil/0/run.json", NULL),
                    *path = g_build_filename(root, "preprocessing.json", NULL);
    g_assert_nonnull(strstr(told, "0.75"));
    g_unlink(path);
}

static void test_metrics_cut(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_free(test_file(root, "logits.csv", "label,probability\n0,-3.5\n0,0.2\n1,0.4\n1,7\n"));
    g_free(test_file(root, "shares.csv", "label,probability\n0,0\n0,0.2\n1,0.4\n1,1\n"));
    command_run(&o, root, "metrics", "logits.csv", "--bootstrap=10", NULL);
    command_expect(&o, 0, "logits.csv: the scores range from -3.5 to 7, so they are not probabilities");
    g_autofree char *first = g_strdup(o.out);
    command_run(&o, root, "metrics", "logits.csv", "--bootstrap=10", "--cut=0.5", NULL);
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.err, ==, "");
    g_assert_cmpstr(o.out, ==, first);
    command_run(&o, root, "metrics", "shares.csv", "--bootstrap=10", NULL);
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.err, ==, "");
}

/* The seeds of a table's columns: by the number that a name ends in, as far as a seed goes. */
static void test_seeds(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "train", "cohort.csv", "-o", "model", "--splits=splits.csv", "--epochs=1", NULL);
    command_expect(&o, 1, "no column's name ends in the seed 0; the columns have the seeds 1, 2, 3");
    g_autofree char *splits = test_bytes(root, "splits.csv", NULL);
    g_auto(GStrv) parts = g_strsplit(splits, "\n", 2);
    g_autofree char *large = g_strconcat("id,a 9223372036854775808,b99999999999999999999,c9223372036854775807\n", parts[1], NULL);
    g_free(test_file(root, "large.csv", large));
    command_run(&o, root, "train", "cohort.csv", "-o", "model", "--splits=large.csv", "--seed=7", "--epochs=1", NULL);
    command_expect(&o, 1, "the columns have the seeds 0, 1, 9223372036854775807");
}

static void test_no_table(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autofree char *slides = g_build_filename(root, "slides", NULL), *work = g_build_filename(root, "work", NULL);
    g_assert_cmpint(g_mkdir(slides, 0755) + g_mkdir(work, 0755), ==, 0);
    g_free(test_file(work, "cohort.csv", "id\n"));
    command_run(&o, root, "synth", "made", "--slides=1", "--width=600", "--height=600", "-q", NULL);
    static const char *const commands[] = {"run", "check", "tile", "train"};
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        const char *more = strcmp(commands[i], "check") == 0 ? "-q" : "--output=out";
        command_run(&o, root, commands[i], "slides", more, NULL);
        command_expect(&o, 1, "slides: is a folder, not a table of slides: 'rankmil cohort LAYOUT DIR' writes");
        command_run(&o, root, commands[i], "work", more, NULL);
        command_expect(&o, 1, "work: is a folder, not a table of slides: use its table work/cohort.csv");
        g_autofree char *script = g_strdup_printf("\"$RANKMIL\" %s made/slides/*.tif* %s", commands[i], more);
        command_shell(&o, root, script);
        command_expect(&o, 1, ": is a slide, not a table of slides: 'rankmil cohort LAYOUT DIR' writes");
        command_expect(&o, 1, "'rankmil predict RUN SLIDE'");
    }
    command_run(&o, root, "check", "nowhere.csv", NULL);
    command_expect(&o, 1, "nowhere.csv: ");
    g_free(test_file(root, "bars.csv", "id|features|label\na|f0.h5|1\n"));
    command_run(&o, root, "check", "bars.csv", NULL);
    command_expect(&o, 1, "bars.csv: line 1: its columns are separated by \"|\": save it with commas, semicolons or tabs");
    g_free(test_file(root, "blanks.txt", "label   probability\n1 0.5\n0 0.2\n"));
    command_run(&o, root, "metrics", "blanks.txt", NULL);
    command_expect(&o, 1, "blanks.txt: line 1: its columns are separated by blanks: save it with commas, semicolons or tabs");
}

static void test_usage(void) {
    begin();
    g_auto(Outcome) o = {0};
    static const char *const wrong[] = {"--repeats=0", "--repeats=1001", "--heatmaps=-1"};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        command_run(&o, root, "run", "cohort.csv", "-o", "never", wrong[i], NULL);
        command_expect(&o, 2, "rankmil run: --repeats must be 1 … 1000, and --heatmaps 0 or more\nSee 'rankmil run --help'.");
    }
}

/* A command that failed as a whole does not say that the rest is done; one that did the rest does. */
static void test_problems(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_free(test_file(root, "broken.h5", "no features"));
    g_free(test_file(root, "broken.csv", "id,features,label\na,broken.h5,1\nb,f1.h5,0\nc,gone.h5,1\nd,f3.h5,0\ne,f4.h5,0\n"));
    command_run(&o, root, "run", "broken.csv", "-o", "broken", "--epochs=1", "-q", NULL);
    command_expect(&o, 1, " problems, each reported above\n");
    g_assert_null(strstr(o.err, "the rest is done"));
    command_run(&o, root, "check", "broken.csv", NULL);
    command_expect(&o, 1, " problems, each reported above; the rest is done\n");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/words/check-sets", test_check_sets);
    g_test_add_func("/cli/words/check-outlines", test_check_outlines);
    g_test_add_func("/cli/words/features-only", test_features_only);
    g_test_add_func("/cli/words/metrics-cut", test_metrics_cut);
    g_test_add_func("/cli/words/seeds", test_seeds);
    g_test_add_func("/cli/words/no-table", test_no_table);
    g_test_add_func("/cli/words/usage", test_usage);
    g_test_add_func("/cli/words/problems", test_problems);
    int status = g_test_run();
    g_free(root);
    return status;
}
