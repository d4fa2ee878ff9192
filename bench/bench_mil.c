/* bench-mil [--methods a,b] [--steps N] [--threads N]: AB-MIL's training speed, one Adam step of 8 bags of 10,000 × 1024 at a
 * time, by guide: steps/s, the share of the rate that the same threads reach in the two products alone, and, where
 * RMIL_PEER_PYTHON names a Python with PyTorch, the ratio to a plain PyTorch of the same model (bench/peers/mil.py), eager
 * and compiled, with pairs sampled as in the paper. Wall time; processor time beside it, which other programs on the
 * machine disturb less. Then the all-pairs rank loss by itself. The other models: bench-models. */
#include "base/base-private.h"
#include "mil/crew.h"
#include "mil/gemm.h"
#include "mil/guide.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

enum { BAGS = 8, PATCHES = 10000, DIM = 1024, HIDDEN = 256, MOST = 64 };

static const struct {
    const char *name, *model;
    RmilGuide guide;
} methods[] = {
    {"abmil", "abmil", RMIL_GUIDE_NONE},
    {"induction", "abmil", RMIL_GUIDE_INDUCTION},
    {"rank", "abmil", RMIL_GUIDE_RANK},
};

typedef struct {
    double wall, cpu; /* seconds */
} Seconds;

static Seconds now(void) {
    struct timespec wall, cpu;
    clock_gettime(CLOCK_MONOTONIC, &wall);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (Seconds){(double)wall.tv_sec + 1e-9 * (double)wall.tv_nsec, (double)cpu.tv_sec + 1e-9 * (double)cpu.tv_nsec};
}

static int by_size(gconstpointer a, gconstpointer b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Medians of the differences between n + 1 marks, wall and processor time apart. */
static Seconds medians(const Seconds *marks, int n) {
    double wall[MOST], cpu[MOST];
    for (int i = 0; i < n; i++) wall[i] = marks[i + 1].wall - marks[i].wall, cpu[i] = marks[i + 1].cpu - marks[i].cpu;
    qsort(wall, (size_t)n, sizeof *wall, by_size);
    qsort(cpu, (size_t)n, sizeof *cpu, by_size);
    return (Seconds){wall[n / 2], cpu[n / 2]};
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
        bag->coords[2 * i] = 448 * (i % 96);
        bag->coords[2 * i + 1] = 448 * (i / 96);
        bag->patch_labels[i] = i % 10 == 0;
    }
    return bag;
}

/* -- the two products alone ------------------------------------------------------------------------------------------------- */
typedef struct {
    RmilBag *const *bags;
    float *w, *g;      /* per worker: HIDDEN × DIM each */
    float *z;          /* per worker: PATCHES × HIDDEN */
    RmilArena **arenas;
} Products;

static gboolean products_of_bag(int64_t index, int worker, gpointer user, GError **error) {
    Products *p = user;
    RmilFeatures x = rmil_features_of(p->bags[index], 0, PATCHES);
    float *w = p->w + (int64_t)worker * HIDDEN * DIM, *g = p->g + (int64_t)worker * HIDDEN * DIM;
    float *z = p->z + (int64_t)worker * PATCHES * HIDDEN;
    rmil_arena_reset(p->arenas[worker]);
    return rmil_features_forward(&x, w, HIDDEN, z, p->arenas[worker], error) &&
           rmil_features_backward(&x, z, HIDDEN, FALSE, g, p->arenas[worker], error);
}

static Seconds time_products(RmilBag *const *bags, int threads, int steps) {
    g_autoptr(RmilCrew) crew = rmil_crew_new(threads);
    Products p = {.bags = bags,
                  .w = rmil_alloc((int64_t)threads * HIDDEN * DIM, sizeof(float), NULL),
                  .g = rmil_alloc((int64_t)threads * HIDDEN * DIM, sizeof(float), NULL),
                  .z = rmil_alloc((int64_t)threads * PATCHES * HIDDEN, sizeof(float), NULL),
                  .arenas = g_new(RmilArena *, threads)};
    for (int64_t i = 0; i < (int64_t)threads * HIDDEN * DIM; i++) p.w[i] = (float)(i % 17) * 0.01f;
    for (int i = 0; i < threads; i++) p.arenas[i] = rmil_arena_new();
    Seconds marks[MOST + 1];
    for (int i = -1; i <= steps; i++) { /* one to warm up */
        if (i >= 0) marks[i] = now();
        if (i < steps && !rmil_crew_run(crew, BAGS, products_of_bag, &p, NULL)) break;
    }
    for (int i = 0; i < threads; i++) rmil_arena_free(p.arenas[i]);
    g_free(p.arenas);
    rmil_free(p.w);
    rmil_free(p.g);
    rmil_free(p.z);
    return medians(marks, steps);
}

/* -- training ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    Seconds marks[MOST + 2];
    int count;
} Marks;

static void mark(gpointer user, const char *what, int64_t done, int64_t total) {
    Marks *m = user;
    m->marks[m->count++] = now();
}

static gboolean time_training(int method, RmilBag *const *bags, int threads, int steps, Seconds *seconds, GError **error) {
    RmilModelConfig config;
    RmilTrainConfig protocol;
    rmil_train_config_init(&protocol);
    protocol.epochs = steps + 1; /* the first warms up; an epoch is one step */
    protocol.threads = threads;
    protocol.balanced = FALSE;
    if (!rmil_model_config_init(&config, methods[method].model, methods[method].guide, error)) return FALSE;
    const int labels[BAGS] = {1, 1, 1, 1, 0, 0, 0, 0};
    const int64_t set[BAGS] = {0, 1, 2, 3, 4, 5, 6, 7};
    Marks m = {.count = 0};
    const RmilMonitor monitor = {.progress = mark, .user = &m};
    g_autoptr(RmilModel) model = rmil_train(&config, &protocol, (const RmilBag *const *)bags, labels, set, BAGS, NULL, 0,
                                            NULL, NULL, &monitor, error);
    if (!model) return FALSE;
    *seconds = medians(m.marks, m.count - 1);
    return TRUE;
}

/* The peer prints "WALL CPU" in seconds per step for one method, precision and mode; FALSE when it cannot run. */
static gboolean time_peer(const char *method, gboolean bfloat16, gboolean compiled, int threads, int steps, Seconds *s) {
    const char *python = g_getenv("RMIL_PEER_PYTHON"), *source = g_getenv("RMIL_SOURCE");
    if (!python || !*python) return FALSE;
    g_autofree char *script = g_build_filename(source ? source : ".", "bench", "peers", "mil.py", NULL);
    g_autofree char *t = g_strdup_printf("%d", threads), *n = g_strdup_printf("%d", steps);
    char *arguments[] = {(char *)python, script, (char *)method, t, n, (char *)(bfloat16 ? "bfloat16" : "float32"),
                         (char *)(compiled ? "compile" : "eager"), NULL};
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;
    int status = 1;
    if (!g_spawn_sync(NULL, arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &err, &status, NULL) || status != 0) {
        fprintf(stderr, "%s", err ? err : "");
        return FALSE;
    }
    return sscanf(out, "%lf %lf", &s->wall, &s->cpu) == 2;
}

static void print_peers(int method, gboolean bfloat16, int threads, int steps, Seconds own) {
    Seconds best = {.wall = 0}, s;
    for (int compiled = 0; compiled < 2; compiled++) {
        if (!time_peer(methods[method].name, bfloat16, compiled, threads, steps, &s)) continue;
        printf("    PyTorch %-8s %8.3f s/step (processor %7.3f s): ratio %.2f (processor %.2f)\n",
               compiled ? "compiled" : "eager", s.wall, s.cpu, s.wall / own.wall, s.cpu / own.cpu);
        if (best.wall <= 0 || s.wall < best.wall) best = s;
    }
    if (best.wall > 0) printf("    against the better one: %.2f\n", best.wall / own.wall);
}

static gboolean bench(RmilPrecision precision, int threads, int steps, char **chosen, GError **error) {
    const gboolean bfloat16 = precision == RMIL_BFLOAT16;
    RmilBag *bags[BAGS];
    for (int i = 0; i < BAGS; i++) bags[i] = make_bag(i, precision);
    printf("%s: %d bags of %d × %d per step, %d threads\n", bfloat16 ? "bfloat16" : "float32", BAGS, PATCHES, DIM, threads);
    gboolean done = TRUE;
    for (int m = 0; m < (int)G_N_ELEMENTS(methods) && done; m++) {
        if (chosen && !g_strv_contains((const char *const *)chosen, methods[m].name)) continue;
        Seconds own, products = time_products(bags, threads, steps);
        done = time_training(m, bags, threads, steps, &own, error);
        if (!done) break;
        printf("  %-10s %8.3f steps/s (processor %7.3f s/step); two products alone %7.3f s/step: share %.0f %% (processor %.0f %%)\n",
               methods[m].name, 1 / own.wall, own.cpu, products.wall, 100 * products.wall / own.wall,
               100 * products.cpu / own.cpu);
        fflush(stdout);
        print_peers(m, bfloat16, threads, steps, own);
    }
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
    g_autofree float *scores = g_new(float, np + nn);
    g_autofree double *derivatives = g_new(double, np + nn);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    RmilRng rng;
    rmil_rng_init(&rng, 1, 1);
    for (int64_t i = 0; i < np + nn; i++) scores[i] = (float)(3 * rmil_rng_normal(&rng) + (i < np ? 2 : 0));
    Seconds marks[12];
    double loss;
    for (int i = -1; i < 12; i++) {
        if (i >= 0) marks[i] = now();
        rmil_arena_reset(arena);
        rmil_rank_loss(scores, np, scores + np, nn, 1, 1, arena, &loss, derivatives, derivatives + np, NULL);
    }
    printf("all pairs of %d × %d, loss and gradient, one thread: %.2f ms (aim: %g ms)\n", (int)np, (int)nn,
           1e3 * medians(marks, 11).cpu, most);
}

int main(int argc, char **argv) {
    g_autofree char *only = NULL;
    int threads = 0, steps = 3;
    const GOptionEntry entries[] = {{"methods", 0, 0, G_OPTION_ARG_STRING, &only, "methods, separated by commas", "LIST"},
                                    {"steps", 0, 0, G_OPTION_ARG_INT, &steps, "steps to time: medians are shown", "N"},
                                    {"threads", 0, 0, G_OPTION_ARG_INT, &threads, "0: all", "N"},
                                    {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    g_autoptr(GError) error = NULL;
    if (!g_option_context_parse(context, &argc, &argv, &error) || steps < 1 || steps > MOST) {
        fprintf(stderr, "bench-mil: %s\n", error ? error->message : "--steps must be 1 … 64");
        return 2;
    }
    g_auto(GStrv) chosen = only ? g_strsplit(only, ",", -1) : NULL;
    threads = rmil_threads(threads);
    struct utsname machine;
    uname(&machine);
    printf("%s %s, %u processors, bfloat16 products %s\n", machine.sysname, machine.machine, g_get_num_processors(),
           rmil_gemm_bfloat16() ? "native" : "not native: left out");
    bench_pairs(1000, 9000, 2);
    bench_pairs(50000, 150000, 60);
    if (!bench(RMIL_FLOAT32, threads, steps, chosen, &error) ||
        (rmil_gemm_bfloat16() && !bench(RMIL_BFLOAT16, threads, steps, chosen, &error))) {
        fprintf(stderr, "bench-mil: %s\n", error->message);
        return 1;
    }
    return 0;
}
