/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil slide: opens slides and plain images; finds their resolution and tissue; lays a grid of tiles and reads them. */
#ifndef RANKMIL_SLIDE_H
#define RANKMIL_SLIDE_H

#include "base.h"

G_BEGIN_DECLS

typedef struct _RmilSlide RmilSlide;

/* Where the resolution of a slide comes from. */
typedef enum {
    RMIL_MPP_NONE,       /* a plain image without one: tiled at its own pixels */
    RMIL_MPP_GIVEN,      /* from the caller: always takes precedence */
    RMIL_MPP_PROPERTY,   /* the scanner's mpp */
    RMIL_MPP_RESOLUTION, /* TIFF resolution tags, ImageJ's unit */
    RMIL_MPP_OBJECTIVE,  /* 10 / objective power: an estimate, with a warning */
    RMIL_MPP_OME         /* PhysicalSizeX and Y of OME-XML */
} RmilMppSource;

typedef struct {
    int64_t width, height;                                   /* level 0 */
    int64_t bounds_x, bounds_y, bounds_width, bounds_height; /* scanned area, level-0 px; the whole slide if unknown */
    double mpp;                                              /* µm per level-0 px (mean of x and y); 0 for RMIL_MPP_NONE */
    RmilMppSource mpp_source;
    int levels;
    gboolean plain;              /* not in a slide format that OpenSlide reads */
    const char *format;          /* OpenSlide's vendor or libvips' loader; owned by the slide */
    const char *const *warnings; /* for the user; each names the file; NULL-terminated; owned by the slide */
} RmilSlideInfo;

/* Opens a slide with OpenSlide, or else a plain image with libvips. Files that are not the slide itself are refused, with advice: an
 * overview without the files that have the pixels (MIRAX, Olympus), formats that OpenSlide does not read. Symbolic links are followed where
 * a slide has several files. mpp > 0 replaces the resolution in the file. A plain image is decoded at the first read.
 * Errors: IO; FORMAT; RESOLUTION if a slide has no plausible resolution (docs/preprocessing.md has the rules). An open slide is
 * thread-safe: all functions may be called by several threads at once. Free with rmil_slide_free. */
RMIL_API RmilSlide *rmil_slide_open(const char *path, double mpp, GError **error);
RMIL_API void rmil_slide_free(RmilSlide *slide);
RMIL_API const RmilSlideInfo *rmil_slide_info(const RmilSlide *slide); /* owned by the slide */
RMIL_API const char *rmil_slide_path(const RmilSlide *slide);          /* owned by the slide */

/* Reads width × height RGB pixels (row-major, 3 bytes each) that cover width · downsample × height · downsample level-0 pixels from (x, y)
 * on. Reads the nearest finer level and resamples by area; downsample < 1 interpolates. Outside the slide the pixels are white, or the
 * format's own background colour. Needs less than 100 MiB besides `rgb`, whatever the size. A broken tile is an error that gives its
 * position; other parts can still be read. Thread-safe. */
RMIL_API gboolean rmil_slide_read(RmilSlide *slide, double x, double y, double downsample, int64_t width, int64_t height, uint8_t *rgb,
                                  GError **error);

/* -- tissue (docs/preprocessing.md has all the rules) ---------------------------------------------------------------- */
typedef enum {
    RMIL_TISSUE_OTSU, /* the paper's: gray ≤ the upper threshold of three-class Otsu */
    RMIL_TISSUE_HSV,  /* saturation above a threshold, as CLAM does */
    RMIL_TISSUE_NONE  /* the whole scanned area */
} RmilTissueMethod;
RMIL_API const char *rmil_tissue_method_name(RmilTissueMethod method); /* "otsu", "hsv", "none" */
RMIL_API gboolean rmil_tissue_method_parse(const char *name, RmilTissueMethod *method, GError **error);

/* Why tissue or a tile was left out. */
typedef enum {
    RMIL_LEFT_NOTHING,
    RMIL_LEFT_PEN,   /* blue, green or black pen marks */
    RMIL_LEFT_FOLD,  /* folded tissue */
    RMIL_LEFT_SMALL, /* a piece smaller than min_area */
    RMIL_LEFT_BLUR,  /* a tile out of focus */
    RMIL_LEFT_REASONS
} RmilLeftOut;
RMIL_API const char *rmil_left_out_name(RmilLeftOut reason); /* "pen", "fold", "small", "blur"; "" for RMIL_LEFT_NOTHING */

typedef struct {
    int64_t width, height; /* of the mask, which covers all of level 0 */
    double downsample;     /* level-0 px per mask px */
    uint8_t *tissue;       /* height × width: 1 tissue, 0 not */
    uint8_t *left_out;     /* height × width RmilLeftOut: why tissue was left out; NULL if no rule was applied */
    int lower, upper;      /* thresholds of Otsu's method; tissue is gray ≤ upper (scikit-image's classes 0 and 1). 0 otherwise */
    double found;          /* mask pixels of tissue before any was left out */
    double left[RMIL_LEFT_REASONS]; /* mask pixels left out, by reason */
    char **warnings;                /* for the user; each names the slide; NULL-terminated */
} RmilMask;

/* Draws tissue that was outlined elsewhere into a mask that has none yet, with rmil_mask_add_ring. */
typedef void (*RmilMaskDraw)(RmilMask *mask, gpointer user);

typedef struct {
    double mpp; /* µm per mask pixel, 0.05 … 1000; 0 (default): 4, or for a plain image its own pixels, at most 4096 per side */
    RmilTissueMethod method;
    double min_area;          /* leave out pieces smaller than this many mm²; 0 (default): none */
    double max_hole;          /* fill holes smaller than this many mm²; 0 (default): none */
    gboolean pen, fold, blur; /* leave these out; blur only shows in tiles: rmil_grid_drop_blurred */
    RmilMaskDraw draw;        /* draws the tissue, instead of `method`; NULL (default): not used */
    gpointer user;            /* for draw */
} RmilTissueOptions;
RMIL_API void rmil_tissue_options_init(RmilTissueOptions *options);

/* Finds the tissue of a slide. options: NULL for the defaults. Reads in blocks; needs little more memory than the mask, or a few times as
 * much if the options need colours or areas. Pure black areas without texture count as not scanned, with a warning. Also warns of very dark
 * or faint slides, and if the options leave out much of the tissue. Without a resolution, min_area and max_hole are ignored, with a
 * warning. DATA if there is no tissue (for Otsu: fewer than three gray values, or thresholds no further apart than noise: a blank slide),
 * or if none is left; ARGUMENT for values out of range. Free with rmil_mask_free. */
RMIL_API RmilMask *rmil_mask_new(RmilSlide *slide, const RmilTissueOptions *options, GError **error);
RMIL_API void rmil_mask_free(RmilMask *mask);
/* Only for use in RmilMaskDraw: inverts the mask inside a closed ring. Outer rings and holes, in any order, thus give the area between
 * them. A mask pixel is inside if its centre is. xy: count × 2 level-0 px; the last point repeats the first. */
RMIL_API void rmil_mask_add_ring(RmilMask *mask, const double *xy, int64_t count);
/* The number of slide pixels that rmil_mask_new would decode. mpp: as in the options. */
RMIL_API int64_t rmil_mask_pixels(const RmilSlide *slide, double mpp);
/* Otsu's method with several classes (2 … 5): exactly scikit-image's threshold_multiotsu on a 256-bin histogram of uint8 gray values.
 * thresholds: classes − 1 entries. Fails if there are fewer distinct values than classes. */
RMIL_API gboolean rmil_otsu(const int64_t histogram[256], int classes, int *thresholds, GError **error);

/* -- tiles ----------------------------------------------------------------------------------------------------------- */
typedef struct {
    int tile_px;       /* pixels per side, 8 … 8192; 224 */
    double mpp;        /* µm per tile pixel, 0.02 … 100; 0.5. Ignored for images without a resolution */
    double min_tissue; /* minimum tissue fraction of a tile; 0.05 */
    double overlap;    /* of neighbouring tiles, in tile pixels, at most 0.95 · tile_px; 0 */
} RmilTileOptions;
RMIL_API void rmil_tile_options_init(RmilTileOptions *options);

typedef struct {
    int64_t count;
    int64_t *coords; /* count × 2: x, y of the top-left corners, level-0 px, row by row */
    float *tissue;   /* count: tissue fractions */
    int tile_px;
    double tile_level0;                /* side in level-0 px; tile_px for an image without a resolution */
    double downsample;                 /* tile_level0 / tile_px */
    double mpp;                        /* µm per tile pixel; 0 for an image without a resolution */
    int64_t slide_width, slide_height; /* level 0 */
    double overlap;                    /* of neighbouring tiles, in tile pixels */
    /* Tiles lost because tissue in them was left out: too little remains, or less than was left out. By the reason that covers most of each
     * tile. */
    int64_t left[RMIL_LEFT_REASONS];
    GArray *left_out; /* RmilLeftTile: those tiles */
} RmilGrid;

typedef struct {
    int64_t x, y; /* top-left corner, level-0 px */
    RmilLeftOut reason;
} RmilLeftTile;

/* Lays tiles row by row from the corner of the slide's bounds until they are covered; neighbours overlap by `overlap`. Keeps tiles with a
 * tissue fraction ≥ min_tissue, including those that extend beyond the bounds, where there is no tissue. DATA if no tile is kept; ARGUMENT
 * for options out of range or another slide's mask. Free with rmil_grid_free. */
RMIL_API RmilGrid *rmil_grid_new(const RmilSlide *slide, const RmilMask *mask, const RmilTileOptions *options, GError **error);
RMIL_API void rmil_grid_free(RmilGrid *grid);
/* Removes tiles that are out of focus (rmil_sharpness < 0.25); reads every tile. DATA if none remains. */
RMIL_API gboolean rmil_grid_drop_blurred(RmilGrid *grid, RmilSlide *slide, GError **error);
/* Sharpness of a tile of side × side RGB bytes: the energy in the two finest bands of its gray values (details up to 4 px) divided by that
 * of the third band (up to 8 px). Below 0.25, the tile is out of focus. INFINITY if the contrast is too low, or the tile too small, to
 * tell. */
RMIL_API double rmil_sharpness(const uint8_t *rgb, int side);
/* Reads tile i as tile_px × tile_px RGB bytes. Thread-safe. */
RMIL_API gboolean rmil_grid_read(const RmilGrid *grid, RmilSlide *slide, int64_t i, uint8_t *rgb, GError **error);
/* The same tiles read differently. seen: the same areas with `pixels` pixels per side. around: areas with the same centres and number of
 * pixels, at `mpp` µm per pixel (without a resolution: mpp times as coarse); at the slide's edge, their corners may be negative. NULL:
 * MEMORY. Free with rmil_grid_free. */
RMIL_API RmilGrid *rmil_grid_seen(const RmilGrid *grid, int pixels, GError **error);
RMIL_API RmilGrid *rmil_grid_around(const RmilGrid *grid, double mpp, GError **error);

/* An efficient order for reading tiles: in blocks of about 1024 × 2048 pixels of the level that is read, aligned to the tiles of the file
 * as far as the grid allows. Each tile of the file is then decoded once; row by row, on a wide slide, it would be up to twice. */
typedef struct {
    int64_t count;  /* blocks */
    int64_t *first; /* count + 1: block b has tiles[first[b]] … tiles[first[b + 1] − 1] */
    int64_t *tiles; /* indices into the grid, in the order of the blocks */
} RmilGridBlocks;
/* skip: per tile, non-zero to leave it out; NULL: none. The same slide, grid and skip give the same blocks. Free with
 * rmil_grid_blocks_free. */
RMIL_API RmilGridBlocks *rmil_grid_blocks_new(const RmilGrid *grid, const RmilSlide *slide, const uint8_t *skip, GError **error);
RMIL_API void rmil_grid_blocks_free(RmilGridBlocks *blocks);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilSlide, rmil_slide_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilMask, rmil_mask_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilGrid, rmil_grid_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilGridBlocks, rmil_grid_blocks_free)

G_END_DECLS
#endif
