/* SPDX-License-Identifier: Apache-2.0 */
/* The slide at the resolution of its tissue mask, in the planes that the rules need. */
#include "slide/mask-private.h"

#include <math.h>

#define STRIP (1 << 20) /* mask pixels read at once */
#define NEARLY_BLACK 16 /* brightest colour of such a pixel: below, saturation is noise */

/* A pixel that is partly outside the scan has the colour of its inner part; one that is mostly outside has none (FALSE). */
static gboolean colour_of(uint32_t argb, uint32_t rgb[3]) {
    const uint32_t alpha = argb >> 24;
    if (alpha < 128) return FALSE;
    for (int c = 0; c < 3; c++) {
        rgb[c] = argb >> (16 - 8 * c) & 255;
        if (alpha < 255) rgb[c] = MIN(255, (rgb[c] * 255 + alpha / 2) / alpha);
    }
    return TRUE;
}

/* BT.601 luma with 14-bit weights, as OpenCV computes it for 8-bit images. */
static uint8_t gray_of(const uint32_t rgb[3]) { return (uint8_t)((rgb[0] * 4899 + rgb[1] * 9617 + rgb[2] * 1868 + 8192) >> 14); }

static uint8_t saturation_of(const uint32_t rgb[3]) {
    const uint32_t most = MAX(MAX(rgb[0], rgb[1]), rgb[2]), least = MIN(MIN(rgb[0], rgb[1]), rgb[2]);
    return (uint8_t)(most < NEARLY_BLACK ? 0 : (255 * (most - least) + most / 2) / most);
}

/* -- ink ---------------------------------------------------------------------------------------------------------------------- */
/* Haematoxylin and eosin both absorb green most (Ruifrok and Johnston, 2001): red relative to green is 0.93 at most, and blue 0.42. Blue
 * and green ink absorb red most; black ink absorbs all colours alike, and more than tissue does. Red ink looks like blood, and is not
 * detected. */
#define INK_FAINT 0.35 /* optical density below which ink is not detected */
#define INK_BLUE 1.15  /* red over green */
#define INK_BLACK 1.2  /* green density from which on black is ink */
#define INK_GRAY 0.85  /* smallest over largest */

static gboolean is_ink(const double density[3]) {
    const double red = density[0], green = density[1], blue = density[2];
    const double least = MIN(MIN(red, green), blue), most = MAX(MAX(red, green), blue);
    return (red > INK_FAINT && red > INK_BLUE * green) || (green > INK_BLACK && least > INK_GRAY * most);
}

/* For 0 … 255, natural logarithm. */
static const double *density_table(void) {
    static double table[256];
    static gsize made;
    if (g_once_init_enter(&made)) {
        for (int i = 0; i < 256; i++) table[i] = -log((i + 1) / 256.0);
        g_once_init_leave(&made, 1);
    }
    return table;
}

typedef struct {
    int64_t left, top, right, bottom; /* mask pixels inside the slide's bounds */
} Inside;

static Inside inside_of(const RmilSlideInfo *info, double scale) {
    Inside in = {(int64_t)ceil((double)info->bounds_x / scale - 0.5), (int64_t)ceil((double)info->bounds_y / scale - 0.5),
                 (int64_t)ceil((double)(info->bounds_x + info->bounds_width) / scale - 0.5),
                 (int64_t)ceil((double)(info->bounds_y + info->bounds_height) / scale - 0.5)};
    in.right = MAX(in.right, in.left + 1);
    in.bottom = MAX(in.bottom, in.top + 1);
    return in;
}

static void take_pixel(RmilTissueSearch *search, int64_t i, const uint32_t rgb[3]) {
    const double *density = density_table();
    if (search->gray) {
        const uint8_t gray = gray_of(rgb);
        search->histogram[gray]++;
        /* if everything scanned is tissue, white must not pass for unscanned */
        search->gray[i] = search->options->method == RMIL_TISSUE_NONE ? MIN(gray, RMIL_UNSCANNED - 1) : gray;
    }
    if (search->saturation) search->saturation[i] = saturation_of(rgb);
    if (search->ink) search->ink[i] = (uint8_t)is_ink((const double[3]){density[rgb[0]], density[rgb[1]], density[rgb[2]]});
    if (search->density) search->density[i] = (uint8_t)MIN(255, lround(RMIL_DENSITY * density[rgb[1]]));
}

gboolean rmil_tissue_read(RmilTissueSearch *search, GError **error) {
    const RmilMask *mask = search->mask;
    const Inside in = inside_of(&search->slide->info, mask->downsample);
    const int64_t rows = CLAMP(STRIP / mask->width, 1, mask->height);
    g_autofree uint32_t *argb = rmil_try_new(rows * mask->width, sizeof *argb, error);
    if (!argb) return FALSE;
    for (int64_t first = 0; first < mask->height; first += rows) {
        const int64_t n = MIN(rows, mask->height - first);
        if (!rmil_slide_read_argb(search->slide, 0, (double)first * mask->downsample, mask->downsample, mask->width, n, argb, error))
            return FALSE;
        for (int64_t i = 0; i < n * mask->width; i++) {
            const int64_t x = i % mask->width, y = first + i / mask->width;
            uint32_t rgb[3];
            if (x >= in.left && x < in.right && y >= in.top && y < in.bottom && colour_of(argb[i], rgb))
                take_pixel(search, first * mask->width + i, rgb);
            else if (search->gray) search->gray[first * mask->width + i] = RMIL_UNSCANNED;
        }
    }
    return TRUE;
}
