/* SPDX-License-Identifier: Apache-2.0 */
/* The origin of outlines and masks: the corner of level 0, or that of the scanned area, which is all that QuPath shows. */
#include "annotation-private.h"

#include <math.h>

gboolean rmil_has_bounds(const RmilAnnotationOptions *options) {
    return options->bounds_width > 0 && options->bounds_height > 0 && options->slide_width > 0 && options->slide_height > 0 &&
           (options->bounds_width != options->slide_width || options->bounds_height != options->slide_height);
}

typedef struct {
    double left, top, right, bottom;
} Box;

static Box box_of(const RmilOutlines *outlines) {
    Box box = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (guint i = 0; i < outlines->shapes->len; i++) {
        const RmilShape *shape = outlines->shapes->pdata[i];
        for (guint k = 0; k < shape->rings->len; k++) {
            const GArray *ring = shape->rings->pdata[k];
            for (guint p = 0; p < ring->len; p++) {
                const RmilPoint *at = &g_array_index(ring, RmilPoint, p);
                box = (Box){MIN(box.left, at->x), MIN(box.top, at->y), MAX(box.right, at->x), MAX(box.bottom, at->y)};
            }
        }
    }
    return box;
}

/* Is it inside the scanned area, whose corner is at (x, y)? An outline may extend a little beyond the edge. */
static gboolean fits(const Box *box, const RmilAnnotationOptions *options, double x, double y) {
    double width = (double)options->bounds_width, height = (double)options->bounds_height, over = 0.01 * MAX(width, height);
    return box->left >= x - over && box->top >= y - over && box->right <= x + width + over && box->bottom <= y + height + over;
}

static void shift(const RmilOutlines *outlines, double x, double y) {
    for (guint i = 0; i < outlines->shapes->len; i++) {
        const RmilShape *shape = outlines->shapes->pdata[i];
        for (guint k = 0; k < shape->rings->len; k++) {
            GArray *ring = shape->rings->pdata[k];
            for (guint p = 0; p < ring->len; p++) {
                RmilPoint *at = &g_array_index(ring, RmilPoint, p);
                *at = (RmilPoint){at->x + x, at->y + y};
            }
        }
    }
}

#define NOTE_WHOLE                                                                                                                         \
    "its outlines fit the scanned area only if their coordinates start at the corner of level 0, so they are read that way, as exported "  \
    "without cropping; the scanned area begins at level-0 pixel"
#define NOTE_BOTH                                                                                                                          \
    "its outlines are read from the corner of the scanned area, as QuPath exports them, though they would also fit from the "              \
    "corner of level 0: if they were exported without cropping, give --uncropped. The scanned area begins at level-0 pixel"
#define NOTE_NEITHER                                                                                                                       \
    "its outlines are read from the corner of the scanned area, as QuPath exports them, but some lie outside it, whichever corner their "  \
    "coordinates start at; it begins at level-0 pixel"

static void note(RmilOutlines *outlines, const char *reason, const RmilAnnotationOptions *options) {
    g_autofree char *corner = g_strdup_printf("(%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ")", options->bounds_x, options->bounds_y);
    rmil_outlines_note(outlines, reason, corner);
}

void rmil_outlines_place(RmilOutlines *outlines, const RmilAnnotationOptions *options) {
    if (options->uncropped || outlines->from_level0 || !rmil_has_bounds(options) || (options->bounds_x == 0 && options->bounds_y == 0))
        return;
    const double x = (double)options->bounds_x, y = (double)options->bounds_y;
    Box box = box_of(outlines);
    if (!(box.left <= box.right)) return;
    gboolean cropped = fits(&box, options, 0, 0), whole = fits(&box, options, x, y);
    if (cropped || !whole) shift(outlines, x, y);
    if (whole != cropped) {
        if (whole) note(outlines, NOTE_WHOLE, options);
        return;
    }
    note(outlines, whole ? NOTE_BOTH : NOTE_NEITHER, options);
}

/* Does an area of this size have the mask's shape? Allows two pixels, since each of several halvings may round, or 2 %. */
static gboolean same_shape(int mask_width, int mask_height, int64_t width, int64_t height) {
    double across = (double)width / mask_width, down = (double)height / mask_height;
    return fabs(across / down - 1) <= MAX(0.02, 2.0 / MIN(mask_width, mask_height));
}

static RmilMaskPlace lay(int mask_width, int mask_height, int64_t x, int64_t y, int64_t width, int64_t height) {
    return (RmilMaskPlace){(double)x, (double)y, (double)width / mask_width, (double)height / mask_height};
}

#define NOTE_MASK_AREA "the mask is placed on the scanned area, because it has the same aspect ratio; the area begins at level-0 pixel"
#define NOTE_MASK_BOTH                                                                                                                     \
    "the mask is placed on the scanned area, as QuPath exports it, though it would also fit the whole slide: if it covers the whole "      \
    "slide, give --uncropped. The scanned area begins at level-0 pixel"
#define NOTE_MASK_WHOLE                                                                                                                    \
    "the mask is placed on the whole slide, because it has the same aspect ratio, not on the scanned area, which "                         \
    "begins at level-0 pixel"

gboolean rmil_mask_place(RmilOutlines *outlines, const RmilAnnotationOptions *options, int width, int height, RmilMaskPlace *place,
                         GError **error) {
    *place = (RmilMaskPlace){0, 0, 1, 1};
    if (options->slide_width <= 0 || options->slide_height <= 0) return TRUE;
    gboolean bounds = rmil_has_bounds(options), whole = same_shape(width, height, options->slide_width, options->slide_height),
             area = bounds && !options->uncropped && same_shape(width, height, options->bounds_width, options->bounds_height);
    if (area) *place = lay(width, height, options->bounds_x, options->bounds_y, options->bounds_width, options->bounds_height);
    else if (whole) *place = lay(width, height, 0, 0, options->slide_width, options->slide_height);
    if (bounds && !options->uncropped && (area || whole))
        note(outlines, area ? (whole ? NOTE_MASK_BOTH : NOTE_MASK_AREA) : NOTE_MASK_WHOLE, options);
    if (area || whole) return TRUE;
    g_autofree char *other = bounds ? g_strdup_printf(" or of its scanned area of %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT " px",
                                                      options->bounds_width, options->bounds_height)
                                    : g_strdup("");
    return rmil_fail(error, RMIL_ERROR_DATA,
                     "%s: a mask of %d × %d pixels does not have the aspect ratio of the slide of %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT
                     " px%s: does it belong to another slide?",
                     outlines->path, width, height, options->slide_width, options->slide_height, other);
}
