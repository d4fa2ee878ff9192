/* SPDX-License-Identifier: Apache-2.0 */
/* Exact intervals of shares whose cases come from patients with several each. */
#include "rankmil/base.h"
#include "rankmil/evaluate.h"
#include "rankmil/measures.h"

#include <math.h>
#include <string.h>

/* R 4.2.2 with survey 4.1.1: svyciprop(~y, svydesign(ids = ~p, weights = ~w), method = "beta"), all weights 1. */
static void test_survey(void) {
    static const double hit[] = {1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1}, pairs[] = {1, 1, 1, 1, 0, 0, 1, 1};
    static const int64_t of[] = {1, 1, 1, 2, 2, 3, 3, 3, 4, 5, 5, 6, 7, 7, 8, 9, 9}, of_pairs[] = {9, 9, 2, 2, 30, 30, 4, 4};
    double whole[120];
    int64_t of_whole[120];
    for (int i = 0; i < 120; i++) of_whole[i] = i / 4, whole[i] = (i / 4 + 1) % 5 != 0;
    const struct {
        const double *hit;
        const int64_t *groups;
        int64_t n;
        double low, high;
    } known[] = {{hit, of, 17, 0.435040801413062, 0.986769488498278},
                 {pairs, of_pairs, 8, 0.0374414068814078, 0.999948600520331},
                 {whole, of_whole, 120, 0.603069312627083, 0.92761319198232}};
    for (gsize k = 0; k < G_N_ELEMENTS(known); k++) {
        const RmilInterval own = rmil_share_of_patients(known[k].hit, known[k].groups, known[k].n, 0.95);
        g_assert_cmpfloat_with_epsilon(own.low, known[k].low, 1e-9);
        g_assert_cmpfloat_with_epsilon(own.high, known[k].high, 1e-9);
        g_assert_cmpstr(own.method, ==, "exact by patient");
    }
}

/* A miss that was seen is never ruled out, however the patients fall. */
static void test_misses(void) {
    double hit[17];
    int64_t groups[17];
    for (int i = 0; i < 17; i++) hit[i] = i > 2, groups[i] = i < 3 ? 0 : i / 3;
    const RmilInterval own = rmil_share_of_patients(hit, groups, 17, 0.95);
    g_assert_cmpfloat(own.high, <, 1);
    g_assert_cmpfloat(own.low, <, rmil_clopper_pearson(14, 17, 0.95).low);
}

/* No case knows more than a case. */
static void same(RmilInterval a, RmilInterval b) {
    g_assert_cmpfloat_with_epsilon(a.low, b.low, 1e-12);
    g_assert_cmpfloat_with_epsilon(a.high, b.high, 1e-12);
}

static void test_effective(void) {
    double hit[121];
    int64_t groups[121];
    for (int i = 0; i < 120; i++)
        groups[i] = i / 4, hit[i] = (i + 1) * 7 % 11 < 8; /* patients differ less than by chance: R gives 0.671 to 0.775 */
    same(rmil_share_of_patients(hit, groups, 120, 0.95), rmil_clopper_pearson(87, 120, 0.95));
    same(rmil_share_of_patients(hit, NULL, 120, 0.95), rmil_clopper_pearson(87, 120, 0.95));
    g_assert_cmpstr(rmil_share_of_patients(hit, NULL, 120, 0.95).method, ==, "exact");
    hit[120] = NAN, groups[120] = 0; /* not one that the share is of */
    same(rmil_share_of_patients(hit, groups, 121, 0.95), rmil_clopper_pearson(87, 120, 0.95));
    for (int i = 0; i < 120; i++) hit[i] = 1; /* all agree: thirty patients */
    same(rmil_share_of_patients(hit, groups, 121, 0.95), rmil_clopper_pearson(30, 30, 0.95));
    for (int i = 0; i < 121; i++) groups[i] = 7, hit[i] = i < 60; /* one patient */
    const RmilInterval one = rmil_share_of_patients(hit, groups, 121, 0.95);
    g_assert_cmpfloat(one.high - one.low, >, 0.95);
}

/* Some patients are easy, others hard: the interval holds the true share at least as often as it says; one that takes slides for independent
 * does not. */
static void test_coverage(void) {
    enum { PATIENTS = 25, SLIDES = 6, ALL = PATIENTS * SLIDES, TRIALS = 400 };
    double hit[ALL];
    int64_t groups[ALL];
    int by_patient = 0, naive = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        RmilRng rng;
        rmil_rng_init(&rng, 3, (uint64_t)trial);
        double easy = 0;
        for (int i = 0; i < ALL; i++) {
            groups[i] = i / SLIDES;
            if (i % SLIDES == 0) easy = rmil_rng_uniform(&rng) < 0.6 ? 0.95 : 0.35; /* 0.71 in the mean */
            hit[i] = rmil_rng_uniform(&rng) < easy;
        }
        const RmilInterval own = rmil_share_of_patients(hit, groups, ALL, 0.95), slides = rmil_share_of_patients(hit, NULL, ALL, 0.95);
        by_patient += own.low <= 0.71 && 0.71 <= own.high;
        naive += slides.low <= 0.71 && 0.71 <= slides.high;
    }
    g_assert_cmpint(by_patient, >=, TRIALS * 94 / 100);
    g_assert_cmpint(by_patient, <, TRIALS);
    g_assert_cmpint(naive, <, TRIALS * 90 / 100);
}

/* Slides that attention met, of which two are of one patient: not as many slides as there seem to be. */
static void test_pointing(void) {
    const RmilPredictionRow of[] = {{.slide = "a", .patient = "p"},
                                    {.slide = "b", .patient = "q"},
                                    {.slide = "c", .patient = "p"},
                                    {.slide = "d"}};
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    g_array_append_vals(rows, of, 4);
    const char *const slides[] = {"d", "b", "c", "a"};
    const double met[] = {1, 0.5, 1, 1};
    const int64_t groups[] = {0, 1, 2, 2};
    const RmilInterval alone = rmil_pointing_interval(slides, met, 3, rows), shared = rmil_pointing_interval(slides, met, 4, rows);
    same(alone, rmil_share_of_patients(met, NULL, 3, 0.95));
    g_assert_cmpfloat_with_epsilon(alone.low, 0.176736097131257, 1e-9); /* R: qbeta(0.025, 2.5, 1.5) */
    g_assert_cmpstr(alone.method, ==, "exact");
    g_assert_cmpstr(rmil_pointing_words(&alone), ==, "the exact 95 % interval over the slides");
    same(shared, rmil_share_of_patients(met, groups, 4, 0.95));
    g_assert_nonnull(strstr(rmil_pointing_words(&shared), "because patients have several"));
    g_assert_true(isnan(rmil_pointing_interval(slides, met, 0, rows).low));
}

static void test_undefined(void) {
    const double none[] = {NAN, NAN};
    const int64_t groups[] = {1, 1};
    g_assert_true(isnan(rmil_share_of_patients(none, groups, 2, 0.95).low) && isnan(rmil_share_of_patients(none, groups, 0, 0.95).high));
    g_assert_true(isnan(rmil_share_of_patients((double[]){1, 0}, groups, 2, 1).low));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/shares/survey", test_survey);
    g_test_add_func("/shares/misses", test_misses);
    g_test_add_func("/shares/effective", test_effective);
    g_test_add_func("/shares/coverage", test_coverage);
    g_test_add_func("/shares/pointing", test_pointing);
    g_test_add_func("/shares/undefined", test_undefined);
    return g_test_run();
}
