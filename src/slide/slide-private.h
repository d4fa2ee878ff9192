/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the slide room share: the opened slide and the table of functions of a backend. */
#ifndef RMIL_SLIDE_PRIVATE_H
#define RMIL_SLIDE_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/slide.h"

#define RMIL_SLIDE_LEVELS 64     /* more than any scanner writes */
#define RMIL_SLIDE_SIDE 10000000 /* largest plausible side in level-0 pixels */

typedef struct _RmilBackend RmilBackend;

struct _RmilSlide {
    char *path, *name; /* name: the path as UTF-8, for messages */
    char *file;        /* the file to open: the path, or the link's target */
    RmilSlideInfo info;
    const RmilBackend *backend;
    gpointer handle;                 /* the backend's own */
    int level_of[RMIL_SLIDE_LEVELS]; /* the backend's number of each level: some of its levels are left out */
    double downsamples[RMIL_SLIDE_LEVELS];
    int64_t widths[RMIL_SLIDE_LEVELS], heights[RMIL_SLIDE_LEVELS];
    uint8_t background[3];
    char *format;
    GPtrArray *warnings; /* of char *; NULL-terminated once the slide is open */
};

struct _RmilBackend {
    /* TRUE: opened, or (handle still NULL) not a file of this backend. Fills in handle, levels, bounds, background, format. */
    gboolean (*open)(RmilSlide *slide, GError **error);
    /* width × height premultiplied ARGB words from level-0 (x, y) on. The rectangle lies inside the level, except for the last pixel, which
     * a level's rounded downsample may add. Thread-safe. */
    gboolean (*read)(RmilSlide *slide, int64_t x, int64_t y, int level, int64_t width, int64_t height, uint32_t *argb, GError **error);
    /* width × height opaque words, each for 8 × 8 pixels of level 0, all inside it; from eighth (x, y) on. FALSE: the file has no fast way
     * to read them, or is damaged. May be NULL. Thread-safe. */
    gboolean (*read_eighths)(RmilSlide *slide, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t *argb);
    const char *(*property)(RmilSlide *slide, const char *name);       /* NULL: unknown */
    int64_t (*tile_side)(const RmilSlide *slide, int level, int axis); /* side of the file's own tiles, level pixels; 0: it has none */
    void (*close)(RmilSlide *slide);
};

extern const RmilBackend rmil_backend_openslide, rmil_backend_image;

/* tiff.c: checks the first page as seen by vips. Fails if pixels do not have 8 or 16 bits; warns if the page shows only a part of the
 * image: one channel of several, or one page of several (`pages`). */
typedef struct _VipsImage VipsImage;
gboolean rmil_tiff_check_page(RmilSlide *slide, VipsImage *image, gboolean pages, GError **error);
/* The same for a TIFF file that OpenSlide has opened. Accepts a file that vips cannot read. */
gboolean rmil_tiff_check(RmilSlide *slide, GError **error);
/* Are the first three pages red, green and blue with 8 bits each? */
gboolean rmil_tiff_planar(VipsImage *first);
/* The same for a file. FALSE: unknown. A file that vips cannot read is not planar. */
gboolean rmil_tiff_planar_file(const RmilSlide *slide, gboolean *planar, GError **error);
/* The first page as seen by vips; NULL if vips cannot read such a file, tried twice. FALSE: only one of two attempts succeeded. */
gboolean rmil_tiff_first_page(const RmilSlide *slide, VipsImage **page, GError **error);
#define RMIL_UNSTEADY "%s: gives different data each time it is read, so its disk or network is failing: try again, or copy the slide first"

/* Does OpenSlide 3.4 return garbage for the page of this size? FALSE: unknown. */
gboolean rmil_tiff_level_broken(const RmilSlide *slide, int64_t width, int64_t height, gboolean *broken, GError **error);

/* slide.c: a warning for the user, which the file's name is put in front of. */
void rmil_slide_warn(RmilSlide *slide, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* unread.c: for a file that OpenSlide does not open. Fails if its name or first bytes show a slide, or a part of one, that cannot be read;
 * else TRUE: it may be a plain image. */
gboolean rmil_slide_check_unread(RmilSlide *slide, GError **error);

/* ome.c: about the first image in OME-XML; FALSE: it is not OME-XML. */
typedef struct {
    double x, y;               /* µm per pixel; NAN: not stated */
    int64_t channels, samples; /* total, and of the first channel: 3 for RGB */
    gboolean colours;          /* the channels are named red, green and blue, in this order, or have no names */
} RmilOme;
gboolean rmil_ome_read(const char *xml, RmilOme *ome);
double rmil_length_unit(const char *name); /* µm; NAN: not a unit of length */

/* resolution.c: sets info.mpp and mpp_source, and warns, by the rules of rmil_slide_open. */
gboolean rmil_slide_find_mpp(RmilSlide *slide, double given, GError **error);

/* read.c: the level from which a downsample is read. */
int rmil_slide_level(const RmilSlide *slide, double downsample);

/* rough.c: like rmil_slide_read, for viewing: if the slide has no coarser level, pixels of the overview are computed from means in the
 * file, and may differ a little; their positions are the same. */
gboolean rmil_slide_read_rough(RmilSlide *slide, double x, double y, double downsample, int64_t width, int64_t height, uint8_t *rgb,
                               GError **error);

/* read.c: like rmil_slide_read, but premultiplied ARGB; alpha is the share of the pixel that lies inside the scan. */
gboolean rmil_slide_read_argb(RmilSlide *slide, double x, double y, double downsample, int64_t width, int64_t height, uint32_t *argb,
                              GError **error);

#endif
