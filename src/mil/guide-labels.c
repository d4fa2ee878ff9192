/* SPDX-License-Identifier: Apache-2.0 */
/* True instance labels: CLAM's instance branch learns from annotated patches instead of those that attention selects (in clam.c). With
 * evenness, which is here, it is mixed-supervision CLAM (docs/models.md, Guides). */
#include "guide.h"

typedef struct {
    double evenness;
} Options;

static gboolean loss(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error) {
    const double weight = ((const Options *)rmil_guide_own(step->config))->evenness;
    const gboolean lesion = rmil_target_lesion(&step->config->task, &step->target);
    return weight <= 0 || rmil_evenness(on, lesion, weight, arena, loss, ds, error);
}

static const RmilOption options[] = {
    {RMIL_NUMBER("evenness", "evenness", 0, 0, 1e6, "X", "weight of the evenness of attention, in addition to true instance labels"),
     .offset = offsetof(Options, evenness)},
    {0},
};

const RmilGuideClass rmil_labels_guide = {.name = "labels", .options = options, .negatives = TRUE, .loss = loss};
