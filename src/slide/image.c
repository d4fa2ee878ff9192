/* SPDX-License-Identifier: Apache-2.0 */
/* Plain images through libvips: the header is read when opened, the pixels at the first read, into memory or, if there are many, into a
 * mapped temporary file, so that any number of threads can take rectangles from them. */
#include "slide/slide-private.h"
#include "slide/vips.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIXELS_MAX (INT64_C(1) << 33) /* larger images must be slides */
#define MEMORY_MAX ((gsize)256 << 20) /* bytes decoded into memory; above that, into a temporary file */
#define STRIP 64                      /* rows decoded at once */

typedef int (*Loader)(const char *path, VipsImage **image, ...);

typedef struct {
    Loader load;
    uint8_t *rgb;  /* rows of 8-bit RGB without gaps; NULL before the first read */
    gsize mapped;  /* bytes, if it is a mapped file */
    GError *error; /* why there are no pixels */
    GMutex lock;
    char *x_resolution, *y_resolution; /* for TIFF, pixels per cm or without unit; NULL: none */
    const char *unit;
    char *description;
} Handle;

/* Decided by the first bytes, not the name: vips' own choice would also try every format that ImageMagick knows. */
static const struct {
    const char *name, *magic;
    gsize size, offset;
    Loader load;
} loaders[] = {
    {"jpeg", "\xff\xd8\xff", 3, 0, vips_jpegload}, {"png", "\x89PNG\r\n\x1a\n", 8, 0, vips_pngload}, {"tiff", "II*\0", 4, 0, vips_tiffload},
    {"tiff", "MM\0*", 4, 0, vips_tiffload},        {"tiff", "II+\0", 4, 0, vips_tiffload},           {"tiff", "MM\0+", 4, 0, vips_tiffload},
    {"webp", "WEBP", 4, 8, vips_webpload},
};

/* Red, green and blue from three pages; NULL: vips has the reason. */
static VipsImage *join_pages(const char *file) {
    VipsImage *pages[3] = {NULL}, *joined = NULL, *rgb = NULL;
    gboolean good = TRUE;
    for (int i = 0; i < 3 && good; i++)
        good = vips_tiffload(file, &pages[i], "page", i, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL) == 0;
    if (good && vips_bandjoin(pages, &joined, 3, NULL) == 0) vips_copy(joined, &rgb, "interpretation", VIPS_INTERPRETATION_sRGB, NULL);
    for (int i = 0; i < 3; i++) g_clear_object(&pages[i]);
    g_clear_object(&joined);
    return rgb;
}

/* The first page. */
static VipsImage *load(const RmilSlide *slide, Loader loader, VipsFailOn fail_on, GError **error) {
    VipsImage *image = NULL;
    if (loader(slide->file, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", fail_on, NULL) == 0) return image;
    g_autofree char *what = g_strdup_printf("%s: cannot be opened as %s image", slide->name, slide->format);
    rmil_vips_fail(error, RMIL_ERROR_FORMAT, what);
    return NULL;
}

/* TIFF files with strips or big-endian tiles, which OpenSlide does not read, have the same tags as other TIFF files. */
static void read_tags(Handle *handle, VipsImage *image) {
    const char *text = NULL;
    /* vips gives pixels per mm if there is a unit, else the bare number */
    gboolean unit = vips_image_get_typeof(image, VIPS_META_RESOLUTION_UNIT) != 0;
    handle->unit = unit ? "centimeter" : "none";
    double scale = unit ? 10 : 1;
    handle->x_resolution = g_strdup_printf("%.17g", vips_image_get_xres(image) * scale);
    handle->y_resolution = g_strdup_printf("%.17g", vips_image_get_yres(image) * scale);
    if (vips_image_get_typeof(image, VIPS_META_IMAGEDESCRIPTION) != 0 &&
        vips_image_get_string(image, VIPS_META_IMAGEDESCRIPTION, &text) == 0)
        handle->description = g_strdup(text);
}

static gboolean image_open(RmilSlide *slide, GError **error) {
    char start[16] = {0};
    FILE *file = fopen(slide->file, "rb");
    gsize size = file ? fread(start, 1, sizeof start, file) : 0;
    if (file) fclose(file);
    gsize kind = 0;
    while (kind < G_N_ELEMENTS(loaders) && (size < loaders[kind].offset + loaders[kind].size ||
                                            memcmp(start + loaders[kind].offset, loaders[kind].magic, loaders[kind].size) != 0))
        kind++;
    if (kind == G_N_ELEMENTS(loaders)) return TRUE;
    g_free(slide->format);
    slide->format = g_strdup(loaders[kind].name);
    g_autoptr(RmilVipsImage) image = load(slide, loaders[kind].load, VIPS_FAIL_ON_ERROR, error);
    if (!image) return FALSE;
    int64_t width = vips_image_get_width(image), height = vips_image_get_height(image);
    if (width * height > PIXELS_MAX)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT " pixels are too many for a plain image",
                         slide->name, width, height);
    if (!rmil_tiff_check_page(slide, image, TRUE, error)) return FALSE;
    if (vips_image_get_bands(image) > 5)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not an RGB or gray image of 8 or 16 bits", slide->name);
    Handle *handle = g_new0(Handle, 1);
    handle->load = loaders[kind].load;
    if (handle->load == vips_tiffload) read_tags(handle, image);
    g_mutex_init(&handle->lock);
    slide->handle = handle;
    slide->info.plain = TRUE;
    slide->info.levels = 1;
    slide->widths[0] = slide->info.bounds_width = width;
    slide->heights[0] = slide->info.bounds_height = height;
    slide->downsamples[0] = 1;
    return TRUE;
}

/* Any colour space of 8 or 16 bits, with or without transparency, to 8-bit RGB on white. */
static VipsImage *to_rgb(VipsImage *image) {
    g_autoptr(RmilVipsImage) colour = NULL;
    VipsImage *flat = NULL;
    if (vips_image_get_interpretation(image) == VIPS_INTERPRETATION_sRGB) colour = g_object_ref(image);
    else if (vips_colourspace(image, &colour, VIPS_INTERPRETATION_sRGB, NULL) != 0) return NULL;
    if (!vips_image_hasalpha(colour)) return g_steal_pointer(&colour);
    VipsArrayDouble *white = vips_array_double_newv(1, 255.0);
    int status = vips_flatten(colour, &flat, "background", white, NULL);
    vips_area_unref(VIPS_AREA(white));
    return status == 0 ? flat : NULL;
}

/* An unnamed file in the temporary folder whose space is allocated before anything is written: the disk cannot run full later, and nothing
 * is left behind whatever happens. */
static uint8_t *map_temporary(const RmilSlide *slide, gsize size, GError **error) {
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "rankmil-XXXXXX", NULL);
    int file = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600), reason = file < 0 ? errno : 0;
    void *memory = MAP_FAILED;
    if (file >= 0) {
        g_unlink(path);
        reason = posix_fallocate(file, 0, (off_t)size);
        if (!reason && (memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)) == MAP_FAILED) reason = errno;
        close(file);
    }
    if (memory != MAP_FAILED) return memory;
    rmil_fail(error, RMIL_ERROR_IO,
              "%s: its %.1f GiB of pixels do not fit into the temporary folder %s: %s: set TMPDIR to a folder with space, or convert "
              "the image to a tiled TIFF, which needs no such folder",
              slide->name, (double)size / (1 << 30), g_get_tmp_dir(), g_strerror(reason));
    return NULL;
}

static void free_pixels(Handle *handle) {
    if (handle->mapped) munmap(handle->rgb, handle->mapped);
    else rmil_free(handle->rgb);
    handle->rgb = NULL;
}

/* Strip by strip, from top to bottom. */
static gboolean copy_pixels(VipsImage *image, uint8_t *rgb) {
    VipsRegion *region = vips_region_new(image);
    gboolean good = TRUE;
    for (int y = 0; good && y < image->Ysize; y += STRIP) {
        const VipsRect strip = {0, y, image->Xsize, MIN(STRIP, image->Ysize - y)};
        good = vips_region_prepare(region, &strip) == 0;
        for (int row = y; good && row < y + strip.height; row++) {
            const gsize skip = (gsize)(row - region->valid.top) * (gsize)region->bpl, width = 3 * (gsize)image->Xsize;
            memcpy(rgb + (gsize)row * width, region->data + skip, width);
        }
    }
    g_object_unref(region);
    return good;
}

/* Has vips just reported a missing part of a JPEG? Its other warnings are about peculiarities of writers. */
static gboolean is_lost(void) {
    const char *text = vips_error_buffer();
    return strstr(text, "premature end of data segment") || strstr(text, "bad Huffman code");
}

static gboolean decode_as(RmilSlide *slide, Handle *handle, VipsFailOn fail_on, gboolean *lost, GError **error) {
    g_autoptr(RmilVipsImage) image = load(slide, handle->load, fail_on, error);
    if (!image) return FALSE;
    if (vips_image_get_width(image) != slide->info.width || vips_image_get_height(image) != slide->info.height)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has changed since it was opened", slide->name);
    g_autofree char *what = g_strdup_printf("%s: cannot be decoded as %s image", slide->name, slide->format);
    g_autoptr(RmilVipsImage) rgb = handle->load == vips_tiffload && rmil_tiff_planar(image) ? join_pages(slide->file) : to_rgb(image);
    if (!rgb) return rmil_vips_fail(error, RMIL_ERROR_FORMAT, what);
    if (vips_image_get_bands(rgb) != 3 || vips_image_get_format(rgb) != VIPS_FORMAT_UCHAR)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not an RGB or gray image of 8 or 16 bits", slide->name);
    gsize size = (gsize)slide->info.width * (gsize)slide->info.height * 3;
    gboolean small = size <= MEMORY_MAX;
    handle->rgb = small ? rmil_alloc((int64_t)size, 1, error) : map_temporary(slide, size, error);
    if (!handle->rgb) {
        if (small) g_prefix_error(error, "%s: ", slide->name);
        return FALSE;
    }
    handle->mapped = small ? 0 : size;
    if (copy_pixels(rgb, handle->rgb)) return TRUE;
    free_pixels(handle);
    *lost = is_lost();
    return rmil_vips_fail(error, RMIL_ERROR_FORMAT, what);
}

/* A missing part in the middle of a JPEG is a warning, and becomes grey. */
static gboolean decode(RmilSlide *slide, Handle *handle, GError **error) {
    gboolean lost = FALSE;
    if (handle->load == vips_jpegload) {
        if (decode_as(slide, handle, VIPS_FAIL_ON_WARNING, &lost, error) || lost) return handle->rgb != NULL;
        g_clear_error(error);
    }
    return decode_as(slide, handle, VIPS_FAIL_ON_ERROR, &lost, error);
}

/* The pixels are complete and never change once they exist. */
static gboolean ensure_pixels(RmilSlide *slide, GError **error) {
    Handle *handle = slide->handle;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handle->lock);
    if (!handle->rgb && !handle->error) {
        decode(slide, handle, &handle->error);
        vips_thread_shutdown(); /* frees what vips keeps for the calling thread, which vips did not create */
    }
    if (handle->rgb) return TRUE;
    if (error) *error = g_error_copy(handle->error);
    return FALSE;
}

static gboolean image_read(RmilSlide *slide, int64_t x, int64_t y, int level, int64_t width, int64_t height, uint32_t *argb,
                           GError **error) {
    if (!ensure_pixels(slide, error)) return FALSE;
    const Handle *handle = slide->handle;
    for (int64_t row = 0; row < height; row++) {
        const uint8_t *rgb = handle->rgb + 3 * ((y + row) * slide->info.width + x);
        uint32_t *out = argb + row * width;
        for (int64_t i = 0; i < width; i++)
            out[i] = 0xff000000u | (uint32_t)rgb[3 * i] << 16 | (uint32_t)rgb[3 * i + 1] << 8 | rgb[3 * i + 2];
    }
    return TRUE;
}

static const char *image_property(RmilSlide *slide, const char *name) {
    const Handle *handle = slide->handle;
    if (strcmp(name, "tiff.XResolution") == 0) return handle->x_resolution;
    if (strcmp(name, "tiff.YResolution") == 0) return handle->y_resolution;
    if (strcmp(name, "tiff.ResolutionUnit") == 0) return handle->unit;
    return strcmp(name, "tiff.ImageDescription") == 0 ? handle->description : NULL;
}

static void image_close(RmilSlide *slide) {
    Handle *handle = slide->handle;
    if (handle->rgb) free_pixels(handle);
    g_clear_error(&handle->error);
    g_mutex_clear(&handle->lock);
    g_free(handle->x_resolution);
    g_free(handle->y_resolution);
    g_free(handle->description);
    g_free(handle);
}

static int64_t image_tile_side(const RmilSlide *slide, int level, int axis) { return 0; }

const RmilBackend rmil_backend_image = {image_open, image_read, NULL, image_property, image_tile_side, image_close};
