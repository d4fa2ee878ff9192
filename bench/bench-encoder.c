/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders: tiles per second, on one thread and on all; ResNet-50 and vision transformers beside PyTorch.
 *
 *     RMIL_PEER_PYTHON=python3 bench-encoder WEIGHTS
 *     RMIL_PEER_PYTHON=python3 bench-encoder --train [f32|bf16]      its training alone
 *     RMIL_PEER_PYTHON=python3 bench-encoder --vit [ViT-S/16|…]      vision transformers alone
 *     RMIL_PEER_PYTHON=python3 bench-encoder --resnet WEIGHTS        ResNet-50 in float32 alone
 *
 * and the whole way from a slide's file to a feature file, `rankmil encode`, beside the encoder alone. */
#include "bench-encoder.h"
#include "bench.h"
#include "rankmil/rankmil.h"

#include <dnnl.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

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

/* Median tiles per second; *busy: the same per second of processor time, which does not depend on the machine's load. */
static double measure(Job *job, int tiles, int threads, double *busy) {
    double rates[ROUNDS], busies[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double cpu = bench_cpu_seconds();
        gint64 start = g_get_monotonic_time();
        if (!rmil_parallel(tiles / job->batch, threads, encode, job, NULL)) exit(1);
        rates[round] = tiles * 1e6 / (double)(g_get_monotonic_time() - start);
        busies[round] = tiles / (bench_cpu_seconds() - cpu);
    }
    *busy = bench_median(busies, ROUNDS);
    return bench_median(rates, ROUNDS);
}

/* -- from slide to features ------------------------------------------------------------------------------------------- */

static const char *command; /* rankmil, built beside this program */

/* Runs the command with the arguments; returns its JSON, or prints why not and returns NULL. */
static JsonParser *ask(const char *const *arguments) {
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonParser) parser = json_parser_new();
    int status;
    if (g_spawn_sync(NULL, (char **)arguments, NULL, 0, NULL, NULL, &text, NULL, &status, &error) &&
        g_spawn_check_wait_status(status, &error) && json_parser_load_from_data(parser, text, -1, &error))
        return g_steal_pointer(&parser);
    printf("%s %s: %s\n", arguments[0], arguments[1], error->message);
    return NULL;
}

static double children_cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/* busy: the encoder's own tiles per second of processor time. On a busy machine only these can be compared. */
static void bench_pipeline(const char *name, const char *weights, double alone, double busy) {
    g_autofree char *folder = g_dir_make_tmp("rankmil-bench-XXXXXX", NULL), *made = g_build_filename(folder, "made", NULL);
    g_autofree char *cohort = g_build_filename(made, "cohort.csv", NULL), *out = g_build_filename(folder, "out", NULL);
    const char *const synth[] = {command,    "synth",  made,      "--slides=1", "--width=12000", "--height=9000", "--positive=1",
                                 "--test=0", "--json", "--quiet", NULL};
    const char *const tile[] = {command, "tile", cohort, "-o", out, "--json", "--quiet", NULL};
    const char *const encode[] = {
        command, "encode", cohort, "-o", out, "--json", "--quiet", "--encoder", name, weights ? "--weights" : NULL, weights, NULL};
    g_autoptr(JsonParser) slide = ask(synth), tiles = slide ? ask(tile) : NULL;
    const double begun = children_cpu_seconds();
    g_autoptr(JsonParser) features = tiles ? ask(encode) : NULL;
    const double cpu = children_cpu_seconds() - begun;
    if (features) {
        JsonObject *result = json_node_get_object(json_parser_get_root(features));
        JsonObject *stage = json_object_get_object_member(json_object_get_object_member(result, "stages"), "encode");
        const int64_t count = json_object_get_int_member(result, "tiles");
        const double rate = (double)count / json_object_get_double_member(stage, "seconds");
        printf("%s: %.4g tiles/s from a slide's file to a feature file (%" G_GINT64_FORMAT " tiles, weights read and file written "
               "included), %.0f %% of the encoder's own; %.4g per processor second, %.0f %%\n",
               name, rate, count, 100 * rate / alone, (double)count / cpu, 100 * (double)count / cpu / busy);
    }
    const char *const clean[] = {"rm", "-r", folder, NULL};
    g_spawn_sync(NULL, (char **)clean, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
}

static void bench_texture(void) {
    int threads = rmil_threads(0), tiles = 256;
    RmilEncoderOptions options = {.workers = threads};
    g_autoptr(RmilEncoder) encoder = rmil_encoder_new("texture", &options, NULL);
    g_autofree uint8_t *rgb = g_malloc(TILE_BYTES * (gsize)tiles);
    g_autofree float *features = g_new(float, ((gsize)tiles * (gsize)rmil_encoder_dim(encoder)));
    draw(rgb, tiles);
    Job job = {encoder, rgb, features, rmil_encoder_batch(encoder)};
    double busy, one = measure(&job, tiles, 1, &busy), busy_all, all = measure(&job, tiles, threads, &busy_all);
    printf("texture: %.0f tiles/s on 1 thread, %.0f on %d; %.0f and %.0f per processor second (median of %d runs of %d tiles, "
           "%d features)\n",
           one, all, threads, busy, busy_all, ROUNDS, tiles, rmil_encoder_dim(encoder));
    bench_pipeline("texture", NULL, all, busy_all);
}

/* -- ResNet-50 ------------------------------------------------------------------------------------------------------ */

#define GFLOP_PER_TILE 6.557 /* multiplications and additions of the convolutions, stem to layer3, as direct sums */

/* What the processor can do in this precision: oneDNN's own matrix product, one thread, in cache. */
static double measure_peak(void) {
    enum { SIZE = 768 };
    g_autofree float *a = g_new0(float, (SIZE * SIZE)), *b = g_new0(float, (SIZE * SIZE)), *c = g_new0(float, (SIZE * SIZE));
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = bench_cpu_seconds();
        for (int i = 0; i < 4; i++) dnnl_sgemm('N', 'N', SIZE, SIZE, SIZE, 1, a, SIZE, b, SIZE, 0, c, SIZE);
        best = MAX(best, 4 * 2.0 * SIZE * SIZE * SIZE * 1e-9 / (bench_cpu_seconds() - start));
    }
    return best;
}

static gboolean measure_peak_task(int64_t i, int worker, gpointer user, GError **error) {
    *(double *)user = measure_peak();
    return TRUE;
}

double bench_peak(void) {
    double peak = 0;
    rmil_parallel(1, 1, measure_peak_task, &peak, NULL); /* a worker has oneDNN to itself */
    return peak;
}

double bench_peer(const char *title, const char *name, const char *const *arguments, double *busy) {
    if (busy) *busy = 0;
    const char *python = g_getenv("RMIL_PEER_PYTHON"), *source = g_getenv("RMIL_SOURCE");
    if (!python) {
        printf("%s: set RMIL_PEER_PYTHON to a Python with PyTorch to compare with it\n", title);
        return 0;
    }
    g_autofree char *script = g_build_filename(source ? source : ".", "bench", "peers", name, NULL);
    g_autoptr(GPtrArray) call = g_ptr_array_new();
    g_ptr_array_add(call, (char *)python);
    g_ptr_array_add(call, script);
    for (; *arguments; arguments++) g_ptr_array_add(call, (char *)*arguments);
    g_ptr_array_add(call, NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    fflush(stdout);
    if (!g_spawn_sync(NULL, (char **)call->pdata, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &text, NULL, NULL,
                      &error)) {
        printf("%s: %s\n", title, error->message);
        return 0;
    }
    double best = 0;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (**line) printf("  PyTorch, %s: %s\n", title, *line);
        const char *rate = strstr(*line, ": ");
        const char *second = rate ? strstr(rate, ", ") : NULL;
        if (rate) best = MAX(best, g_ascii_strtod(rate + strlen(": "), NULL));
        if (second && busy) *busy = MAX(*busy, g_ascii_strtod(second + strlen(", "), NULL));
    }
    return best;
}

static void bench_resnet(const char *weights, RmilPrecision precision) {
    const char *name = precision == RMIL_BFLOAT16 ? "bfloat16" : "float32";
    int threads = rmil_threads(0), tiles = 24 * threads;
    RmilEncoderOptions options = {.weights = weights, .precision = precision, .workers = threads};
    g_autoptr(GError) error = NULL;
    g_autoptr(RmilEncoder) encoder = rmil_encoder_new("resnet50", &options, &error);
    if (!encoder) {
        printf("resnet50 %s: %s\n", name, error->message);
        return;
    }
    g_autofree uint8_t *rgb = g_malloc(TILE_BYTES * (gsize)tiles);
    g_autofree float *features = g_new(float, ((gsize)tiles * (gsize)rmil_encoder_dim(encoder)));
    draw(rgb, tiles);
    Job job = {encoder, rgb, features, rmil_encoder_batch(encoder)};
    double busy, one = measure(&job, 24, 1, &busy), busy_all, all = measure(&job, tiles, threads, &busy_all), peak = bench_peak();
    printf("resnet50 %s: %.2f tiles/s on 1 thread, %.2f on %d; %.2f and %.2f per processor second (median of %d runs)\n", name, one, all,
           threads, busy, busy_all, ROUNDS);
    if (precision == RMIL_FLOAT32)
        printf("resnet50 %s: %.1f GFLOP/s, counted as direct sums: %.0f %% of the %.1f that one thread reaches in a matrix product\n", name,
               busy * GFLOP_PER_TILE, 100 * busy * GFLOP_PER_TILE / peak, peak);
    g_autofree char *count = g_strdup_printf("%d", threads), *title = g_strdup_printf("resnet50 %s", name);
    const char *const arguments[] = {count, name, NULL};
    double peer = bench_peer(title, "resnet50.py", arguments, NULL);
    if (peer > 0) printf("resnet50 %s: %.2f times PyTorch's best\n", name, all / peer);
    if (precision == RMIL_FLOAT32) bench_pipeline("resnet50", weights, all, busy_all);
}

int main(int argc, char **argv) {
    g_autofree char *here = g_path_get_dirname(argv[0]), *beside = g_build_filename(here, "..", "cli", "rankmil", NULL);
    command = beside;
    bench_print_machine("encoder bench");
    if (argc > 1 && strcmp(argv[1], "--train") == 0) {
        bench_network(argc > 2 ? argv[2] : NULL);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--vit") == 0) {
        bench_vit(argc > 2 ? argv[2] : NULL);
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "--resnet") == 0) {
        bench_resnet(argv[2], RMIL_FLOAT32);
        return 0;
    }
    bench_texture();
    bench_vit(NULL);
    const char *weights = argc > 1 ? argv[1] : g_getenv("RMIL_WEIGHTS");
    if (weights) {
        bench_resnet(weights, RMIL_FLOAT32);
        bench_resnet(weights, RMIL_BFLOAT16);
    } else {
        printf("resnet50: name a file of weights (argument, or RMIL_WEIGHTS) to measure it\n");
    }
    return 0;
}
