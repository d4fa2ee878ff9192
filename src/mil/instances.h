/* SPDX-License-Identifier: Apache-2.0 */
/* CLAM's instance branch: patches of highest and of lowest attention as examples for one small classifier per class. */
#ifndef RMIL_MIL_INSTANCES_H
#define RMIL_MIL_INSTANCES_H

#include "model.h"

/* A patch that a head is trained on. */
typedef struct {
    int64_t patch;
    int head, target;
    double share; /* of the loss */
    float dz[2];  /* ∂L/∂ of the head's two logits */
} RmilInstance;

typedef struct {
    int first; /* tensor of head 0's weight (2 × width); its bias follows, then the other heads' */
    int heads;
    int64_t k;             /* patches of highest, and as many of lowest attention; at most half of the bag's */
    double weight;         /* of the whole branch in the loss */
    gboolean subtyping;    /* are other heads trained against their own k highest? */
    const uint8_t *labels; /* true ones of the slide's patches, by which all of them are examples; NULL: attention chooses */
    gboolean negative;     /* no patch is a lesion: every head but that of the slide's class learns from its k highest (target 0) */
    const float *scores;   /* a row of patches for each head, or one for all: `stride` floats apart, 0 */
    int64_t stride;
    const float *h; /* patches × width, ldh floats from row to row */
    int64_t ldh, width;
    int64_t count; /* of what rmil_instances_loss chose; with labels patch by patch */
    RmilInstance *chosen;
} RmilInstances;

/* weight × mean cross-entropy of the true class's head over the k patches of highest (target 1) and the k of lowest attention (0); with
 * subtyping also of each other head over its own k highest (0), and the mean over heads. 0 for a bag of one patch.
 * With labels: of the true class's head over all annotated patches (1) and all others (0), either side as much as the other. */
gboolean rmil_instances_loss(const RmilStep *step, RmilInstances *of, RmilArena *arena, double *loss, GError **error);
/* Adds to the gradients of the heads. */
void rmil_instances_heads(const RmilStep *step, const RmilInstances *of);
/* dh (rows × width, ldh from row to row; the patches from `first` on) += what the chosen in it receive. */
void rmil_instances_rows(const RmilStep *step, const RmilInstances *of, int64_t first, int64_t rows, float *dh);

#endif
