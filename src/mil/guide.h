/* SPDX-License-Identifier: Apache-2.0 */
/* The losses that let annotated patches steer the attention (docs/models.md, Losses). */
#ifndef RMIL_MIL_GUIDE_H
#define RMIL_MIL_GUIDE_H

#include "loss.h"
#include "targets.h"

/* -- guides ------------------------------------------------------------------------------------------------------------- */
/* A guide is one file that defines one RmilGuideClass, and its name in the list in meson.build (docs/extending.md). */
typedef struct {
    const char *name;
    const RmilOption *options; /* what it takes; those of its own lie in a struct, rmil_guide_own */
    gboolean pairs;            /* ranks annotated patches above others: says nothing of a bag without the one or the other */
    gboolean negatives;        /* acts on slides that can hold no lesion, too, where labels may be NULL */
    /* *loss (0 before) = λ × the guide's; what is not NULL of ds and da (count, zero before) gets λ ∂/∂s and λ ∂/∂a. Called where it applies. */
    gboolean (*loss)(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error);
    /* Of a guide that looks at the bags of a step together: does it, so configured? And what it asks of each of them. NULL: never. */
    gboolean (*meets)(const RmilModelConfig *config);
    gboolean (*meet)(const RmilModelConfig *config, RmilMember *members, int64_t count, RmilArena *arena, GError **error);
    /* How much scores hold to those of a copy of the model that is averaged over the updates, and how much of it stays at each. NULL: not. */
    double (*anchor)(const RmilModelConfig *config, double *decay);
    /* Before training: has the training set what the guide needs? An error, or a word to the monitor. NULL: always. */
    gboolean (*ready)(const RmilModelConfig *config, const RmilTrainSlides *slides, const RmilMonitor *monitor, GError **error);
} RmilGuideClass;
#define RMIL_LAMBDA                                                                                                                        \
    { RMIL_NUMBER("lambda", "lambda", 1, 0, 1e6, "X", "weight of the guide's loss"), RMIL_FIELD(lambda), .place = 8, .elsewhere = 1 }
extern const RmilGuideClass *const rmil_guide_classes[]; /* models.c; ends with NULL; RmilGuide counts them from 1 */

const RmilGuideClass *rmil_guide_class(RmilGuide guide); /* NULL: none, or there is no such guide */
gboolean rmil_guide_find(const char *name, RmilGuide *guide);
int64_t rmil_guide_annotated(const uint8_t *labels, int64_t count);
/* Can the slide hold no lesion? Of a known target of the negative class; FALSE where it is unknown. */
gboolean rmil_guide_negative(const RmilTask *task, const RmilTarget *target);
/* Whether the step's guide applies to its bag: a guide is set; a slide that may hold a lesion (rmil_target_lesion) and at least one
 * annotated patch (pairs: and one other), or one that can hold none (negatives). */
gboolean rmil_guide_applies(const RmilStep *step, const uint8_t *labels, int64_t count);
/* The loss of the step's guide: 0 without one, and where it does not apply. ds and da (rows × count, may be NULL) are OVERWRITTEN. Of
 * several rows it acts on the true class's; where there are no classes, on all, averaged; on a slide that can hold no lesion, on those of all
 * other classes, averaged. What the step's member and anchor add is in it. */
gboolean rmil_guide_loss(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error);

/* -- the bags of a step together -------------------------------------------------------------------------------------- */
/* One bag of a meeting. */
struct RmilMember {
    RmilTarget target;
    float *scores;   /* rows × count; a copy */
    uint8_t *labels; /* a copy; NULL: not known */
    int64_t count;
    int rows;
    gsize room;  /* bytes that scores and labels have */
    float *ds;   /* rows × count: what all together ask of its scores, λ × ∂/∂s; behind scores */
    double loss; /* its share of what all have together, λ × */
    double own;  /* how much its own guide loss counts: 1 */
};
/* Does the configuration's guide look at the bags of a step together? */
gboolean rmil_guide_meets(const RmilModelConfig *config);
/* Copies what a model shows into a member. */
gboolean rmil_member_set(RmilMember *member, const RmilTarget *target, const RmilGuided *shown, GError **error);
/* Fills ds, loss and own of every member. */
gboolean rmil_guide_meet(const RmilModelConfig *config, RmilMember *members, int64_t count, RmilArena *arena, GError **error);
void rmil_member_clear(RmilMember *member);
/* Weight of the anchor's loss, 0: none, and the share of the averaged copy that stays at each update. */
double rmil_guide_anchor(const RmilModelConfig *config, double *decay);
/* Has the training set what the configuration's guide needs (RmilGuideClass.ready)? */
gboolean rmil_guide_ready(const RmilModelConfig *config, const RmilTrainSlides *slides, const RmilMonitor *monitor, GError **error);

/* -- what guides share -------------------------------------------------------------------------------------------------- */
/* Attention a = softmax(scale × s) should lie evenly on the annotated patches, and on a slide without lesion evenly on all: Tourniaire et
 * al., Med Image Anal 2023;85:102763. *loss = weight × (2 (1 − Σ a) + 1 − H), H = −Σ a log a / log n over the n annotated (n = 1: H = 1);
 * lesion FALSE: weight × (1 − H) over all. ds (count, may be NULL) is OVERWRITTEN. */
gboolean rmil_evenness(const RmilGuided *on, gboolean lesion, double weight, RmilArena *arena, double *loss, float *ds, GError **error);

#endif
