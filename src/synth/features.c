/* SPDX-License-Identifier: Apache-2.0 */
/* Bags of features with known truth. */
#include "features-private.h"

#include "rankmil/bag.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/statvfs.h>

#define VERSION 3
#define COVERED 0.05F /* a tile is labelled if more than this is covered, as for annotated tiles */

typedef struct {
    const char *folder;
    const RmilSynthFeatureOptions *options;
    const RmilMonitor *monitor;
    RmilSynthWorld world;
    RmilSynthBagPlan *plans;
    int64_t *lesion_tiles; /* number of labelled tiles, by bag */
    GMutex lock;
    int64_t done;
} Job;

typedef struct {
    int64_t count, side; /* tiles; side of the slide in level-0 px */
    int64_t *coords;
    float *cover, *benign; /* covered part of a tile: tumour, benign look-alike */
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

static char *identity_of(const RmilSynthFeatureOptions *o, const RmilSynthBagPlan *plan) {
    char scale[G_ASCII_DTOSTR_BUF_SIZE], difficulty[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *task = rmil_synth_task_text(&o->task);
    return g_strdup_printf(
        "rankmil synth features version %d, %s of %" G_GINT64_FORMAT " + %" G_GINT64_FORMAT ", positive %" G_GINT64_FORMAT
        " + %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT " x float%d, scale %s, difficulty %s, seed %" G_GUINT64_FORMAT "%s",
        VERSION, plan->id, o->train, o->test, o->train_positive, o->test_positive, o->dim, o->half ? 16 : 32,
        g_ascii_dtostr(scale, sizeof scale, o->scale), g_ascii_dtostr(difficulty, sizeof difficulty, o->difficulty), o->seed, task);
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
    rmil_synth_world_features(&job->world, o, plan, place->coords, place->cover, place->benign, bag.features);
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

static RmilSynthCase *cases_of(const Job *job) {
    const RmilSynthFeatureOptions *o = job->options;
    int64_t bags = o->train + o->test;
    RmilSynthCase *cases = g_new0(RmilSynthCase, bags);
    for (int64_t i = 0; i < bags; i++) {
        const RmilSynthBagPlan *plan = &job->plans[i];
        cases[i] = (RmilSynthCase){.label = plan->label, .test = plan->test, .patient = plan->patient, .site = plan->site};
        cases[i].share = (double)job->lesion_tiles[i] / (double)plan->count;
    }
    rmil_synth_cases_outcomes(cases, bags, RMIL_SYNTH_LESION_MOST, o->seed);
    return cases;
}

static gboolean write_cohort(const Job *job, GError **error) {
    const RmilSynthTask *task = &job->options->task;
    const gboolean patients = task->patients != RMIL_SYNTH_PATIENTS_USUAL, sites = task->sites > 0;
    g_autofree RmilSynthCase *cases = cases_of(job);
    g_autofree char *header = g_strconcat("id,features,", rmil_synth_task_columns(task), ",split,tiles,lesion_tiles",
                                          patients ? ",patient" : "", sites ? ",site" : "", NULL);
    g_autoptr(RmilCsv) csv = rmil_csv_new(header);
    for (int64_t i = 0; i < job->options->train + job->options->test; i++) {
        const RmilSynthBagPlan *plan = &job->plans[i];
        g_autofree char *features = g_strdup_printf("features/%s.h5", plan->id), *patient = g_strdup_printf("patient_%03d", plan->patient);
        rmil_csv_text(csv, plan->id);
        rmil_csv_text(csv, features);
        rmil_synth_task_cells(task, csv, &cases[i]);
        rmil_csv_text(csv, plan->test ? "test" : "");
        rmil_csv_whole(csv, plan->count);
        rmil_csv_whole(csv, job->lesion_tiles[i]);
        if (patients) rmil_csv_text(csv, patient);
        if (sites) rmil_synth_site_cell(csv, plan->site);
        rmil_csv_end(csv);
    }
    g_autofree char *path = g_build_filename(job->folder, "cohort.csv", NULL);
    return rmil_csv_write(csv, path, error);
}

gboolean rmil_synth_bag_there(const char *path, const char *identity, gboolean *there, GError **error) {
    if (!rmil_file_exists(path, there, error)) return FALSE;
    if (!*there) return TRUE;
    g_autofree char *made_as = NULL;
    if (!rmil_bag_source(path, &made_as, error)) return FALSE;
    return g_strcmp0(made_as, identity) == 0 ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT,
                     "%s: already exists but was made with other options (%s): remove it, or choose another folder", path,
                     made_as ? made_as : "not made by rankmil synth");
}

/* Called before anything is written: checks that existing files were made with these options, and that there is space for the others. */
static gboolean check_folder(const Job *job, GError **error) {
    int64_t needed = rmil_synth_features_bytes(job->options);
    for (int64_t i = 0; i < job->options->train + job->options->test; i++) {
        g_autofree char *path = path_of(job, &job->plans[i]);
        g_autofree char *identity = identity_of(job->options, &job->plans[i]);
        gboolean there;
        GStatBuf status;
        if (!rmil_synth_bag_there(path, identity, &there, error)) return FALSE;
        if (there && g_stat(path, &status) == 0) needed -= status.st_size;
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
    return rmil_fail(error, RMIL_ERROR_IO, "%s: needs %.1f GB more, but only %.1f GB is free", job->folder, (double)needed / 1e9,
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
    gboolean done = check_folder(&job, error) && rmil_synth_world_init(&job.world, options, error) &&
                    rmil_parallel(bags, options->threads, make_bag, &job, error) && write_cohort(&job, error);
    g_mutex_clear(&job.lock);
    rmil_synth_world_clear(&job.world);
    g_free(job.plans);
    g_free(job.lesion_tiles);
    return done;
}
