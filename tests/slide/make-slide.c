/* SPDX-License-Identifier: Apache-2.0 */
/* Writes slides for tests. */
#include "make-slide.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

Picture *picture_new(int width, int height, uint32_t colour) {
    Picture *picture = g_new0(Picture, 1);
    *picture = (Picture){width, height, g_malloc((gsize)width * (gsize)height * 3)};
    picture_fill(picture, 0, 0, width, height, colour);
    return picture;
}

void picture_fill(Picture *picture, int x, int y, int width, int height, uint32_t colour) {
    for (int row = y; row < y + height; row++)
        for (int column = x; column < x + width; column++) {
            uint8_t *pixel = picture->rgb + 3 * ((gsize)row * (gsize)picture->width + (gsize)column);
            pixel[0] = (uint8_t)(colour >> 16);
            pixel[1] = (uint8_t)(colour >> 8);
            pixel[2] = (uint8_t)colour;
        }
}

Picture *picture_noise(int width, int height, uint64_t seed) {
    Picture *picture = picture_new(width, height, 0);
    RmilRng rng;
    rmil_rng_init(&rng, seed, 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint64_t bits = rmil_rng_next(&rng);
            gboolean smooth = (x / 50 + y / 50) % 2;
            for (int c = 0; c < 3; c++)
                picture->rgb[3 * (y * width + x) + c] = (uint8_t)(smooth ? (uint64_t)(x * (c + 1) + 2 * y) : bits >> (8 * c));
        }
    return picture;
}

void picture_free(Picture *picture) {
    g_free(picture->rgb);
    g_free(picture);
}

const uint8_t *picture_at(const Picture *picture, int64_t x, int64_t y) { return picture->rgb + 3 * (y * picture->width + x); }

static VipsImage *to_vips(const Picture *picture) {
    GError *error = NULL;
    rmil_vips_init(&error);
    g_assert_no_error(error);
    VipsImage *image = vips_image_new_from_memory(picture->rgb, (size_t)picture->width * (size_t)picture->height * 3, picture->width,
                                                  picture->height, 3, VIPS_FORMAT_UCHAR);
    image->Type = VIPS_INTERPRETATION_sRGB;
    return image;
}

static VipsImage *with_metadata(VipsImage *image, SlideForm form) {
    VipsImage *copy;
    double per_mm = form.mpp > 0 ? 1000 / form.mpp : 1;
    g_assert_cmpint(vips_copy(image, &copy, "xres", per_mm, "yres", per_mm, NULL), ==, 0);
    if (form.description) vips_image_set_string(copy, VIPS_META_IMAGEDESCRIPTION, form.description);
    return copy;
}

char *make_slide(const char *folder, const char *name, const Picture *picture, SlideForm form) {
    char *path = g_build_filename(folder, name, NULL);
    int tile = form.tile ? form.tile : 64;
    g_autoptr(RmilVipsImage) image = to_vips(picture), copy = with_metadata(image, form);
    if (vips_tiffsave(copy, path, "tile", !form.strips, "tile_width", tile, "tile_height", tile, "pyramid", form.pyramid, "compression",
                      form.compression ? form.compression : VIPS_FOREIGN_TIFF_COMPRESSION_NONE, "resunit", VIPS_FOREIGN_TIFF_RESUNIT_CM,
                      NULL) != 0)
        g_error("%s: %s", path, vips_error_buffer());
    return path;
}

char *make_image(const char *folder, const char *name, const Picture *picture) {
    char *path = g_build_filename(folder, name, NULL);
    g_autoptr(RmilVipsImage) image = to_vips(picture);
    if (vips_image_write_to_file(image, path, NULL) != 0) g_error("%s: %s", path, vips_error_buffer());
    return path;
}

char *make_leica(const char *folder, const char *name, const Picture *picture, int x, int y, int width, int height, gboolean pyramid) {
    g_autoptr(GString) levels = g_string_new(NULL);
    int levels_made = 0;
    for (int w = picture->width, h = picture->height; levels_made == 0 || (pyramid && (w > 64 || h > 64)); w /= 2, h /= 2)
        g_string_append_printf(levels, "<dimension sizeX=\"%d\" sizeY=\"%d\" ifd=\"%d\"/>", w, h, levels_made++);
    if (pyramid) { /* libvips stops when a level fits into one tile, and writes that level too */
        int w = picture->width >> levels_made, h = picture->height >> levels_made;
        g_string_append_printf(levels, "<dimension sizeX=\"%d\" sizeY=\"%d\" ifd=\"%d\"/>", w, h, levels_made);
    }
    g_autofree char *text = g_strdup_printf(
        "<?xml version=\"1.0\"?><scn xmlns=\"http://www.leica-microsystems.com/scn/2010/10/01\">"
        "<collection sizeX=\"%d\" sizeY=\"%d\"><image><pixels>%s</pixels>"
        "<view sizeX=\"%d\" sizeY=\"%d\" offsetX=\"%d\" offsetY=\"%d\"/><scanSettings>"
        "<objectiveSettings><objective>40</objective></objectiveSettings>"
        "<illuminationSettings><illuminationSource>brightfield</illuminationSource></illuminationSettings>"
        "</scanSettings></image></collection></scn>",
        250 * width, 250 * height, levels->str, 250 * picture->width, 250 * picture->height, 250 * x, 250 * y);
    return make_slide(folder, name, picture, (SlideForm){.mpp = 0.25, .pyramid = pyramid, .description = text});
}

static void add_int(GByteArray *bytes, guint value) {
    guint32 little_endian = GUINT32_TO_LE(value);
    g_byte_array_append(bytes, (const guint8 *)&little_endian, 4);
}

static void write_part(const char *folder, const char *name, const void *data, gsize size) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
}

char *make_mirax(const char *folder, const char *name, const Picture *picture, int column, int row) {
    enum { TILE = 256, GRID = 6 };
    static const char head
        [] = "01.02F0E1D2C3B4A5968778695A4B3C2D1E0F",
    ini[] =
        "[GENERAL]\nSLIDE_VERSION = 01.02\nSLIDE_ID = F0E1D2C3B4A5968778695A4B3C2D1E0F\nIMAGENUMBER_X = 6\nIMAGENUMBER_Y = 6\n"
        "OBJECTIVE_MAGNIFICATION = 20\nCameraImageDivisionsPerSide = 1\n[HIERARCHICAL]\nHIER_COUNT = 1\nNONHIER_COUNT = 0\n"
        "INDEXFILE = Index.dat\nHIER_0_NAME = Slide zoom level\nHIER_0_COUNT = 1\nHIER_0_VAL_0 = ZoomLevel_0\n"
        "HIER_0_VAL_0_SECTION = LAYER_0_LEVEL_0_SECTION\n[DATAFILE]\nFILE_COUNT = 1\nFILE_0 = Data0000.dat\n"
        "[LAYER_0_LEVEL_0_SECTION]\nOVERLAP_X = 0\nOVERLAP_Y = 0\nMICROMETER_PER_PIXEL_X = 0.5\nMICROMETER_PER_PIXEL_Y = 0.5\n"
        "IMAGE_FORMAT = JPEG\nIMAGE_FILL_COLOR_BGR = 16777215\nDIGITIZER_WIDTH = 256\nDIGITIZER_HEIGHT = 256\nIMAGE_CONCAT_FACTOR = 0\n";
    char *path = test_file(folder, name, "");
    g_autofree char *parts = g_strndup(path, strlen(path) - strlen(".mrxs"));
    g_assert_cmpint(g_mkdir(parts, 0755), ==, 0);
    g_autoptr(GByteArray) data = g_byte_array_new(), index = g_byte_array_new();
    const guint tiles = (guint)(picture->width / TILE * (picture->height / TILE)), n = sizeof head - 1;
    g_byte_array_append(data, (const guint8 *)head, n);
    g_byte_array_append(index, (const guint8 *)head, n);
    const guint pointers[] = {n + 8, n + 8, n + 12, 0, n + 20, tiles, 0}; /* roots; the level's list; its first page; length, next */
    for (gsize i = 0; i < G_N_ELEMENTS(pointers); i++) add_int(index, pointers[i]);
    g_autoptr(RmilVipsImage) image = to_vips(picture);
    for (int y = 0; y < picture->height / TILE; y++)
        for (int x = 0; x < picture->width / TILE; x++) {
            g_autoptr(RmilVipsImage) tile = NULL;
            void *jpeg;
            size_t size;
            g_assert_cmpint(vips_extract_area(image, &tile, x * TILE, y * TILE, TILE, TILE, NULL), ==, 0);
            g_assert_cmpint(vips_jpegsave_buffer(tile, &jpeg, &size, "Q", 95, NULL), ==, 0);
            const guint entry[] = {(guint)((row + y) * GRID + column + x), data->len, (guint)size, 0};
            for (gsize i = 0; i < G_N_ELEMENTS(entry); i++) add_int(index, entry[i]);
            g_byte_array_append(data, jpeg, (guint)size);
            g_free(jpeg);
        }
    write_part(parts, "Slidedat.ini", ini, strlen(ini));
    write_part(parts, "Data0000.dat", data->data, data->len);
    write_part(parts, "Index.dat", index->data, index->len);
    return path;
}

static uint64_t little(const uint8_t *at, int bytes) {
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | at[i];
    return value;
}

/* Entry of a tag in a little-endian classic TIFF; NULL: the directory has none. */
static uint8_t *find_entry(uint8_t *file, int directory, int tag) {
    g_assert_true(memcmp(file, "II*", 4) == 0);
    uint64_t at = little(file + 4, 4);
    for (; directory > 0; directory--) at = little(file + at + 2 + 12 * little(file + at, 2), 4);
    g_assert_cmpuint(at, >, 0);
    for (uint64_t i = 0, n = little(file + at, 2); i < n; i++)
        if (little(file + at + 2 + 12 * i, 2) == (uint64_t)tag) return file + at + 2 + 12 * i;
    return NULL;
}

void patch_tag(const char *path, int directory, int tag, int value) {
    char *data;
    gsize size;
    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    uint8_t *entry = find_entry((uint8_t *)data, directory, tag);
    g_assert_nonnull(entry);
    memcpy(entry + 8, &(guint32){GUINT32_TO_LE((guint32)value)}, little(entry + 2, 2) == 3 ? 2 : 4);
    g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
    g_free(data);
}

void spoil_tile(const char *path, int tile) {
    char *data;
    gsize size;
    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    uint8_t *file = (uint8_t *)data, *entry = find_entry(file, 0, 324); /* TileOffsets */
    g_assert_nonnull(entry);
    g_assert_cmpuint(little(entry + 4, 4), >, (uint64_t)tile);
    uint64_t offset = little(file + little(entry + 8, 4) + 4 * (uint64_t)tile, 4);
    g_assert_cmpuint(offset, >, 0);
    memset(file + offset, 0xff, 32);
    g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
    g_free(data);
}

RmilSlide *open_slide(const char *path, double mpp) {
    GError *error = NULL;
    RmilSlide *slide = rmil_slide_open(path, mpp, &error);
    g_assert_no_error(error);
    return slide;
}

void assert_pixel(const uint8_t *rgb, const uint8_t *expected, int tolerance) {
    for (int c = 0; c < 3; c++) {
        g_assert_cmpint(rgb[c], >=, expected[c] - tolerance);
        g_assert_cmpint(rgb[c], <=, expected[c] + tolerance);
    }
}
