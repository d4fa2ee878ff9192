/* SPDX-License-Identifier: Apache-2.0 */
/* Evenness: attention should lie on the whole lesion, not only on a few of its patches, and be spread evenly on slides without a lesion
 * (docs/models.md, Guides). */
#include "guide.h"

#include <math.h>

/* Σ a log a over the patches that count, and the sum of their a; logs: log a of all patches. */
static double entropy_sum(const double *logs, const uint8_t *labels, int64_t count, double *mass) {
    double sum = 0;
    *mass = 0;
    for (int64_t i = 0; i < count; i++) {
        if (labels && !labels[i]) continue;
        const double a = exp(logs[i]);
        *mass += a;
        sum += a * logs[i];
    }
    return sum;
}

gboolean rmil_evenness(const RmilGuided *on, gboolean lesion, double weight, RmilArena *arena, double *loss, float *ds, GError **error) {
    const uint8_t *labels = lesion ? on->labels : NULL;
    const int64_t n = labels ? rmil_guide_annotated(labels, on->count) : on->count;
    const double scale = on->scale > 0 ? on->scale : 1, most = n > 1 ? log((double)n) : 1, even = n > 1, drawn = lesion ? 2 : 0;
    double *logs = rmil_arena_take(arena, on->count, sizeof *logs, error), mass, mean = 0;
    if (!logs) return FALSE;
    rmil_log_softmax(on->scores, on->count, scale, logs);
    const double sum = entropy_sum(logs, labels, on->count, &mass);
    *loss = weight * (drawn * (1 - mass) + even * (1 + sum / most));
    if (!ds) return TRUE;
    for (int pass = 0; pass < 2; pass++) /* ∂loss/∂a, then through softmax, which subtracts its mean */
        for (int64_t i = 0; i < on->count; i++) {
            const double slope = labels && !labels[i] ? 0 : even * (logs[i] + 1) / most - drawn, a = exp(logs[i]);
            if (pass) ds[i] = (float)(weight * scale * a * (slope - mean));
            else mean += a * slope;
        }
    return TRUE;
}

static gboolean loss(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error) {
    const gboolean lesion = rmil_target_lesion(&step->config->task, &step->target);
    return rmil_evenness(on, lesion, step->config->lambda, arena, loss, ds, error);
}

static const RmilOption options[] = {RMIL_LAMBDA, {0}};

const RmilGuideClass rmil_evenness_guide = {.name = "evenness", .options = options, .negatives = TRUE, .loss = loss};
