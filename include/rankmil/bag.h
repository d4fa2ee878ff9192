/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil bag: the features, coordinates and labels of one slide, in memory and in HDF5; the pixels of its patches. */
#ifndef RANKMIL_BAG_H
#define RANKMIL_BAG_H

#include "tensors.h"

G_BEGIN_DECLS

/* One slide. The bag owns its arrays and strings; those that it does not have are NULL. */
typedef struct {
    char *id;
    int64_t count; /* K patches, ≥ 1 */
    int64_t dim;   /* D features per patch; 0 if the file has only coordinates */
    RmilPrecision precision;
    void *features;        /* K × D, float or (bfloat16) uint16_t, according to `precision` */
    int64_t *coords;       /* K × 2: x, y of the top-left corners, level-0 px */
    float *tissue;         /* K: tissue fractions */
    uint8_t *patch_labels; /* K: 1 annotated, 0 not */
    /* attributes of /coords; 0 if unknown */
    double patch_size, patch_size_level0, target_mpp; /* side of a patch in its own px and in level-0 px; µm per patch px */
    int64_t slide_width, slide_height;                /* level-0 px */
    char *source;                                     /* identity of the encoder and tiling that made it */
    char *left_out; /* only for tiles without features: the number of tiles left out, by reason, as JSON: {"pen": 12} */
    /* further contents of other tools' files, kept so that converting there and back loses nothing */
    char *extractor;      /* STAMP: name of the encoder */
    double overlap;       /* of neighbouring patches, in the pixels of patch_size; 0 */
    gboolean mapped;      /* `features` is a memory-mapped file */
    gboolean stored_half; /* the file stores features as float16 */
    double mpp;           /* µm per level-0 px; 0 if unknown */
    /* 0: coords and patch_size_level0 are in level-0 px. Above 0: the file has µm instead (STAMP), and they are in units of this many µm
     * until rmil_bag_set_mpp converts them. */
    double coords_um;
    /* The slide to read pixels from (rmil_bag_set_slide); NULL: none. A plain copy of this struct may also be read from, as long as the bag
     * exists; the copy owns nothing. */
    struct _RmilPixels *pixels;
} RmilBag;

typedef enum {
    RMIL_BAG_ALL = 0,
    RMIL_BAG_NO_FEATURES = 1 /* read everything except the features */
} RmilBagFlags;

/* Reads a file in rankmil's layout, or in those of CLAM (.h5 and .pt), TRIDENT, STAMP and the paper's code (docs/formats.md). id: NULL for
 * the file's name without extension. Coordinates may be missing: such a bag can be used for training and prediction (except with hipt), but
 * not for heat maps or labelling. If the file does not give the size of its patches, the spacing of their grid is used, if they lie on one.
 * Errors: IO; FORMAT; DATA for NaN or infinite features, with patch and column; MEMORY. Thread-safe (one thread at a time is in HDF5). Free
 * with rmil_bag_free. */
RMIL_API RmilBag *rmil_bag_read(const char *path, const char *id, RmilPrecision precision, RmilBagFlags flags, GError **error);
RMIL_API void rmil_bag_free(RmilBag *bag);
/* A SHA-256 that recognises the same slide under another name: of count, dim, and the features of up to 64 patches, rounded to bfloat16 so
 * that it is the same for either precision. Coordinates and labels are not part of it. Free with g_free. */
RMIL_API char *rmil_bag_digest(const RmilBag *bag);
/* Distance between neighbouring patches of the grid in level-0 px: their side minus their overlap. */
RMIL_API double rmil_bag_step(const RmilBag *bag);
/* µm per level-0 px, computed from the patch sizes if they are known, otherwise `mpp`; 0 if unknown. */
RMIL_API double rmil_bag_level0_mpp(const RmilBag *bag);
/* Damaged files can make HDF5 crash the process. Each file is therefore examined by a child process before it is first read, and refused if
 * the child crashes. Calling this with many files starts one child for all of them, while this process is still small; otherwise there is
 * one child per file. Skips files that have been examined, are not HDF5, or cannot be opened. The child calls only HDF5. Other threads of
 * the caller may keep running, but not in HDF5. */
RMIL_API void rmil_bag_examine(const char *const *paths, int64_t n);
/* Sets the slide's µm per level-0 px. Coordinates in µm are converted to level-0 px; others stay the same. mpp ≤ 0: does nothing. */
RMIL_API void rmil_bag_set_mpp(RmilBag *bag, double mpp);
/* The same; if mpp ≤ 0 and the coordinates are in µm, the resolution is read from the slide. slide: its path, or NULL. RESOLUTION if
 * neither gives it (the coordinates then stay in µm), or another error if the slide does not open. */
RMIL_API gboolean rmil_bag_locate(RmilBag *bag, const char *slide, double mpp, GError **error);
/* Writes a bag in rankmil's layout, with float16 (half = TRUE) or float32 features in chunks of at least 1 MiB, atomically. */
RMIL_API gboolean rmil_bag_write(const RmilBag *bag, const char *path, gboolean half, GError **error);
/* The same in the layout "rankmil", "clam", "trident", "stamp" or "paper" (rmil_bag_layouts). With half = stored_half, reading and writing
 * a file preserves its features bit for bit.
 *   clam   if the path ends in .pt, writes only the features, as a PyTorch tensor
 *   paper  names the dataset of each patch after its grid cell, and writes patch labels in the order of those names into a .npy file of
 *          the same name; it cannot store tissue and source
 *   stamp  needs the slide's mpp (rmil_bag_set_mpp), unless the patch sizes give it */
RMIL_API gboolean rmil_bag_write_as(const RmilBag *bag, const char *path, const char *layout, gboolean half, GError **error);
RMIL_API const char *const *rmil_bag_layouts(void); /* layouts that can be written; NULL-terminated */

/* Writes features batch by batch: needs little memory, accepts batches in any order, and continues after a kill. Rows are kept in
 * PATH.partial until commit writes the whole file. It has the same bytes as with rmil_bag_write, however often the work was interrupted.
 * Only one writer at a time per path: a second one is an error, on file systems with locks. */
typedef struct _RmilBagWriter RmilBagWriter;
/* meta: everything except the features (count, dim ≥ 1, coords, tissue, patch_labels, attributes, source); copied. Batches in an existing
 * PATH.partial are reused if it was begun with the same meta and precision; otherwise they are discarded. */
RMIL_API RmilBagWriter *rmil_bag_writer_begin(const RmilBag *meta, const char *path, gboolean half, GError **error);
/* Are rows first … first + rows − 1 all present? Ask before computing a batch. Thread-safe. */
RMIL_API gboolean rmil_bag_writer_has(RmilBagWriter *writer, int64_t first, int64_t rows);
/* Adds rows × dim floats. DATA for NaN or infinite values, with patch and column. Thread-safe. */
RMIL_API gboolean rmil_bag_writer_put(RmilBagWriter *writer, int64_t first, int64_t rows, const float *features, GError **error);
/* Writes the file, removes PATH.partial and frees the writer. If that fails (rows missing, disk full), the writer is also freed, but
 * PATH.partial stays, so that no work is lost. */
RMIL_API gboolean rmil_bag_writer_commit(RmilBagWriter *writer, GError **error);
RMIL_API void rmil_bag_writer_free(RmilBagWriter *writer); /* leaves PATH.partial for a later run */
/* Removes a PATH.partial left by a process that ended just after it had completed PATH, unless a writer has it open. Only call it if PATH
 * is complete. */
RMIL_API void rmil_bag_writer_forget(const char *path);
RMIL_API void rmil_bag_writer_abandon(RmilBagWriter *writer); /* frees the writer and removes PATH.partial */

/* -- pixels of patches, read from the slide ----------------------------------------------------------------------------------- */
/* A cache of decoded tiles and open slides, shared by bags. Keeps at most `bytes` of tiles and 16 open slides; of plain images, which are
 * decoded as a whole, at most another `bytes`. The least recently used goes first, but a slide that is being read stays open, so there may
 * be more than 16 with more threads. The cache never changes what is read. Thread-safe. */
typedef struct _RmilPixelCache RmilPixelCache;
/* threads: for reading ahead (rmil_pixel_cache_expect), started when first needed; 0: no reading ahead. */
RMIL_API RmilPixelCache *rmil_pixel_cache_new(int64_t bytes, int threads);
/* Stops reading ahead. Bags that use the cache continue to do so; the memory is freed with the last of them. */
RMIL_API void rmil_pixel_cache_free(RmilPixelCache *cache);

/* Sets the slide of the patches; NULL: unknown. Opens nothing: errors are reported when a patch is read. mpp: as for rmil_slide_open, ≤ 0
 * for the slide's own; a slide without one can still be read. cache: NULL for a small one that belongs to the bag. */
RMIL_API void rmil_bag_set_slide(RmilBag *bag, const char *slide, double mpp, RmilPixelCache *cache);
/* Reads a patch as side × side RGB bytes, row-major: the square of side patch_size_level0 at its coordinates, as rmil_slide_read does with
 * downsample patch_size_level0 / side. side: 1 … 8192. In a bag of several slides, each patch is read from its own slide at that slide's
 * scale. Errors: ARGUMENT (no such patch, side out of range); DATA (no slide, coordinates or patch_size_level0); RESOLUTION (coordinates in
 * µm); the slide's error if it does not open, the same at each call; the slide's error, preceded by slide, patch and position, if
 * the patch cannot be read. Thread-safe as long as the bag is not changed. */
RMIL_API gboolean rmil_bag_read_tile(const RmilBag *bag, int64_t patch, int side, uint8_t *rgb, GError **error);

typedef struct {
    const RmilBag *bag;
    int64_t patch;
} RmilTileWanted;
/* Announces that these n tiles of `side` pixels will soon be read, in roughly this order; a tile that will be read k times is listed k
 * times. The cache's threads read ahead from the start of the list as far as there is room, and continue as tiles are used. A tile is never
 * dropped in favour of one that is listed later. The list replaces the previous one. Tiles of bags with another cache, or without a
 * position, are skipped. If a tile cannot be read ahead, it is read when it is asked for, and any error is reported then. n = 0 clears the
 * list and waits until nothing is being read ahead. The array is copied; the bags must not change while the list is in use. Thread-safe. */
RMIL_API void rmil_pixel_cache_expect(RmilPixelCache *cache, const RmilTileWanted *tiles, int64_t n, int side);

/* Patch labels have a file of their own, so that annotations can change without touching the features: /patch_labels (K) uint8, /overlap
 * (K) float32. shares: `overlap`, or NULL for none. source: what the labels were made from (annotation, padding, threshold), or NULL. */
RMIL_API gboolean rmil_labels_write(const char *path, const uint8_t *labels, const double *shares, int64_t count, const char *source,
                                    GError **error);
/* Reads such a file or a NumPy array (.npy; integers, floats or booleans) into `labels`. It must have exactly `count` values, each 0 or
 * 1. */
RMIL_API gboolean rmil_labels_read(const char *path, int64_t count, uint8_t *labels, GError **error);
/* *source: the `source` stored in a feature or label file, which tells whether the file is up to date; NULL if the file has none or does
 * not exist. FALSE: unknown, because the file cannot be read. Free *source with g_free. */
RMIL_API gboolean rmil_bag_source(const char *path, char **source, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilBag, rmil_bag_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilPixelCache, rmil_pixel_cache_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilBagWriter, rmil_bag_writer_free)

G_END_DECLS
#endif
