/* SPDX-License-Identifier: Apache-2.0 */
/* The rank loss over all pairs of annotated and other patches (docs/models.md, Losses). */
#ifndef RMIL_MIL_RANK_H
#define RMIL_MIL_RANK_H

#include "model.h"

/* One side of the pairs. */
typedef struct {
    const double *scores;
    int64_t count;
    const double *weights; /* what each counts; NULL: 1 / count */
    double *slopes;        /* gets ∂loss/∂score; NULL: not asked for */
    double *losses;        /* of the others: gets Σ_i w_i f(s_i, s_j) of each, j's weight left out; NULL: not asked for */
} RmilRankSide;

/* *loss = Σ w_i w_j f(s_i, s_j) over all pairs, f = softplus(−σ (s_i − s_j − m)): Kim et al. 2026, equation 3, where no weights are
 * given. One pair after the other. */
void rmil_rank_loss_reference(const RmilRankSide *annotated, const RmilRankSide *others, double sigma, double margin, double *loss);
/* The same within 1e-6 of it, in O(annotated + others); few pairs are summed one by one. FALSE only for want of memory. */
gboolean rmil_rank_loss(const RmilRankSide *annotated, const RmilRankSide *others, double sigma, double margin, RmilArena *arena,
                        double *loss, GError **error);
/* The p-norm push (Rudin, JMLR 2009;10:2233) of the same pairs: (Σ_j w_j (Σ_i w_i f(s_i, s_j))^p)^(1/p), which minds most the others that
 * stand highest; p = 1: rmil_rank_loss. `losses` of the others must be NULL. Weights of each side add up to 1. */
gboolean rmil_rank_push(const RmilRankSide *annotated, const RmilRankSide *others, double sigma, double margin, double p, RmilArena *arena,
                        double *loss, GError **error);

#endif
