#include "slide/slide-private.h"

#include <math.h>

#define MASK_MPP 4.0      /* µm per mask pixel */
#define SIDE_PLAIN 4096   /* mask pixels a side of a plain image */
#define SIDE_MAX 16384    /* of any slide: 256 MiB */
#define STRIP (1 << 20)   /* mask pixels read at once */

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
    g_autofree uint32_t *argb = g_new(uint32_t, (gsize)(rows * mask->width));
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
    int thresholds[2];
    GError *reason = NULL;
    if (!rmil_otsu(histogram, 3, thresholds, &reason)) {
        rmil_fail(error, RMIL_ERROR_DATA, "%s: no tissue found: %s", slide->name, reason->message);
        g_error_free(reason);
        return NULL;
    }
    mask->lower = thresholds[0];
    mask->upper = thresholds[1];
    /* 255 is above every threshold, so pixels outside the scan are background */
    for (int64_t i = 0; i < mask->width * mask->height; i++) mask->tissue[i] = mask->tissue[i] <= mask->upper;
    return g_steal_pointer(&mask);
}

void rmil_mask_free(RmilMask *mask) {
    if (!mask) return;
    rmil_free(mask->tissue);
    g_free(mask);
}
