/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-validation: folds of whole patients, alike in their classes. */
#include "support.h"

#include "rankmil/cohort.h"

#include <string.h>

/* n slides, the first `positive` of label 1; patient of slide i: i / per (per 0: none). Free with rmil_cohort_free. */
static RmilCohort *cohort_of(int n, int positive, int per, const char *splits) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) csv = g_string_new(splits ? "id,features,label,patient,split\n" : "id,features,label,patient\n");
    for (int i = 0; i < n; i++) {
        g_string_append_printf(csv, "s%02d,s%02d.h5,%d,", i, i, i < positive);
        if (per) g_string_append_printf(csv, "p%d", i / per);
        g_string_append_printf(csv, "%s%s\n", splits ? "," : "", splits && i == 0 ? splits : "");
        g_autofree char *name = g_strdup_printf("s%02d.h5", i);
        g_free(test_file(folder, name, "x"));
    }
    g_autofree char *path = test_file(folder, "c.csv", csv->str);
    GError *error = NULL;
    RmilCohort *cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    return cohort;
}

static const RmilRepeat *at(const GArray *repeats, guint i) { return &g_array_index(repeats, RmilRepeat, i); }

/* One slide a patient: each slide is tested once, and the classes' numbers differ by one at most; every fold has validation. */
static void test_stratified(void) {
    g_autoptr(RmilCohort) cohort = cohort_of(53, 17, 0, NULL);
    GError *error = NULL;
    const int64_t seeds[] = {3};
    g_autoptr(GArray) folds = rmil_repeats_fold(cohort, 5, 0.2, seeds, 1, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(folds->len, ==, 5);
    int tested[53] = {0};
    for (guint f = 0; f < 5; f++) {
        int counts[4][2] = {{0}};
        g_autofree char *name = g_strdup_printf("fold-%u", f + 1);
        g_assert_cmpstr(at(folds, f)->name, ==, name);
        g_assert_cmpint(at(folds, f)->seed, ==, 3);
        for (int i = 0; i < 53; i++) {
            counts[at(folds, f)->splits[i]][i < 17]++;
            tested[i] += at(folds, f)->splits[i] == RMIL_SPLIT_TEST;
        }
        g_assert_true(counts[RMIL_SPLIT_TEST][1] == 3 || counts[RMIL_SPLIT_TEST][1] == 4);
        g_assert_true(counts[RMIL_SPLIT_TEST][0] == 7 || counts[RMIL_SPLIT_TEST][0] == 8);
        g_assert_true(counts[RMIL_SPLIT_VAL][0] > 0 && counts[RMIL_SPLIT_VAL][1] > 0);
        g_assert_cmpint(counts[RMIL_SPLIT_NONE][0] + counts[RMIL_SPLIT_NONE][1], ==, 0);
    }
    for (int i = 0; i < 53; i++) g_assert_cmpint(tested[i], ==, 1);
}

/* Patients never part, in no set of no fold; another seed deals otherwise, the same seed alike; several seeds are named. */
static void test_patients(void) {
    g_autoptr(RmilCohort) cohort = cohort_of(60, 30, 3, NULL);
    GError *error = NULL;
    const int64_t seeds[] = {0, 1};
    g_autoptr(GArray) folds = rmil_repeats_fold(cohort, 4, 0.25, seeds, 2, &error);
    g_autoptr(GArray) again = rmil_repeats_fold(cohort, 4, 0.25, seeds, 2, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(folds->len, ==, 8);
    g_assert_cmpstr(at(folds, 5)->name, ==, "seed-1-fold-2");
    gboolean differs = FALSE;
    for (guint f = 0; f < 8; f++)
        for (int i = 0; i < 60; i++) {
            g_assert_cmpint(at(folds, f)->splits[i], ==, at(folds, f)->splits[i / 3 * 3]);
            g_assert_cmpint(at(folds, f)->splits[i], ==, at(again, f)->splits[i]);
            differs = differs || (f < 4 && at(folds, f)->splits[i] != at(folds, f + 4)->splits[i]);
        }
    g_assert_true(differs);
}

/* As a table and back. */
static void test_table(void) {
    g_autoptr(RmilCohort) cohort = cohort_of(20, 8, 0, NULL);
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "folds.csv", NULL);
    GError *error = NULL;
    const int64_t seeds[] = {7};
    g_autoptr(GArray) folds = rmil_repeats_fold(cohort, 4, 0.25, seeds, 1, &error);
    g_assert_true(rmil_repeats_write(cohort, folds, path, &error));
    g_autoptr(GArray) back = rmil_repeats_read(cohort, path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(back->len, ==, 4);
    for (guint f = 0; f < 4; f++) {
        g_assert_cmpstr(at(back, f)->name, ==, at(folds, f)->name);
        g_assert_cmpint(memcmp(at(back, f)->splits, at(folds, f)->splits, 20 * sizeof(RmilSplit)), ==, 0);
    }
}

static void test_refused(void) {
    GError *error = NULL;
    const int64_t seeds[] = {0};
    g_autoptr(RmilCohort) few = cohort_of(20, 3, 0, NULL), named = cohort_of(20, 8, 0, "test");
    g_assert_null(rmil_repeats_fold(few, 5, 0.2, seeds, 1, &error));
    test_error(&error, RMIL_ERROR_DATA, "cannot be divided into 5 folds: label 1 has only 3 patients");
    g_assert_null(rmil_repeats_fold(named, 5, 0.2, seeds, 1, &error));
    test_error(&error, RMIL_ERROR_DATA, "its split column assigns slides to sets, but folds divide all slides: remove that column");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cohort/folds/stratified", test_stratified);
    g_test_add_func("/cohort/folds/patients", test_patients);
    g_test_add_func("/cohort/folds/table", test_table);
    g_test_add_func("/cohort/folds/refused", test_refused);
    return g_test_run();
}
