/* SPDX-License-Identifier: Apache-2.0 */
/* Bags of handwritten digits: three classes, determined by the witness digit in a bag. */
#include "features-private.h"
#include "idx-private.h"

#include "rankmil/bag.h"

#include <math.h>
#include <string.h>

#define VERSION 1
#define FEWEST 20
#define MOST 60
#define SIDE (RMIL_DIGIT_SIDE / 2) /* of a pooled image */
#define CLASSES 3

/* The witness of each class; the first has none. */
static const struct {
    const char *name;
    int digit;
} classes[CLASSES] = {{"negative", -1}, {"eight", 8}, {"three", 3}};

typedef struct {
    char id[24];
    int label;
    gboolean test;
    int64_t count, witnesses; /* number of digits; number of witnesses: at least one, at most a fifth, or none */
} Plan;

typedef struct {
    const char *folder;
    const RmilSynthDigitOptions *options;
    const RmilMonitor *monitor;
    RmilDigits digits;
    GArray *pool[2][CLASSES]; /* int64_t: images of training and test; [0]: not witnesses, others: the witness of that class */
    Plan *plans;
    GMutex lock;
    int64_t done;
} Job;

void rmil_synth_digit_options_init(RmilSynthDigitOptions *options) {
    *options = (RmilSynthDigitOptions){.bags = 240, .test = 0.33, .seed = 1};
}

static gboolean check(const RmilSynthDigitOptions *o, GError **error) {
    if (o->bags < 1 || o->bags > 100000)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--slides %" G_GINT64_FORMAT ": must be 1 … 100000", o->bags);
    if (!(o->test >= 0 && o->test <= 0.9)) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--test %g: must be 0 … 0.9", o->test);
    return TRUE;
}

static int witness_class(int digit) {
    for (int c = 1; c < CLASSES; c++)
        if (classes[c].digit == digit) return c;
    return 0;
}

/* No image is both in a training bag and in a test bag. */
static gboolean share_images(Job *job, GError **error) {
    RmilRng rng;
    rmil_rng_init(&rng, job->options->seed, 1);
    int64_t count = job->digits.count, seen[10] = {0};
    g_autofree int64_t *order = g_new(int64_t, count);
    for (int64_t i = 0; i < count; i++) order[i] = i;
    rmil_rng_shuffle(&rng, order, count);
    for (int64_t i = 0; i < count; i++) {
        int digit = job->digits.labels[order[i]];
        double before = floor((double)seen[digit] * job->options->test), now = floor((double)++seen[digit] * job->options->test);
        g_array_append_val(job->pool[now > before][witness_class(digit)], order[i]);
    }
    for (int64_t i = 0; i < job->options->bags; i++)
        for (int c = 0; c <= job->plans[i].label; c += MAX(1, job->plans[i].label))
            if (job->pool[job->plans[i].test][c]->len == 0)
                return rmil_fail(error, RMIL_ERROR_DATA, "%s: has too few images of %s%s for bags of %s: use MNIST's own files",
                                 job->options->source, c ? "the digit " : "other digits than the witnesses", c ? classes[c].name : "",
                                 job->plans[i].test ? "the test" : "training");
    return TRUE;
}

static Plan *plan_bags(const RmilSynthDigitOptions *o) {
    Plan *plans = g_new0(Plan, o->bags);
    RmilRng rng;
    rmil_rng_init(&rng, o->seed, 2);
    int64_t tests = llround((double)o->bags * o->test), first = 0;
    for (int set = 0; set < 2; set++) {
        int64_t count = set ? tests : o->bags - tests;
        g_autofree int64_t *order = g_new(int64_t, count + 1);
        for (int64_t i = 0; i < count; i++) order[i] = i;
        rmil_rng_shuffle(&rng, order, count);
        for (int64_t i = 0; i < count; i++) {
            Plan *plan = &plans[first + i];
            g_snprintf(plan->id, sizeof plan->id, "%s_%03" G_GINT64_FORMAT, set ? "test" : "train", i + 1);
            plan->test = set;
            plan->label = (int)(order[i] % CLASSES);
            plan->count = FEWEST + rmil_rng_below(&rng, MOST - FEWEST + 1);
            if (plan->label) plan->witnesses = 1 + rmil_rng_below(&rng, plan->count / 5);
        }
        first += count;
    }
    return plans;
}

/* Means of 2 × 2 pixels, 0 … 1. */
static void pool_image(const uint8_t *image, float *out) {
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const uint8_t *p = image + 2 * y * RMIL_DIGIT_SIDE + 2 * x;
            out[y * SIDE + x] = (float)(p[0] + p[1] + p[RMIL_DIGIT_SIDE] + p[RMIL_DIGIT_SIDE + 1]) / (4 * 255);
        }
}

/* The digits in random order, row by row on a square grid. */
static gboolean write_bag(const Job *job, int64_t index, char *identity, const char *path, GError **error) {
    const Plan *plan = &job->plans[index];
    RmilRng rng;
    rmil_rng_init(&rng, job->options->seed, 16 + (uint64_t)index);
    int64_t count = plan->count, columns = (int64_t)ceil(sqrt((double)count)), place[MOST], coords[2 * MOST];
    g_autofree float *features = g_new(float, count *SIDE *SIDE);
    uint8_t labels[MOST] = {0};
    for (int64_t i = 0; i < count; i++) place[i] = i;
    rmil_rng_shuffle(&rng, place, count);
    for (int64_t k = 0; k < plan->witnesses; k++) labels[place[k]] = 1;
    for (int64_t i = 0; i < count; i++) {
        const GArray *from = job->pool[plan->test][labels[i] ? plan->label : 0];
        int64_t image = g_array_index(from, int64_t, rmil_rng_below(&rng, from->len));
        pool_image(job->digits.pixels + image * RMIL_DIGIT_SIDE * RMIL_DIGIT_SIDE, features + i * SIDE * SIDE);
        coords[2 * i] = i % columns * RMIL_DIGIT_SIDE;
        coords[2 * i + 1] = i / columns * RMIL_DIGIT_SIDE;
    }
    RmilBag bag = {.count = count,
                   .dim = SIDE * SIDE,
                   .features = features,
                   .coords = coords,
                   .patch_labels = labels,
                   .patch_size = RMIL_DIGIT_SIDE,
                   .patch_size_level0 = RMIL_DIGIT_SIDE,
                   .slide_width = columns * RMIL_DIGIT_SIDE,
                   .slide_height = (count + columns - 1) / columns * RMIL_DIGIT_SIDE,
                   .source = identity};
    return rmil_bag_write(&bag, path, FALSE, error);
}

static gboolean make_bag(int64_t index, int worker, gpointer user, GError **error) {
    Job *job = user;
    const RmilSynthDigitOptions *o = job->options;
    const Plan *plan = &job->plans[index];
    g_autofree char *name = g_strconcat(plan->id, ".h5", NULL), *path = g_build_filename(job->folder, "features", name, NULL);
    char test[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *identity = g_strdup_printf(
        "rankmil synth digits version %d, %s of %" G_GINT64_FORMAT ", test %s, seed %" G_GUINT64_FORMAT ", files %s", VERSION, plan->id,
        o->bags, g_ascii_dtostr(test, sizeof test, o->test), o->seed, job->digits.sha256);
    gboolean there;
    if (!rmil_synth_bag_there(path, identity, &there, error)) return FALSE;
    if (!there && !write_bag(job, index, identity, path, error)) return FALSE;
    g_mutex_lock(&job->lock);
    rmil_monitor_progress(job->monitor, "feature files", ++job->done, o->bags);
    g_mutex_unlock(&job->lock);
    return TRUE;
}

static gboolean write_cohort(const Job *job, GError **error) {
    g_autoptr(RmilCsv) csv = rmil_csv_new("id,features,label,split,tiles,lesion_tiles");
    for (int64_t i = 0; i < job->options->bags; i++) {
        const Plan *plan = &job->plans[i];
        g_autofree char *features = g_strdup_printf("features/%s.h5", plan->id);
        rmil_csv_text(csv, plan->id);
        rmil_csv_text(csv, features);
        rmil_csv_text(csv, classes[plan->label].name);
        rmil_csv_text(csv, plan->test ? "test" : "");
        rmil_csv_whole(csv, plan->count);
        rmil_csv_whole(csv, plan->witnesses);
        rmil_csv_end(csv);
    }
    g_autofree char *path = g_build_filename(job->folder, "cohort.csv", NULL);
    return rmil_csv_write(csv, path, error);
}

gboolean rmil_synth_digits_write(const char *folder, const RmilSynthDigitOptions *options, const RmilMonitor *monitor, GError **error) {
    Job job = {.folder = folder, .options = options, .monitor = monitor};
    if (!check(options, error)) return FALSE;
    gboolean done = rmil_digits_read(&job.digits, options->source, error);
    if (done) {
        for (int i = 0; i < 2 * CLASSES; i++) job.pool[i / CLASSES][i % CLASSES] = g_array_new(FALSE, FALSE, sizeof(int64_t));
        job.plans = plan_bags(options);
        g_mutex_init(&job.lock);
        done = share_images(&job, error) && rmil_parallel(options->bags, options->threads, make_bag, &job, error) &&
               write_cohort(&job, error);
        g_mutex_clear(&job.lock);
        for (int i = 0; i < 2 * CLASSES; i++) g_array_unref(job.pool[i / CLASSES][i % CLASSES]);
        g_free(job.plans);
    }
    rmil_digits_clear(&job.digits);
    return done;
}
