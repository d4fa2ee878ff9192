/* SPDX-License-Identifier: Apache-2.0 */
/* The pixels of a bag's patches, from its slides. */
#include "pixels.h"

enum { SIDE_MOST = 8192, OWN_BYTES = 16 << 20 };

/* One of the slides joined in a bag. */
typedef struct {
    char *id;
    int64_t first, count; /* its patches in the bag */
    int64_t *coords;      /* the slide's own coordinates */
    double level0, um;
    struct _RmilPixels *pixels;
} Part;

struct _RmilPixels {
    RmilPixelCache *cache;
    RmilPixelSlide *slide; /* of the cache; NULL: the parts have theirs */
    guint count;
    Part *parts;
};

void rmil_pixels_free(struct _RmilPixels *pixels) {
    if (!pixels) return;
    for (guint p = 0; p < pixels->count; p++) {
        g_free(pixels->parts[p].id);
        rmil_free(pixels->parts[p].coords);
        rmil_pixels_free(pixels->parts[p].pixels);
    }
    g_free(pixels->parts);
    rmil_pixel_cache_unref(pixels->cache);
    g_free(pixels);
}

void rmil_bag_set_slide(RmilBag *bag, const char *slide, double mpp, RmilPixelCache *cache) {
    g_clear_pointer(&bag->pixels, rmil_pixels_free);
    if (!slide) return;
    bag->pixels = g_new0(struct _RmilPixels, 1);
    bag->pixels->cache = cache ? rmil_pixel_cache_ref(cache) : rmil_pixel_cache_new(OWN_BYTES, 0);
    bag->pixels->slide = rmil_pixel_cache_slide(bag->pixels->cache, slide, mpp);
}

void rmil_pixels_join(RmilBag *bag, RmilBag *const *slides, guint count) {
    gboolean any = FALSE;
    for (guint s = 0; s < count; s++) any = any || slides[s]->pixels;
    if (!any) return;
    bag->pixels = g_new0(struct _RmilPixels, 1);
    bag->pixels->count = count;
    bag->pixels->parts = g_new0(Part, count);
    int64_t first = 0;
    for (guint s = 0; s < count; first += slides[s]->count, s++)
        bag->pixels->parts[s] = (Part){.id = g_strdup(slides[s]->id),
                                       .first = first,
                                       .count = slides[s]->count,
                                       .coords = g_steal_pointer(&slides[s]->coords),
                                       .level0 = slides[s]->patch_size_level0,
                                       .um = slides[s]->coords_um,
                                       .pixels = g_steal_pointer(&slides[s]->pixels)};
}

int64_t rmil_pixels_bytes(const RmilBag *bag) {
    int64_t bytes = 0;
    for (guint p = 0; bag->pixels && p < bag->pixels->count; p++)
        if (bag->pixels->parts[p].coords) bytes += bag->pixels->parts[p].count * (int64_t)(2 * sizeof(int64_t));
    return bytes;
}

/* A bag of one slide as its only part. */
static Part part_of(const RmilBag *bag, int64_t patch) {
    const struct _RmilPixels *pixels = bag->pixels;
    for (guint p = 0; pixels && p < pixels->count; p++)
        if (patch < pixels->parts[p].first + pixels->parts[p].count) return pixels->parts[p];
    return (Part){bag->id, 0, bag->count, bag->coords, bag->patch_size_level0, bag->coords_um, bag->pixels};
}

gboolean rmil_pixel_place(const RmilBag *bag, int64_t patch, int side, RmilPixelPlace *place, RmilPixelCache **cache, GError **error) {
    if (patch < 0 || patch >= bag->count)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: there is no patch %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT, bag->id, patch,
                         bag->count);
    if (side < 1 || side > SIDE_MOST)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: a patch can be read at 1 … %d pixels a side, not %d", bag->id, SIDE_MOST, side);
    const Part part = part_of(bag, patch);
    if (!part.pixels)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: its patches cannot be shown, because no slide is known for these features: name it in the cohort's "
                         "slide column",
                         part.id);
    const char *path = part.pixels->slide->path;
    if (!part.coords)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: its patches cannot be shown on %s, because the features have no coordinates: use a file that has them, "
                         "or let rankmil make the features",
                         part.id, path);
    if (part.um > 0)
        return rmil_fail(
            error, RMIL_ERROR_RESOLUTION,
            "%s: its patches cannot be shown on %s: coordinates are in µm, but the slide's µm per pixel is not known: give --mpp or "
            "fill the cohort's mpp column",
            part.id, path);
    if (!(part.level0 > 0))
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: its patches cannot be shown on %s: its features do not say how large a patch is on the slide: use a "
                         "file that has patch_size_level0, or let rankmil make the features",
                         part.id, path);
    const int64_t *at = part.coords + 2 * (patch - part.first);
    *place = (RmilPixelPlace){part.pixels->slide, at[0], at[1], part.level0, side};
    *cache = part.pixels->cache;
    return TRUE;
}

gboolean rmil_bag_read_tile(const RmilBag *bag, int64_t patch, int side, uint8_t *rgb, GError **error) {
    RmilPixelPlace place;
    RmilPixelCache *cache = NULL;
    GError *reason = NULL;
    if (!rmil_pixel_place(bag, patch, side, &place, &cache, error)) return FALSE;
    gboolean opened = TRUE;
    if (rmil_pixel_cache_read(cache, &place, rgb, &opened, &reason)) return TRUE;
    if (!opened) g_propagate_error(error, reason);
    else
        g_propagate_prefixed_error(
            error, reason,
            "%s: patch %" G_GINT64_FORMAT " of \"%s\" at (%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ") cannot be read: ", place.slide->path,
            patch, bag->id, place.x, place.y);
    return FALSE;
}
