/* SPDX-License-Identifier: Apache-2.0 */
/* Small slides whose every pixel is known: made with libvips, opened by OpenSlide. */
#ifndef RMIL_TEST_MAKE_SLIDE_H
#define RMIL_TEST_MAKE_SLIDE_H

#include "support.h"

#include "rankmil/slide.h"
#include "slide/vips.h"

typedef struct {
    int width, height;
    uint8_t *rgb;
} Picture;

Picture *picture_new(int width, int height, uint32_t colour); /* 0xRRGGBB */
Picture *picture_noise(int width, int height, uint64_t seed); /* smooth and noisy parts */
void picture_free(Picture *picture);
void picture_fill(Picture *picture, int x, int y, int width, int height, uint32_t colour);
const uint8_t *picture_at(const Picture *picture, int64_t x, int64_t y);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Picture, picture_free)

typedef struct {
    double mpp; /* in the TIFF's resolution tags; 0: libvips' 1 pixel per mm */
    gboolean pyramid, strips;
    int tile;                               /* 0: 64 */
    VipsForeignTiffCompression compression; /* NONE unless set */
    const char *description;                /* ImageDescription, from which OpenSlide recognises the scanner */
} SlideForm;

/* Writes FOLDER/NAME as (tiled) TIFF; free the path with g_free. */
char *make_slide(const char *folder, const char *name, const Picture *picture, SlideForm form);
/* Format by the name's suffix (.png, .jpg, .webp …). */
char *make_image(const char *folder, const char *name, const Picture *picture);
/* A Leica slide: the picture lies at (x, y) of an empty, transparent extent of width × height pixels, mpp 0.25. */
char *make_leica(const char *folder, const char *name, const Picture *picture, int x, int y, int width, int height, gboolean pyramid);

/* A MIRAX slide of one level, mpp 0.5: FOLDER/NAME (empty, as some are) and its folder. The picture, whole tiles of 256 px, lies at tile
 * (column, row) of 6 × 6 tiles; the rest was not scanned. */
char *make_mirax(const char *folder, const char *name, const Picture *picture, int column, int row);

/* Sets a tag of one value in a directory (from 0) of a TIFF. */
void patch_tag(const char *path, int directory, int tag, int value);
/* Overwrites the data of the tile with this index in the TIFF's first directory. */
void spoil_tile(const char *path, int tile);

RmilSlide *open_slide(const char *path, double mpp); /* must succeed */
void assert_pixel(const uint8_t *rgb, const uint8_t *expected, int tolerance);

#endif
