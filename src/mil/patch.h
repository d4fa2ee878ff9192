/* SPDX-License-Identifier: Apache-2.0 */
/* What classifiers of single patches have in common, whatever their logits come from (docs/models.md, Patch classifiers): which patches are
 * known, their loss, pooling to the slide, and maps. Logits o of a bag are outputs × K, class by class. */
#ifndef RMIL_MIL_PATCH_H
#define RMIL_MIL_PATCH_H

#include "loss.h"
#include "targets.h"

#define RMIL_PATCH_HIDDEN                                                                                                                  \
    {                                                                                                                                      \
        RMIL_WHOLE("patch-hidden", "patch_hidden", 0, 0, 16384, "N", "width of the hidden layer of a patch classifier; 0: none"),          \
            RMIL_FIELD(patch_hidden)                                                                                                       \
    }
#define RMIL_PATCH_TOP                                                                                                                     \
    {                                                                                                                                      \
        RMIL_WHOLE("patch-top", "patch_top", 1, 1, 100000, "N", "the slide's logit is the mean of its N highest patch logits"),            \
            RMIL_FIELD(patch_top), .untold = TRUE                                                                                          \
    }

/* -- which patches are known -------------------------------------------------------------------------------------------- */
typedef struct {
    int inside, outside; /* class of annotated patches, and of the others; −1: unknown */
    int64_t annotated;   /* patches */
} RmilPatchKnown;

/* On a slide of the negative class, all patches are of that class. On an annotated slide of another class, annotated patches are of that
 * class, and the others are negative if the task has a negative class. Otherwise nothing is known. */
RmilPatchKnown rmil_patch_known(const RmilTask *task, const RmilTarget *target, const RmilBag *bag);
/* Class of patch k, or −1. */
static inline int rmil_patch_class(const RmilPatchKnown *known, const RmilBag *bag, int64_t k) {
    return known->inside == known->outside || !bag->patch_labels || !bag->patch_labels[k] ? known->outside : known->inside;
}
/* Is any patch's class known? */
static inline gboolean rmil_patch_tells(const RmilPatchKnown *known) { return known->inside >= 0; }
/* Weight of a known patch of this class in its bag's loss: classes that occur have equal weight, as do the patches of a class; the weights
 * add up to 1. */
double rmil_patch_weight(const RmilPatchKnown *known, const RmilBag *bag, int class);

/* For models of patches (RmilModelClass.patches): leaves out training slides without any known patch, and reports how many. `kept` receives
 * up to train_count indices and becomes slides->train. DATA: some class has no patches left. */
gboolean rmil_patch_slides(const RmilModelConfig *config, RmilTrainSlides *slides, int64_t *kept, const RmilMonitor *monitor,
                           GError **error);

/* o (outputs × K) = features Wᵀ + b, W the tensor of that index and b the next; z (K × outputs) is scratch, NULL: from the arena. */
gboolean rmil_patch_logits(const RmilStep *step, int weight, float *o, float *z, RmilArena *arena, GError **error);

/* -- from logits on ------------------------------------------------------------------------------------------------------ */
/* Cross-entropy of the known patches of a bag, weighted as above; 0 if there are none. slope (outputs × K, OVERWRITTEN; may be NULL) =
 * ∂/∂o. */
double rmil_patch_loss(const RmilModelConfig *config, const RmilBag *bag, const RmilPatchKnown *known, const float *o, float *slope);
/* l (outputs × K): evidence of a patch for each class relative to the reference, which is the negative class or the mean of the classes.
 * One output: o itself. */
void rmil_patch_relative(const RmilModelConfig *config, const float *o, int64_t count, float *l);
/* a (outputs × K): the patch's probability of the class, divided by the sum over all patches. */
gboolean rmil_patch_attention(const RmilModelConfig *config, const float *o, int64_t count, float *a, RmilArena *arena, GError **error);
/* What pooling keeps for the backward pass. */
typedef struct {
    int64_t *top; /* outputs × n: the highest patches for each output */
    int64_t n;
} RmilPatchPool;
/* The results of a step for a bag with logits o: the slide's logits, scores and attention. */
gboolean rmil_patch_pool(const RmilStep *step, const float *o, RmilPatchPool *pool, RmilArena *arena, RmilOutcome *outcome, GError **error);
/* Its loss, and slope = ∂loss/∂o (outputs × K, OVERWRITTEN; NULL: not wanted). In training the loss is that of the known patches;
 * otherwise, or if no patch is known, the slide's; with step->slope always the slide's. */
void rmil_patch_settle(const RmilStep *step, const float *o, const RmilPatchPool *pool, float *slope, RmilOutcome *outcome);

/* From logits (K × outputs) to the outputs of the graph. */
void rmil_patch_onnx(const RmilModelConfig *config, RmilOnnx *onnx, const char *o);

#endif
