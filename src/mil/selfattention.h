/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-head self-attention without its projections (Vaswani et al. 2017): per head, O = softmax(Q Kᵀ / sqrt(w)) V with w columns per head.
 * Queries are processed in blocks, and the backward pass recomputes the attention matrix from the sums of its rows (Dao et al. 2022), so
 * that memory does not grow with the square of the sequence. */
#ifndef RMIL_MIL_SELFATTENTION_H
#define RMIL_MIL_SELFATTENTION_H

#include "base/base-private.h"

/* One sequence. q: queries × width, k and v: keys × width; ldq, ldk: floats from row to row (k and v share theirs). */
typedef struct {
    int64_t queries, keys, width, heads;
    const float *q, *k, *v;
    int64_t ldq, ldk;
} RmilSelfAttention;

/* Floats of scratch for either function. */
int64_t rmil_self_attention_scratch(int64_t queries, int64_t keys);
/* out: queries × width, dense; log_sum: heads × queries, for the backward pass. */
gboolean rmil_self_attention_forward(const RmilSelfAttention *attention, float *out, float *log_sum, float *scratch, GError **error);
/* From dout: dq (as q), dk and dv (as k and v), all overwritten. */
gboolean rmil_self_attention_backward(const RmilSelfAttention *attention, const float *out, const float *log_sum, const float *dout,
                                      float *dq, float *dk, float *dv, float *scratch, GError **error);

/* The same for only the first token of every sequence, with the projections. Keys and values that only one query meets need not be
 * computed: q · (W_k h_j + b_k) = (W_kᵀ q) · h_j + a constant that softmax ignores, and Σ p_j (W_v h_j + b_v) = W_v Σ p_j h_j + b_v. So the
 * weights of keys and values are multiplied by one vector instead of every token, and b_k has no gradient. */
typedef struct {
    int64_t sequences, length, width, heads;
    const float *w, *b; /* in_proj: 3 width × width and 3 width, of q, k and v */
    const float *h;     /* sequences × length × width: input of the projection */
} RmilFirstAttention;

/* Number of floats that forward keeps for the backward pass. */
int64_t rmil_first_attention_kept(int64_t sequences, int64_t length, int64_t width, int64_t heads);
/* out: sequences × width. */
void rmil_first_attention_forward(const RmilFirstAttention *attention, float *out, float *kept);
static inline int64_t rmil_first_attention_scratch(int64_t length, int64_t width) { return 3 * width + length; }
/* From dout: dh (as h, overwritten); dw and db (as w and b) are added to. */
void rmil_first_attention_backward(const RmilFirstAttention *attention, const float *kept, const float *dout, float *dh, float *dw,
                                   float *db, float *scratch);

#endif
