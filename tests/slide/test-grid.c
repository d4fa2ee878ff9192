/* SPDX-License-Identifier: Apache-2.0 */
/* Grids of tiles that overlap, tiles of another size and magnification, the order in which they are read, and JPEG tiles, which are
 * decoded without OpenSlide, against OpenSlide. */
#include "make-slide.h"

#include <glib/gstdio.h>
#include <math.h>
#include <openslide/openslide.h>
#include <string.h>

static char *folder;
static Picture *picture;

static char *jpeg_slide(const char *name, gboolean pyramid) {
    return make_slide(folder, name, picture,
                      (SlideForm){.mpp = 0.25, .pyramid = pyramid, .tile = 256, .compression = VIPS_FOREIGN_TIFF_COMPRESSION_JPEG});
}

/* Everywhere tissue. */
static RmilGrid *grid_of(RmilSlide *slide, RmilTileOptions options) {
    const RmilSlideInfo *info = rmil_slide_info(slide);
    RmilMask mask = {.width = (info->width + 15) / 16, .height = (info->height + 15) / 16, .downsample = 16};
    mask.tissue = g_malloc((gsize)(mask.width * mask.height));
    memset(mask.tissue, 1, (gsize)(mask.width * mask.height));
    GError *error = NULL;
    RmilGrid *grid = rmil_grid_new(slide, &mask, &options, &error);
    g_assert_no_error(error);
    g_free(mask.tissue);
    return grid;
}

/* Every pixel is in a tile; tiles lie a step apart; without overlap they are those of before there was one. */
static void test_overlap(void) {
    g_autofree char *path = jpeg_slide("overlap.tiff", FALSE);
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    const struct {
        int side;
        double mpp, overlap;
        int64_t columns, rows;
    } cases[] = {{224, 0.5, 0, 5, 4},    {224, 0.5, 112, 8, 6}, {224, 0.5, 56, 6, 5},  {256, 0.5, 64, 5, 4},
                 {64, 0.25, 32, 62, 46}, {512, 0.5, 0, 2, 2},   {1024, 0.5, 512, 1, 1}};
    for (gsize c = 0; c < G_N_ELEMENTS(cases); c++) {
        g_autoptr(RmilGrid) grid = grid_of(
            slide, (RmilTileOptions){.tile_px = cases[c].side, .mpp = cases[c].mpp, .overlap = cases[c].overlap, .min_tissue = 0});
        const int64_t side = llround(grid->tile_level0), step = llround((cases[c].side - cases[c].overlap) * cases[c].mpp / 0.25);
        g_assert_cmpint(grid->count, ==, cases[c].columns * cases[c].rows);
        g_assert_cmpfloat(grid->overlap, ==, cases[c].overlap);
        for (int64_t i = 0; i < grid->count; i++) {
            g_assert_cmpint(grid->coords[2 * i], ==, i % cases[c].columns * step);
            g_assert_cmpint(grid->coords[2 * i + 1], ==, i / cases[c].columns * step);
        }
        g_assert_cmpint((cases[c].columns - 1) * step + side, >=, picture->width);
        g_assert_cmpint((cases[c].rows - 1) * step + side, >=, picture->height);
        if (cases[c].columns > 1) g_assert_cmpint((cases[c].columns - 2) * step + side, <, picture->width);
    }
}

/* Each tile once, those that are left out never, and nothing depends on how often one asks. */
static void test_blocks(void) {
    g_autofree char *path = jpeg_slide("blocks.tiff", FALSE);
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    const double overlaps[] = {0, 16, 48};
    for (gsize o = 0; o < G_N_ELEMENTS(overlaps); o++) {
        g_autoptr(RmilGrid) grid = grid_of(slide, (RmilTileOptions){.tile_px = 64, .mpp = 0.25, .overlap = overlaps[o]});
        g_autofree uint8_t *skip = g_malloc0((gsize)grid->count), *seen = g_malloc0((gsize)grid->count);
        for (int64_t i = 0; i < grid->count; i += 5) skip[i] = 1;
        GError *error = NULL;
        g_autoptr(RmilGridBlocks) blocks = rmil_grid_blocks_new(grid, slide, skip, &error),
                                  again = rmil_grid_blocks_new(grid, slide, skip, &error);
        g_assert_no_error(error);
        g_assert_cmpint(blocks->count, >, 1);
        g_assert_cmpint(blocks->first[blocks->count], ==, grid->count - (grid->count + 4) / 5);
        for (int64_t b = 0; b < blocks->count; b++) {
            int64_t low[2] = {G_MAXINT64, G_MAXINT64}, high[2] = {0};
            g_assert_cmpint(blocks->first[b], <, blocks->first[b + 1]);
            for (int64_t k = blocks->first[b]; k < blocks->first[b + 1]; k++) {
                const int64_t tile = blocks->tiles[k];
                g_assert_cmpint(again->tiles[k], ==, tile);
                g_assert_false(skip[tile] || seen[tile]++);
                for (int axis = 0; axis < 2; axis++) {
                    low[axis] = MIN(low[axis], grid->coords[2 * tile + axis]);
                    high[axis] = MAX(high[axis], grid->coords[2 * tile + axis]);
                }
            }
            g_assert_cmpint(high[0] - low[0], <, 1024);
            g_assert_cmpint(high[1] - low[1], <, 2048);
        }
    }
    g_autoptr(RmilGrid) grid = grid_of(slide, (RmilTileOptions){.tile_px = 64, .mpp = 0.25});
    g_autofree uint8_t *all = g_malloc((gsize)grid->count);
    memset(all, 1, (gsize)grid->count);
    GError *error = NULL;
    g_autoptr(RmilGridBlocks) none = rmil_grid_blocks_new(grid, slide, all, &error);
    g_assert_no_error(error);
    g_assert_cmpint(none->count, ==, 0);
    g_assert_cmpint(none->first[0], ==, 0);
}

/* The tile of another grid is the rectangle that it should be. */
static void expect_tile(RmilSlide *slide, const RmilGrid *grid, int64_t i, double x, double y, double downsample, int side) {
    g_autofree uint8_t *tile = g_malloc((gsize)side * (gsize)side * 3), *expected = g_malloc((gsize)side * (gsize)side * 3);
    GError *error = NULL;
    g_assert_cmpint(grid->tile_px, ==, side);
    g_assert_true(rmil_grid_read(grid, slide, i, tile, &error));
    g_assert_true(rmil_slide_read(slide, x, y, downsample, side, side, expected, &error));
    g_assert_true(memcmp(tile, expected, (gsize)side * (gsize)side * 3) == 0);
}

static void test_views(void) {
    g_autofree char *path = jpeg_slide("views.tiff", TRUE);
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    GError *error = NULL;
    g_autoptr(RmilGrid) grid = grid_of(slide, (RmilTileOptions){.tile_px = 256, .mpp = 0.5, .overlap = 64});
    g_autoptr(RmilGrid) seen = rmil_grid_seen(grid, 224, &error), around = rmil_grid_around(grid, 2, &error),
                        finer = rmil_grid_around(grid, 0.25, &error);
    g_autoptr(RmilGrid) both = rmil_grid_seen(around, 224, &error);
    g_assert_no_error(error);
    for (int64_t i = 0; i < grid->count; i++) {
        const double x = (double)grid->coords[2 * i], y = (double)grid->coords[2 * i + 1];
        expect_tile(slide, seen, i, x, y, 512.0 / 224, 224);
        expect_tile(slide, around, i, x + 256 - 1024, y + 256 - 1024, 8, 256);
        expect_tile(slide, both, i, x + 256 - 1024, y + 256 - 1024, 2048.0 / 224, 224);
        expect_tile(slide, finer, i, x + 128, y + 128, 1, 256);
    }
    g_assert_cmpfloat_with_epsilon(seen->mpp, 0.5 * 256 / 224, 1e-9);
    g_assert_cmpfloat(around->mpp, ==, 2);
}

/* -- JPEG tiles -------------------------------------------------------------------------------------------------------------------- */
/* What OpenSlide itself gives for a rectangle of level 0, over white; FALSE: it fails. */
static gboolean by_openslide(const char *path, int64_t x, int64_t y, int64_t side, uint8_t *rgb) {
    openslide_t *file = openslide_open(path);
    g_autofree uint32_t *argb = g_new0(uint32_t, side * side);
    openslide_read_region(file, argb, x, y, 0, side, side);
    const gboolean good = openslide_get_error(file) == NULL;
    for (int64_t i = 0; i < side * side; i++)
        for (int c = 0; c < 3; c++) rgb[3 * i + c] = (uint8_t)(argb[i] >> 24 ? argb[i] >> (16 - 8 * c) : 255);
    openslide_close(file);
    return good;
}

static void expect_openslide(const char *path, int64_t x, int64_t y, int64_t side) {
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    const gsize bytes = (gsize)(side * side * 3);
    g_autofree uint8_t *ours = g_malloc(bytes), *theirs = g_malloc(bytes);
    g_autoptr(GError) error = NULL;
    const gboolean good = rmil_slide_read(slide, (double)x, (double)y, 1, side, side, ours, &error);
    g_assert_cmpint(good, ==, by_openslide(path, x, y, side, theirs));
    if (good) g_assert_true(memcmp(ours, theirs, bytes) == 0);
}

static void test_jpeg(void) {
    const int64_t places[][3] = {{0, 0, 256}, {256, 512, 256}, {100, 37, 500}, {1800, 1300, 224}, {1990, 1490, 40}, {700, 700, 1}};
    const int tiles[] = {240, 256, 512};
    for (gsize t = 0; t < G_N_ELEMENTS(tiles); t++) {
        g_autofree char *path = make_slide(
            folder, "jpeg.tiff", picture,
            (SlideForm){.mpp = 0.25, .tile = tiles[t] / 16 * 16, .compression = VIPS_FOREIGN_TIFF_COMPRESSION_JPEG});
        for (gsize i = 0; i < G_N_ELEMENTS(places); i++) expect_openslide(path, places[i][0], places[i][1], places[i][2]);
    }
    g_autofree char *spoilt = jpeg_slide("spoilt.tiff", FALSE); /* here as there */
    spoil_tile(spoilt, 9);
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) expect_openslide(spoilt, places[i][0], places[i][1], places[i][2]);
    expect_openslide(spoilt, 256, 256, 256);
    g_autofree char *real = test_shared("data/slides/CMU-1-Small-Region.svs");
    for (int64_t x = 0; real && x < 1900; x += 317) expect_openslide(real, x, x / 2, 300);
}

/* A JPEG picture that lacks a part of its data is refused; bytes that its writer left over are not. */
static void test_jpeg_with_a_gap(void) {
    g_autofree char *path = g_build_filename(folder, "plain.jpg", NULL), *bytes = NULL;
    g_autoptr(GError) error = NULL;
    VipsImage *noise = NULL, *image = NULL;
    uint8_t rgb[3 * 8 * 8];
    gsize size;
    g_assert_true(vips_gaussnoise(&noise, 300, 200, "mean", 128.0, NULL) == 0 && vips_cast(noise, &image, VIPS_FORMAT_UCHAR, NULL) == 0 &&
                  vips_jpegsave(image, path, NULL) == 0 && g_file_get_contents(path, &bytes, &size, NULL));
    g_object_unref(noise);
    g_object_unref(image);
    for (int gap = 0; gap < 2; gap++) {
        g_autoptr(GString) changed = g_string_new_len(bytes, (gssize)size);
        if (gap) g_string_erase(changed, (gssize)size / 2, (gssize)size / 2 - 2);
        else g_string_insert_len(changed, (gssize)size - 2, "\0\0\0\0", 4);
        g_assert_true(g_file_set_contents(path, changed->str, (gssize)changed->len, NULL));
        g_autoptr(RmilSlide) slide = rmil_slide_open(path, 0.5, &error);
        g_assert_no_error(error);
        g_assert_cmpint(rmil_slide_read(slide, 0, 0, 1, 8, 8, rgb, &error), ==, !gap);
        if (gap) test_error(&error, RMIL_ERROR_FORMAT, "premature end of data segment");
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);
    folder = test_folder();
    picture = picture_noise(2000, 1500, 11);
    g_test_add_func("/slide/grid/overlap", test_overlap);
    g_test_add_func("/slide/grid/blocks", test_blocks);
    g_test_add_func("/slide/grid/views", test_views);
    g_test_add_func("/slide/grid/jpeg", test_jpeg);
    g_test_add_func("/slide/grid/jpeg-with-a-gap", test_jpeg_with_a_gap);
    const int status = g_test_run();
    picture_free(picture);
    g_free(folder);
    return status;
}
