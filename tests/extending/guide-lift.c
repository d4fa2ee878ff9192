/* SPDX-License-Identifier: Apache-2.0 */
/* A guide of docs/extending.md: annotated patches should have scores above a level of its own. */
#include "mil/guide.h"

#include <math.h>

typedef struct {
    double level;
} Options;

static const RmilOption options[] = {
    RMIL_LAMBDA,
    {RMIL_NUMBER("lift-level", "lift_level", 2, -10, 10, "X", "what annotated patches should score"), .offset = offsetof(Options, level)},
    {0},
};

/* λ times the mean of softplus(level − s) over the annotated. */
static gboolean loss(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error) {
    const Options *own = rmil_guide_own(step->config);
    const double share = step->config->lambda / (double)rmil_guide_annotated(on->labels, on->count);
    for (int64_t i = 0; i < on->count; i++) {
        double slope;
        if (!on->labels[i]) continue;
        *loss += share * rmil_bce((double)on->scores[i] - own->level, 1, &slope);
        if (ds) ds[i] = (float)(share * slope);
    }
    return TRUE;
}

const RmilGuideClass rmil_lift_guide = {.name = "lift", .options = options, .loss = loss};
