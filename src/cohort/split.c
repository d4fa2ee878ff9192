/* SPDX-License-Identifier: Apache-2.0 */
/* Splits drawn by patient and class. */
#include "cohort-private.h"

#include <math.h>
#include <string.h>

/* Streams of random numbers (base.h: one per purpose). */
enum { STREAM_TEST = 101, STREAM_VAL = 102 };

const RmilOption rmil_share_options[] = {
    {RMIL_NUMBER("test-share", "test_share", 0.2, 0, 1, "X", "share of slides for testing, if the cohort names no test set"), .open = TRUE,
     .scope = RMIL_SCOPE_DATA, .offset = offsetof(RmilSplitOptions, test)},
    {RMIL_NUMBER("val-share", "val_share", 0.2, 0, 1, "X", "share of the other slides for validation"), .open = TRUE,
     .scope = RMIL_SCOPE_DATA, .offset = offsetof(RmilSplitOptions, val)},
    {0},
};

void rmil_split_options_init(RmilSplitOptions *options) {
    options->seed = 0;
    rmil_options_init(rmil_share_options, options);
}

static const char *set_name(RmilSplit set) { return set == RMIL_SPLIT_TRAIN ? "training" : set == RMIL_SPLIT_VAL ? "validation" : "test"; }

/* Checks that one set has every needed stratum. */
static gboolean check_set(const RmilStrata *strata, const RmilSplit *splits, int64_t count, RmilSplit set, int64_t slides,
                          const char *where, GError **error) {
    for (guint s = 0; s < strata->count; s++) {
        int64_t all = 0, here = 0;
        for (int64_t i = 0; i < count; i++) {
            all += strata->of[i] == (int)s;
            here += splits[i] == set && strata->of[i] == (int)s;
        }
        if (here > 0 || !strata->needed[s]) continue;
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: the %s set would have no slide with %s (the cohort has %" G_GINT64_FORMAT " such slide%s; every set "
                         "needs one, and patients are never divided)%s",
                         where, set_name(set), strata->names[s], all, all == 1 ? "" : "s",
                         slides == 0 ? "; leave `split` empty for slides that may go into it" : "");
    }
    return slides > 0 || rmil_fail(error, RMIL_ERROR_DATA, "%s: the %s set would have no slide", where, set_name(set));
}

gboolean rmil_split_check(const RmilCohort *cohort, const RmilSplit *splits, RmilValidation val, gboolean need_test, const char *where,
                          GError **error) {
    g_autoptr(RmilStrata) strata = rmil_strata_new(cohort);
    for (RmilSplit set = RMIL_SPLIT_TRAIN; set <= RMIL_SPLIT_TEST; set++) {
        int64_t slides = 0;
        for (int64_t i = 0; i < cohort->count; i++) slides += splits[i] == set;
        if (slides == 0 && ((set == RMIL_SPLIT_VAL && val == RMIL_VALIDATION_NONE) || (set == RMIL_SPLIT_TEST && !need_test))) continue;
        if (slides > 0 && set == RMIL_SPLIT_VAL && val == RMIL_VALIDATION_ANY) continue;
        if (!check_set(strata, splits, cohort->count, set, slides, where, error)) return FALSE;
    }
    return TRUE;
}

/* -- drawing -------------------------------------------------------------------------------------------------------------- */
typedef struct {
    const RmilCohort *cohort;
    const RmilStrata *strata;
    GPtrArray *units; /* sorted by key */
} Draw;

gboolean rmil_cohort_names_set(const RmilCohort *cohort, RmilSplit set) {
    for (int64_t i = 0; i < cohort->count; i++)
        if (cohort->rows[i].split == set) return TRUE;
    return FALSE;
}

/* Number of whole slides per class: share × slides of the class, rounded so that the sum is right, at least 1. */
static void make_targets(const int64_t *slides, guint classes, double share, int64_t *targets) {
    g_autofree double *rest = g_new(double, classes);
    double all = 0;
    int64_t left;
    for (guint c = 0; c < classes; c++) all += (double)slides[c];
    left = (int64_t)floor(share * all + 0.5);
    for (guint c = 0; c < classes; c++) {
        targets[c] = (int64_t)floor(share * (double)slides[c]);
        rest[c] = share * (double)slides[c] - (double)targets[c];
        left -= targets[c];
    }
    for (; left > 0; left--) {
        guint most = 0;
        for (guint c = 1; c < classes; c++)
            if (rest[c] > rest[most]) most = c;
        targets[most]++;
        rest[most] = -1;
    }
    for (guint c = 0; c < classes; c++) targets[c] = MAX(1, targets[c]);
}

static double distance(const int64_t *have, const int64_t *more, const int64_t *targets, guint classes) {
    double sum = 0;
    for (guint c = 0; c < classes; c++) {
        double off = (double)(have[c] + (more ? more[c] : 0) - targets[c]) / (double)targets[c];
        sum += off * off;
    }
    return sum;
}

/* May this unit leave the pool? Each of its classes must keep `reserve[c]` units there. */
static gboolean spared(const RmilUnit *unit, const int64_t *pool_units, const int64_t *reserve, guint classes) {
    for (guint c = 0; c < classes; c++)
        if (unit->slides[c] > 0 && pool_units[c] <= reserve[c]) return FALSE;
    return TRUE;
}

static void take_unit(RmilUnit *unit, RmilSplit set, int64_t *have, int64_t *pool_units, guint classes) {
    unit->set = set;
    for (guint c = 0; c < classes; c++) {
        have[c] += unit->slides[c];
        pool_units[c] -= unit->slides[c] > 0;
    }
}

/* sets_after[c]: how many sets still to be filled need a unit of class c. */
static void draw_set(Draw *draw, RmilSplit set, double share, const int64_t *sets_after, uint64_t seed, uint64_t stream) {
    guint classes = draw->strata->count, units = draw->units->len;
    g_autofree int64_t *slides = g_new0(int64_t, classes), *targets = g_new0(int64_t, classes);
    g_autofree int64_t *have = g_new0(int64_t, classes), *pool = g_new0(int64_t, classes), *reserve = g_new0(int64_t, classes);
    g_autofree int64_t *order = g_new0(int64_t, units);
    g_autofree gboolean *trained = g_new0(gboolean, classes);
    for (guint u = 0; u < units; u++) {
        RmilUnit *unit = draw->units->pdata[u];
        order[u] = u;
        for (guint c = 0; c < classes; c++) {
            if (unit->set == RMIL_SPLIT_NONE || unit->set == RMIL_SPLIT_TRAIN || set == RMIL_SPLIT_TEST) slides[c] += unit->slides[c];
            if (unit->set == RMIL_SPLIT_NONE) pool[c] += unit->slides[c] > 0;
            if (unit->set == RMIL_SPLIT_TRAIN) trained[c] |= unit->slides[c] > 0;
        }
    }
    for (guint c = 0; c < classes; c++) reserve[c] = sets_after[c] - (trained[c] ? 1 : 0);
    make_targets(slides, classes, share, targets);
    RmilRng rng;
    rmil_rng_init(&rng, seed, stream);
    rmil_rng_shuffle(&rng, order, units);
    for (guint u = 0; u < units; u++) { /* takes units that bring the set closer to its targets */
        RmilUnit *unit = draw->units->pdata[order[u]];
        if (unit->set == RMIL_SPLIT_NONE && spared(unit, pool, reserve, classes) &&
            distance(have, unit->slides, targets, classes) < distance(have, NULL, targets, classes))
            take_unit(unit, set, have, pool, classes);
    }
    for (;;) { /* then what the set still lacks: the available unit that adds most of it, or the first of several */
        RmilUnit *best = NULL;
        guint most = 0;
        for (guint u = 0; u < units; u++) {
            RmilUnit *unit = draw->units->pdata[order[u]];
            guint brings = 0;
            for (guint c = 0; c < classes; c++) brings += have[c] == 0 && unit->slides[c] > 0;
            if (brings <= most || unit->set != RMIL_SPLIT_NONE || !spared(unit, pool, reserve, classes)) continue;
            most = brings;
            best = unit;
        }
        if (!best) return;
        take_unit(best, set, have, pool, classes);
    }
}

gboolean rmil_split_draw(const RmilCohort *cohort, const RmilSplitOptions *options, RmilSplit *splits, GError **error) {
    if (!(options->test >= 0 && options->test < 1) || !(options->val >= 0 && options->val < 1))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "the shares of test (%g) and validation (%g) slides must be from 0 to below 1",
                         options->test, options->val);
    g_autoptr(RmilStrata) strata = rmil_strata_new(cohort);
    if (strata->count == 0)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: no slide has a %s", cohort->path,
                         cohort->task.kind == RMIL_TASK_CLASSES    ? "label"
                         : cohort->task.kind == RMIL_TASK_SURVIVAL ? "time and an event"
                                                                   : "value");
    if (strata->count == 1 && cohort->task.kind == RMIL_TASK_CLASSES)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: every labelled slide has %s: a classifier needs two classes", cohort->path,
                         strata->names[0]);
    g_autoptr(GPtrArray) units = rmil_cohort_units(cohort, strata);
    Draw draw = {cohort, strata, units};
    gboolean draws_test = options->test > 0 && !rmil_cohort_names_set(cohort, RMIL_SPLIT_TEST);
    gboolean draws_val = options->val > 0 && !rmil_cohort_names_set(cohort, RMIL_SPLIT_VAL);
    /* A class with fewer than three patients cannot be in all three sets: it is then missing in validation, which only decides when to
     * stop, rather than dividing a patient. */
    g_autofree int64_t *after_test = g_new0(int64_t, strata->count), *after_val = g_new0(int64_t, strata->count);
    RmilValidation val = options->val > 0 ? RMIL_VALIDATION_ALL : RMIL_VALIDATION_NONE;
    for (guint c = 0; c < strata->count; c++) {
        int64_t patients = 0;
        for (guint u = 0; u < units->len; u++) patients += ((const RmilUnit *)units->pdata[u])->slides[c] > 0;
        gboolean rare = draws_test && draws_val && patients < 3;
        if (rare && strata->needed[c]) val = RMIL_VALIDATION_ANY;
        after_val[c] = 1;
        after_test[c] = draws_val && !rare ? 2 : 1;
    }
    if (draws_test) draw_set(&draw, RMIL_SPLIT_TEST, options->test, after_test, 0, STREAM_TEST);
    if (draws_val) draw_set(&draw, RMIL_SPLIT_VAL, options->val, after_val, options->seed, STREAM_VAL);
    for (int64_t i = 0; i < cohort->count; i++) splits[i] = RMIL_SPLIT_NONE;
    for (guint u = 0; u < units->len; u++) {
        const RmilUnit *unit = units->pdata[u];
        for (guint i = 0; i < unit->rows->len; i++)
            splits[g_array_index(unit->rows, int64_t, i)] = unit->set == RMIL_SPLIT_NONE ? RMIL_SPLIT_TRAIN : unit->set;
    }
    return rmil_split_check(cohort, splits, val, options->test > 0, cohort->path, error);
}
