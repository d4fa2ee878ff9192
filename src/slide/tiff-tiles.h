/* SPDX-License-Identifier: Apache-2.0 */
/* The tiles of a TIFF file, decoded by libtiff and kept for a while: the same pixels as OpenSlide's, which paints each of them in floating
 * point (pixman's way for the operator that it uses) and so takes twice the time. */
#ifndef RMIL_SLIDE_TILES_H
#define RMIL_SLIDE_TILES_H

#include "slide/slide-private.h"

typedef struct _RmilTiffTiles RmilTiffTiles;

/* Of a slide of `levels` levels that OpenSlide has opened, by their sizes. NULL: none of its levels is of tiles that can be read so
 * (8-bit JPEG). */
RmilTiffTiles *rmil_tiff_tiles_new(const RmilSlide *slide);
void rmil_tiff_tiles_free(RmilTiffTiles *tiles);

/* A rectangle in level pixels; level: OpenSlide's number. FALSE: it cannot be read so, for the level is of another kind, the rectangle
 * reaches beyond it, or a tile is missing or damaged: ask OpenSlide. Thread-safe. */
gboolean rmil_tiff_tiles_read(RmilTiffTiles *tiles, int level, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t *argb);
/* The same of an eighth of the size: each pixel is of 8 × 8 of the level's (jpeg.h). The rectangle lies in whole ones. */
gboolean rmil_tiff_tiles_read_eighths(RmilTiffTiles *tiles, int level, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t *argb);
/* Never again from this level. */
void rmil_tiff_tiles_give_up(RmilTiffTiles *tiles, int level);
/* FALSE until the caller has compared a tile of the level with OpenSlide's, and says so by rmil_tiff_tiles_trust. */
gboolean rmil_tiff_tiles_trusted(const RmilTiffTiles *tiles, int level);
void rmil_tiff_tiles_trust(RmilTiffTiles *tiles, int level);

#endif
