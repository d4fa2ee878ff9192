/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the slide room share: the opened slide and the table of functions of a backend. */
#ifndef RMIL_SLIDE_PRIVATE_H
#define RMIL_SLIDE_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/slide.h"

#define RMIL_SLIDE_LEVELS 64     /* more than any scanner writes */
#define RMIL_SLIDE_SIDE 10000000 /* level-0 pixels a side that are believed */

typedef struct _RmilBackend RmilBackend;

struct _RmilSlide {
    char *path, *name; /* name: the path as UTF-8, for messages */
    char *file;        /* what is opened: the path, or what it links to */
    RmilSlideInfo info;
    const RmilBackend *backend;
    gpointer handle;                 /* the backend's own */
    int level_of[RMIL_SLIDE_LEVELS]; /* the backend's number of a level: not all of its levels are taken */
    double downsamples[RMIL_SLIDE_LEVELS];
    int64_t widths[RMIL_SLIDE_LEVELS], heights[RMIL_SLIDE_LEVELS];
    uint8_t background[3];
    char *format;
    GPtrArray *warnings; /* of char *; NULL behind the last once the slide is open */
};

struct _RmilBackend {
    /* TRUE: opened, or (handle still NULL) not a file of this backend. Fills handle, levels, bounds, background, format. */
    gboolean (*open)(RmilSlide *slide, GError **error);
    /* width × height premultiplied ARGB words from level-0 (x, y) on; the rectangle lies inside the level, but for the
     * last pixel that a level's rounded downsample may add. Thread-safe. */
    gboolean (*read)(RmilSlide *slide, int64_t x, int64_t y, int level, int64_t width, int64_t height, uint32_t *argb, GError **error);
    /* width × height opaque words, each of 8 × 8 pixels of level 0, which lie inside of it; from the eighth (x, y) on. FALSE: the file has no
     * quick way to them, or is damaged. May be NULL. Thread-safe. */
    gboolean (*read_eighths)(RmilSlide *slide, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t *argb);
    const char *(*property)(RmilSlide *slide, const char *name);       /* NULL: unknown */
    int64_t (*tile_side)(const RmilSlide *slide, int level, int axis); /* of the file's own tiles, level pixels; 0: it has none */
    void (*close)(RmilSlide *slide);
};

extern const RmilBackend rmil_backend_openslide, rmil_backend_image;

/* tiff.c: what vips says of the first page. Fails for pixels that are not of 8 or 16 bits; warns where the page shows a part of the
 * image alone: one channel of several, one page of several (`pages`). */
typedef struct _VipsImage VipsImage;
gboolean rmil_tiff_check_page(RmilSlide *slide, VipsImage *image, gboolean pages, GError **error);
/* The same for a TIFF file that OpenSlide has opened. What vips cannot read passes. */
gboolean rmil_tiff_check(RmilSlide *slide, GError **error);
/* Are red, green and blue, of 8 bits, the first three pages? */
gboolean rmil_tiff_planar(VipsImage *first);
/* The same of a file. FALSE: that cannot be told. What vips cannot read is not. */
gboolean rmil_tiff_planar_file(const RmilSlide *slide, gboolean *planar, GError **error);
/* The first page as vips sees it; NULL where vips does not read such a file, asked twice. FALSE: it could be read once of two times. */
gboolean rmil_tiff_first_page(const RmilSlide *slide, VipsImage **page, GError **error);
#define RMIL_UNSTEADY "%s: gives different data each time it is read, so its disk or network is failing: try again, or copy the slide first"

/* Does OpenSlide 3.4 give garbage for the page of this size? FALSE: that cannot be told. */
gboolean rmil_tiff_level_broken(const RmilSlide *slide, int64_t width, int64_t height, gboolean *broken, GError **error);

/* slide.c: something that the user should hear; the file's name is put before it. */
void rmil_slide_warn(RmilSlide *slide, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* unread.c: no slide that OpenSlide opens. Fails for what is known by its name or first bytes to be a slide, or a part of one,
 * that cannot be read; else TRUE: it may be a plain image. */
gboolean rmil_slide_check_unread(RmilSlide *slide, GError **error);

/* ome.c: of the first image in OME-XML; FALSE: that is none. */
typedef struct {
    double x, y;               /* µm per pixel; NAN: not said */
    int64_t channels, samples; /* in all, and of the first channel: 3 for RGB */
    gboolean colours;          /* the channels are called red, green and blue, in this order, or nothing */
} RmilOme;
gboolean rmil_ome_read(const char *xml, RmilOme *ome);
double rmil_length_unit(const char *name); /* µm; NAN: no unit of length */

/* resolution.c: fills info.mpp, mpp_source and warns by the rules of rmil_slide_open. */
gboolean rmil_slide_find_mpp(RmilSlide *slide, double given, GError **error);

/* read.c: the level that a downsample is read from. */
int rmil_slide_level(const RmilSlide *slide, double downsample);

/* rough.c: as rmil_slide_read, for the eye: where the slide has no coarser level, pixels of the overview are made of means that the file has, and
 * may differ a little; their places are the same. */
gboolean rmil_slide_read_rough(RmilSlide *slide, double x, double y, double downsample, int64_t width, int64_t height, uint8_t *rgb,
                               GError **error);

/* read.c: as rmil_slide_read, but premultiplied ARGB; alpha is the share of the pixel that lies inside the scan. */
gboolean rmil_slide_read_argb(RmilSlide *slide, double x, double y, double downsample, int64_t width, int64_t height, uint32_t *argb,
                              GError **error);

#endif
