/* SPDX-License-Identifier: Apache-2.0 */
/* Tissue by three-class Otsu on gray values, and areas of a slide that were not scanned. */
#include "slide/mask-private.h"

#include <stdlib.h>
#include <string.h>

/* -- unscanned areas that the file does not declare ----------------------------------------------------------------------- */
/* Converters fill them with black. Tissue is never that black: over 3 × 3 mask pixels there is always something brighter than this. */
#define BLACK 3
#define BLACK_SHARE 0.001 /* of the scanned area; smaller areas are ignored */
#define DARK 80           /* a scan is dark if its brightest gray values (except for 1 %) are below this */

static int64_t total(const int64_t histogram[256]) {
    int64_t sum = 0;
    for (int i = 0; i < 256; i++) sum += histogram[i];
    return sum;
}

/* The 99th percentile of the gray values that are not black; 255: nothing was scanned. */
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

/* The inside of black areas, and pixels up to two away: their edge, and pixels shared with the scan. */
static void mark_black(const RmilMask *mask, uint8_t *marks) {
    for (int64_t y = 0; y < mask->height; y++)
        for (int64_t x = 0; x < mask->width; x++) {
            if (mask->tissue[y * mask->width + x] > BLACK || !inside_black(mask, x, y)) continue;
            int64_t left = MAX(x - 2, 0), right = MIN(x + 2, mask->width - 1);
            for (int64_t row = MAX(y - 2, 0); row <= MIN(y + 2, mask->height - 1); row++)
                memset(marks + row * mask->width + left, 1, (size_t)(right - left + 1));
        }
}

static gboolean drop_black(RmilTissueSearch *search, GError **error) {
    const RmilMask *mask = search->mask;
    int64_t *histogram = search->histogram, black = 0, scanned = total(histogram), n = mask->width * mask->height;
    for (int i = 0; i <= BLACK; i++) black += histogram[i];
    if ((double)black < BLACK_SHARE * (double)scanned) return TRUE;
    uint8_t *marks = rmil_alloc(n, 1, error);
    if (!marks) return FALSE;
    mark_black(mask, marks);
    int64_t dropped = 0;
    for (int64_t i = 0; i < n; i++) dropped += marks[i] && mask->tissue[i] <= BLACK;
    if ((double)dropped >= BLACK_SHARE * (double)scanned) {
        for (int64_t i = 0; i < n; i++) {
            if (!marks[i] || mask->tissue[i] == RMIL_UNSCANNED) continue;
            histogram[mask->tissue[i]]--;
            mask->tissue[i] = RMIL_UNSCANNED;
        }
        rmil_tissue_warn(search, "%.3g %% of it is pure black and counts as not scanned", 100 * (double)dropped / (double)scanned);
    }
    rmil_free(marks);
    return TRUE;
}

/* Warns if it is. */
static gboolean is_dark(RmilTissueSearch *search) {
    int bright = brightest(search->histogram);
    if (bright >= DARK) return FALSE;
    rmil_tissue_warn(search,
                     "is very dark: hardly any gray value is above %d of 255. Images with 10 to 14 bits stored in 16 look like this: "
                     "rescale them first",
                     bright);
    return TRUE;
}

gboolean rmil_tissue_black(RmilTissueSearch *search, gboolean *dark, GError **error) {
    *dark = is_dark(search);
    return *dark || drop_black(search, error);
}

/* Thresholds closer than NOISE split the noise of bare glass; up to FAINT the slide deserves a look. */
#define NOISE 6
#define FAINT 12

/* Mean difference of neighbours in a row; for bare glass about the distance of the thresholds, for tissue a small part of it. */
static double roughness(const RmilMask *mask) {
    double sum = 0;
    int64_t pairs = 0;
    for (int64_t i = 0; i + 1 < mask->width * mask->height; i++) {
        if ((i + 1) % mask->width == 0 || mask->tissue[i] == RMIL_UNSCANNED || mask->tissue[i + 1] == RMIL_UNSCANNED) continue;
        sum += abs(mask->tissue[i] - mask->tissue[i + 1]);
        pairs++;
    }
    return pairs ? sum / (double)pairs : 0;
}

static gboolean is_blank(const RmilMask *mask) {
    int apart = mask->upper - mask->lower;
    return apart < NOISE || (apart < FAINT && apart < 1.5 * roughness(mask));
}

static gboolean find_thresholds(RmilTissueSearch *search, gboolean dark, GError **error) {
    RmilMask *mask = search->mask;
    const char *name = search->slide->name;
    int thresholds[2];
    GError *reason = NULL;
    if (!rmil_otsu(search->histogram, 3, thresholds, &reason)) {
        if (g_error_matches(reason, RMIL_ERROR, RMIL_ERROR_MEMORY)) {
            g_propagate_prefixed_error(error, reason, "%s: tissue cannot be detected: ", name);
            return FALSE;
        }
        g_clear_error(&reason);
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: no tissue found%s: %s", name, dark ? " in a very dark image" : "",
                         total(search->histogram) ? "it has fewer than three gray values, so tissue cannot be told from glass"
                                                  : "all of it is black or transparent, as if it had not been scanned");
    }
    mask->lower = thresholds[0];
    mask->upper = thresholds[1];
    if (dark) return TRUE;
    if (is_blank(mask))
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: no tissue found: it is blank, or too faint to tell from the glass (Otsu's thresholds are %d and %d of 255)",
                         name, mask->lower, mask->upper);
    if (mask->upper - mask->lower < FAINT)
        rmil_tissue_warn(search,
                         "has little contrast between tissue and glass (Otsu's thresholds are %d and %d of 255): check its picture "
                         "in masks/",
                         mask->lower, mask->upper);
    return TRUE;
}

gboolean rmil_tissue_by_otsu(RmilTissueSearch *search, GError **error) {
    RmilMask *mask = search->mask;
    gboolean dark;
    if (!rmil_tissue_black(search, &dark, error) || !find_thresholds(search, dark, error)) return FALSE;
    /* unscanned pixels are above every threshold */
    for (int64_t i = 0; i < mask->width * mask->height; i++) mask->tissue[i] = mask->tissue[i] <= mask->upper;
    return TRUE;
}
