/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the constants of src/encoder/texture-scale.c: the mean and the standard deviation of every raw texture
 * feature over tiles of images.
 *
 *     texture-scale IMAGE|FOLDER... > src/encoder/texture-scale.c
 *     texture-scale --csv IMAGE|FOLDER...        every tile's raw features, for looking at them
 *
 * Each argument counts the same, however many tiles it has: name one folder or slide per laboratory. The committed
 * constants come from real Camelyon16 patches, breast images of the UCSB bio-segmentation benchmark, the slide
 * CMU-1-Small-Region of OpenSlide's test data, and slides made by `rankmil synth`. */
#include "encoder/texture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <vips/vips.h>

typedef struct {
    TextureScratch *scratch;
    gboolean csv;
    int dim;
    double n, sum[TEXTURE_MOST], squares[TEXTURE_MOST];       /* of one argument */
    double sources, mean[TEXTURE_MOST], square[TEXTURE_MOST]; /* over arguments */
} Measure;

static void measure_tile(Measure *m, const char *path, int x, int y, const uint8_t *rgb) {
    double raw[TEXTURE_MOST];
    gboolean first = m->dim == 0;
    m->dim = rmil_texture_raw(m->scratch, rgb, raw);
    if (raw[0] < 0.05) return; /* share of tissue: what tiling would drop */
    if (m->csv) {
        if (first) {
            printf("path,x,y");
            for (int i = 0; i < m->dim; i++) printf(",%s", rmil_texture_feature_name(m->scratch, i));
            printf("\n");
        }
        printf("%s,%d,%d", path, x, y);
        for (int i = 0; i < m->dim; i++) printf(",%.7g", raw[i]);
        printf("\n");
    }
    m->n++;
    for (int i = 0; i < m->dim; i++) {
        m->sum[i] += raw[i];
        m->squares[i] += raw[i] * raw[i];
    }
}

static void measure_image(Measure *m, const char *path) {
    VipsImage *image = vips_image_new_from_file(path, NULL), *rgb = NULL;
    void *pixels = NULL;
    size_t size;
    if (!image || vips_colourspace(image, &rgb, VIPS_INTERPRETATION_sRGB, NULL)) {
        fprintf(stderr, "texture-scale: %s: skipped: %s", path, vips_error_buffer());
        vips_error_clear();
        g_clear_object(&image);
        return;
    }
    VipsImage *bands = NULL;
    if (!vips_extract_band(rgb, &bands, 0, "n", 3, NULL)) pixels = vips_image_write_to_memory(bands, &size);
    int width = bands ? bands->Xsize : 0, height = bands ? bands->Ysize : 0;
    /* as many whole tiles as there are, in the middle */
    int left = width % TEXTURE_SIDE / 2, top = height % TEXTURE_SIDE / 2;
    g_autofree uint8_t *tile = g_malloc(TEXTURE_PIXELS * 3);
    for (int y = top; pixels && y + TEXTURE_SIDE <= height; y += TEXTURE_SIDE)
        for (int x = left; x + TEXTURE_SIDE <= width; x += TEXTURE_SIDE) {
            for (int row = 0; row < TEXTURE_SIDE; row++)
                memcpy(tile + (size_t)row * TEXTURE_SIDE * 3, (uint8_t *)pixels + ((size_t)(y + row) * (size_t)width + (size_t)x) * 3,
                       TEXTURE_SIDE * 3);
            measure_tile(m, path, x, y, tile);
        }
    g_free(pixels);
    g_clear_object(&bands);
    g_object_unref(rgb);
    g_object_unref(image);
}

static void measure_source(Measure *m, const char *path) {
    m->n = 0;
    memset(m->sum, 0, sizeof m->sum);
    memset(m->squares, 0, sizeof m->squares);
    GDir *dir = g_dir_open(path, 0, NULL);
    if (dir) {
        for (const char *name; (name = g_dir_read_name(dir));) {
            g_autofree char *file = g_build_filename(path, name, NULL);
            if (!g_str_has_suffix(name, ".csv")) measure_image(m, file);
        }
        g_dir_close(dir);
    } else {
        measure_image(m, path);
    }
    fprintf(stderr, "%s: %.0f tiles\n", path, m->n);
    if (m->n == 0) return;
    m->sources++;
    for (int i = 0; i < m->dim; i++) {
        m->mean[i] += m->sum[i] / m->n;
        m->square[i] += m->squares[i] / m->n;
    }
}

int main(int argc, char **argv) {
    if (VIPS_INIT(argv[0])) return 1;
    Measure *m = g_new0(Measure, 1);
    m->scratch = rmil_texture_scratch_new(NULL);
    m->csv = argc > 1 && strcmp(argv[1], "--csv") == 0;
    for (int i = m->csv ? 2 : 1; i < argc; i++) measure_source(m, argv[i]);
    if (m->sources == 0) {
        fprintf(stderr, "usage: texture-scale [--csv] IMAGE|FOLDER...\n");
        return 2;
    }
    if (!m->csv) {
        printf("/* Made by tests/encoder/texture-scale.c: mean and standard deviation of the raw features. */\n"
               "#include \"texture.h\"\n\n/* TEXTURE_DIM is %d */\nconst float rmil_texture_scale[TEXTURE_DIM][2] = {\n",
               m->dim);
        for (int i = 0; i < m->dim; i++) {
            double mean = m->mean[i] / m->sources, variance = m->square[i] / m->sources - mean * mean;
            printf("    {%.5eF, %.5eF}, /* %s */\n", mean, MAX(sqrt(MAX(variance, 0)), 1e-3), rmil_texture_feature_name(m->scratch, i));
        }
        printf("};\n");
    }
    rmil_texture_scratch_free(m->scratch);
    g_free(m);
    vips_shutdown();
    return 0;
}
