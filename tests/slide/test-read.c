/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: every pixel against a slow reference in double on slides whose pixels are known. */
#include "make-slide.h"

#include <math.h>
#include <string.h>

/* White where the picture, which lies at (left, top) of the slide, is not. */
static double value_at(const Picture *picture, int64_t left, int64_t top, int64_t x, int64_t y, int channel) {
    x -= left;
    y -= top;
    if (x < 0 || y < 0 || x >= picture->width || y >= picture->height) return 255;
    return picture_at(picture, x, y)[channel];
}

static double area_mean(const Picture *picture, int64_t left, int64_t top, double x, double y, double side, int channel) {
    double sum = 0;
    for (int64_t row = (int64_t)floor(y); row < y + side; row++)
        for (int64_t column = (int64_t)floor(x); column < x + side; column++) {
            double wide = MIN(x + side, (double)column + 1) - MAX(x, (double)column);
            double high = MIN(y + side, (double)row + 1) - MAX(y, (double)row);
            sum += wide * high * value_at(picture, left, top, column, row, channel);
        }
    return sum / (side * side);
}

/* Linear between pixel centres, the outermost ones continued to the edge; white beyond. */
static double interpolated(const Picture *picture, double x, double y, double side, int channel) {
    double cx = x + side / 2, cy = y + side / 2;
    if (cx < 0 || cy < 0 || cx > picture->width || cy > picture->height) return 255;
    cx = CLAMP(cx - 0.5, 0, picture->width - 1.0);
    cy = CLAMP(cy - 0.5, 0, picture->height - 1.0);
    int64_t ix = (int64_t)MIN(floor(cx), picture->width - 2.0), iy = (int64_t)MIN(floor(cy), picture->height - 2.0);
    double fx = cx - (double)ix, fy = cy - (double)iy, sum = 0;
    for (int k = 0; k < 4; k++)
        sum += (k & 1 ? fx : 1 - fx) * (k & 2 ? fy : 1 - fy) * picture_at(picture, ix + (k & 1), iy + (k >> 1))[channel];
    return sum;
}

typedef struct {
    double x, y, downsample;
    int64_t width, height;
} Rectangle;

/* The picture is the level whose pixels are `scale` level-0 pixels wide, and lies at (left, top) of it. */
static void check_level(RmilSlide *slide, const Picture *picture, int64_t left, int64_t top, Rectangle r, double scale, double tolerance) {
    GError *error = NULL;
    g_autofree uint8_t *rgb = g_malloc((gsize)(r.width * r.height * 3));
    rmil_slide_read(slide, r.x, r.y, r.downsample, r.width, r.height, rgb, &error);
    g_assert_no_error(error);
    r = (Rectangle){r.x / scale, r.y / scale, r.downsample / scale, r.width, r.height};
    for (int64_t i = 0; i < r.width * r.height * 3; i++) {
        double x = r.x + (double)(i / 3 % r.width) * r.downsample, y = r.y + (double)(i / 3 / r.width) * r.downsample;
        double expected = r.downsample < 1 ? interpolated(picture, x, y, r.downsample, (int)(i % 3))
                                           : area_mean(picture, left, top, x, y, r.downsample, (int)(i % 3));
        /* at the edge the colour and the white are each rounded */
        gboolean inside = x >= left && y >= top && x + r.downsample <= left + picture->width && y + r.downsample <= top + picture->height;
        if (fabs(rgb[i] - expected) > tolerance + (inside ? 0 : 0.5))
            g_error("at (%g, %g), downsample %g: %d, expected %g", x, y, r.downsample, rgb[i], expected);
    }
}

static void check(RmilSlide *slide, const Picture *picture, int64_t left, int64_t top, Rectangle r, double tolerance) {
    check_level(slide, picture, left, top, r, 1, tolerance);
}

static const Rectangle rectangles[] = {
    {0, 0, 1, 500, 400},    {13, 27, 1, 100, 90},      {0, 0, 2, 250, 200},       {7.3, 5.8, 2.0568, 110, 90}, {3, 4, 1.002, 224, 224},
    {100, 50, 16, 9, 7},    {-20, -30, 1.7, 120, 100}, {450, 380, 3, 40, 30},     {499, 399, 1, 1, 1},         {0.5, 0.25, 1, 31, 17},
    {0, 0, 500, 1, 1},      {-400, -400, 100, 13, 12}, {600, 500, 2, 5, 5},       {-50, -50, 1, 20, 20},       {0, 0, 3.5, 143, 115},
    {17, 0, 33.33, 16, 13}, {0, 0, 0.5, 400, 300},     {10.25, 3.5, 0.3, 61, 59}, {480, 390, 0.5, 60, 40},     {-3, -2, 0.9, 50, 40},
};

static void test_exact(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(500, 400, 4);
    g_autofree char *tiff = make_slide(folder, "one.tiff", picture, (SlideForm){.mpp = 0.25});
    g_autofree char *plain = make_slide(folder, "strips.tif", picture, (SlideForm){.strips = TRUE});
    g_autofree char *png = make_image(folder, "plain.png", picture);
    const char *paths[] = {tiff, plain, png};
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(RmilSlide) slide = open_slide(paths[i], 0);
        g_assert_cmpint(rmil_slide_info(slide)->plain, ==, i > 0);
        for (gsize k = 0; k < G_N_ELEMENTS(rectangles); k++) check(slide, picture, 0, 0, rectangles[k], 0.51);
    }
}

/* Sizes around the vector lengths, and larger than what is decoded at once. */
static void test_sizes(void) {
    g_autofree char *folder = test_folder();
    for (int size = 1; size < 40; size += size < 20 ? 1 : 7) {
        g_autoptr(Picture) picture = picture_noise(size, 41 - size, (uint64_t)size);
        g_autofree char *path = make_image(folder, "size.png", picture);
        g_autoptr(RmilSlide) slide = open_slide(path, 0);
        check(slide, picture, 0, 0, (Rectangle){0, 0, 1.3, size, 41 - size}, 0.51);
        check(slide, picture, 0, 0, (Rectangle){-1, -1, 2, size, 5}, 0.51);
    }
    g_autoptr(Picture) large = picture_noise(5000, 70, 9);
    g_autofree char *path = make_slide(folder, "large.tiff", large, (SlideForm){.mpp = 0.25});
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    check(slide, large, 0, 0, (Rectangle){0.4, 0, 1.25, 4000, 56}, 0.51);
    check(slide, large, 0, 0, (Rectangle){0, 0, 1, 5000, 70}, 0);
}

static Picture *halve(const Picture *picture) {
    Picture *half = picture_new(picture->width / 2, picture->height / 2, 0);
    for (int i = 0; i < 3 * half->width * half->height; i++) {
        int x = i / 3 % half->width, y = i / 3 / half->width, c = i % 3;
        half->rgb[i] = (uint8_t)((picture_at(picture, 2 * x, 2 * y)[c] + picture_at(picture, 2 * x + 1, 2 * y)[c] +
                                  picture_at(picture, 2 * x, 2 * y + 1)[c] + picture_at(picture, 2 * x + 1, 2 * y + 1)[c] + 2) /
                                 4);
    }
    return half;
}

static void test_levels(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(1024, 768, 5), half = halve(picture), quarter = halve(half);
    g_autofree char *path = make_slide(folder, "levels.tiff", picture, (SlideForm){.mpp = 0.25, .pyramid = TRUE});
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    g_assert_cmpint(rmil_slide_info(slide)->levels, ==, 4); /* of 5: the last is less high than a tile */
    check_level(slide, quarter, 0, 0, (Rectangle){0, 0, 16, 64, 48}, 4, 2.01);
    const Rectangle from_half[] = {{0, 0, 2, 512, 384},  {64, 32, 2, 100, 100},     {0, 0, 3, 300, 250},
                                   {33, 7, 3.3, 50, 50}, {-64, -64, 3.9, 160, 120}, {1, 3, 2, 60, 60}};
    const Rectangle from_quarter[] = {{0, 0, 4, 256, 192}, {4, 12, 4, 10, 10}, {102.4, 31, 5.5, 30, 30}};
    for (gsize k = 0; k < G_N_ELEMENTS(from_half); k++) check_level(slide, half, 0, 0, from_half[k], 2, 1.01);
    for (gsize k = 0; k < G_N_ELEMENTS(from_quarter); k++) check_level(slide, quarter, 0, 0, from_quarter[k], 4, 1.51);
    /* sides that do not halve evenly: downsamples such as 2.0011, which still stand for 2 */
    g_autoptr(Picture) odd = picture_new(1001, 751, 0xffffff);
    picture_fill(odd, 400, 320, 80, 80, 0x204060);
    g_autofree char *odd_path = make_slide(folder, "odd.tiff", odd, (SlideForm){.mpp = 0.25, .pyramid = TRUE});
    g_autoptr(RmilSlide) odd_slide = open_slide(odd_path, 0);
    for (int downsample = 2; downsample <= 8; downsample *= 2) {
        uint8_t rgb[3 * 64];
        GError *error = NULL;
        rmil_slide_read(odd_slide, 440 - 4 * downsample, 360 - 4 * downsample, downsample, 8, 8, rgb, &error);
        g_assert_no_error(error);
        for (int i = 0; i < 64; i++) assert_pixel(rgb + 3 * i, (uint8_t[]){0x20, 0x40, 0x60}, 0);
    }
}

/* What OpenSlide 3.4 gives as garbage, another at every read: pages smaller than a tile that are not JPEG. */
static void test_small(void) {
    const VipsForeignTiffCompression compressions[] = {VIPS_FOREIGN_TIFF_COMPRESSION_NONE, VIPS_FOREIGN_TIFF_COMPRESSION_LZW,
                                                       VIPS_FOREIGN_TIFF_COMPRESSION_JPEG};
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) low = picture_noise(60, 300, 3), picture = picture_new(1024, 600, 0x4080c0);
    for (gsize i = 0; i < G_N_ELEMENTS(compressions); i++) {
        gboolean jpeg = compressions[i] == VIPS_FOREIGN_TIFF_COMPRESSION_JPEG;
        g_autofree char *path = make_slide(folder, "low.tiff", low, (SlideForm){.mpp = 0.25, .compression = compressions[i]});
        g_autofree char *high = make_slide(folder, "high.tiff", picture,
                                           (SlideForm){.mpp = 0.25, .pyramid = TRUE, .compression = compressions[i]});
        g_autoptr(RmilSlide) slide = open_slide(path, 0), pyramid = open_slide(high, 0);
        uint8_t rgb[3 * 60 * 30];
        GError *error = NULL;
        g_assert_cmpfloat_with_epsilon(rmil_slide_info(slide)->mpp, 0.25, 1e-6);
        if (!jpeg) check(slide, low, 0, 0, (Rectangle){0, 0, 1, 60, 300}, 0);
        g_assert_true(rmil_slide_read(pyramid, 0, 0, 16, 60, 30, rgb, &error));
        for (int k = 0; k < 60 * 30; k++) assert_pixel(rgb + 3 * k, (uint8_t[]){0x40, 0x80, 0xc0}, jpeg ? 4 : 0);
    }
}

static void test_transparent(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(301, 200, 6);
    g_autofree char *path = make_leica(folder, "gap.scn", picture, 101, 57, 800, 640, FALSE);
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    const Rectangle cases[] = {{0, 0, 1, 800, 640},   {101, 57, 1, 301, 200}, {0, 0, 2, 400, 320},
                               {33, 40, 3.7, 90, 60}, {0, 0, 40, 20, 16},     {700, 600, 2, 60, 30}};
    for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) check(slide, picture, 101, 57, cases[k], 2.01);
}

static void test_arguments(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(50, 40, 7);
    g_autofree char *path = make_image(folder, "a.png", picture);
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    const Rectangle bad[] = {{0, 0, 0, 1, 1},         {0, 0, -1, 1, 1},   {0, 0, NAN, 1, 1},     {NAN, 0, 1, 1, 1},
                             {0, 1e300, 1, 1, 1},     {0, 0, 1, 0, 1},    {0, 0, 1, 1, -1},      {0, 0, 1, INT64_MAX, 1},
                             {0, 0, 1, 1, INT64_MAX}, {0, 0, 5000, 1, 1}, {0, 0, INFINITY, 1, 1}};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *error = NULL;
        uint8_t rgb[3];
        g_assert_false(rmil_slide_read(slide, bad[i].x, bad[i].y, bad[i].downsample, bad[i].width, bad[i].height, rgb, &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, "a.png");
    }
}

static void test_formats(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_new(40, 30, 0x808080);
    picture_fill(picture, 10, 10, 10, 10, 0x202020);
    g_autoptr(RmilVipsImage) rgb = vips_image_new_from_memory(picture->rgb, 3600, 40, 30, 3, VIPS_FORMAT_UCHAR);
    rgb->Type = VIPS_INTERPRETATION_sRGB;
    g_autoptr(RmilVipsImage) gray = NULL, wide = NULL, alpha = NULL, complex = NULL;
    g_assert_cmpint(vips_extract_band(rgb, &gray, 1, NULL), ==, 0);
    gray->Type = VIPS_INTERPRETATION_B_W;
    g_assert_cmpint(vips_colourspace(gray, &wide, VIPS_INTERPRETATION_GREY16, NULL), ==, 0);
    g_assert_cmpint(vips_bandjoin_const1(rgb, &alpha, 127, NULL), ==, 0);
    g_assert_cmpint(vips_cast(rgb, &complex, VIPS_FORMAT_FLOAT, NULL), ==, 0);
    const struct {
        VipsImage *image;
        const char *name;
        uint8_t dark;
    } cases[] = {{gray, "gray.png", 0x20}, {wide, "gray16.png", 0x20}, {wide, "gray16.tif", 0x20}, {alpha, "alpha.png", 144}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_build_filename(folder, cases[i].name, NULL);
        g_assert_cmpint(vips_image_write_to_file(cases[i].image, path, NULL), ==, 0);
        g_autoptr(RmilSlide) slide = open_slide(path, 0);
        GError *error = NULL;
        uint8_t pixel[3];
        rmil_slide_read(slide, 15, 15, 1, 1, 1, pixel, &error);
        g_assert_no_error(error);
        assert_pixel(pixel, (uint8_t[]){cases[i].dark, cases[i].dark, cases[i].dark}, 1);
    }
    g_autofree char *path = g_build_filename(folder, "float.tif", NULL);
    g_assert_cmpint(vips_image_write_to_file(complex, path, NULL), ==, 0);
    GError *error = NULL;
    g_assert_null(rmil_slide_open(path, 0, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "float.tif: is not an RGB or gray image of 8 or 16 bits, but of 32-bit floating point");
    g_assert_cmpint(vips_tiffsave(complex, path, "tile", TRUE, NULL), ==, 0);
    g_assert_null(rmil_slide_open(path, 0.5, &error)); /* OpenSlide opens it, and would fail at the first read */
    test_error(&error, RMIL_ERROR_FORMAT, "float.tif: is not an RGB or gray image of 8 or 16 bits, but of 32-bit floating point");
}

typedef struct {
    RmilSlide *slide;
    uint8_t *rgb;
    double downsample;
} Many;

#define TILE 64

static gboolean read_tile(int64_t i, int worker, gpointer user, GError **error) {
    Many *many = user;
    double side = TILE * many->downsample;
    return rmil_slide_read(many->slide, (double)(i % 8) * side, (double)(i / 8) * side, many->downsample, TILE, TILE,
                           many->rgb + i * TILE * TILE * 3, error);
}

static void test_threads(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(1024, 1024, 8);
    g_autofree char *tiff = make_slide(folder, "t.tiff", picture,
                                       (SlideForm){.mpp = 0.25, .pyramid = TRUE, .compression = VIPS_FOREIGN_TIFF_COMPRESSION_JPEG});
    g_autofree char *jpeg = make_image(folder, "t.jpg", picture);
    const char *paths[] = {tiff, jpeg};
    gsize size = 64 * TILE * TILE * 3;
    g_autofree uint8_t *first = g_malloc(size), *again = g_malloc(size);
    for (int i = 0; i < 6; i++) {
        double downsample = (const double[]){1, 1.7, 2}[i / 2];
        for (int threads = 1; threads < 9; threads += 3) {
            g_autoptr(RmilSlide) slide = open_slide(paths[i % 2], 0);
            Many many = {slide, threads == 1 ? first : again, downsample};
            GError *error = NULL;
            g_assert_true(rmil_parallel(64, threads, read_tile, &many, &error));
            if (threads > 1) g_assert_true(memcmp(first, again, size) == 0);
        }
    }
}

/* OpenSlide gives up a handle after an error; the other tiles are still read, and the broken one is named. */
static void test_spoilt(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(512, 512, 9);
    g_autofree char *path = make_slide(folder, "spoilt.tiff", picture,
                                       (SlideForm){.mpp = 0.25, .compression = VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE});
    spoil_tile(path, 3 * 8 + 5);
    g_autofree uint8_t *rgb = g_malloc(64 * TILE * TILE * 3);
    for (int round = 0; round < 10; round++) {
        g_autoptr(RmilSlide) slide = open_slide(path, 0);
        GError *error = NULL;
        Many many = {slide, rgb, 1};
        g_assert_false(rmil_parallel(64, 4, read_tile, &many, &error));
        test_error(&error, RMIL_ERROR_FORMAT, "spoilt.tiff: cannot be read at level-0 pixel (320, 192)");
        uint8_t *whole = g_malloc(512 * 512 * 3); /* the tile is named, not the corner of what was asked for */
        g_assert_false(rmil_slide_read(slide, 0, 0, 1, 512, 512, whole, &error));
        test_error(&error, RMIL_ERROR_FORMAT, "spoilt.tiff: cannot be read at level-0 pixel (320, 192), level 0");
        g_assert_false(rmil_slide_read(slide, 100, 70, 1.5, 250, 200, whole, &error));
        test_error(&error, RMIL_ERROR_FORMAT, "spoilt.tiff: cannot be read at level-0 pixel (320, 192), level 0");
        g_free(whole);
        check(slide, picture, 0, 0, (Rectangle){0, 0, 1, 64, 64}, 0);
        check(slide, picture, 0, 0, (Rectangle){384, 192, 1, 64, 64}, 0);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL); /* libvips warns of broken files, silently */
    g_test_add_func("/slide/read/exact", test_exact);
    g_test_add_func("/slide/read/sizes", test_sizes);
    g_test_add_func("/slide/read/levels", test_levels);
    g_test_add_func("/slide/read/small", test_small);
    g_test_add_func("/slide/read/transparent", test_transparent);
    g_test_add_func("/slide/read/arguments", test_arguments);
    g_test_add_func("/slide/read/formats", test_formats);
    g_test_add_func("/slide/read/threads", test_threads);
    g_test_add_func("/slide/read/spoilt", test_spoilt);
    return g_test_run();
}
