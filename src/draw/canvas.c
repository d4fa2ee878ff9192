/* SPDX-License-Identifier: Apache-2.0 */
/* A picture to draw on. */
#include "draw-private.h"

#include "slide/vips.h"

#include <string.h>

#define SIDE_LIMIT 32768 /* larger pictures are of no use, and SVG renderers refuse them */

static gboolean fail(GError **error, RmilErrorCode code, const char *path, const char *what) {
    g_autofree char *text = g_strdup_printf("%s: %s", path, what);
    return rmil_vips_fail(error, code, text);
}

RmilCanvas *rmil_canvas_new(int64_t width, int64_t height, GError **error) {
    if (width < 1 || height < 1 || width > SIDE_LIMIT || height > SIDE_LIMIT) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "a picture of %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT " px cannot be drawn", width, height);
        return NULL;
    }
    RmilCanvas *canvas = g_new0(RmilCanvas, 1);
    canvas->width = width;
    canvas->height = height;
    canvas->svg = g_string_new(NULL);
    canvas->rgb = rmil_alloc(width * height, 3, error);
    if (!canvas->rgb) {
        rmil_canvas_free(canvas);
        return NULL;
    }
    memset(canvas->rgb, 255, (size_t)(width * height * 3));
    return canvas;
}

void rmil_canvas_free(RmilCanvas *canvas) {
    if (!canvas) return;
    rmil_free(canvas->rgb);
    g_string_free(canvas->svg, TRUE);
    g_free(canvas);
}

void rmil_canvas_blit(RmilCanvas *canvas, int64_t x, int64_t y, const uint8_t *rgb, int64_t width, int64_t height) {
    for (int64_t row = 0; row < height; row++)
        memcpy(canvas->rgb + ((y + row) * canvas->width + x) * 3, rgb + row * width * 3, (size_t)(width * 3));
}

double rmil_text_width(const char *text, double size) { return 0.62 * size * (double)g_utf8_strlen(text, -1); }

void rmil_canvas_text(RmilCanvas *canvas, double x, double y, double size, const char *anchor, gboolean bold, double room,
                      const char *text) {
    g_autofree char *valid = g_utf8_make_valid(text, -1), *shown = NULL;
    const glong length = g_utf8_strlen(valid, -1);
    const double width = (bold ? 0.68 : 0.62) * size * (double)length, least = 0.7;
    if (room > 0 && width > room) size *= MAX(room / width, least); /* smaller letters rather than fewer */
    const glong fits = (glong)(room / ((bold ? 0.68 : 0.62) * size) + 1e-6);
    if (room > 0 && length > MAX(fits, 3)) {
        glong half = (MAX(fits, 3) - 1) / 2;
        g_autofree char *head = g_utf8_substring(valid, 0, half), *tail = g_utf8_substring(valid, length - half, length);
        shown = g_strconcat(head, "…", tail, NULL);
    }
    g_autofree char *escaped = rmil_markup(shown ? shown : valid);
    g_string_append_printf(canvas->svg,
                           "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" text-anchor=\"%s\"%s "
                           "fill=\"#222\">%s</text>\n",
                           x, y, size, anchor, bold ? " font-weight=\"bold\"" : "", escaped);
}

/* The overlay as height × width × 4 bytes, colours not premultiplied; free with g_free. */
static uint8_t *render(const RmilCanvas *canvas, const char *path, GError **error) {
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text,
                           "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%" G_GINT64_FORMAT "\" height=\"%" G_GINT64_FORMAT
                           "\" font-family=\"DejaVu Sans, sans-serif\">\n",
                           canvas->width, canvas->height);
    g_string_append_len(text, canvas->svg->str, (gssize)canvas->svg->len);
    g_string_append(text, "</svg>\n");
    VipsImage *image = NULL;
    if (vips_svgload_buffer(text->str, text->len, &image, "unlimited", TRUE, NULL)) {
        fail(error, RMIL_ERROR_IO, path, "the drawing cannot be rendered");
        return NULL;
    }
    size_t size = 0;
    uint8_t *rgba = vips_image_write_to_memory(image, &size);
    g_object_unref(image);
    if (!rgba) {
        fail(error, RMIL_ERROR_IO, path, "the drawing cannot be rendered");
    } else if (size != (size_t)(canvas->width * canvas->height * 4)) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: the drawing has an unexpected size", path);
        g_clear_pointer(&rgba, g_free);
    }
    return rgba;
}

gboolean rmil_canvas_write(RmilCanvas *canvas, const char *path, GError **error) {
    if (!rmil_vips_init(error)) return FALSE;
    g_autofree uint8_t *overlay = render(canvas, path, error);
    if (!overlay) return FALSE;
    for (int64_t i = 0; i < canvas->width * canvas->height; i++) {
        unsigned alpha = overlay[i * 4 + 3];
        if (alpha == 0) continue;
        for (int c = 0; c < 3; c++)
            canvas->rgb[i * 3 + c] = (uint8_t)((overlay[i * 4 + c] * alpha + canvas->rgb[i * 3 + c] * (255 - alpha) + 127) / 255);
    }
    /* into memory first: libvips does not say why a file cannot be written, and its messages mix between threads */
    VipsImage *image = vips_image_new_from_memory(canvas->rgb, (size_t)(canvas->width * canvas->height * 3), (int)canvas->width,
                                                  (int)canvas->height, 3, VIPS_FORMAT_UCHAR);
    VipsImage *tagged = NULL;
    void *png = NULL;
    size_t size = 0;
    gboolean encoded = image && !vips_copy(image, &tagged, "interpretation", VIPS_INTERPRETATION_sRGB, NULL) &&
                       !vips_pngsave_buffer(tagged, &png, &size, "compression", 6, NULL);
    g_clear_object(&tagged);
    g_clear_object(&image);
    gboolean saved = encoded ? rmil_file_write(path, png, size, error) : fail(error, RMIL_ERROR_MEMORY, path, "cannot be encoded as PNG");
    g_free(png);
    return saved;
}

char *rmil_picture_base64(const char *path, int max_width, int *width, int *height, GError **error) {
    if (!rmil_vips_init(error)) return NULL;
    VipsImage *image = NULL;
    void *data = NULL;
    size_t size = 0;
    char *text = NULL;
    if (vips_thumbnail(path, &image, max_width, "height", SIDE_LIMIT, "size", VIPS_SIZE_DOWN, NULL) ||
        vips_webpsave_buffer(image, &data, &size, "Q", 75, "strip", TRUE, NULL)) {
        fail(error, RMIL_ERROR_FORMAT, path, "is not a readable picture");
    } else {
        *width = vips_image_get_width(image);
        *height = vips_image_get_height(image);
        text = g_base64_encode(data, size);
    }
    g_clear_object(&image);
    g_free(data);
    return text;
}
