/* SPDX-License-Identifier: Apache-2.0 */
/* The patients of a cohort: their numbers, sites and outcomes. */
#include "task-private.h"

#include <math.h>

#define OUTCOMES 0x7131e000 /* streams of random numbers, one per patient */
#define BASELINE 3650.0     /* days: mean time to the event without a lesion */
#define STEEPNESS 5.0       /* log hazard at the largest lesion share */
#define CENSORED 0.3
#define SHORTEST 0.1 /* days */
#define VALUE 10.0   /* at the largest lesion share */
#define NOISE 0.5

void rmil_synth_cases_number(RmilSynthCase *cases, int64_t count) {
    int most = 0, next = 0;
    for (int64_t i = 0; i < count; i++) most = MAX(most, cases[i].patient);
    g_autofree int *number = g_new0(int, most + 1);
    for (int64_t i = 0; i < count; i++) {
        int *mine = &number[cases[i].patient];
        if (!*mine) *mine = ++next;
        cases[i].patient = *mine;
    }
}

void rmil_synth_cases_sites(RmilSynthCase *cases, int64_t count, const RmilSynthTask *task) {
    int sites = (int)task->sites, tests = 0, highest = 0;
    if (!sites) return;
    for (int64_t i = 0; i < count; i++) {
        tests += cases[i].test;
        highest = MAX(highest, cases[i].label);
    }
    int of_test = (int)llround((double)sites * tests / (double)count);
    if (tests) of_test = CLAMP(of_test, 1, MAX(1, sites - 1));
    gboolean parted = sites > 1 && tests < count;
    int first[2] = {parted ? of_test : 0, 0}, size[2] = {parted ? sites - of_test : sites, parted && tests ? of_test : sites};
    int next[2] = {0, 0};
    g_autofree int *site = g_new0(int, count + 1); /* by patient; numbers are at most 1 … count */
    for (int label = 0; label <= highest; label++)
        for (int64_t i = 0; i < count; i++) {
            if (cases[i].label != label) continue;
            int *mine = &site[cases[i].patient], set = cases[i].test;
            if (!*mine) *mine = 1 + first[set] + next[set]++ % size[set];
            cases[i].site = *mine;
        }
}

/* The share of patients lost before the event if all leave at a time that is uniform in 0 … end: for one with hazard h, (1 − exp(−h end)) /
 * (h end). */
static double censored(const RmilSynthCase *cases, int64_t count, double end) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double x = end / BASELINE * exp(cases[i].risk);
        sum += -expm1(-x) / x;
    }
    return sum / (double)count;
}

static double follow_up(const RmilSynthCase *cases, int64_t count) {
    double low = 1e-3 * BASELINE, high = 1e3 * BASELINE;
    for (int i = 0; i < 60; i++) {
        double middle = sqrt(low * high);
        *(censored(cases, count, middle) > CENSORED ? &low : &high) = middle;
    }
    return high;
}

void rmil_synth_cases_outcomes(RmilSynthCase *cases, int64_t count, double span, uint64_t seed) {
    g_autofree double *sum = g_new0(double, count + 1), *slides = g_new0(double, count + 1); /* by patient */
    for (int64_t i = 0; i < count; i++) {
        sum[cases[i].patient] += cases[i].share;
        slides[cases[i].patient]++;
    }
    for (int64_t i = 0; i < count; i++) cases[i].risk = STEEPNESS / span * sum[cases[i].patient] / slides[cases[i].patient];
    double end = follow_up(cases, count);
    for (int64_t i = 0; i < count; i++) {
        RmilSynthCase *one = &cases[i];
        RmilRng rng;
        rmil_rng_init(&rng, seed, OUTCOMES + (uint64_t)one->patient);
        double time = -log(1 - rmil_rng_uniform(&rng)) * BASELINE * exp(-one->risk), left = end * rmil_rng_uniform(&rng);
        one->event = time <= left;
        one->time = MAX(SHORTEST, MIN(time, left));
        one->value = VALUE / STEEPNESS * one->risk + NOISE * rmil_rng_normal(&rng);
    }
}
