/* SPDX-License-Identifier: Apache-2.0 */
/* Losses that let annotated patches guide the attention (docs/models.md, Losses). */
#ifndef RMIL_MIL_GUIDE_H
#define RMIL_MIL_GUIDE_H

#include "loss.h"
#include "targets.h"

/* -- guides ------------------------------------------------------------------------------------------------------------- */
/* A guide is one file that defines one RmilGuideClass, plus its name in the list in meson.build (docs/extending.md). */
typedef struct {
    const char *name;
    const RmilOption *options; /* its options; those in a struct of its own: rmil_guide_own */
    gboolean pairs;            /* ranks annotated patches above others: does not apply to bags that lack either */
    gboolean negatives;        /* also acts on slides that cannot hold a lesion, where labels may be NULL */
    /* *loss (0 before) = λ × the guide's loss; ds and da (count, zero before), if not NULL, receive λ ∂/∂s and λ ∂/∂a. Called only if the
     * guide applies. */
    gboolean (*loss)(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error);
    /* For a guide that looks at all bags of a step together: does it, with this configuration? And its loss on them. NULL: never. */
    gboolean (*meets)(const RmilModelConfig *config);
    gboolean (*meet)(const RmilModelConfig *config, RmilMember *members, int64_t count, RmilArena *arena, GError **error);
    /* Weight of the loss that ties scores to those of a copy of the model averaged over the updates, and the share of the copy that stays
     * at each update. NULL: no anchor. */
    double (*anchor)(const RmilModelConfig *config, double *decay);
    /* Before training: does the training set have what the guide needs? Sets an error, or tells the monitor. NULL: always. */
    gboolean (*ready)(const RmilModelConfig *config, const RmilTrainSlides *slides, const RmilMonitor *monitor, GError **error);
} RmilGuideClass;
#define RMIL_LAMBDA                                                                                                                        \
    { RMIL_NUMBER("lambda", "lambda", 1, 0, 1e6, "X", "weight of the guide's loss"), RMIL_FIELD(lambda), .place = 8, .elsewhere = 1 }
extern const RmilGuideClass *const rmil_guide_classes[]; /* in models.c; ends with NULL; RmilGuide counts from 1 */

const RmilGuideClass *rmil_guide_class(RmilGuide guide); /* NULL if guide is none or unknown */
gboolean rmil_guide_find(const char *name, RmilGuide *guide);
int64_t rmil_guide_annotated(const uint8_t *labels, int64_t count);
/* Is it certain that the slide holds no lesion? TRUE if the target is known and of the negative class. */
gboolean rmil_guide_negative(const RmilTask *task, const RmilTarget *target);
/* Does the step's guide apply to its bag? A guide is set, and the slide either may hold a lesion (rmil_target_lesion) and has an annotated
 * patch (pairs: and another patch), or cannot hold a lesion (negatives). */
gboolean rmil_guide_applies(const RmilStep *step, const uint8_t *labels, int64_t count);
/* The loss of the step's guide: 0 without a guide, or if it does not apply. ds and da (rows × count, may be NULL) are OVERWRITTEN. With
 * several rows it acts on the true class's row; without classes on all, averaged; on a slide that cannot hold a lesion on those of all
 * other classes, averaged. Includes the losses from the step's member and anchor. */
gboolean rmil_guide_loss(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error);

/* -- all bags of a step together -------------------------------------------------------------------------------------- */
/* One bag of a meeting. */
struct RmilMember {
    RmilTarget target;
    float *scores;   /* rows × count; a copy */
    uint8_t *labels; /* a copy; NULL: unknown */
    int64_t count;
    int rows;
    gsize room;  /* bytes allocated for scores and labels */
    float *ds;   /* rows × count: λ × ∂/∂s of the common loss; stored behind scores */
    double loss; /* λ × its share of the common loss */
    double own;  /* weight of its own guide loss: 1 */
};
/* Does the configuration's guide look at all bags of a step together? */
gboolean rmil_guide_meets(const RmilModelConfig *config);
/* Copies what a model shows into a member. */
gboolean rmil_member_set(RmilMember *member, const RmilTarget *target, const RmilGuided *shown, GError **error);
/* Fills ds, loss and own of every member. */
gboolean rmil_guide_meet(const RmilModelConfig *config, RmilMember *members, int64_t count, RmilArena *arena, GError **error);
void rmil_member_clear(RmilMember *member);
/* Weight of the anchor's loss (0: no anchor), and the share of the averaged copy that stays at each update. */
double rmil_guide_anchor(const RmilModelConfig *config, double *decay);
/* Does the training set have what the configuration's guide needs (RmilGuideClass.ready)? */
gboolean rmil_guide_ready(const RmilModelConfig *config, const RmilTrainSlides *slides, const RmilMonitor *monitor, GError **error);

/* -- shared by guides --------------------------------------------------------------------------------------------------- */
/* Attention a = softmax(scale × s) should be even over the annotated patches, or over all patches of a slide without lesion: Tourniaire et
 * al., Med Image Anal 2023;85:102763. *loss = weight × (2 (1 − Σ a) + 1 − H), H = −Σ a log a / log n over the n annotated (n = 1: H = 1);
 * lesion FALSE: weight × (1 − H) over all. ds (count, may be NULL) is OVERWRITTEN. */
gboolean rmil_evenness(const RmilGuided *on, gboolean lesion, double weight, RmilArena *arena, double *loss, float *ds, GError **error);

#endif
