/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run. */
#include "fake-run.h"
#include "page.h"
#include "rankmil/present.h"
#include "support.h"

#include <glib/gstdio.h>
#include <string.h>
#include <vips/vips.h>

static const char *const three[] = {"abmil", "induction", "rank", NULL};

static void test_whole(void) {
    g_autofree char *folder = test_folder();
    FakeRun fake = {.methods = three,
                    .seeds = 3,
                    .slides = 40,
                    .annotated = 10,
                    .pictures = 12,
                    .prefix = "slide_",
                    .message = "/data/x.svs: is cut off"};
    fake_run_write(folder, &fake);
    g_autofree char *page = page_write(folder);
    page_check(page);
    static const char *const parts[] = {"my cohort",
                                        "Made 2026-03-14 10:22 UTC",
                                        "(16 positive, 24 negative)",
                                        "Rank induction",
                                        "AB-MIL",
                                        "Attention induction",
                                        "Sensitivity",
                                        "Average precision",
                                        "<dt>Question</dt>",
                                        "Does Rank induction do better than AB-MIL?",
                                        "Method (seeds)",
                                        "DeLong",
                                        "Mann-Whitney U",
                                        "Holm",
                                        "Pointing game",
                                        "α = 20",
                                        "10 annotated test slides",
                                        "/data/x.svs: is cut off",
                                        "broken_01",
                                        "123456",
                                        "learning rate",
                                        "rankmil run &apos;data/my cohort.csv&apos; -o out --seeds 3",
                                        "Test slides, worst mistakes first",
                                        "epoch",
                                        "70 min 10 s"};
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) page_has(page, parts[i]);
    /* all twelve slides under three methods */
    g_assert_cmpint(test_count(page, "data:image/webp;base64,"), ==, 36);
    static const char *const figures[] = {
        "roc",           "pr",           "auroc",     "probabilities", "localisation-iou", "localisation-dice", "localisation-pointing",
        "history-abmil", "history-rank", "confusion", "reliability",   "decision"};
    g_assert_cmpint(test_count(page, "<svg role=\"img\" aria-label"), ==, 13);
    for (gsize i = 0; i < G_N_ELEMENTS(figures); i++)
        for (int k = 0; k < 3; k++) {
            g_autofree char *file = g_strconcat(figures[i], ((const char *[]){".svg", ".gp", ".csv"})[k], NULL),
                            *path = g_build_filename(folder, "figures", file, NULL);
            g_assert_true(g_file_test(path, G_FILE_TEST_IS_REGULAR));
        }
    const char *keep = g_getenv("RMIL_KEEP_REPORT");
    if (keep) g_assert_true(g_file_set_contents(keep, page, -1, NULL));
    /* the same folder gives the same page */
    g_autofree char *again = page_write(folder);
    g_assert_cmpstr(page, ==, again);
}

static void one_training(const char *method, gboolean annotated, void (*check)(const char *page)) {
    g_autofree char *folder = test_folder();
    FakeRun fake = {.methods = three, .seeds = 1, .slides = 25, .annotated = annotated ? 4 : 0, .prefix = "s"};
    fake_training_write(folder, method, 7, &fake);
    g_autofree char *page = page_write(folder);
    page_check(page);
    check(page);
}

static void check_plain(const char *page) {
    page_has(page, "AB-MIL");
    page_has(page, "interval");
    page_has(page, "no localisation.csv");
    page_has(page, "No heat maps");
    page_has(page, "how much the result depends on the seed is not known");
    g_assert_null(strstr(page, "Mann-Whitney"));
    g_assert_cmpint(test_count(page, "<svg role=\"img\" aria-label"), ==, 8);
}

static void check_guided(const char *page) {
    page_has(page, "Rank induction");
    page_has(page, "4 annotated test slides");
    page_has(page, "How patches and lesions are ranked was not measured"); /* these tables are of version 0.1.0 */
    page_has(page, "seed 7");
}

static void test_single(void) {
    one_training("abmil", FALSE, check_plain);
    one_training("rank", TRUE, check_guided);
}

/* Whatever stands in names and messages is shown, not obeyed. */
static void test_escaping(void) {
    static const char *const odd[] = {"a'b\"c", "rank", NULL};
    g_autofree char *folder = test_folder();
    FakeRun fake = {.methods = odd,
                    .seeds = 2,
                    .slides = 20,
                    .annotated = 3,
                    .prefix = "</td><script>alert(1)&amp;",
                    .message = "<img src=x onerror=alert(1)> \" ' &"};
    fake_run_write(folder, &fake);
    g_autofree char *page = page_write(folder);
    page_check(page);
    g_assert_null(strstr(page, "<img src=x"));
    page_has(page, "&lt;script&gt;alert(1)&amp;amp;");
    page_has(page, "a&apos;b&quot;c");
}

/* Parts that are not there are named; what is there is shown. */
static void test_missing_parts(void) {
    g_autofree char *folder = test_folder();
    FakeRun fake = {.methods = three, .seeds = 2, .slides = 20, .annotated = 0, .prefix = "s"};
    fake_run_write(folder, &fake);
    static const char *const gone[] = {"run.json", "runs/abmil/0/history.csv", "runs/rank/1/predictions.csv", "runs/induction/0/run.json",
                                       "runs/induction/1/predictions.csv"};
    for (gsize i = 0; i < G_N_ELEMENTS(gone); i++) {
        g_autofree char *path = g_build_filename(folder, gone[i], NULL);
        g_assert_cmpint(g_unlink(path), ==, 0);
    }
    g_autofree char *page = page_write(folder);
    page_check(page);
    page_has(page, "run.json: the command");
    page_has(page, "runs/abmil/0/history.csv");
    page_has(page, "runs/rank/1/predictions.csv: this training has not finished or its folder was removed, so it is left out.");
    page_has(page, "no localisation.csv");
}

static void replace(const char *folder, const char *name, const char *text) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* One class only, and no labelled test slide at all: said, not computed. */
static void test_no_labels(void) {
    static const char *const texts[] = {"id,split,label,probability,logit\na,train,1,0.9,2\nb,train,0,0.1,-2\nc,test,1,"
                                        "0.5,0\nd,test,1,0.7,1\n",
                                        "id,split,label,probability,logit\na,,,0.25,-1\n"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *folder = test_folder();
        replace(folder, "predictions.csv", texts[i]);
        g_autofree char *page = page_write(folder);
        page_check(page);
        page_has(page, i == 0 ? "2 positive and 0 negative test slides" : "0 positive and 0 negative test slides");
    }
}

/* A table of splits with another test set in every column: called cross-validation, with the means of the folds and the pool
 * of out-of-fold predictions each by its name, all folds in the cohort's table, and no test of two models on the pool. */
static void test_folds(void) {
    g_autofree char *folder = test_folder();
    for (int fold = 0; fold < 3; fold++)
        for (int m = 0; m < 2; m++) {
            g_autoptr(GString) csv = g_string_new("id,split,label,probability,logit\n");
            for (int i = 0; i < 24; i++) {
                const char *split = i % 3 == fold ? "test" : i % 3 == (fold + 1) % 3 ? "val" : "train";
                double p = m ? 0.1 + 0.7 * (i / 3 % 2) : 0.3 + 0.01 * i; /* rank separates all, AB-MIL hardly any */
                g_string_append_printf(csv, "s%02d,%s,%d,%.6f,0\n", i, split, i / 3 % 2, p);
            }
            g_autofree char *name = g_strdup_printf("runs/%s/%d/predictions.csv", m ? "rank" : "abmil", fold);
            g_autofree char *path = g_build_filename(folder, name, NULL), *parent = g_path_get_dirname(path);
            g_assert_cmpint(g_mkdir_with_parents(parent, 0777), ==, 0);
            replace(folder, name, csv->str);
        }
    g_autofree char *page = page_write(folder);
    page_check(page);
    page_has(page, "In 3-fold cross-validation over 24 test slides (12 positive, 12 negative)");
    page_has(page, "pooled out-of-fold predictions");
    page_has(page, "<th scope=\"row\">Rank induction (3)</th><td class=\"best\">1.000<small>± 0.000</small>");
    page_has(page, "3 folds, each slide tested once");
    page_has(page, "every fold alone, on its own test slides");
    page_has(page, "DeLong’s test, which compares two models, is left out");
    page_has(page, "Slides by fold and set");
    g_assert_cmpint(test_count(page, "<td class=\"n\">4 positive, 4 negative</td>"), ==,
                    3); /* one row of all, as their numbers are the same */
    page_has(page, "<th scope=\"row\">0 to 2</th>");
    page_has(page, "1.000<small>0.832–1.000</small>"); /* Newcombe for AUROC 1 of 12 and 12 */
    page_has(page, "1.000<small>0.858–1.000</small>"); /* exact for 24 of 24 */
    g_assert_null(strstr(page, "1.000<small>1.000–1.000"));
}

/* Slides are right or wrong at the cut-off that the models carry. */
static void test_cut(void) {
    g_autofree char *folder = test_folder();
    FakeRun fake = {.methods = three, .seeds = 1, .slides = 25, .prefix = "s"};
    fake_run_write(folder, &fake);
    replace(
        folder, "runs/rank/0/run.json",
        "{\"seed\": 0, \"decision\": {\"rule\": \"sensitivity\", \"calibration\": \"platt\", \"positives\": 3, \"negatives\": 4, \"cut\": "
        "0.005, \"least\": 0.95, \"sensitivity\": 1, \"specificity\": 0.5, \"slope\": 1, \"intercept\": 0}}");
    g_autofree char *page = page_write(folder);
    page_check(page);
    page_has(page, "Cut-off of Rank induction: chosen for 95 % sensitivity, on the validation slides alone");
    page_has(page, "<th scope=\"row\">Rank induction</th><td class=\"n\">0.005</td>");
    page_has(page, "<th scope=\"row\">AB-MIL</th><td class=\"n\">0.500</td>"); /* which carries none */
    replace(folder, "runs/rank/0/run.json", "{\"decision\": {\"rule\": \"guess\"}}");
    g_autofree char *out = g_build_filename(folder, "again.html", NULL);
    GError *error = NULL;
    g_assert_false(rmil_report_write(folder, out, NULL, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "runs/rank/0/run.json: the model's cut-off and calibration cannot be read: ");
}

static void test_broken(void) {
    const struct {
        const char *name, *text, *message;
        RmilErrorCode code;
    } cases[] = {
        {"runs/rank/0/predictions.csv", "id,split,label\n", "rank/0/predictions.csv: has no column \"probability\"", RMIL_ERROR_FORMAT},
        {"runs/rank/0/predictions.csv", "id,split,label,probability\n", "predictions.csv: has no predictions", RMIL_ERROR_DATA},
        {"runs/rank/0/predictions.csv", "id,split,label,probability\na,test,1,0.5\nb,test,2,0.5\n",
         "line 3: label is neither 0 nor 1: \"2\"", RMIL_ERROR_FORMAT},
        {"runs/rank/0/predictions.csv", "id,split,label,probability\na,test,1,1.5\n", "line 2: probability is outside 0 … 1",
         RMIL_ERROR_FORMAT},
        {"runs/rank/0/predictions.csv", "id,split,label,probability\na,tset,1,0.5\n", "line 2: unknown split: \"tset\"", RMIL_ERROR_FORMAT},
        {"runs/rank/0/predictions.csv", "id,split,label,probability\na,test,1,0.5\na,test,1,0.5\n",
         "line 3: a second row with the id: \"a\"", RMIL_ERROR_FORMAT},
        {"runs/rank/0/predictions.csv", "id,split,label,probability\ns001,test,0,0.5\n", "slide \"s001\" has label 0, elsewhere",
         RMIL_ERROR_DATA},
        {"runs/rank/0/history.csv", "epoch,train_loss,train_slide_loss,train_guide_loss,val_loss,val_auroc,best\n1,2,x,0,1,1,1\n",
         "rank/0/history.csv: line 2", RMIL_ERROR_FORMAT},
        {"runs/rank/0/localisation.csv", "id,alpha,iou,dice\n", "localisation.csv: has no column \"pointing\"", RMIL_ERROR_FORMAT},
        {"runs/rank/0/run.json", "{\"seed\": ", "rank/0/run.json: is not well-formed JSON", RMIL_ERROR_FORMAT},
        {"run.json", "[1, 2]", "run.json: is JSON, but not an object", RMIL_ERROR_FORMAT},
        {"run.json", "{\"a\": \"\xff\"}", "run.json: is not UTF-8", RMIL_ERROR_FORMAT},
        {"run.json", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "run.json: is nested", RMIL_ERROR_FORMAT},
        {"heatmaps/rank/s001.png", "is not a readable picture", "s001.png: is not a readable picture", RMIL_ERROR_FORMAT},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "report.html", NULL);
        FakeRun fake = {.methods = three, .seeds = 1, .slides = 10, .annotated = 1, .pictures = 1, .prefix = "s"};
        fake_run_write(folder, &fake);
        replace(folder, cases[i].name, cases[i].text);
        GError *error = NULL;
        g_test_message("%s", cases[i].message);
        g_assert_false(rmil_report_write(folder, path, NULL, &error));
        test_error(&error, cases[i].code, cases[i].message);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    }
}

static void test_not_a_run(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "report.html", NULL),
                    *none = g_build_filename(folder, "none", NULL);
    g_autofree char *runs = g_build_filename(folder, "runs", "abmil", "0", NULL);
    GError *error = NULL;
    g_assert_false(rmil_report_write(folder, path, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "is not the folder of a run or a study");
    g_assert_false(rmil_report_write(none, path, NULL, &error));
    test_error(&error, RMIL_ERROR_IO, "none: is not the folder of a run");
    g_assert_cmpint(g_mkdir_with_parents(runs, 0777), ==, 0);
    g_assert_false(rmil_report_write(folder, path, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "no finished training");
}

static void keep_warning(gpointer user, const char *message) {
    char **warned = user;
    g_free(*warned);
    *warned = g_strdup(message);
}

/* A page without figures, and a word. */
static void test_without_gnuplot(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "report.html", NULL), *before = g_strdup(g_getenv("PATH"));
    FakeRun fake = {.methods = three, .seeds = 1, .slides = 10, .prefix = "s"};
    fake_run_write(folder, &fake);
    g_autofree char *drawn = page_write(folder), *svg = g_build_filename(folder, "figures", "roc.svg", NULL),
                    *script = g_build_filename(folder, "figures", "roc.gp", NULL), *warned = NULL;
    g_assert_nonnull(strstr(drawn, "<svg role=\"img\" aria-label"));
    g_assert_true(g_file_test(svg, G_FILE_TEST_EXISTS));
    GError *error = NULL;
    const RmilMonitor monitor = {.warn = keep_warning, .user = &warned};
    g_setenv("PATH", folder, TRUE);
    gboolean written = rmil_report_write(folder, path, &monitor, &error);
    g_setenv("PATH", before, TRUE);
    g_assert_no_error(error);
    g_assert_true(written);
    g_assert_nonnull(strstr(warned, "gnuplot is not installed"));
    gsize size;
    g_autofree char *page = rmil_file_read(path, (gsize)1 << 28, &size, &error);
    page_check(page);
    g_assert_null(strstr(page, "<svg role=\"img\" aria-label"));
    page_has(page, "Not drawn, because gnuplot is not installed: ROC curves");
    page_has(page, "The figures were not drawn, because gnuplot is not installed");
    g_assert_null(strstr(page, "The figures are in the folder figures/"));
    page_has(drawn, "The figures are in the folder figures/ as SVG, PDF and PNG");
    g_assert_false(g_file_test(svg, G_FILE_TEST_EXISTS)); /* none of earlier data */
    g_assert_true(g_file_test(script, G_FILE_TEST_EXISTS));
}

/* Figures of an earlier page that this one does not have go; files of another name stay. */
static void test_leftovers(void) {
    static const char *const old[] = {"history-gone.svg", "history-gone.pdf",     "history-gone.png",   "history-gone.gp",
                                      "history-gone.csv", "history-my model.svg", "confusion-gone.svg", "decision-gone.csv"};
    static const char *const others[] = {"mine.svg", "roc.txt", "history.csv", "decisions.csv"};
    g_autofree char *folder = test_folder(), *figures = g_build_filename(folder, "figures", NULL);
    FakeRun fake = {.methods = three, .seeds = 1, .slides = 10, .prefix = "s"};
    fake_run_write(folder, &fake);
    g_assert_cmpint(g_mkdir_with_parents(figures, 0755), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(old); i++) g_free(test_file(figures, old[i], "old"));
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) g_free(test_file(figures, others[i], "mine"));
    g_autofree char *page = page_write(folder), *kept = g_build_filename(figures, "history-rank.svg", NULL);
    g_assert_true(g_file_test(kept, G_FILE_TEST_EXISTS));
    for (gsize i = 0; i < G_N_ELEMENTS(old) + G_N_ELEMENTS(others); i++) {
        const gboolean mine = i >= G_N_ELEMENTS(old);
        g_autofree char *path = g_build_filename(figures, mine ? others[i - G_N_ELEMENTS(old)] : old[i], NULL);
        g_assert_cmpint(g_file_test(path, G_FILE_TEST_EXISTS), ==, mine);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    if (VIPS_INIT(argv[0])) return 1;
    g_test_add_func("/present/report/whole", test_whole);
    g_test_add_func("/present/report/single", test_single);
    g_test_add_func("/present/report/escaping", test_escaping);
    g_test_add_func("/present/report/missing-parts", test_missing_parts);
    g_test_add_func("/present/report/no-labels", test_no_labels);
    g_test_add_func("/present/report/folds", test_folds);
    g_test_add_func("/present/report/cut", test_cut);
    g_test_add_func("/present/report/broken", test_broken);
    g_test_add_func("/present/report/not-a-run", test_not_a_run);
    g_test_add_func("/present/report/without-gnuplot", test_without_gnuplot);
    g_test_add_func("/present/report/leftovers", test_leftovers);
    return g_test_run();
}
