/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax over the patches, the paper's threshold, and the backward pass (docs/models.md, Attention pooling). */
#ifndef RMIL_MIL_ATTENTION_H
#define RMIL_MIL_ATTENTION_H

#include "rankmil/mil.h"

/* Even attention: one patch, or scores that are equal up to rounding, so that no patch stands out. If the threshold would leave nothing of
 * it, the threshold does not apply, unless bags are always cut (cut_even). */
#define RMIL_ATTENTION_EVEN 1e-5    /* K max ã − 1 */
#define RMIL_ATTENTION_NOTHING 1e-4 /* Σ â */

/* ã = softmax(scale · s);  â = max(ã − T/K, 0);  a = â / (Σ â + 1e-8).  a = ã if threshold < 0, or if ã is even and Σ â is nothing (and not
 * cut_even).
 * s, soft (receives ã) and a: K floats, s may not overlap the others. Sums in double. Returns what backward needs. */
typedef struct {
    double scale, norm;   /* norm: Σ â + 1e-8 */
    gboolean thresholded; /* FALSE also if the threshold does not apply */
    double total;         /* Σ a: 1, or a little less; 0 if no patch of an uneven bag survives */
} RmilAttention;
void rmil_attention_forward(const float *s, int64_t k, double scale, double threshold, gboolean cut_even, float *soft, float *a,
                            RmilAttention *attention);
/* ds (K) = ∂L/∂s from da = ∂L/∂a, or ds += … with `add`. da may be ds. */
void rmil_attention_backward(const RmilAttention *attention, const float *soft, const float *a, const float *da, int64_t k, gboolean add,
                             float *ds);

/* y[i] = exp(x[i] − shift) for x[i] ≤ shift, 0 below −87; within 2 ulp. Returns the sum in double. */
double rmil_exp_sum(const float *x, int64_t n, float shift, float *y);
float rmil_max(const float *x, int64_t n); /* n ≥ 1 */

#endif
