/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of found patches and lesions over several trainings. */
#include "evaluate-private.h"

#include <math.h>

static const RmilFoundMeasure measures[RMIL_FOUND_COUNT] = {
    {"patch_auroc", "Patch AUROC", FALSE},
    {"patch_average_precision", "Patch average precision", FALSE},
    {"sensitivity_at_0.25", "1/4", TRUE},
    {"sensitivity_at_0.5", "1/2", TRUE},
    {"sensitivity_at_1", "1", TRUE},
    {"sensitivity_at_2", "2", TRUE},
    {"sensitivity_at_4", "4", TRUE},
    {"sensitivity_at_8", "8", TRUE},
    {"froc", "FROC score", TRUE},
    {"froc_tiles_1", "1 tile", TRUE},
    {"froc_tiles_2_5", "2–5 tiles", TRUE},
    {"froc_tiles_6_20", "6–20 tiles", TRUE},
    {"froc_tiles_more", "more than 20", TRUE},
};
static const double rates[RMIL_FOUND_FROC - RMIL_FOUND_RATES] = {0.25, 0.5, 1, 2, 4, 8};
static const int64_t sizes[RMIL_FOUND_COUNT - RMIL_FOUND_SIZES] = {1, 5, 20, G_MAXINT64}; /* upper limit of each class of size */

const RmilFoundMeasure *rmil_found_measures(void) { return measures; }

double rmil_found_patches(int measure, const RmilPatchRow *row) {
    return measure == RMIL_FOUND_AUROC ? row->auroc : measure == RMIL_FOUND_PRECISION ? row->average_precision : NAN;
}

double rmil_found_lesion(int measure, const RmilLesionRow *row) {
    if (row->negatives < 1 || !measures[measure].lesions) return NAN;
    if (measure < RMIL_FOUND_FROC) return row->false_positives <= rates[measure - RMIL_FOUND_RATES];
    const int size = measure - RMIL_FOUND_SIZES;
    if (size >= 0 && (row->tiles > sizes[size] || (size > 0 && row->tiles <= sizes[size - 1]))) return NAN;
    double sum = 0;
    for (gsize r = 0; r < G_N_ELEMENTS(rates); r++) sum += row->false_positives <= rates[r];
    return sum / (double)G_N_ELEMENTS(rates);
}

/* -- slides and patients ----------------------------------------------------------------------------------------------------- */
/* Sum of a slide's rows over all trainings, and their number. */
typedef struct {
    double sum, count;
} Sum;

typedef struct {
    GHashTable *patient_of;       /* slide -> patient, where known */
    GHashTable *places, *numbers; /* slide -> place; patient -> number */
    GArray *sums, *groups;        /* by place: Sum; int64_t, the patient's number or one of its own */
    GHashTable *cases;            /* seen: slides, or lesions with the slide's name */
} Slides;

static GHashTable *find_patients(const RmilFoundRows *trainings, int64_t n) {
    GHashTable *patient_of = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t t = 0; t < n; t++)
        for (guint i = 0; trainings[t].predictions && i < trainings[t].predictions->len; i++) {
            const RmilPredictionRow *row = &g_array_index(trainings[t].predictions, RmilPredictionRow, i);
            if (row->patient) g_hash_table_insert(patient_of, (gpointer)row->slide, (gpointer)row->patient);
        }
    return patient_of;
}

static void slides_init(Slides *slides, GHashTable *patient_of) {
    *slides = (Slides){.patient_of = patient_of,
                       .places = g_hash_table_new(g_str_hash, g_str_equal),
                       .numbers = g_hash_table_new(g_str_hash, g_str_equal),
                       .sums = g_array_new(FALSE, TRUE, sizeof(Sum)),
                       .groups = g_array_new(FALSE, FALSE, sizeof(int64_t)),
                       .cases = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
}

static void slides_clear(Slides *slides) {
    g_hash_table_unref(slides->places);
    g_hash_table_unref(slides->numbers);
    g_hash_table_unref(slides->cases);
    g_array_unref(slides->sums);
    g_array_unref(slides->groups);
}

static Sum *sum_of(Slides *slides, const char *slide) {
    gpointer place;
    if (!g_hash_table_lookup_extended(slides->places, slide, NULL, &place)) {
        const char *patient = g_hash_table_lookup(slides->patient_of, slide);
        int64_t number = slides->sums->len; /* that of the patient's first slide */
        gpointer first;
        if (patient && g_hash_table_lookup_extended(slides->numbers, patient, NULL, &first)) number = (int64_t)GPOINTER_TO_SIZE(first);
        else if (patient) g_hash_table_insert(slides->numbers, (gpointer)patient, GSIZE_TO_POINTER((gsize)number));
        place = GUINT_TO_POINTER(slides->sums->len);
        g_hash_table_insert(slides->places, (gpointer)slide, place);
        g_array_append_val(slides->groups, number);
        g_array_set_size(slides->sums, slides->sums->len + 1);
    }
    return &g_array_index(slides->sums, Sum, GPOINTER_TO_UINT(place));
}

static void slides_add(Slides *slides, const char *slide, int64_t lesion, double value, Sum *training) {
    if (isnan(value)) return;
    Sum *sum = sum_of(slides, slide);
    sum->sum += value;
    sum->count++;
    training->sum += value;
    training->count++;
    g_hash_table_add(slides->cases, g_strdup_printf("%" G_GINT64_FORMAT " %s", lesion, slide));
}

/* -- their means ------------------------------------------------------------------------------------------------------------- */
static double mean_of(const Sum *sum) { return sum->count > 0 ? sum->sum / sum->count : NAN; }

static void resampled_mean(const int64_t *weight, double *value, gpointer user) {
    const GArray *sums = user;
    Sum all = {0};
    for (guint i = 0; i < sums->len; i++) {
        all.sum += (double)weight[i] * g_array_index(sums, Sum, i).sum;
        all.count += (double)weight[i] * g_array_index(sums, Sum, i).count;
    }
    *value = mean_of(&all);
}

static RmilInterval interval_of(const Slides *slides, double confidence, int64_t rounds, uint64_t seed) {
    const RmilBootstrap bootstrap = {(const int64_t *)(void *)slides->groups->data, confidence, rounds, seed};
    Sum all = {0};
    for (guint i = 0; i < slides->sums->len; i++) {
        all.sum += g_array_index(slides->sums, Sum, i).sum;
        all.count += g_array_index(slides->sums, Sum, i).count;
    }
    RmilResamples resamples;
    if (!rmil_resamples_init(&resamples, &bootstrap, NULL, slides->sums->len)) return rmil_interval_undefined;
    double *values = rmil_resamples_values(&resamples, 1, resampled_mean, slides->sums);
    const RmilInterval agreed = rmil_wilson(mean_of(&all), resamples.patients, confidence),
                       interval = values ? rmil_resamples_interval(&resamples, values, mean_of(&all), agreed) : rmil_interval_undefined;
    rmil_free(values);
    rmil_resamples_clear(&resamples);
    return interval;
}

void rmil_found(const RmilFoundRows *trainings, int64_t n, double confidence, int64_t rounds, uint64_t seed,
                RmilFound found[RMIL_FOUND_COUNT]) {
    g_autoptr(GHashTable) patient_of = find_patients(trainings, n);
    g_autofree double *means = g_new(double, n + 1);
    for (int m = 0; m < RMIL_FOUND_COUNT; m++) {
        Slides slides;
        slides_init(&slides, patient_of);
        for (int64_t t = 0; t < n; t++) {
            const GArray *patches = trainings[t].patches, *lesions = trainings[t].lesions;
            Sum training = {0};
            for (guint i = 0; i < patches->len && !measures[m].lesions; i++) {
                const RmilPatchRow *row = &g_array_index(patches, RmilPatchRow, i);
                slides_add(&slides, row->slide, 0, rmil_found_patches(m, row), &training);
            }
            for (guint i = 0; i < lesions->len && measures[m].lesions; i++) {
                const RmilLesionRow *row = &g_array_index(lesions, RmilLesionRow, i);
                slides_add(&slides, row->slide, row->lesion, rmil_found_lesion(m, row), &training);
            }
            means[t] = mean_of(&training);
        }
        rmil_mean_sd(means, n, 1, &found[m].mean, &found[m].sd);
        found[m].interval = interval_of(&slides, confidence, rounds, seed);
        found[m].cases = g_hash_table_size(slides.cases);
        slides_clear(&slides);
    }
}

const char *rmil_found_missing(const RmilFoundRows *trainings, int64_t n, gboolean localised) {
    gboolean patches = FALSE, lesions = FALSE, negatives = FALSE;
    for (int64_t t = 0; t < n; t++) {
        patches = patches || trainings[t].patches->len;
        for (guint i = 0; i < trainings[t].lesions->len; i++) {
            lesions = TRUE;
            negatives = negatives || g_array_index(trainings[t].lesions, RmilLesionRow, i).negatives > 0;
        }
    }
    if (!localised || negatives) return NULL;
    return !patches  ? "How patches and lesions are ranked was not measured, because an earlier version made these trainings. Train again "
                       "to have it."
           : lesions ? "There is no FROC: it counts false positives on negative test slides, and no such slide has its patches on a tile "
                       "grid."
                     : "There is no FROC and no sensitivity by lesion: the patches of the annotated test slides do not lie on a tile grid, "
                       "so lesions cannot be told apart.";
}
