/* SPDX-License-Identifier: Apache-2.0 */
/* Heat maps. */
#include "support.h"

#include "rankmil/draw.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <vips/vips.h>

/* A white slide of 1200 × 800 px with a dark red square that fills exactly the tile in column 3, row 2. */
enum { WIDTH = 1200, HEIGHT = 800, SIDE = 100, COLUMN = 3, ROW = 2 };

static void save_png(const char *path, const uint8_t *rgb, int width, int height) {
    VipsImage *image = vips_image_new_from_memory(rgb, (size_t)width * (size_t)height * 3, width, height, 3, VIPS_FORMAT_UCHAR);
    VipsImage *tagged = NULL;
    g_assert_cmpint(vips_copy(image, &tagged, "interpretation", VIPS_INTERPRETATION_sRGB, NULL), ==, 0);
    g_assert_cmpint(vips_pngsave(tagged, path, NULL), ==, 0);
    g_object_unref(tagged);
    g_object_unref(image);
}

static uint8_t *load_png(const char *path, int64_t *width, int64_t *height) {
    VipsImage *image = vips_image_new_from_file(path, NULL);
    g_assert_nonnull(image);
    g_assert_cmpint(vips_image_get_bands(image), ==, 3);
    *width = vips_image_get_width(image);
    *height = vips_image_get_height(image);
    uint8_t *rgb = vips_image_write_to_memory(image, NULL);
    g_object_unref(image);
    return rgb;
}

static char *make_slide(const char *folder) {
    char *path = g_build_filename(folder, "slide.png", NULL);
    g_autofree uint8_t *rgb = g_malloc(WIDTH * HEIGHT * 3);
    memset(rgb, 255, WIDTH * HEIGHT * 3);
    for (int y = ROW * SIDE; y < (ROW + 1) * SIDE; y++)
        for (int x = COLUMN * SIDE; x < (COLUMN + 1) * SIDE; x++) memcpy(rgb + (y * WIDTH + x) * 3, (uint8_t[]){120, 20, 40}, 3);
    save_png(path, rgb, WIDTH, HEIGHT);
    return path;
}

typedef struct {
    char *folder, *path;
    RmilSlide *slide;
    int64_t *coords;
    float *values;
    int64_t count;
} Fixture;

/* Tiles everywhere but in the last row; the square's tile has nearly all attention. */
static void set_up(Fixture *f, gconstpointer data) {
    GError *error = NULL;
    f->folder = test_folder();
    g_autofree char *path = make_slide(f->folder);
    f->slide = rmil_slide_open(path, 0, &error);
    g_assert_no_error(error);
    f->path = g_build_filename(f->folder, "heat.png", NULL);
    f->coords = g_new(int64_t, 2 * WIDTH / SIDE * HEIGHT / SIDE);
    f->values = g_new(float, WIDTH / SIDE * HEIGHT / SIDE);
    for (int row = 0; row < HEIGHT / SIDE - 1; row++)
        for (int column = 0; column < WIDTH / SIDE; column++, f->count++) {
            f->coords[2 * f->count] = column * SIDE;
            f->coords[2 * f->count + 1] = row * SIDE;
            f->values[f->count] = column == COLUMN && row == ROW ? 1 : 0;
        }
}

static void tear_down(Fixture *f, gconstpointer data) {
    rmil_slide_free(f->slide);
    g_free(f->folder);
    g_free(f->path);
    g_free(f->coords);
    g_free(f->values);
}

static gboolean is(const uint8_t *rgb, int r, int g, int b) { return ABS(rgb[0] - r) <= 2 && ABS(rgb[1] - g) <= 2 && ABS(rgb[2] - b) <= 2; }

/* Every pixel of the heat panel: full heat exactly over the square, the lowest colour over other tiles, the slide in
 * gray where there is no tile. */
static void check_panel(Fixture *f, const RmilHeatOptions *options) {
    RmilHeatLayout layout;
    rmil_heat_layout(rmil_slide_info(f->slide), options, &layout);
    int64_t width, height;
    g_autofree uint8_t *rgb = load_png(f->path, &width, &height);
    g_assert_cmpint(width, ==, layout.width);
    g_assert_cmpint(height, ==, layout.height);
    g_assert_cmpint(layout.panel_width, ==, (int64_t)ceil(WIDTH / layout.downsample));
    for (int64_t y = 0; y < layout.panel_height; y++)
        for (int64_t x = 0; x < layout.panel_width; x++) {
            int column = (int)(((double)x + 0.5) * layout.downsample / SIDE), row = (int)(((double)y + 0.5) * layout.downsample / SIDE);
            const uint8_t *pixel = rgb + ((layout.heat_y + y) * width + layout.heat_x + x) * 3;
            gboolean right = row == ROW && column == COLUMN ? is(pixel, 253, 231, 37)
                             : row >= HEIGHT / SIDE - 1     ? is(pixel, 255, 255, 255)
                                                            : is(pixel, 68, 1, 84);
            if (!right) g_error("heat pixel %d, %d is %d %d %d", (int)x, (int)y, pixel[0], pixel[1], pixel[2]);
            if (!options->side_by_side) continue;
            /* pixels that straddle the square's edge are a mixture */
            pixel = rgb + ((layout.slide_y + y) * width + layout.slide_x + x) * 3;
            double left = (double)x * layout.downsample, top = (double)y * layout.downsample, d = layout.downsample + 1;
            gboolean inside = left >= COLUMN * SIDE && left + d <= (COLUMN + 1) * SIDE && top >= ROW * SIDE && top + d <= (ROW + 1) * SIDE;
            gboolean outside = left + d < COLUMN * SIDE || left > (COLUMN + 1) * SIDE + 1 || top + d < ROW * SIDE ||
                               top > (ROW + 1) * SIDE + 1;
            if (inside) g_assert_true(is(pixel, 120, 20, 40));
            if (outside) g_assert_true(is(pixel, 255, 255, 255));
        }
}

static void test_alignment(Fixture *f, gconstpointer data) {
    const int64_t sides[] = {1200, 600, 400, 333, 77};
    for (int both = 0; both < 2; both++)
        for (gsize i = 0; i < G_N_ELEMENTS(sides); i++) {
            RmilHeatOptions options;
            rmil_heat_options_init(&options);
            options.max_side = sides[i];
            options.opacity = 1;
            options.side_by_side = both;
            options.title = both ? "A <title> & \"more\" \x01\xff of it, long enough to be shortened on every one of "
                                   "these pictures, 0123456789 0123456789"
                                 : NULL;
            GError *error = NULL;
            g_assert_true(rmil_heat_write(f->slide, f->coords, f->values, f->count, SIDE, NULL, &options, f->path, &error));
            g_assert_no_error(error);
            check_panel(f, &options);
        }
}

/* The outline is drawn where the annotation says, and clipped to the panel. */
static void test_outline(Fixture *f, gconstpointer data) {
    g_autofree char *xml = test_file(f->folder, "a.xml",
                                     "<?xml version=\"1.0\"?><ASAP_Annotations><Annotations><Annotation Name=\"a\" "
                                     "Type=\"Polygon\" PartOfGroup=\"Tumor\">"
                                     "<Coordinates><Coordinate Order=\"0\" X=\"600\" Y=\"400\"/><Coordinate "
                                     "Order=\"1\" X=\"900\" Y=\"400\"/>"
                                     "<Coordinate Order=\"2\" X=\"900\" Y=\"600\"/><Coordinate Order=\"3\" X=\"600\" "
                                     "Y=\"600\"/></Coordinates></Annotation>"
                                     "</Annotations></ASAP_Annotations>");
    RmilAnnotationOptions annotation;
    rmil_annotation_options_init(&annotation);
    GError *error = NULL;
    g_autoptr(RmilRegion) region = rmil_region_read(xml, &annotation, &error);
    g_assert_no_error(error);
    RmilHeatOptions options;
    rmil_heat_options_init(&options);
    options.max_side = 600;
    options.opacity = 1;
    options.side_by_side = TRUE;
    g_assert_true(rmil_heat_write(f->slide, f->coords, f->values, f->count, SIDE, region, &options, f->path, &error));
    g_assert_no_error(error);
    RmilHeatLayout layout;
    rmil_heat_layout(rmil_slide_info(f->slide), &options, &layout);
    int64_t width, height;
    g_autofree uint8_t *rgb = load_png(f->path, &width, &height);
    const int64_t xs[] = {layout.heat_x, layout.slide_x}, ys[] = {layout.heat_y, layout.slide_y};
    for (int p = 0; p < 2; p++) {
        const double on[][2] = {{600, 500}, {900, 500}, {750, 400}, {750, 600}};
        for (gsize i = 0; i < G_N_ELEMENTS(on); i++) {
            int darkest = 255;
            for (int dy = -1; dy <= 1; dy++)
                for (int dx = -1; dx <= 1; dx++) {
                    int64_t x = xs[p] + (int64_t)(on[i][0] / layout.downsample) + dx,
                            y = ys[p] + (int64_t)(on[i][1] / layout.downsample) + dy;
                    darkest = MIN(darkest, rgb[(y * width + x) * 3 + 1] + ABS(rgb[(y * width + x) * 3] - rgb[(y * width + x) * 3 + 1]));
                }
            g_assert_cmpint(darkest, <, 90);
        }
        const uint8_t *middle = rgb + ((ys[p] + 250) * width + xs[p] + 375) * 3;
        g_assert_true(p == 0 ? is(middle, 68, 1, 84) : is(middle, 255, 255, 255));
    }
}

static uint8_t *heat_of(Fixture *f, const RmilHeatOptions *options, const float *values, RmilHeatLayout *layout, int64_t *width) {
    GError *error = NULL;
    g_assert_true(rmil_heat_write(f->slide, f->coords, values, f->count, SIDE, NULL, options, f->path, &error));
    g_assert_no_error(error);
    rmil_heat_layout(rmil_slide_info(f->slide), options, layout);
    int64_t height;
    return load_png(f->path, width, &height);
}

static void test_scales(Fixture *f, gconstpointer data) {
    g_autofree float *values = g_new(float, f->count);
    RmilHeatOptions options;
    rmil_heat_options_init(&options);
    options.max_side = 120;
    options.opacity = 1;
    RmilHeatLayout layout;
    int64_t width;
    for (int64_t i = 0; i < f->count; i++) values[i] = (float)(i % 2 ? -1e30 : 5);
    values[0] = NAN;
    options.scale = RMIL_HEAT_PERCENTILE;
    g_autofree uint8_t *percentile = heat_of(f, &options, values, &layout, &width);
    const uint8_t *first = percentile + ((layout.heat_y + 5) * width + layout.heat_x + 5) * 3;
    g_assert_true(is(first, 255, 255, 255));    /* NaN: no colour */
    g_assert_true(is(first + 30, 59, 82, 139)); /* ties share the middle of their range */
    g_assert_true(is(first + 60, 96, 201, 96));
    options.scale = RMIL_HEAT_VALUE;
    g_autofree uint8_t *linear = heat_of(f, &options, values, &layout, &width);
    first = linear + ((layout.heat_y + 5) * width + layout.heat_x + 5) * 3;
    g_assert_true(is(first + 30, 68, 1, 84) && is(first + 60, 253, 231, 37));
    /* all equal: everything at 1×, halfway between 0.1× and 10× */
    for (int64_t i = 0; i < f->count; i++) values[i] = 1e-20f;
    options.scale = RMIL_HEAT_RELATIVE;
    g_autofree uint8_t *equal = heat_of(f, &options, values, &layout, &width);
    first = equal + ((layout.heat_y + 5) * width + layout.heat_x + 5) * 3;
    g_assert_true(is(first, 33, 144, 140));
    for (int64_t i = 0; i < f->count; i++) values[i] = 0;
    g_free(heat_of(f, &options, values, &layout, &width));
}

static void test_same_bytes(Fixture *f, gconstpointer data) {
    char *bytes[2];
    gsize size[2];
    for (int i = 0; i < 2; i++) {
        RmilHeatOptions options;
        rmil_heat_options_init(&options);
        options.title = "same";
        GError *error = NULL;
        g_assert_true(rmil_heat_write(f->slide, f->coords, f->values, f->count, SIDE, NULL, &options, f->path, &error));
        bytes[i] = rmil_file_read(f->path, 1 << 28, &size[i], &error);
        g_assert_no_error(error);
    }
    g_assert_cmpuint(size[0], ==, size[1]);
    g_assert_cmpint(memcmp(bytes[0], bytes[1], size[0]), ==, 0);
    g_free(bytes[0]);
    g_free(bytes[1]);
}

static void test_mask_preview(Fixture *f, gconstpointer data) {
    RmilMask mask = {.width = 120, .height = 80, .downsample = 10, .tissue = g_malloc0(120 * 80)};
    for (int y = 0; y < 10; y++) memset(mask.tissue + (ROW * 10 + y) * 120 + COLUMN * 10, 1, 10);
    int64_t corner[2] = {COLUMN * SIDE, ROW * SIDE};
    RmilGrid grid = {.count = 1, .coords = corner, .tile_px = SIDE, .tile_level0 = SIDE, .slide_width = WIDTH, .slide_height = HEIGHT};
    GError *error = NULL;
    g_assert_true(rmil_mask_preview_write(f->slide, &mask, &grid, NULL, WIDTH, f->path, &error));
    g_assert_no_error(error);
    int64_t width, height;
    g_autofree uint8_t *rgb = load_png(f->path, &width, &height);
    int64_t x0 = -1, y0 = -1; /* the panel stands one margin off the corner: find the tile's edge, it is as dark as nothing else */
    for (int64_t y = 0; y < height && x0 < 0; y++)
        for (int64_t x = 0; x < width && x0 < 0; x++)
            if (is(rgb + (y * width + x) * 3, 37, 62, 132) || is(rgb + (y * width + x) * 3, 35, 64, 134)) {
                x0 = x;
                y0 = y;
            }
    g_assert_cmpint(x0, >, 0);
    for (int i = 1; i < SIDE; i++) { /* tissue inside, paper outside */
        const uint8_t *inside = rgb + ((y0 + i) * width + x0 + i) * 3, *outside = rgb + ((y0 - i) * width + x0 - i) * 3;
        g_assert_true(is(inside, 109, 77, 88));
        g_assert_cmpint(outside[0], >, 245);
    }
    g_free(mask.tissue);
}

/* Two tiles side by side, the left one annotated: it alone is tinted, under a square outline. */
static void test_label_preview(Fixture *f, gconstpointer data) {
    const int64_t coords[] = {COLUMN * SIDE, ROW * SIDE, (COLUMN + 1) * SIDE, ROW * SIDE};
    const uint8_t labels[] = {1, 0}, none[] = {0, 0};
    GError *error = NULL;
    int64_t width, height, differing = 0, right = 0;
    g_assert_true(rmil_label_preview_write(f->slide, coords, none, 2, SIDE, NULL, NULL, 0, WIDTH, f->path, &error));
    g_autofree uint8_t *plain = load_png(f->path, &width, &height);
    g_assert_true(rmil_label_preview_write(f->slide, coords, labels, 2, SIDE, NULL, NULL, 0, WIDTH, f->path, &error));
    g_autofree uint8_t *tinted = load_png(f->path, &width, &height);
    const int64_t margin = WIDTH / 60 > 12 ? WIDTH / 60 : 12, x0 = margin + COLUMN * SIDE, y0 = margin + ROW * SIDE;
    for (int64_t y = 1; y < SIDE; y++)
        for (int64_t x = 1; x < SIDE; x++) {
            const int64_t at = ((y0 + y) * width + x0 + x) * 3;
            differing += tinted[at] > plain[at] || tinted[at + 2] < plain[at + 2]; /* towards orange */
            right += memcmp(tinted + at + SIDE * 3, plain + at + SIDE * 3, 3) != 0;
        }
    g_assert_cmpint(differing, ==, (SIDE - 1) * (SIDE - 1));
    g_assert_cmpint(right, ==, 0);
    g_assert_false(rmil_label_preview_write(f->slide, coords, labels, 0, SIDE, NULL, NULL, 0, WIDTH, f->path, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "0 tiles of side");
}

static void test_refused(Fixture *f, gconstpointer data) {
    RmilHeatOptions options;
    rmil_heat_options_init(&options);
    GError *error = NULL;
    g_assert_false(rmil_heat_write(f->slide, f->coords, f->values, 0, SIDE, NULL, &options, f->path, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "heat.png: 0 tiles");
    g_assert_false(rmil_heat_write(f->slide, f->coords, f->values, f->count, NAN, NULL, &options, f->path, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "side");
    options.opacity = 2;
    g_assert_false(rmil_heat_write(f->slide, f->coords, f->values, f->count, SIDE, NULL, &options, f->path, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "opacity");
    options.opacity = 1;
    options.max_side = INT64_C(1) << 40;
    g_assert_false(rmil_heat_write(f->slide, f->coords, f->values, f->count, SIDE, NULL, &options, f->path, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "8192");
    options.max_side = 200;
    g_autofree char *file = test_file(f->folder, "file", "x"), *below = g_build_filename(file, "heat.png", NULL);
    g_assert_false(rmil_heat_write(f->slide, f->coords, f->values, f->count, SIDE, NULL, &options, below, &error));
    test_error(&error, RMIL_ERROR_IO, "file");
    g_assert_false(g_file_test(f->path, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    if (VIPS_INIT(argv[0])) return 1;
#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)
    ADD("/present/heat/alignment", test_alignment);
    ADD("/present/heat/outline", test_outline);
    ADD("/present/heat/scales", test_scales);
    ADD("/present/heat/same-bytes", test_same_bytes);
    ADD("/present/heat/refused", test_refused);
    ADD("/present/mask-preview", test_mask_preview);
    ADD("/present/label-preview", test_label_preview);
    return g_test_run();
}
