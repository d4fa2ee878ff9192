/* SPDX-License-Identifier: Apache-2.0 */
/* Patches as they look on their slides: against reading the slide itself, whatever is kept and read ahead. */
#include "patches.h"
#include "rankmil/cohort.h"

#include <string.h>

/* The bag that tiling makes of a slide reads what tiling read. */
static void check_grid(const char *path, double mpp, int tile_px, RmilPixelCache *cache) {
    GError *error = NULL;
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    g_autoptr(RmilMask) mask = rmil_mask_new(slide, NULL, &error);
    g_assert_no_error(error);
    RmilTileOptions options;
    rmil_tile_options_init(&options);
    options.mpp = mpp;
    options.tile_px = tile_px;
    g_autoptr(RmilGrid) grid = rmil_grid_new(slide, mask, &options, &error);
    g_assert_no_error(error);
    const int64_t n = MIN(grid->count, 40);
    g_autoptr(RmilBag) bag = bag_on(path, n, 1, 0, grid->tile_level0, cache);
    memcpy(bag->coords, grid->coords, (gsize)n * 2 * sizeof *grid->coords);
    const gsize bytes = (gsize)tile_px * (gsize)tile_px * 3;
    g_autofree uint8_t *one = g_malloc(bytes), *other = g_malloc(bytes);
    for (int twice = 0; twice < 2; twice++)
        for (int64_t i = 0; i < n; i++) {
            g_assert_true(rmil_grid_read(grid, slide, i, one, NULL));
            read_tile(bag, i, tile_px, other);
            g_assert_true(memcmp(one, other, bytes) == 0);
        }
}

static void test_grid(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(1000, 700, 3);
    g_autofree char *path = make_slide(folder, "pyramid.tiff", picture, (SlideForm){.mpp = 0.25, .pyramid = TRUE});
    g_autofree char *plain = make_image(folder, "plain.png", picture);
    g_autoptr(RmilPixelCache) cache = rmil_pixel_cache_new(1 << 20, 0);
    const double scales[] = {0.25, 0.37, 0.5, 1.1};
    for (gsize i = 0; i < G_N_ELEMENTS(scales); i++) check_grid(path, scales[i], 56, cache);
    check_grid(path, 0.5, 56, NULL);
    check_grid(plain, 0.5, 56, cache);
}

/* A file of other software: 256 px at level 0, for a network of 224. A slide that does not say its resolution has pixels all the same. */
static void test_foreign(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(1024, 512, 4);
    g_autofree char *path = make_slide(folder, "foreign.tiff", picture, (SlideForm){.mpp = 0});
    GError *error = NULL;
    g_assert_null(rmil_slide_open(path, 0, &error));
    test_error(&error, RMIL_ERROR_RESOLUTION, "foreign.tiff: does not say its resolution");
    g_autoptr(RmilSlide) slide = open_slide(path, 0.5);
    g_autoptr(RmilBag) bag = bag_on(path, 8, 4, 256, 256, NULL);
    g_autofree uint8_t *one = g_malloc(224 * 224 * 3), *other = g_malloc(224 * 224 * 3);
    for (int64_t i = 0; i < 8; i++) {
        g_assert_true(rmil_slide_read(slide, (double)(i % 4 * 256), (double)(i / 4 * 256), 256.0 / 224, 224, 224, one, NULL));
        read_tile(bag, i, 224, other);
        g_assert_true(memcmp(one, other, 224 * 224 * 3) == 0);
    }
}

/* -- what cannot be read -------------------------------------------------------------------------------------------------------------- */
static void test_missing(void) {
    g_autoptr(RmilPixelCache) cache = rmil_pixel_cache_new(1 << 20, 1);
    g_autoptr(RmilBag) bag = bag_on("/nowhere/gone.svs", 4, 2, 50, 50, cache);
    g_assert_cmpint(counts_of(cache).opened, ==, 0);
    rmil_pixel_cache_expect(cache, (RmilTileWanted[]){{bag, 0}, {bag, 1}}, 2, SIDE);
    g_autofree char *first = NULL;
    for (int i = 0; i < 4; i++) {
        uint8_t rgb[BYTES];
        g_autoptr(GError) error = NULL;
        g_assert_false(rmil_bag_read_tile(bag, i, SIDE, rgb, &error));
        g_assert_error(error, RMIL_ERROR, RMIL_ERROR_IO);
        g_assert_nonnull(strstr(error->message, "gone.svs: cannot be opened: "));
        if (!first) first = g_strdup(error->message);
        g_assert_cmpstr(first, ==, error->message);
    }
    g_assert_cmpint(counts_of(cache).open, ==, 0);
    g_assert_cmpint(counts_of(cache).bytes, ==, 0);
}

/* However many tiles are damaged, and however often they are asked for, the others are what they are. */
static void test_broken(void) {
    g_autofree char *folder = test_folder(), *good = slide_of(folder, "good.tiff", 5), *path = slide_of(folder, "broken.tiff", 5);
    for (int tile = 0; tile < 64; tile += 4) spoil_tile(path, tile);
    for (int threads = 0; threads < 2; threads++) {
        g_autoptr(RmilPixelCache) cache = rmil_pixel_cache_new(4 * KEPT, threads);
        g_autoptr(RmilBag) bag = bag_on(path, 64, 8, 64, 64, cache), sound = bag_on(good, 64, 8, 64, 64, cache);
        g_autofree RmilTileWanted *wanted = g_new0(RmilTileWanted, 64);
        for (int i = 0; i < 64; i++) wanted[i] = (RmilTileWanted){bag, i};
        uint8_t one[BYTES], other[BYTES];
        for (int round = 0; round < 3; round++) {
            rmil_pixel_cache_expect(cache, wanted, 64, SIDE);
            for (int i = 0; i < 64; i++)
                if (i % 4 == 0) {
                    g_autofree char *part = g_strdup_printf("broken.tiff: patch %d of \"made\" at (%d, %d) cannot be read: ", i, i % 8 * 64,
                                                            i / 8 * 64);
                    expect_error(bag, i, SIDE, RMIL_ERROR_FORMAT, part);
                } else {
                    read_tile(bag, i, SIDE, one);
                    read_tile(sound, i, SIDE, other);
                    g_assert_true(memcmp(one, other, BYTES) == 0);
                }
        }
    }
}

static void test_without(void) {
    g_autofree char *folder = test_folder(), *path = slide_of(folder, "here.tiff", 6);
    g_autoptr(RmilBag) bag = bag_on(NULL, 4, 2, 64, 64, NULL);
    expect_error(bag, 0, SIDE, RMIL_ERROR_DATA,
                 "made: its patches cannot be shown, because no slide is known for these features: "
                 "name it in the cohort's slide column");
    rmil_bag_set_slide(bag, path, 0, NULL);
    expect_error(bag, 4, SIDE, RMIL_ERROR_ARGUMENT, "made: there is no patch 4 of 4");
    expect_error(bag, -1, SIDE, RMIL_ERROR_ARGUMENT, "made: there is no patch -1 of 4");
    expect_error(bag, 0, 0, RMIL_ERROR_ARGUMENT, "1 … 8192 pixels a side, not 0");
    expect_error(bag, 0, 8193, RMIL_ERROR_ARGUMENT, "1 … 8192 pixels a side, not 8193");
    bag->patch_size_level0 = 0;
    expect_error(bag, 0, SIDE, RMIL_ERROR_DATA, "here.tiff: its features do not say how large a patch is");
    bag->patch_size_level0 = 64;
    bag->coords_um = 0.01;
    expect_error(bag, 0, SIDE, RMIL_ERROR_RESOLUTION, "here.tiff: coordinates are in µm");
    rmil_bag_set_mpp(bag, 0.01);
    uint8_t rgb[BYTES];
    read_tile(bag, 3, SIDE, rgb);
    int64_t *coords = g_steal_pointer(&bag->coords);
    expect_error(bag, 0, SIDE, RMIL_ERROR_DATA, "here.tiff, because the features have no coordinates");
    bag->coords = coords;
    rmil_bag_set_slide(bag, NULL, 0, NULL);
    expect_error(bag, 0, SIDE, RMIL_ERROR_DATA, "no slide is known");
}

/* -- bags of a cohort ------------------------------------------------------------------------------------------------------------------- */
/* Patients p: a.tiff and b.tiff, which is scanned twice as fine; q: c.tiff; r: features alone, and d.tiff. */
static RmilCohort *make_cohort(const char *folder) {
    static const char names[] = "abcde";
    g_autofree char *csv = test_file(folder, "cohort.csv",
                                     "slide,features,label,patient\na.tiff,a.h5,0,p\nb.tiff,b.h5,0,p\nc.tiff,c.h5,1,q\n,e.h5,1,r\n"
                                     "d.tiff,d.h5,1,r\n");
    GError *error = NULL;
    for (int i = 0; names[i]; i++) {
        g_autofree char *name = g_strdup_printf("%c.tiff", names[i]), *file = g_strdup_printf("%c.h5", names[i]);
        g_autofree char *slide = slide_of(folder, name, (uint64_t)i), *path = g_build_filename(folder, file, NULL);
        g_autoptr(RmilBag) bag = make_bag(10 + i, 4, RMIL_FLOAT32);
        for (int64_t k = 0; k < bag->count; k++) {
            bag->coords[2 * k] = 30 + k % 4 * 100;
            bag->coords[2 * k + 1] = 7 + k / 4 * 100;
        }
        bag->patch_size_level0 = i == 1 ? 96 : 48;
        g_assert_true(rmil_bag_write(bag, path, FALSE, &error));
    }
    RmilCohort *cohort = rmil_cohort_read(csv, &error);
    g_assert_no_error(error);
    return cohort;
}

static void check_like(const char *folder, const char *name, const RmilBag *bag, int64_t first, int64_t count, double level0) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    uint8_t one[BYTES], other[BYTES];
    for (int64_t k = 0; k < count; k++) {
        g_assert_true(rmil_slide_read(slide, (double)(30 + k % 4 * 100), (double)(7 + k / 4 * 100), level0 / SIDE, SIDE, SIDE, one, NULL));
        read_tile(bag, first + k, SIDE, other);
        g_assert_true(memcmp(one, other, BYTES) == 0);
    }
}

static void check_set(const char *folder, const RmilCohort *cohort, int64_t memory) {
    GError *error = NULL;
    g_autofree char *cache = g_build_filename(folder, "cache", NULL);
    RmilBagSetOptions options;
    rmil_bag_set_options_init(&options);
    options.memory = memory;
    options.cache = cache;
    options.threads = 1;
    g_autoptr(RmilBagSet) set = rmil_bag_set_load(cohort, &options, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(counts_of(set->pixels).opened, ==, 0);
    if (cohort->slides) {
        check_like(folder, "a.tiff", set->bags[0], 0, 10, 48);
        check_like(folder, "b.tiff", set->bags[0], 10, 11, 96);
        check_like(folder, "c.tiff", set->bags[1], 0, 12, 48);
        expect_error(set->bags[2], 5, SIDE, RMIL_ERROR_DATA,
                     "e: its patches cannot be shown, because no slide is known for these "
                     "features: name it in the cohort's slide column");
        check_like(folder, "d.tiff", set->bags[2], 14, 13, 48);
        expect_error(set->bags[0], 21, SIDE, RMIL_ERROR_ARGUMENT, "p: there is no patch 21 of 21");
        g_assert_cmpint(set->memory_bytes + set->mapped_bytes, ==, 60 * (4 * 4 + 21) + 48 * 16);
    } else {
        check_like(folder, "a.tiff", set->bags[0], 0, 10, 48);
        g_assert_null(set->bags[3]->pixels);
    }
    const RmilBag copy = *set->bags[0]; /* as studies make them, with other labels */
    rmil_pixel_cache_expect(set->pixels, (RmilTileWanted[]){{&copy, 9}}, 1, SIDE);
    check_like(folder, "a.tiff", &copy, 0, 10, 48);
}

static void test_set(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(RmilCohort) slides = make_cohort(folder), patients = NULL;
    GError *error = NULL;
    patients = rmil_cohort_by_patient(slides, &error);
    g_assert_no_error(error);
    check_set(folder, slides, 0);
    check_set(folder, patients, 0);
    check_set(folder, patients, 60 * 21 + 48 * 16 + 2 * 27 * 4 * 4); /* features in files */
}

/* A real slide, where it is there. */
static void test_real(void) {
    g_autofree char *path = test_shared("data/slides/CMU-1-Small-Region.svs");
    g_autoptr(RmilPixelCache) cache = rmil_pixel_cache_new(1 << 20, 1);
    if (path) check_grid(path, 0.5, 224, cache);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pixels/grid", test_grid);
    g_test_add_func("/pixels/foreign", test_foreign);
    g_test_add_func("/pixels/missing", test_missing);
    g_test_add_func("/pixels/broken", test_broken);
    g_test_add_func("/pixels/without", test_without);
    g_test_add_func("/pixels/set", test_set);
    g_test_add_func("/pixels/real", test_real);
    return g_test_run();
}
