/* SPDX-License-Identifier: Apache-2.0 */
/* Regions from the tile grid. */
#include "mil/regions.h"
#include "support.h"

static RmilRegions group(RmilArena *arena, int64_t *coords, int64_t count, double side, uint8_t *labels) {
    RmilBag bag = {.id = (char *)"s1", .count = count, .coords = coords, .patch_size_level0 = side, .patch_labels = labels};
    RmilRegions regions;
    GError *error = NULL;
    rmil_arena_reset(arena);
    g_assert_true(rmil_regions_group(&bag, 2, 3, arena, &regions, &error));
    g_assert_no_error(error);
    return regions;
}

/* Regions of 2 × 3 tiles of 100 px; tiles in mixed order, from a corner that is not 0. */
static void test_group(void) {
    int64_t coords[] = {350, 270, 50, 70, 150, 170, 250, 70, 950, 370, 50, 270};
    uint8_t labels[] = {1, 0, 0, 0, 0, 0};
    g_autoptr(RmilArena) arena = rmil_arena_new();
    for (int round = 0; round < 2; round++) { /* the side as told, and found out */
        RmilRegions r = group(arena, coords, 6, round ? 0 : 100, labels);
        static const int64_t patches[] = {1, 3, 2, 5, 0, 4}, cells[] = {0, 2, 4, 0, 0, 3}, firsts[] = {0, 3, 4, 5, 6};
        g_assert_cmpint(r.count, ==, 4);
        for (int i = 0; i < 6; i++) {
            g_assert_cmpint(r.patch[i], ==, patches[i]);
            g_assert_cmpint(r.cell[i], ==, cells[i]);
        }
        for (int i = 0; i < 5; i++) g_assert_cmpint(r.first[i], ==, firsts[i]);
        g_assert_cmpint(r.annotated[0] + r.annotated[1] + r.annotated[3], ==, 0);
        g_assert_cmpint(r.annotated[2], ==, 1);
    }
    g_assert_null(group(arena, coords, 6, 100, NULL).annotated);
    g_assert_cmpint(group(arena, coords, 1, 0, NULL).count, ==, 1);
}

/* Level-0 sides need not be whole: coordinates are rounded, cells must not slip. */
static void test_fractional_side(void) {
    enum { SIDE = 90 };
    int64_t *coords = g_new(int64_t, 2 * SIDE * SIDE);
    for (int64_t i = 0; i < SIDE * SIDE; i++) {
        coords[2 * i] = 13 + (int64_t)((double)(i % SIDE) * 224.4489 + 0.5);
        coords[2 * i + 1] = 7 + (int64_t)((double)(i / SIDE) * 224.4489 + 0.5);
    }
    g_autoptr(RmilArena) arena = rmil_arena_new();
    RmilRegions r = group(arena, coords, SIDE * SIDE, 224.4489, NULL);
    g_assert_cmpint(r.count, ==, SIDE / 2 * (SIDE / 3));
    for (int64_t i = 0; i < SIDE * SIDE; i++) g_assert_cmpint(r.cell[i], ==, i % 6);
    g_free(coords);
}

static void test_bad(void) {
    int64_t twice[] = {0, 0, 100, 0, 104, 3}, far[] = {0, 0, INT64_MAX, 0, 5, 5};
    RmilBag bag = {.id = (char *)"s1", .count = 3, .patch_size_level0 = 100};
    g_autoptr(RmilArena) arena = rmil_arena_new();
    RmilRegions regions;
    GError *error = NULL;
    g_assert_false(rmil_regions_group(&bag, 2, 3, arena, &regions, &error));
    test_error(&error, RMIL_ERROR_DATA, "s1: has no coordinates");
    bag.coords = twice;
    g_assert_false(rmil_regions_group(&bag, 2, 3, arena, &regions, &error));
    test_error(&error, RMIL_ERROR_DATA, "s1: patches 1 and 2 lie in the same tile");
    bag.coords = far;
    g_assert_false(rmil_regions_group(&bag, 2, 3, arena, &regions, &error));
    test_error(&error, RMIL_ERROR_DATA, "the coordinates do not form a tile grid");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mil/regions/group", test_group);
    g_test_add_func("/mil/regions/fractional", test_fractional_side);
    g_test_add_func("/mil/regions/bad", test_bad);
    return g_test_run();
}
