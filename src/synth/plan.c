/* SPDX-License-Identifier: Apache-2.0 */
/* The slides of a cohort. */
#include "synth-private.h"

#include <math.h>
#include <string.h>

#define USUAL_PAIRS 0.12 /* patients with two slides, by default */

void rmil_synth_options_init(RmilSynthOptions *options) {
    *options = (RmilSynthOptions){.slides = 40,
                                  .width = 5400,
                                  .height = 5000,
                                  .mpp = 0.5,
                                  .positive = 0.4,
                                  .test = 0.33,
                                  .seed = 1,
                                  .task = {.patients = RMIL_SYNTH_PATIENTS_USUAL}};
}

gboolean rmil_synth_check(const RmilSynthOptions *o, GError **error) {
    if (o->slides < 1 || o->slides > 100000)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--slides %" G_GINT64_FORMAT ": must be 1 … 100000", o->slides);
    if (o->width < 512 || o->width > 16384 || o->height < 512 || o->height > 16384)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--width %" G_GINT64_FORMAT ", --height %" G_GINT64_FORMAT ": must be 512 … 16384",
                         o->width, o->height);
    if (!(o->mpp >= 0.2 && o->mpp <= 1.0)) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--mpp %g: must be 0.2 … 1 µm", o->mpp);
    if (!(o->positive >= 0 && o->positive <= 1)) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--positive %g: must be 0 … 1", o->positive);
    if (!(o->test >= 0 && o->test <= 0.9)) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--test %g: must be 0 … 0.9", o->test);
    if (!rmil_synth_task_check(&o->task, error)) return FALSE;
    if (!o->layout || strcmp(o->layout, "rankmil") == 0 || rmil_synth_task_usual(&o->task)) return TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--layout %s: has only the labels 0 and 1: leave out the layout or the task", o->layout);
}

/* Acklam's rational approximation of the normal quantile, relative error 1e-9. */
static double normal_quantile(double p) {
    static const double a[] = {-39.69683028665376, 220.9460984245205,  -275.9285104469687,
                               138.357751867269,   -30.66479806614716, 2.506628277459239};
    static const double b[] = {-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572};
    static const double c[] = {-0.007784894002430293, -0.3223964580411365, -2.400758277161838,
                               -2.549732539343734,    4.374664141464968,   2.938163982698783};
    static const double d[] = {0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416};
    if (p > 0.97575) return -normal_quantile(1 - p);
    if (p < 0.02425) {
        double q = sqrt(-2 * log(p));
        return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
               ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    }
    double q = p - 0.5, r = q * q;
    return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
           (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

static double share_quantile(double q) {
    double share = exp(RMIL_SYNTH_SHARE_MU + RMIL_SYNTH_SHARE_SIGMA * normal_quantile(CLAMP(q, 1e-6, 1 - 1e-6)));
    return MIN(share, RMIL_SYNTH_SHARE_MAX);
}

typedef struct {
    int64_t first, count; /* slides, as positions in the shuffled order */
    double key; /* patients are ordered by label (the integer part, if classes have names) and lesion, so that the test set has all sizes */
} Patient;

static int by_key(const void *a, const void *b) {
    double x = ((const Patient *)a)->key, y = ((const Patient *)b)->key;
    return (x > y) - (x < y);
}

/* Every k-th patient in order of lesion share goes to the test set: whole patients, all classes, all sizes. */
static void choose_test(RmilSynthPlan *plans, Patient *patients, int64_t count, const int64_t *order, double share, RmilRng *rng) {
    qsort(patients, (size_t)count, sizeof *patients, by_key);
    double due = 0.25 + 0.5 * rmil_rng_uniform(rng);
    int before = -1;
    for (int64_t i = 0; i < count; i++) {
        int class = patients[i].key > 0 ? 1 + (int)patients[i].key : 0;
        if (class != before) due = 0.25 + 0.5 * rmil_rng_uniform(rng);
        before = class;
        due += share * (double)patients[i].count;
        if (due < 1) continue;
        due -= (double)patients[i].count;
        for (int64_t j = 0; j < patients[i].count; j++) plans[order[patients[i].first + j]].test = TRUE;
    }
}

/* Slides 1, 2 … and their sizes. */
static void plan_sizes(RmilSynthPlan *plans, const RmilSynthOptions *o, RmilRng *rng) {
    for (int64_t i = 0; i < o->slides; i++) {
        RmilSynthPlan *plan = &plans[i];
        g_snprintf(plan->id, sizeof plan->id, "slide_%03" G_GINT64_FORMAT, i + 1);
        plan->stream = (uint64_t)i + 1;
        double stretch = 0.88 + 0.24 * rmil_rng_uniform(rng), size = 0.92 + 0.16 * rmil_rng_uniform(rng);
        plan->width = (int64_t)((double)o->width * size * stretch) / 16 * 16;
        plan->height = (int64_t)((double)o->height * size / stretch) / 16 * 16;
    }
}

static void name_patient(RmilSynthPlan *plan, int64_t number) {
    plan->number = (int)number;
    g_snprintf(plan->patient, sizeof plan->patient, "patient_%03" G_GINT64_FORMAT, number);
}

/* The default task. */
static int64_t plan_usual(RmilSynthPlan *plans, int64_t *order, Patient *patients, const RmilSynthOptions *o, RmilRng *rng) {
    int64_t positives = (int64_t)llround(o->positive * (double)o->slides);
    /* One share per equal slice of the distribution, so that even a small cohort follows it. */
    for (int64_t i = 0; i < positives; i++) {
        RmilSynthPlan *plan = &plans[order[i]];
        plan->label = 1;
        plan->share = share_quantile(((double)i + rmil_rng_uniform(rng)) / (double)positives);
    }
    rmil_rng_shuffle(rng, order, o->slides);
    int64_t count = 0;
    for (int64_t i = 0; i < o->slides;) {
        Patient *patient = &patients[count++];
        patient->first = i;
        patient->count = i + 1 < o->slides && rmil_rng_uniform(rng) < USUAL_PAIRS ? 2 : 1;
        for (int64_t j = 0; j < patient->count; j++, i++) {
            RmilSynthPlan *plan = &plans[order[i]];
            patient->key = MAX(patient->key, plan->share);
            name_patient(plan, count);
        }
    }
    return count;
}

/* Class by class, patient by patient: slides of one patient have the same label and lesion share. */
static int64_t plan_task(RmilSynthPlan *plans, const int64_t *order, Patient *patients, const RmilSynthOptions *o, RmilRng *rng) {
    const gboolean usual = o->task.target == RMIL_SYNTH_LABEL && !o->task.classes;
    int64_t sizes[RMIL_SYNTH_CLASSES_MOST], count = 0, at = 0;
    int classes = rmil_synth_task_sizes(&o->task, o->slides, llround(o->positive * (double)o->slides), sizes);
    for (int label = 0; label < classes; label++) {
        int64_t pairs = rmil_synth_task_pairs(&o->task, USUAL_PAIRS, sizes[label]), mine = sizes[label] - pairs;
        g_autofree int64_t *slice = g_new(int64_t, mine + 1);
        for (int64_t i = 0; i < mine; i++) slice[i] = i;
        rmil_rng_shuffle(rng, slice, mine);
        for (int64_t i = 0; i < mine; i++) {
            Patient *patient = &patients[count++];
            double q = ((double)slice[i] + rmil_rng_uniform(rng)) / (double)mine;
            double share = usual ? share_quantile(q) : rmil_synth_task_share(&o->task, q, RMIL_SYNTH_SHARE_MAX);
            *patient = (Patient){.first = at, .count = i < pairs ? 2 : 1, .key = label ? label + share : 0};
            for (int64_t j = 0; j < patient->count; j++) {
                RmilSynthPlan *plan = &plans[order[at++]];
                plan->label = label;
                plan->share = label ? share : 0;
                plan->subtype = o->task.classes ? label : 0;
                plan->number = (int)count;
            }
        }
    }
    return count;
}

static RmilSynthCase case_of(const RmilSynthPlan *plan, double share) {
    return (RmilSynthCase){.label = plan->label, .test = plan->test, .patient = plan->number, .site = plan->site, .share = share};
}

static void plan_sites(RmilSynthPlan *plans, const RmilSynthOptions *o) {
    g_autofree RmilSynthCase *cases = g_new0(RmilSynthCase, o->slides);
    for (int64_t i = 0; i < o->slides; i++) cases[i] = case_of(&plans[i], 0);
    rmil_synth_cases_number(cases, o->slides);
    rmil_synth_cases_sites(cases, o->slides, &o->task);
    for (int64_t i = 0; i < o->slides; i++) {
        name_patient(&plans[i], cases[i].patient);
        plans[i].site = cases[i].site;
    }
}

RmilSynthCase *rmil_synth_plan_cases(const RmilSynthPlan *plans, const double *shares, int64_t count, uint64_t seed) {
    RmilSynthCase *cases = g_new0(RmilSynthCase, count);
    for (int64_t i = 0; i < count; i++) cases[i] = case_of(&plans[i], shares[i]);
    rmil_synth_cases_outcomes(cases, count, RMIL_SYNTH_SHARE_MAX, seed);
    return cases;
}

RmilSynthPlan *rmil_synth_plan(const RmilSynthOptions *o) {
    RmilSynthPlan *plans = g_new0(RmilSynthPlan, o->slides);
    g_autofree int64_t *order = g_new(int64_t, o->slides);
    g_autofree Patient *patients = g_new0(Patient, o->slides);
    RmilRng rng;
    rmil_rng_init(&rng, o->seed, 0);
    for (int64_t i = 0; i < o->slides; i++) order[i] = i;
    rmil_rng_shuffle(&rng, order, o->slides);
    plan_sizes(plans, o, &rng);
    const gboolean usual = rmil_synth_task_usual(&o->task);
    int64_t count = usual ? plan_usual(plans, order, patients, o, &rng) : plan_task(plans, order, patients, o, &rng);
    choose_test(plans, patients, count, order, o->test, &rng);
    if (!usual) plan_sites(plans, o);
    return plans;
}
