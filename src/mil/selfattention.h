/* Multi-head self-attention without its projections (Vaswani et al. 2017): per head, O = softmax(Q Kᵀ / sqrt(w)) V with w
 * columns a head. Queries go block by block, and the way back makes the attention matrix anew from the sums of its rows
 * (Dao et al. 2022), so that memory does not grow with the square of the sequence. */
#ifndef RMIL_MIL_SELFATTENTION_H
#define RMIL_MIL_SELFATTENTION_H

#include "base/base-private.h"

/* One sequence. q: queries × width, k and v: keys × width; ldq, ldk: floats from row to row (k and v share theirs). */
typedef struct {
    int64_t queries, keys, width, heads;
    const float *q, *k, *v;
    int64_t ldq, ldk;
} RmilSelfAttention;

/* Floats of scratch that either function needs. */
int64_t rmil_self_attention_scratch(int64_t queries, int64_t keys);
/* out: queries × width, dense; log_sum: heads × queries, for the way back. */
gboolean rmil_self_attention_forward(const RmilSelfAttention *attention, float *out, float *log_sum, float *scratch,
                                     GError **error);
/* From dout: dq (as q), dk and dv (as k and v), all overwritten. */
gboolean rmil_self_attention_backward(const RmilSelfAttention *attention, const float *out, const float *log_sum,
                                      const float *dout, float *dq, float *dk, float *dv, float *scratch, GError **error);

#endif
