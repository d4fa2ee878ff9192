/* bench-models [--methods a,b] [--threads N] [--bags 8] [--patches 10000] [--seconds S] [--python PYTHON]: training steps
 * (forward and backward pass of a group of bags and one Adam update) per second for DS-MIL, CLAM and HIPT, in float32 and
 * bfloat16, and the ratio to the same model in PyTorch (peers/models.py, eager and compiled, the better one), on as many
 * threads, in the same run. The peer runs where PYTHON, or python3, has torch. Ratios by the clock, and by processor time,
 * which a machine that is busy otherwise does not change much. */
#include "mil/adam.h"
#include "mil/crew.h"
#include "mil/gemm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name, *model;
    RmilGuide guide;
    const char *peer; /* arguments of peers/models.py */
} methods[] = {
    {"dsmil", "dsmil", RMIL_GUIDE_NONE, "dsmil"},       {"ds-rank", "dsmil", RMIL_GUIDE_RANK, "dsmil --rank"},
    {"clam-sb", "clam-sb", RMIL_GUIDE_NONE, "clam-sb"}, {"clam-mb", "clam-mb", RMIL_GUIDE_NONE, "clam-mb"},
    {"hipt", "hipt", RMIL_GUIDE_NONE, "hipt"},
};

enum { DIM = 1024, ROUNDS_LIMIT = 64 };
static struct {
    int threads, bags, patches;
    double seconds;
    const char *python, *methods;
} options = {0, 8, 10000, 10, "python3", NULL};

typedef struct {
    RmilModel *model;
    RmilBag *bags;
    RmilArena **arenas;
    float *gradients, *first, *second;
} Job;

typedef struct {
    double clock, processor;
} Seconds;

static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A square of tissue on the tile grid, one patch in ten annotated. */
static RmilBag make_bag(int64_t count, RmilPrecision precision, uint64_t seed) {
    RmilBag bag = {.id = (char *)"bench", .count = count, .dim = DIM, .precision = precision, .patch_size_level0 = 448};
    RmilRng rng;
    rmil_rng_init(&rng, seed, 0);
    float *x = rmil_alloc(count * DIM, sizeof *x, NULL);
    for (int64_t i = 0; i < count * DIM; i++) x[i] = (float)MAX(0, 4 * rmil_rng_uniform(&rng) - 2);
    bag.features = x;
    if (precision == RMIL_BFLOAT16) {
        bag.features = rmil_alloc(count * DIM, sizeof(uint16_t), NULL);
        rmil_to_bfloat16(x, count * DIM, bag.features);
        rmil_free(x);
    }
    bag.coords = rmil_alloc(2 * count, sizeof(int64_t), NULL);
    bag.patch_labels = rmil_alloc(count, 1, NULL);
    const int64_t across = (int64_t)sqrt((double)count);
    for (int64_t i = 0; i < count; i++) {
        bag.coords[2 * i] = i % across * 448;
        bag.coords[2 * i + 1] = i / across * 448;
        bag.patch_labels[i] = i % 10 == 0;
    }
    return bag;
}

static gboolean run_bag(int64_t i, int worker, gpointer user, GError **error) {
    Job *job = user;
    RmilStep step = {.bag = &job->bags[i], .label = (int)(i % 2), .train = TRUE, .stream = (uint64_t)i,
                     .gradient = job->gradients + i * job->model->layout.count};
    RmilOutcome outcome;
    return rmil_model_step(job->model, &step, job->arenas[worker], &outcome, error);
}

static void train_step(Job *job, RmilCrew *crew, int64_t t) {
    RmilTrainConfig train;
    GError *error = NULL;
    rmil_train_config_init(&train);
    if (!rmil_crew_run(crew, options.bags, run_bag, job, &error)) {
        fprintf(stderr, "bench-models: %s\n", error->message);
        exit(1);
    }
    const int64_t n = job->model->layout.count;
    rmil_adam_update(&train, t, job->gradients, options.bags, n, n, job->model->parameters, job->first, job->second);
}

/* Median of what fits into the time, two steps at least, after one that does not count. */
static Seconds measure(const RmilModelConfig *config, RmilBag *bags) {
    const int threads = rmil_threads(options.threads);
    double clock[ROUNDS_LIMIT], processor[ROUNDS_LIMIT];
    Job job = {.model = rmil_model_new(config, 1, NULL), .bags = bags, .arenas = g_new(RmilArena *, threads)};
    const int64_t n = job.model->layout.count;
    g_autoptr(RmilCrew) crew = rmil_crew_new(threads);
    job.gradients = rmil_alloc(n * (options.bags + 2), sizeof(float), NULL);
    job.first = job.gradients + n * options.bags;
    job.second = job.first + n;
    for (int i = 0; i < threads; i++) job.arenas[i] = rmil_arena_new();
    train_step(&job, crew, 1);
    train_step(&job, crew, 2); /* by now the arenas are of one piece */
    int rounds = 0;
    for (double spent = 0; rounds < 2 || (spent < options.seconds && rounds < ROUNDS_LIMIT); rounds++) {
        double busy = processor_seconds();
        gint64 start = g_get_monotonic_time();
        train_step(&job, crew, rounds + 3);
        spent += clock[rounds] = 1e-6 * (double)(g_get_monotonic_time() - start);
        processor[rounds] = processor_seconds() - busy;
    }
    qsort(clock, (size_t)rounds, sizeof *clock, compare);
    qsort(processor, (size_t)rounds, sizeof *processor, compare);
    for (int i = 0; i < threads; i++) rmil_arena_free(job.arenas[i]);
    g_free(job.arenas);
    rmil_free(job.gradients);
    rmil_model_free(job.model);
    return (Seconds){clock[rounds / 2], processor[rounds / 2]};
}

/* The better of eager and compiled; 0 where there is no PyTorch. */
static Seconds peer(const char *arguments, RmilPrecision precision) {
    const char *source = g_getenv("RMIL_SOURCE") ? g_getenv("RMIL_SOURCE") : ".";
    Seconds best = {0, 0};
    for (int compiled = 0; compiled < 2; compiled++) {
        g_autofree char *command = g_strdup_printf(
            "%s %s/bench/peers/models.py %s%s%s --threads %d --bags %d --patches %d --seconds %g", options.python, source,
            arguments, compiled ? " --compile" : "", precision == RMIL_BFLOAT16 ? " --bfloat16" : "",
            rmil_threads(options.threads), options.bags, options.patches, options.seconds);
        g_autofree char *out = NULL, *err = NULL;
        int status;
        if (!g_spawn_command_line_sync(command, &out, &err, &status, NULL) || status != 0) continue;
        g_auto(GStrv) words = g_strsplit(g_strstrip(out), " ", 4);
        if (g_strv_length(words) != 4) continue;
        Seconds found = {g_ascii_strtod(words[2], NULL), g_ascii_strtod(words[3], NULL)};
        if (best.clock == 0 || found.clock < best.clock) best = found;
    }
    return best;
}

static void bench(gsize method, RmilPrecision precision) {
    RmilModelConfig config;
    g_autofree RmilBag *bags = g_new(RmilBag, options.bags);
    if (!rmil_model_config_init(&config, methods[method].model, methods[method].guide, NULL)) exit(1);
    config.dim = DIM;
    for (int i = 0; i < options.bags; i++) bags[i] = make_bag(options.patches, precision, (uint64_t)i);
    Seconds ours = measure(&config, bags);
    for (int i = 0; i < options.bags; i++) {
        rmil_free(bags[i].features);
        rmil_free(bags[i].coords);
        rmil_free(bags[i].patch_labels);
    }
    /* without native bfloat16 its use is to save memory: there is no peer to that */
    Seconds theirs = {0, 0};
    if (precision == RMIL_FLOAT32 || rmil_gemm_bfloat16()) theirs = peer(methods[method].peer, precision);
    printf("%-8s %-9s %8.3f s a step %8.3f s of processor", methods[method].name,
           precision == RMIL_BFLOAT16 ? "bfloat16" : "float32", ours.clock, ours.processor);
    if (theirs.clock > 0)
        printf("   PyTorch %8.3f s %8.3f s   ratio %5.2f, by processor time %5.2f", theirs.clock, theirs.processor,
               theirs.clock / ours.clock, theirs.processor / ours.processor);
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv) {
    const GOptionEntry entries[] = {
        {"methods", 0, 0, G_OPTION_ARG_STRING, &options.methods, "methods, separated by commas", "LIST"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &options.threads, "threads of both sides (all processors)", "N"},
        {"bags", 0, 0, G_OPTION_ARG_INT, &options.bags, "bags per step (8)", "N"},
        {"patches", 0, 0, G_OPTION_ARG_INT, &options.patches, "patches per bag (10000)", "K"},
        {"seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options.seconds, "time for each measurement (10)", "S"},
        {"python", 0, 0, G_OPTION_ARG_STRING, &options.python, "Python with torch, for the peer", "PROGRAM"},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    g_autoptr(GError) error = NULL;
    if (!g_option_context_parse(context, &argc, &argv, &error) || options.bags < 1 || options.patches < 1) {
        fprintf(stderr, "bench-models: %s\n", error ? error->message : "bags and patches must be at least 1");
        return 2;
    }
    g_auto(GStrv) chosen = options.methods ? g_strsplit(options.methods, ",", -1) : NULL;
    printf("models: %d bags of %d x %d, %d threads of %d processors, bfloat16 products %s\n", options.bags, options.patches,
           DIM, rmil_threads(options.threads), rmil_threads(0), rmil_gemm_bfloat16() ? "native" : "by widening");
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
        if (chosen && !g_strv_contains((const char *const *)chosen, methods[i].name)) continue;
        bench(i, RMIL_FLOAT32);
        bench(i, RMIL_BFLOAT16);
    }
    return 0;
}
