/* SPDX-License-Identifier: Apache-2.0 */
/* A block of 8 × 8 pixels begins with its mean, so a picture at an eighth of its size needs almost no arithmetic. */
#include "slide/jpeg.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf out;
} Failure;

static void fail(j_common_ptr info) { longjmp(((Failure *)info->err)->out, 1); }

/* Also fails for damage, without a message: reading the whole picture reports it. */
static void stay_silent(j_common_ptr info, int level) {
    if (level < 0) fail(info);
}

static void take_row(const uint8_t *rgb, int64_t n, uint32_t *argb) {
    for (int64_t i = 0; i < n; i++)
        argb[i] = 0xff000000U | (uint32_t)rgb[3 * i] << 16 | (uint32_t)rgb[3 * i + 1] << 8 | (uint32_t)rgb[3 * i + 2];
}

gboolean rmil_jpeg_eighth(const uint8_t *tables, gsize tables_size, const uint8_t *data, gsize size, gboolean ycbcr, const int64_t side[2],
                          uint32_t *argb) {
    struct jpeg_decompress_struct info;
    Failure failure;
    const int64_t width = side[0] / 8, height = side[1] / 8;
    g_autofree uint8_t *row = g_malloc((gsize)width * 3);
    info.err = jpeg_std_error(&failure.base);
    failure.base.error_exit = fail;
    failure.base.emit_message = stay_silent;
    if (setjmp(failure.out)) {
        jpeg_destroy_decompress(&info);
        return FALSE;
    }
    jpeg_create_decompress(&info);
    if (tables_size) {
        jpeg_mem_src(&info, tables, tables_size);
        jpeg_read_header(&info, FALSE);
    }
    jpeg_mem_src(&info, data, size);
    jpeg_read_header(&info, TRUE);
    gboolean good = info.num_components == 3 && info.image_width == (JDIMENSION)side[0] && info.image_height == (JDIMENSION)side[1];
    if (good) {
        info.jpeg_color_space = ycbcr ? JCS_YCbCr : JCS_RGB;
        info.out_color_space = JCS_RGB;
        info.scale_num = 1;
        info.scale_denom = 8;
        jpeg_start_decompress(&info);
        good = (int64_t)info.output_width == width && (int64_t)info.output_height == height;
        while (good && info.output_scanline < info.output_height) {
            uint32_t *to = argb + (int64_t)info.output_scanline * width;
            JSAMPROW rows[1] = {row};
            jpeg_read_scanlines(&info, rows, 1);
            take_row(row, width, to);
        }
        if (good) jpeg_finish_decompress(&info);
    }
    jpeg_destroy_decompress(&info);
    return good;
}
