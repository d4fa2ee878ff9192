#include "synth-private.h"

#include <string.h>
#include <vips/vips.h>

gboolean rmil_synth_tiff_start(GError **error) {
    if (VIPS_INIT("rankmil") == 0) return TRUE;
    rmil_fail(error, RMIL_ERROR_IO, "libvips cannot be started: %s", vips_error_buffer());
    vips_error_clear();
    return FALSE;
}

static gboolean vips_failed(const char *path, GError **error) {
    g_autofree char *reason = g_strchomp(g_strdup(vips_error_buffer()));
    vips_error_clear();
    return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be made into a TIFF: %s", path, reason);
}

gboolean rmil_synth_tiff_write(const RmilSynthCanvas *canvas, double mpp, const char *identity, const char *path,
                               GError **error) {
    void *data = NULL;
    size_t size = 0;
    VipsImage *image = vips_image_new_from_memory(canvas->rgb, (size_t)(3 * canvas->width * canvas->height),
                                                  (int)canvas->width, (int)canvas->height, 3, VIPS_FORMAT_UCHAR);
    if (!image) return vips_failed(path, error);
    double per_mm = 1000 / mpp;
    image->Type = VIPS_INTERPRETATION_sRGB;
    vips_image_set_string(image, VIPS_META_IMAGEDESCRIPTION, identity);
    vips_image_set_int(image, VIPS_META_CONCURRENCY, 1); /* the caller's threads fill the processors */
    int failed = vips_tiffsave_buffer(image, &data, &size, "tile", TRUE, "tile_width", 256, "tile_height", 256,
                                      "pyramid", TRUE, "compression", VIPS_FOREIGN_TIFF_COMPRESSION_JPEG, "Q", 85,
                                      "bigtiff", FALSE, "resunit", VIPS_FOREIGN_TIFF_RESUNIT_CM, "xres", per_mm, "yres",
                                      per_mm, NULL);
    g_object_unref(image);
    gboolean written = failed ? vips_failed(path, error) : rmil_file_write(path, data, size, error);
    g_free(data);
    vips_thread_shutdown();
    return written;
}

char *rmil_synth_tiff_identity(const char *path) {
    VipsImage *image = vips_image_new_from_file(path, NULL);
    const char *text = NULL;
    char *identity = NULL;
    if (image && vips_image_get_typeof(image, VIPS_META_IMAGEDESCRIPTION) &&
        vips_image_get_string(image, VIPS_META_IMAGEDESCRIPTION, &text) == 0)
        identity = g_strdup(text);
    vips_error_clear();
    if (image) g_object_unref(image);
    return identity;
}
