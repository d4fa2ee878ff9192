/* SPDX-License-Identifier: Apache-2.0 */
/* Tissue by saturation, as in CLAM's segmentation: median-filtered, above a fixed threshold. */
#include "slide/mask-private.h"

#define WINDOW 7    /* side of the median window in mask pixels */
#define THRESHOLD 8 /* of 255 */
#define NEARLY_ALL 0.98

gboolean rmil_tissue_by_hsv(RmilTissueSearch *search, GError **error) {
    RmilMask *mask = search->mask;
    gboolean dark;
    if (!rmil_tissue_black(search, &dark, error)) return FALSE;
    g_autofree uint8_t *median = rmil_plane_rank(search->saturation, mask, WINDOW, RMIL_RANK_MEDIAN, error);
    if (!median) return FALSE;
    int64_t scanned = 0, tissue = 0;
    for (int64_t i = 0; i < mask->width * mask->height; i++) {
        const gboolean inside = mask->tissue[i] != RMIL_UNSCANNED;
        mask->tissue[i] = inside && median[i] > THRESHOLD;
        scanned += inside;
        tissue += mask->tissue[i];
    }
    if (!tissue)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: no tissue found: nothing in it is coloured (saturation above %d of 255); for gray images use --tissue otsu",
                         search->slide->name, THRESHOLD);
    if ((double)tissue > NEARLY_ALL * (double)scanned)
        rmil_tissue_warn(search, "%.3g %% of it counts as tissue by its saturation: if the glass is tinted, use --tissue otsu",
                         100 * (double)tissue / (double)scanned);
    return TRUE;
}
