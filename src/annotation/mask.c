/* SPDX-License-Identifier: Apache-2.0 */
/* Mask images: the region is where pixels are not zero; transparent pixels are zero, and in an image with a palette the label counts, not
 * its colour. Read row by row, so memory grows with the outline, not the image.
 *
 * The outline runs along pixel edges. Between two rows, its horizontal pieces are where exactly one of the rows is set. The ends of each
 * piece are corners, joined upwards or downwards by the side of a run that begins or ends there. Every corner has one horizontal and one
 * vertical neighbour, so following them in turn gives the rings. Pixels that meet only at a corner are not joined: a hole belongs to the
 * area of the run of pixels to its left. */
#include "annotation-private.h"
#include "slide/vips.h"

#include <math.h>
#include <string.h>

#define MASK_SIDE 1000000
#define MASK_PIXELS (INT64_C(1) << 33)

enum { NO_CORNER = G_MAXUINT };

typedef struct {
    int x, y;
    guint beside, along; /* neighbours: on the same row edge, on the same column edge */
    guint left;          /* if a run ends here: the corner above its beginning; else NO_CORNER */
    RmilShape *shape;    /* set once its ring has been followed */
} Corner;

typedef struct {
    int x;
    guint open; /* the corner where this side of a run began */
} Side;

enum { MOST_COLOURS = 8 };

/* Which pixels are lesion. */
typedef struct {
    int bands, colours; /* per pixel; without alpha, which is the last */
    int threshold;      /* for any colour */
    GArray *seen;       /* uint32_t: colours of the lesion, at most MOST_COLOURS + 1 */
} Rule;

typedef struct {
    GArray *corners;       /* Corner */
    GArray *above, *below; /* Side: alternating beginnings and ends of runs */
    Rule rule;
} Tracer;

static guint add_corner(Tracer *tracer, int x, int y) {
    Corner corner = {.x = x, .y = y, .left = NO_CORNER};
    guint index = tracer->corners->len;
    g_array_append_val(tracer->corners, corner);
    /* corners come in order of x: number 2k and the next are the ends of one horizontal piece */
    g_array_index(tracer->corners, Corner, index).beside = index ^ 1;
    return index;
}

static void close_side(Tracer *tracer, const Side *side, int y) {
    guint index = add_corner(tracer, side->x, y);
    g_array_index(tracer->corners, Corner, index).along = side->open;
    g_array_index(tracer->corners, Corner, side->open).along = index;
}

/* Joins the sides above row edge y with those below it. */
static void join_rows(Tracer *tracer, int y) {
    guint a = 0, b = 0;
    while (a < tracer->above->len || b < tracer->below->len) {
        Side *up = a < tracer->above->len ? &g_array_index(tracer->above, Side, a) : NULL;
        Side *down = b < tracer->below->len ? &g_array_index(tracer->below, Side, b) : NULL;
        if (up && down && up->x == down->x && a % 2 == b % 2) { /* the same side continues */
            down->open = up->open;
            a++, b++;
        } else if (up && (!down || up->x < down->x || (up->x == down->x && a % 2 == 1))) {
            close_side(tracer, up, y);
            a++;
        } else { /* also if a run above begins at the end of one below: corners come from left to right */
            down->open = add_corner(tracer, down->x, y);
            if (b % 2) g_array_index(tracer->corners, Corner, down->open).left = g_array_index(tracer->below, Side, b - 1).open;
            b++;
        }
    }
}

static void note_colour(Rule *rule, const uint8_t *pixel) {
    uint32_t colour = 0;
    for (int b = 0; b < rule->colours; b++) colour = colour << 8 | pixel[b];
    for (guint i = 0; i < rule->seen->len; i++)
        if (g_array_index(rule->seen, uint32_t, i) == colour) return;
    if (rule->seen->len <= MOST_COLOURS) g_array_append_val(rule->seen, colour);
}

static gboolean is_lesion(const Rule *rule, const uint8_t *pixel) {
    const gboolean alpha = rule->bands > rule->colours;
    if (alpha && pixel[rule->colours] == 0) return FALSE;
    for (int b = 0; b < rule->colours; b++)
        if (pixel[b] >= rule->threshold) return TRUE;
    return FALSE;
}

static void scan_row(Rule *rule, GArray *sides, const uint8_t *pixels, int width) {
    const gsize bands = (gsize)rule->bands;
    gboolean inside = FALSE;
    g_array_set_size(sides, 0);
    for (int x = 0; x <= width; x++) {
        const uint8_t *pixel = pixels + (gsize)x * bands;
        if (x > 0 && x < width && memcmp(pixel, pixel - bands, bands) == 0) continue;
        const gboolean set = x < width && is_lesion(rule, pixel);
        if (set) note_colour(rule, pixel);
        if (set == inside) continue;
        Side side = {x, 0};
        g_array_append_val(sides, side);
        inside = set;
    }
}

static gboolean trace_rows(Tracer *tracer, VipsImage *image, VipsRegion *region, const char *path, GError **error) {
    const int width = image->Xsize, height = image->Ysize;
    for (int y = 0; y <= height; y++) {
        const VipsRect row = {0, y, width, 1};
        if (y < height && vips_region_prepare(region, &row) != 0) return rmil_vips_fail(error, RMIL_ERROR_FORMAT, path);
        const gsize skip = (gsize)(y - region->valid.top) * (gsize)region->bpl;
        if (y < height) scan_row(&tracer->rule, tracer->below, region->data + skip, width);
        else g_array_set_size(tracer->below, 0);
        join_rows(tracer, y);
        if (tracer->corners->len > RMIL_ANNOTATION_VERTICES)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: the mask's outline has more than %d corners", path, RMIL_ANNOTATION_VERTICES);
        GArray *swap = tracer->above;
        tracer->above = tracer->below;
        tracer->below = swap;
    }
    return TRUE;
}

static gboolean trace(Tracer *tracer, VipsImage *image, const char *path, GError **error) {
    VipsRegion *region = vips_region_new(image);
    gboolean good = trace_rows(tracer, image, region, path, error);
    g_object_unref(region);
    return good;
}

static gboolean add_corner_point(RmilOutlines *outlines, const RmilShape *shape, GArray *ring, const Corner *corner,
                                 const RmilMaskPlace *place, GError **error) {
    return rmil_outlines_add_point(outlines, shape, ring, place->x + corner->x * place->scale_x, place->y + corner->y * place->scale_y,
                                   error);
}

/* A ring's first corner is its top left one: there a run of pixels begins (an outer ring), or one ends (a hole in the area of that run,
 * whose ring came earlier). */
static gboolean add_rings(Tracer *tracer, RmilOutlines *outlines, const RmilMaskPlace *place, GError **error) {
    Corner *corners = (Corner *)(void *)tracer->corners->data;
    for (guint first = 0; first < tracer->corners->len; first++) {
        if (corners[first].shape) continue;
        RmilShape *shape = corners[first].left == NO_CORNER ? rmil_outlines_add_shape(outlines, "the mask", NULL, error)
                                                            : corners[corners[first].left].shape;
        if (!shape) return FALSE;
        GArray *ring = rmil_shape_add_ring(shape);
        guint at = first;
        do {
            guint next = corners[at].beside;
            if (!add_corner_point(outlines, shape, ring, &corners[at], place, error) ||
                !add_corner_point(outlines, shape, ring, &corners[next], place, error))
                return FALSE;
            corners[at].shape = corners[next].shape = shape;
            at = corners[next].along;
        } while (at != first);
    }
    return TRUE;
}

typedef struct {
    GMappedFile *labels; /* the file's bytes, if it has a palette: pixels are labels; else NULL */
    VipsImage *image;
    gboolean lossy;
} Mask;

static void mask_clear(Mask *mask) {
    g_clear_object(&mask->image);
    g_clear_pointer(&mask->labels, g_mapped_file_unref);
}

static VipsImage *open_image(const Mask *mask, const char *path, VipsFailOn fail_on) {
    return mask->labels ? vips_image_new_from_buffer(g_mapped_file_get_contents(mask->labels), g_mapped_file_get_length(mask->labels), "",
                                                     "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", fail_on, NULL)
                        : vips_image_new_from_file(path, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", fail_on, NULL);
}

static gboolean is_jpeg(VipsImage *image) {
    const char *loader = NULL;
    return vips_image_get_string(image, VIPS_META_LOADER, &loader) == 0 && g_str_has_prefix(loader, "jpeg");
}

static gboolean mask_open(Mask *mask, const char *path, GError **error) {
    if (!rmil_vips_init(error)) return FALSE;
    mask->labels = rmil_palette_exchange(path);
    mask->image = open_image(mask, path, VIPS_FAIL_ON_TRUNCATED);
    mask->lossy = mask->image && is_jpeg(mask->image);
    if (mask->lossy) { /* for these formats, missing data in the middle are only a warning, and become grey */
        g_clear_object(&mask->image);
        mask->image = open_image(mask, path, VIPS_FAIL_ON_WARNING);
    }
    const VipsImage *image = mask->image;
    if (!image) return rmil_vips_fail(error, RMIL_ERROR_FORMAT, path);
    if (image->BandFmt != VIPS_FORMAT_UCHAR || image->Bands > 4)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: a mask image has 8 bits and at most 4 channels per pixel", path);
    if (image->Xsize > MASK_SIDE || image->Ysize > MASK_SIDE || (int64_t)image->Xsize * image->Ysize > MASK_PIXELS)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: a mask of %d × %d pixels is too large: export it at a higher downsample", path,
                         image->Xsize, image->Ysize);
    return TRUE;
}

/* A label image may need only one of its labels; a few different values are labels, many are blurred edges. */
static void note_values(const Rule *rule, gboolean labels, RmilOutlines *outlines) {
    const GArray *seen = rule->seen;
    if (seen->len < 2 || (seen->len > MOST_COLOURS && !labels)) return;
    for (guint i = 0; i < seen->len; i++) {
        const uint32_t colour = g_array_index(seen, uint32_t, i);
        g_autofree char *name = labels || rule->colours == 1 ? g_strdup_printf("%u", colour & 255) : g_strdup_printf("#%06x", colour);
        rmil_outlines_note(outlines, RMIL_NOTE_VALUES, name);
    }
}

static gboolean read_opened(const Mask *mask, RmilOutlines *outlines, const RmilAnnotationOptions *options, GError **error) {
    VipsImage *image = mask->image;
    RmilMaskPlace place;
    if (!rmil_mask_place(outlines, options, image->Xsize, image->Ysize, &place, error)) return FALSE;
    outlines->width = image->Xsize;
    outlines->height = image->Ysize;
    /* JPEG leaves small values around edges: a pixel counts from half of white on */
    Tracer tracer = {g_array_new(FALSE, FALSE, sizeof(Corner)),
                     g_array_new(FALSE, FALSE, sizeof(Side)),
                     g_array_new(FALSE, FALSE, sizeof(Side)),
                     {.bands = image->Bands,
                      .colours = image->Bands - vips_image_hasalpha(image),
                      .threshold = mask->lossy ? 128 : 1,
                      .seen = g_array_new(FALSE, FALSE, sizeof(uint32_t))}};
    gboolean good = trace(&tracer, image, outlines->path, error) && add_rings(&tracer, outlines, &place, error);
    if (!mask->lossy && !options->tissue) note_values(&tracer.rule, mask->labels != NULL, outlines);
    g_array_unref(tracer.corners);
    g_array_unref(tracer.above);
    g_array_unref(tracer.below);
    g_array_unref(tracer.rule.seen);
    return good;
}

static gboolean mask_read(RmilOutlines *outlines, const RmilAnnotationOptions *options, GError **error) {
    Mask mask = {0};
    gboolean good = mask_open(&mask, outlines->path, error) && read_opened(&mask, outlines, options, error);
    mask_clear(&mask);
    return good;
}

static gboolean mask_matches(const char *head, gsize size) {
    static const struct {
        const char *magic;
        gsize size;
    } kinds[] = {{"\x89PNG", 4}, {"\xff\xd8\xff", 3}, {"II*\0", 4}, {"MM\0*", 4}, {"II+\0", 4}, {"MM\0+", 4}};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (size >= kinds[i].size && memcmp(head, kinds[i].magic, kinds[i].size) == 0) return TRUE;
    return FALSE;
}

const RmilAnnotationFormat rmil_annotation_mask = {"mask images (PNG, JPEG, TIFF)", mask_matches, mask_read, TRUE};
