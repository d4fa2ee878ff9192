/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-head self-attention, forward and backward. */
#include "selfattention.h"

#include "activation.h"
#include "gemm.h"
#include "rows.h"

#include <math.h>
#include <string.h>

/* Entries per block of the attention matrix: 257 × 257 in one piece, long sequences in strips. */
#define BLOCK ((int64_t)1 << 18)

static int64_t block_rows(int64_t queries, int64_t keys) { return CLAMP(BLOCK / keys, 1, queries); }

int64_t rmil_self_attention_scratch(int64_t queries, int64_t keys) { return 2 * block_rows(queries, keys) * keys; }

gboolean rmil_self_attention_forward(const RmilSelfAttention *t, float *out, float *log_sum, float *scratch, GError **error) {
    const int64_t n = t->keys, w = t->width / t->heads, rows = block_rows(t->queries, n);
    const float scale = 1.0f / sqrtf((float)w);
    for (int64_t h = 0; h < t->heads; h++)
        for (int64_t i = 0; i < t->queries; i += rows) {
            const int64_t m = MIN(rows, t->queries - i), column = h * w;
            if (!rmil_gemm(FALSE, TRUE, m, n, w, 1, t->q + i * t->ldq + column, t->ldq, t->k + column, t->ldk, 0, scratch, n, error))
                return FALSE;
            rmil_softmax_rows(scratch, m, n, n, scale, log_sum + h * t->queries + i);
            if (!rmil_gemm(FALSE, FALSE, m, w, n, 1, scratch, n, t->v + column, t->ldk, 0, out + i * t->width + column, t->width, error))
                return FALSE;
        }
    return TRUE;
}

/* p: scores become softmax, using their row's log sum; dp: becomes scale · p ∘ (dp − Σ dout ∘ out), the gradient of the scores. */
RMIL_CLONES static void softmax_back(float *p, float *dp, int64_t rows, int64_t n, float scale, const float *log_sum, const float *out,
                                     const float *dout, int64_t ld, int64_t w) {
    for (int64_t r = 0; r < rows; r++) {
        float *pr = p + r * n, *dr = dp + r * n, inner = 0;
        const float *o = out + r * ld, *d = dout + r * ld, shift = log_sum[r];
#pragma omp simd reduction(+ : inner)
        for (int64_t i = 0; i < w; i++) inner += o[i] * d[i];
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            float e = rmil_exp(pr[i] * scale - shift);
            pr[i] = e;
            dr[i] = scale * e * (dr[i] - inner);
        }
    }
}

gboolean rmil_self_attention_backward(const RmilSelfAttention *t, const float *out, const float *log_sum, const float *dout, float *dq,
                                      float *dk, float *dv, float *scratch, GError **error) {
    const int64_t n = t->keys, w = t->width / t->heads, rows = block_rows(t->queries, n), ldo = t->width;
    const float scale = 1.0f / sqrtf((float)w);
    float *p = scratch, *dp = scratch + rows * n;
    for (int64_t h = 0; h < t->heads; h++)
        for (int64_t i = 0; i < t->queries; i += rows) {
            const int64_t m = MIN(rows, t->queries - i), c = h * w;
            const float *q = t->q + i * t->ldq + c, *o = out + i * ldo + c, *d = dout + i * ldo + c;
            const float more = i > 0;
            if (!rmil_gemm(FALSE, TRUE, m, n, w, 1, q, t->ldq, t->k + c, t->ldk, 0, p, n, error) ||
                !rmil_gemm(FALSE, TRUE, m, n, w, 1, d, ldo, t->v + c, t->ldk, 0, dp, n, error))
                return FALSE;
            softmax_back(p, dp, m, n, scale, log_sum + h * t->queries + i, o, d, ldo, w);
            if (!rmil_gemm(TRUE, FALSE, n, w, m, 1, p, n, d, ldo, more, dv + c, t->ldk, error) ||
                !rmil_gemm(FALSE, FALSE, m, w, n, 1, dp, n, t->k + c, t->ldk, 0, dq + i * t->ldq + c, t->ldq, error) ||
                !rmil_gemm(TRUE, FALSE, n, w, m, 1, dp, n, q, t->ldq, more, dk + c, t->ldk, error))
                return FALSE;
        }
    return TRUE;
}

/* -- only the first token --------------------------------------------------------------------------------------------------- */
/* For one sequence: its query, and for each head the attention and the mix of the rows of h. */
typedef struct {
    float *q, *p, *mixed; /* width; heads × length; heads × width */
} First;

static First first_of(const RmilFirstAttention *t, const float *kept, int64_t sequence) {
    const int64_t each = rmil_first_attention_kept(1, t->length, t->width, t->heads);
    float *q = (float *)kept + sequence * each;
    return (First){q, q + t->width, q + t->width + t->heads * t->length};
}

int64_t rmil_first_attention_kept(int64_t sequences, int64_t length, int64_t width, int64_t heads) {
    return sequences * (width + heads * (length + width));
}

void rmil_first_attention_forward(const RmilFirstAttention *t, float *out, float *kept) {
    const int64_t d = t->width, w = d / t->heads, n = t->length;
    for (int64_t s = 0; s < t->sequences; s++) {
        const float *h = t->h + s * n * d;
        const First keep = first_of(t, kept, s);
        rmil_matrix_vector(t->w, d, d, h, t->b, 1, keep.q);
        for (int64_t a = 0; a < t->heads; a++) {
            const float *wk = t->w + (d + a * w) * d, *wv = t->w + (2 * d + a * w) * d;
            float *p = keep.p + a * n, *mixed = keep.mixed + a * d; /* mixed first holds the query's side of the scores */
            rmil_transposed_vector(wk, w, d, keep.q + a * w, FALSE, mixed);
            rmil_rows_dot(h, d, n, d, mixed, 0, p);
            rmil_softmax_rows(p, 1, n, n, 1.0f / sqrtf((float)w), NULL);
            rmil_transposed_vector(h, n, d, p, FALSE, mixed);
            rmil_matrix_vector(wv, w, d, mixed, t->b + 2 * d + a * w, 1, out + s * d + a * w);
        }
    }
}

/* One head: dq (w) from dout (w); dh += …, or = … for the first head. */
static void first_head_backward(const RmilFirstAttention *t, const First *keep, int64_t a, const float *h, const float *dout, float *dh,
                                float *dw, float *db, float *dq, float *scratch) {
    const int64_t d = t->width, w = d / t->heads, n = t->length, k = (d + a * w) * d, v = (2 * d + a * w) * d;
    const float *q = keep->q + a * w, *p = keep->p + a * n, *mixed = keep->mixed + a * d, scale = 1.0f / sqrtf((float)w);
    float *asking = scratch, *dmixed = scratch + d, *ds = scratch + 2 * d, *dasking = dmixed;
    rmil_outer(dout, w, mixed, d, TRUE, dw + v);
    for (int64_t i = 0; i < w; i++) db[2 * d + a * w + i] += dout[i];
    rmil_transposed_vector(t->w + v, w, d, dout, FALSE, dmixed);
    rmil_rows_dot(h, d, n, d, dmixed, (float)-rmil_dot(mixed, dmixed, d), ds);
    for (int64_t j = 0; j < n; j++) ds[j] *= scale * p[j];
    rmil_transposed_vector(t->w + k, w, d, q, FALSE, asking);
    rmil_outer(p, n, dmixed, d, a > 0, dh);
    rmil_outer(ds, n, asking, d, TRUE, dh);
    rmil_transposed_vector(h, n, d, ds, FALSE, dasking);
    rmil_outer(q, w, dasking, d, TRUE, dw + k);
    rmil_matrix_vector(t->w + k, w, d, dasking, NULL, 0, dq);
}

void rmil_first_attention_backward(const RmilFirstAttention *t, const float *kept, const float *dout, float *dh, float *dw, float *db,
                                   float *scratch) {
    const int64_t d = t->width, w = d / t->heads, n = t->length;
    float *dq = scratch;
    for (int64_t s = 0; s < t->sequences; s++) {
        const float *h = t->h + s * n * d;
        float *rows = dh + s * n * d;
        const First keep = first_of(t, kept, s);
        for (int64_t a = 0; a < t->heads; a++)
            first_head_backward(t, &keep, a, h, dout + s * d + a * w, rows, dw, db, dq + a * w, scratch + d);
        rmil_outer(dq, d, h, d, TRUE, dw);
        for (int64_t i = 0; i < d; i++) db[i] += dq[i];
        rmil_transposed_vector(t->w, d, d, dq, TRUE, rows);
    }
}
