/* SPDX-License-Identifier: Apache-2.0 */
/* The bags of a cohort of features. */
#include "features-private.h"

#include <math.h>

#define BENIGN_SHARE 0.35 /* of all bags have foci that resemble tumour */
#define LARGEST 0.7       /* share of a bag's tiles, lesion */

void rmil_synth_feature_options_init(RmilSynthFeatureOptions *options) {
    *options = (RmilSynthFeatureOptions){.train = 270,
                                         .test = 129,
                                         .train_positive = 111,
                                         .test_positive = 49,
                                         .dim = 1024,
                                         .scale = 1,
                                         .difficulty = 1,
                                         .half = TRUE,
                                         .seed = 1,
                                         .task = {.patients = RMIL_SYNTH_PATIENTS_USUAL}};
}

void rmil_synth_feature_options_bags(RmilSynthFeatureOptions *options, int64_t bags) {
    RmilSynthFeatureOptions full;
    rmil_synth_feature_options_init(&full);
    double share = (double)bags / (double)(full.train + full.test);
    options->test = llround((double)full.test * share);
    options->train = bags - options->test;
    options->train_positive = llround((double)full.train_positive * share);
    options->test_positive = llround((double)full.test_positive * share);
}

static gboolean usual_classes(const RmilSynthTask *task) { return task->target == RMIL_SYNTH_LABEL && !task->classes; }

gboolean rmil_synth_features_check(const RmilSynthFeatureOptions *o, GError **error) {
    if (o->train < 0 || o->test < 0 || o->train > 100000 || o->test > 100000 || o->train + o->test < 1 || o->train + o->test > 100000)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "train, test: together they must be 1 … 100000 bags");
    if (usual_classes(&o->task) &&
        (o->train_positive < 0 || o->train_positive > o->train || o->test_positive < 0 || o->test_positive > o->test))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "train_positive, test_positive: more positive bags than bags");
    if (o->dim < 1 || o->dim > 4096) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--dim %" G_GINT64_FORMAT ": must be 1 … 4096", o->dim);
    if (!(o->scale >= 0.0001 && o->scale <= 4)) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--scale %g: must be 0.0001 … 4", o->scale);
    if (!(o->difficulty >= 0.1 && o->difficulty <= 10))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--difficulty %g: must be 0.1 … 10", o->difficulty);
    return rmil_synth_task_check(&o->task, error);
}

/* values[i] in [0, 1): one from each of `count` equal slices, in random order, so that even a small cohort follows a distribution. */
static double *slices(int64_t count, RmilRng *rng) {
    g_autofree int64_t *order = g_new(int64_t, count + 1);
    double *values = g_new(double, count + 1);
    for (int64_t i = 0; i < count; i++) order[i] = i;
    rmil_rng_shuffle(rng, order, count);
    for (int64_t i = 0; i < count; i++) values[i] = ((double)order[i] + rmil_rng_uniform(rng)) / (double)count;
    return values;
}

/* In tiles. */
static double lesion_area(const RmilSynthFeatureOptions *o, double q, int64_t count) {
    double area = usual_classes(&o->task) ? rmil_synth_lesion_tiles(q) * o->scale
                                          : rmil_synth_task_share(&o->task, q, RMIL_SYNTH_LESION_MOST) * (double)count;
    return CLAMP(area, 0.5, LARGEST * (double)count);
}

/* One class of one set: `count` bags; order[0 … count−1] are their indices in the set. */
static void plan_class(RmilSynthBagPlan *plans, const int64_t *order, int64_t count, int label, const RmilSynthFeatureOptions *o,
                       RmilRng *rng) {
    g_autofree double *size = slices(count, rng), *lesion = slices(count, rng), *benign = slices(count, rng);
    for (int64_t i = 0; i < count; i++) {
        RmilSynthBagPlan *plan = &plans[order[i]];
        plan->label = label;
        plan->count = MAX(1, llround(rmil_synth_tissue_tiles(size[i]) * o->scale));
        if (label) plan->lesion = lesion_area(o, lesion[i], plan->count);
        if (benign[i] < BENIGN_SHARE) /* as large as a lesion of up to the median size */
            plan->benign = MIN(rmil_synth_lesion_tiles(0.5 * benign[i] / BENIGN_SHARE) * o->scale, 0.1 * (double)plan->count);
    }
}

/* Patients with two bags of one class in one set; both have the same lesion share if it determines the patient's outcome. */
static void plan_pairs(RmilSynthBagPlan *plans, const int64_t *order, int64_t count, const RmilSynthFeatureOptions *o) {
    int64_t pairs = rmil_synth_task_pairs(&o->task, 0, count);
    for (int64_t i = 0; i < pairs; i++) {
        const RmilSynthBagPlan *one = &plans[order[2 * i]];
        RmilSynthBagPlan *other = &plans[order[2 * i + 1]];
        other->patient = one->patient;
        if (o->task.target == RMIL_SYNTH_LABEL || !one->label) continue;
        other->lesion = CLAMP(one->lesion / (double)one->count * (double)other->count, 0.5, LARGEST * (double)other->count);
    }
}

static void plan_patients(RmilSynthBagPlan *plans, int64_t count, const RmilSynthTask *task) {
    g_autofree RmilSynthCase *cases = g_new0(RmilSynthCase, count);
    for (int64_t i = 0; i < count; i++)
        cases[i] = (RmilSynthCase){.label = plans[i].label, .test = plans[i].test, .patient = plans[i].patient};
    rmil_synth_cases_number(cases, count);
    rmil_synth_cases_sites(cases, count, task);
    for (int64_t i = 0; i < count; i++) {
        plans[i].patient = cases[i].patient;
        plans[i].site = cases[i].site;
    }
}

RmilSynthBagPlan *rmil_synth_bag_plan(const RmilSynthFeatureOptions *o) {
    RmilSynthBagPlan *plans = g_new0(RmilSynthBagPlan, o->train + o->test);
    RmilRng rng;
    rmil_rng_init(&rng, o->seed, 2);
    int64_t first = 0;
    for (int set = 0; set < 2; set++) {
        int64_t count = set ? o->test : o->train, sizes[RMIL_SYNTH_CLASSES_MOST];
        g_autofree int64_t *order = g_new(int64_t, count + 1);
        for (int64_t i = 0; i < count; i++) {
            RmilSynthBagPlan *plan = &plans[first + i];
            g_snprintf(plan->id, sizeof plan->id, "%s_%03" G_GINT64_FORMAT, set ? "test" : "train", i + 1);
            plan->test = set;
            plan->patient = (int)(first + i) + 1;
            plan->stream = 16 + (uint64_t)(first + i);
            order[i] = first + i;
        }
        rmil_rng_shuffle(&rng, order, count);
        const int64_t *mine = order;
        for (int label = rmil_synth_task_sizes(&o->task, count, set ? o->test_positive : o->train_positive, sizes) - 1; label >= 0;
             label--) {
            plan_class(plans, mine, sizes[label], label, o, &rng);
            plan_pairs(plans, mine, sizes[label], o);
            mine += sizes[label];
        }
        first += count;
    }
    plan_patients(plans, o->train + o->test, &o->task);
    return plans;
}

int64_t rmil_synth_features_bytes(const RmilSynthFeatureOptions *options) {
    g_autofree RmilSynthBagPlan *plans = rmil_synth_bag_plan(options);
    int64_t bytes = 0, tile = options->dim * (options->half ? 2 : 4) + 2 * (int64_t)sizeof(int64_t) + 1;
    for (int64_t i = 0; i < options->train + options->test; i++) bytes += plans[i].count * tile + 16384; /* HDF5's overhead */
    return bytes;
}
