#include "slide/slide-private.h"

#include <openslide/openslide.h>
#include <string.h>

/* OpenSlide's errors are sticky: after one, the handle answers nothing but that error, in every thread. So a failing
 * read is tried once more on a fresh handle; only what fails there too is the fault of the region asked for. */
typedef struct {
    openslide_t *current;
    GPtrArray *retired;     /* handles with an error that other threads may still be using */
    GMutex lock;
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

static gboolean openslide_backend_open(RmilSlide *slide, GError **error) {
    const char *vendor = openslide_detect_vendor(slide->path);
    if (!vendor) return TRUE;
    slide->format = g_strdup(vendor);
    openslide_t *file = openslide_open(slide->path);
    const char *reason = file ? openslide_get_error(file) : "OpenSlide gives no reason";
    if (reason) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: cannot be opened as a slide (%s): %s", slide->name, vendor, reason);
        if (file) openslide_close(file);
        return FALSE;
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
    }
    slide->info.bounds_x = property_integer(slide, OPENSLIDE_PROPERTY_NAME_BOUNDS_X, 0);
    slide->info.bounds_y = property_integer(slide, OPENSLIDE_PROPERTY_NAME_BOUNDS_Y, 0);
    slide->info.bounds_width = CLAMP(property_integer(slide, OPENSLIDE_PROPERTY_NAME_BOUNDS_WIDTH, RMIL_SLIDE_SIDE), 0,
                                     RMIL_SLIDE_SIDE);
    slide->info.bounds_height = CLAMP(property_integer(slide, OPENSLIDE_PROPERTY_NAME_BOUNDS_HEIGHT, RMIL_SLIDE_SIDE), 0,
                                      RMIL_SLIDE_SIDE);
    read_background(slide);
    return TRUE;
}

static gboolean retry(RmilSlide *slide, openslide_t *failed, int64_t x, int64_t y, int level, int64_t width,
                      int64_t height, uint32_t *argb, GError **error) {
    Handle *handle = slide->handle;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&handle->lock);
    openslide_t *fresh = handle->current;
    if (fresh == failed) {
        fresh = handle->retired->len < RETIRED_MAX ? openslide_open(slide->path) : NULL;
        if (fresh) {
            g_ptr_array_add(handle->retired, failed);
            g_atomic_pointer_set(&handle->current, fresh);
        }
    }
    const char *reason = NULL;
    if (fresh) {
        openslide_read_region(fresh, argb, x, y, level, width, height);
        reason = openslide_get_error(fresh);
        if (!reason) return TRUE;
    }
    return rmil_fail(error, RMIL_ERROR_FORMAT,
                     "%s: cannot be read at level-0 pixel (%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT "), level %d: %s",
                     slide->name, x, y, level, reason ? reason : openslide_get_error(failed));
}

static gboolean openslide_backend_read(RmilSlide *slide, int64_t x, int64_t y, int level, int64_t width, int64_t height,
                                       uint32_t *argb, GError **error) {
    Handle *handle = slide->handle;
    openslide_t *file = g_atomic_pointer_get(&handle->current);
    openslide_read_region(file, argb, x, y, level, width, height);
    if (G_LIKELY(!openslide_get_error(file))) return TRUE;
    return retry(slide, file, x, y, level, width, height, argb, error);
}

static void openslide_backend_close(RmilSlide *slide) {
    Handle *handle = slide->handle;
    openslide_close(handle->current);
    g_ptr_array_unref(handle->retired);
    g_mutex_clear(&handle->lock);
    g_free(handle);
}

const RmilBackend rmil_backend_openslide = {openslide_backend_open, openslide_backend_read, openslide_property,
                                            openslide_backend_close};
