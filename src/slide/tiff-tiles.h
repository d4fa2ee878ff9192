/* SPDX-License-Identifier: Apache-2.0 */
/* The tiles of a TIFF file, decoded by libtiff and cached: the same pixels as OpenSlide's. OpenSlide paints each tile in floating point
 * (pixman's way for the operator that it uses), and so takes twice as long. */
#ifndef RMIL_SLIDE_TILES_H
#define RMIL_SLIDE_TILES_H

#include "slide/slide-private.h"

typedef struct _RmilTiffTiles RmilTiffTiles;

/* For a slide of `levels` levels that OpenSlide has opened; levels are found by their sizes. NULL: no level has tiles that can be read this
 * way (8-bit JPEG). */
RmilTiffTiles *rmil_tiff_tiles_new(const RmilSlide *slide);
void rmil_tiff_tiles_free(RmilTiffTiles *tiles);

/* A rectangle in level pixels; level: OpenSlide's number. FALSE: use OpenSlide, because the level is of another kind, the rectangle reaches
 * beyond it, or a tile is missing or damaged. Thread-safe. */
gboolean rmil_tiff_tiles_read(RmilTiffTiles *tiles, int level, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t *argb);
/* The same at an eighth of the size: each pixel stands for 8 × 8 of the level's (jpeg.h). The rectangle lies within whole ones. */
gboolean rmil_tiff_tiles_read_eighths(RmilTiffTiles *tiles, int level, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t *argb);
/* Never use this level again. */
void rmil_tiff_tiles_give_up(RmilTiffTiles *tiles, int level);
/* FALSE until the caller has compared a tile of the level with OpenSlide's, and called rmil_tiff_tiles_trust. */
gboolean rmil_tiff_tiles_trusted(const RmilTiffTiles *tiles, int level);
void rmil_tiff_tiles_trust(RmilTiffTiles *tiles, int level);

#endif
