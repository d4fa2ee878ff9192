/* SPDX-License-Identifier: Apache-2.0 */
/* Writes pictures as slides. */
#include "synth-private.h"

#include <string.h>
#include <vips/vips.h>

#define EXIF_DESCRIPTION "exif-ifd0-ImageDescription"

gboolean rmil_synth_picture_start(GError **error) {
    if (VIPS_INIT("rankmil") == 0) return TRUE;
    rmil_fail(error, RMIL_ERROR_IO, "libvips cannot be started: %s", vips_error_buffer());
    vips_error_clear();
    return FALSE;
}

static gboolean vips_failed(const char *path, GError **error) {
    g_autofree char *reason = g_strchomp(g_strdup(vips_error_buffer()));
    vips_error_clear();
    return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be made into a picture: %s", path, reason);
}

static VipsImage *picture(const uint8_t *pixels, int64_t width, int64_t height, int bands) {
    VipsImage *image = vips_image_new_from_memory(pixels, (size_t)(bands * width * height), (int)width, (int)height, bands,
                                                  VIPS_FORMAT_UCHAR);
    if (!image) return NULL;
    image->Type = bands == 3 ? VIPS_INTERPRETATION_sRGB : VIPS_INTERPRETATION_B_W;
    vips_image_set_int(image, VIPS_META_CONCURRENCY, 1); /* the caller's threads already use all processors */
    return image;
}

/* Takes ownership of image and data. */
static gboolean finish(VipsImage *image, int failed, void *data, size_t size, const char *path, GError **error) {
    g_object_unref(image);
    gboolean written = failed ? vips_failed(path, error) : rmil_file_write(path, data, size, error);
    g_free(data);
    vips_thread_shutdown();
    return written;
}

gboolean rmil_synth_tiff_write(const RmilSynthCanvas *canvas, double mpp, const char *identity, const char *path, GError **error) {
    void *data = NULL;
    size_t size = 0;
    double per_mm = 1000 / mpp;
    VipsImage *image = picture(canvas->rgb, canvas->width, canvas->height, 3);
    if (!image) return vips_failed(path, error);
    vips_image_set_string(image, VIPS_META_IMAGEDESCRIPTION, identity);
    int failed = vips_tiffsave_buffer(image, &data, &size, "tile", TRUE, "tile_width", 256, "tile_height", 256, "pyramid", TRUE,
                                      "compression", VIPS_FOREIGN_TIFF_COMPRESSION_JPEG, "Q", 85, "bigtiff", FALSE, "resunit",
                                      VIPS_FOREIGN_TIFF_RESUNIT_CM, "xres", per_mm, "yres", per_mm, NULL);
    return finish(image, failed, data, size, path, error);
}

gboolean rmil_synth_jpeg_write(const uint8_t *pixels, int64_t width, int64_t height, int bands, const char *identity, const char *path,
                               GError **error) {
    void *data = NULL;
    size_t size = 0;
    VipsImage *image = picture(pixels, width, height, bands);
    if (!image) return vips_failed(path, error);
    vips_image_set_string(image, EXIF_DESCRIPTION, identity);
    int failed = vips_jpegsave_buffer(image, &data, &size, "Q", 90, NULL);
    return finish(image, failed, data, size, path, error);
}

char *rmil_synth_picture_identity(const char *path) {
    static const char *const fields[] = {VIPS_META_IMAGEDESCRIPTION, EXIF_DESCRIPTION};
    VipsImage *image = vips_image_new_from_file(path, NULL);
    char *identity = NULL;
    for (gsize i = 0; image && !identity && i < G_N_ELEMENTS(fields); i++) {
        const char *text = NULL;
        if (!vips_image_get_typeof(image, fields[i]) || vips_image_get_string(image, fields[i], &text)) continue;
        const char *kind = i ? strstr(text, " (") : NULL; /* libvips returns Exif as "TEXT (TEXT, ASCII, …)" */
        identity = g_strndup(text, kind ? (gsize)(kind - text) : strlen(text));
    }
    vips_error_clear();
    if (image) g_object_unref(image);
    return identity;
}
