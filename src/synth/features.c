/* Bags of features whose truth is known. */
#include "features-private.h"

#include "rankmil/bag.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/statvfs.h>

/* A tile's features: x = max(0, base + mixing · z + noise). The latent z is the prototype of the tile's tissue type, plus
 * what the slide adds to all of its tiles (stain, scanner), plus the tile's own variation; in a lesion, plus a step along
 * the tumour's direction, as long as the tile is covered. Some benign types lie part of the way in that direction, so do
 * foci in a third of the slides of either label, and slides differ in how much of each type they have. */
#define VERSION 3
#define LATENT 32
#define TYPES 12
#define MIMICS 3
#define SUBTYPES 3
#define NORMALS 65536 /* noise is read from a table, at a random place for every tile */
#define STEP 0.95     /* length of the tumour's direction at difficulty 1, in units of the latent's variation */
#define LOOKS 0.75F   /* how far a benign focus goes in that direction */
#define COVERED 0.05F /* a tile is labelled when more of it is covered, as annotated tiles are */

typedef struct {
    float prototype[TYPES][LATENT], tumour[SUBTYPES][LATENT];
    float *base, *mixing, *normal; /* dim; LATENT × dim; NORMALS + dim */
} World;

typedef struct {
    const char *folder;
    const RmilSynthFeatureOptions *options;
    const RmilMonitor *monitor;
    World world;
    RmilSynthBagPlan *plans;
    int64_t *lesion_tiles; /* by bag, labelled */
    GMutex lock;
    int64_t done;
} Job;

static float normal(RmilRng *rng) { return (float)rmil_rng_normal(rng); }

static gboolean world_init(World *world, const RmilSynthFeatureOptions *o, GError **error) {
    RmilRng rng;
    rmil_rng_init(&rng, o->seed, 1);
    if (!(world->base = rmil_alloc(o->dim, sizeof(float), error)) || !(world->mixing = rmil_alloc(o->dim * LATENT, sizeof(float), error)) ||
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

/* -- one bag ----------------------------------------------------------------------------------------------------------------- */
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

typedef struct {
    int64_t count, side; /* tiles; of the slide, level-0 px */
    int64_t *coords;
    float *cover, *benign; /* parts of a tile: tumour, benign look-alike */
    uint8_t *labels;
} Place;

static void place_clear(Place *place) {
    g_free(place->coords);
    g_free(place->cover);
    g_free(place->benign);
    g_free(place->labels);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

static Place place_bag(const RmilSynthBagPlan *plan, uint64_t seed) {
    int64_t count = plan->count;
    Place place = {.count = count,
                   .coords = g_new(int64_t, 2 * count),
                   .cover = g_new0(float, count),
                   .benign = g_new0(float, count),
                   .labels = g_new0(uint8_t, count)};
    RmilRng rng;
    rmil_rng_init(&rng, seed, 2 * plan->stream);
    place.side = rmil_synth_place_tissue(count, &rng, place.coords);
    if (plan->lesion > 0) rmil_synth_place_foci(place.coords, count, plan->lesion, &rng, place.cover);
    if (plan->benign > 0) rmil_synth_place_foci(place.coords, count, plan->benign, &rng, place.benign);
    for (int64_t i = 0; i < count; i++) place.labels[i] = place.cover[i] > COVERED;
    return place;
}

static void fill_features(const World *world, const RmilSynthBagPlan *plan, uint64_t draw, int64_t dim, const Place *place,
                          float *features) {
    RmilRng rng;
    rmil_rng_init(&rng, draw, 2 * plan->stream + 1);
    uint32_t seed = (uint32_t)rmil_rng_next(&rng);
    const float *tumour = world->tumour[rmil_rng_below(&rng, SUBTYPES)], *alike = world->tumour[rmil_rng_below(&rng, SUBTYPES)];
    float slide[LATENT], taste[TYPES];
    for (int k = 0; k < LATENT; k++) slide[k] = 0.5F * normal(&rng);
    for (int t = 0; t < TYPES; t++) taste[t] = 0.45F * normal(&rng) - (t < MIMICS ? 0.35F : 0);
    for (int64_t i = 0; i < place->count; i++) {
        float x = (float)(place->coords[2 * i] / RMIL_SYNTH_TILE_SIDE), z[LATENT];
        float y = (float)(place->coords[2 * i + 1] / RMIL_SYNTH_TILE_SIDE);
        const float *type = world->prototype[tissue_type(seed, taste, x, y)];
        float lesion = place->cover[i], benign = (1 - lesion) * LOOKS * place->benign[i];
        for (int k = 0; k < LATENT; k++)
            z[k] = type[k] * (1 - 0.5F * lesion) + slide[k] + 0.6F * normal(&rng) + lesion * tumour[k] + benign * alike[k];
        mix(world, dim, z, world->normal + rmil_rng_below(&rng, NORMALS), features + i * dim);
    }
}

static char *identity_of(const RmilSynthFeatureOptions *o, const RmilSynthBagPlan *plan) {
    char scale[G_ASCII_DTOSTR_BUF_SIZE], difficulty[G_ASCII_DTOSTR_BUF_SIZE];
    return g_strdup_printf(
        "rankmil synth features version %d, %s of %" G_GINT64_FORMAT " + %" G_GINT64_FORMAT ", positive %" G_GINT64_FORMAT
        " + %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT " x float%d, scale %s, difficulty %s, seed %" G_GUINT64_FORMAT,
        VERSION, plan->id, o->train, o->test, o->train_positive, o->test_positive, o->dim, o->half ? 16 : 32,
        g_ascii_dtostr(scale, sizeof scale, o->scale), g_ascii_dtostr(difficulty, sizeof difficulty, o->difficulty), o->seed);
}

static char *path_of(const Job *job, const RmilSynthBagPlan *plan) {
    g_autofree char *name = g_strconcat(plan->id, ".h5", NULL);
    return g_build_filename(job->folder, "features", name, NULL);
}

static gboolean write_bag(const Job *job, const RmilSynthBagPlan *plan, const Place *place, char *identity, const char *path,
                          GError **error) {
    const RmilSynthFeatureOptions *o = job->options;
    RmilBag bag = {.count = plan->count,
                   .dim = o->dim,
                   .coords = place->coords,
                   .patch_labels = place->labels,
                   .patch_size = 224,
                   .patch_size_level0 = RMIL_SYNTH_TILE_SIDE,
                   .target_mpp = 0.5,
                   .slide_width = place->side,
                   .slide_height = place->side,
                   .source = identity};
    if (!(bag.features = rmil_alloc(plan->count * o->dim, sizeof(float), error))) return FALSE;
    fill_features(&job->world, plan, o->seed, o->dim, place, bag.features);
    gboolean written = rmil_bag_write(&bag, path, o->half, error);
    rmil_free(bag.features);
    return written;
}

static gboolean make_bag(int64_t index, int worker, gpointer user, GError **error) {
    Job *job = user;
    const RmilSynthBagPlan *plan = &job->plans[index];
    g_autofree char *path = path_of(job, plan), *identity = identity_of(job->options, plan);
    g_auto(Place) place = place_bag(plan, job->options->seed);
    if (!g_file_test(path, G_FILE_TEST_EXISTS) && !write_bag(job, plan, &place, identity, path, error)) return FALSE;
    for (int64_t i = 0; i < plan->count; i++) job->lesion_tiles[index] += place.labels[i];
    g_mutex_lock(&job->lock);
    rmil_monitor_progress(job->monitor, "feature files", ++job->done, job->options->train + job->options->test);
    g_mutex_unlock(&job->lock);
    return TRUE;
}

static gboolean write_cohort(const Job *job, GError **error) {
    g_autoptr(RmilCsv) csv = rmil_csv_new("id,features,label,split,tiles,lesion_tiles");
    for (int64_t i = 0; i < job->options->train + job->options->test; i++) {
        const RmilSynthBagPlan *plan = &job->plans[i];
        g_autofree char *features = g_strdup_printf("features/%s.h5", plan->id);
        rmil_csv_text(csv, plan->id);
        rmil_csv_text(csv, features);
        rmil_csv_whole(csv, plan->label);
        rmil_csv_text(csv, plan->test ? "test" : "");
        rmil_csv_whole(csv, plan->count);
        rmil_csv_whole(csv, job->lesion_tiles[i]);
        rmil_csv_end(csv);
    }
    g_autofree char *path = g_build_filename(job->folder, "cohort.csv", NULL);
    return rmil_csv_write(csv, path, error);
}

/* Before anything is written: files that are there were made with these options, and the others have room. */
static gboolean check_folder(const Job *job, GError **error) {
    int64_t needed = rmil_synth_features_bytes(job->options);
    for (int64_t i = 0; i < job->options->train + job->options->test; i++) {
        g_autofree char *path = path_of(job, &job->plans[i]);
        if (!g_file_test(path, G_FILE_TEST_EXISTS)) continue;
        g_autofree char *made_as = NULL, *identity = identity_of(job->options, &job->plans[i]);
        if (!rmil_bag_source(path, &made_as, error)) return FALSE;
        if (g_strcmp0(made_as, identity) != 0)
            return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                             "%s: is there already, but not made with these options (%s): remove it or choose another folder", path,
                             made_as ? made_as : "not made by rankmil synth");
        GStatBuf status;
        if (g_stat(path, &status) == 0) needed -= status.st_size;
    }
    g_autofree char *parent = g_canonicalize_filename(job->folder, NULL);
    while (!g_file_test(parent, G_FILE_TEST_EXISTS) && strcmp(parent, "/") != 0) {
        char *up = g_path_get_dirname(parent);
        g_free(parent);
        parent = up;
    }
    struct statvfs disk;
    if (statvfs(parent, &disk) != 0) return rmil_fail(error, RMIL_ERROR_IO, "%s: free space: %s", parent, g_strerror(errno));
    double available = (double)disk.f_bavail * (double)disk.f_frsize;
    if ((double)needed <= available) return TRUE;
    return rmil_fail(error, RMIL_ERROR_IO, "%s: needs %.1f GB more, and %.1f GB are free", job->folder, (double)needed / 1e9,
                     available / 1e9);
}

gboolean rmil_synth_features_write(const char *folder, const RmilSynthFeatureOptions *options, const RmilMonitor *monitor, GError **error) {
    if (!rmil_synth_features_check(options, error)) return FALSE;
    int64_t bags = options->train + options->test;
    Job job = {.folder = folder,
               .options = options,
               .monitor = monitor,
               .plans = rmil_synth_bag_plan(options),
               .lesion_tiles = g_new0(int64_t, bags)};
    g_mutex_init(&job.lock);
    gboolean done = check_folder(&job, error) && world_init(&job.world, options, error) &&
                    rmil_parallel(bags, options->threads, make_bag, &job, error) && write_cohort(&job, error);
    g_mutex_clear(&job.lock);
    rmil_free(job.world.base);
    rmil_free(job.world.mixing);
    rmil_free(job.world.normal);
    g_free(job.plans);
    g_free(job.lesion_tiles);
    return done;
}
