/* SPDX-License-Identifier: Apache-2.0 */
/* Attention induction: λ Σ (a − g)². g: the tissue shares of the annotated patches, normalised to sum 1; their labels if there is no tissue
 * information (NULL) or no tissue under the annotation. */
#include "guide.h"

static gboolean loss(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error) {
    const uint8_t *labels = on->labels;
    const float *tissue = on->tissue;
    double total = 0, sum = 0;
    for (int64_t i = 0; tissue && i < on->count; i++) total += labels[i] ? (double)tissue[i] : 0;
    if (!(total > 0)) {
        tissue = NULL;
        total = (double)rmil_guide_annotated(labels, on->count);
    }
    for (int64_t i = 0; i < on->count; i++) {
        double g = !labels[i] ? 0 : (tissue ? (double)tissue[i] : 1) / total;
        double difference = (double)on->attention[i] - g;
        sum += difference * difference;
        if (da) da[i] = (float)(2 * step->config->lambda * difference);
    }
    *loss = step->config->lambda * sum;
    return TRUE;
}

static const RmilOption options[] = {RMIL_LAMBDA, {0}};

const RmilGuideClass rmil_induction_guide = {.name = "induction", .options = options, .loss = loss};
