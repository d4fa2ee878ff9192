/* SPDX-License-Identifier: Apache-2.0 */
/* Plans. */
#include "study/plan.h"
#include "support.h"

#include <math.h>
#include <string.h>

static RmilStudyPlan *read_plan(const char *text, const char *const *sets, GError **error) {
    g_autofree char *folder = test_folder(), *path = test_file(folder, "plan.yaml", text);
    return rmil_study_plan_read(path, sets, error);
}

static RmilStudyPlan *good(const char *text, const char *const *sets) {
    GError *error = NULL;
    RmilStudyPlan *plan = read_plan(text, sets, &error);
    g_assert_no_error(error);
    return plan;
}

static void refused(const char *text, const char *set, const char *part) {
    const char *sets[] = {set, NULL};
    GError *error = NULL;
    g_assert_null(read_plan(text, set ? sets : NULL, &error));
    g_assert_nonnull(error);
    test_error(&error, (RmilErrorCode)error->code, part);
}

static double option(const RmilStudyPlan *plan, const char *method, const char *name) {
    RmilTrainOptions base, options;
    rmil_train_options_init(&base);
    g_assert_true(rmil_plan_options(plan, rmil_method_find(method, NULL), 0, &base, &options, NULL));
    const double value = g_ascii_strtod(rmil_train_options_get(&options, name), NULL);
    rmil_train_options_clear(&options);
    return value;
}

static void test_read(void) {
    g_autoptr(RmilStudyPlan) plan = good("study: threshold\ntitle: Of 'T'\nmethods: [rank, ds-rank]\nseeds: [4, 2]\nvalues: 0, 0.1,2\n"
                                         "settings: {epochs: 5, sigma: 2.5}\noverrides:\n  ds-rank:\n    sigma: 0.5\n",
                                         NULL);
    g_assert_cmpint(plan->methods->len, ==, 2);
    g_assert_cmpstr(plan->reference->name, ==, "rank");
    g_assert_cmpint(g_array_index(plan->seeds, int64_t, 1), ==, 2);
    int64_t count;
    g_assert_cmpfloat(rmil_study_plan_values(plan, "threshold", &count)[1], ==, 0.1);
    g_assert_cmpint(count, ==, 3);
    g_assert_cmpfloat(option(plan, "rank", "sigma"), ==, 2.5);
    g_assert_cmpfloat(option(plan, "ds-rank", "sigma"), ==, 0.5);
    /* its own text is the same plan */
    g_autoptr(RmilStudyPlan) again = good(rmil_study_plan_text(plan), NULL);
    g_assert_cmpstr(rmil_study_plan_text(again), ==, rmil_study_plan_text(plan));
    g_assert_nonnull(strstr(rmil_study_plan_text(plan), "title: 'Of ''T'''\n"));
    g_assert_nonnull(strstr(rmil_study_plan_text(plan), "values: [0, 0.1, 2]\n"));
}

static void test_defaults(void) {
    g_autoptr(RmilStudyPlan) plan = good("study: granularity\nmethods: [dsmil, rank]\n", NULL);
    int64_t count;
    const double *values = rmil_study_plan_values(plan, "padding", &count);
    g_assert_cmpint(count, ==, 6);
    g_assert_cmpfloat(values[5], ==, 2240);
    g_assert_cmpint(plan->seeds->len, ==, 10);
    g_assert_cmpstr(plan->reference->name, ==, "rank");
    g_autoptr(RmilStudyPlan) without = good("study: comparison\nmethods: [dsmil, abmil]\nsplits: s.csv\n", NULL);
    g_assert_cmpstr(without->reference->name, ==, "dsmil");
    g_assert_cmpint(without->seeds->len, ==, 0); /* every split */
    g_assert_true(g_path_is_absolute(without->splits));
    g_assert_null(rmil_study_plan_values(without, "padding", &count));
    g_assert_cmpint(count, ==, 0);
}

static void test_set(void) {
    const char *const sets[] = {"seeds=3", "methods=abmil, rank", "epochs=7", "rank.sigma=3", "title=a b", "sigma=4", NULL};
    g_autoptr(RmilStudyPlan) plan = good("study: comparison\nmethods: [dsmil, rank]\nsettings:\n  sigma: 2\n", sets);
    g_assert_cmpint(plan->seeds->len, ==, 3);
    g_assert_cmpstr(((const RmilTrainMethod *)plan->methods->pdata[0])->name, ==, "abmil");
    g_assert_cmpfloat(option(plan, "rank", "sigma"), ==, 3);
    g_assert_cmpfloat(option(plan, "abmil", "sigma"), ==, 4);
    g_assert_nonnull(strstr(rmil_study_plan_text(plan), "  epochs: 7\n"));
}

/* -- any option varied ------------------------------------------------------------------------------------------------------- */
static GPtrArray *titles(const RmilStudyPlan *plan) {
    g_autoptr(GString) text = g_string_new("slide,label\n");
    for (int i = 0; i < 20; i++) g_string_append_printf(text, "s%d.svs,%d\n", i, i % 2);
    g_autofree char *folder = test_folder(), *path = test_file(folder, "cohort.csv", text->str);
    GError *error = NULL;
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
    RmilTrainOptions base;
    rmil_train_options_init(&base);
    GPtrArray *runs = rmil_study_plan_runs(plan, cohort, &base, &error);
    g_assert_no_error(error);
    return runs;
}

/* A plan that varies, its text, and its runs. */
static void varies(const char *text, const char *const *sets, const char *part, guint runs, guint at, const char *title) {
    g_autoptr(RmilStudyPlan) plan = good(text, sets);
    if (!strstr(rmil_study_plan_text(plan), part)) g_error("\"%s\" is not in \"%s\"", part, rmil_study_plan_text(plan));
    g_autoptr(RmilStudyPlan) again = good(rmil_study_plan_text(plan), NULL);
    g_assert_cmpstr(rmil_study_plan_text(again), ==, rmil_study_plan_text(plan));
    g_autoptr(GPtrArray) list = titles(plan);
    g_assert_cmpuint(list->len, ==, runs);
    g_assert_cmpstr(list->pdata[at], ==, title);
}

static void test_vary(void) {
    static const char plain[] = "study: comparison\nmethods: [abmil, rank]\nseeds: [3]\n";
    g_autofree char *number = g_strconcat("values: [0, 0.25, 5e-1]\nvary: dropout\n", plain, NULL),
                    *word = g_strconcat(plain, "vary: sampler\nvalues: balanced, shuffle\n", NULL),
                    *whole = g_strconcat(plain, "vary: [epochs]\nvalues: [1000000, 2]\n", NULL),
                    *grid = g_strconcat(plain, "vary: [dropout, learning-rate]\nvalues: [[0, 0.25], [1e-4, 2e-4]]\n", NULL),
                    *data = g_strconcat(plain, "vary: [sigma, annotated]\nvalues: [[2], [0, 1]]\n", NULL),
                    *paper = g_strconcat(plain, "vary: fraction\n", NULL),
                    *set = g_strconcat(plain, "settings: {epochs: 3, sigma: 2}\noverrides: {rank: {sigma: 3}}\n", NULL);
    varies(number, NULL, "vary: dropout\nvalues: [0, 0.25, 0.5]\n", 6, 5, "rank, dropout 0.5, seed 3");
    varies(word, NULL, "vary: sampler\nvalues: [balanced, shuffle]\n", 4, 1, "abmil, sampler shuffle, seed 3");
    varies(whole, NULL, "values: [1000000, 2]\n", 4, 0, "abmil, epochs 1000000, seed 3");
    varies(grid, NULL, "vary: [dropout, learning-rate]\nvalues: [[0, 0.25], [0.0001, 0.0002]]\n", 8, 5,
           "rank, dropout 0, learning-rate 0.0002, seed 3");
    varies(data, NULL, "values: [[2], [0, 1]]\n", 4, 3, "rank, sigma 2, annotated 1, seed 3");
    varies(paper, NULL, "vary: fraction\nvalues: [0.2, 0.4, 0.6, 0.8, 1]\n", 10, 0, "abmil, fraction 0.2, seed 3");
    /* --set replaces what varies, whatever comes first, and with it what the file sets of that option */
    const char *const sets[] = {"values=[[1, 2], [shuffle]]", "vary=sigma, sampler", NULL};
    varies(set, sets, "vary: [sigma, sampler]\nvalues: [[1, 2], [shuffle]]\nsettings:\n  epochs: 3\n", 4, 1,
           "abmil, sigma 2, sampler shuffle, seed 3");
    g_autoptr(RmilStudyPlan) plan = good(grid, NULL);
    int64_t count;
    g_assert_cmpfloat(rmil_study_plan_values(plan, "learning-rate", &count)[1], ==, 2e-4);
    g_assert_cmpint(count, ==, 2);
    g_assert_null(rmil_study_plan_values(plan, "padding", &count));
}

/* The share of each lesion that is annotated has usual values, and bounds. */
static void test_vary_within(void) {
    g_autoptr(RmilStudyPlan) plan = good("study: comparison\nmethods: [rank]\nvary: annotated-within\nseeds: [2]\n", NULL);
    g_autoptr(GPtrArray) runs = titles(plan);
    g_assert_cmpuint(runs->len, ==, 3);
    g_assert_cmpstr(runs->pdata[1], ==, "rank, annotated-within 0.3, seed 2");
    refused("study: comparison\nmethods: [rank]\nvary: annotated-within\nvalues: [0.01, 1]\n", NULL,
            "annotated-within is 0.01; it must be in 0.05 … 1");
}

static void test_vary_wrong(void) {
#define OF "study: comparison\nmethods: [rank, hipt]\n"
    refused(OF "vary: dropouts\nvalues: [0]\n", NULL,
            "line 3: there is nothing called \"dropouts\" to vary; choose one of fraction, padding, ");
    refused(OF "vary: precision\nvalues: [float32]\n", NULL, "line 3: precision is the same for all runs of a study");
    refused(OF "vary: memory\nvalues: [4G]\n", NULL, "line 3: memory is the same for all runs");
    refused(OF "vary: [sigma, sigma]\nvalues: [[1], [2]]\n", NULL, "line 3: vary names \"sigma\" twice");
    refused(OF "vary: [sigma, margin, epochs]\nvalues: [[1], [2], [3]]\n", NULL, "line 3: vary names 3 options; at most 2 are allowed");
    refused(OF "vary: sigma\n", NULL, "sigma varies, but no values are given: add the field values");
    refused(OF "vary: sigma\nvalues: [1, 0]\n", NULL, "line 4: sigma is 0; it must be in 1e-06 … 1000000");
    refused(OF "vary: sigma\nvalues: [1, 1.0]\n", NULL, "line 4: values names 1 twice");
    refused(OF "vary: epochs\nvalues: [1, 2.5]\n", NULL, "line 4: epochs is \"2.5\"; it must be a whole number in 1 … 1000000");
    refused(OF "vary: sampler\nvalues: [shuffle, none]\n", NULL, "line 4: sampler is \"none\"; it must be shuffle or balanced");
    refused(OF "vary: sigma\nvalues: [[1, 2]]\n", NULL, "line 4: values is not a single value");
    refused(OF "vary: [sigma, epochs]\nvalues: [1, 2]\n", NULL, "line 4: values is not two lists, one of sigma and one of epochs");
    refused(OF "vary: [sigma, epochs]\nvalues:\n- [1, 2]\n- [0]\n", NULL, "line 6: epochs is 0; it must be in 1 … 1000000");
    refused(OF "vary: sigma\nvalues: [1]\nsettings:\n  sigma: 2\n", NULL, "line 6: sigma is what this study varies");
    refused(OF "vary: dropout\nvalues: [0, 0.5]\n", NULL, "method hipt, dropout 0.5: model hipt takes no dropout");
    refused("study: low-data\nvary: sigma\nmethods: [rank]\n", NULL, "line 2: a study of the kind low-data always varies fraction");
    refused(OF, "vary=sigmas", "--set vary=sigmas: there is nothing called \"sigmas\" to vary");
    refused(OF "vary: sigma\nvalues: [1]\n", "values=[0]", "--set values=[0]: sigma is 0; it must be in");
    refused(OF "vary: sigma\nvalues: [1]\n", "sigma=2", "--set sigma=2: sigma is what this study varies");
}

static void test_wrong(void) {
    refused("", NULL, "no field \"study\"");
    refused("- a\n", NULL, "no field \"study\"");
    refused("study: [a\n", NULL, "line 2: is not YAML");
    refused("study: comparisons\nmethods: [rank]\n", NULL, "line 1: there is no study \"comparisons\"");
    refused("study: comparison\n", NULL, "names no methods");
    refused("study: comparison\n\nmethods: [rank, ranks]\n", NULL, "line 3: there is no method \"ranks\"");
    refused("study: comparison\nmethods: [rank, rank]\n", NULL, "line 2: methods names \"rank\" twice");
    refused("study: comparison\nmethods: []\n", NULL, "line 2: methods is empty");
    refused("study: comparison\nmethods: [rank]\nmethod: rank\n", NULL, "line 3: there is no field \"method\"");
    refused("study: comparison\nmethods: [rank]\nseeds: 3\nseeds: 4\n", NULL, "is given twice");
    refused("study: comparison\nmethods: [rank]\nseeds: 0\n", NULL, "line 3: seeds must be 1 … ");
    refused("study: comparison\nmethods: [rank]\nseeds: [1, x]\n", NULL, "line 3: seed \"x\"");
    refused("study: comparison\nmethods: [rank]\nseeds: [-1]\n", NULL, "line 3: seed \"-1\"");
    refused("study: comparison\nmethods: [rank]\nvalues: [1]\n", NULL, "line 3: a study of the kind comparison varies nothing");
    refused("study: low-data\nmethods: [rank]\nvalues: [0.5, 2]\n", NULL, "line 3: fraction is 2; it must be in 0.001 … 1");
    refused("study: low-data\nmethods: [rank]\nvalues: [0.5, 0.50]\n", NULL, "values names 0.5 twice");
    refused("study: comparison\nmethods: [abmil]\nreference: rank\n", NULL, "the reference rank is not one of the methods");
    refused("study: comparison\nmethods: [rank]\nsettings:\n  epoch: 3\n", NULL, "line 4: there is no setting \"epoch\"");
    refused("study: comparison\nmethods: [rank]\nsettings:\n  epochs: many\n", NULL,
            "line 4: epochs is \"many\"; it must be a whole number in 1 … 1000000");
    refused("study: comparison\nmethods: [rank]\nsettings:\n  memory: 4G\n", NULL, "line 4: memory is not part of a plan: give --");
    refused("study: comparison\nmethods: [rank]\nsettings:\n  sigma: -1\n", NULL, "line 4: sigma is -1; it must be in 1e-06 … 1000000");
    refused("study: comparison\nmethods: [rank, clam-sb]\nsettings:\n  threshold: 1\n", NULL, "method clam-sb: ");
    refused("study: threshold\nmethods: [rank, hipt]\n", NULL, "method hipt, threshold 0: model hipt has no attention threshold");
    refused("study: threshold\nmethods: [rank]\nsettings: {threshold: 2}\n", NULL, "line 3: threshold is what this study varies");
    refused("study: comparison\nmethods: [rank]\noverrides: {rank: {test-share: 0.3}}\n", NULL, "line 3: test-share cannot differ");
    refused("study: comparison\nmethods: [rank]\noverrides: {ranks: {sigma: 1}}\n", NULL, "line 3: there is no method \"ranks\"");
    refused("study: comparison\nmethods: [rank]\n", "study=low-data",
            "--set study=low-data: the kind of a study cannot be changed "
            "with --set: choose another plan");
    refused("study: comparison\nmethods: [rank]\n", "nonsense=1", "--set nonsense=1: there is no setting");
    refused("study: comparison\nmethods: [rank]\n", "epochs", "is not KEY=VALUE");
    refused("study: comparison\nmethods: [rank]\n", "seeds=[", "--set seeds=[: is not YAML");
    refused("study: comparison\nmethods: [rank]\n", "seeds=", "--set seeds=: ");
    refused("study: comparison\nmethods: [rank]\n", "ranks.sigma=1", "there is no method \"ranks\"");
}

/* Every plan that is shipped reads, and those of the paper mean what it did. */
static void test_shipped(void) {
    static const struct {
        const char *name, *kind;
        int64_t runs;
    } plans[] = {{"comparison", NULL, 90},
                 {"low-data", NULL, 350},
                 {"granularity", NULL, 120},
                 {"annotated-fraction", NULL, 80},
                 {"supervised", "annotated-fraction", 350},
                 {"threshold", NULL, 60},
                 {"localisation", NULL, 60},
                 {"learning-rate", "comparison", 90},
                 {"guides", "comparison", 300},
                 {"annotate-next", "comparison", 180}};
    const char *source = g_getenv("RMIL_SOURCE");
    if (!source) return g_test_skip("RMIL_SOURCE is not set");
    g_autoptr(GString) text = g_string_new("slide,label\n");
    for (int i = 0; i < 20; i++) g_string_append_printf(text, "s%d.svs,%d\n", i, i % 2);
    g_autofree char *folder = test_folder(), *cohort_path = test_file(folder, "cohort.csv", text->str);
    GError *error = NULL;
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(cohort_path, &error);
    g_assert_no_error(error);
    RmilTrainOptions base;
    rmil_train_options_init(&base);
    for (gsize i = 0; i < G_N_ELEMENTS(plans); i++) {
        g_autofree char *file = g_strconcat(plans[i].name, ".yaml", NULL), *path = g_build_filename(source, "studies", file, NULL);
        g_autoptr(RmilStudyPlan) plan = rmil_study_plan_read(path, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(plan->kind, ==, plans[i].kind ? plans[i].kind : plans[i].name);
        g_autoptr(GPtrArray) runs = rmil_study_plan_runs(plan, cohort, &base, &error);
        g_assert_no_error(error);
        g_assert_cmpint(runs->len, ==, plans[i].runs);
    }
}

/* Cross-validation: the plan says it in its fixed form, which reads back; its runs are named by fold. */
static void test_folds(void) {
    g_autoptr(RmilStudyPlan) plan = good("study: comparison\nmethods: [rank]\nsplits: {folds: 2, repeats: 2}\n", NULL);
    g_assert_nonnull(strstr(rmil_study_plan_text(plan), "seeds: 2\nsettings:\n  folds: 2\n"));
    g_autoptr(RmilStudyPlan) again = good(rmil_study_plan_text(plan), NULL);
    g_assert_cmpstr(rmil_study_plan_text(again), ==, rmil_study_plan_text(plan));
    g_autoptr(GPtrArray) runs = titles(plan);
    g_assert_cmpuint(runs->len, ==, 4);
    g_assert_cmpstr(runs->pdata[3], ==, "rank, split seed-1-fold-2");
    refused("study: comparison\nmethods: [rank]\nsplits: {fold: 4}\n", NULL,
            "line 3: splits is a file, or has the fields folds, repeats and by_site; it has no \"fold\"");
    refused("study: comparison\nmethods: [rank]\nsplits:\n  folds: 1\n", NULL, "line 4: folds is 1; it must be in 2");
}

/* Sites stay whole: the plan says it in its fixed form, and takes only a cohort that was read so. */
/* Where outlines are partial, the plan takes the guide that stands it, and compares with it. */
static void test_partial(void) {
    g_autoptr(RmilStudyPlan) plan = good("study: comparison\nannotations: partial\n", NULL),
                             own = good("study: comparison\nmethods: [rank, rank-both]\nannotations: partial\n", NULL),
                             whole = good("study: comparison\nmethods: [abmil, rank-both, rank]\nannotations: whole\n", NULL);
    g_assert_cmpint(plan->methods->len, ==, 2);
    g_assert_cmpstr(((const RmilTrainMethod *)plan->methods->pdata[0])->name, ==, "abmil");
    g_assert_cmpstr(((const RmilTrainMethod *)plan->methods->pdata[1])->name, ==, "rank-both");
    g_assert_cmpstr(plan->reference->name, ==, "rank-both");
    g_assert_cmpstr(own->reference->name, ==, "rank-both");
    g_assert_cmpstr(whole->reference->name, ==, "rank");
    g_autoptr(RmilStudyPlan) again = good(rmil_study_plan_text(plan), NULL);
    g_assert_cmpstr(rmil_study_plan_text(again), ==, rmil_study_plan_text(plan));
    g_assert_null(strstr(rmil_study_plan_text(whole), "annotations"));
    refused("study: comparison\nmethods: [rank]\nannotations: some\n", NULL,
            "line 3: annotations is \"some\"; it must be whole or partial");
    refused("study: comparison\nannotations: whole\n", NULL, "names no methods");
    refused("study: comparison\nmethods: [rank-both]\nsettings: {pairs: within}\n", NULL,
            "method rank-both always has --pairs both: leave --pairs out, or choose another method");
}

static void test_by_site(void) {
    g_autoptr(RmilStudyPlan) plan = good("study: comparison\nmethods: [rank]\nseeds: [4]\nsplits: {folds: 3, by_site: true}\n", NULL),
                             not = good("study: comparison\nmethods: [rank]\nsplits: {by_site: false}\n", NULL);
    g_assert_true(rmil_study_plan_by_site(plan));
    g_assert_nonnull(strstr(rmil_study_plan_text(plan), "seeds: [4]\nsplits: {by_site: true}\nsettings:\n  folds: 3\n"));
    g_autoptr(RmilStudyPlan) again = good(rmil_study_plan_text(plan), NULL);
    g_assert_cmpstr(rmil_study_plan_text(again), ==, rmil_study_plan_text(plan));
    g_assert_false(rmil_study_plan_by_site(not ));
    g_assert_null(strstr(rmil_study_plan_text(not ), "splits"));
    const char *const file[] = {"splits=s.csv", NULL};
    g_autoptr(RmilStudyPlan) fixed = good(rmil_study_plan_text(not ), file);
    g_assert_false(rmil_study_plan_by_site(fixed));
    refused("study: comparison\nmethods: [rank]\nsplits: {by_site: 1}\n", NULL, "line 3: by_site is \"1\", not true or false");
    g_autoptr(GString) text = g_string_new("slide,label,site\n");
    for (int i = 0; i < 36; i++) g_string_append_printf(text, "s%d.svs,%d,site%d\n", i, i % 2, i / 4);
    g_autofree char *folder = test_folder(), *path = test_file(folder, "cohort.csv", text->str);
    GError *error = NULL;
    g_autoptr(RmilCohort) apart = rmil_cohort_read(path, &error),
                          whole = rmil_cohort_read_as(path, &(RmilReading){.by_site = TRUE}, &error);
    RmilTrainOptions base;
    rmil_train_options_init(&base);
    g_assert_null(rmil_study_plan_repeats(plan, apart, &base, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "cohort.csv: the plan keeps sites whole (by_site), but the cohort was read without sites");
    g_autoptr(GArray) repeats = rmil_study_plan_repeats(plan, whole, &base, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(repeats->len, ==, 3);
    for (guint r = 0; r < 3; r++)
        for (int i = 0; i < 36; i++)
            g_assert_cmpint(g_array_index(repeats, RmilRepeat, r).splits[i], ==, g_array_index(repeats, RmilRepeat, r).splits[i / 4 * 4]);
}

static void test_columns(void) {
    g_autoptr(GString) text = g_string_new("slide,label\n"), splits = g_string_new("id,a_7,a_8,a_9\n");
    static const char *const sets[] = {"train", "val", "test"};
    for (int i = 0; i < 12; i++) {
        g_string_append_printf(text, "s%d.svs,%d\n", i, i % 2);
        g_string_append_printf(splits, "s%d,%s,%s,%s\n", i, sets[i / 2 % 3], sets[(i / 2 + 1) % 3], sets[(i / 2 + 2) % 3]);
    }
    g_autofree char *folder = test_folder(), *cohort_path = test_file(folder, "cohort.csv", text->str);
    g_autofree char *splits_path = test_file(folder, "splits.csv", splits->str), *set = g_strconcat("splits=", splits_path, NULL);
    GError *error = NULL;
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(cohort_path, &error);
    RmilTrainOptions base;
    rmil_train_options_init(&base);
    static const struct {
        const char *seeds;
        guint runs;
        const char *first;
    } cases[] = {{"seeds=2", 2, "rank, split a_7"}, {"seeds=10", 3, "rank, split a_7"}, {"seeds=[9, 8]", 2, "rank, split a_8"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *chosen[] = {set, cases[i].seeds, NULL};
        g_autoptr(RmilStudyPlan) plan = good("study: comparison\nmethods: [rank]\n", chosen);
        g_autoptr(GPtrArray) runs = rmil_study_plan_runs(plan, cohort, &base, &error);
        g_assert_no_error(error);
        g_assert_cmpint(runs->len, ==, cases[i].runs);
        g_assert_cmpstr(runs->pdata[0], ==, cases[i].first);
    }
    const char *missing[] = {set, "seeds=[6]", NULL};
    g_autoptr(RmilStudyPlan) plan = good("study: comparison\nmethods: [rank]\n", missing);
    g_assert_null(rmil_study_plan_runs(plan, cohort, &base, &error));
    test_error(&error, RMIL_ERROR_DATA, "no column's name ends in the seed 6");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/read", test_read);
    g_test_add_func("/plan/defaults", test_defaults);
    g_test_add_func("/plan/set", test_set);
    g_test_add_func("/plan/vary", test_vary);
    g_test_add_func("/plan/vary-within", test_vary_within);
    g_test_add_func("/plan/vary-wrong", test_vary_wrong);
    g_test_add_func("/plan/wrong", test_wrong);
    g_test_add_func("/plan/shipped", test_shipped);
    g_test_add_func("/plan/folds", test_folds);
    g_test_add_func("/plan/by-site", test_by_site);
    g_test_add_func("/plan/partial", test_partial);
    g_test_add_func("/plan/columns", test_columns);
    return g_test_run();
}
