/* SPDX-License-Identifier: Apache-2.0 */
/* Lesions on a tile grid. */
#include "rankmil/evaluate.h"
#include "support.h"

#include <math.h>
#include <string.h>

static int64_t *neighbours_of(const int64_t *coords, double size, int64_t k) {
    int64_t *neighbours;
    GError *error = NULL;
    g_assert_true(rmil_tile_neighbours(coords, size, k, &neighbours, &error));
    g_assert_no_error(error);
    return neighbours;
}

/* Tiles of a drawn part of a grid, in a drawn order: k of them. */
static int64_t *drawn_tiles(RmilRng *rng, int side, double size, int64_t k) {
    g_autofree int64_t *cells = g_new(int64_t, side * side);
    for (int i = 0; i < side * side; i++) cells[i] = i;
    rmil_rng_shuffle(rng, cells, side * side);
    int64_t *coords = g_new(int64_t, 2 * k);
    for (int64_t i = 0; i < k; i++) {
        coords[2 * i] = 1000 + llround((double)(cells[i] % side) * size);
        coords[2 * i + 1] = -77 + llround((double)(cells[i] / side) * size);
    }
    return coords;
}

/* By hand: two foci that touch at a corner are one, one that is a tile away is another. */
static void test_few(void) {
    const int64_t coords[] = {0, 0, 10, 10, 20, 0, 40, 0, 40, 10, 60, 40};
    const uint8_t labels[] = {1, 1, 0, 1, 1, 1}, none[] = {0, 0, 0, 0, 0, 0};
    g_autofree int64_t *around = neighbours_of(coords, 10, 6);
    const int64_t expected[] = {0, 0, -1, 1, 1, 2};
    int64_t lesion[6];
    g_assert_cmpint(rmil_lesions(around, labels, 6, lesion), ==, 3);
    for (int i = 0; i < 6; i++) g_assert_cmpint(lesion[i], ==, expected[i]);
    g_assert_cmpint(rmil_lesions(around, none, 6, lesion), ==, 0);
    g_assert_cmpint(lesion[5], ==, -1);
    /* without a grid the annotation is one lesion */
    g_assert_cmpint(rmil_lesions(NULL, labels, 6, lesion), ==, 1);
    for (int i = 0; i < 6; i++) g_assert_cmpint(lesion[i], ==, labels[i] ? 0 : -1);
}

static void test_no_grid(void) {
    const int64_t free_places[] = {0, 0, 13, 5, 27, 31}, twice[] = {0, 0, 10, 0, 10, 0}, one[] = {3, 4};
    const int64_t halves[] = {0, 0, 5, 0, 10, 0};
    g_assert_null(neighbours_of(NULL, 10, 3));
    g_assert_null(neighbours_of(free_places, 10, 3));
    g_assert_null(neighbours_of(twice, 10, 3));
    g_assert_null(neighbours_of(halves, 10, 3)); /* tiles that overlap */
    g_assert_null(neighbours_of(one, 0, 1));
    g_autofree int64_t *alone = neighbours_of(one, 10, 1);
    for (int n = 0; n < 8; n++) g_assert_cmpint(alone[n], ==, -1);
}

/* Against the definition, on drawn tiles whose size is no whole number: corners are rounded. */
static void test_brute_force(void) {
    RmilRng rng;
    rmil_rng_init(&rng, 7, 0);
    for (int trial = 0; trial < 30; trial++) {
        const double size = 100.7;
        const int side = 3 + trial, k = side * side / 2;
        g_autofree int64_t *coords = drawn_tiles(&rng, side, size, k), *around = neighbours_of(coords, size, k),
                           *lesion = g_new(int64_t, k), *plain = g_new(int64_t, k);
        g_autofree uint8_t *labels = g_new(uint8_t, k);
        for (int i = 0; i < k; i++) {
            labels[i] = rmil_rng_below(&rng, 3) > 0;
            plain[i] = labels[i] ? i : -1;
        }
        for (int round = 0; round < k; round++) /* the lowest number spreads until nothing changes */
            for (int i = 0; i < k; i++)
                for (int j = 0; j < k; j++) {
                    const gboolean near = llabs(coords[2 * i] - coords[2 * j]) < 1.5 * size &&
                                          llabs(coords[2 * i + 1] - coords[2 * j + 1]) < 1.5 * size;
                    if (near && labels[i] && labels[j] && plain[j] < plain[i]) plain[i] = plain[j];
                }
        int64_t count = 0;
        for (int i = 0; i < k; i++) {
            if (plain[i] < 0) continue;
            plain[i] = plain[i] == i ? count++ : plain[plain[i]];
        }
        g_assert_cmpint(rmil_lesions(around, labels, k, lesion), ==, count);
        for (int i = 0; i < k; i++) g_assert_cmpint(lesion[i], ==, plain[i]);
    }
}

/* -- detections and FROC ----------------------------------------------------------------------------------------------------- */
/* By hand: the two tops, a plateau once, nothing of NaN. */
static void test_detections(void) {
    const int64_t row[] = {0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 7, 0};
    const float scores[] = {1, 3, 2, 5, 5, 4, NAN};
    const uint8_t expected[] = {0, 1, 0, 1, 0, 0, 0};
    int64_t coords[14];
    for (int i = 0; i < 14; i++) coords[i] = 10 * row[i];
    g_autofree int64_t *around = neighbours_of(coords, 10, 7);
    uint8_t detection[7];
    rmil_detections(around, scores, 7, detection);
    for (int i = 0; i < 7; i++) g_assert_cmpint(detection[i], ==, expected[i]);
}

static void test_ranking(void) {
    const float scores[] = {4, 3, 2, 1, 3};
    const uint8_t labels[] = {1, 0, 1, 0, 1}, all[] = {1, 1, 1, 1, 1};
    double auroc, precision;
    rmil_patch_ranking(scores, labels, 5, &auroc, &precision);
    g_assert_cmpfloat(auroc, ==, 4.5 / 6);                                                         /* one tie of six pairs, one wrong */
    g_assert_cmpfloat_with_epsilon(precision, 1.0 / 3 + 2.0 / 3 * 1 / 3 + 3.0 / 4 * 1 / 3, 1e-12); /* at 4, 3, 2 */
    rmil_patch_ranking(scores, all, 5, &auroc, &precision);
    g_assert_true(isnan(auroc));
}

/* By hand: 2 negative slides with detections at 9, 7, 7, 4, 1; lesions at 8, 7, 2, one that nothing finds. */
static void test_froc(void) {
    RmilLesionRow rows[] = {{.slide = "a", .lesion = 1, .tiles = 1, .score = 8},
                            {.slide = "a", .lesion = 2, .tiles = 5, .score = 7},
                            {.slide = "b", .lesion = 1, .tiles = 6, .score = 2},
                            {.slide = "b", .lesion = 2, .tiles = 21, .score = NAN}};
    float scores[] = {4, 7, 1, 9, 7};
    rmil_false_positives(rows, 4, scores, 5, 2);
    const double expected[] = {0.5, 1.5, 2, NAN};
    for (int i = 0; i < 4; i++)
        g_assert_true(rows[i].false_positives == expected[i] || (isnan(expected[i]) && isnan(rows[i].false_positives)));
    const double first[] = {0, 1, 1, 1, 1, 1}, second[] = {0, 0, 0, 1, 1, 1};
    for (int r = 0; r < 6; r++) {
        g_assert_cmpfloat(rmil_found_lesion(RMIL_FOUND_RATES + r, &rows[0]), ==, first[r]);
        g_assert_cmpfloat(rmil_found_lesion(RMIL_FOUND_RATES + r, &rows[1]), ==, second[r]);
        g_assert_cmpfloat(rmil_found_lesion(RMIL_FOUND_RATES + r, &rows[2]), ==, second[r]); /* two of a rate of 2 */
        g_assert_cmpfloat(rmil_found_lesion(RMIL_FOUND_RATES + r, &rows[3]), ==, 0);
    }
    g_assert_cmpfloat(rmil_found_lesion(RMIL_FOUND_FROC, &rows[0]), ==, 5.0 / 6);
    for (int i = 0; i < 4; i++)
        for (int size = 0; size < 4; size++) g_assert_true(isnan(rmil_found_lesion(RMIL_FOUND_SIZES + size, &rows[i])) == (i != size));
    RmilLesionRow alone = rows[0];
    rmil_false_positives(&alone, 1, NULL, 0, 0);
    g_assert_true(isnan(alone.false_positives) && isnan(rmil_found_lesion(RMIL_FOUND_FROC, &alone)));
    rmil_false_positives(&alone, 1, NULL, 0, 3); /* nothing is found on three negative slides */
    g_assert_cmpfloat(alone.false_positives, ==, 0);
}

/* Of many: every threshold tried. */
static void test_froc_brute_force(void) {
    static const double rates[] = {0.25, 0.5, 1, 2, 4, 8};
    RmilRng rng;
    rmil_rng_init(&rng, 11, 0);
    for (int trial = 0; trial < 20; trial++) {
        enum { LESIONS = 30, NEGATIVES = 5, FALSE_ONES = 60 };
        RmilLesionRow rows[LESIONS];
        float scores[FALSE_ONES];
        for (int i = 0; i < FALSE_ONES; i++) scores[i] = (float)rmil_rng_below(&rng, 20);
        for (int i = 0; i < LESIONS; i++)
            rows[i] = (RmilLesionRow){.slide = "s", .lesion = i + 1, .tiles = 3, .score = (double)rmil_rng_below(&rng, 25)};
        rmil_false_positives(rows, LESIONS, scores, FALSE_ONES, NEGATIVES);
        for (int r = 0; r < 6; r++) {
            double best = 0, sum = 0;
            for (int threshold = 0; threshold <= 25; threshold++) {
                double wrong = 0, right = 0;
                for (int i = 0; i < FALSE_ONES; i++) wrong += scores[i] >= (float)threshold;
                for (int i = 0; i < LESIONS; i++) right += rows[i].score >= threshold;
                if (wrong / NEGATIVES <= rates[r]) best = fmax(best, right / LESIONS);
            }
            for (int i = 0; i < LESIONS; i++) sum += rmil_found_lesion(RMIL_FOUND_RATES + r, &rows[i]);
            g_assert_cmpfloat_with_epsilon(sum / LESIONS, best, 1e-12);
        }
    }
}

/* -- trainings together ------------------------------------------------------------------------------------------------------ */
static RmilFoundRows rows_of(const RmilPatchRow *patches, guint n_patches, const RmilLesionRow *lesions, guint n_lesions) {
    GArray *p = g_array_new(FALSE, FALSE, sizeof *patches), *l = g_array_new(FALSE, FALSE, sizeof *lesions);
    if (n_patches) g_array_append_vals(p, patches, n_patches);
    if (n_lesions) g_array_append_vals(l, lesions, n_lesions);
    return (RmilFoundRows){p, l, NULL};
}

static void rows_clear(RmilFoundRows *rows) {
    g_array_unref((GArray *)rows->patches);
    g_array_unref((GArray *)rows->lesions);
}

static void test_found(void) {
    const RmilPatchRow one[] = {{"a", 0.8, 0.5}, {"b", 0.6, 0.3}, {"c", NAN, 1}}, two[] = {{"a", 0.9, 0.5}, {"b", 0.7, 0.3}, {"c", NAN, 1}};
    const RmilLesionRow found[] = {{"a", 1, 1, 8, 0, 2}, {"a", 2, 3, 7, 0.3, 2}, {"b", 1, 9, 1, 100, 2}},
                        alone[] = {{"a", 1, 1, 8, NAN, 0}};
    RmilFoundRows trainings[] = {rows_of(one, 3, found, 3), rows_of(two, 3, found, 2)};
    RmilFound out[RMIL_FOUND_COUNT], again[RMIL_FOUND_COUNT];
    rmil_found(trainings, 2, 0.95, 500, 0, out);
    g_assert_cmpfloat_with_epsilon(out[RMIL_FOUND_AUROC].mean, 0.75, 1e-12);
    g_assert_cmpfloat_with_epsilon(out[RMIL_FOUND_AUROC].sd, 0.1 / sqrt(2), 1e-12);
    g_assert_cmpint(out[RMIL_FOUND_AUROC].cases, ==, 2);
    /* of two slides a resample has one, the other, or both */
    g_assert_cmpfloat_with_epsilon(out[RMIL_FOUND_AUROC].interval.low, 0.65, 1e-12);
    g_assert_cmpfloat_with_epsilon(out[RMIL_FOUND_AUROC].interval.high, 0.85, 1e-12);
    g_assert_cmpstr(out[RMIL_FOUND_AUROC].interval.method, ==, "bootstrap");
    g_assert_cmpint(out[RMIL_FOUND_PRECISION].cases, ==, 3);
    g_assert_cmpfloat_with_epsilon(out[RMIL_FOUND_RATES].mean, (1.0 / 3 + 1.0 / 2) / 2, 1e-12);
    g_assert_cmpfloat_with_epsilon(out[RMIL_FOUND_RATES + 1].mean, (2.0 / 3 + 1) / 2, 1e-12);
    g_assert_cmpint(out[RMIL_FOUND_FROC].cases, ==, 3);
    g_assert_cmpfloat(out[RMIL_FOUND_SIZES].mean, ==, 1);
    g_assert_cmpint(out[RMIL_FOUND_SIZES].cases, ==, 1);
    const RmilInterval wilson = rmil_wilson(1, 1, 0.95); /* one slide: nothing to resample */
    g_assert_cmpfloat(out[RMIL_FOUND_SIZES].interval.low, ==, wilson.low);
    g_assert_true(isnan(out[RMIL_FOUND_SIZES + 3].mean) && isnan(out[RMIL_FOUND_SIZES + 3].interval.low));
    rmil_found(trainings, 2, 0.95, 500, 0, again);
    g_assert_cmpfloat(out[RMIL_FOUND_FROC].interval.low, ==, again[RMIL_FOUND_FROC].interval.low);
    /* two slides of one patient go together */
    g_autoptr(GArray) predictions = g_array_new(FALSE, TRUE, sizeof(RmilPredictionRow));
    for (int i = 0; i < 3; i++) {
        const RmilPredictionRow row = {.slide = one[i].slide, .patient = i < 2 ? "p" : "q"};
        g_array_append_val(predictions, row);
    }
    trainings[0].predictions = predictions;
    rmil_found(trainings, 1, 0.95, 500, 0, again);
    g_assert_cmpstr(again[RMIL_FOUND_PRECISION].interval.method, ==, "patient bootstrap");
    g_assert_cmpfloat_with_epsilon(again[RMIL_FOUND_PRECISION].interval.low, 0.4, 1e-12); /* a and b, never b alone */
    g_assert_null(rmil_found_missing(trainings, 2, TRUE));
    RmilFoundRows none = rows_of(NULL, 0, NULL, 0), no_grid = rows_of(one, 3, NULL, 0), no_negatives = rows_of(one, 3, alone, 1);
    g_assert_null(rmil_found_missing(&none, 1, FALSE));
    g_assert_nonnull(strstr(rmil_found_missing(&none, 1, TRUE), "earlier version"));
    g_assert_nonnull(strstr(rmil_found_missing(&no_grid, 1, TRUE), "do not lie on a tile grid"));
    g_assert_nonnull(strstr(rmil_found_missing(&no_negatives, 1, TRUE), "negative test slides"));
    rows_clear(&trainings[0]);
    rows_clear(&trainings[1]);
    rows_clear(&none);
    rows_clear(&no_grid);
    rows_clear(&no_negatives);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lesions/few", test_few);
    g_test_add_func("/lesions/no-grid", test_no_grid);
    g_test_add_func("/lesions/brute-force", test_brute_force);
    g_test_add_func("/lesions/detections", test_detections);
    g_test_add_func("/lesions/ranking", test_ranking);
    g_test_add_func("/lesions/froc", test_froc);
    g_test_add_func("/lesions/froc-brute-force", test_froc_brute_force);
    g_test_add_func("/lesions/found", test_found);
    return g_test_run();
}
