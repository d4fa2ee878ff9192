/* SPDX-License-Identifier: Apache-2.0 */
/* The tissue mask. */
#include "slide/slide-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MASK_MPP 4.0    /* µm per mask pixel */
#define SIDE_PLAIN 4096 /* mask pixels a side of a plain image */
#define SIDE_MAX 16384  /* of any slide: 256 MiB */
#define STRIP (1 << 20) /* mask pixels read at once */

static double choose_downsample(const RmilSlideInfo *info, double mask_mpp) {
    double longest = (double)MAX(info->width, info->height), downsample = 1;
    if (info->mpp > 0 && (mask_mpp > 0 || !info->plain)) downsample = (mask_mpp > 0 ? mask_mpp : MASK_MPP) / info->mpp;
    return MAX(MAX(downsample, 1), longest / (info->plain ? SIDE_PLAIN : SIDE_MAX));
}

/* BT.601 luma with 14-bit weights, as OpenCV computes it for 8-bit images. A pixel that is partly outside the scan has
 * the colour of the part inside; one that is mostly outside has none (−1). */
static int gray_of(uint32_t argb) {
    uint32_t alpha = argb >> 24, red = argb >> 16 & 255, green = argb >> 8 & 255, blue = argb & 255;
    if (alpha < 128) return -1;
    if (alpha < 255) {
        red = MIN(255, (red * 255 + alpha / 2) / alpha);
        green = MIN(255, (green * 255 + alpha / 2) / alpha);
        blue = MIN(255, (blue * 255 + alpha / 2) / alpha);
    }
    return (int)((red * 4899 + green * 9617 + blue * 1868 + 8192) >> 14);
}

/* Gray values into mask->tissue, 255 outside the scan; counts those inside. */
static gboolean read_gray(RmilSlide *slide, RmilMask *mask, int64_t histogram[256], GError **error) {
    const RmilSlideInfo *info = &slide->info;
    double scale = mask->downsample;
    int64_t left = (int64_t)ceil((double)info->bounds_x / scale - 0.5);
    int64_t top = (int64_t)ceil((double)info->bounds_y / scale - 0.5);
    int64_t right = (int64_t)ceil((double)(info->bounds_x + info->bounds_width) / scale - 0.5);
    int64_t bottom = (int64_t)ceil((double)(info->bounds_y + info->bounds_height) / scale - 0.5);
    right = MAX(right, left + 1);
    bottom = MAX(bottom, top + 1);
    int64_t rows = CLAMP(STRIP / mask->width, 1, mask->height);
    g_autofree uint32_t *argb = rmil_try_new(rows * mask->width, sizeof *argb, error);
    if (!argb) return FALSE;
    for (int64_t first = 0; first < mask->height; first += rows) {
        int64_t n = MIN(rows, mask->height - first);
        if (!rmil_slide_read_argb(slide, 0, (double)first * scale, scale, mask->width, n, argb, error)) return FALSE;
        for (int64_t i = 0; i < n * mask->width; i++) {
            int64_t x = i % mask->width, y = first + i / mask->width;
            int gray = x < left || x >= right || y < top || y >= bottom ? -1 : gray_of(argb[i]);
            if (gray >= 0) histogram[gray]++;
            mask->tissue[first * mask->width + i] = (uint8_t)(gray < 0 ? 255 : gray);
        }
    }
    return TRUE;
}

/* -- what was not scanned, though the file does not say so ---------------------------------------------------------------- */
/* Converters fill it with black. No tissue is: over 3 × 3 mask pixels there is always something above this. */
#define BLACK 3
#define BLACK_SHARE 0.001 /* of what was scanned; less is left alone */
#define DARK 80           /* a scan whose brightest gray values (all but 1 %) are below */

static int64_t total(const int64_t histogram[256]) {
    int64_t sum = 0;
    for (int i = 0; i < 256; i++) sum += histogram[i];
    return sum;
}

/* The gray value that 99 % of what is not black do not exceed; 255: nothing was scanned. */
static int brightest(const int64_t histogram[256]) {
    int64_t n = 0, sum = 0;
    for (int i = BLACK + 1; i < 256; i++) n += histogram[i];
    int gray = BLACK + 1;
    for (; n && gray < 255 && (sum += histogram[gray]) * 100 < n * 99; gray++) continue;
    return n ? gray : total(histogram) ? BLACK : 255;
}

static gboolean inside_black(const RmilMask *mask, int64_t x, int64_t y) {
    for (int64_t row = MAX(y - 1, 0); row <= MIN(y + 1, mask->height - 1); row++)
        for (int64_t column = MAX(x - 1, 0); column <= MIN(x + 1, mask->width - 1); column++)
            if (mask->tissue[row * mask->width + column] > BLACK) return FALSE;
    return TRUE;
}

/* The inside of black areas, and what is up to two pixels from it: their edge, and the pixels that they share with the scan. */
static void mark_black(const RmilMask *mask, uint8_t *marks) {
    for (int64_t y = 0; y < mask->height; y++)
        for (int64_t x = 0; x < mask->width; x++) {
            if (mask->tissue[y * mask->width + x] > BLACK || !inside_black(mask, x, y)) continue;
            int64_t left = MAX(x - 2, 0), right = MIN(x + 2, mask->width - 1);
            for (int64_t row = MAX(y - 2, 0); row <= MIN(y + 2, mask->height - 1); row++)
                memset(marks + row * mask->width + left, 1, (size_t)(right - left + 1));
        }
}

static gboolean drop_black(const RmilSlide *slide, RmilMask *mask, int64_t histogram[256], GPtrArray *warnings, GError **error) {
    int64_t black = 0, scanned = total(histogram), n = mask->width * mask->height;
    for (int i = 0; i <= BLACK; i++) black += histogram[i];
    if ((double)black < BLACK_SHARE * (double)scanned) return TRUE;
    uint8_t *marks = rmil_alloc(n, 1, error);
    if (!marks) return FALSE;
    mark_black(mask, marks);
    int64_t dropped = 0;
    for (int64_t i = 0; i < n; i++) dropped += marks[i] && mask->tissue[i] <= BLACK;
    if ((double)dropped >= BLACK_SHARE * (double)scanned) {
        for (int64_t i = 0; i < n; i++) {
            if (!marks[i] || mask->tissue[i] == 255) continue;
            histogram[mask->tissue[i]]--;
            mask->tissue[i] = 255;
        }
        g_ptr_array_add(warnings, g_strdup_printf("%s: %.3g %% of it is pure black, and is taken as not scanned", slide->name,
                                                  100 * (double)dropped / (double)scanned));
    }
    rmil_free(marks);
    return TRUE;
}

/* Warns where it is. */
static gboolean is_dark(const RmilSlide *slide, const int64_t histogram[256], GPtrArray *warnings) {
    int bright = brightest(histogram);
    if (bright >= DARK) return FALSE;
    g_ptr_array_add(warnings,
                    g_strdup_printf("%s: is very dark: hardly a gray value is above %d of 255. Images of 10 to 14 bits stored in 16 "
                                    "look like this: stretch their range first",
                                    slide->name, bright));
    return TRUE;
}

/* Thresholds nearer than NOISE split the noise of bare glass; up to FAINT the slide deserves a look. */
#define NOISE 6
#define FAINT 12

/* Mean difference of neighbours in a row; of bare glass about the distance of the thresholds, of tissue a small part of it. */
static double roughness(const RmilMask *mask) {
    double sum = 0;
    int64_t pairs = 0;
    for (int64_t i = 0; i + 1 < mask->width * mask->height; i++) {
        if ((i + 1) % mask->width == 0 || mask->tissue[i] == 255 || mask->tissue[i + 1] == 255) continue;
        sum += abs(mask->tissue[i] - mask->tissue[i + 1]);
        pairs++;
    }
    return pairs ? sum / (double)pairs : 0;
}

static gboolean is_blank(const RmilMask *mask) {
    int apart = mask->upper - mask->lower;
    return apart < NOISE || (apart < FAINT && apart < 1.5 * roughness(mask));
}

static gboolean find_thresholds(const RmilSlide *slide, RmilMask *mask, const int64_t histogram[256], gboolean dark, GPtrArray *warnings,
                                GError **error) {
    int thresholds[2];
    GError *reason = NULL;
    if (!rmil_otsu(histogram, 3, thresholds, &reason)) {
        if (g_error_matches(reason, RMIL_ERROR, RMIL_ERROR_MEMORY)) {
            g_propagate_prefixed_error(error, reason, "%s: the tissue cannot be searched: ", slide->name);
            return FALSE;
        }
        g_clear_error(&reason);
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: no tissue found%s: %s", slide->name, dark ? " in a very dark image" : "",
                         total(histogram) ? "it has fewer than three gray values, so that nothing can be told from the glass"
                                          : "all of it is black or transparent, as what was not scanned");
    }
    mask->lower = thresholds[0];
    mask->upper = thresholds[1];
    if (dark) return TRUE;
    if (is_blank(mask))
        return rmil_fail(
            error, RMIL_ERROR_DATA,
            "%s: no tissue found: it is blank, or too faint to be told from the glass (Otsu's thresholds are %d and %d of 255)",
            slide->name, mask->lower, mask->upper);
    if (mask->upper - mask->lower < FAINT)
        g_ptr_array_add(warnings,
                        g_strdup_printf("%s: has little contrast between tissue and glass (Otsu's thresholds are %d and %d of 255): "
                                        "look at its picture in masks/",
                                        slide->name, mask->lower, mask->upper));
    return TRUE;
}

int64_t rmil_mask_pixels(const RmilSlide *slide, double mask_mpp) {
    double downsample = choose_downsample(&slide->info, mask_mpp);
    int level = rmil_slide_level(slide, downsample);
    return slide->widths[level] * slide->heights[level];
}

RmilMask *rmil_mask_new(RmilSlide *slide, double mask_mpp, GError **error) {
    if (mask_mpp != 0 && !(mask_mpp >= 0.05 && mask_mpp <= 1000)) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "the mask's %g µm per pixel are outside 0.05 … 1000", mask_mpp);
        return NULL;
    }
    g_autoptr(RmilMask) mask = g_new0(RmilMask, 1);
    mask->downsample = choose_downsample(&slide->info, mask_mpp);
    mask->width = MAX(1, (int64_t)ceil((double)slide->info.width / mask->downsample - 1e-9));
    mask->height = MAX(1, (int64_t)ceil((double)slide->info.height / mask->downsample - 1e-9));
    mask->tissue = rmil_alloc(mask->width * mask->height, 1, error);
    int64_t histogram[256] = {0};
    if (!mask->tissue || !read_gray(slide, mask, histogram, error)) return NULL;
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    gboolean dark = is_dark(slide, histogram, warnings);
    if ((!dark && !drop_black(slide, mask, histogram, warnings, error)) || !find_thresholds(slide, mask, histogram, dark, warnings, error))
        return NULL;
    g_ptr_array_add(warnings, NULL);
    mask->warnings = (char **)g_ptr_array_steal(warnings, NULL);
    /* 255 is above every threshold, so pixels outside the scan are background */
    for (int64_t i = 0; i < mask->width * mask->height; i++) mask->tissue[i] = mask->tissue[i] <= mask->upper;
    return g_steal_pointer(&mask);
}

void rmil_mask_free(RmilMask *mask) {
    if (!mask) return;
    rmil_free(mask->tissue);
    g_strfreev(mask->warnings);
    g_free(mask);
}
