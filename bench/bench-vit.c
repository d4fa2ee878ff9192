/* SPDX-License-Identifier: Apache-2.0 */
/* Vision transformers of random weights beside PyTorch: tiles per second, and per second of processor time. */
#include "bench-encoder.h"
#include "bench.h"
#include "encoder/vit.h"
#include "rankmil/rankmil.h"

#include <stdio.h>
#include <stdlib.h>

#define TILE_BYTES ((gsize)224 * 224 * 3)
enum { ROUNDS = 5 };

typedef struct {
    const char *name;
    int64_t embed, depth;
    int heads;
    int64_t patch;
} Form;

typedef struct {
    RmilVit *vit;
    const uint8_t *rgb;
    float *features;
    int batch;
} Job;

static gboolean encode(int64_t i, int worker, gpointer user, GError **error) {
    Job *job = user;
    const gsize first = (gsize)i * (gsize)job->batch;
    rmil_vit_run(job->vit, worker, job->rgb + first * TILE_BYTES, job->batch, job->features + first * (gsize)rmil_vit_dim(job->vit));
    return TRUE;
}

static double measure(Job *job, int tiles, int threads, double *busy) {
    double rates[ROUNDS], busies[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        const double cpu = bench_cpu_seconds();
        const gint64 start = g_get_monotonic_time();
        if (!rmil_parallel(tiles / job->batch, threads, encode, job, NULL)) exit(1);
        rates[round] = tiles * 1e6 / (double)(g_get_monotonic_time() - start);
        busies[round] = tiles / (bench_cpu_seconds() - cpu);
    }
    *busy = bench_median(busies, ROUNDS);
    return bench_median(rates, ROUNDS);
}

static void add(RmilTensors *tensors, RmilRng *rng, const char *name, int rank, const int64_t *shape) {
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= shape[i];
    float *values = g_new(float, count);
    for (int64_t i = 0; i < count; i++) values[i] = ((float)rmil_rng_below(rng, 2001) - 1000) * 5e-5F;
    rmil_tensors_keep(tensors, values, g_free);
    if (!rmil_tensors_add(tensors, name, RMIL_DTYPE_F32, rank, shape, values, NULL)) exit(1);
}

static void add_pair(RmilTensors *tensors, RmilRng *rng, int64_t block, const char *name, int64_t out, int64_t in) {
    g_autofree char *prefix = block < 0 ? g_strdup("") : g_strdup_printf("blocks.%" G_GINT64_FORMAT ".", block);
    g_autofree char *weight = g_strconcat(prefix, name, ".weight", NULL), *bias = g_strconcat(prefix, name, ".bias", NULL);
    add(tensors, rng, weight, in ? 2 : 1, (const int64_t[]){out, in});
    add(tensors, rng, bias, 1, &out);
}

static RmilTensors *make_weights(const Form *f) {
    RmilTensors *tensors = rmil_tensors_new("random weights");
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    const int64_t e = f->embed, side = 224 / f->patch;
    add(tensors, &rng, "patch_embed.proj.weight", 4, (const int64_t[]){e, 3, f->patch, f->patch});
    add(tensors, &rng, "patch_embed.proj.bias", 1, &e);
    add(tensors, &rng, "cls_token", 3, (const int64_t[]){1, 1, e});
    add(tensors, &rng, "pos_embed", 3, (const int64_t[]){1, 1 + side * side, e});
    for (int64_t i = 0; i < f->depth; i++) {
        add_pair(tensors, &rng, i, "norm1", e, 0);
        add_pair(tensors, &rng, i, "attn.qkv", 3 * e, e);
        add_pair(tensors, &rng, i, "attn.proj", e, e);
        add_pair(tensors, &rng, i, "norm2", e, 0);
        add_pair(tensors, &rng, i, "mlp.fc1", 4 * e, e);
        add_pair(tensors, &rng, i, "mlp.fc2", e, 4 * e);
    }
    add_pair(tensors, &rng, -1, "norm", e, 0);
    return tensors;
}

/* Multiplications and additions of all products of a tile, 10⁹, the last block as whole as the others. */
static double work_of(const Form *f) {
    const double e = (double)f->embed, tokens = 1 + (224.0 / (double)f->patch) * (224.0 / (double)f->patch);
    return 2e-9 * ((tokens - 1) * e * 3 * (double)(f->patch * f->patch) + (double)f->depth * tokens * (12 * e * e + 2 * tokens * e));
}

static void bench_form(const Form *f, RmilPrecision precision) {
    const char *name = precision == RMIL_BFLOAT16 ? "bfloat16" : "float32";
    g_autoptr(GError) error = NULL;
    g_autoptr(RmilTensors) tensors = make_weights(f);
    g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(tensors, &error);
    const int threads = rmil_threads(0);
    const RmilVitConfig config = {.heads = f->heads,
                                  .side = 224,
                                  .eps = 1e-6,
                                  .mean = {0.5, 0.5, 0.5},
                                  .sd = {0.5, 0.5, 0.5},
                                  .workers = threads,
                                  .precision = precision};
    g_autoptr(RmilVit) vit = weights ? rmil_vit_new(weights, &config, &error) : NULL;
    if (!vit) {
        printf("%s %s: %s\n", f->name, name, error->message);
        return;
    }
    const int batch = rmil_vit_batch(vit), tiles = 2 * batch * threads;
    g_autofree uint8_t *rgb = g_malloc(TILE_BYTES * (gsize)tiles);
    g_autofree float *features = g_new(float, (gsize)tiles *(gsize)rmil_vit_dim(vit));
    RmilRng rng;
    rmil_rng_init(&rng, 2, 0);
    for (gsize i = 0; i < TILE_BYTES * (gsize)tiles; i++) rgb[i] = (uint8_t)rmil_rng_below(&rng, 256);
    Job job = {vit, rgb, features, batch};
    double busy, busy_all, one = measure(&job, 2 * batch, 1, &busy), all = measure(&job, tiles, threads, &busy_all);
    printf("%s %s: %.2f tiles/s on 1 thread, %.2f on %d; %.4f processor seconds a tile (median of %d runs, %d tiles at a time)\n", f->name,
           name, one, all, threads, 1 / busy, ROUNDS, batch);
    if (precision == RMIL_FLOAT32) {
        const double peak = bench_peak();
        printf("%s %s: %.1f GFLOP/s, counted as a whole network: %.0f %% of the %.1f that one thread reaches in a matrix product\n",
               f->name, name, busy * work_of(f), 100 * busy * work_of(f) / peak, peak);
    }
    g_autofree char *count = g_strdup_printf("%d", threads), *title = g_strdup_printf("%s %s", f->name, name);
    g_autofree char *embed = g_strdup_printf("%d", (int)f->embed), *depth = g_strdup_printf("%d", (int)f->depth);
    g_autofree char *heads = g_strdup_printf("%d", f->heads), *patch = g_strdup_printf("%d", (int)f->patch);
    const char *const arguments[] = {count, name, embed, depth, heads, patch, NULL};
    double peer_busy;
    const double peer = bench_peer(title, "vit.py", arguments, &peer_busy);
    if (peer > 0)
        printf("%s %s: %.2f times PyTorch's best in tiles/s, %.2f times in tiles per processor second\n", f->name, name, all / peer,
               MAX(busy, busy_all) / peer_busy);
}

void bench_vit(const char *form) {
    static const Form forms[] = {{"ViT-S/16", 384, 12, 6, 16}, {"ViT-B/16", 768, 12, 12, 16}, {"ViT-L/16", 1024, 24, 16, 16}};
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        if (form && !g_str_equal(form, forms[i].name)) continue;
        bench_form(&forms[i], RMIL_FLOAT32);
        bench_form(&forms[i], RMIL_BFLOAT16);
    }
}
