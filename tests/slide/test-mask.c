/* SPDX-License-Identifier: Apache-2.0 */
/* Tissue and tiles on slides whose answer is known by construction; Otsu's thresholds against scikit-image. */
#include "make-slide.h"

#include <math.h>
#include <string.h>

/* By otsu-golden.py beside this file; −1: cannot be done. */
static const struct {
    int kind, classes, thresholds[4];
} golden[] = {
    {0, 2, {127}},
    {0, 3, {92, 175}},
    {0, 4, {63, 127, 194}},
    {1, 2, {157}},
    {1, 3, {124, 191}},
    {1, 4, {109, 161, 204}},
    {2, 2, {116}},
    {2, 3, {79, 153}},
    {2, 4, {79, 153, 190}},
    {3, 2, {19}},
    {3, 3, {6, 19}},
    {3, 4, {2, 10, 19}},
    {4, 2, {130}},
    {4, 3, {116, 137}},
    {4, 4, {114, 130, 144}},
    {4, 5, {113, 126, 137, 149}},
    {5, 2, {90}},
    {5, 3, {7, 90}},
    {5, 4, {-1}},
    {5, 5, {-1}},
};

static int64_t histogram_of(int kind, int64_t i) {
    switch (kind) {
    case 0: return (i * i * 7 + i * 13) % 101;
    case 1: return i < 40 || i > 230 ? 0 : i * 31 % 17 + 1000 / (1 + ABS(i - 90)) + 9000 / (1 + ABS(i - 225));
    case 2: return i % 37 == 5 ? i + 1 : 0;
    case 3: return i == 255 ? 100000 : i < 20 ? 3 : 0;
    case 4: return i >= 100 && i < 160 ? i * i % 23 : 0;
    default: return i == 7 || i == 90 || i == 200 ? 10 + i : 0;
    }
}

static void test_otsu(void) {
    for (gsize k = 0; k < G_N_ELEMENTS(golden); k++) {
        int64_t histogram[256];
        int found[4];
        GError *error = NULL;
        for (int i = 0; i < 256; i++) histogram[i] = histogram_of(golden[k].kind, i);
        gboolean done = rmil_otsu(histogram, golden[k].classes, found, &error);
        if (golden[k].thresholds[0] < 0) {
            g_assert_false(done);
            test_error(&error, RMIL_ERROR_DATA, "different gray values");
            continue;
        }
        g_assert_no_error(error);
        for (int i = 0; i < golden[k].classes - 1; i++) g_assert_cmpint(found[i], ==, golden[k].thresholds[i]);
    }
    int64_t histogram[256] = {1, 2, 3, 4};
    int thresholds[4];
    GError *error = NULL;
    g_assert_false(rmil_otsu(histogram, 1, thresholds, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "1 classes");
    g_assert_false(rmil_otsu(histogram, 6, thresholds, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "6 classes");
}

#define GLASS 0xf4f4f4
#define PALE 0xe0b0d0
#define DARK 0x603080

/* Two rectangles of tissue on glass, on mask pixels of 16 level-0 pixels. */
static Picture *picture_tissue(void) {
    Picture *picture = picture_new(2048, 1536, GLASS);
    picture_fill(picture, 0, 0, 2048, 16, 0xffffff);
    picture_fill(picture, 448, 448, 896, 448, PALE);
    picture_fill(picture, 448, 448, 448, 224, DARK);
    return picture;
}

static gboolean is_tissue(int64_t x, int64_t y) { return x >= 448 && x < 1344 && y >= 448 && y < 896; }

static void test_mask(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_tissue();
    for (int pyramid = 0; pyramid < 2; pyramid++) {
        g_autofree char *path = make_slide(folder, "m.tiff", picture, (SlideForm){.mpp = 0.25, .pyramid = pyramid});
        g_autoptr(RmilSlide) slide = open_slide(path, 0);
        GError *error = NULL;
        g_autoptr(RmilMask) mask = rmil_mask_new(slide, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpfloat_with_epsilon(mask->downsample, 16, 1e-4);
        g_assert_cmpint(mask->width, ==, 128);
        g_assert_cmpint(mask->height, ==, 96);
        for (int64_t i = 0; i < mask->width * mask->height; i++)
            g_assert_cmpint(mask->tissue[i], ==, is_tissue(i % mask->width * 16, i / mask->width * 16));
        g_autoptr(RmilMask) fine = rmil_mask_new(slide, &(const RmilTissueOptions){.mpp = 1}, &error);
        g_assert_cmpint(fine->width, ==, 512);
    }
}

static gboolean is_plain_colour(const Picture *picture, int64_t x, int64_t y) {
    if (x < 3 || y < 3 || x >= picture->width - 3 || y >= picture->height - 3) return FALSE;
    const uint8_t *corner = picture_at(picture, x - 3, y - 3);
    return memcmp(corner, picture_at(picture, x + 3, y - 3), 3) == 0 && memcmp(corner, picture_at(picture, x - 3, y + 3), 3) == 0 &&
           memcmp(corner, picture_at(picture, x + 3, y + 3), 3) == 0;
}

/* The whole way: the tiles are the tissue's, to the pixel, also when a tile is not a whole number of pixels wide. */
static void check_grid(const Picture *picture, const char *path, double mpp, double min_tissue, int64_t left, int64_t top) {
    g_autoptr(RmilSlide) slide = open_slide(path, mpp);
    GError *error = NULL;
    g_autoptr(RmilMask) mask = rmil_mask_new(slide, NULL, &error);
    g_assert_no_error(error);
    RmilTileOptions options;
    rmil_tile_options_init(&options);
    options.min_tissue = min_tissue;
    options.tile_px = 112;
    g_autoptr(RmilGrid) grid = rmil_grid_new(slide, mask, &options, &error);
    g_assert_no_error(error);
    double side = 112 * 0.5 / rmil_slide_info(slide)->mpp;
    g_assert_cmpfloat_with_epsilon(grid->tile_level0, side, 1e-9);
    int64_t expected = 0;
    g_autofree uint8_t *rgb = g_malloc(112 * 112 * 3);
    for (int64_t row = 0; (double)row * side < picture->height; row++)
        for (int64_t column = 0; (double)column * side < picture->width; column++) {
            int64_t x = llround((double)column * side), y = llround((double)row * side);
            double wide = MAX(0, MIN((double)x + side, 1344) - MAX((double)x, 448));
            double high = MAX(0, MIN((double)y + side, 896) - MAX((double)y, 448));
            double share = wide * high / (side * side);
            if (share < min_tissue - 1e-6) continue;
            int64_t i = 0;
            while (i < grid->count && (grid->coords[2 * i] != left + x || grid->coords[2 * i + 1] != top + y)) i++;
            g_assert_cmpint(i, <, grid->count);
            g_assert_cmpfloat_with_epsilon(grid->tissue[i], share, rmil_slide_info(slide)->mpp == 0.25 ? 1e-4 : 0.04);
            expected++;
            rmil_grid_read(grid, slide, i, rgb, &error);
            g_assert_no_error(error);
            const int inner[] = {2, 2 + 112 * 50, 109 + 112 * 109, 56 + 112 * 56};
            for (gsize k = 0; k < G_N_ELEMENTS(inner); k++) {
                int64_t px = x + (int64_t)((inner[k] % 112 + 0.5) * side / 112);
                int64_t py = y + (int64_t)((inner[k] / 112 + 0.5) * side / 112);
                if (is_plain_colour(picture, px, py)) assert_pixel(rgb + 3 * inner[k], picture_at(picture, px, py), 1);
            }
        }
    g_assert_cmpint(grid->count, ==, expected);
}

static void test_grid(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_tissue();
    g_autofree char *path = make_slide(folder, "g.tiff", picture, (SlideForm){.mpp = 0.25, .pyramid = TRUE});
    g_autofree char *single = make_slide(folder, "h.tiff", picture, (SlideForm){.mpp = 0.2431});
    check_grid(picture, path, 0, 1, 0, 0);
    check_grid(picture, path, 0, 0.05, 0, 0);
    check_grid(picture, path, 0, 0, 0, 0);
    check_grid(picture, single, 0, 0.4, 0, 0);
    check_grid(picture, path, 0.2431, 0.2, 0, 0);
    check_grid(picture, path, 0.5, 0.25, 0, 0);
    check_grid(picture, path, 1, 0.25, 0, 0);
}

/* The grid starts at the scanned area's corner, and what was not scanned is neither tissue nor counted. */
static void test_bounds(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_tissue();
    g_autofree char *path = make_leica(folder, "b.scn", picture, 1600, 960, 8000, 6400, FALSE);
    check_grid(picture, path, 0, 0.25, 1600, 960);
    g_autofree char *whole = make_slide(folder, "w.tiff", picture, (SlideForm){.mpp = 0.25});
    g_autoptr(RmilSlide) slide = open_slide(path, 0), alone = open_slide(whole, 0);
    g_autoptr(RmilMask) mask = rmil_mask_new(slide, NULL, NULL), expected = rmil_mask_new(alone, 0, NULL);
    g_assert_cmpint(mask->lower, ==, expected->lower);
    g_assert_cmpint(mask->upper, ==, expected->upper);
    for (int64_t i = 0; i < mask->width * mask->height; i++) {
        int64_t x = i % mask->width * 16 - 1600, y = i / mask->width * 16 - 960;
        g_assert_cmpint(mask->tissue[i], ==, is_tissue(x, y));
    }
}

/* A plain image without mpp: native size, tiles of its own pixels. */
static void test_plain(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_tissue();
    g_autofree char *path = make_image(folder, "p.png", picture);
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    GError *error = NULL;
    g_autoptr(RmilMask) mask = rmil_mask_new(slide, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(mask->downsample, ==, 1);
    RmilTileOptions options;
    rmil_tile_options_init(&options);
    g_autoptr(RmilGrid) grid = rmil_grid_new(slide, mask, &options, &error);
    g_assert_no_error(error);
    g_assert_cmpint(grid->count, ==, 8);
    g_assert_cmpfloat(grid->mpp, ==, 0);
    g_assert_cmpfloat(grid->downsample, ==, 1);
    g_assert_cmpint(grid->coords[0], ==, 448);
    uint8_t *rgb = g_malloc(224 * 224 * 3);
    g_assert_false(rmil_grid_read(grid, slide, 8, rgb, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "no tile 8 of 8");
    g_assert_true(rmil_grid_read(grid, slide, 0, rgb, &error));
    assert_pixel(rgb, picture_at(picture, 448, 448), 0);
    g_free(rgb);
    g_autoptr(RmilSlide) given = open_slide(path, 0.25);
    g_autoptr(RmilMask) given_mask = rmil_mask_new(given, NULL, &error);
    g_autoptr(RmilGrid) given_grid = rmil_grid_new(given, given_mask, &options, &error);
    g_assert_cmpfloat(given_mask->downsample, ==, 1);
    g_assert_cmpint(given_grid->count, ==, 2); /* of 448 px */
    g_autoptr(Picture) wide = picture_new(8192, 64, GLASS);
    picture_fill(wide, 1000, 10, 500, 20, PALE);
    picture_fill(wide, 1500, 10, 500, 20, DARK);
    g_autofree char *wide_path = make_image(folder, "wide.png", wide);
    g_autoptr(RmilSlide) wide_slide = open_slide(wide_path, 0);
    g_autoptr(RmilMask) wide_mask = rmil_mask_new(wide_slide, NULL, &error);
    g_assert_cmpint(wide_mask->width, ==, 4096);
    g_assert_cmpint(wide_mask->height, ==, 32);
}

static void test_no_tissue(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_new(600, 500, 0xffffff);
    g_autofree char *path = make_slide(folder, "empty.tiff", picture, (SlideForm){.mpp = 0.25});
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    GError *error = NULL;
    g_assert_null(rmil_mask_new(slide, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "empty.tiff: no tissue found: it has fewer than three gray values");
    picture_fill(picture, 0, 0, 32, 32, DARK);
    picture_fill(picture, 64, 64, 32, 32, PALE);
    g_autofree char *little = make_slide(folder, "little.tiff", picture, (SlideForm){.mpp = 0.25});
    g_autoptr(RmilSlide) other = open_slide(little, 0);
    g_autoptr(RmilMask) mask = rmil_mask_new(other, NULL, &error);
    g_assert_no_error(error);
    RmilTileOptions options;
    rmil_tile_options_init(&options);
    g_assert_null(rmil_grid_new(other, mask, &options, &error));
    test_error(&error, RMIL_ERROR_DATA, "little.tiff: no tile");
    const RmilTileOptions bad[] = {{4, 0.5, 0.05, 0},  {224, 0, 0.05, 0},    {224, NAN, 0.05, 0},  {224, 0.5, 1.1, 0},
                                   {224, 0.5, NAN, 0}, {224, 0.5, 0.05, -1}, {224, 0.5, 0.05, 220}};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_null(rmil_grid_new(other, mask, &bad[i], &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, "must be");
    }
    g_assert_null(rmil_mask_new(other, &(const RmilTissueOptions){.mpp = -1}, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "-1 µm");
    g_autoptr(RmilMask) foreign = rmil_mask_new(other, &(const RmilTissueOptions){.mpp = 1}, &error);
    foreign->width /= 2;
    g_assert_null(rmil_grid_new(other, foreign, &options, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "not this slide's");
}

/* Adds noise of ±amount to all pixels, the same to the three channels. */
static void add_noise(Picture *picture, int amount) {
    RmilRng rng;
    rmil_rng_init(&rng, 5, 0);
    for (int i = 0; i < picture->width * picture->height; i++) {
        int noise = (int)rmil_rng_below(&rng, 2 * amount + 1) - amount;
        for (int c = 0; c < 3; c++) picture->rgb[3 * i + c] = (uint8_t)CLAMP(picture->rgb[3 * i + c] + noise, 0, 255);
    }
}

static RmilMask *mask_of(const char *folder, const Picture *picture, VipsForeignTiffCompression compression) {
    g_autofree char *path = make_slide(folder, "m.tiff", picture, (SlideForm){.mpp = 0.25, .compression = compression});
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    GError *error = NULL;
    RmilMask *mask = rmil_mask_new(slide, NULL, &error);
    g_assert_no_error(error);
    return mask;
}

static void expect_warning(const RmilMask *mask, const char *part) {
    g_autofree char *said = g_strjoinv("\n", mask->warnings);
    if (part ? !strstr(said, part) || !strstr(said, "m.tiff: ") : *said) g_error("\"%s\", expected \"%s\"", said, part ? part : "");
}

/* What a converter filled with black is no tissue and has no say in the thresholds; a dark spot is left as it is. */
static void test_black(void) {
    const VipsForeignTiffCompression compressions[] = {VIPS_FOREIGN_TIFF_COMPRESSION_NONE, VIPS_FOREIGN_TIFF_COMPRESSION_JPEG};
    g_autofree char *folder = test_folder();
    for (gsize k = 0; k < G_N_ELEMENTS(compressions); k++) {
        g_autoptr(Picture) picture = picture_tissue();
        add_noise(picture, 5);
        g_autoptr(RmilMask) whole = mask_of(folder, picture, compressions[k]);
        expect_warning(whole, NULL);
        picture_fill(picture, 1530, 0, 518, 1536, 0);
        picture_fill(picture, 0, 1200, 2048, 336, 0);
        g_autoptr(RmilMask) mask = mask_of(folder, picture, compressions[k]);
        expect_warning(mask, "of it is pure black and counts as not scanned");
        g_assert_cmpint(ABS(mask->upper - whole->upper), <=, 10);
        for (int64_t i = 0; i < mask->width * mask->height; i++)
            g_assert_cmpint(mask->tissue[i], ==, is_tissue(i % mask->width * 16, i / mask->width * 16));
        picture_fill(picture, 0, 0, 2048, 1536, GLASS);
        picture_fill(picture, 448, 448, 896, 448, PALE);
        picture_fill(picture, 608, 608, 48, 48, 0);
        add_noise(picture, 5);
        g_autoptr(RmilMask) spot = mask_of(folder, picture, compressions[k]);
        expect_warning(spot, NULL);
        g_assert_cmpint(spot->tissue[39 * spot->width + 39], ==, 1);
    }
}

/* Bare glass is no tissue, however its noise is split; very dark and very faint slides are said. */
static void test_contrast(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) blank = picture_new(2048, 1536, GLASS);
    add_noise(blank, 9);
    const char *const names[] = {"blank.tiff", "blank.png"};
    for (int i = 0; i < 2; i++) {
        g_autofree char *path = i ? make_image(folder, names[i], blank) : make_slide(folder, names[i], blank, (SlideForm){.mpp = 2});
        g_autoptr(RmilSlide) slide = open_slide(path, 0);
        GError *error = NULL;
        g_autoptr(RmilMask) mask = rmil_mask_new(slide, &(const RmilTissueOptions){.mpp = i ? 0 : 4}, &error);
        if (mask) g_error("%s: thresholds %d and %d", names[i], mask->lower, mask->upper);
        test_error(&error, RMIL_ERROR_DATA, "no tissue found: it is blank");
    }
    g_autoptr(Picture) faint = picture_new(2048, 1536, GLASS);
    picture_fill(faint, 448, 448, 896, 448, 0xebe9eb);
    picture_fill(faint, 448, 448, 448, 224, 0xe4e0e4);
    add_noise(faint, 3);
    g_autoptr(RmilMask) pale = mask_of(folder, faint, VIPS_FOREIGN_TIFF_COMPRESSION_NONE);
    expect_warning(pale, "little contrast");
    g_autoptr(Picture) dark = picture_tissue();
    add_noise(dark, 5);
    for (int bits = 10; bits <= 12; bits += 2) {
        g_autoptr(Picture) upper = picture_tissue(); /* the upper 8 of 16 bits that hold `bits` */
        for (int i = 0; i < 3 * dark->width * dark->height; i++) upper->rgb[i] = (uint8_t)(dark->rgb[i] >> (16 - bits));
        g_autofree char *path = make_slide(folder, "m.tiff", upper, (SlideForm){.mpp = 0.25});
        g_autoptr(RmilSlide) slide = open_slide(path, 0);
        GError *error = NULL;
        g_autoptr(RmilMask) mask = rmil_mask_new(slide, NULL, &error);
        if (mask) expect_warning(mask, "m.tiff: is very dark: hardly any gray value is above ");
        else test_error(&error, RMIL_ERROR_DATA, "very dark image");
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/slide/otsu", test_otsu);
    g_test_add_func("/slide/mask", test_mask);
    g_test_add_func("/slide/mask/bounds", test_bounds);
    g_test_add_func("/slide/mask/plain", test_plain);
    g_test_add_func("/slide/mask/no-tissue", test_no_tissue);
    g_test_add_func("/slide/mask/black", test_black);
    g_test_add_func("/slide/mask/contrast", test_contrast);
    g_test_add_func("/slide/grid", test_grid);
    return g_test_run();
}
