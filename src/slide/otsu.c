/* SPDX-License-Identifier: Apache-2.0 */
/* Otsu's threshold, for two and three classes. */
#include "rankmil/slide.h"

#include "base/base-private.h"

/* scikit-image works in float32, and its choice between nearly equal splits depends on every rounding. So each operation here is done in
 * double, where it is exact, and rounded once, so that no compiler can fuse two of them. */
#define BINS 256
#define CLASSES_MAX 5

typedef struct {
    int bins, cuts;
    int current[CLASSES_MAX - 1], best[CLASSES_MAX - 1];
    float best_sigma;
    float between[BINS][BINS]; /* (first moment)² / mass of the bins i … j */
} Search;

static void fill_table(Search *search, const float *share) {
    float mass[BINS], moment[BINS];
    mass[0] = moment[0] = share[0]; /* bin 0 has the weight of bin 1, as in scikit-image */
    for (int i = 1; i < search->bins; i++) {
        float weighted = (float)((double)i * share[i]);
        mass[i] = mass[i - 1] + share[i];
        moment[i] = moment[i - 1] + weighted;
    }
    for (int i = 0; i < search->bins; i++)
        for (int j = i; j < search->bins; j++) {
            float m = i ? mass[j] - mass[i - 1] : mass[j], s = i ? moment[j] - moment[i - 1] : moment[j];
            float squared = (float)((double)s * s);
            search->between[i][j] = m > 0 && j > 0 ? squared / m : 0;
        }
}

/* The sum starts with the outer classes and then adds the inner ones from the left. */
static void try_cuts(Search *search) {
    const int *cut = search->current, last = search->cuts - 1;
    float sigma = search->between[0][cut[0]] + search->between[cut[last] + 1][search->bins - 1];
    for (int i = 0; i < last; i++) sigma += search->between[cut[i] + 1][cut[i + 1]];
    if (sigma <= search->best_sigma) return;
    search->best_sigma = sigma;
    for (int i = 0; i <= last; i++) search->best[i] = cut[i];
}

static void search_from(Search *search, int depth, int first) {
    for (int i = first; i < search->bins - search->cuts + depth; i++) {
        search->current[depth] = i;
        if (depth + 1 < MIN(search->cuts, CLASSES_MAX - 1)) search_from(search, depth + 1, i + 1);
        else try_cuts(search);
    }
}

gboolean rmil_otsu(const int64_t histogram[256], int classes, int *thresholds, GError **error) {
    if (classes < 2 || classes > CLASSES_MAX)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "Otsu's method: %d classes, not 2 … %d", classes, CLASSES_MAX);
    int first = -1, last = -1, distinct = 0;
    int values[BINS];
    int64_t total = 0;
    for (int i = 0; i < BINS; i++) {
        if (histogram[i] <= 0) continue;
        if (first < 0) first = i;
        last = i;
        values[distinct++] = i;
        total += histogram[i];
    }
    if (distinct < classes)
        return rmil_fail(error, RMIL_ERROR_DATA, "Otsu's method: %d different gray values are too few for %d classes", distinct, classes);
    if (distinct == classes) {
        for (int i = 0; i < classes - 1; i++) thresholds[i] = values[i];
        return TRUE;
    }
    g_autofree Search *search = rmil_try_new(1, sizeof *search, error);
    if (!search) return FALSE;
    search->bins = last - first + 1;
    search->cuts = classes - 1;
    float share[BINS];
    for (int i = 0; i < search->bins; i++) share[i] = (float)((double)MAX(histogram[first + i], 0) / (double)total);
    fill_table(search, share);
    search_from(search, 0, 0);
    for (int i = 0; i < search->cuts; i++) thresholds[i] = first + search->best[i];
    return TRUE;
}
