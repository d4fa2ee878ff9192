/* SPDX-License-Identifier: Apache-2.0 */
/* The pixels of patches: open slides and decoded tiles, shared by bags. */
#ifndef RMIL_BAG_PIXELS_H
#define RMIL_BAG_PIXELS_H

#include "base/base-private.h"
#include "rankmil/bag.h"
#include "rankmil/slide.h"

/* -- pixels.c: what a bag knows of its slides ---------------------------------------------------------------------------------- */
void rmil_pixels_free(struct _RmilPixels *pixels);
/* For slides joined as `bag`, in that order: takes over their own coordinates and pixels, since each slide is read at its own places. */
void rmil_pixels_join(RmilBag *bag, RmilBag *const *slides, guint count);
int64_t rmil_pixels_bytes(const RmilBag *bag); /* of the coordinates that a joined bag keeps for this */

/* -- pixel-slides.c: slides that are opened when they are first read, and closed when too many are open ----------------------- */
enum { RMIL_PIXEL_SLIDES = 16 }; /* slides that stay open although nobody reads them */

typedef struct {
    char *path;
    double mpp;
    RmilSlide *open;
    gboolean opening; /* a thread opens it; others wait */
    gboolean spoilt;  /* a read failed: open it anew, since after many failures a slide's answers depend on them */
    int users;
    int64_t image;  /* bytes of a plain image, which is decoded as a whole */
    GError *failed; /* why it cannot be opened */
    GList link;     /* in `idle` */
} RmilPixelSlide;

typedef struct {
    GMutex *lock;  /* the owner's: held when these functions are called, released while they wait, open and close */
    GCond *opened; /* the owner's */
    GHashTable *all;
    GQueue idle;                   /* open and not in use, least recently used first */
    int open;                      /* including those being opened */
    int64_t images, images_most;   /* bytes of plain images, and how many may be idle */
    int64_t open_most, open_times; /* for tests */
} RmilPixelSlides;
void rmil_pixel_slides_init(RmilPixelSlides *slides, GMutex *lock, GCond *opened, int64_t images_most);
void rmil_pixel_slides_clear(RmilPixelSlides *slides);
/* The slide with this path and mpp; lives as long as `slides`. */
RmilPixelSlide *rmil_pixel_slides_find(RmilPixelSlides *slides, const char *path, double mpp);

/* Identifies a tile: bags that look at the same place of a slide share it. */
typedef struct {
    RmilPixelSlide *slide;
    int64_t x, y;  /* level-0 px */
    double level0; /* its side in level-0 px */
    int side;      /* its side in the pixels requested */
} RmilPixelPlace;
/* Call without the lock: lends an open slide to `use`, which several threads may call at once. */
typedef gboolean (*RmilPixelUse)(RmilSlide *slide, gpointer user, GError **error);
gboolean rmil_pixel_slides_lend(RmilPixelSlides *slides, RmilPixelSlide *slide, RmilPixelUse use, gpointer user, GError **error);
/* side × side RGB bytes. Call without the lock. *opened (may be NULL): FALSE if the slide cannot be opened. */
gboolean rmil_pixel_slides_read(RmilPixelSlides *slides, const RmilPixelPlace *place, uint8_t *rgb, gboolean *opened, GError **error);

/* -- pixel-cache.c ------------------------------------------------------------------------------------------------------------- */
RmilPixelCache *rmil_pixel_cache_ref(RmilPixelCache *cache);
void rmil_pixel_cache_unref(RmilPixelCache *cache);
RmilPixelSlide *rmil_pixel_cache_slide(RmilPixelCache *cache, const char *path, double mpp);
gboolean rmil_pixel_cache_read(RmilPixelCache *cache, const RmilPixelPlace *place, uint8_t *rgb, gboolean *opened, GError **error);
/* pixels.c: FALSE if a patch has no place; *cache receives the cache through which it is read. */
gboolean rmil_pixel_place(const RmilBag *bag, int64_t patch, int side, RmilPixelPlace *place, RmilPixelCache **cache, GError **error);

/* For tests. */
typedef struct {
    int64_t bytes, most;             /* of tiles: now, and at any time */
    int64_t tiles;                   /* in the cache */
    int64_t decoded, ahead;          /* times that a tile was read from a slide: in total, and ahead */
    int64_t open, open_most, opened; /* slides: open now, at most at any time, and times that one was opened */
} RmilPixelCounts;
void rmil_pixel_cache_look(RmilPixelCache *cache, RmilPixelCounts *counts);
gboolean rmil_pixel_cache_holds(RmilPixelCache *cache, const RmilBag *bag, int64_t patch, int side);

#endif
