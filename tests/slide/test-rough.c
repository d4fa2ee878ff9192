/* SPDX-License-Identifier: Apache-2.0 */
/* Slides for the eye: nearly the pixels of rmil_slide_read, at the same places. */
#include "make-slide.h"
#include "slide/slide-private.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 1003, HEIGHT = 770 }; /* neither ends with a whole eighth or tile */

/* Gray fields of 5 × 5 px: colours, which JPEG has at half the size, are not the same where they change. */
static Picture *fields(void) {
    Picture *picture = picture_new(WIDTH, HEIGHT, 0xFFFFFF);
    RmilRng rng;
    rmil_rng_init(&rng, 3, 0);
    for (int y = 0; y < HEIGHT; y += 5)
        for (int x = 0; x < WIDTH; x += 5)
            picture_fill(picture, x, y, MIN(5, WIDTH - x), MIN(5, HEIGHT - y), 0x010101 * (uint32_t)(70 + rmil_rng_below(&rng, 110)));
    return picture;
}

static RmilSlide *open_fields(const char *folder, char **path) {
    g_autoptr(Picture) picture = fields();
    *path = make_slide(folder, "fields.tiff", picture, (SlideForm){.mpp = 0.5, .compression = VIPS_FOREIGN_TIFF_COMPRESSION_JPEG});
    return open_slide(*path, 0);
}

typedef struct {
    int most;
    double mean; /* rough − exact */
} Difference;

static Difference compare(RmilSlide *slide, double x, double y, double downsample, int64_t width, int64_t height) {
    const gsize bytes = (gsize)(width * height) * 3;
    g_autofree uint8_t *exact = g_malloc(bytes), *rough = g_malloc(bytes);
    GError *error = NULL;
    Difference difference = {0, 0};
    memset(rough, 0x55, bytes);
    g_assert_true(rmil_slide_read(slide, x, y, downsample, width, height, exact, &error));
    g_assert_true(rmil_slide_read_rough(slide, x, y, downsample, width, height, rough, &error));
    for (gsize i = 0; i < bytes; i++) {
        difference.most = MAX(difference.most, abs(exact[i] - rough[i]));
        difference.mean += (rough[i] - exact[i]) / (double)bytes;
    }
    return difference;
}

/* Where output pixels are of whole eighths they are the same but for rounding, at the edges and beside the slide, too: a place that is off by one
 * pixel of the file would differ by far more. */
static void test_same(void) {
    g_autofree char *folder = test_folder(), *path = NULL;
    g_autoptr(RmilSlide) slide = open_fields(folder, &path);
    const struct {
        double x, y, downsample;
        int64_t width, height;
        int most;
    } places[] = {{0, 0, 16, 64, 64, 2}, {0, 0, 8, 125, 96, 2},     {0, 0, 32, 32, 25, 2},    {256, 128, 8, 40, 40, 2},
                  {0, 0, 1024, 1, 1, 0}, {-40, -24, 16, 80, 64, 0}, {896, 696, 8, 64, 64, 2}, {0, 0, 4, 200, 100, 0}};
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        const Difference d = compare(slide, places[i].x, places[i].y, places[i].downsample, places[i].width, places[i].height);
        g_assert_cmpint(d.most, <=, places[i].most);
    }
}

/* Elsewhere an output pixel is of parts of eighths: somewhat blurred, but not moved. The picture grows brighter to the right and downwards; moved by
 * one pixel of the file it would be so by 0.5. */
static void test_between(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_new(WIDTH, HEIGHT, 0);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) memset(picture->rgb + 3 * (y * WIDTH + x), MIN(40 + (x + y) / 2, 250), 3);
    g_autofree char *path = make_slide(folder, "ramp.tiff", picture,
                                       (SlideForm){.mpp = 0.5, .compression = VIPS_FOREIGN_TIFF_COMPRESSION_JPEG});
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    const double places[][3] = {{3, 5, 8}, {0, 0, 11.3}, {1, 0, 16}, {7, 7, 9.5}, {0, 0, 12.36}};
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        const Difference d = compare(slide, places[i][0], places[i][1], places[i][2], 12, 8);
        g_test_message("%g, %g by %g: at most %d, mean %.3f", places[i][0], places[i][1], places[i][2], d.most, d.mean);
        g_assert_cmpint(d.most, <=, 2);
        g_assert_cmpfloat(fabs(d.mean), <, 0.15);
    }
}

/* Coarser levels are what they are: nothing is rough. */
static void test_levels(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = fields();
    g_autofree char *path = make_slide(folder, "levels.tiff", picture,
                                       (SlideForm){.mpp = 0.5, .pyramid = TRUE, .compression = VIPS_FOREIGN_TIFF_COMPRESSION_JPEG}),
                    *plain = make_slide(folder, "plain.tiff", picture, (SlideForm){.mpp = 0.5}),
                    *image = make_image(folder, "image.png", picture);
    g_autoptr(RmilSlide) slide = open_slide(path, 0), stored = open_slide(plain, 0), flat = open_slide(image, 0.5);
    g_assert_cmpint(compare(slide, 0, 0, 8, 100, 90).most, ==, 0);
    g_assert_cmpint(compare(stored, 0, 0, 8, 100, 90).most, ==, 0);
    g_assert_cmpint(compare(flat, 0, 0, 8, 100, 90).most, ==, 0);
}

/* A damaged tile is refused as it is refused in full. */
static void test_broken(void) {
    g_autofree char *folder = test_folder(), *path = NULL;
    RmilSlide *whole = open_fields(folder, &path);
    rmil_slide_free(whole);
    spoil_tile(path, 5);
    g_autoptr(RmilSlide) slide = open_slide(path, 0), again = open_slide(path, 0);
    g_autoptr(GError) exact = NULL, rough = NULL;
    uint8_t rgb[64 * 64 * 3];
    g_assert_false(rmil_slide_read(slide, 0, 0, 16, 64, 64, rgb, &exact));
    g_assert_false(rmil_slide_read_rough(again, 0, 0, 16, 64, 64, rgb, &rough));
    g_assert_cmpstr(exact->message, ==, rough->message);
}

/* A scanner's file. */
static void test_scanner(void) {
    g_autofree char *path = test_shared("data/slides/CMU-1-Small-Region.svs");
    if (!path) return;
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    const Difference d = compare(slide, 0, 0, 16, 256, 256);
    g_test_message("at most %d, mean %.3f", d.most, d.mean);
    g_assert_cmpint(d.most, <=, 3);
    g_assert_cmpfloat(fabs(d.mean), <, 0.1);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/slide/rough/same", test_same);
    g_test_add_func("/slide/rough/between", test_between);
    g_test_add_func("/slide/rough/levels", test_levels);
    g_test_add_func("/slide/rough/broken", test_broken);
    g_test_add_func("/slide/rough/scanner", test_scanner);
    return g_test_run();
}
