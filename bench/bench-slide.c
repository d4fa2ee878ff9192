/* SPDX-License-Identifier: Apache-2.0 */
/* Slides: tiles per second and processor time a tile, read row by row and block by block, compared with OpenSlide alone decoding the same
 * regions of the same level on as many threads (and openslide-python, if RMIL_PEER_PYTHON has it), the encoder "texture" alone, and both as
 * `rankmil encode` runs them; and the memory that the tissue mask of a slide of 100,000 × 100,000 pixels takes.
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
#define SOME 64

static void require(gboolean done, GError *error, const char *what) {
    if (done) return;
    fprintf(stderr, "bench-slide: %s: %s\n", what, error ? error->message : vips_error_buffer());
    exit(1);
}

/* A drawn slide of 0.25 µm per pixel in JPEG tiles of 256 px, with its pyramid; *flat: its finest level alone. */
static char *make_slide(const char *folder, char **flat) {
    GError *error = NULL;
    RmilSynthOptions options;
    rmil_synth_options_init(&options);
    options.slides = 1;
    options.width = 9000;
    options.height = 9000;
    options.mpp = 0.25;
    require(rmil_synth_write(folder, &options, NULL, &error), error, folder);
    g_autofree char *table = g_build_filename(folder, "cohort.csv", NULL);
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(table, &error);
    require(cohort != NULL, error, table);
    *flat = g_build_filename(folder, "flat.tiff", NULL);
    VipsImage *image;
    require(vips_tiffload(cohort->rows[0].slide, &image, NULL) == 0, NULL, "drawn slide");
    require(vips_tiffsave(image, *flat, "tile", TRUE, "tile_width", 256, "tile_height", 256, "compression",
                          VIPS_FOREIGN_TIFF_COMPRESSION_JPEG, "Q", 85, NULL) == 0,
            NULL, "flat.tiff");
    g_object_unref(image);
    return g_strdup(cohort->rows[0].slide);
}

/* -- tiles ------------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    RmilSlide *slide;
    openslide_t *alone;
    RmilGrid *grid;
    RmilGridBlocks *blocks;
    RmilEncoder *encoder;
    uint8_t *some;     /* SOME tiles, for the encoder alone */
    uint8_t **buffers; /* by thread */
    float **features;  /* likewise */
    int level;
    int64_t side; /* of a tile, in pixels of that level */
} Job;

static gboolean read_ours(int64_t i, int worker, gpointer user, GError **error) {
    Job *job = user;
    return rmil_grid_read(job->grid, job->slide, i, job->buffers[worker], error);
}

static gboolean read_block(int64_t i, int worker, gpointer user, GError **error) {
    Job *job = user;
    for (int64_t k = job->blocks->first[i]; k < job->blocks->first[i + 1]; k++)
        if (!rmil_grid_read(job->grid, job->slide, job->blocks->tiles[k], job->buffers[worker], error)) return FALSE;
    return TRUE;
}

static gboolean read_alone(int64_t i, int worker, gpointer user, GError **error) {
    Job *job = user;
    openslide_read_region(job->alone, (uint32_t *)(gpointer)job->buffers[worker], job->grid->coords[2 * i], job->grid->coords[2 * i + 1],
                          job->level, job->side, job->side);
    return TRUE;
}

static gboolean encode(int64_t i, int worker, gpointer user, GError **error) {
    Job *job = user;
    const gsize tile = (gsize)job->grid->tile_px * (gsize)job->grid->tile_px * 3;
    return rmil_encoder_run(job->encoder, worker, job->some + (gsize)(i % SOME) * tile, 1, job->features[worker], error);
}

/* Tiles per second, and milliseconds of processor time a tile, of ROUNDS rounds each. */
typedef struct {
    double rate[ROUNDS], cpu[ROUNDS];
} Speed;

static void measure(Speed *speed, int round, int64_t tiles, int64_t n, int threads, RmilLoopBody task, gpointer user) {
    GError *error = NULL;
    const double cpu = bench_cpu_seconds();
    const gint64 start = g_get_monotonic_time();
    require(rmil_parallel(n, threads, task, user, &error), error, "a round");
    speed->rate[round] = (double)tiles * 1e6 / (double)(g_get_monotonic_time() - start);
    speed->cpu[round] = 1e3 * (bench_cpu_seconds() - cpu) / (double)tiles;
}

/* The pipeline as `rankmil encode` runs it, from the slide's file to its feature file. */
static gboolean whole(int64_t index, int worker, gpointer user, GError **error) { return rmil_work_encode(user, error); }

static RmilWork *work_on(const char *folder, const char *path, double mpp, const RmilTileOptions *tiles, int threads) {
    GError *error = NULL;
    RmilPrepareOptions options;
    rmil_prepare_options_init(&options);
    options.tile_mpp = tiles->mpp;
    options.threads = threads;
    options.mpp = mpp;
    g_autofree char *into = g_build_filename(folder, "work", NULL);
    RmilWork *work = rmil_work_new(into, &options, NULL, &error);
    require(work != NULL, error, path);
    RmilCohort *cohort = rmil_predict_inputs((const char *const *)&path, 1, NULL, NULL, NULL, &error);
    require(cohort != NULL, error, path);
    rmil_work_take(work, cohort);
    require(rmil_work_tile(work, &error), error, path);
    return work;
}

static void print_speed(const char *name, Speed *speed) {
    printf("    %-34s %6.0f tiles/s  %5.2f ms of processor a tile\n", name, bench_median(speed->rate, ROUNDS),
           bench_median(speed->cpu, ROUNDS));
}

/* Share by processor time, which other work on the machine does not change: of the slower of the two alone, and of both after each other,
 * which is the best possible if one processor does both. */
static void print_shares(Speed *alone, Speed *encoder, Speed *all) {
    const double reading = bench_median(alone->cpu, ROUNDS), encoding = bench_median(encoder->cpu, ROUNDS),
                 both = bench_median(all->cpu, ROUNDS);
    printf("    slide -> features: %.0f %% of the slower of OpenSlide and encoder alone, %.0f %% of the two after each other\n",
           100 * MAX(reading, encoding) / both, 100 * (reading + encoding) / both);
}

static void open_job(Job *job, const char *path, double mpp, int threads) {
    GError *error = NULL;
    job->slide = rmil_slide_open(path, mpp, &error);
    require(job->slide != NULL, error, path);
    job->alone = openslide_open(path);
    job->level = openslide_get_best_level_for_downsample(job->alone, job->grid->downsample * 1.01);
    job->side = llround(job->grid->tile_level0 / openslide_get_level_downsample(job->alone, job->level));
}

static void close_job(Job *job) {
    openslide_close(job->alone);
    rmil_slide_free(job->slide);
}

/* All take turns, each starting with empty caches. */
static void bench_tiles(const char *folder, const char *path, const char *what, double mpp, double tile_mpp, int threads) {
    GError *error = NULL;
    g_autoptr(RmilSlide) slide = rmil_slide_open(path, mpp, &error);
    require(slide != NULL, error, what);
    g_autoptr(RmilMask) mask = rmil_mask_new(slide, NULL, &error);
    require(mask != NULL, error, what);
    RmilTileOptions options;
    rmil_tile_options_init(&options);
    options.mpp = tile_mpp;
    g_autoptr(RmilGrid) grid = rmil_grid_new(slide, mask, &options, &error);
    require(grid != NULL, error, what);
    g_autoptr(RmilGridBlocks) blocks = rmil_grid_blocks_new(grid, slide, NULL, &error);
    require(blocks != NULL, error, what);
    const RmilEncoderOptions how = {.workers = threads};
    g_autoptr(RmilEncoder) encoder = rmil_encoder_new("texture", &how, &error);
    require(encoder != NULL, error, "texture");
    Job job = {.grid = grid, .blocks = blocks, .encoder = encoder};
    open_job(&job, path, mpp, threads);
    const gsize tile = (gsize)grid->tile_px * (gsize)grid->tile_px * 3, pixels = (gsize)job.side * (gsize)job.side * 4;
    job.buffers = g_new(uint8_t *, threads);
    job.features = g_new(float *, threads);
    for (int i = 0; i < threads; i++) {
        job.buffers[i] = g_malloc(MAX(tile, pixels));
        job.features[i] = g_new(float, rmil_encoder_dim(encoder));
    }
    job.some = g_malloc(SOME * tile);
    for (int i = 0; i < SOME; i++)
        require(rmil_grid_read(grid, slide, i * grid->count / SOME, job.some + (gsize)i * tile, &error), error, what);
    close_job(&job);
    Speed alone, ours, together, encoding, all;
    for (int round = 0; round < ROUNDS; round++) {
        open_job(&job, path, mpp, threads);
        measure(&alone, round, grid->count, grid->count, threads, read_alone, &job);
        measure(&ours, round, grid->count, grid->count, threads, read_ours, &job);
        close_job(&job);
        open_job(&job, path, mpp, threads);
        measure(&together, round, grid->count, blocks->count, threads, read_block, &job);
        close_job(&job);
        measure(&encoding, round, grid->count, grid->count, threads, encode, &job);
        g_autoptr(RmilWork) work = work_on(folder, path, mpp, &options, threads);
        g_autofree char *features = rmil_work_features(work, 0);
        g_unlink(features);
        measure(&all, round, grid->count, 1, 1, whole, work);
    }
    printf("%s, %d thread%s: %" G_GINT64_FORMAT " tiles of %" G_GINT64_FORMAT " px of a level, downsample %.4g of level 0\n", what, threads,
           threads > 1 ? "s" : "", grid->count, job.side, grid->downsample);
    print_speed("OpenSlide alone, row by row", &alone);
    print_speed("rankmil, row by row", &ours);
    print_speed("rankmil, block by block", &together);
    print_speed("encoder texture alone", &encoding);
    print_speed("rankmil encode, slide -> features", &all);
    print_shares(&alone, &encoding, &all);
    fflush(stdout);
    for (int i = 0; i < threads; i++) {
        g_free(job.buffers[i]);
        g_free(job.features[i]);
    }
    g_free(job.buffers);
    g_free(job.features);
    g_free(job.some);
}

/* openslide-python in the same run, where RMIL_PEER_PYTHON names a Python that has it. */
static void bench_peer(const char *path, double downsample) {
    const char *python = g_getenv("RMIL_PEER_PYTHON");
    if (!python) return;
    g_autofree char *scale = g_strdup_printf("%.9g", downsample);
    const char *const command[] = {python, "bench/peers/openslide-tiles.py", path, scale, NULL};
    g_autoptr(GError) error = NULL;
    if (!g_spawn_sync(NULL, (char **)command, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL, NULL,
                      &error))
        fprintf(stderr, "bench-slide: %s\n", error->message);
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

/* Waves on a stained ground with noise, and a stripe of glass. */
static uint8_t *draw_tile(void) {
    uint8_t *rgb = g_malloc(512 * 512 * 3);
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    for (int i = 0; i < 512 * 512; i++) {
        static const double ground[] = {205, 150, 190}, depth[] = {60, 55, 35};
        const uint64_t bits = rmil_rng_next(&rng);
        const int x = i % 512, y = i / 512;
        const double wave = sin(x * 0.11) * sin(y * 0.13) + sin((x + y) * 0.031);
        for (int c = 0; c < 3; c++)
            rgb[3 * i + c] = (uint8_t)(x < 170 ? 245 : ground[c] - depth[c] * (wave > 0.9) + 12 * wave + (double)(bits >> (8 * c) & 15));
    }
    return rgb;
}

static char *make_huge(const char *folder, gboolean pyramid) {
    g_autofree uint8_t *tile = draw_tile();
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
static gboolean bench_mask(const char *folder, gboolean pyramid) {
    g_autofree char *path = make_huge(folder, pyramid);
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

static void remove_tree(const char *path) {
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *inner = g_build_filename(path, name, NULL);
        remove_tree(inner);
    }
    g_remove(path);
}

int main(int argc, char **argv) {
    gboolean single = argc > 1 && strcmp(argv[1], "--huge-single") == 0;
    int threads = rmil_threads(0);
    GError *error = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    require(VIPS_INIT(argv[0]) == 0, NULL, "libvips");
    g_autofree char *folder = g_dir_make_tmp("rankmil-bench-XXXXXX", &error);
    require(folder != NULL, error, "temporary folder");
    gboolean small = bench_mask(folder, TRUE);
    if (single) small = bench_mask(folder, FALSE) && small;
    g_autofree char *flat = NULL, *pyramid = make_slide(folder, &flat);
    for (int n = 1; n <= threads; n += MAX(threads - 1, 1)) {
        bench_tiles(folder, pyramid, "drawn, 40x, tiles of 40x", 0, 0.25, n);
        bench_tiles(folder, flat, "drawn, 40x, one level, tiles of 20x", 0, 0.5, n);
        bench_tiles(folder, pyramid, "drawn, mpp 0.2431, tiles of 20x", 0.2431, 0.5, n);
        for (int i = single ? 2 : 1; i < argc; i++) {
            g_autofree char *name = g_path_get_basename(argv[i]);
            bench_tiles(folder, argv[i], name, 0, 0.5, n);
        }
    }
    bench_peer(pyramid, 1);
    bench_peer(flat, 2);
    remove_tree(folder);
    return !small;
}
