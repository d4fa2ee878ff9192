/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-validation: a cohort in folds of whole patients; each fold is the test set once. */
#include "cohort-private.h"

#include <stdlib.h>
#include <string.h>

enum { STREAM_FOLDS = 103 }; /* of random numbers (base.h: one per purpose) */

typedef struct {
    const RmilStrata *strata;
    const GPtrArray *units;
    int64_t folds;
    int64_t *all;  /* slides of each class */
    int64_t *have; /* folds × classes */
    int64_t *size; /* folds: slides */
} Dealing;

static int64_t slides_of(const RmilUnit *unit) { return unit->rows->len; }

/* How full a fold would be with this patient, over the classes that the patient has. */
static double fullness(const Dealing *d, int64_t fold, const RmilUnit *unit) {
    double sum = 0;
    for (guint c = 0; c < d->strata->count; c++)
        if (unit->slides[c]) sum += (double)(d->have[fold * d->strata->count + c] + unit->slides[c]) / (double)d->all[c];
    return sum;
}

/* The emptiest fold; if equal, the one with the fewest slides, then the first. */
static int64_t choose_fold(const Dealing *d, const RmilUnit *unit) {
    int64_t best = 0;
    for (int64_t f = 1; f < d->folds; f++) {
        const double here = fullness(d, f, unit), there = fullness(d, best, unit);
        if (here < there - 1e-12 || (here <= there + 1e-12 && d->size[f] < d->size[best])) best = f;
    }
    return best;
}

/* Patients with many slides first, since they are hardest to place; if equal, in random order. Sets fold[row]. */
static void deal(Dealing *d, uint64_t seed, int64_t *fold) {
    const guint classes = d->strata->count, units = d->units->len;
    g_autofree int64_t *order = g_new(int64_t, units);
    int64_t most = 0;
    RmilRng rng;
    for (guint u = 0; u < units; u++) order[u] = u;
    rmil_rng_init(&rng, seed, STREAM_FOLDS);
    rmil_rng_shuffle(&rng, order, units);
    for (guint u = 0; u < units; u++) most = MAX(most, slides_of(d->units->pdata[u]));
    for (int64_t size = most; size > 0; size--)
        for (guint u = 0; u < units; u++) {
            const RmilUnit *unit = d->units->pdata[order[u]];
            if (slides_of(unit) != size) continue;
            const int64_t f = choose_fold(d, unit);
            d->size[f] += size;
            for (guint c = 0; c < classes; c++) d->have[f * classes + c] += unit->slides[c];
            for (guint i = 0; i < unit->rows->len; i++) fold[g_array_index(unit->rows, int64_t, i)] = f;
        }
}

/* Every fold's test set needs a slide, and one from every needed stratum. */
static gboolean check_strata(const Dealing *d, const RmilCohort *cohort, GError **error) {
    const char *unit = cohort->by_site ? "site" : "patient";
    if (d->units->len < d->folds)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: cannot be divided into %" G_GINT64_FORMAT " folds: it has only %u %s%s: ask for fewer folds", cohort->path,
                         d->folds, d->units->len, unit, d->units->len == 1 ? "" : "s");
    for (guint c = 0; c < d->strata->count; c++) {
        int64_t units = 0;
        for (guint u = 0; u < d->units->len; u++) units += ((const RmilUnit *)d->units->pdata[u])->slides[c] > 0;
        if (units < d->folds && d->strata->needed[c])
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "%s: cannot be divided into %" G_GINT64_FORMAT " folds: %s has only %" G_GINT64_FORMAT
                             " %s%s, and every fold needs one: ask for fewer folds",
                             cohort->path, d->folds, d->strata->names[c], units, unit, units == 1 ? "" : "s");
    }
    return TRUE;
}

static gboolean deal_folds(const RmilCohort *cohort, int64_t folds, uint64_t seed, int64_t *fold, GError **error) {
    for (RmilSplit set = RMIL_SPLIT_TRAIN; set <= RMIL_SPLIT_TEST; set++)
        if (rmil_cohort_names_set(cohort, set))
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "%s: its split column assigns slides to sets, but folds divide all slides: remove that column", cohort->path);
    g_autoptr(RmilStrata) strata = rmil_strata_new(cohort);
    g_autoptr(GPtrArray) units = rmil_cohort_units(cohort, strata);
    g_autofree int64_t *all = g_new0(int64_t, strata->count + 1), *have = g_new0(int64_t, (folds * strata->count + 1)),
                       *size = g_new0(int64_t, folds);
    Dealing d = {strata, units, folds, all, have, size};
    for (guint u = 0; u < units->len; u++)
        for (guint c = 0; c < strata->count; c++) all[c] += ((const RmilUnit *)units->pdata[u])->slides[c];
    if (!check_strata(&d, cohort, error)) return FALSE;
    deal(&d, seed, fold);
    return TRUE;
}

GArray *rmil_repeats_fold(const RmilCohort *cohort, int64_t folds, double val, const int64_t *seeds, int64_t count, GError **error) {
    g_autoptr(GArray) repeats = rmil_repeats_new();
    g_autofree int64_t *fold = g_new(int64_t, (cohort->count + 1));
    g_autofree RmilCohortRow *rows = g_memdup2(cohort->rows, (gsize)cohort->count * sizeof *rows);
    RmilCohort divided = *cohort; /* the same slides, with one fold after another as the test set */
    divided.rows = rows;
    for (int64_t r = 0; r < count * folds; r++) {
        const int64_t seed = seeds[r / folds], own = r % folds;
        if (own == 0 && !deal_folds(cohort, folds, (uint64_t)seed, fold, error)) return NULL;
        for (int64_t i = 0; i < cohort->count; i++)
            rows[i].split = rmil_target_known(&cohort->task, &cohort->rows[i].target) && fold[i] == own ? RMIL_SPLIT_TEST : RMIL_SPLIT_NONE;
        RmilRepeat repeat = {.name = count == 1 ? g_strdup_printf("fold-%" G_GINT64_FORMAT, own + 1)
                                                : g_strdup_printf("seed-%" G_GINT64_FORMAT "-fold-%" G_GINT64_FORMAT, seed, own + 1),
                             .seed = seed,
                             .splits = g_new0(RmilSplit, cohort->count)};
        g_array_append_val(repeats, repeat);
        const RmilSplitOptions split = {.test = 0, .val = val, .seed = (uint64_t)(seed * folds + own)};
        if (!rmil_split_draw(&divided, &split, repeat.splits, error)) return NULL;
    }
    return g_steal_pointer(&repeats);
}

gboolean rmil_repeats_write(const RmilCohort *cohort, const GArray *repeats, const char *path, GError **error) {
    g_autoptr(RmilCsv) csv = rmil_csv_new(NULL);
    rmil_csv_text(csv, "id");
    for (guint r = 0; r < repeats->len; r++) {
        const RmilRepeat *repeat = &g_array_index(repeats, RmilRepeat, r);
        g_autofree char *seed = g_strdup_printf("seed-%" G_GINT64_FORMAT, repeat->seed);
        rmil_csv_text(csv, *repeat->name ? repeat->name : seed);
    }
    rmil_csv_end(csv);
    const RmilCohort *slides = cohort->slides ? cohort->slides : cohort; /* the rows of the file are slides */
    g_autofree int64_t *rows = g_new(int64_t, (slides->count + 1));
    rmil_cohort_bag_rows(cohort, rows);
    for (int64_t i = 0; i < slides->count; i++) {
        if (!rmil_target_known(&slides->task, &slides->rows[i].target)) continue;
        rmil_csv_text(csv, slides->rows[i].id);
        for (guint r = 0; r < repeats->len; r++) rmil_csv_text(csv, rmil_split_name(g_array_index(repeats, RmilRepeat, r).splits[rows[i]]));
        rmil_csv_end(csv);
    }
    return rmil_csv_write(csv, path, error);
}
