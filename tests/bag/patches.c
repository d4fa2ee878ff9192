/* SPDX-License-Identifier: Apache-2.0 */
/* Bags whose patches lie on made slides. */
#include "patches.h"

RmilBag *bag_on(const char *slide, int64_t count, int across, int step, double level0, RmilPixelCache *cache) {
    RmilBag *bag = make_bag(count, 0, RMIL_FLOAT32);
    for (int64_t i = 0; i < count; i++) {
        bag->coords[2 * i] = i % across * step;
        bag->coords[2 * i + 1] = i / across * step;
    }
    bag->patch_size_level0 = level0;
    rmil_bag_set_slide(bag, slide, 0, cache);
    return bag;
}

void read_tile(const RmilBag *bag, int64_t patch, int side, uint8_t *rgb) {
    GError *error = NULL;
    rmil_bag_read_tile(bag, patch, side, rgb, &error);
    g_assert_no_error(error);
}

void expect_error(const RmilBag *bag, int64_t patch, int side, RmilErrorCode code, const char *part) {
    g_autofree uint8_t *rgb = g_malloc(256 * 256 * 3);
    GError *error = NULL;
    g_assert_false(rmil_bag_read_tile(bag, patch, side, rgb, &error));
    test_error(&error, code, part);
}

RmilPixelCounts counts_of(RmilPixelCache *cache) {
    RmilPixelCounts counts;
    rmil_pixel_cache_look(cache, &counts);
    return counts;
}

char *slide_of(const char *folder, const char *name, uint64_t seed) {
    g_autoptr(Picture) picture = picture_noise(512, 512, seed);
    return make_slide(folder, name, picture, (SlideForm){.mpp = 0.25, .compression = VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE});
}
