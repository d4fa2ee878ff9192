/* SPDX-License-Identifier: Apache-2.0 */
/* bench-mil [--methods a,b] [--steps N] [--threads N]: training speed of every method, one Adam step of 8 bags of 10,000 × 1024
 * at a time: steps/s; the share of the products' rate, which is the time that the method's own products would take at the rate
 * that the same threads reach in X W1ᵀ and dZᵀ X alone (above 100 %: a product was spared); and, where RMIL_PEER_PYTHON names a
 * Python with PyTorch, the ratio to a plain PyTorch of the same model (bench/peers/mil.py), eager and compiled, with pairs
 * sampled as in the paper. The programs take their steps in turn, so that what else the machine does meets all of them.
 * Wall time, and processor time, which other programs disturb less. Then the all-pairs rank loss by itself.
 * bench-mil --memory DIR [--bags N]: instead, training with bags in mapped files against all in memory (bench-mil.h). */
#include "bench-mil.h"
#include "bench.h"

#include "base/base-private.h"
#include "base/parallel.h"
#include "mil/gemm.h"
#include "mil/rank.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

enum { BAGS = 8, PATCHES = 10000, DIM = 1024, HIDDEN = 256, GRID_WIDTH = 96, MOST = 64 };

typedef struct {
    double wall, cpu; /* seconds */
} Seconds;

static Seconds now(void) { return (Seconds){1e-6 * (double)g_get_monotonic_time(), bench_cpu_seconds()}; }

typedef struct {
    Seconds times[MOST];
    int count;
} Samples;

static void add_sample(Samples *samples, Seconds from) {
    const Seconds to = now();
    if (samples->count < MOST) samples->times[samples->count++] = (Seconds){to.wall - from.wall, to.cpu - from.cpu};
}

/* Wall and processor time apart. */
static Seconds median(const Samples *samples) {
    double wall[MOST], cpu[MOST];
    const int n = samples->count;
    if (n == 0) return (Seconds){NAN, NAN};
    for (int i = 0; i < n; i++) wall[i] = samples->times[i].wall, cpu[i] = samples->times[i].cpu;
    return (Seconds){bench_median(wall, n), bench_median(cpu, n)};
}

static RmilBag *make_bag(int64_t index, RmilPrecision precision) {
    RmilBag *bag = g_new0(RmilBag, 1);
    RmilRng rng;
    rmil_rng_init(&rng, 1, (uint64_t)index);
    bag->id = g_strdup_printf("bag %d", (int)index);
    bag->count = PATCHES;
    bag->dim = DIM;
    bag->precision = precision;
    bag->patch_size_level0 = 448;
    const int64_t n = (int64_t)PATCHES * DIM;
    float *x = rmil_alloc(n, sizeof(float), NULL);
    for (int64_t i = 0; i < n; i++) { /* as after a ReLU: half zeros */
        double v = rmil_rng_uniform(&rng) - 0.5;
        x[i] = (float)MAX(v, 0);
    }
    bag->features = x;
    if (precision == RMIL_BFLOAT16) {
        bag->features = rmil_alloc(n, sizeof(uint16_t), NULL);
        rmil_to_bfloat16(x, n, bag->features);
        rmil_free(x);
    }
    bag->coords = rmil_alloc(2 * PATCHES, sizeof(int64_t), NULL);
    bag->patch_labels = rmil_alloc(PATCHES, 1, NULL);
    for (int64_t i = 0; i < PATCHES; i++) {
        bag->coords[2 * i] = 448 * (i % GRID_WIDTH);
        bag->coords[2 * i + 1] = 448 * (i / GRID_WIDTH);
        bag->patch_labels[i] = i < PATCHES / 10;
    }
    return bag;
}

/* -- the two products alone ------------------------------------------------------------------------------------------------- */
typedef struct {
    RmilBag *const *bags;
    float *w, *g; /* per worker: HIDDEN × DIM each */
    float *z;     /* per worker: PATCHES × HIDDEN */
    RmilArena **arenas;
} Products;

static gboolean products_of_bag(int64_t index, int worker, gpointer user, GError **error) {
    Products *p = user;
    RmilFeatures x = rmil_features_of(p->bags[index], 0, PATCHES);
    float *w = p->w + (int64_t)worker * HIDDEN * DIM, *g = p->g + (int64_t)worker * HIDDEN * DIM;
    float *z = p->z + (int64_t)worker * PATCHES * HIDDEN;
    rmil_arena_reset(p->arenas[worker]);
    RmilTransposed wt;
    return rmil_transpose(w, HIDDEN, DIM, x.precision, p->arenas[worker], &wt, error) &&
           rmil_features_forward(&x, &wt, HIDDEN, z, HIDDEN, p->arenas[worker], error) &&
           rmil_features_backward(&x, z, HIDDEN, HIDDEN, FALSE, g, p->arenas[worker], error);
}

/* Seconds for both products of all bags. */
static Seconds time_products(RmilBag *const *bags, int threads, int steps) {
    g_autoptr(RmilCrew) crew = rmil_crew_new(threads);
    Products p = {.bags = bags,
                  .w = rmil_alloc((int64_t)threads * HIDDEN * DIM, sizeof(float), NULL),
                  .g = rmil_alloc((int64_t)threads * HIDDEN * DIM, sizeof(float), NULL),
                  .z = rmil_alloc((int64_t)threads * PATCHES * HIDDEN, sizeof(float), NULL),
                  .arenas = g_new(RmilArena *, threads)};
    for (int64_t i = 0; i < (int64_t)threads * HIDDEN * DIM; i++) p.w[i] = (float)(i % 17) * 0.01f;
    for (int i = 0; i < threads; i++) p.arenas[i] = rmil_arena_new();
    Samples samples = {.count = 0};
    for (int i = -1; i < steps; i++) { /* one to warm up */
        const Seconds start = now();
        if (!rmil_crew_run(crew, BAGS, products_of_bag, &p, NULL)) break;
        if (i >= 0) add_sample(&samples, start);
    }
    for (int i = 0; i < threads; i++) rmil_arena_free(p.arenas[i]);
    g_free(p.arenas);
    rmil_free(p.w);
    rmil_free(p.g);
    rmil_free(p.z);
    return median(&samples);
}

/* Multiplications of one patch in the products that the method's mathematics needs, in those of the two products alone. */
static double products_of(const RmilModelConfig *c) {
    const double d = DIM, n = (double)c->hidden, m = (double)c->attention_dim, alone = 2.0 * DIM * HIDDEN;
    /* the features; two gates, forward and two ways back */
    if (g_str_has_prefix(c->model, "clam")) return (2 * d * n + 6 * n * m) / alone;
    if (!g_str_equal(c->model, "hipt")) return 2 * d * n / alone;
    const double high = rmil_model_config_get(c, "region_rows"), wide = rmil_model_config_get(c, "region_columns"), cells = high * wide;
    const double columns = ceil((double)GRID_WIDTH / wide), rows = ceil(ceil((double)PATCHES / GRID_WIDTH) / high);
    const double tokens = columns * rows * (cells + 1) / PATCHES; /* per patch */
    /* of a block: projections 4 n², MLP 8 n², scores and mixing 2 n per pair; of the last one each head's query meets tokens */
    const double block = 12 * n * n + 2 * n * (cells + 1), last = 2 * n * rmil_model_config_get(c, "heads");
    const double forward = tokens * ((rmil_model_config_get(c, "patch_depth") - 1) * block + last);
    return (2 * d * n + 3 * forward) / alone;
}

/* -- the peer ---------------------------------------------------------------------------------------------------------------- */
typedef struct {
    const char *mode;
    GPid process; /* 0: could not be started */
    FILE *in, *out;
    Samples samples;
} Peer;

static void peer_start(Peer *peer, const char *method, gboolean bfloat16, int threads) {
    const char *python = g_getenv("RMIL_PEER_PYTHON"), *source = g_getenv("RMIL_SOURCE");
    if (!python || !*python) return;
    g_autofree char *script = g_build_filename(source ? source : ".", "bench", "peers", "mil.py", NULL);
    g_autofree char *t = g_strdup_printf("%d", threads);
    char *arguments[] = {(char *)python, script, (char *)method, t, (char *)(bfloat16 ? "bfloat16" : "float32"), (char *)peer->mode, NULL};
    int in, out;
    char line[64];
    if (!g_spawn_async_with_pipes(NULL, arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &peer->process, &in, &out, NULL, NULL))
        return;
    peer->in = fdopen(in, "w");
    peer->out = fdopen(out, "r");
    if (fgets(line, sizeof line, peer->out)) return; /* "ready" */
    fprintf(stderr, "bench-mil: the peer in PyTorch (%s) does not run\n", peer->mode);
    fclose(peer->in);
    peer->in = NULL;
}

static void peer_step(Peer *peer) {
    Seconds s;
    if (!peer->in) return;
    fputs("step\n", peer->in);
    fflush(peer->in);
    if (fscanf(peer->out, "%lf %lf", &s.wall, &s.cpu) == 2 && peer->samples.count < MOST) peer->samples.times[peer->samples.count++] = s;
}

static void peer_stop(Peer *peer) {
    if (peer->process == 0) return;
    int status;
    if (peer->in) fclose(peer->in);
    fclose(peer->out);
    waitpid(peer->process, &status, 0);
    g_spawn_close_pid(peer->process);
}

/* -- training ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    Samples samples;
    Seconds start;
    int64_t seen;
    Peer peers[2];
} Round;

/* After each of our steps one of each peer; the first of all warms up. */
static void after_step(gpointer user, const char *what, int64_t done, int64_t total) {
    Round *round = user;
    if (round->seen++ > 0) {
        add_sample(&round->samples, round->start);
        for (gsize i = 0; i < G_N_ELEMENTS(round->peers); i++) peer_step(&round->peers[i]);
    }
    round->start = now();
}

static gboolean train(const RmilModelConfig *config, RmilBag *const *bags, int threads, int steps, Round *round, GError **error) {
    RmilTrainConfig protocol;
    rmil_train_config_init(&protocol);
    protocol.epochs = steps + 1; /* an epoch is one step */
    protocol.warmup = protocol.epochs;
    protocol.threads = threads;
    protocol.balanced = FALSE;
    RmilTarget targets[BAGS];
    for (int i = 0; i < BAGS; i++) targets[i] = RMIL_TARGET_CLASS(i < BAGS / 2);
    const int64_t set[BAGS] = {0, 1, 2, 3, 4, 5, 6, 7};
    const RmilMonitor monitor = {.progress = after_step, .user = round};
    g_autoptr(RmilModel) model = rmil_train(config, &protocol, (const RmilBag *const *)bags, targets, set, BAGS, NULL, 0, NULL, NULL,
                                            &monitor, error);
    return model != NULL;
}

static void print_peers(const Round *round, Seconds own) {
    double best = NAN;
    for (gsize i = 0; i < G_N_ELEMENTS(round->peers); i++) {
        const Peer *peer = &round->peers[i];
        if (peer->samples.count == 0) continue;
        const Seconds s = median(&peer->samples);
        printf("    PyTorch %-8s %8.3f s/step (processor %7.3f s): ratio %.2f (processor %.2f)\n", peer->mode, s.wall, s.cpu,
               s.wall / own.wall, s.cpu / own.cpu);
        best = fmin(best, s.wall);
    }
    if (isfinite(best)) printf("    against the better one: %.2f\n", best / own.wall);
}

static gboolean bench_method(const RmilTrainMethod *method, RmilBag *const *bags, gboolean bfloat16, int threads, int steps,
                             GError **error) {
    RmilModelConfig config;
    Round round = {.peers = {{.mode = "eager"}, {.mode = "compile"}}};
    if (!rmil_method_config_init(method, &config, error)) return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(round.peers); i++) peer_start(&round.peers[i], method->name, bfloat16, threads);
    const Seconds products = time_products(bags, threads, steps);
    gboolean done = train(&config, bags, threads, steps, &round, error);
    for (gsize i = 0; i < G_N_ELEMENTS(round.peers); i++) peer_stop(&round.peers[i]);
    if (!done) return FALSE;
    const Seconds own = median(&round.samples);
    const double times = products_of(&config);
    printf("  %-10s %8.3f steps/s (%.3f s, processor %.3f s); its products at the rate of the two alone %.3f s: share %.0f %% "
           "(processor %.0f %%)\n",
           method->name, 1 / own.wall, own.wall, own.cpu, times * products.wall, 100 * times * products.wall / own.wall,
           100 * times * products.cpu / own.cpu);
    print_peers(&round, own);
    fflush(stdout);
    return TRUE;
}

static gboolean bench(RmilPrecision precision, int threads, int steps, char **chosen, GError **error) {
    const gboolean bfloat16 = precision == RMIL_BFLOAT16;
    RmilBag *bags[BAGS];
    for (int i = 0; i < BAGS; i++) bags[i] = make_bag(i, precision);
    printf("%s: %d bags of %d × %d per step, %d threads\n", bfloat16 ? "bfloat16" : "float32", BAGS, PATCHES, DIM, threads);
    gboolean done = TRUE;
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count);
    for (gsize m = 0; m < count && done; m++)
        if (!chosen || g_strv_contains((const char *const *)chosen, methods[m].name))
            done = bench_method(&methods[m], bags, bfloat16, threads, steps, error);
    for (int i = 0; i < BAGS; i++) {
        g_free(bags[i]->id);
        rmil_free(bags[i]->features);
        rmil_free(bags[i]->coords);
        rmil_free(bags[i]->patch_labels);
        g_free(bags[i]);
    }
    return done;
}

/* -- the rank loss alone ----------------------------------------------------------------------------------------------------------- */
static void bench_pairs(int64_t np, int64_t nn, double most) {
    g_autofree double *scores = g_new(double, np + nn);
    g_autofree double *derivatives = g_new(double, np + nn);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    RmilRng rng;
    rmil_rng_init(&rng, 1, 1);
    for (int64_t i = 0; i < np + nn; i++) scores[i] = 3 * rmil_rng_normal(&rng) + (i < np ? 2 : 0);
    Samples samples = {.count = 0};
    double loss;
    for (int i = -1; i < 11; i++) {
        const Seconds start = now();
        rmil_arena_reset(arena);
        rmil_rank_loss(&(RmilRankSide){.scores = scores, .count = np, .slopes = derivatives},
                       &(RmilRankSide){.scores = scores + np, .count = nn, .slopes = derivatives + np}, 1, 1, arena, &loss, NULL);
        if (i >= 0) add_sample(&samples, start);
    }
    printf("all pairs of %d × %d, loss and gradient, one thread: %.2f ms (aim: %g ms)\n", (int)np, (int)nn, 1e3 * median(&samples).cpu,
           most);
}

int main(int argc, char **argv) {
    g_autofree char *only = NULL, *memory = NULL;
    int threads = 0, steps = 3, bags = 400;
    const GOptionEntry entries[] = {{"methods", 0, 0, G_OPTION_ARG_STRING, &only, "methods, separated by commas", "LIST"},
                                    {"steps", 0, 0, G_OPTION_ARG_INT, &steps, "steps to time: medians are shown", "N"},
                                    {"memory", 0, 0, G_OPTION_ARG_FILENAME, &memory, "measure mapped files, made in DIR", "DIR"},
                                    {"bags", 0, 0, G_OPTION_ARG_INT, &bags, "with --memory: how many", "N"},
                                    {"threads", 0, 0, G_OPTION_ARG_INT, &threads, "0: all", "N"},
                                    {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    g_autoptr(GError) error = NULL;
    if (!g_option_context_parse(context, &argc, &argv, &error) || steps < 1 || steps > MOST || bags < 16 || bags > 1000) {
        fprintf(stderr, "bench-mil: %s\n", error ? error->message : "--steps must be 1 … 64, --bags 16 … 1000");
        return 2;
    }
    g_auto(GStrv) chosen = only ? g_strsplit(only, ",", -1) : NULL;
    threads = rmil_threads(threads);
    struct utsname machine;
    uname(&machine);
    printf("%s %s, %u processors, bfloat16 products %s\n", machine.sysname, machine.machine, g_get_num_processors(),
           rmil_gemm_bfloat16() ? "native" : "not native: left out");
    if (memory) {
        if (bench_memory(memory, bags, threads, &error)) return 0;
        fprintf(stderr, "bench-mil: %s\n", error->message);
        return 1;
    }
    bench_pairs(1000, 9000, 2);
    bench_pairs(50000, 150000, 60);
    if (!bench(RMIL_FLOAT32, threads, steps, chosen, &error) ||
        (rmil_gemm_bfloat16() && !bench(RMIL_BFLOAT16, threads, steps, chosen, &error))) {
        fprintf(stderr, "bench-mil: %s\n", error->message);
        return 1;
    }
    return 0;
}
