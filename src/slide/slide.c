#include "slide/slide-private.h"

#include "slide/vips.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The plain reasons first: the libraries below would only say that they do not know the file. */
static gboolean check_file(const RmilSlide *slide, GError **error) {
    struct stat info;
    if (stat(slide->path, &info) != 0)
        return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", slide->name, g_strerror(errno));
    if (S_ISDIR(info.st_mode)) return rmil_fail(error, RMIL_ERROR_IO, "%s: is a folder, not a slide", slide->name);
    if (!S_ISREG(info.st_mode)) return rmil_fail(error, RMIL_ERROR_IO, "%s: is not a regular file", slide->name);
    if (info.st_size == 0) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is empty", slide->name);
    int file = open(slide->path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", slide->name, g_strerror(errno));
    close(file);
    return TRUE;
}

static gboolean check_levels(RmilSlide *slide, GError **error) {
    RmilSlideInfo *info = &slide->info;
    if (info->levels < 1)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no pyramid level", slide->name);
    for (int i = 0; i < info->levels; i++) {
        if (slide->widths[i] < 1 || slide->heights[i] < 1 || slide->widths[i] > RMIL_SLIDE_SIDE ||
            slide->heights[i] > RMIL_SLIDE_SIDE || !isfinite(slide->downsamples[i]) || slide->downsamples[i] < 0.5)
            return rmil_fail(error, RMIL_ERROR_FORMAT,
                             "%s: level %d of %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT " pixels is not believable",
                             slide->name, i, slide->widths[i], slide->heights[i]);
    }
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

RmilSlide *rmil_slide_open(const char *path, double mpp, GError **error) {
    const RmilBackend *backends[] = {&rmil_backend_openslide, &rmil_backend_image};
    g_autoptr(RmilSlide) slide = g_new0(RmilSlide, 1);
    slide->path = g_strdup(path);
    slide->name = g_filename_display_name(path);
    memset(slide->background, 255, sizeof slide->background);
    if (!rmil_vips_init(error) || !check_file(slide, error)) return NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(backends) && !slide->handle; i++) {
        slide->backend = backends[i];
        if (!slide->backend->open(slide, error)) return NULL;
    }
    if (!slide->handle) {
        rmil_fail(error, RMIL_ERROR_FORMAT,
                  "%s: is neither a slide that OpenSlide knows nor a JPEG, PNG, TIFF or WebP image", slide->name);
        return NULL;
    }
    if (!check_levels(slide, error) || !rmil_slide_find_mpp(slide, mpp, error)) return NULL;
    slide->info.format = slide->format;
    slide->info.warning = slide->warning;
    return g_steal_pointer(&slide);
}

void rmil_slide_free(RmilSlide *slide) {
    if (!slide) return;
    if (slide->handle) slide->backend->close(slide);
    g_free(slide->path);
    g_free(slide->name);
    g_free(slide->format);
    g_free(slide->warning);
    g_free(slide);
}

const RmilSlideInfo *rmil_slide_info(const RmilSlide *slide) { return &slide->info; }

const char *rmil_slide_path(const RmilSlide *slide) { return slide->path; }
