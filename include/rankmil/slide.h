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
 * RMIL_ERROR_RESOLUTION for a slide without a believable resolution (docs/preprocessing.md has the rules).
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

/* -- tissue (docs/preprocessing.md has the rules in full) ------------------------------------------------------------ */
typedef enum {
    RMIL_TISSUE_OTSU, /* gray ≤ the upper of three-class Otsu's thresholds: the paper's */
    RMIL_TISSUE_HSV,  /* saturation above a threshold, as CLAM does */
    RMIL_TISSUE_NONE  /* all that was scanned */
} RmilTissueMethod;
RMIL_API const char *rmil_tissue_method_name(RmilTissueMethod method); /* "otsu", "hsv", "none" */
RMIL_API gboolean rmil_tissue_method_parse(const char *name, RmilTissueMethod *method, GError **error);

/* Why something that would be tissue is left out. */
typedef enum {
    RMIL_LEFT_NOTHING,
    RMIL_LEFT_PEN,   /* ink of a blue, green or black pen */
    RMIL_LEFT_FOLD,  /* tissue that lies double */
    RMIL_LEFT_SMALL, /* a piece smaller than min_area */
    RMIL_LEFT_BLUR,  /* a tile out of focus */
    RMIL_LEFT_REASONS
} RmilLeftOut;
RMIL_API const char *rmil_left_out_name(RmilLeftOut reason); /* "pen", "fold", "small", "blur"; "" for nothing */

typedef struct {
    int64_t width, height; /* of the mask: it covers the whole of level 0 */
    double downsample;     /* level-0 px per mask px */
    uint8_t *tissue;       /* height × width, 1 tissue, 0 not */
    uint8_t *left_out;     /* height × width RmilLeftOut of what would be tissue; NULL: nothing was looked for */
    int lower, upper;      /* Otsu's two thresholds; tissue is gray ≤ upper (scikit-image's classes 0 and 1). 0 by other methods */
    double found;          /* mask pixels that were tissue before any was left out */
    double left[RMIL_LEFT_REASONS]; /* mask pixels left out */
    char **warnings;                /* what the user should hear, each naming the slide; NULL-terminated */
} RmilMask;

/* Draws tissue into a mask that has none yet, where it is given rather than found (rmil_mask_add_ring). */
typedef void (*RmilMaskDraw)(RmilMask *mask, gpointer user);

typedef struct {
    double mpp; /* µm per mask pixel, 0 (default): 4; plain images: their own pixels, at most 4096 a side */
    RmilTissueMethod method;
    double min_area;          /* mm²: smaller pieces are left out; 0 (default): none */
    double max_hole;          /* mm²: smaller holes are filled; 0 (default): none */
    gboolean pen, fold, blur; /* look for these, and leave them out. Blur shows in tiles: rmil_grid_drop_blurred */
    RmilMaskDraw draw;        /* instead of the method; NULL (default) */
    gpointer user;            /* of draw */
} RmilTissueOptions;
RMIL_API void rmil_tissue_options_init(RmilTissueOptions *options);

/* options: NULL for the usual. Reads in blocks; memory stays near the mask's own size, and some times that where rules ask for colours or
 * areas. Areas of pure black without texture count as not scanned, with a warning. Warns of very dark and very faint slides, and of rules
 * that leave out much. Areas are not looked at on an image without resolution, with a warning. Fails with RMIL_ERROR_DATA when no tissue
 * is found (by Otsu: fewer than three gray values, or thresholds that are apart by noise only: a blank slide), or none is left. */
RMIL_API RmilMask *rmil_mask_new(RmilSlide *slide, const RmilTissueOptions *options, GError **error);
RMIL_API void rmil_mask_free(RmilMask *mask);
/* Within RmilMaskDraw: turns over what a closed ring encloses, tissue to none and none to tissue, so that rings and their holes, in any
 * order, give their area. A mask pixel is inside when its middle is. xy: count × 2 level-0 px, first point repeated. */
RMIL_API void rmil_mask_add_ring(RmilMask *mask, const double *xy, int64_t count);
/* How many pixels of the slide rmil_mask_new decodes. mpp: of the options. */
RMIL_API int64_t rmil_mask_pixels(const RmilSlide *slide, double mpp);
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
    int64_t
        left[RMIL_LEFT_REASONS]; /* tiles that would be in it, but for what was left out (too little tissue is left, or less than was left
                                        * out), by the reason that covers most of them */
    GArray *left_out;            /* RmilLeftTile: those tiles */
} RmilGrid;

typedef struct {
    int64_t x, y; /* top-left corner, level-0 px */
    RmilLeftOut reason;
} RmilLeftTile;

/* Tiles from the corner of the slide's bounds, each `overlap` less than its side after the one before, until the bounds are covered; kept
 * when their tissue share is ≥ min_tissue. Tiles that reach beyond the bounds are kept by the same rule, outside being no tissue.
 * RMIL_ERROR_DATA when none is kept. */
RMIL_API RmilGrid *rmil_grid_new(const RmilSlide *slide, const RmilMask *mask, const RmilTileOptions *options, GError **error);
RMIL_API void rmil_grid_free(RmilGrid *grid);
/* Leaves out tiles that are out of focus, which it reads for that. RMIL_ERROR_DATA when none is left. */
RMIL_API gboolean rmil_grid_drop_blurred(RmilGrid *grid, RmilSlide *slide, GError **error);
/* The measure of that: of a tile's gray values, the energy of its two finest bands (details of up to 4 px) over that of the third (of up to 8 px), from
 * side × side RGB bytes; INFINITY where there is too little contrast to tell. Below 0.25 the tile is out of focus. */
RMIL_API double rmil_sharpness(const uint8_t *rgb, int side);
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
