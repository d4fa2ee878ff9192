/* SPDX-License-Identifier: Apache-2.0 */
/* Slides that OpenSlide reads. */
#include "slide/slide-private.h"
#include "slide/subifd.h"
#include "slide/tiff-tiles.h"

#include <math.h>
#include <openslide/openslide.h>
#include <string.h>

/* OpenSlide's errors are sticky: after one, the handle only returns that error, in every thread. So a failed read is repeated on a new
 * handle; only if that fails, too, is the requested region at fault. */
typedef struct {
    openslide_t *current;
    GPtrArray *retired; /* handles with an error that other threads may still be using */
    GMutex lock;
    int64_t tiles[RMIL_SLIDE_LEVELS][2]; /* width and height of each level's tiles in the file */
    int levels;                          /* known to OpenSlide; followed by: */
    RmilSubLevels *more;                 /* or NULL */
    RmilTiffTiles *own;                  /* the file's tiles without OpenSlide; NULL: not that kind of file */
} Handle;

#define RETIRED_MAX 8 /* a file that fails more often is given up */

static const char *openslide_property(RmilSlide *slide, const char *name) {
    Handle *handle = slide->handle;
    return openslide_get_property_value(handle->current, name);
}

static int64_t property_integer(RmilSlide *slide, const char *name, int64_t otherwise) {
    const char *text = openslide_property(slide, name);
    return text ? g_ascii_strtoll(text, NULL, 10) : otherwise;
}

static void read_background(RmilSlide *slide) {
    const char *text = openslide_property(slide, OPENSLIDE_PROPERTY_NAME_BACKGROUND_COLOR);
    if (!text || strlen(text) != 6) return;
    for (int i = 0; i < 6; i++)
        if (!g_ascii_isxdigit(text[i])) return;
    for (int i = 0; i < 3; i++)
        slide->background[i] = (uint8_t)(g_ascii_xdigit_value(text[2 * i]) * 16 + g_ascii_xdigit_value(text[2 * i + 1]));
}

static int64_t tile_side(RmilSlide *slide, const char *side, int level) {
    g_autofree char *name = g_strdup_printf("openslide.level[%d].tile-%s", level, side);
    return CLAMP(property_integer(slide, name, 256), 16, 4096);
}

static const char *way_out(const char *reason) {
    static const struct {
        const char *part, *way;
    } ways[] = {
        {"compression: 34712",
         " (JPEG 2000): convert it: vips tiffsave IN OUT.tiff --tile --pyramid --compression jpeg, or with QuPath or bfconvert"},
        {"compression", ": convert it: vips tiffsave IN OUT.tiff --tile --pyramid --compression jpeg, or with QuPath or bfconvert"},
        {"No such file", ": copy the slide with all of its files"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++)
        if (strstr(reason, ways[i].part)) return ways[i].way;
    return ": if it is damaged or cut short, copy it again";
}

/* -- opened twice ------------------------------------------------------------------------------------------------------------------- */
/* If a read fails while OpenSlide opens a file, it may silently miss a level or a property. So it is opened twice: a failing disk or
 * network is unlikely to cause the same result twice. */
static gboolean same_text(const char *a, const char *b) { return g_strcmp0(a, b) == 0; }

static gboolean same_file(openslide_t *a, openslide_t *b) {
    if (openslide_get_error(b) || openslide_get_level_count(a) != openslide_get_level_count(b)) return FALSE;
    for (int i = 0; i < openslide_get_level_count(a); i++) {
        int64_t size[4];
        openslide_get_level_dimensions(a, i, &size[0], &size[1]);
        openslide_get_level_dimensions(b, i, &size[2], &size[3]);
        if (size[0] != size[2] || size[1] != size[3]) return FALSE;
    }
    const char *const *names = openslide_get_property_names(a), *const *others = openslide_get_property_names(b);
    for (; *names && *others; names++, others++)
        if (!same_text(*names, *others) || !same_text(openslide_get_property_value(a, *names), openslide_get_property_value(b, *names)))
            return FALSE;
    return !*names && !*others;
}

static gboolean opens_alike(const RmilSlide *slide, openslide_t *file) {
    openslide_t *again = openslide_open(slide->file);
    const gboolean same = again && same_file(file, again);
    if (again) openslide_close(again);
    return same;
}

/* NULL: OpenSlide does not know the format, asked twice. */
static const char *vendor_of(const RmilSlide *slide) {
    const char *vendor = openslide_detect_vendor(slide->file);
    return vendor ? vendor : openslide_detect_vendor(slide->file);
}

/* For a single page: its SubIFDs may hold coarser levels. */
static gboolean add_sub_levels(RmilSlide *slide, Handle *handle, GError **error) {
    if (!rmil_sub_levels_open(slide, &handle->more, error)) return FALSE;
    for (int i = 0; i < rmil_sub_levels_count(handle->more) && slide->info.levels < RMIL_SLIDE_LEVELS; i++) {
        const int level = slide->info.levels++;
        rmil_sub_levels_size(handle->more, i, &slide->widths[level], &slide->heights[level]);
        slide->downsamples[level] = ((double)slide->widths[0] / (double)slide->widths[level] +
                                     (double)slide->heights[0] / (double)slide->heights[level]) /
                                    2;
    }
    return TRUE;
}

static gboolean openslide_backend_open(RmilSlide *slide, GError **error) {
    const char *vendor = vendor_of(slide);
    if (!vendor) return TRUE;
    gboolean tiff = strcmp(vendor, "generic-tiff") == 0;
    g_free(slide->format);
    slide->format = g_strdup(vendor);
    openslide_t *file = openslide_open(slide->file);
    const char *reason = file ? openslide_get_error(file) : "OpenSlide gives no reason";
    if (reason) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: cannot be opened as a slide (%s): %s%s", slide->name, vendor, reason, way_out(reason));
        if (file) openslide_close(file);
        return FALSE;
    }
    int64_t width, height;
    gboolean broken = FALSE, planar = FALSE;
    openslide_get_level0_dimensions(file, &width, &height);
    const gboolean told = opens_alike(slide, file) ? !tiff || (rmil_tiff_level_broken(slide, width, height, &broken, error) &&
                                                               rmil_tiff_planar_file(slide, &planar, error))
                                                   : rmil_fail(error, RMIL_ERROR_IO, RMIL_UNSTEADY, slide->name);
    if (!told || broken || planar) { /* libvips reads it */
        openslide_close(file);
        return told;
    }
    Handle *handle = g_new0(Handle, 1);
    handle->current = file;
    handle->retired = g_ptr_array_new_with_free_func((GDestroyNotify)openslide_close);
    g_mutex_init(&handle->lock);
    slide->handle = handle;
    slide->info.levels = MIN(openslide_get_level_count(file), RMIL_SLIDE_LEVELS);
    for (int i = 0; i < slide->info.levels; i++) {
        openslide_get_level_dimensions(file, i, &slide->widths[i], &slide->heights[i]);
        slide->downsamples[i] = openslide_get_level_downsample(file, i);
        handle->tiles[i][0] = tile_side(slide, "width", i);
        handle->tiles[i][1] = tile_side(slide, "height", i);
    }
    handle->levels = slide->info.levels;
    if (tiff && handle->levels == 1 && !add_sub_levels(slide, handle, error)) return FALSE;
    slide->info.bounds_x = property_integer(slide, OPENSLIDE_PROPERTY_NAME_BOUNDS_X, 0);
    slide->info.bounds_y = property_integer(slide, OPENSLIDE_PROPERTY_NAME_BOUNDS_Y, 0);
    slide->info.bounds_width = CLAMP(property_integer(slide, OPENSLIDE_PROPERTY_NAME_BOUNDS_WIDTH, RMIL_SLIDE_SIDE), 0, RMIL_SLIDE_SIDE);
    slide->info.bounds_height = CLAMP(property_integer(slide, OPENSLIDE_PROPERTY_NAME_BOUNDS_HEIGHT, RMIL_SLIDE_SIDE), 0, RMIL_SLIDE_SIDE);
    read_background(slide);
    if (tiff || strcmp(vendor, "aperio") == 0) handle->own = rmil_tiff_tiles_new(slide);
    return !tiff || rmil_tiff_check(slide, error);
}

typedef struct {
    int64_t x, y, width, height;
    int level;    /* OpenSlide's number */
    double scale; /* of the level, level-0 px per pixel */
} Region;

/* NULL, or why it cannot be read; the text belongs to the handle. */
static const char *try_region(openslide_t *file, const Region *region, uint32_t *argb) {
    openslide_read_region(file, argb, region->x, region->y, region->level, region->width, region->height);
    return openslide_get_error(file);
}

/* -- which tile is damaged --------------------------------------------------------------------------------------------- */
/* Level pixels first … end − 1 along an axis that is divided into tiles. */
typedef struct {
    int64_t first, end, tile;
} Axis;

static int64_t tiles_of(const Axis *axis) { return (axis->end - 1) / axis->tile - axis->first / axis->tile + 1; }

static Region region_of(const Axis axes[2], const Region *whole) {
    return (Region){.x = (int64_t)((double)axes[0].first * whole->scale + 0.5),
                    .y = (int64_t)((double)axes[1].first * whole->scale + 0.5),
                    .width = axes[0].end - axes[0].first,
                    .height = axes[1].end - axes[1].first,
                    .level = whole->level,
                    .scale = whole->scale};
}

/* Can it be read with a new handle? */
static gboolean is_sound(const RmilSlide *slide, const Region *region, uint32_t *argb) {
    openslide_t *file = openslide_open(slide->file);
    gboolean sound = file && !try_region(file, region, argb);
    if (file) openslide_close(file);
    return sound;
}

/* Level-0 corner of the first damaged tile in a region that cannot be read. */
static void find_damage(RmilSlide *slide, const Region *region, uint32_t *argb, int64_t corner[2]) {
    int64_t x = (int64_t)((double)region->x / region->scale + 0.5), y = (int64_t)((double)region->y / region->scale + 0.5);
    const int64_t *tile = ((Handle *)slide->handle)->tiles[region->level];
    Axis axes[2] = {{x, x + region->width, tile[0]}, {y, y + region->height, tile[1]}};
    for (;;) {
        int longer = tiles_of(&axes[1]) > tiles_of(&axes[0]);
        Axis *axis = &axes[longer];
        int64_t n = tiles_of(axis);
        if (n == 1) break;
        Axis whole = *axis;
        axis->end = (whole.first / whole.tile + n / 2) * whole.tile;
        Region half = region_of(axes, region);
        if (is_sound(slide, &half, argb)) *axis = (Axis){axis->end, whole.end, whole.tile};
    }
    for (int i = 0; i < 2; i++) corner[i] = (int64_t)((double)(axes[i].first / axes[i].tile * axes[i].tile) * region->scale + 0.5);
}

/* `failed` returns only its error, which may come from another region. If the region can be read with a new handle, that one replaces
 * `failed`. */
static gboolean replace_handle(RmilSlide *slide, openslide_t *failed, const Region *region, uint32_t *argb, GError **error) {
    Handle *handle = slide->handle;
    gboolean more = handle->retired->len < RETIRED_MAX;
    openslide_t *fresh = more ? openslide_open(slide->file) : NULL;
    const char *reason = fresh ? try_region(fresh, region, argb) : openslide_get_error(failed);
    if (fresh && !reason) {
        g_ptr_array_add(handle->retired, failed);
        g_atomic_pointer_set(&handle->current, fresh);
        return TRUE;
    }
    int64_t corner[2] = {region->x, region->y};
    if (fresh) find_damage(slide, region, argb, corner);
    rmil_fail(error, RMIL_ERROR_FORMAT, "%s: cannot be read at level-0 pixel (%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT "), level %d: %s",
              slide->name, corner[0], corner[1], region->level, reason);
    if (fresh) openslide_close(fresh);
    return FALSE;
}

/* -- the file's own tiles --------------------------------------------------------------------------------------------------------- */
/* Is a whole tile near the middle of the level the same as OpenSlide's? */
static gboolean is_same(Handle *handle, const RmilSlide *slide, int level, int number) {
    const double scale = slide->downsamples[level];
    const int64_t *side = handle->tiles[number], size[2] = {slide->widths[level], slide->heights[level]};
    int64_t at[2], extent[2];
    for (int axis = 0; axis < 2; axis++) {
        at[axis] = size[axis] / 2 / side[axis] * side[axis];
        extent[axis] = MIN(side[axis], size[axis] - at[axis]);
    }
    const gsize bytes = (gsize)(extent[0] * extent[1]) * 4;
    g_autofree uint32_t *ours = g_try_malloc(bytes), *theirs = g_try_malloc(bytes);
    const Region region = {(int64_t)((double)at[0] * scale), (int64_t)((double)at[1] * scale), extent[0], extent[1], number, scale};
    return ours && theirs && rmil_tiff_tiles_read(handle->own, number, at[0], at[1], extent[0], extent[1], ours) &&
           !try_region(g_atomic_pointer_get(&handle->current), &region, theirs) && memcmp(ours, theirs, bytes) == 0;
}

/* Tiles that differ from OpenSlide's are never used. */
static void check_own(const RmilSlide *slide, int level) {
    Handle *handle = slide->handle;
    const int number = slide->level_of[level];
    if (rmil_tiff_tiles_trusted(handle->own, number)) return;
    if (is_same(handle, slide, level, number)) rmil_tiff_tiles_trust(handle->own, number);
    else rmil_tiff_tiles_give_up(handle->own, number);
}

static gboolean openslide_backend_read_eighths(RmilSlide *slide, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t *argb) {
    const Handle *handle = slide->handle;
    if (!handle->own) return FALSE;
    check_own(slide, 0);
    return rmil_tiff_tiles_read_eighths(handle->own, slide->level_of[0], x, y, width, height, argb);
}

/* FALSE: OpenSlide must read it. It interpolates where a position falls between pixels of the level. */
static gboolean read_own(RmilSlide *slide, int64_t x, int64_t y, int level, int64_t width, int64_t height, uint32_t *argb) {
    Handle *handle = slide->handle;
    const double scale = slide->downsamples[level];
    const int number = slide->level_of[level];
    const int64_t whole = (int64_t)scale;
    if (!handle->own || scale != floor(scale) || whole < 1 || x % whole != 0 || y % whole != 0) return FALSE;
    check_own(slide, level);
    return rmil_tiff_tiles_read(handle->own, number, x / whole, y / whole, width, height, argb);
}

static gboolean openslide_backend_read(RmilSlide *slide, int64_t x, int64_t y, int level, int64_t width, int64_t height, uint32_t *argb,
                                       GError **error) {
    Handle *handle = slide->handle;
    const int own = slide->level_of[level];
    const double scale = slide->downsamples[level];
    if (own >= handle->levels)
        return rmil_sub_levels_read(handle->more, own - handle->levels, (int64_t)((double)x / scale + 0.5),
                                    (int64_t)((double)y / scale + 0.5), width, height, argb, slide->name, error);
    if (read_own(slide, x, y, level, width, height, argb)) return TRUE;
    Region region = {x, y, width, height, own, scale};
    for (;;) { /* at most RETIRED_MAX times */
        openslide_t *file = g_atomic_pointer_get(&handle->current);
        if (G_LIKELY(!try_region(file, &region, argb))) return TRUE;
        g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handle->lock);
        if (handle->current == file) return replace_handle(slide, file, &region, argb, error);
    }
}

static int64_t openslide_tile_side(const RmilSlide *slide, int level, int axis) {
    return ((const Handle *)slide->handle)->tiles[slide->level_of[level]][axis];
}

static void openslide_backend_close(RmilSlide *slide) {
    Handle *handle = slide->handle;
    rmil_tiff_tiles_free(handle->own);
    openslide_close(handle->current);
    g_ptr_array_unref(handle->retired);
    rmil_sub_levels_free(handle->more);
    g_mutex_clear(&handle->lock);
    g_free(handle);
}

const RmilBackend rmil_backend_openslide = {openslide_backend_open, openslide_backend_read, openslide_backend_read_eighths,
                                            openslide_property,     openslide_tile_side,    openslide_backend_close};
