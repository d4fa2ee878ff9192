/* SPDX-License-Identifier: Apache-2.0 */
/* The rank loss over all pairs of annotated and other patches (docs/models.md, Losses). */
#ifndef RMIL_MIL_RANK_H
#define RMIL_MIL_RANK_H

#include "model.h"

/* One side of the pairs. */
typedef struct {
    const double *scores;
    int64_t count;
    const double *weights; /* weight of each; NULL: 1 / count */
    double *slopes;        /* receives ∂loss/∂score; NULL: not wanted */
    double *losses;        /* only for the others: receives Σ_i w_i f(s_i, s_j) of each, without j's weight; NULL: not wanted */
} RmilRankSide;

/* *loss = Σ w_i w_j f(s_i, s_j) over all pairs, f = softplus(−σ (s_i − s_j − m)): Kim et al. 2026, equation 3, if no weights are given.
 * Computes one pair after another. */
void rmil_rank_loss_reference(const RmilRankSide *annotated, const RmilRankSide *others, double sigma, double margin, double *loss);
/* The same within 1e-6, in O(annotated + others); if there are few pairs, they are summed one by one. FALSE only if memory runs out. */
gboolean rmil_rank_loss(const RmilRankSide *annotated, const RmilRankSide *others, double sigma, double margin, RmilArena *arena,
                        double *loss, GError **error);
/* The p-norm push (Rudin, JMLR 2009;10:2233) of the same pairs: (Σ_j w_j (Σ_i w_i f(s_i, s_j))^p)^(1/p), which penalises most the others
 * with the highest scores; p = 1: rmil_rank_loss. `losses` of the others must be NULL. The weights of each side add up to 1. */
gboolean rmil_rank_push(const RmilRankSide *annotated, const RmilRankSide *others, double sigma, double margin, double p, RmilArena *arena,
                        double *loss, GError **error);

#endif
