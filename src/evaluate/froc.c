/* SPDX-License-Identifier: Apache-2.0 */
/* How well a slide's scores find its lesions, and the false alarms on slides without any. */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>

void rmil_patch_ranking(const float *scores, const uint8_t *labels, int64_t k, double *auroc, double *average_precision) {
    *auroc = *average_precision = NAN;
    g_autofree int *classes = rmil_try_new(k, sizeof *classes, NULL);
    g_autofree double *values = classes ? rmil_try_new(k, sizeof *values, NULL) : NULL;
    if (!values) return;
    for (int64_t i = 0; i < k; i++) {
        classes[i] = labels[i] != 0;
        values[i] = (double)scores[i];
    }
    RmilMetrics metrics;
    rmil_metrics(classes, values, k, 0, &metrics);
    *auroc = metrics.auroc;
    *average_precision = metrics.average_precision;
}

void rmil_detections(const int64_t *neighbours, const float *scores, int64_t k, uint8_t *detection) {
    for (int64_t i = 0; i < k; i++) {
        gboolean top = !isnan(scores[i]);
        for (int n = 0; n < RMIL_AROUND && top; n++) {
            const int64_t j = neighbours[RMIL_AROUND * i + n];
            if (j >= 0 && (scores[j] > scores[i] || (scores[j] == scores[i] && j < i))) top = FALSE;
        }
        detection[i] = (uint8_t)top;
    }
}

static int compare_descending(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

void rmil_false_positives(RmilLesionRow *rows, int64_t n, float *scores, int64_t m, int64_t negatives) {
    if (m) qsort(scores, (size_t)m, sizeof *scores, compare_descending);
    for (int64_t r = 0; r < n; r++) {
        int64_t low = 0, high = m; /* scores[low − 1] ≥ the lesion's > scores[high] */
        while (low < high) {
            const int64_t middle = low + (high - low) / 2;
            if ((double)scores[middle] >= rows[r].score) low = middle + 1;
            else high = middle;
        }
        rows[r].negatives = negatives;
        rows[r].false_positives = negatives > 0 && !isnan(rows[r].score) ? (double)low / (double)negatives : NAN;
    }
}
