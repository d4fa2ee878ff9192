/* SPDX-License-Identifier: Apache-2.0 */
/* How well a slide's attention finds its annotated patches (paper, "Attention Localization"). */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    float attention;
    int64_t index;
} Patch;

/* Descending attention, NaN last; patches of equal attention keep their order. */
static int compare_patches(const void *a, const void *b) {
    const Patch *x = a, *y = b;
    if (isnan(x->attention) || isnan(y->attention)) {
        int order = (isnan(x->attention) != 0) - (isnan(y->attention) != 0);
        if (order) return order;
    } else if (x->attention != y->attention) {
        return x->attention > y->attention ? -1 : 1;
    }
    return (x->index > y->index) - (x->index < y->index);
}

/* α % of n as a number of patches: rounded down, at least one, at most all. */
static int64_t top_count(double alpha, int64_t n) {
    double count = alpha * (double)n / 100;
    if (count >= (double)n) return n;
    return count >= 1 ? (int64_t)count : 1;
}

void rmil_localisation(const float *attention, const uint8_t *labels, int64_t k, const double *alphas, int n_alphas, double *iou,
                       double *dice, double *pointing) {
    for (int a = 0; a < n_alphas; a++) iou[a] = dice[a] = pointing[a] = NAN;
    int64_t annotated = 0;
    for (int64_t i = 0; i < k; i++) annotated += labels[i] != 0;
    Patch *patches = annotated > 0 ? rmil_alloc(k, sizeof(Patch), NULL) : NULL;
    int64_t *hits = annotated > 0 ? rmil_alloc(k + 1, sizeof(int64_t), NULL) : NULL; /* among the first i patches */
    if (patches && hits) {
        for (int64_t i = 0; i < k; i++) patches[i] = (Patch){attention[i], i};
        qsort(patches, (size_t)k, sizeof(Patch), compare_patches);
        for (int64_t i = 0; i < k; i++) hits[i + 1] = hits[i] + (labels[patches[i].index] != 0);
        for (int a = 0; a < n_alphas; a++) {
            int64_t selected = top_count(alphas[a], annotated), hit = hits[selected];
            iou[a] = (double)hit / (double)(selected + annotated - hit);
            dice[a] = 2 * (double)hit / (double)(selected + annotated);
            pointing[a] = hits[top_count(alphas[a], k)] > 0 ? 1 : 0;
        }
    }
    rmil_free(patches);
    rmil_free(hits);
}
