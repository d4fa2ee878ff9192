/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a study. */
#include "fake-study.h"
#include "page.h"
#include "rankmil/bag.h"
#include "rankmil/evaluate.h"
#include "rankmil/mil.h"
#include "rankmil/present.h"
#include "rankmil/study.h"
#include "support.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static const char *const three[] = {"abmil", "dsmil", "rank", NULL};
static const double three_strengths[] = {0.6, 0.7, 2.2};
static const char *const one[] = {"rank", NULL};

static double number(const RmilTable *table, int64_t row, const char *column) {
    return g_ascii_strtod(test_cell(table, row, column), NULL);
}

static void has_figure(const char *folder, const char *name) {
    static const char *const suffixes[] = {".svg", ".pdf", ".png", ".gp", ".csv"};
    for (gsize i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *file = g_strconcat("figures/", name, suffixes[i], NULL);
        if (!test_exists(folder, file)) g_error("there is no %s", file);
    }
}

/* Rows of LaTeX tables have as many cells as the head says, and every environment ends. */
static void check_latex(const char *folder, const char *name) {
    g_autofree char *text = test_bytes(folder, name, NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    int columns = 0, depth = 0, rows = 0;
    for (int i = 0; lines[i]; i++) {
        depth += g_str_has_prefix(lines[i], "\\begin{") - g_str_has_prefix(lines[i], "\\end{");
        if (g_str_has_prefix(lines[i], "\\begin{tabular}{")) columns = (int)strcspn(lines[i] + 16, "}");
        if (!g_str_has_suffix(lines[i], "\\\\")) continue;
        int cells = 1;
        for (const char *p = lines[i]; (p = strchr(p, '&')); p++) cells += p == lines[i] || p[-1] != '\\';
        g_assert_cmpint(cells, ==, columns);
        rows++;
    }
    g_assert_cmpint(depth, ==, 0);
    g_assert_cmpint(rows, >=, 2);
    page_has(text, "\\toprule");
    page_has(text, "\\bottomrule");
    for (const char *p = text; *p; p++)
        if (*p == '%' && p != text) g_assert_true(p[-1] == '\\' || p[-1] == '\n');
}

/* -- numbers, computed again in the plainest way --------------------------------------------------------------------------- */
/* Pairs of a positive and a negative slide that are in order, from the record itself. */
static double auroc_by_pairs(RmilStudy *study, int64_t run) {
    GError *error = NULL;
    g_autoptr(GArray) rows = rmil_study_predictions(study, run, &error);
    g_assert_no_error(error);
    double good = 0, all = 0;
    for (guint i = 0; i < rows->len; i++)
        for (guint j = 0; j < rows->len; j++) {
            const RmilPredictionRow *a = &g_array_index(rows, RmilPredictionRow, i), *b = &g_array_index(rows, RmilPredictionRow, j);
            if (a->part != RMIL_SPLIT_TEST || b->part != RMIL_SPLIT_TEST || a->target.label != 1 || b->target.label != 0) continue;
            good += a->probability > b->probability ? 1 : a->probability == b->probability ? 0.5 : 0;
            all++;
        }
    return good / all;
}

/* Two-sided exact P of the Mann-Whitney U test by going through all ways to deal ten values in two hands of five. */
static double mann_whitney_by_counting(const double *x, const double *y) {
    double all[10], observed = 0;
    memcpy(all, x, 5 * sizeof *x);
    memcpy(all + 5, y, 5 * sizeof *y);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) observed += x[i] > y[j];
    int hands = 0, extreme = 0;
    for (int mask = 0; mask < 1024; mask++) {
        if (__builtin_popcount((unsigned)mask) != 5) continue;
        double u = 0;
        for (int i = 0; i < 10; i++)
            for (int j = 0; j < 10; j++) u += (mask >> i & 1) && !(mask >> j & 1) && all[i] > all[j];
        hands++;
        extreme += fabs(u - 12.5) >= fabs(observed - 12.5);
    }
    return (double)extreme / hands;
}

/* Two-sided exact P of the paired Wilcoxon test of five pairs: all signs of the ranks. */
static double wilcoxon_by_counting(const double *x, const double *y) {
    double observed = 0;
    int rank[5], extreme = 0;
    for (int i = 0; i < 5; i++) {
        rank[i] = 1;
        for (int j = 0; j < 5; j++) rank[i] += fabs(x[j] - y[j]) < fabs(x[i] - y[i]);
        if (x[i] > y[i]) observed += rank[i];
    }
    for (int mask = 0; mask < 32; mask++) {
        double w = 0;
        for (int i = 0; i < 5; i++) w += (mask >> i & 1) ? rank[i] : 0;
        extreme += fabs(w - 7.5) >= fabs(observed - 7.5);
    }
    return extreme / 32.0;
}

static void check_results(const char *folder, const double values[3][5]) {
    g_autoptr(RmilTable) results = test_rows(folder, "tables/results.csv");
    int seen = 0;
    for (int64_t row = 0; row < rmil_table_rows(results); row++) {
        if (strcmp(test_cell(results, row, "metric"), "AUROC") != 0) continue;
        double mean = 0, squares = 0;
        int m = 0;
        while (strcmp(three[m], test_cell(results, row, "method")) != 0) m++;
        for (int i = 0; i < 5; i++) mean += values[m][i] / 5;
        for (int i = 0; i < 5; i++) squares += (values[m][i] - mean) * (values[m][i] - mean);
        g_assert_cmpfloat_with_epsilon(number(results, row, "mean"), mean, 1e-12);
        g_assert_cmpfloat_with_epsilon(number(results, row, "sd"), sqrt(squares / 4), 1e-12);
        g_assert_cmpint((int)number(results, row, "n"), ==, 5);
        g_auto(GStrv) keys = g_strsplit(test_cell(results, row, "runs"), " ", -1);
        g_assert_cmpint((int)g_strv_length(keys), ==, 5);
        seen++;
    }
    g_assert_cmpint(seen, ==, 3);
}

/* found.csv: means over slides and lesions of each training, then over the five of a method. */
static void check_found(const char *folder, RmilStudy *study) {
    g_autoptr(RmilTable) found = test_rows(folder, "tables/found.csv");
    GError *error = NULL;
    for (int64_t row = 0; row < rmil_table_rows(found); row++) {
        const char *measure = test_cell(found, row, "measure");
        const gboolean auroc = strcmp(measure, "patch_auroc") == 0, at_two = strcmp(measure, "sensitivity_at_2") == 0;
        if (!auroc && !at_two) continue;
        double means = 0;
        int64_t runs = 0;
        for (int64_t i = 0; i < rmil_study_count(study); i++) {
            if (strcmp(rmil_study_run(study, i)->method, test_cell(found, row, "method")) != 0) continue;
            g_autoptr(GArray) patches = rmil_study_patches(study, i, &error), lesions = rmil_study_lesions(study, i, &error);
            g_assert_no_error(error);
            double sum = 0;
            for (guint k = 0; auroc && k < patches->len; k++) sum += g_array_index(patches, RmilPatchRow, k).auroc;
            for (guint k = 0; at_two && k < lesions->len; k++) sum += g_array_index(lesions, RmilLesionRow, k).false_positives <= 2;
            means += sum / (auroc ? patches->len : lesions->len);
            runs++;
        }
        g_assert_cmpfloat_with_epsilon(number(found, row, "mean"), means / (double)runs, 1e-12);
        g_assert_true(number(found, row, "low") < number(found, row, "mean") && number(found, row, "high") > number(found, row, "mean"));
    }
    g_assert_cmpint(rmil_table_rows(found), >=, 3 * 9);
}

/* P of both tests against brute force; Holm of two tests by its definition. */
static void check_tests(const char *folder, const double values[3][5]) {
    g_autoptr(RmilTable) tests = test_rows(folder, "tables/tests.csv");
    double p[2][2] = {{0}}, holm[2][2] = {{0}};
    for (int64_t row = 0; row < rmil_table_rows(tests); row++) {
        int other = strcmp(test_cell(tests, row, "b"), "dsmil") == 0, which = strcmp(test_cell(tests, row, "test"), "Wilcoxon") == 0;
        g_assert_cmpstr(test_cell(tests, row, "a"), ==, "rank");
        if (strcmp(test_cell(tests, row, "metric"), "AUROC") != 0 || strcmp(test_cell(tests, row, "test"), "DeLong") == 0) continue;
        p[which][other] = number(tests, row, "p");
        holm[which][other] = number(tests, row, "p_holm");
        double expected = which ? wilcoxon_by_counting(values[2], values[other]) : mann_whitney_by_counting(values[2], values[other]);
        g_assert_cmpfloat_with_epsilon(p[which][other], expected, 1e-12);
    }
    for (int which = 0; which < 2; which++) {
        int low = p[which][0] > p[which][1];
        g_assert_cmpfloat_with_epsilon(holm[which][low], MIN(2 * p[which][low], 1), 1e-12);
        g_assert_cmpfloat_with_epsilon(holm[which][!low], MIN(MAX(2 * p[which][low], p[which][!low]), 1), 1e-12);
    }
}

static void test_numbers(void) {
    g_autofree char *folder = test_folder();
    fake_study_write(folder, &(FakeStudy){"comparison", "", three, three_strengths, NULL, 0, 5, 83, 6, .prefix = "s"});
    g_autofree char *page = page_write(folder);
    page_check(page);
    GError *error = NULL;
    g_autoptr(RmilStudy) study = rmil_study_open(folder, &error);
    g_assert_no_error(error);
    g_autoptr(RmilTable) runs = test_rows(folder, "tables/runs.csv");
    g_assert_cmpint(rmil_table_rows(runs), ==, 15);
    double values[3][5];
    for (int64_t i = 0; i < 15; i++) values[i / 5][i % 5] = auroc_by_pairs(study, i);
    for (int64_t row = 0; row < 15; row++) {
        int64_t at = 0;
        while (strcmp(rmil_study_run(study, at)->key, test_cell(runs, row, "key")) != 0) at++;
        g_assert_cmpfloat_with_epsilon(number(runs, row, "auroc"), values[at / 5][at % 5], 1e-12);
        g_assert_cmpfloat(number(runs, row, "test_slides"), ==, 83);
        g_assert_true(g_str_has_prefix(test_cell(runs, row, "key"), test_cell(runs, row, "run")));
    }
    check_results(folder, values);
    check_tests(folder, values);
    check_found(folder, study);
    page_has(page, "<h3>Patches and lesions</h3>");
    page_has(page, "2–5 tiles (");
    /* every mean is the best once, the reference's with letters */
    g_autofree char *latex = test_bytes(folder, "tables/results.tex", NULL);
    g_assert_cmpint(test_count(latex, "\\textbf{"), ==, 5);
    page_has(latex, "\\textsuperscript{a,c}");
    static const char *const tables[] = {"tables/results.tex", "tables/tests-auroc.tex", "tables/tests-auprc.tex", "tables/pooled.tex",
                                         "tables/iou.tex",     "tables/dice.tex",        "tables/pointing.tex",    "tables/patches.tex",
                                         "tables/froc.tex",    "tables/froc-size.tex"};
    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) check_latex(folder, tables[i]);
    static const char *const figures[] = {
        "auroc-runs", "auprc-runs", "roc", "pr", "localisation-iou", "localisation-dice", "localisation-pointing", "localisation-froc"};
    for (gsize i = 0; i < G_N_ELEMENTS(figures); i++) has_figure(folder, figures[i]);
    page_has(page, "Rank induction has the highest mean AUROC");
    page_has(page, "As in the paper: the highest mean AUROC");
    page_has(page, "DeLong");
    page_has(page, "No pictures: "); /* the cohort that the record names is not there */
    g_assert_null(strstr(page, "this report is of those"));
}

/* -- curves ------------------------------------------------------------------------------------------------------------------ */
static char *checksum(const char *folder, const char *name) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    char *data;
    gsize size;
    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)data, size);
    g_free(data);
    return sum;
}

/* One method over the threshold: compared with T = 0; attention off the lesion from the record; the same bytes again. */
static void test_threshold(void) {
    static const double thresholds[] = {0, 0.5, 1}, strength[] = {1.5};
    static const char *const files[] = {"report.html",     "figures/auroc.svg",  "figures/auroc.pdf",  "figures/auroc.png",
                                        "tables/runs.csv", "tables/results.csv", "tables/results.tex", "figures/attention-off-lesion.pdf"};
    g_autofree char *folder = test_folder();
    fake_study_write(folder, &(FakeStudy){"threshold", "threshold", one, strength, thresholds, 3, 4, 30, 5, .prefix = "s"});
    g_autofree char *page = page_write(folder);
    page_check(page);
    page_has(page, "T = 0.5");
    page_has(page, "Attention off the lesion");
    page_has(page, "goes from");
    has_figure(folder, "attention-off-lesion");
    char *before[G_N_ELEMENTS(files)];
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) before[i] = checksum(folder, files[i]);
    g_usleep(1100000); /* a PDF's date has seconds, and a time zone */
    g_autofree char *zone = g_strdup(g_getenv("TZ"));
    g_setenv("TZ", "XYZ-05:30", TRUE);
    g_autofree char *again = page_write(folder);
    if (zone) g_setenv("TZ", zone, TRUE);
    else g_unsetenv("TZ");
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *after = checksum(folder, files[i]);
        g_assert_cmpstr(before[i], ==, after);
        g_free(before[i]);
    }
    GError *error = NULL;
    g_autoptr(RmilStudy) study = rmil_study_open(folder, &error);
    g_autoptr(RmilTable) attention = test_rows(folder, "tables/attention.csv");
    for (int64_t level = 0; level < 3; level++) {
        double sum = 0;
        for (int64_t s = 0; s < 4; s++) {
            g_autoptr(GArray) rows = rmil_study_attention(study, level * 4 + s, &error);
            g_assert_no_error(error);
            g_assert_cmpint((int)rows->len, ==, 5);
            for (guint i = 0; i < rows->len; i++) sum += 1 - g_array_index(rows, RmilAttentionRow, i).lesion_share;
        }
        g_assert_cmpfloat_with_epsilon(number(attention, level, "off_lesion"), sum / 20, 1e-12);
        g_assert_cmpfloat_with_epsilon(number(attention, level, "value"), thresholds[level], 1e-12);
    }
}

/* -- any option ---------------------------------------------------------------------------------------------------------------- */
/* Mean AUROC of a cell, from the record. `first`: its run of seed 0. */
static double mean_auroc(RmilStudy *study, int64_t first, int seeds) {
    double sum = 0;
    for (int s = 0; s < seeds; s++) sum += auroc_by_pairs(study, first + s);
    return sum / seeds;
}

/* A number over more than a factor of 20: a logarithmic axis, called as the option's help does. */
static void test_option(void) {
    static const double rates[] = {0.01, 0.0001, 0.001};
    g_autofree char *folder = test_folder();
    fake_study_write(folder, &(FakeStudy){"comparison", "learning-rate", three, three_strengths, rates, 3, 3, 25, 0, .prefix = "s"});
    g_autofree char *page = page_write(folder);
    page_check(page);
    page_has(page, "The mean AUROC is highest with");
    page_has(page, "Columns: learning-rate: learning rate of Adam.");
    g_assert_null(strstr(page, "s in the paper"));
    g_autoptr(RmilTable) data = test_rows(folder, "figures/auroc.csv"), results = test_rows(folder, "tables/results.csv");
    g_assert_cmpfloat_with_epsilon(number(data, 0, "position"), -4, 1e-9);
    g_assert_cmpfloat_with_epsilon(number(data, 2, "position"), -2, 1e-9);
    g_assert_cmpfloat_with_epsilon(number(results, 0, "value"), 0.0001, 1e-12);
    g_autofree char *script = test_bytes(folder, "figures/auroc.gp", NULL);
    page_has(script, "'0.0001' -4");
    page_has(script, "'learning-rate: learning rate of Adam'");
}

/* Words: as planned, beside each other, without lines between. */
static void test_words(void) {
    static const char *const samplers[] = {"shuffle", "balanced", NULL};
    g_autofree char *folder = test_folder();
    fake_study_write(folder, &(FakeStudy){"comparison", "sampler", three, three_strengths, NULL, 0, 3, 25, 0, .prefix = "s",
                                          .worded = "sampler", .words = samplers});
    g_autofree char *page = page_write(folder);
    page_check(page);
    page_has(page, "sampler shuffle</th><th scope=\"col\">sampler balanced");
    page_has(page, "bars: SD");
    g_autofree char *script = test_bytes(folder, "figures/auroc.gp", NULL);
    page_has(script, "set xtics ('shuffle' 0, 'balanced' 1)");
    g_assert_null(strstr(script, "linespoints"));
    g_autoptr(RmilTable) results = test_rows(folder, "tables/results.csv");
    g_assert_cmpstr(test_cell(results, 0, "value"), ==, "shuffle");
}

/* Two options: a picture a method, a table of both, a column of each. */
static void test_grid(void) {
    static const char *const samplers[] = {"shuffle", "balanced", NULL};
    static const double fractions[] = {0.5, 1, 0.2};
    for (int lone = 0; lone < 2; lone++) {
        g_autofree char *folder = test_folder();
        const FakeStudy fake = {"comparison", "fraction",    lone ? one : three,  three_strengths,  fractions, 3, 3, 25, 0,
                                .left = 1,    .prefix = "s", .worded = "sampler", .words = samplers};
        fake_study_write(folder, &fake);
        g_autofree char *page = page_write(folder);
        page_check(page);
        page_has(page, "Rank induction, fraction 100 %");
        page_has(page, "Rank induction, fraction 20 %, sampler balanced: 2 of 3 done");
        page_has(page, lone ? "values differ significantly from fraction 20 %, sampler shuffle" : "has the highest of the methods at ");
        has_figure(folder, "grid-rank");
        g_assert_true(test_exists(folder, "figures/grid-abmil.svg") == !lone);
        g_assert_false(test_exists(folder, "figures/auroc.svg"));
        check_latex(folder, "tables/auroc.tex");
        GError *error = NULL;
        g_autoptr(RmilStudy) study = rmil_study_open(folder, &error);
        g_assert_no_error(error);
        g_autoptr(RmilTable) results = test_rows(folder, "tables/results.csv"), cells = test_rows(folder, "figures/grid-rank.csv");
        /* 20 % comes first, though it was planned last: the sixth cell is the second one */
        const int64_t rank = lone ? 0 : 36;
        g_assert_cmpint(rmil_table_rows(cells), ==, 6);
        g_assert_cmpstr(test_cell(cells, 0, "first"), ==, "0.2");
        g_assert_cmpstr(test_cell(cells, 3, "second"), ==, "balanced");
        g_assert_cmpfloat_with_epsilon(number(cells, 0, "mean"), mean_auroc(study, rank + 12, 3), 1e-5);
        g_assert_cmpfloat_with_epsilon(number(cells, 3, "mean"), mean_auroc(study, rank + 3, 3), 1e-5);
        /* the same as a line for each word: three shares in percent, ascending, then those of the other word */
        g_autoptr(RmilTable) lines = test_rows(folder, "figures/lines-rank.csv");
        has_figure(folder, "lines-rank");
        g_assert_cmpint(rmil_table_rows(lines), ==, 6);
        g_assert_cmpfloat(number(lines, 0, "position"), ==, 20);
        g_assert_cmpstr(test_cell(lines, 0, "value"), ==, "shuffle");
        g_assert_cmpfloat(number(lines, 4, "position"), ==, 50);
        g_assert_cmpstr(test_cell(lines, 4, "value"), ==, "balanced");
        g_assert_cmpfloat_with_epsilon(number(lines, 0, "mean"), mean_auroc(study, rank + 12, 3), 1e-5);
        g_assert_cmpfloat_with_epsilon(number(lines, 4, "mean"), mean_auroc(study, rank + 3, 3), 1e-5);
        g_assert_cmpfloat_with_epsilon(number(results, 0, "fraction"), 0.2, 1e-12);
        g_assert_cmpstr(test_cell(results, 0, "sampler"), ==, "shuffle");
    }
}

/* Several methods over the data, some trainings missing: said, and the rest is shown. */
static void test_partial(void) {
    static const double fractions[] = {0.2, 0.6, 1};
    g_autofree char *folder = test_folder();
    fake_study_write(folder,
                     &(FakeStudy){"low-data", "fraction", three, three_strengths, fractions, 3, 3, 25, 0, .left = 5, .prefix = "<b>&amp;"});
    g_autofree char *page = page_write(folder);
    page_check(page);
    page_has(page, "22 of 27 trainings are done");
    page_has(page, "Rank induction, 60 %: 1 of 3 done");
    page_has(page, "Rank induction, 100 %: 0 of 3 done");
    g_assert_null(strstr(page, "<h2>Attention and lesions"));
    has_figure(folder, "auroc");
    check_latex(folder, "tables/auroc.tex");
    g_autoptr(RmilTable) tests = test_rows(folder, "tables/tests.csv");
    for (int64_t row = 0; row < rmil_table_rows(tests); row++) /* where the reference has one training there are no tests of trainings */
        if (strcmp(test_cell(tests, row, "level"), "20 %") != 0) g_assert_cmpstr(test_cell(tests, row, "test"), ==, "DeLong");
    g_assert_false(test_exists(folder, "tables/localisation.csv"));
}

/* Trainings that test different slides cannot be averaged: each slide once is pooled out of fold, and called so. */
static void test_own_tests(void) {
    g_autofree char *folder = test_folder();
    fake_study_write(folder, &(FakeStudy){"comparison", "", three, three_strengths, NULL, 0, 2, 25, 0, .own_tests = TRUE, .prefix = "s"});
    g_autofree char *page = page_write(folder);
    page_check(page);
    g_assert_true(test_exists(folder, "tables/pooled.csv"));
    page_has(page, "slides, out of fold)");
    g_assert_false(test_exists(folder, "figures/roc.svg"));
    page_has(page, "It needs the same test slides in every training");
    g_autoptr(RmilTable) tests = test_rows(folder, "tables/tests.csv");
    for (int64_t row = 0; row < rmil_table_rows(tests); row++) g_assert_cmpstr(test_cell(tests, row, "test"), !=, "DeLong");
}

/* -- attention of real models ---------------------------------------------------------------------------------------------------- */
static void write_bag(const char *folder, const char *id, uint64_t seed) {
    enum { K = 30, D = 8 };
    float features[K * D];
    int64_t coords[2 * K];
    uint8_t labels[K];
    RmilRng rng;
    rmil_rng_init(&rng, seed, 0);
    for (int i = 0; i < K * D; i++) features[i] = (float)rmil_rng_normal(&rng);
    for (int i = 0; i < K; i++) {
        coords[2 * i] = 448 * (i % 6);
        coords[2 * i + 1] = 448 * (i / 6);
        labels[i] = i % 6 < 2 && i / 6 < 2;
    }
    RmilBag bag = {.count = K,
                   .dim = D,
                   .precision = RMIL_FLOAT32,
                   .features = features,
                   .coords = coords,
                   .patch_labels = labels,
                   .patch_size = 224,
                   .patch_size_level0 = 448,
                   .slide_width = 2688,
                   .slide_height = 2240};
    g_autofree char *file = g_strconcat(id, ".h5", NULL), *path = g_build_filename(folder, file, NULL);
    GError *error = NULL;
    rmil_bag_write(&bag, path, FALSE, &error);
    g_assert_no_error(error);
}

static void test_attention(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) csv = g_string_new("features,label\n");
    for (int i = 0; i < 25; i++) {
        g_autofree char *id = g_strdup_printf("s%03d", i);
        write_bag(folder, id, (uint64_t)i);
        g_string_append_printf(csv, "%s.h5,%d\n", id, i % 5 < 2);
    }
    g_autofree char *cohort = test_file(folder, "cohort.csv", csv->str);
    fake_study_write(folder, &(FakeStudy){"localisation", "", three, three_strengths, NULL, 0, 2, 25, 5, .prefix = "s", .cohort = cohort});
    RmilModelConfig config;
    GError *error = NULL;
    rmil_model_config_init(&config, "abmil", RMIL_GUIDE_NONE, &error);
    config.dim = 8;
    g_autoptr(RmilModel) model = rmil_model_new(&config, 1, &error);
    g_autofree char *path = g_build_filename(folder, "models", "none", NULL), *models = g_path_get_dirname(path);
    g_mkdir(models, 0755);
    rmil_model_save(model, path, &error);
    g_assert_no_error(error);
    g_autofree char *page = page_write(folder);
    page_check(page);
    g_assert_null(strstr(page, "No pictures"));
    g_assert_cmpint(test_count(page, "4 of 30 patches annotated"), ==, 2);
    g_assert_cmpint(test_count(page, "data:image/webp;base64,"), ==, 2);
    has_figure(folder, "attention-1-distribution");
    g_assert_true(test_exists(folder, "figures/attention-2.png"));
    g_autofree char *patches = g_build_filename(folder, "figures", "attention-1.csv", NULL);
    g_autoptr(RmilTable) table = rmil_table_read(patches, &error);
    g_assert_no_error(error);
    double sum = 0;
    for (int64_t row = 0; row < rmil_table_rows(table); row++) sum += number(table, row, "rank");
    g_assert_cmpfloat_with_epsilon(sum, 1, 1e-4);
    const char *kept = g_getenv("RMIL_KEEP_REPORT");
    if (kept) g_assert_true(g_file_set_contents(kept, page, -1, NULL));
}

/* -- what cannot be reported -------------------------------------------------------------------------------------------------------- */
static void refused(const char *folder, RmilErrorCode code, const char *message) {
    g_autofree char *path = g_build_filename(folder, "report.html", NULL);
    GError *error = NULL;
    g_assert_false(rmil_report_write(folder, path, NULL, &error));
    test_error(&error, code, message);
    g_assert_false(test_exists(folder, "report.html"));
    g_assert_false(test_exists(folder, "tables/runs.csv"));
}

static void test_refused(void) {
    g_autofree char *empty = test_folder(), *broken = test_folder(), *idle = test_folder();
    refused(empty, RMIL_ERROR_DATA, "it has neither study.sqlite");
    g_autofree char *file = test_file(broken, "study.sqlite",
                                      "this is not a database, whatever its name says, and it is long enough to tell");
    refused(broken, RMIL_ERROR_FORMAT, "study.sqlite");
    fake_study_write(idle, &(FakeStudy){"comparison", "", three, three_strengths, NULL, 0, 2, 10, 0, .left = 6, .prefix = "s"});
    refused(idle, RMIL_ERROR_DATA, "none of the study's 6 runs has finished");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/present/study-report/numbers", test_numbers);
    g_test_add_func("/present/study-report/threshold", test_threshold);
    g_test_add_func("/present/study-report/option", test_option);
    g_test_add_func("/present/study-report/words", test_words);
    g_test_add_func("/present/study-report/grid", test_grid);
    g_test_add_func("/present/study-report/partial", test_partial);
    g_test_add_func("/present/study-report/own-tests", test_own_tests);
    g_test_add_func("/present/study-report/attention", test_attention);
    g_test_add_func("/present/study-report/refused", test_refused);
    return g_test_run();
}
