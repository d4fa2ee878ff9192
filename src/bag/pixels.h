/* Slides behind bags, and the tiles and open slides that many bags share. */
#ifndef RMIL_PIXELS_H
#define RMIL_PIXELS_H

#include "base/base-private.h"
#include "rankmil/bag.h"
#include "rankmil/slide.h"

typedef struct _RmilPixels RmilPixels;
struct _RmilPixels {
    char *slide;
    double mpp;
    RmilPixelCache *cache;
};
void rmil_pixels_free(RmilPixels *pixels);

/* -- pixel-cache.c --------------------------------------------------------------------------------------------------------- */
RmilPixelCache *rmil_pixel_cache_ref(RmilPixelCache *cache);
/* The tile, where it is kept. */
gboolean rmil_pixel_cache_find(RmilPixelCache *cache, const RmilBag *bag, int64_t patch, int side, uint8_t *rgb);
void rmil_pixel_cache_keep(RmilPixelCache *cache, const RmilBag *bag, int64_t patch, int side, const uint8_t *rgb);
/* An open slide, until it is given back. */
RmilSlide *rmil_pixel_cache_open(RmilPixelCache *cache, const RmilPixels *pixels, GError **error);
void rmil_pixel_cache_close(RmilPixelCache *cache, RmilSlide *slide);
/* Forgets what belongs to a slide that goes. */
void rmil_pixel_cache_forget(RmilPixelCache *cache, const RmilPixels *pixels);
/* For tests: bytes of tiles kept, and slides open. */
void rmil_pixel_cache_state(RmilPixelCache *cache, int64_t *bytes, guint *open);

#endif
