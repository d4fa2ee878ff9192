/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenSlide does not report about TIFF files: the number type, and how much of the image the first page shows. */
#include "slide/slide-private.h"
#include "slide/vips.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *numbers(VipsBandFormat format) {
    switch (format) {
    case VIPS_FORMAT_FLOAT: return "32-bit floating point";
    case VIPS_FORMAT_DOUBLE: return "64-bit floating point";
    case VIPS_FORMAT_UINT:
    case VIPS_FORMAT_INT: return "32 bits";
    case VIPS_FORMAT_CHAR:
    case VIPS_FORMAT_SHORT: return "signed integers";
    default: return "complex numbers";
    }
}

/* Channels in separate pages, according to OME-XML or ImageJ's description. */
static int64_t channels_of(const char *description) {
    RmilOme ome;
    if (rmil_ome_read(description, &ome)) return ome.channels;
    const char *line = description && g_str_has_prefix(description, "ImageJ=") ? strstr(description, "\nchannels=") : NULL;
    return line ? g_ascii_strtoll(line + strlen("\nchannels="), NULL, 10) : 1;
}

/* NULL: none. Free with g_free. */
static char *description_of(VipsImage *image) {
    const char *text = NULL;
    if (vips_image_get_typeof(image, VIPS_META_IMAGEDESCRIPTION) == 0 ||
        vips_image_get_string(image, VIPS_META_IMAGEDESCRIPTION, &text) != 0)
        return NULL;
    return g_strdup(text);
}

gboolean rmil_tiff_planar(VipsImage *first) {
    RmilOme ome;
    g_autofree char *description = description_of(first);
    return vips_image_get_bands(first) == 1 && vips_image_get_format(first) == VIPS_FORMAT_UCHAR && vips_image_get_n_pages(first) == 3 &&
           rmil_ome_read(description, &ome) && ome.channels == 3 && ome.samples == 1 && ome.colours;
}

static VipsImage *open_page(const RmilSlide *slide) {
    VipsImage *page = NULL;
    const gboolean good = vips_tiffload(slide->file, &page, "access", VIPS_ACCESS_SEQUENTIAL, NULL) == 0;
    vips_error_clear();
    return good ? page : NULL;
}

gboolean rmil_tiff_first_page(const RmilSlide *slide, VipsImage **page, GError **error) {
    VipsImage *again = NULL;
    *page = open_page(slide);
    if (*page || !(again = open_page(slide))) return TRUE;
    g_object_unref(again);
    return rmil_fail(error, RMIL_ERROR_IO, RMIL_UNSTEADY, slide->name);
}

gboolean rmil_tiff_planar_file(const RmilSlide *slide, gboolean *planar, GError **error) {
    g_autoptr(RmilVipsImage) page = NULL;
    if (!rmil_tiff_first_page(slide, &page, error)) return FALSE;
    *planar = page && rmil_tiff_planar(page);
    return TRUE;
}

gboolean rmil_tiff_check_page(RmilSlide *slide, VipsImage *image, gboolean pages, GError **error) {
    VipsBandFormat format = vips_image_get_format(image);
    if (format != VIPS_FORMAT_UCHAR && format != VIPS_FORMAT_USHORT)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not an RGB or gray image of 8 or 16 bits, but of %s: scale it to 8 bits first",
                         slide->name, numbers(format));
    g_autofree char *description = description_of(image);
    int64_t channels = vips_image_get_bands(image) < 3 ? channels_of(description) : 1;
    int n = vips_image_get_n_pages(image);
    if (rmil_tiff_planar(image))
        rmil_slide_warn(slide, "its 3 channels are stored as separate pages and are taken as red, green and "
                               "blue");
    else if (channels > 1)
        rmil_slide_warn(slide,
                        "its %" G_GINT64_FORMAT " channels are stored as separate pages; only the first is read, in gray: combine "
                        "them into one RGB page",
                        channels);
    else if (pages && n > 1) rmil_slide_warn(slide, "has %d pages; only the first is read", n);
    return TRUE;
}

gboolean rmil_tiff_check(RmilSlide *slide, GError **error) {
    g_autoptr(RmilVipsImage) image = NULL;
    return rmil_tiff_first_page(slide, &image, error) && (!image || rmil_tiff_check_page(slide, image, FALSE, error));
}

/* -- levels that OpenSlide 3.4 reads as garbage ------------------------------------------------------------------------------- */
enum { DIRECTORIES_MAX = 1024, ENTRIES_MAX = 4096 };

typedef struct {
    FILE *file;
    gboolean big_endian, big; /* 64-bit offsets */
} Tiff;

typedef struct {
    uint64_t width, height, compression, tile_width, tile_height; /* tiles: 0 for strips */
} Page;

static uint64_t number(const Tiff *tiff, const uint8_t *bytes, int size) {
    uint64_t value = 0;
    for (int i = 0; i < size; i++) value = value << 8 | bytes[tiff->big_endian ? i : size - 1 - i];
    return value;
}

static gboolean read_at(const Tiff *tiff, uint64_t at, void *bytes, size_t size) {
    return at <= G_MAXINT64 && fseeko(tiff->file, (off_t)at, SEEK_SET) == 0 && fread(bytes, 1, size, tiff->file) == size;
}

static void note_entry(const Tiff *tiff, const uint8_t *entry, Page *page) {
    static const int tags[] = {256, 257, 259, 322, 323};
    uint64_t *const values[] = {&page->width, &page->height, &page->compression, &page->tile_width, &page->tile_height};
    uint64_t tag = number(tiff, entry, 2), type = number(tiff, entry + 2, 2);
    for (gsize i = 0; i < G_N_ELEMENTS(tags); i++)
        if (tag == (uint64_t)tags[i]) *values[i] = number(tiff, entry + (tiff->big ? 12 : 8), type == 3 ? 2 : type == 16 ? 8 : 4);
}

/* Reads the directory at *at, which becomes the offset of the next; FALSE: there is none. */
static gboolean read_page(const Tiff *tiff, uint64_t *at, Page *page) {
    const int entry_size = tiff->big ? 20 : 12, count_size = tiff->big ? 8 : 2, offset_size = tiff->big ? 8 : 4;
    uint8_t bytes[20];
    *page = (Page){.compression = 1};
    if (*at == 0 || !read_at(tiff, *at, bytes, (size_t)count_size)) return FALSE;
    uint64_t n = number(tiff, bytes, count_size);
    if (n > ENTRIES_MAX) return FALSE;
    for (uint64_t i = 0; i < n; i++) {
        if (fread(bytes, 1, (size_t)entry_size, tiff->file) != (size_t)entry_size) return FALSE;
        note_entry(tiff, bytes, page);
    }
    if (fread(bytes, 1, (size_t)offset_size, tiff->file) != (size_t)offset_size) return FALSE;
    *at = number(tiff, bytes, offset_size);
    return TRUE;
}

static gboolean open_tiff(Tiff *tiff, const char *path, uint64_t *first) {
    uint8_t head[16];
    *tiff = (Tiff){.file = fopen(path, "rb")};
    if (!tiff->file || !read_at(tiff, 0, head, sizeof head)) return FALSE;
    tiff->big_endian = head[0] == 'M';
    tiff->big = number(tiff, head + 2, 2) == 43;
    *first = tiff->big ? number(tiff, head + 8, 8) : number(tiff, head + 4, 4);
    return TRUE;
}

/* OpenSlide requests whole tiles from libtiff, which writes no more than the page: with another row length if the page is narrower than a
 * tile, and in the wrong place or not at all if it is lower. JPEG is decoded by OpenSlide itself. */
static gboolean is_garbage(const Page *page) {
    return page->compression != 7 && (page->height < page->tile_height || page->width < page->tile_width);
}

gboolean rmil_tiff_level_broken(const RmilSlide *slide, int64_t width, int64_t height, gboolean *is_broken, GError **error) {
    Tiff tiff;
    uint64_t at = 0;
    Page page;
    gboolean found = FALSE, broken = FALSE;
    if (open_tiff(&tiff, slide->file, &at))
        for (int i = 0; i < DIRECTORIES_MAX && !found && read_page(&tiff, &at, &page); i++) {
            found = page.tile_height > 0 && page.width == (uint64_t)width && page.height == (uint64_t)height;
            broken = found && is_garbage(&page);
        }
    const int reason = tiff.file && ferror(tiff.file) ? EIO : tiff.file ? 0 : errno;
    if (tiff.file) fclose(tiff.file);
    *is_broken = broken;
    return !reason || rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", slide->name, g_strerror(reason));
}
