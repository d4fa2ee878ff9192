/* Encoders: tiles per second, on one thread and on all. */
#include "rankmil/rankmil.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TILE_BYTES ((gsize)224 * 224 * 3)
#define ROUNDS 5

typedef struct {
    RmilEncoder *encoder;
    const uint8_t *rgb;
    float *features;
    int batch;
} Job;

static gboolean encode(int64_t i, int worker, gpointer user, GError **error) {
    Job *job = user;
    gsize first = (gsize)i * (gsize)job->batch;
    return rmil_encoder_run(job->encoder, worker, job->rgb + first * TILE_BYTES, job->batch,
                            job->features + first * (gsize)rmil_encoder_dim(job->encoder), error);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* H&E-like enough to give every stage its usual work: spots of nuclei on a stained ground with noise. */
static void draw(uint8_t *rgb, int tiles) {
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    for (gsize i = 0; i < TILE_BYTES * (gsize)tiles; i++) {
        const uint8_t ground[3] = {215, 160, 200};
        rgb[i] = (uint8_t)(ground[i % 3] + rmil_rng_below(&rng, 20));
    }
    for (int spot = 0; spot < 90 * tiles; spot++) {
        int tile = spot / 90, radius = 4 + (int)rmil_rng_below(&rng, 7);
        int cx = (int)rmil_rng_below(&rng, 224), cy = (int)rmil_rng_below(&rng, 224);
        for (int y = MAX(cy - radius, 0); y <= MIN(cy + radius, 223); y++)
            for (int x = MAX(cx - radius, 0); x <= MIN(cx + radius, 223); x++)
                if ((x - cx) * (x - cx) + (y - cy) * (y - cy) <= radius * radius) {
                    uint8_t *p = rgb + ((gsize)tile * 224 * 224 + (gsize)y * 224 + (gsize)x) * 3;
                    p[0] = (uint8_t)(70 + rmil_rng_below(&rng, 40));
                    p[1] = (uint8_t)(50 + rmil_rng_below(&rng, 40));
                    p[2] = (uint8_t)(120 + rmil_rng_below(&rng, 40));
                }
    }
}

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Median tiles per second; *busy: the same per second of processor time, which a loaded machine does not change. */
static double measure(Job *job, int tiles, int threads, double *busy) {
    double rates[ROUNDS], busies[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double cpu = cpu_seconds();
        gint64 start = g_get_monotonic_time();
        if (!rmil_parallel(tiles / job->batch, threads, encode, job, NULL)) exit(1);
        rates[round] = tiles * 1e6 / (double)(g_get_monotonic_time() - start);
        busies[round] = tiles / (cpu_seconds() - cpu);
    }
    qsort(rates, ROUNDS, sizeof *rates, compare);
    qsort(busies, ROUNDS, sizeof *busies, compare);
    *busy = busies[ROUNDS / 2];
    return rates[ROUNDS / 2];
}

static void bench_texture(void) {
    int threads = rmil_threads(0), tiles = 256;
    RmilEncoderOptions options = {.workers = threads};
    g_autoptr(RmilEncoder) encoder = rmil_encoder_new("texture", &options, NULL);
    g_autofree uint8_t *rgb = g_malloc(TILE_BYTES * (gsize)tiles);
    g_autofree float *features = g_new(float, (gsize)tiles * (gsize)rmil_encoder_dim(encoder));
    draw(rgb, tiles);
    Job job = {encoder, rgb, features, rmil_encoder_batch(encoder)};
    double busy, one = measure(&job, tiles, 1, &busy), busy_all, all = measure(&job, tiles, threads, &busy_all);
    printf("texture: %.0f tiles/s on 1 thread, %.0f on %d; %.0f per processor second (median of %d runs of %d tiles, "
           "%d features)\n", one, all, threads, busy, ROUNDS, tiles, rmil_encoder_dim(encoder));
}

static void print_machine(void) {
    g_autofree char *text = NULL;
    g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL);
    char *model = text ? strstr(text, "model name") : NULL;
    char *name = model ? strchr(model, ':') : NULL;
    printf("encoder bench: %.*s, %d processors\n", name ? (int)strcspn(name + 2, "\n") : 7, name ? name + 2 : "unknown",
           rmil_threads(0));
}

int main(void) {
    print_machine();
    bench_texture();
    return 0;
}
