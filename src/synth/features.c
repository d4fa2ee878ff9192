#include "synth-private.h"

#include "rankmil/bag.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A tile's features: x = max(0, base + mixing · z + noise). The latent z is the prototype of the tile's tissue type, plus
 * what the slide adds to all of its tiles (stain, scanner), plus the tile's own variation; in a lesion, plus a step along
 * the tumour's direction, as long as the tile is covered. Some benign types lie part of the way in that direction, and
 * slides differ in how much of each type they have, so that a bag's mean says little. */
#define VERSION   1
#define LATENT    32
#define TYPES     12
#define MIMICS    3
#define SUBTYPES  3
#define NORMALS   65536 /* noise is read from a table, at a random place for every tile */
#define STEP      2.1   /* length of the tumour's direction at difficulty 1, in units of the tile's own variation */
#define TILE_SIDE 448   /* level-0 px: 224 px at 20x of a 40x scan */

/* Camelyon16's training slides: ln of the tissue tiles at 20x, and their share of the bounding box. */
#define TILES_MU     8.677
#define TILES_SIGMA  0.85
#define TISSUE_SHARE 0.19

typedef struct {
    float prototype[TYPES][LATENT], tumour[SUBTYPES][LATENT];
    float *base, *mixing, *normal; /* dim; LATENT × dim; NORMALS */
} World;

typedef struct {
    char id[24];
    int label;
    gboolean test;
    int64_t count;  /* tiles */
    int64_t lesion; /* of them with tumour */
} Plan;

typedef struct {
    const char *folder;
    const RmilSynthFeatureOptions *options;
    const RmilMonitor *monitor;
    World world;
    Plan *plans;
    GMutex lock;
    int64_t done;
} Job;

void rmil_synth_feature_options_init(RmilSynthFeatureOptions *options) {
    *options = (RmilSynthFeatureOptions){.train = 270,
                                         .test = 129,
                                         .train_positive = 111,
                                         .test_positive = 49,
                                         .dim = 1024,
                                         .scale = 1,
                                         .difficulty = 1,
                                         .seed = 1};
}

static gboolean check(const RmilSynthFeatureOptions *o, GError **error) {
    if (o->train < 0 || o->test < 0 || o->train + o->test < 1 || o->train + o->test > 100000)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "train, test: not in 1 … 100000 bags together");
    if (o->train_positive < 0 || o->train_positive > o->train || o->test_positive < 0 || o->test_positive > o->test)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "train_positive, test_positive: more than there are bags");
    if (o->dim < 1 || o->dim > 4096)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "dim: %" G_GINT64_FORMAT " is not in 1 … 4096", o->dim);
    if (!(o->scale > 0 && o->scale <= 4))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "scale: %g is not in 0 … 4", o->scale);
    if (!(o->difficulty >= 0.1 && o->difficulty <= 10))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "difficulty: %g is not in 0.1 … 10", o->difficulty);
    return TRUE;
}

static float normal(RmilRng *rng) { return (float)rmil_rng_normal(rng); }

static gboolean world_init(World *world, const RmilSynthFeatureOptions *o, GError **error) {
    RmilRng rng;
    rmil_rng_init(&rng, o->seed, 1);
    if (!(world->base = rmil_alloc(o->dim, sizeof(float), error)) ||
        !(world->mixing = rmil_alloc(o->dim * LATENT, sizeof(float), error)) ||
        !(world->normal = rmil_alloc(NORMALS + o->dim, sizeof(float), error)))
        return FALSE;
    float common[LATENT];
    double length = 0;
    for (int k = 0; k < LATENT; k++) {
        common[k] = normal(&rng);
        length += common[k] * common[k];
    }
    for (int k = 0; k < LATENT; k++) common[k] /= (float)sqrt(length);
    for (int s = 0; s < SUBTYPES; s++)
        for (int k = 0; k < LATENT; k++)
            world->tumour[s][k] = (float)(STEP / o->difficulty) * (common[k] + 0.5F * normal(&rng) / sqrtf(LATENT));
    for (int t = 0; t < TYPES; t++) {
        float mimic = t < MIMICS ? 0.5F * (float)(STEP / o->difficulty) : 0, along = 0;
        for (int k = 0; k < LATENT; k++) {
            world->prototype[t][k] = 0.8F * normal(&rng);
            along += world->prototype[t][k] * common[k];
        }
        for (int k = 0; k < LATENT; k++) world->prototype[t][k] += (mimic - along) * common[k];
    }
    for (int64_t i = 0; i < o->dim; i++) world->base[i] = 0.3F * normal(&rng) - 0.2F;
    for (int64_t i = 0; i < o->dim * LATENT; i++) world->mixing[i] = normal(&rng) / sqrtf(LATENT);
    for (int64_t i = 0; i < NORMALS + o->dim; i++) world->normal[i] = 0.45F * normal(&rng);
    return TRUE;
}

static void make_plans(Plan *plans, const RmilSynthFeatureOptions *o) {
    RmilRng rng;
    rmil_rng_init(&rng, o->seed, 2);
    int64_t first = 0;
    for (int set = 0; set < 2; set++) {
        int64_t count = set ? o->test : o->train, positives = set ? o->test_positive : o->train_positive;
        g_autofree int64_t *order = g_new(int64_t, count + 1);
        for (int64_t i = 0; i < count; i++) order[i] = i;
        rmil_rng_shuffle(&rng, order, count);
        for (int64_t i = 0; i < count; i++) {
            Plan *plan = &plans[first + order[i]];
            g_snprintf(plan->id, sizeof plan->id, "%s_%03" G_GINT64_FORMAT, set ? "test" : "train", order[i] + 1);
            plan->test = set;
            plan->label = i < positives;
            double deviation = rmil_rng_normal(&rng);
            double tiles = exp(TILES_MU + TILES_SIGMA * CLAMP(deviation, -2.0, 2.0));
            plan->count = MAX(1, llround(tiles * o->scale));
            if (!plan->label) continue;
            double q = ((double)i + rmil_rng_uniform(&rng)) / (double)positives, share = rmil_synth_share_quantile(q);
            int64_t lesion = llround(share / TISSUE_SHARE * (double)plan->count);
            plan->lesion = CLAMP(lesion, 1, MAX(1, plan->count * 7 / 10));
        }
        first += count;
    }
}

/* -- one bag ------------------------------------------------------------------------------------------------------------- */
typedef struct {
    float key;
    int32_t cell;
} Ranked;

static int by_key(const void *a, const void *b) {
    const Ranked *p = a, *q = b;
    return p->key != q->key ? (p->key > q->key) - (p->key < q->key) : (p->cell > q->cell) - (p->cell < q->cell);
}

/* The `count` cells of a square grid that lie deepest in a warped disc: where the slide has tissue. */
static int64_t place_tiles(const Plan *plan, RmilRng *rng, int64_t *coords) {
    int64_t side = (int64_t)ceil(sqrt((double)plan->count / 0.45)) + 1;
    uint32_t seed = (uint32_t)rmil_rng_next(rng);
    g_autofree Ranked *cells = g_new(Ranked, side * side);
    g_autofree uint8_t *taken = g_malloc0((gsize)(side * side));
    for (int64_t i = 0; i < side * side; i++) {
        float x = ((float)(i % side) + 0.5F) / (float)side - 0.5F, y = ((float)(i / side) + 0.5F) / (float)side - 0.5F;
        cells[i] = (Ranked){sqrtf(x * x + y * y) - 0.13F * rmil_synth_fbm(seed, 4 * x, 4 * y, 3), (int32_t)i};
    }
    qsort(cells, (size_t)(side * side), sizeof *cells, by_key);
    for (int64_t i = 0; i < plan->count; i++) taken[cells[i].cell] = 1;
    for (int64_t i = 0, k = 0; i < side * side; i++) /* row by row, as a grid is read */
        if (taken[i]) {
            coords[2 * k] = i % side * TILE_SIDE;
            coords[2 * k++ + 1] = i / side * TILE_SIDE;
        }
    return side * TILE_SIDE;
}

/* The tiles nearest to one to four centres are tumour; the outermost ones only in part. cover: 0 … 1 per tile. */
static void place_lesion(const Plan *plan, RmilRng *rng, const int64_t *coords, float *cover, uint8_t *labels) {
    int foci = 1 + (int)rmil_rng_below(rng, MIN(4, 1 + plan->lesion / 4));
    int64_t centre[4];
    for (int f = 0; f < foci; f++) centre[f] = rmil_rng_below(rng, plan->count);
    g_autofree Ranked *tiles = g_new(Ranked, plan->count);
    for (int64_t i = 0; i < plan->count; i++) {
        double nearest = 1e18;
        for (int f = 0; f < foci; f++)
            nearest = MIN(nearest, hypot((double)(coords[2 * i] - coords[2 * centre[f]]),
                                         (double)(coords[2 * i + 1] - coords[2 * centre[f] + 1])));
        tiles[i] = (Ranked){(float)(nearest * (1 + 0.2 * rmil_rng_uniform(rng))), (int32_t)i};
    }
    qsort(tiles, (size_t)plan->count, sizeof *tiles, by_key);
    int64_t edge = (int64_t)(1.7 * sqrt((double)plan->lesion)) + 1;
    for (int64_t i = 0; i < plan->lesion; i++) {
        labels[tiles[i].cell] = 1;
        gboolean inner = i + edge < plan->lesion;
        float part = (float)rmil_rng_uniform(rng);
        cover[tiles[i].cell] = inner ? 1 : 0.15F + 0.85F * part;
    }
}

static int tissue_type(uint32_t seed, const float *taste, float x, float y) {
    int best = 0;
    float most = -1e9F;
    for (int t = 0; t < TYPES; t++) {
        float v = taste[t] + rmil_synth_noise(seed + (uint32_t)t * 77, x / 9, y / 9, 0, 0) +
                  0.4F * rmil_synth_noise(seed + (uint32_t)t * 77 + 5, x / 2.3F, y / 2.3F, 0, 0);
        if (v > most) most = v, best = t;
    }
    return best;
}

RMIL_CLONES static void mix(const World *world, int64_t dim, const float *z, const float *noise, float *restrict x) {
    for (int64_t i = 0; i < dim; i++) x[i] = world->base[i] + noise[i];
    for (int k = 0; k < LATENT; k++) {
        const float *restrict column = world->mixing + k * dim;
        for (int64_t i = 0; i < dim; i++) x[i] += z[k] * column[i];
    }
    for (int64_t i = 0; i < dim; i++) x[i] = x[i] > 0 ? x[i] : 0;
}

static void fill_features(const World *world, const Plan *plan, RmilRng *rng, int64_t dim, const int64_t *coords,
                          const float *cover, float *features) {
    uint32_t seed = (uint32_t)rmil_rng_next(rng);
    const float *tumour = world->tumour[rmil_rng_below(rng, SUBTYPES)];
    float slide[LATENT], taste[TYPES];
    for (int k = 0; k < LATENT; k++) slide[k] = 0.5F * normal(rng);
    for (int t = 0; t < TYPES; t++) taste[t] = 0.45F * normal(rng) - (t < MIMICS ? 0.35F : 0);
    for (int64_t i = 0; i < plan->count; i++) {
        float x = (float)(coords[2 * i] / TILE_SIDE), y = (float)(coords[2 * i + 1] / TILE_SIDE), z[LATENT];
        const float *type = world->prototype[tissue_type(seed, taste, x, y)];
        for (int k = 0; k < LATENT; k++) {
            float benign = type[k] + slide[k] + 0.6F * normal(rng);
            z[k] = benign + cover[i] * (tumour[k] - 0.5F * type[k]);
        }
        mix(world, dim, z, world->normal + rmil_rng_below(rng, NORMALS), features + i * dim);
    }
}

static char *identity_of(const RmilSynthFeatureOptions *o, const Plan *plan) {
    return g_strdup_printf("rankmil synth features version %d, %s of %" G_GINT64_FORMAT " + %" G_GINT64_FORMAT
                           ", positive %" G_GINT64_FORMAT " + %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT
                           " floats, scale %g, difficulty %g, seed %" G_GUINT64_FORMAT,
                           VERSION, plan->id, o->train, o->test, o->train_positive, o->test_positive, o->dim, o->scale,
                           o->difficulty, o->seed);
}

static gboolean write_bag(const Job *job, int64_t index, const char *identity, const char *path, GError **error) {
    const Plan *plan = &job->plans[index];
    int64_t dim = job->options->dim;
    RmilRng rng;
    rmil_rng_init(&rng, job->options->seed, 16 + (uint64_t)index);
    RmilBag bag = {
        .count = plan->count, .dim = dim, .patch_size = 224, .patch_size_level0 = TILE_SIDE, .target_mpp = 0.5};
    g_autofree float *cover = g_new0(float, plan->count);
    g_autofree uint8_t *labels = g_new0(uint8_t, plan->count);
    g_autofree int64_t *coords = g_new(int64_t, 2 * plan->count);
    g_autofree char *source = g_strdup(identity);
    if (!(bag.features = rmil_alloc(plan->count * dim, sizeof(float), error))) return FALSE;
    bag.slide_width = bag.slide_height = place_tiles(plan, &rng, coords);
    if (plan->label) place_lesion(plan, &rng, coords, cover, labels);
    fill_features(&job->world, plan, &rng, dim, coords, cover, bag.features);
    bag.coords = coords;
    bag.patch_labels = labels;
    bag.source = source;
    gboolean written = rmil_bag_write(&bag, path, TRUE, error);
    rmil_free(bag.features);
    return written;
}

static gboolean make_bag(int64_t index, int worker, gpointer user, GError **error) {
    Job *job = user;
    const Plan *plan = &job->plans[index];
    g_autofree char *name = g_strconcat(plan->id, ".h5", NULL),
                    *path = g_build_filename(job->folder, "features", name, NULL);
    g_autofree char *identity = identity_of(job->options, plan);
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_autofree char *made_as = rmil_bag_source(path);
        if (g_strcmp0(made_as, identity) != 0)
            return rmil_fail(
                error, RMIL_ERROR_ARGUMENT,
                "%s: is there already, but not made with these options (%s): remove it or choose another folder", path,
                made_as ? made_as : "not made by rankmil synth");
    } else if (!write_bag(job, index, identity, path, error)) return FALSE;
    g_mutex_lock(&job->lock);
    rmil_monitor_progress(job->monitor, "feature files", ++job->done, job->options->train + job->options->test);
    g_mutex_unlock(&job->lock);
    return TRUE;
}

static gboolean write_cohort(const Job *job, GError **error) {
    g_autoptr(GString) csv = g_string_new("id,features,label,split,tiles,lesion_tiles\n");
    for (int64_t i = 0; i < job->options->train + job->options->test; i++) {
        const Plan *plan = &job->plans[i];
        g_string_append_printf(csv, "%s,features/%s.h5,%d,%s,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT "\n", plan->id,
                               plan->id, plan->label, plan->test ? "test" : "", plan->count, plan->lesion);
    }
    g_autofree char *path = g_build_filename(job->folder, "cohort.csv", NULL);
    return rmil_file_write(path, csv->str, csv->len, error);
}

gboolean rmil_synth_features_write(const char *folder, const RmilSynthFeatureOptions *options,
                                   const RmilMonitor *monitor, GError **error) {
    if (!check(options, error)) return FALSE;
    int64_t bags = options->train + options->test;
    Job job = {.folder = folder, .options = options, .monitor = monitor, .plans = g_new0(Plan, bags)};
    g_mutex_init(&job.lock);
    make_plans(job.plans, options);
    gboolean done = world_init(&job.world, options, error) &&
                    rmil_parallel(bags, options->threads, make_bag, &job, error) && write_cohort(&job, error);
    g_mutex_clear(&job.lock);
    rmil_free(job.world.base);
    rmil_free(job.world.mixing);
    rmil_free(job.world.normal);
    g_free(job.plans);
    return done;
}
