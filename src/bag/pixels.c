/* The pixels of a bag's patches. */
#include "pixels.h"

void rmil_pixels_free(RmilPixels *pixels) {
    if (!pixels) return;
    rmil_pixel_cache_forget(pixels->cache, pixels);
    rmil_pixel_cache_free(pixels->cache);
    g_free(pixels->slide);
    g_free(pixels);
}

void rmil_bag_set_slide(RmilBag *bag, const char *slide, double mpp, RmilPixelCache *cache) {
    rmil_pixels_free(bag->pixels);
    bag->pixels = g_new(RmilPixels, 1);
    *bag->pixels = (RmilPixels){g_strdup(slide), mpp, cache ? rmil_pixel_cache_ref(cache) : rmil_pixel_cache_new(0)};
}

static gboolean read_tile(const RmilBag *bag, int64_t patch, int side, uint8_t *rgb, GError **error) {
    const RmilPixels *pixels = bag->pixels;
    RmilSlide *slide = rmil_pixel_cache_open(pixels->cache, pixels, error);
    if (!slide) return FALSE;
    const gboolean done = rmil_slide_read(slide, (double)bag->coords[2 * patch], (double)bag->coords[2 * patch + 1],
                                          bag->patch_size_level0 / side, side, side, rgb, error);
    rmil_pixel_cache_close(pixels->cache, slide);
    return done;
}

gboolean rmil_bag_read_tile(const RmilBag *bag, int64_t patch, int side, uint8_t *rgb, GError **error) {
    const char *id = bag->id ? bag->id : "bag";
    if (!bag->pixels) return rmil_fail(error, RMIL_ERROR_DATA, "%s: has no slide whose pixels could be read", id);
    if (!bag->coords || bag->coords_um != 0 || !(bag->patch_size_level0 > 0))
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: nothing says where on %s its patches lie: pixels cannot be read", id,
                         bag->pixels->slide);
    if (patch < 0 || patch >= bag->count || side < 1)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: has no patch %" G_GINT64_FORMAT, id, patch);
    if (rmil_pixel_cache_find(bag->pixels->cache, bag, patch, side, rgb)) return TRUE;
    if (!read_tile(bag, patch, side, rgb, error)) return FALSE;
    rmil_pixel_cache_keep(bag->pixels->cache, bag, patch, side, rgb);
    return TRUE;
}

RmilPixelCache *rmil_bag_pixels(const RmilBag *bag) { return bag->pixels ? bag->pixels->cache : NULL; }

const char *rmil_bag_slide(const RmilBag *bag) { return bag->pixels ? bag->pixels->slide : NULL; }
