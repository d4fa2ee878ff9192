/* The losses that let annotated patches steer the attention (docs/models.md, Losses). */
#ifndef RMIL_MIL_GUIDE_H
#define RMIL_MIL_GUIDE_H

#include "loss.h"

/* Mean over all pairs (i annotated, j other) of softplus(−σ (s_i − s_j − m)). positives: scores of the annotated,
 * negatives: of the others. dp and dn get the derivatives (both or none NULL). Accumulates in double. */
double rmil_rank_loss_reference(const float *positives, int64_t np, const float *negatives, int64_t nn, double sigma, double margin,
                                double *dp, double *dn);
/* The same within 1e-6 of it, in O(np + nn); few pairs are summed one by one. FALSE only for want of memory. */
gboolean rmil_rank_loss(const float *positives, int64_t np, const float *negatives, int64_t nn, double sigma, double margin,
                        RmilArena *arena, double *loss, double *dp, double *dn, GError **error);

/* -- guides ------------------------------------------------------------------------------------------------------------- */
/* A guide is one file that defines one RmilGuideClass, and its name in the list in meson.build (docs/extending.md). */
typedef struct {
    const char *name;
    const RmilOption *options; /* what it takes; those of its own lie in a struct, rmil_guide_own */
    gboolean pairs;            /* ranks annotated patches above others: says nothing of a bag without the one or the other */
    /* *loss = λ × the guide's; what is not NULL of ds and da (count, zero before) gets λ ∂/∂s and λ ∂/∂a. Called where it applies. */
    gboolean (*loss)(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error);
} RmilGuideClass;
#define RMIL_LAMBDA                                                                                                                        \
    { RMIL_NUMBER("lambda", "lambda", 1, 0, 1e6, "X", "weight of the guide's loss"), RMIL_FIELD(lambda), .place = 8, .elsewhere = 1 }
extern const RmilGuideClass *const rmil_guide_classes[]; /* models.c; ends with NULL; RmilGuide counts them from 1 */

const RmilGuideClass *rmil_guide_class(RmilGuide guide); /* NULL: none, or there is no such guide */
gboolean rmil_guide_find(const char *name, RmilGuide *guide);
int64_t rmil_guide_annotated(const uint8_t *labels, int64_t count);
/* Whether the step's guide applies to its bag: a guide is set, a slide that may hold a lesion (rmil_target_lesion), at least one
 * annotated patch (pairs: and one other). */
gboolean rmil_guide_applies(const RmilStep *step, const uint8_t *labels, int64_t count);
/* The loss of the step's guide: 0 without one, and where it does not apply. ds and da (rows × count, may be NULL) are OVERWRITTEN. Of
 * several rows it acts on the true class's; where there are no classes, on all, averaged. */
gboolean rmil_guide_loss(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error);

#endif
