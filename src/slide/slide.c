/* SPDX-License-Identifier: Apache-2.0 */
/* Slides: opened by the backend that can read them. */
#include "slide/slide-private.h"

#include "slide/vips.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Simple reasons first: the libraries below would only report that they do not know the file. */
static gboolean check_file(RmilSlide *slide, GError **error) {
    struct stat info;
    if (stat(slide->path, &info) != 0) return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", slide->name, g_strerror(errno));
    if (S_ISDIR(info.st_mode))
        return rmil_slide_check_unread(slide, error) &&
               rmil_fail(error, RMIL_ERROR_IO, "%s: is a folder, not a slide: give the slide's own file", slide->name);
    if (!S_ISREG(info.st_mode)) return rmil_fail(error, RMIL_ERROR_IO, "%s: is not a regular file", slide->name);
    int file = open(slide->path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", slide->name, g_strerror(errno));
    close(file);
    return TRUE;
}

/* Some files have a label or an overview in place of a coarser level. Scanners round and pad a little. */
static gboolean has_shape(const RmilSlide *slide, int level) {
    double across = (double)slide->widths[0] / (double)slide->widths[level],
           down = (double)slide->heights[0] / (double)slide->heights[level];
    return fabs(across / down - 1) <= MAX(0.05, 2.0 / (double)MIN(slide->widths[level], slide->heights[level]));
}

static gboolean drop_levels(RmilSlide *slide, GError **error) {
    int kept = 0;
    gboolean tiff = g_strcmp0(slide->format, "generic-tiff") == 0;
    for (int i = 0; i < slide->info.levels; i++) {
        gboolean broken = FALSE;
        if (i > 0 && tiff && !rmil_tiff_level_broken(slide, slide->widths[i], slide->heights[i], &broken, error)) return FALSE;
        if (broken) continue;
        if (!has_shape(slide, i)) {
            rmil_slide_warn(slide,
                            "level %d of %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT
                            " pixels has a different shape from level 0 (%" G_GINT64_FORMAT " × %" G_GINT64_FORMAT
                            ") and is not used: it may be the label or an overview",
                            i, slide->widths[i], slide->heights[i], slide->widths[0], slide->heights[0]);
            continue;
        }
        slide->widths[kept] = slide->widths[i];
        slide->heights[kept] = slide->heights[i];
        slide->downsamples[kept] = slide->downsamples[i];
        slide->level_of[kept++] = i;
    }
    slide->info.levels = kept;
    return TRUE;
}

static gboolean check_levels(RmilSlide *slide, GError **error) {
    RmilSlideInfo *info = &slide->info;
    if (info->levels < 1) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no pyramid level", slide->name);
    for (int i = 0; i < info->levels; i++) {
        if (slide->widths[i] < 1 || slide->heights[i] < 1 || slide->widths[i] > RMIL_SLIDE_SIDE || slide->heights[i] > RMIL_SLIDE_SIDE ||
            !isfinite(slide->downsamples[i]) || slide->downsamples[i] < 0.5)
            return rmil_fail(error, RMIL_ERROR_FORMAT,
                             "%s: level %d of %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT " pixels is not believable", slide->name, i,
                             slide->widths[i], slide->heights[i]);
    }
    if (!drop_levels(slide, error)) return FALSE;
    info->width = slide->widths[0];
    info->height = slide->heights[0];
    int64_t right = MIN(info->width, info->bounds_x + info->bounds_width);
    int64_t bottom = MIN(info->height, info->bounds_y + info->bounds_height);
    if (info->bounds_x < 0 || info->bounds_y < 0 || right <= info->bounds_x || bottom <= info->bounds_y) {
        info->bounds_x = info->bounds_y = 0;
        right = info->width;
        bottom = info->height;
    }
    info->bounds_width = right - info->bounds_x;
    info->bounds_height = bottom - info->bounds_y;
    return TRUE;
}

static gboolean open_as(RmilSlide *slide, const RmilBackend *backend, GError **error) {
    slide->backend = backend;
    return backend->open(slide, error);
}

/* If a slide consists of several files (MIRAX, Hamamatsu's VMS), a link to one of them is not beside the others. */
static gboolean open_slide(RmilSlide *slide, GError **error) {
    GError *first = NULL;
    gboolean good = open_as(slide, &rmil_backend_openslide, &first);
    g_autofree char *real = slide->handle ? NULL : realpath(slide->path, NULL);
    if (real && strcmp(real, slide->path) != 0) {
        g_free(slide->file);
        slide->file = g_strdup(real);
        gboolean again = open_as(slide, &rmil_backend_openslide, NULL);
        if (slide->handle) g_clear_error(&first);
        good = slide->handle || (good && again);
    }
    if (first) g_propagate_error(error, first);
    return good;
}

static gboolean open_file(RmilSlide *slide, GError **error) {
    struct stat info;
    if (!open_slide(slide, error)) return FALSE;
    if (slide->handle) return TRUE;
    if (!rmil_slide_check_unread(slide, error)) return FALSE;
    if (stat(slide->file, &info) == 0 && info.st_size == 0) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is empty", slide->name);
    if (!open_as(slide, &rmil_backend_image, error)) return FALSE;
    return slide->handle || rmil_fail(error, RMIL_ERROR_FORMAT,
                                      "%s: is neither a slide that OpenSlide knows nor a JPEG, PNG, TIFF or WebP image", slide->name);
}

void rmil_slide_warn(RmilSlide *slide, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_ptr_array_add(slide->warnings, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

static void name_warnings(RmilSlide *slide) {
    for (guint i = 0; i < slide->warnings->len; i++) {
        g_autofree char *message = slide->warnings->pdata[i];
        slide->warnings->pdata[i] = g_strdup_printf("%s: %s", slide->name, message);
    }
    g_ptr_array_add(slide->warnings, NULL);
    slide->info.warnings = (const char *const *)slide->warnings->pdata;
}

RmilSlide *rmil_slide_open(const char *path, double mpp, GError **error) {
    g_autoptr(RmilSlide) slide = g_new0(RmilSlide, 1);
    slide->path = g_strdup(path);
    slide->file = g_strdup(path);
    slide->name = g_filename_display_name(path);
    slide->warnings = g_ptr_array_new_with_free_func(g_free);
    memset(slide->background, 255, sizeof slide->background);
    if (!rmil_vips_init(error) || !check_file(slide, error) || !open_file(slide, error) || !check_levels(slide, error) ||
        !rmil_slide_find_mpp(slide, mpp, error))
        return NULL;
    slide->info.format = slide->format;
    name_warnings(slide);
    return g_steal_pointer(&slide);
}

void rmil_slide_free(RmilSlide *slide) {
    if (!slide) return;
    if (slide->handle) slide->backend->close(slide);
    g_free(slide->path);
    g_free(slide->file);
    g_free(slide->name);
    g_free(slide->format);
    g_ptr_array_unref(slide->warnings);
    g_free(slide);
}

const RmilSlideInfo *rmil_slide_info(const RmilSlide *slide) { return &slide->info; }

const char *rmil_slide_path(const RmilSlide *slide) { return slide->path; }
