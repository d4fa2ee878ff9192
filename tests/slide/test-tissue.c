/* SPDX-License-Identifier: Apache-2.0 */
/* Tissue by other rules than Otsu's, and what is left out of it, on slides known by construction. */
#include "make-slide.h"

#include <math.h>
#include <string.h>

#define GLASS 0xf4f4f4
#define PALE 0xe0b0d0  /* eosin */
#define GRAY 0x909090  /* dust: dark, without a colour */
#define BLUE 0x3c5096  /* ink */
#define GREEN 0x288c64 /* ink */
#define BLACK 0x232326 /* ink */
#define RED 0xc81e32   /* ink, or blood */
#define FOLD 0x501860

enum { WIDTH = 2048, HEIGHT = 1536, PX = 16 }; /* level-0 pixels; of a mask pixel */

/* Tissue from (448, 448), 896 × 448 px, on glass. */
static Picture *picture_tissue(void) {
    Picture *picture = picture_new(WIDTH, HEIGHT, GLASS);
    picture_fill(picture, 0, 0, WIDTH, PX, 0xffffff); /* Otsu's three classes want more than three gray values */
    picture_fill(picture, 448, 448, 896, 448, PALE);
    picture_fill(picture, 1232, 672, 112, 224, 0x603080);
    return picture;
}

static RmilSlide *slide_of(const char *folder, const Picture *picture) {
    g_autofree char *path = make_slide(folder, "t.tiff", picture, (SlideForm){.mpp = 0.25});
    return open_slide(path, 0);
}

static RmilMask *mask_by(RmilSlide *slide, RmilTissueOptions options) {
    GError *error = NULL;
    RmilMask *mask = rmil_mask_new(slide, &options, &error);
    g_assert_no_error(error);
    return mask;
}

static int tissue_at(const RmilMask *mask, int x, int y) { return mask->tissue[y / PX * mask->width + x / PX]; }

static int left_at(const RmilMask *mask, int x, int y) { return mask->left_out[y / PX * mask->width + x / PX]; }

static void expect_warning(const RmilMask *mask, const char *part) {
    g_autofree char *said = g_strjoinv("\n", mask->warnings);
    if (part ? !strstr(said, part) : *said) g_error("\"%s\", expected \"%s\"", said, part ? part : "");
}

/* -- methods ------------------------------------------------------------------------------------------------------------------- */
static void test_hsv(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_tissue();
    picture_fill(picture, 1600, 448, 320, 320, GRAY);
    g_autoptr(RmilSlide) slide = slide_of(folder, picture);
    g_autoptr(RmilMask) otsu = mask_by(slide, (RmilTissueOptions){.mpp = 0}),
                        hsv = mask_by(slide, (RmilTissueOptions){.method = RMIL_TISSUE_HSV});
    g_assert_cmpint(tissue_at(otsu, 1700, 500), ==, 1);
    g_assert_cmpint(tissue_at(hsv, 1700, 500), ==, 0);
    g_assert_cmpint(tissue_at(hsv, 900, 600), ==, 1);
    g_assert_cmpint(tissue_at(hsv, 100, 100), ==, 0);
    g_assert_cmpint(hsv->upper, ==, 0);
    expect_warning(hsv, NULL);
    g_autoptr(Picture) tinted = picture_new(WIDTH, HEIGHT, 0xf4e8f4), colourless = picture_new(WIDTH, HEIGHT, GLASS);
    g_autoptr(RmilSlide) pink = slide_of(folder, tinted);
    g_autoptr(RmilMask) all = mask_by(pink, (RmilTissueOptions){.method = RMIL_TISSUE_HSV});
    expect_warning(all, "of it counts as tissue by its saturation: if the glass is tinted, use --tissue otsu");
    picture_fill(colourless, 448, 448, 896, 448, GRAY);
    g_autoptr(RmilSlide) gray = slide_of(folder, colourless);
    GError *error = NULL;
    g_assert_null(rmil_mask_new(gray, &(const RmilTissueOptions){.method = RMIL_TISSUE_HSV}, &error));
    test_error(&error, RMIL_ERROR_DATA, "of 255); for gray images use --tissue otsu");
}

static void test_none(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_new(512, 512, 0xffffff);
    g_autofree char *path = make_leica(folder, "l.tiff", picture, 256, 512, 2048, 1536, FALSE);
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    g_autoptr(RmilMask) mask = mask_by(slide, (RmilTissueOptions){.method = RMIL_TISSUE_NONE});
    int64_t n = 0;
    for (int64_t i = 0; i < mask->width * mask->height; i++) n += mask->tissue[i];
    g_assert_cmpint(n, ==, 512 / PX * 512 / PX); /* white, but scanned; the rest was not */
    g_assert_cmpint(tissue_at(mask, 256, 512), ==, 1);
    g_assert_cmpint(tissue_at(mask, 240, 512), ==, 0);
}

static void test_names(void) {
    RmilTissueMethod method;
    GError *error = NULL;
    for (RmilTissueMethod m = RMIL_TISSUE_OTSU; m <= RMIL_TISSUE_NONE; m++) {
        g_assert_true(rmil_tissue_method_parse(rmil_tissue_method_name(m), &method, &error));
        g_assert_cmpint(method, ==, m);
    }
    g_assert_false(rmil_tissue_method_parse("Otsu2", &method, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "otsu, hsv or none");
    g_assert_null(rmil_mask_new(NULL, &(const RmilTissueOptions){.min_area = -1}, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "least area");
    g_assert_null(rmil_mask_new(NULL, &(const RmilTissueOptions){.max_hole = NAN}, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "largest hole");
}

/* -- given --------------------------------------------------------------------------------------------------------------------- */
static void draw_ring(RmilMask *mask, gpointer unused) {
    /* a square with a square hole, and beyond the slide on the left; a triangle */
    static const double outer[] = {-160, 160, 800, 160, 800, 800, -160, 800, -160, 160},
                        hole[] = {320, 320, 320, 640, 640, 640, 640, 320, 320, 320},
                        triangle[] = {1024, 1024, 1344, 1024, 1024, 1344, 1024, 1024};
    rmil_mask_add_ring(mask, outer, 5);
    rmil_mask_add_ring(mask, hole, 5);
    rmil_mask_add_ring(mask, triangle, 4);
}

static gboolean in_rings(double x, double y) {
    if (x < 800 && y > 160 && y < 800) return !(x > 320 && x < 640 && y > 320 && y < 640);
    return x > 1024 && y > 1024 && x + y < 2368;
}

static void draw_nothing(RmilMask *mask, gpointer unused) {}

static void test_given(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_tissue();
    g_autoptr(RmilSlide) slide = slide_of(folder, picture);
    g_autoptr(RmilMask) mask = mask_by(slide, (RmilTissueOptions){.draw = draw_ring});
    for (int64_t i = 0; i < mask->width * mask->height; i++) {
        const double x = ((double)(i % mask->width) + 0.5) * PX, y = ((double)(i / mask->width) + 0.5) * PX;
        if (fabs(x + y - 2368) < 1) continue; /* on the edge */
        g_assert_cmpint(mask->tissue[i], ==, in_rings(x, y));
    }
    GError *error = NULL;
    g_assert_null(rmil_mask_new(slide, &(const RmilTissueOptions){.draw = draw_nothing}, &error));
    test_error(&error, RMIL_ERROR_DATA, "the given tissue outline is empty or lies outside the slide");
}

/* -- left out ------------------------------------------------------------------------------------------------------------------- */
/* Strokes over the tissue and beside it: what is ink goes, what only looks like it stays. */
static void test_pen(void) {
    static const struct {
        uint32_t colour;
        gboolean ink;
    } strokes[] = {{BLUE, TRUE}, {GREEN, TRUE}, {BLACK, TRUE}, {RED, FALSE}, {FOLD, FALSE}, {PALE, FALSE}};
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(strokes); i++) {
        g_autoptr(Picture) picture = picture_tissue();
        picture_fill(picture, 800, 320, 320, 896, strokes[i].colour);
        picture_fill(picture, 480, 480, 16, 320, strokes[i].colour); /* 4 µm wide: no stroke */
        g_autoptr(RmilSlide) slide = slide_of(folder, picture);
        g_autoptr(RmilMask) mask = mask_by(slide, (RmilTissueOptions){.pen = TRUE}), plain = mask_by(slide, (RmilTissueOptions){.mpp = 0});
        const int reason = strokes[i].ink ? RMIL_LEFT_PEN : RMIL_LEFT_NOTHING;
        g_assert_cmpint(left_at(mask, 960, 640), ==, reason);
        g_assert_cmpint(left_at(mask, 960, 1100), ==, reason);
        g_assert_cmpint(tissue_at(mask, 960, 640), ==, !strokes[i].ink);
        g_assert_cmpint(tissue_at(mask, 488, 600), ==, 1);
        g_assert_cmpint(tissue_at(mask, 1300, 640), ==, tissue_at(plain, 1300, 640)); /* far from it */
        g_assert_null(plain->left_out);
        double left = 0;
        for (int64_t k = 0; k < mask->width * mask->height; k++) {
            left += mask->left_out[k] == RMIL_LEFT_PEN;
            g_assert_cmpint(mask->tissue[k] + (mask->left_out[k] != 0), ==, plain->tissue[k]);
        }
        g_assert_cmpfloat(left, ==, mask->left[RMIL_LEFT_PEN]);
        expect_warning(mask, strokes[i].ink ? "left out as pen marks" : NULL);
    }
}

static void test_fold(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_tissue();
    picture_fill(picture, 800, 448, 320, 448, FOLD);
    picture_fill(picture, 480, 480, 48, 48, FOLD); /* a dark spot of 12 µm */
    g_autoptr(RmilSlide) slide = slide_of(folder, picture);
    g_autoptr(RmilMask) mask = mask_by(slide, (RmilTissueOptions){.fold = TRUE, .pen = TRUE});
    g_assert_cmpint(left_at(mask, 1000, 640), ==, RMIL_LEFT_FOLD);
    g_assert_cmpint(left_at(mask, 504, 504), ==, RMIL_LEFT_NOTHING);
    g_assert_cmpint(left_at(mask, 600, 640), ==, RMIL_LEFT_NOTHING);
    g_assert_cmpfloat(mask->left[RMIL_LEFT_PEN], ==, 0);
}

/* A piece of 0.0064 mm² and a hole of the same size: 320 × 320 px of 0.25 µm. */
static void test_areas(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_tissue();
    picture_fill(picture, 1600, 1024, 320, 320, PALE);
    picture_fill(picture, 800, 512, 320, 320, GLASS);
    g_autoptr(RmilSlide) slide = slide_of(folder, picture);
    static const struct {
        double least, most;
        int piece, hole;
    } cases[] = {{0, 0, 1, 0}, {0.006, 0, 1, 0}, {0.007, 0, 0, 0}, {0, 0.006, 1, 0}, {0, 0.007, 1, 1}, {0.007, 0.007, 0, 1}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(RmilMask) mask = mask_by(slide, (RmilTissueOptions){.min_area = cases[i].least, .max_hole = cases[i].most});
        g_assert_cmpint(tissue_at(mask, 1700, 1100), ==, cases[i].piece);
        g_assert_cmpint(tissue_at(mask, 900, 600), ==, cases[i].hole);
        g_assert_cmpint(tissue_at(mask, 100, 100), ==, 0);
        g_assert_cmpfloat(mask->left[RMIL_LEFT_SMALL], ==, cases[i].piece ? 0 : 400);
    }
    GError *error = NULL;
    g_assert_null(rmil_mask_new(slide, &(const RmilTissueOptions){.min_area = 10}, &error));
    test_error(&error, RMIL_ERROR_DATA, "no tissue is left");
    g_autofree char *path = make_image(folder, "p.png", picture);
    g_autoptr(RmilSlide) plain = open_slide(path, 0);
    g_autoptr(RmilMask) mask = mask_by(plain, (RmilTissueOptions){.min_area = 0.007});
    expect_warning(mask, "has no resolution, so small pieces and holes of its tissue are kept");
}

/* A tile under ink loses its place and is counted; one that has more tissue than ink keeps it. */
static void test_grid_left(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_tissue(); /* tiles of 448 level-0 px: the tissue is two of them */
    picture_fill(picture, 448, 448, 320, 448, BLUE);
    g_autoptr(RmilSlide) slide = slide_of(folder, picture);
    g_autoptr(RmilMask) mask = mask_by(slide, (RmilTissueOptions){.pen = TRUE});
    RmilTileOptions options;
    GError *error = NULL;
    rmil_tile_options_init(&options);
    g_autoptr(RmilGrid) grid = rmil_grid_new(slide, mask, &options, &error);
    g_assert_no_error(error);
    g_assert_cmpint(grid->count, ==, 1);
    g_assert_cmpint(grid->coords[0], ==, 896);
    g_assert_cmpint(grid->left[RMIL_LEFT_PEN], ==, 1);
    g_assert_cmpint(grid->left_out->len, ==, 1);
    const RmilLeftTile *tile = &g_array_index(grid->left_out, RmilLeftTile, 0);
    g_assert_cmpint(tile->x, ==, 448);
    g_assert_cmpint(tile->y, ==, 448);
    g_assert_cmpint(tile->reason, ==, RMIL_LEFT_PEN);
}

/* -- blur ----------------------------------------------------------------------------------------------------------------------- */
/* Means over (2r + 1)² pixels, twice, of a part of the picture. */
static void soften(Picture *picture, int x0, int y0, int width, int height, int r) {
    for (int pass = 0; pass < 2; pass++) {
        g_autofree uint8_t *before = g_memdup2(picture->rgb, (gsize)picture->width * (gsize)picture->height * 3);
        for (int y = y0 + r; y < y0 + height - r; y++)
            for (int x = x0 + r; x < x0 + width - r; x++)
                for (int c = 0; c < 3; c++) {
                    int sum = 0;
                    for (int v = -r; v <= r; v++)
                        for (int u = -r; u <= r; u++) sum += before[3 * ((y + v) * picture->width + x + u) + c];
                    picture->rgb[3 * (y * picture->width + x) + c] = (uint8_t)(sum / ((2 * r + 1) * (2 * r + 1)));
                }
    }
}

/* Spots of about a nucleus' size with sharp rims. */
static Picture *picture_spots(void) {
    Picture *picture = picture_new(896, 448, PALE);
    RmilRng rng;
    rmil_rng_init(&rng, 3, 0);
    for (int i = 0; i < 1200; i++)
        picture_fill(picture, (int)rmil_rng_below(&rng, 880), (int)rmil_rng_below(&rng, 430), 4 + (int)rmil_rng_below(&rng, 12),
                     4 + (int)rmil_rng_below(&rng, 12), i % 2 ? 0x603080 : 0xc080b0);
    return picture;
}

static void test_sharpness(void) {
    g_autoptr(Picture) sharp = picture_spots(), soft = picture_spots();
    soften(soft, 0, 0, 896, 448, 3);
    uint8_t *tiles = g_new(uint8_t, 3 * 224 * 224);
    double values[2];
    for (int k = 0; k < 2; k++) {
        const Picture *picture = k ? soft : sharp;
        for (int y = 0; y < 224; y++) memcpy(tiles + 3 * 224 * y, picture_at(picture, 100, 100 + y), 3 * 224);
        values[k] = rmil_sharpness(tiles, 224);
    }
    g_assert_cmpfloat(values[0], >, 0.4);
    g_assert_cmpfloat(values[1], <, 0.25);
    memset(tiles, 200, 3 * 224 * 224); /* nothing to be in focus */
    g_assert_cmpfloat(rmil_sharpness(tiles, 224), ==, INFINITY);
    g_assert_cmpfloat(rmil_sharpness(tiles, 16), ==, INFINITY);
    g_free(tiles);
}

static void test_blur(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_spots();
    soften(picture, 200, 0, 696, 448, 3); /* tiles of 224 px at 0.5 µm: the two columns on the right, and a little of the second */
    g_autofree char *path = make_slide(folder, "b.tiff", picture, (SlideForm){.mpp = 0.5});
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    g_autoptr(RmilMask) mask = mask_by(slide, (RmilTissueOptions){.method = RMIL_TISSUE_NONE});
    RmilTileOptions options;
    GError *error = NULL;
    rmil_tile_options_init(&options);
    g_autoptr(RmilGrid) grid = rmil_grid_new(slide, mask, &options, &error);
    g_assert_no_error(error);
    g_assert_cmpint(grid->count, ==, 8);
    g_assert_true(rmil_grid_drop_blurred(grid, slide, &error));
    g_assert_cmpint(grid->count, ==, 2);
    g_assert_cmpint(grid->left[RMIL_LEFT_BLUR], ==, 6);
    for (int64_t i = 0; i < grid->count; i++) g_assert_cmpint(grid->coords[2 * i], ==, 0);
    soften(picture, 0, 0, 896, 448, 3);
    g_autofree char *all = make_slide(folder, "all.tiff", picture, (SlideForm){.mpp = 0.5});
    g_autoptr(RmilSlide) soft = open_slide(all, 0);
    g_autoptr(RmilMask) its = mask_by(soft, (RmilTissueOptions){.method = RMIL_TISSUE_NONE});
    g_autoptr(RmilGrid) none = rmil_grid_new(soft, its, &options, &error);
    g_assert_false(rmil_grid_drop_blurred(none, soft, &error));
    test_error(&error, RMIL_ERROR_DATA, "all.tiff: every tile is out of focus");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/slide/tissue/names", test_names);
    g_test_add_func("/slide/tissue/hsv", test_hsv);
    g_test_add_func("/slide/tissue/none", test_none);
    g_test_add_func("/slide/tissue/given", test_given);
    g_test_add_func("/slide/tissue/pen", test_pen);
    g_test_add_func("/slide/tissue/fold", test_fold);
    g_test_add_func("/slide/tissue/areas", test_areas);
    g_test_add_func("/slide/tissue/grid", test_grid_left);
    g_test_add_func("/slide/tissue/sharpness", test_sharpness);
    g_test_add_func("/slide/tissue/blur", test_blur);
    return g_test_run();
}
