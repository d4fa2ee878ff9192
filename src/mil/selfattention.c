#include "selfattention.h"

#include "activation.h"
#include "gemm.h"

#include <math.h>

/* Entries of one block of the attention matrix: 257 × 257 in one piece, long sequences in strips. */
#define BLOCK ((int64_t)1 << 18)

static int64_t block_rows(int64_t queries, int64_t keys) { return CLAMP(BLOCK / keys, 1, queries); }

int64_t rmil_self_attention_scratch(int64_t queries, int64_t keys) { return 2 * block_rows(queries, keys) * keys; }

gboolean rmil_self_attention_forward(const RmilSelfAttention *t, float *out, float *log_sum, float *scratch,
                                     GError **error) {
    const int64_t n = t->keys, w = t->width / t->heads, rows = block_rows(t->queries, n);
    const float scale = 1.0f / sqrtf((float)w);
    for (int64_t h = 0; h < t->heads; h++)
        for (int64_t i = 0; i < t->queries; i += rows) {
            const int64_t m = MIN(rows, t->queries - i), column = h * w;
            if (!rmil_gemm(FALSE, TRUE, m, n, w, 1, t->q + i * t->ldq + column, t->ldq, t->k + column, t->ldk, 0, scratch,
                           n, error))
                return FALSE;
            rmil_softmax_rows(scratch, m, n, n, scale, log_sum + h * t->queries + i);
            if (!rmil_gemm(FALSE, FALSE, m, w, n, 1, scratch, n, t->v + column, t->ldk, 0, out + i * t->width + column,
                           t->width, error))
                return FALSE;
        }
    return TRUE;
}

/* p: scores become softmax by their row's log sum; dp: becomes scale · p ∘ (dp − Σ dout ∘ out), the gradient of the scores. */
RMIL_CLONES static void softmax_back(float *p, float *dp, int64_t rows, int64_t n, float scale, const float *log_sum,
                                     const float *out, const float *dout, int64_t ld, int64_t w) {
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

gboolean rmil_self_attention_backward(const RmilSelfAttention *t, const float *out, const float *log_sum,
                                      const float *dout, float *dq, float *dk, float *dv, float *scratch, GError **error) {
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
