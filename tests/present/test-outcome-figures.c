/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of classes, times and numbers: their data, and that gnuplot draws them. */
#include "present/outcome-figures.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { N = 60, C = 3 };
static const char *const titles[C] = {"normal", "it's 50 % \"A\", of a name far too long for any axis", "LUSC"};

/* The figure as text, which is a drawing with those words in it where there is gnuplot; its data are NAME.csv below folder. */
static void check(const char *folder, const char *name, char *drawn, GError *error, const char *const *words) {
    g_autofree char *svg = drawn, *program = g_find_program_in_path("gnuplot");
    g_assert_no_error(error);
    g_assert_nonnull(svg);
    static const char *const endings[] = {".csv", ".gp", ".svg", ".pdf", ".png"};
    for (gsize i = 0; i < (program ? G_N_ELEMENTS(endings) : 2); i++) {
        g_autofree char *file = g_strconcat("figures/", name, endings[i], NULL);
        g_assert_true(test_exists(folder, file));
    }
    for (; program && *words; words++)
        if (!strstr(svg, *words)) g_error("%s: no \"%s\"", name, *words);
}

static RmilTable *data(const char *folder, const char *name) {
    g_autofree char *file = g_strconcat("figures/", name, ".csv", NULL);
    return test_rows(folder, file);
}

static void simulate(int *labels, double *probabilities) {
    RmilRng rng;
    rmil_rng_init(&rng, 3, 0);
    for (int i = 0; i < N; i++) {
        double sum = 0;
        labels[i] = i % C;
        for (int c = 0; c < C; c++) sum += probabilities[C * i + c] = exp(rmil_rng_normal(&rng) + (c == labels[i] ? 1 : 0));
        for (int c = 0; c < C; c++) probabilities[C * i + c] /= sum;
    }
}

static void test_confusion(void) {
    g_autofree char *folder = test_folder();
    const int64_t counts[C * C] = {7, 2, 1, 0, 0, 0, 3, 0, 5};
    GError *error = NULL;
    char *svg = rmil_figure_confusion("confusion", counts, C, titles, folder, &error);
    check(folder, "confusion", svg, error, (const char *const[]){"normal  (10)", "70 %", "Predicted class", "it's 50 % ", NULL});
    g_autoptr(RmilTable) rows = data(folder, "confusion");
    g_assert_cmpint(rmil_table_rows(rows), ==, C * C);
    g_assert_cmpstr(test_cell(rows, 6, "true"), ==, "LUSC");
    g_assert_cmpstr(test_cell(rows, 6, "predicted"), ==, "normal");
    g_assert_cmpstr(test_cell(rows, 6, "cases"), ==, "3");
    g_assert_cmpstr(test_cell(rows, 6, "share_of_row"), ==, "0.375");
    g_assert_cmpstr(test_cell(rows, 3, "share_of_row"), ==, "NaN"); /* no case of that class */
    int64_t many[20 * 20];
    const char *names[20];
    for (int k = 0; k < 400; k++) many[k] = k;
    for (int c = 0; c < 20; c++) names[c] = titles[1];
    svg = rmil_figure_confusion("confusion-many", many, 20, names, folder, &error);
    check(folder, "confusion-many", svg, error, (const char *const[]){"399", NULL});
}

static void test_roc_classes(void) {
    int labels[N];
    double probabilities[C * N];
    RmilClassMetrics metrics;
    g_autofree char *folder = test_folder();
    GError *error = NULL;
    simulate(labels, probabilities);
    for (int i = 0; i < N; i++) labels[i] = labels[i] == 1 ? 0 : labels[i]; /* nothing is of class 1 */
    rmil_class_metrics(labels, probabilities, N, C, &metrics);
    g_autofree char *first = g_strdup_printf("normal %.3f (n = 40)", metrics.one[0][RMIL_CLASS_AUROC]);
    char *svg = rmil_figure_roc_classes("roc-classes", labels, probabilities, N, C, titles, folder, &error);
    check(folder, "roc-classes", svg, error, (const char *const[]){first, "undefined (n = 0)", NULL});
}

static void test_reliability(void) {
    int labels[N], happened[N];
    double probabilities[C * N], scores[N], sharp[N];
    RmilReliabilityBin bin[10];
    g_autofree char *folder = test_folder();
    GError *error = NULL;
    simulate(labels, probabilities);
    for (int i = 0; i < N; i++) {
        happened[i] = labels[i] == 0;
        scores[i] = probabilities[C * i];
        sharp[i] = scores[i] > 0.5;
    }
    const RmilFigureSeries series[] = {{"as trained", scores}, {"sharp", sharp}};
    char *svg = rmil_figure_reliability("reliability", series, 2, happened, N, 10, "Predicted probability", "Share", folder, &error);
    check(folder, "reliability", svg, error, (const char *const[]){"as trained", "Predicted probability", "Cases", NULL});
    rmil_reliability(happened, scores, N, 10, 0.95, bin);
    g_autoptr(RmilTable) rows = data(folder, "reliability");
    g_assert_cmpint(rmil_table_rows(rows), ==, 20);
    for (int b = 0; b < 10; b++) {
        double cases;
        g_assert_true(rmil_table_number(rows, b, rmil_table_find(rows, "cases"), &cases, NULL));
        g_assert_cmpfloat(cases, ==, (double)bin[b].n);
    }
    svg = rmil_figure_decision("decision", series, 2, happened, N, folder, &error);
    check(folder, "decision", svg, error, (const char *const[]){"sharp", "all called positive", "Net benefit", NULL});
    g_autoptr(RmilTable) benefit = data(folder, "decision");
    g_assert_cmpint(rmil_table_rows(benefit), ==, 3 * 99);
}

static void test_survival(void) {
    double time[N], values[N];
    gboolean event[N];
    int group[N];
    g_autofree char *folder = test_folder();
    GError *error = NULL;
    for (int i = 0; i < N; i++) {
        group[i] = i % 2 ? 2 : 0; /* nobody in the middle */
        time[i] = 1 + i * (group[i] ? 0.5 : 1.5);
        event[i] = i % 4 > 0;
        values[i] = sqrt(time[i]);
    }
    char *svg = rmil_figure_survival("survival-rank", time, event, group, N, C, titles, "Time, months", folder, &error);
    check(folder, "survival-rank", svg, error, (const char *const[]){"Time, months", "At risk", "log-rank p ", "LUSC", NULL});
    g_autoptr(RmilTable) rows = data(folder, "survival-rank");
    int64_t censored = 0;
    for (int64_t i = 0; i < rmil_table_rows(rows); i++) {
        censored += strcmp(test_cell(rows, i, "what"), "censored") == 0;
        g_assert_cmpstr(test_cell(rows, i, "group"), !=, "1");
    }
    g_assert_cmpint(censored, ==, N / 4);
    svg = rmil_figure_scatter("scatter", time, values, N, "age, years", folder, &error);
    check(folder, "scatter", svg, error, (const char *const[]){"True age, years", "mean absolute error", "Spearman's ρ 1.000", NULL});
}

static void test_step(void) {
    g_assert_cmpfloat(rmil_tidy_step(100, 6), ==, 20);
    g_assert_cmpfloat(rmil_tidy_step(61, 6), ==, 20);
    g_assert_cmpfloat(rmil_tidy_step(60, 6), ==, 10);
    g_assert_cmpfloat_with_epsilon(rmil_tidy_step(0.7, 6), 0.2, 1e-12);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/present/outcome/confusion", test_confusion);
    g_test_add_func("/present/outcome/roc-classes", test_roc_classes);
    g_test_add_func("/present/outcome/reliability", test_reliability);
    g_test_add_func("/present/outcome/survival", test_survival);
    g_test_add_func("/present/outcome/step", test_step);
    return g_test_run();
}
