/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil slide: open a slide or plain image, know its resolution, find its tissue, lay the tile grid, read tiles. */
#ifndef RANKMIL_SLIDE_H
#define RANKMIL_SLIDE_H

#include "base.h"

G_BEGIN_DECLS

typedef struct _RmilSlide RmilSlide;

typedef enum {
    RMIL_MPP_NONE,       /* a plain image: tiled at its own resolution */
    RMIL_MPP_GIVEN,      /* by the caller: always wins */
    RMIL_MPP_PROPERTY,   /* the scanner's mpp */
    RMIL_MPP_RESOLUTION, /* TIFF resolution tags, ImageJ's unit */
    RMIL_MPP_OBJECTIVE,  /* 10 / objective power: a guess, with a warning */
    RMIL_MPP_OME         /* OME-XML's PhysicalSizeX and Y */
} RmilMppSource;

typedef struct {
    int64_t width, height;                                   /* level 0 */
    int64_t bounds_x, bounds_y, bounds_width, bounds_height; /* scanned area, level-0 px; whole slide when unknown */
    double mpp;                                              /* µm per level-0 pixel (mean of x and y), 0 for a plain image */
    RmilMppSource mpp_source;
    int levels;
    gboolean plain;              /* not a slide format that OpenSlide knows */
    const char *format;          /* OpenSlide's vendor, or vips' loader; owned by the slide */
    const char *const *warnings; /* what the user should hear, each naming the file; NULL-terminated; owned by the slide */
} RmilSlideInfo;

/* Opens with OpenSlide, else as a plain image with libvips. What is not the slide itself is refused with the way out: an overview
 * without the files that hold the pixels (MIRAX, Olympus), formats that OpenSlide does not read. A link is followed where the
 * slide's other files do not lie beside it. mpp > 0 overrides what the file says. Fails with
 * RMIL_ERROR_RESOLUTION for a slide that says nothing believable of its resolution (docs/preprocessing.md has the rules).
 * A plain image's pixels are decoded at the first read. All functions on an opened slide may be called from several
 * threads at once. */
RMIL_API RmilSlide *rmil_slide_open(const char *path, double mpp, GError **error);
RMIL_API void rmil_slide_free(RmilSlide *slide);
RMIL_API const RmilSlideInfo *rmil_slide_info(const RmilSlide *slide);
RMIL_API const char *rmil_slide_path(const RmilSlide *slide);

/* Reads the rectangle that starts at level-0 (x, y) and covers width·downsample × height·downsample level-0 pixels as
 * width × height RGB bytes, row-major; from the nearest finer level, area-resampled. Outside the scan: white (the
 * format's own background where it has one). downsample ≥ 1 is usual; below 1 the pixels are interpolated. Memory
 * beyond `rgb` stays below 100 MiB for any size. A broken tile fails with its position; other tiles can still be read. */
RMIL_API gboolean rmil_slide_read(RmilSlide *slide, double x, double y, double downsample, int64_t width, int64_t height, uint8_t *rgb,
                                  GError **error);

/* -- tissue (DESIGN: three-class Otsu on a gray thumbnail) ----------------------------------------------------------- */
typedef struct {
    int64_t width, height; /* of the mask: it covers the whole of level 0 */
    double downsample;     /* level-0 px per mask px */
    uint8_t *tissue;       /* height × width, 1 tissue, 0 not */
    int lower, upper;      /* the two thresholds; tissue is gray ≤ upper (scikit-image's classes 0 and 1) */
    char **warnings;       /* what the user should hear, each naming the slide; NULL-terminated */
} RmilMask;

/* mask_mpp: µm per mask pixel, 0 for the default 4 (plain images: their own pixels, at most 4096 a side). Reads in
 * blocks; memory stays near the mask's own size. Areas of pure black without texture count as not scanned, with a warning. Warns of
 * very dark and very faint slides. Fails with RMIL_ERROR_DATA when no tissue is found (fewer than three gray values, or thresholds
 * that are apart by noise only: a blank slide). */
RMIL_API RmilMask *rmil_mask_new(RmilSlide *slide, double mask_mpp, GError **error);
RMIL_API void rmil_mask_free(RmilMask *mask);
/* How many pixels of the slide rmil_mask_new decodes. */
RMIL_API int64_t rmil_mask_pixels(const RmilSlide *slide, double mask_mpp);
/* Exactly scikit-image's threshold_multiotsu over a 256-bin histogram of uint8 gray values; thresholds has
 * classes − 1 entries. Fails when there are fewer distinct values than classes. */
RMIL_API gboolean rmil_otsu(const int64_t histogram[256], int classes, int *thresholds, GError **error);

/* -- tiles ----------------------------------------------------------------------------------------------------------- */
typedef struct {
    int tile_px;       /* pixels a side: 224 */
    double mpp;        /* of the tile: 0.5; ignored for plain images */
    double min_tissue; /* share of the tile, 0.05 */
    double overlap;    /* of neighbouring tiles, in pixels of theirs, below 0.95 · tile_px: 0 */
} RmilTileOptions;
RMIL_API void rmil_tile_options_init(RmilTileOptions *options);

typedef struct {
    int64_t count;
    int64_t *coords; /* count × 2: x, y of the top-left corner in level-0 px, row by row */
    float *tissue;   /* count: tissue share */
    int tile_px;
    double tile_level0;                /* side in level-0 px; a plain image's is tile_px */
    double downsample;                 /* tile_level0 / tile_px */
    double mpp;                        /* of the tile's pixels, 0 for a plain image */
    int64_t slide_width, slide_height; /* level 0 */
    double overlap;                    /* of neighbouring tiles, in pixels of theirs */
} RmilGrid;

/* Tiles from the corner of the slide's bounds, each `overlap` less than its side after the one before, until the bounds are covered; kept
 * when their tissue share is ≥ min_tissue. Tiles that reach beyond the bounds are kept by the same rule, outside being no tissue.
 * RMIL_ERROR_DATA when none is kept. */
RMIL_API RmilGrid *rmil_grid_new(const RmilSlide *slide, const RmilMask *mask, const RmilTileOptions *options, GError **error);
RMIL_API void rmil_grid_free(RmilGrid *grid);
/* Tile i as tile_px × tile_px RGB bytes. Thread-safe. */
RMIL_API gboolean rmil_grid_read(const RmilGrid *grid, RmilSlide *slide, int64_t i, uint8_t *rgb, GError **error);
/* The same places read otherwise. seen: tiles of `pixels` pixels a side. around: tiles of as many pixels as the grid's, of `mpp` µm each
 * (of a plain image: mpp times as coarse), about the same middles; tiles at the slide's edge may begin before it. NULL: no memory. */
RMIL_API RmilGrid *rmil_grid_seen(const RmilGrid *grid, int pixels, GError **error);
RMIL_API RmilGrid *rmil_grid_around(const RmilGrid *grid, double mpp, GError **error);

/* The order in which tiles are best read: in blocks of about 1024 × 2048 pixels of the level that is read, which end where the file's own
 * tiles do as far as the grid allows. The file's tiles are then decoded once; row by row, on a wide slide, up to twice. */
typedef struct {
    int64_t count;  /* blocks */
    int64_t *first; /* count + 1: block b has the tiles at first[b] … first[b + 1] − 1 of … */
    int64_t *tiles; /* … the grid's tiles in the order of the blocks */
} RmilGridBlocks;
/* skip: by tile, those that are left out; NULL: none. The same slide and grid give the same blocks. */
RMIL_API RmilGridBlocks *rmil_grid_blocks_new(const RmilGrid *grid, const RmilSlide *slide, const uint8_t *skip, GError **error);
RMIL_API void rmil_grid_blocks_free(RmilGridBlocks *blocks);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilSlide, rmil_slide_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilMask, rmil_mask_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilGrid, rmil_grid_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilGridBlocks, rmil_grid_blocks_free)

G_END_DECLS
#endif
