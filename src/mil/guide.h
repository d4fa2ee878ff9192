/* Losses: the slide's, and the two that let annotated patches steer the attention (docs/models.md, Losses). */
#ifndef RMIL_MIL_GUIDE_H
#define RMIL_MIL_GUIDE_H

#include "model.h"

/* BCE with logits, one logit: the loss; *dz = ∂/∂z. */
double rmil_bce(double z, int label, double *dz);
/* Cross-entropy of n logits against class `label`; dz (n) may be NULL. */
double rmil_cross_entropy(const double *z, int n, int label, double *dz);

/* Mean over all pairs (i annotated, j other) of softplus(−σ (s_i − s_j − m)). positives: scores of the annotated,
 * negatives: of the others. dp and dn get the derivatives (both or none NULL). Accumulates in double. */
double rmil_rank_loss_reference(const float *positives, int64_t np, const float *negatives, int64_t nn, double sigma, double margin,
                                double *dp, double *dn);
/* The same within 1e-6 of it, in O(np + nn); few pairs are summed one by one. FALSE only for want of memory. */
gboolean rmil_rank_loss(const float *positives, int64_t np, const float *negatives, int64_t nn, double sigma, double margin,
                        RmilArena *arena, double *loss, double *dp, double *dn, GError **error);

/* Whether the step's guide applies to its bag: a guide is set, label 1, at least one annotated patch (rank: and at least
 * one other). `labels`, count: patch labels (hipt: region labels), NULL: none. */
gboolean rmil_guide_applies(const RmilStep *step, const uint8_t *labels, int64_t count);

/* Guides on raw scores (rank). *loss = λ × rank loss; ds (count, may be NULL) gets λ ∂/∂s, OVERWRITTEN, all 0 where the
 * guide does not apply. In training, config.rank_sample = N > 0 draws up to N annotated and N other patches anew. */
gboolean rmil_guide_rank(const RmilStep *step, const float *scores, const uint8_t *labels, int64_t count, RmilArena *arena, double *loss,
                         float *ds, GError **error);
/* Guide on attention (induction). *loss = λ Σ (a − g)²; da (count, may be NULL) gets λ ∂/∂a, OVERWRITTEN. g: tissue of the
 * annotated patches, normalised to sum 1; without tissue (NULL, or no tissue at all under the annotation) labels. */
void rmil_guide_induction(const RmilStep *step, const float *attention, const uint8_t *labels, const float *tissue, int64_t count,
                          double *loss, float *da);

#endif
