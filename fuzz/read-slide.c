/* SPDX-License-Identifier: Apache-2.0 */
/* Slides and what their headers say; digits. OpenSlide, libtiff and libvips decode in this process: a crash of theirs is their finding. */
#include "fuzz.h"

#include "rankmil/slide.h"
#include "slide/jpeg.h"
#include "slide/slide-private.h"
#include "synth/idx-private.h"

void fuzz_slide(const FuzzInput *input) {
    uint8_t rgb[3 * 32 * 32];
    GError *error = NULL;
    g_autoptr(RmilSlide) slide = rmil_slide_open(input->path, 0, &error);
    FUZZ_EITHER(slide, error);
    g_clear_error(&error);
    if (!slide) return;
    const gboolean read = rmil_slide_read(slide, 5, 7, 2, 32, 32, rgb, &error);
    FUZZ_EITHER(read, error);
    g_clear_error(&error);
}

/* The tile of a file, whose tables may stand before it. */
void fuzz_jpeg(const FuzzInput *input) {
    static const int64_t sides[][2] = {{64, 64}, {32, 24}};
    uint32_t argb[64];
    for (gsize k = 0; k < G_N_ELEMENTS(sides); k++) {
        const uint8_t *data = (const uint8_t *)input->data;
        const gsize half = input->size / 2;
        rmil_jpeg_eighth(NULL, 0, data, input->size, k == 0, sides[k], argb);
        rmil_jpeg_eighth(data, half, data + half, input->size - half, k == 0, sides[k], argb);
    }
}

void fuzz_ome(const FuzzInput *input) {
    g_autofree char *xml = g_strndup(input->data, input->size);
    RmilOme ome;
    if (rmil_ome_read(xml, &ome) && ome.samples < 1) abort();
}

void fuzz_digits_begin(const FuzzInput *input) {
    g_autofree char *path = g_build_filename(input->folder, "t10k-labels-idx1-ubyte", NULL);
    if (!rmil_file_write(path, "\0\0\10\1\0\0\0\2\3\4", 10, NULL)) abort();
}

void fuzz_digits(const FuzzInput *input) {
    g_auto(RmilDigits) digits = {0};
    GError *error = NULL;
    const gboolean read = rmil_digits_read(&digits, input->folder, &error);
    FUZZ_EITHER(read, error);
    g_clear_error(&error);
}
