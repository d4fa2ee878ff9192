/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50 in training: tiles per second of a whole step (forward, back, Adam of all that learns), beside PyTorch. */
#include "bench-encoder.h"
#include "bench.h"
#include "encoder/network.h"
#include "mil/adam.h"
#include "mil/loss.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 64, SIDE = 224, BATCH = 32, ROUNDS = 5 };

typedef struct {
    RmilNetworkConfig config;
    GArray *tensors;
    float **values, **gradients, **first, **second; /* by tensor */
    float *input, *logits, *slopes;
    RmilCrew *crew;
    RmilNetwork *network;
    int64_t steps;
    double pass; /* seconds of forward and back of the last step */
} Training;

static const RmilNetworkTensor *tensor_at(const Training *t, guint i) { return &g_array_index(t->tensors, RmilNetworkTensor, i); }
static gboolean learns(const Training *t, guint i) { return !tensor_at(t, i)->statistic && tensor_at(t, i)->stage >= t->config.frozen; }

static void open_training(Training *t, int frozen, RmilPrecision precision, GError **error) {
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    *t = (Training){.config = {.side = SIDE, .batch = BATCH, .frozen = frozen, .precision = precision}, .crew = rmil_crew_new(0)};
    rmil_network_shape_init(&t->config.shape, WIDTH, 1);
    t->tensors = rmil_network_tensors(&t->config.shape);
    float ***all[] = {&t->values, &t->gradients, &t->first, &t->second};
    for (gsize a = 0; a < G_N_ELEMENTS(all); a++) *all[a] = g_new0(float *, t->tensors->len);
    for (guint i = 0; i < t->tensors->len; i++) {
        const RmilNetworkTensor *tensor = tensor_at(t, i);
        const double spread = tensor->inputs ? sqrt(2.0 / (double)tensor->inputs) : 0;
        for (gsize a = 0; a < (learns(t, i) ? G_N_ELEMENTS(all) : 1); a++) (*all[a])[i] = g_new0(float, tensor->count);
        for (int64_t j = 0; j < tensor->count; j++) t->values[i][j] = tensor->usual + (float)(spread * rmil_rng_normal(&rng));
    }
    const int64_t count = (int64_t)BATCH * 3 * SIDE * SIDE;
    t->input = g_new(float, count);
    for (int64_t i = 0; i < count; i++) t->input[i] = (float)rmil_rng_normal(&rng);
    t->logits = g_new0(float, BATCH);
    t->slopes = g_new0(float, BATCH);
    t->network = rmil_network_new(&t->config, t->crew, t->values, error);
}

static void close_training(Training *t) {
    float **all[] = {t->values, t->gradients, t->first, t->second};
    for (gsize a = 0; a < G_N_ELEMENTS(all); a++) {
        for (guint i = 0; i < t->tensors->len; i++) g_free(all[a][i]);
        g_free(all[a]);
    }
    g_free(t->input);
    g_free(t->logits);
    g_free(t->slopes);
    rmil_network_free(t->network);
    rmil_crew_free(t->crew);
    g_array_unref(t->tensors);
}

/* -- one step ----------------------------------------------------------------------------------------------------------------- */
typedef struct {
    Training *training;
    const RmilTrainConfig *adam;
} Update;

static gboolean update(int64_t i, int worker, gpointer user, GError **error) {
    const Update *u = user;
    Training *t = u->training;
    if (learns(t, (guint)i))
        rmil_adam_update(u->adam, t->steps, t->gradients[i], 1, 0, tensor_at(t, (guint)i)->count, t->values[i], t->first[i], t->second[i]);
    return TRUE;
}

static gboolean step(Training *t, GError **error) {
    RmilTrainConfig adam;
    rmil_train_config_init(&adam);
    const gint64 start = g_get_monotonic_time();
    if (!rmil_network_forward(t->network, t->values, t->input, t->logits, error)) return FALSE;
    for (int i = 0; i < BATCH; i++) {
        double slope;
        rmil_bce((double)t->logits[i], i % 2, &slope);
        t->slopes[i] = (float)(slope / BATCH);
    }
    if (!rmil_network_backward(t->network, t->values, t->input, t->slopes, t->gradients, error)) return FALSE;
    t->pass = (double)(g_get_monotonic_time() - start) * 1e-6;
    t->steps++;
    Update all = {t, &adam};
    return rmil_crew_run(t->crew, t->tensors->len, update, &all, error);
}

/* GFLOP of a tile's forward and back: convolutions as direct sums, once forward, twice back where the stage learns; the first
 * trained layer needs no gradient of its input. */
static double work(const Training *t) {
    double sum = 0;
    for (guint i = 0; i < t->tensors->len; i++) {
        const RmilNetworkTensor *tensor = tensor_at(t, i);
        if (tensor->rank != 4) continue;
        const char *unit = strchr(tensor->name, '.') + 1;
        const gboolean begins = g_str_has_prefix(unit, "0.conv1"), projects = g_str_has_prefix(unit, "0.downsample");
        const int halvings = tensor->stage + 1 - (tensor->stage > 1 && begins); /* a stage's stride is in its second convolution */
        const double side = SIDE / (double)(1 << halvings), flop = 2.0 * (double)tensor->count * side * side;
        const gboolean first = tensor->stage == t->config.frozen && (!tensor->stage || begins || projects);
        sum += flop * (1 + (tensor->stage < t->config.frozen ? 0 : first ? 1 : 2));
    }
    return sum * 1e-9;
}

/* -- measuring -------------------------------------------------------------------------------------------------------------------- */
static void measure(int frozen, RmilPrecision precision) {
    const char *name = precision == RMIL_BFLOAT16 ? "bfloat16" : "float32", *layer = frozen ? "layer3" : "none";
    g_autofree char *title = g_strdup_printf("training %s, frozen %s", name, layer), *threads = NULL;
    g_autoptr(GError) error = NULL;
    double rates[ROUNDS], busies[ROUNDS], passes[ROUNDS];
    Training t;
    open_training(&t, frozen, precision, &error);
    gboolean done = t.network && step(&t, &error);
    for (int round = 0; done && round < ROUNDS; round++) {
        const double cpu = bench_cpu_seconds();
        const gint64 start = g_get_monotonic_time();
        done = step(&t, &error);
        rates[round] = BATCH * 1e6 / (double)(g_get_monotonic_time() - start);
        busies[round] = BATCH / (bench_cpu_seconds() - cpu);
        passes[round] = t.pass;
    }
    if (done) {
        const int n = rmil_crew_threads(t.crew);
        const double rate = bench_median(rates, ROUNDS), flops = work(&t) * BATCH / bench_median(passes, ROUNDS), peak = bench_peak();
        threads = g_strdup_printf("%d", n);
        printf("%s: %.3f tiles/s on %d threads, %.3f per processor second (median of %d steps of %d tiles, %.1f GiB)\n", title, rate, n,
               bench_median(busies, ROUNDS), ROUNDS, BATCH, (double)rmil_network_memory(t.network) / 1073741824.0);
        printf("%s: forward and back %.1f GFLOP/s, counted as direct sums: %.0f %% of the %.1f that %d threads reach in float32 matrix "
               "products\n",
               title, flops, 100 * flops / (peak * n), peak * n, n);
        const char *const arguments[] = {threads, name, layer, NULL};
        close_training(&t);
        const double peer = bench_peer(title, "resnet50-train.py", arguments, NULL);
        if (peer > 0) printf("%s: %.2f times PyTorch's best\n", title, rate / peer);
        return;
    }
    printf("%s: %s\n", title, error->message);
    close_training(&t);
}

void bench_network(const char *precision) {
    for (int half = 0; half < 2; half++)
        if (!precision || strcmp(precision, half ? "bf16" : "f32") == 0)
            for (int frozen = 0; frozen <= RMIL_STAGES; frozen += RMIL_STAGES) measure(frozen, half ? RMIL_BFLOAT16 : RMIL_FLOAT32);
}
