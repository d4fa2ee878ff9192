/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil bag: features, coordinates and labels of one slide, in memory and in HDF5; its patches as they look on the slide. */
#ifndef RANKMIL_BAG_H
#define RANKMIL_BAG_H

#include "tensors.h"

G_BEGIN_DECLS

/* One slide. All arrays are owned by the bag; NULL where absent. */
typedef struct {
    char *id;
    int64_t count; /* K patches, ≥ 1 */
    int64_t dim;   /* D floats each; 0 when the file holds only coordinates */
    RmilPrecision precision;
    void *features;        /* K × D, float or bfloat16 (uint16_t) as precision says */
    int64_t *coords;       /* K × 2, level-0 px */
    float *tissue;         /* K: tissue share */
    uint8_t *patch_labels; /* K: 1 annotated */
    /* attributes of /coords; 0 when unknown */
    double patch_size, patch_size_level0, target_mpp;
    int64_t slide_width, slide_height;
    char *source;   /* identity of the encoder and tiling that made it, or NULL */
    char *left_out; /* of tiles without features: how many tiles were left out for which reason, as JSON: {"pen": 12}; or NULL */
    /* what other tools' files say beside it, kept so that converting there and back loses nothing */
    char *extractor;      /* STAMP: name of the encoder, or NULL */
    double overlap;       /* of neighbouring patches, in the pixels of patch_size; 0 */
    gboolean mapped;      /* features lie in a mapped file */
    gboolean stored_half; /* the file holds features as float16 */
    double mpp;           /* µm per level-0 px, where known; 0 */
    double coords_um;     /* 0: coords and patch_size_level0 are level-0 px. Above 0: the file gives micrometres, not
                            * pixels (STAMP); they are in units of this many µm until rmil_bag_set_mpp gets the mpp */
    /* The slide to look at (rmil_bag_set_slide); NULL: none. A copy of this struct that lives no longer than the bag can be looked at,
     * too; it owns nothing. */
    struct _RmilPixels *pixels;
} RmilBag;

typedef enum {
    RMIL_BAG_ALL = 0,
    RMIL_BAG_NO_FEATURES = 1 /* read everything but the features */
} RmilBagFlags;

/* Features may come without coordinates: such bags train and predict (hipt excepted), but have no places to show or label.
 * Reads rankmil's layout and, as they are, those of CLAM (.h5 and .pt), TRIDENT, STAMP and the paper's code
 * (docs/formats.md); id: NULL for the file's stem. A file that does not say the size of its patches gets the spacing of
 * their grid, where there is one. NaN and infinite features are refused with the patch and column they stand in.
 * Thread-safe (HDF5 is entered by one thread at a time). */
RMIL_API RmilBag *rmil_bag_read(const char *path, const char *id, RmilPrecision precision, RmilBagFlags flags, GError **error);
RMIL_API void rmil_bag_free(RmilBag *bag);
/* A digest of what the bag holds, to find the same slide under another name: number and size of its features, coordinates, and
 * up to 64 of its patches' features, rounded to bfloat16, so that it is the same in either precision. Free with g_free. */
RMIL_API char *rmil_bag_digest(const RmilBag *bag);
/* Level-0 px from a patch to the next of its grid: its side, less what they overlap. */
RMIL_API double rmil_bag_step(const RmilBag *bag);
/* µm per level-0 pixel of the bag's slide, as its tiles imply it, else as it says; 0: not known. */
RMIL_API double rmil_bag_level0_mpp(const RmilBag *bag);
/* Some damaged files make HDF5 end the process. So a child process examines a file before it is first
 * read, and the file is refused if the child dies. Given many files at once, one child examines all of them, and is made while this
 * process is still small; otherwise there is one for each file. Files that are known already, that are not HDF5, or cannot be
 * opened, are passed over. The child calls HDF5 and nothing else; a caller's own threads may run on, but may not be in HDF5. */
RMIL_API void rmil_bag_examine(const char *const *paths, int64_t n);
/* Sets the slide's µm per level-0 pixel (nothing when ≤ 0): coordinates given in µm become level-0 pixels; others stay. */
RMIL_API void rmil_bag_set_mpp(RmilBag *bag, double mpp);
/* The same by the slide's own mpp when `mpp` is not above 0. slide: its path, or NULL. RMIL_ERROR_RESOLUTION when
 * coordinates are in µm and neither says how many a pixel has; they are left as they are. */
RMIL_API gboolean rmil_bag_locate(RmilBag *bag, const char *slide, double mpp, GError **error);
/* Writes float16 (half = TRUE) or float32 features, chunks ≥ 1 MiB. */
RMIL_API gboolean rmil_bag_write(const RmilBag *bag, const char *path, gboolean half, GError **error);
/* The same as "rankmil", "clam", "trident", "stamp" or "paper" (rmil_bag_layouts); "clam" with a path that ends in .pt writes the
 * features alone, as a PyTorch tensor. "paper" names a dataset for each patch after its cell, and puts patch labels, in the order
 * of those names, into a file of the same name that ends in .npy; tissue and source have no place in it. Read and written, float16 and float32 features stay the same bit for bit, as long
 * as `half` is what `stored_half` said. "stamp" needs the slide's mpp (rmil_bag_set_mpp) where the bag does not imply it. */
RMIL_API gboolean rmil_bag_write_as(const RmilBag *bag, const char *path, const char *layout, gboolean half, GError **error);
RMIL_API const char *const *rmil_bag_layouts(void); /* that can be written; NULL-terminated */

/* Features that come in batches: bounded memory, any order of batches, and a killed run continues where it stopped. Rows
 * are kept in PATH.partial until commit writes the whole file; its bytes are those of rmil_bag_write, however often the
 * work was interrupted. Only one writer at a time for a path (a second one is refused, where the file system can tell). */
typedef struct _RmilBagWriter RmilBagWriter;
/* meta: everything but the features (count, dim ≥ 1, coords, tissue, attributes, source), copied. Batches in PATH.partial
 * are reused when it was begun with the same meta and precision; else it starts empty. */
RMIL_API RmilBagWriter *rmil_bag_writer_begin(const RmilBag *meta, const char *path, gboolean half, GError **error);
/* Are rows first … first + rows − 1 all there? Ask before making a batch. Thread-safe. */
RMIL_API gboolean rmil_bag_writer_has(RmilBagWriter *writer, int64_t first, int64_t rows);
/* rows × dim floats. NaN and infinite values are refused with patch and column. Thread-safe. */
RMIL_API gboolean rmil_bag_writer_put(RmilBagWriter *writer, int64_t first, int64_t rows, const float *features, GError **error);
/* Writes the file, removes PATH.partial and frees the writer. On failure (rows missing, disk full) PATH.partial stays,
 * so that the work is not lost; the writer is freed all the same. */
RMIL_API gboolean rmil_bag_writer_commit(RmilBagWriter *writer, GError **error);
RMIL_API void rmil_bag_writer_free(RmilBagWriter *writer); /* PATH.partial stays for a later run */
/* Removes PATH.partial where PATH is complete, unless somebody is writing it: a process may have ended before it did so. */
RMIL_API void rmil_bag_writer_forget(const char *path);
RMIL_API void rmil_bag_writer_abandon(RmilBagWriter *writer); /* frees, and removes PATH.partial */

/* -- pixels of patches, straight from the slide ------------------------------------------------------------------------------- */
/* Decoded tiles and open slides that bags share. Of tiles it keeps `bytes` at most; 16 slides stay open, plain images (which are
 * decoded as a whole) as long as they are `bytes` together. The one used least recently goes first; a slide that is being read
 * never goes, so that more are open where more threads read. What comes out never depends on what is kept. */
typedef struct _RmilPixelCache RmilPixelCache;
/* threads: that read ahead what is expected, started when something is; 0: nothing is read ahead. */
RMIL_API RmilPixelCache *rmil_pixel_cache_new(int64_t bytes, int threads);
/* Stops reading ahead. Bags that use it keep using it, and the last of them frees it. */
RMIL_API void rmil_pixel_cache_free(RmilPixelCache *cache);

/* On which slide the patches lie; NULL: that is not known. Nothing is opened: what is wrong is reported when a patch is read. mpp: as for
 * rmil_slide_open, ≤ 0 for the slide's own; a slide that does not say it can be read all the same. cache: NULL for a small one of the
 * bag's own. */
RMIL_API void rmil_bag_set_slide(RmilBag *bag, const char *slide, double mpp, RmilPixelCache *cache);
/* A patch as side × side RGB bytes, row-major: the square of patch_size_level0 at its coordinates, as rmil_slide_read with downsample
 * patch_size_level0 / side gives it. side: 1 … 8192. A patch of a bag of several slides comes from its own slide, at that one's scale.
 * Errors: ARGUMENT, no such patch or side; DATA, no slide is known, or the bag has no coordinates or no patch_size_level0; RESOLUTION,
 * coordinates are in µm; the slide's own, each time the same, where it cannot be opened; of a patch that cannot be read, the slide's
 * with slide, patch and place before it. Thread-safe, as long as nobody changes the bag. */
RMIL_API gboolean rmil_bag_read_tile(const RmilBag *bag, int64_t patch, int side, uint8_t *rgb, GError **error);

typedef struct {
    const RmilBag *bag;
    int64_t patch;
} RmilTileWanted;
/* These n tiles of `side` pixels will soon be read, in about this order; a tile that is read k times is listed k times. The cache's threads
 * read ahead from the first on, as far as there is room, and continue as tiles are used; what is expected never gives way to what is
 * expected later. The list replaces the one before; tiles of bags with another cache, or without a place, are passed over. n = 0: nothing
 * is expected, and the call waits until nothing is being read ahead. A tile that cannot be read ahead is read when it is asked for, and
 * the error is reported then. The array is the caller's, and not needed after the call; the bags must stay as they are while it lasts.
 * Thread-safe. */
RMIL_API void rmil_pixel_cache_expect(RmilPixelCache *cache, const RmilTileWanted *tiles, int64_t n, int side);

/* Patch labels live in a file of their own, so that annotations can change without touching features:
 * /patch_labels (K) uint8, /overlap (K) float32. `source` says what made them (annotation, padding, threshold). */
RMIL_API gboolean rmil_labels_write(const char *path, const uint8_t *labels, const double *shares, int64_t count, const char *source,
                                    GError **error);
/* Reads such a file, or a NumPy array (.npy; whole numbers, floats or booleans). Anything but `count` values of 0 and 1
 * is refused. */
RMIL_API gboolean rmil_labels_read(const char *path, int64_t count, uint8_t *labels, GError **error);
/* *source: the text of that name stored in a feature or label file, NULL when there is none or no such file: the key of
 * resuming. FALSE: unknown, because there is a file that cannot be read. Free *source with g_free. */
RMIL_API gboolean rmil_bag_source(const char *path, char **source, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilBag, rmil_bag_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilPixelCache, rmil_pixel_cache_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilBagWriter, rmil_bag_writer_free)

G_END_DECLS
#endif
