/* Lesions on a tile grid. */
#include "rankmil/evaluate.h"
#include "support.h"

#include <math.h>

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

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lesions/few", test_few);
    g_test_add_func("/lesions/no-grid", test_no_grid);
    g_test_add_func("/lesions/brute-force", test_brute_force);
    return g_test_run();
}
