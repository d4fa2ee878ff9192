/* SPDX-License-Identifier: Apache-2.0 */
/* By libvips, which opens each SubIFD as a separate image. */
#include "slide/subifd.h"

#include "slide/vips.h"

#include <string.h>

enum { MOST = 32 };

struct _RmilSubLevels {
    VipsImage *images[MOST];
    int count;
};

/* A level that holds something else has another number of bands. NULL: it cannot be opened. */
static VipsImage *open_level(const char *file, int sub) {
    VipsImage *image = NULL;
    return vips_tiffload(file, &image, "subifd", sub, "access", VIPS_ACCESS_RANDOM, "fail_on", VIPS_FAIL_ON_ERROR, NULL) == 0 ? image
                                                                                                                              : NULL;
}

static gboolean is_level(const VipsImage *image, int64_t above) {
    return image->BandFmt == VIPS_FORMAT_UCHAR && image->Bands == 3 && image->Xsize < above;
}

static gboolean add_levels(const RmilSlide *slide, RmilSubLevels *levels, const VipsImage *page, int count, GError **error) {
    int64_t above = page->Xsize;
    for (int sub = 0; sub < MIN(count, MOST); sub++) {
        VipsImage *image = open_level(slide->file, sub);
        if (!image) {
            g_autofree char *what = g_strdup_printf("%s: level %d of its pyramid cannot be opened", slide->name, sub + 1);
            return rmil_vips_fail(error, RMIL_ERROR_FORMAT, what);
        }
        if (is_level(image, above)) {
            above = image->Xsize;
            levels->images[levels->count++] = image;
        } else g_object_unref(image);
    }
    return TRUE;
}

gboolean rmil_sub_levels_open(const RmilSlide *slide, RmilSubLevels **levels, GError **error) {
    g_autoptr(RmilVipsImage) page = NULL;
    int count = 0;
    *levels = NULL;
    if (!rmil_tiff_first_page(slide, &page, error)) return FALSE;
    if (!page || vips_image_get_typeof(page, VIPS_META_N_SUBIFDS) == 0 || vips_image_get_int(page, VIPS_META_N_SUBIFDS, &count) != 0)
        return TRUE;
    RmilSubLevels *found = g_new0(RmilSubLevels, 1);
    const gboolean good = add_levels(slide, found, page, count, error);
    if (good && found->count) *levels = found;
    else rmil_sub_levels_free(found);
    return good;
}

void rmil_sub_levels_free(RmilSubLevels *levels) {
    if (!levels) return;
    for (int i = 0; i < levels->count; i++) g_object_unref(levels->images[i]);
    g_free(levels);
}

int rmil_sub_levels_count(const RmilSubLevels *levels) { return levels ? levels->count : 0; }

void rmil_sub_levels_size(const RmilSubLevels *levels, int level, int64_t *width, int64_t *height) {
    *width = levels->images[level]->Xsize;
    *height = levels->images[level]->Ysize;
}

static void copy_row(const uint8_t *rgb, uint32_t *argb, int64_t n) {
    for (int64_t i = 0; i < n; i++) argb[i] = 0xff000000u | (uint32_t)rgb[3 * i] << 16 | (uint32_t)rgb[3 * i + 1] << 8 | rgb[3 * i + 2];
}

gboolean rmil_sub_levels_read(const RmilSubLevels *levels, int level, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t *argb,
                              const char *name, GError **error) {
    VipsImage *image = levels->images[level];
    const int64_t right = MIN(x + width, image->Xsize), bottom = MIN(y + height, image->Ysize);
    memset(argb, 0, (gsize)(width * height) * sizeof *argb);
    if (x < 0 || y < 0 || x >= right || y >= bottom) return TRUE;
    VipsRegion *region = vips_region_new(image);
    const VipsRect wanted = {(int)x, (int)y, (int)(right - x), (int)(bottom - y)};
    const gboolean good = vips_region_prepare(region, &wanted) == 0;
    for (int64_t row = 0; good && row < wanted.height; row++)
        copy_row(region->data + (gsize)(y + row - region->valid.top) * (gsize)region->bpl + 3 * (gsize)(x - region->valid.left),
                 argb + row * width, wanted.width);
    g_object_unref(region);
    if (good) {
        vips_thread_shutdown(); /* frees what vips keeps for the calling thread, which vips did not create */
        return TRUE;
    }
    g_autofree char *what = g_strdup_printf("%s: cannot be read at pixel (%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT
                                            ") of a level of %d × %d",
                                            name, x, y, image->Xsize, image->Ysize);
    return rmil_vips_fail(error, RMIL_ERROR_FORMAT, what);
}
