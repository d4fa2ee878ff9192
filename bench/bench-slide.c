/* SPDX-License-Identifier: Apache-2.0 */
/* Slides: tiles per second beside OpenSlide alone decoding the same regions of the same level on as many threads, and
 * the memory that the tissue mask of a slide of 100,000 × 100,000 pixels takes.
 *
 *   bench-slide [SLIDE …]     real slides are added to the made ones
 *   bench-slide --huge-single the mask's memory on a slide without a pyramid as well (minutes) */
#include "bench.h"
#include "rankmil/rankmil.h"

#include <glib/gstdio.h>
#include <math.h>
#include <openslide/openslide.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <vips/vips.h>

#define ROUNDS 5
#define SIDE 4096

static void require(gboolean done, GError *error, const char *what) {
    if (done) return;
    fprintf(stderr, "bench-slide: %s: %s\n", what, error ? error->message : vips_error_buffer());
    exit(1);
}

/* Nuclei on a stained ground with noise: what JPEG finds as hard as tissue. */
static uint8_t *draw(int width, int height) {
    uint8_t *rgb = g_malloc((gsize)width * (gsize)height * 3);
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint64_t bits = rmil_rng_next(&rng);
            double wave = sin(x * 0.11) * sin(y * 0.13) + sin((x + y) * 0.031);
            uint8_t *pixel = rgb + 3 * ((gsize)y * (gsize)width + (gsize)x);
            for (int c = 0; c < 3; c++) {
                static const double ground[] = {205, 150, 190}, depth[] = {60, 55, 35};
                pixel[c] = (uint8_t)(ground[c] - depth[c] * (wave > 0.9) + 12 * wave + (double)(bits >> (8 * c) & 15));
            }
        }
    return rgb;
}

static char *make_slide(const char *folder, const char *name, const uint8_t *rgb, gboolean pyramid) {
    char *path = g_build_filename(folder, name, NULL);
    VipsImage *image = vips_image_new_from_memory(rgb, (gsize)SIDE * SIDE * 3, SIDE, SIDE, 3, VIPS_FORMAT_UCHAR), *copy;
    image->Type = VIPS_INTERPRETATION_sRGB;
    require(vips_copy(image, &copy, "xres", 4000.0, "yres", 4000.0, NULL) == 0, NULL, name); /* 0.25 µm per pixel */
    require(vips_tiffsave(copy, path, "tile", TRUE, "tile_width", 256, "tile_height", 256, "pyramid", pyramid, "compression",
                          VIPS_FOREIGN_TIFF_COMPRESSION_JPEG, "Q", 80, NULL) == 0,
            NULL, name);
    g_object_unref(copy);
    g_object_unref(image);
    return path;
}

typedef struct {
    RmilSlide *slide;
    openslide_t *alone;
    const RmilGrid *grid;
    int level;
    int64_t side;      /* of a tile, in pixels of that level */
    uint8_t **buffers; /* one per thread */
} Job;

static gboolean read_ours(int64_t i, int worker, gpointer user, GError **error) {
    Job *job = user;
    return rmil_grid_read(job->grid, job->slide, i, job->buffers[worker], error);
}

static gboolean read_alone(int64_t i, int worker, gpointer user, GError **error) {
    Job *job = user;
    openslide_read_region(job->alone, (uint32_t *)(gpointer)job->buffers[worker], job->grid->coords[2 * i], job->grid->coords[2 * i + 1],
                          job->level, job->side, job->side);
    return TRUE;
}

/* Tiles per second; *cpu: processor time used. */
static double measure(Job *job, int threads, RmilLoopBody task, double *cpu) {
    GError *error = NULL;
    double cpu_start = bench_cpu_seconds();
    gint64 start = g_get_monotonic_time();
    require(rmil_parallel(job->grid->count, threads, task, job, &error), error, "reading");
    *cpu = bench_cpu_seconds() - cpu_start;
    return (double)job->grid->count * 1e6 / (double)(g_get_monotonic_time() - start);
}

/* Both start with empty caches, in turns. */
static void bench_tiles(const char *path, const char *what, double mpp, int threads) {
    GError *error = NULL;
    g_autoptr(RmilSlide) slide = rmil_slide_open(path, mpp, &error);
    require(slide != NULL, error, what);
    g_autoptr(RmilMask) mask = rmil_mask_new(slide, NULL, &error);
    require(mask != NULL, error, what);
    RmilTileOptions options;
    rmil_tile_options_init(&options);
    g_autoptr(RmilGrid) grid = rmil_grid_new(slide, mask, &options, &error);
    require(grid != NULL, error, what);
    double ours[ROUNDS], alone[ROUNDS], ratios[ROUNDS], busy[ROUNDS];
    Job job = {.grid = grid, .buffers = g_new(uint8_t *, (gsize)threads)};
    for (int round = 0; round < ROUNDS; round++) {
        job.slide = rmil_slide_open(path, mpp, &error);
        job.alone = openslide_open(path);
        job.level = openslide_get_best_level_for_downsample(job.alone, grid->downsample * 1.01);
        double scale = openslide_get_level_downsample(job.alone, job.level);
        job.side = llround(grid->tile_level0 / scale);
        for (int i = 0; i < threads; i++) job.buffers[i] = g_malloc((gsize)(job.side * job.side * 4) + 224 * 224 * 3);
        double cpu_ours, cpu_alone;
        ours[round] = measure(&job, threads, read_ours, &cpu_ours);
        alone[round] = measure(&job, threads, read_alone, &cpu_alone);
        ratios[round] = ours[round] / alone[round];
        busy[round] = cpu_alone / cpu_ours;
        for (int i = 0; i < threads; i++) g_free(job.buffers[i]);
        openslide_close(job.alone);
        rmil_slide_free(job.slide);
    }
    printf("%-34s %d thread%s %5" G_GINT64_FORMAT " tiles of %3" G_GINT64_FORMAT " px: %6.0f tiles/s, OpenSlide alone %6.0f,"
           " ratio %.2f, by processor time %.2f (≥ 0.80)\n",
           what, threads, threads > 1 ? "s" : " ", grid->count, job.side, bench_median(ours, ROUNDS), bench_median(alone, ROUNDS),
           bench_median(ratios, ROUNDS), bench_median(busy, ROUNDS));
    g_free(job.buffers);
}

static void put(GByteArray *file, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) g_byte_array_append(file, &(guint8){(guint8)(value >> (8 * i))}, 1);
}

static void put_entry(GByteArray *file, int tag, int type, uint32_t count, uint32_t value) {
    put(file, (uint64_t)tag, 2);
    put(file, (uint64_t)type, 2);
    put(file, count, 4);
    put(file, value, 4);
}

/* One directory of side × side pixels in tiles of 512 that all point to the same JPEG data. */
static void put_level(GByteArray *file, uint32_t side, uint32_t data, uint32_t size, gboolean reduced, gboolean more) {
    uint32_t tiles = (side + 511) / 512 * ((side + 511) / 512), start = file->len, body = start + 2 + 15 * 12 + 4;
    put(file, 15, 2);
    put_entry(file, 254, 4, 1, reduced ? 1 : 0);
    put_entry(file, 256, 4, 1, side);
    put_entry(file, 257, 4, 1, side);
    put_entry(file, 258, 3, 3, body);
    put_entry(file, 259, 3, 1, 7);
    put_entry(file, 262, 3, 1, 6);
    put_entry(file, 277, 3, 1, 3);
    put_entry(file, 282, 5, 1, body + 6);
    put_entry(file, 283, 5, 1, body + 6);
    put_entry(file, 296, 3, 1, 3);
    put_entry(file, 322, 3, 1, 512);
    put_entry(file, 323, 3, 1, 512);
    put_entry(file, 324, 4, tiles, body + 14);
    put_entry(file, 325, 4, tiles, body + 14 + 4 * tiles);
    put_entry(file, 530, 3, 2, 2 | 2 << 16);
    put(file, more ? body + 14 + 8 * tiles : 0, 4);
    for (int i = 0; i < 3; i++) put(file, 8, 2);
    put(file, 40000, 4); /* pixels per cm: 0.25 µm */
    put(file, 1, 4);
    for (uint32_t i = 0; i < tiles; i++) put(file, data, 4);
    for (uint32_t i = 0; i < tiles; i++) put(file, size, 4);
}

static char *make_huge(const char *folder, const uint8_t *rgb, gboolean pyramid) {
    g_autofree uint8_t *tile = g_malloc(512 * 512 * 3);
    for (int y = 0; y < 512; y++) {
        memcpy(tile + y * 512 * 3, rgb + (gsize)y * SIDE * 3, 512 * 3);
        memset(tile + y * 512 * 3, 245, 170 * 3); /* a stripe of glass */
    }
    VipsImage *image = vips_image_new_from_memory(tile, 512 * 512 * 3, 512, 512, 3, VIPS_FORMAT_UCHAR);
    image->Type = VIPS_INTERPRETATION_sRGB;
    void *jpeg;
    gsize size;
    require(vips_jpegsave_buffer(image, &jpeg, &size, "Q", 70, NULL) == 0, NULL, "huge.tiff");
    g_object_unref(image);
    GByteArray *file = g_byte_array_new();
    g_byte_array_append(file, (const guint8 *)"II*", 4);
    uint32_t padded = (uint32_t)(size + 1) & ~1u;
    put(file, 8 + padded, 4);
    g_byte_array_append(file, jpeg, (guint)size);
    if (size & 1) put(file, 0, 1);
    put_level(file, 100000, 8, (uint32_t)size, FALSE, pyramid);
    if (pyramid) put_level(file, 25000, 8, (uint32_t)size, TRUE, TRUE);
    if (pyramid) put_level(file, 6250, 8, (uint32_t)size, TRUE, FALSE);
    g_free(jpeg);
    char *path = g_build_filename(folder, "huge.tiff", NULL);
    require(g_file_set_contents(path, (const char *)file->data, file->len, NULL), NULL, path);
    g_byte_array_unref(file);
    return path;
}

static double peak_mib(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

/* The process' peak counts everything before it, so this comes first. */
static gboolean bench_mask(const char *folder, const uint8_t *rgb, gboolean pyramid) {
    g_autofree char *path = make_huge(folder, rgb, pyramid);
    GError *error = NULL;
    double before = peak_mib();
    g_autoptr(RmilSlide) slide = rmil_slide_open(path, 0, &error);
    require(slide != NULL, error, "huge.tiff");
    gint64 start = g_get_monotonic_time();
    g_autoptr(RmilMask) mask = rmil_mask_new(slide, NULL, &error);
    require(mask != NULL, error, "huge.tiff");
    double after = peak_mib();
    printf("mask of 100,000 × 100,000 pixels, %s: %.1f s, peak memory %.0f MiB (%.0f before; < 1024)\n",
           pyramid ? "levels 1, 4, 16" : "one level", 1e-6 * (double)(g_get_monotonic_time() - start), after, before);
    g_unlink(path);
    return after < 1024;
}

int main(int argc, char **argv) {
    gboolean single = argc > 1 && strcmp(argv[1], "--huge-single") == 0;
    int threads = rmil_threads(0);
    GError *error = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    require(VIPS_INIT(argv[0]) == 0, NULL, "libvips");
    g_autofree char *folder = g_dir_make_tmp("rankmil-bench-XXXXXX", &error);
    require(folder != NULL, error, "temporary folder");
    g_autofree uint8_t *rgb = draw(SIDE, SIDE);
    gboolean small = bench_mask(folder, rgb, TRUE);
    if (single) small = bench_mask(folder, rgb, FALSE) && small;
    g_autofree char *pyramid = make_slide(folder, "pyramid.tiff", rgb, TRUE);
    g_autofree char *flat = make_slide(folder, "flat.tiff", rgb, FALSE);
    for (int n = 1; n <= threads; n += MAX(threads - 1, 1)) {
        bench_tiles(pyramid, "40×, tiles are level pixels", 0, n);
        bench_tiles(flat, "40×, one level, downsample 2", 0, n);
        bench_tiles(pyramid, "mpp 0.2431, downsample 2.0568", 0.2431, n);
        for (int i = single ? 2 : 1; i < argc; i++) {
            g_autofree char *name = g_path_get_basename(argv[i]);
            bench_tiles(argv[i], name, 0, n);
        }
    }
    g_unlink(pyramid);
    g_unlink(flat);
    g_rmdir(folder);
    return !small;
}
