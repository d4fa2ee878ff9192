/* SPDX-License-Identifier: Apache-2.0 */
/* CLAM's instance branch: patches of highest and lowest attention are examples for one small classifier per class. */
#ifndef RMIL_MIL_INSTANCES_H
#define RMIL_MIL_INSTANCES_H

#include "model.h"

/* A patch that a head is trained on. */
typedef struct {
    int64_t patch;
    int head, target;
    double share; /* its share of the loss */
    float dz[2];  /* ∂L/∂ of the head's two logits */
} RmilInstance;

typedef struct {
    int first; /* tensor of head 0's weight (2 × width); its bias follows, then the other heads */
    int heads;
    int64_t k;             /* number of patches of highest, and of lowest attention; at most half of the bag */
    double weight;         /* weight of the whole branch in the loss */
    gboolean subtyping;    /* are the other heads trained against their own k highest patches? */
    const uint8_t *labels; /* true labels of the slide's patches, which are then all examples; NULL: attention selects the examples */
    gboolean negative;     /* no patch is a lesion: every head except that of the slide's class learns from its k highest patches (target
                            * 0) */
    const float *scores;   /* a row of patches for each head (`stride` floats apart), or one for all (stride 0) */
    int64_t stride;
    const float *h; /* patches × width, ldh floats from row to row */
    int64_t ldh, width;
    int64_t count; /* number chosen by rmil_instances_loss; with labels in patch order */
    RmilInstance *chosen;
} RmilInstances;

/* weight × mean cross-entropy of the true class's head over the k patches of highest attention (target 1) and the k of lowest (0). With
 * subtyping also of every other head over its own k highest (0), and the mean over heads. 0 for a bag of one patch. With labels: of the
 * true class's head over all annotated patches (1) and all others (0), both sides with equal weight. */
gboolean rmil_instances_loss(const RmilStep *step, RmilInstances *of, RmilArena *arena, double *loss, GError **error);
/* Adds to the gradients of the heads. */
void rmil_instances_heads(const RmilStep *step, const RmilInstances *of);
/* dh (rows × width, ldh from row to row; the patches from `first` on) += what the chosen patches in it receive. */
void rmil_instances_rows(const RmilStep *step, const RmilInstances *of, int64_t first, int64_t rows, float *dh);

#endif
