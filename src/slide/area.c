/* SPDX-License-Identifier: Apache-2.0 */
/* Connected areas and holes of a plane, and sliding windows, by libvips. */
#include "slide/mask-private.h"
#include "slide/vips.h"

/* The plane as a vips image; it must outlive the image. */
static VipsImage *wrap(const uint8_t *plane, const RmilMask *mask, GError **error) {
    if (!rmil_vips_init(error)) return NULL;
    VipsImage *image = vips_image_new_from_memory(plane, (gsize)(mask->width * mask->height), (int)mask->width, (int)mask->height, 1,
                                                  VIPS_FORMAT_UCHAR);
    if (!image) rmil_vips_fail(error, RMIL_ERROR_MEMORY, "a tissue mask");
    return image;
}

static uint8_t *pixels_of(VipsImage *image, GError **error) {
    gsize size;
    uint8_t *pixels = vips_image_write_to_memory(image, &size);
    if (!pixels) rmil_vips_fail(error, RMIL_ERROR_MEMORY, "a tissue mask");
    return pixels;
}

uint8_t *rmil_plane_rank(const uint8_t *plane, const RmilMask *mask, int side, RmilRank rank, GError **error) {
    const int places[] = {0, side * side / 2, side * side - 1};
    g_autoptr(RmilVipsImage) image = wrap(plane, mask, error);
    VipsImage *ranked = NULL;
    if (!image) return NULL;
    if (mask->width <= side || mask->height <= side) return g_memdup2(plane, (gsize)(mask->width * mask->height));
    if (vips_rank(image, &ranked, side, side, places[rank], NULL) != 0) {
        rmil_vips_fail(error, RMIL_ERROR_MEMORY, "a tissue mask");
        return NULL;
    }
    uint8_t *pixels = pixels_of(ranked, error);
    g_object_unref(ranked);
    return pixels;
}

uint8_t *rmil_plane_blur(const uint8_t *plane, const RmilMask *mask, double sigma, GError **error) {
    g_autoptr(RmilVipsImage) image = wrap(plane, mask, error);
    VipsImage *blurred = NULL;
    if (!image) return NULL;
    if (vips_gaussblur(image, &blurred, sigma, "precision", VIPS_PRECISION_INTEGER, NULL) != 0) {
        rmil_vips_fail(error, RMIL_ERROR_MEMORY, "a tissue mask");
        return NULL;
    }
    uint8_t *pixels = pixels_of(blurred, error);
    g_object_unref(blurred);
    return pixels;
}

/* Numbers the connected areas of equal value. Free with g_free; NULL: failed. */
static int *number_areas(const uint8_t *plane, const RmilMask *mask, int *areas, GError **error) {
    g_autoptr(RmilVipsImage) image = wrap(plane, mask, error);
    VipsImage *numbered = NULL;
    if (!image) return NULL;
    if (vips_labelregions(image, &numbered, "segments", areas, NULL) != 0) {
        rmil_vips_fail(error, RMIL_ERROR_MEMORY, "a tissue mask");
        return NULL;
    }
    int *numbers = (int *)(void *)pixels_of(numbered, error);
    g_object_unref(numbered);
    return numbers;
}

typedef struct {
    int64_t pixels;
    gboolean edge; /* it touches the edge of the plane */
} Area;

/* Sets areas of 0 (or of the others) that are smaller than `size` pixels to `to`; areas of 0 at the edge are not holes. */
static gboolean turn_areas(uint8_t *plane, const RmilMask *mask, gboolean holes, double size, GError **error) {
    int count = 0;
    const int64_t width = mask->width, n = width * mask->height;
    g_autofree int *numbers = number_areas(plane, mask, &count, error);
    g_autofree Area *areas = numbers ? rmil_try_new(count + 1, sizeof *areas, error) : NULL;
    if (!areas) return FALSE;
    for (int64_t i = 0; i < n; i++) {
        Area *area = &areas[numbers[i]];
        area->pixels++;
        area->edge = area->edge || i < width || i >= n - width || i % width == 0 || i % width == width - 1;
    }
    for (int64_t i = 0; i < n; i++) {
        const Area *area = &areas[numbers[i]];
        if (holes == (plane[i] == 0) && (double)area->pixels < size && !(holes && area->edge)) plane[i] = holes ? 1 : 0;
    }
    return TRUE;
}

gboolean rmil_plane_drop_small(uint8_t *plane, const RmilMask *mask, double least, GError **error) {
    return turn_areas(plane, mask, FALSE, least, error);
}

gboolean rmil_plane_fill_holes(uint8_t *plane, const RmilMask *mask, double most, GError **error) {
    return turn_areas(plane, mask, TRUE, most, error);
}
