/* SPDX-License-Identifier: Apache-2.0 */
/* Nyström attention. The last two of the three matrices are multiplied first, so that no matrix of sequence length × landmarks is kept:
 * both softmaxes of that size are plain attention (selfattention.h), of landmarks to the sequence and back. */
#include "nystrom.h"

#include "activation.h"
#include "gemm.h"
#include "pinv.h"
#include "rows.h"
#include "selfattention.h"

#include <math.h>
#include <string.h>

static int64_t padding_of(const RmilNystromShape *s, const RmilNystrom *n) { return s->landmarks * n->group - s->length; }

float *rmil_nystrom_rows(const RmilNystromShape *s, const RmilNystrom *n) { return n->projected + padding_of(s, n) * 3 * s->width; }

gboolean rmil_nystrom_take(const RmilNystromShape *s, RmilNystrom *n, RmilArena *arena, GError **error) {
    const int64_t m = s->landmarks, d = s->width;
    n->group = (s->length + m - 1) / m;
    const int64_t e = m * n->group, scratch = MAX(rmil_self_attention_scratch(m, e), rmil_self_attention_scratch(s->asked, m));
    float *narrow = rmil_arena_floats(arena, 4 * m * d, error), *square = rmil_arena_floats(arena, 2 * s->heads * m * m, error);
    n->projected = rmil_arena_floats(arena, e * 3 * d, error);
    n->outer = rmil_arena_floats(arena, 2 * s->asked * d, error);
    n->sums = rmil_arena_floats(arena, s->heads * (m + s->asked), error);
    n->scratch = rmil_arena_floats(arena, scratch, error);
    if (!narrow || !square || !n->projected || !n->outer || !n->sums || !n->scratch) return FALSE;
    n->query = narrow, n->key = narrow + m * d, n->inner = narrow + 2 * m * d, n->middle = narrow + 3 * m * d;
    n->matrix = square, n->z = square + s->heads * m * m;
    n->out = n->outer + s->asked * d;
    n->sums2 = n->sums + s->heads * m;
    memset(n->projected, 0, (size_t)(padding_of(s, n) * 3 * d) * sizeof(float));
    return TRUE;
}

static RmilSelfAttention to_sequence(const RmilNystromShape *s, const RmilNystrom *n) {
    const int64_t d = s->width;
    return (RmilSelfAttention){.queries = s->landmarks,
                               .keys = s->landmarks * n->group,
                               .width = d,
                               .heads = s->heads,
                               .q = n->query,
                               .k = n->projected + d,
                               .v = n->projected + 2 * d,
                               .ldq = d,
                               .ldk = 3 * d};
}

static RmilSelfAttention from_landmarks(const RmilNystromShape *s, const RmilNystrom *n) {
    const int64_t d = s->width;
    return (RmilSelfAttention){.queries = s->asked,
                               .keys = s->landmarks,
                               .width = d,
                               .heads = s->heads,
                               .q = rmil_nystrom_rows(s, n),
                               .k = n->key,
                               .v = n->middle,
                               .ldq = 3 * d,
                               .ldk = d};
}

/* -- forward --------------------------------------------------------------------------------------------------------------- */

/* Means of groups of rows: of the columns of projected from `from` on. */
static void landmarks(const RmilNystromShape *s, const RmilNystrom *n, int64_t from, float *out) {
    const int64_t d = s->width;
    const float share = 1.0F / (float)n->group;
    memset(out, 0, (size_t)(s->landmarks * d) * sizeof *out);
    for (int64_t row = 0; row < s->landmarks * n->group; row++) {
        float *to = out + row / n->group * d;
        const float *x = n->projected + row * 3 * d + from;
        for (int64_t i = 0; i < d; i++) to[i] += share * x[i];
    }
}

/* out = outer + C * V, for the requested tokens. */
RMIL_CLONES static void convolve(const RmilNystromShape *s, const float *rows, const float *taps, const float *outer, float *out) {
    const int64_t d = s->width, w = d / s->heads, half = RMIL_NYSTROM_TAPS / 2;
    memcpy(out, outer, (size_t)(s->asked * d) * sizeof *out);
    for (int64_t t = 0; t < s->asked; t++)
        for (int64_t i = MAX(t - half, 0); i <= MIN(t + half, s->length - 1); i++)
            for (int64_t a = 0; a < s->heads; a++) {
                const float tap = taps[a * RMIL_NYSTROM_TAPS + i - t + half], *v = rows + i * 3 * d + 2 * d + a * w;
                float *to = out + t * d + a * w;
#pragma omp simd
                for (int64_t c = 0; c < w; c++) to[c] += tap * v[c];
            }
}

gboolean rmil_nystrom_forward(const RmilNystromShape *s, RmilNystrom *n, const float *taps, RmilArena *arena, GError **error) {
    const int64_t m = s->landmarks, d = s->width, w = d / s->heads;
    landmarks(s, n, 0, n->query);
    landmarks(s, n, d, n->key);
    for (int64_t a = 0; a < s->heads; a++) {
        float *matrix = n->matrix + a * m * m;
        if (!rmil_gemm(FALSE, TRUE, m, m, w, 1, n->query + a * w, d, n->key + a * w, d, 0, matrix, m, error)) return FALSE;
        rmil_softmax_rows(matrix, m, m, m, 1 / sqrtf((float)w), NULL);
    }
    if (!rmil_pinv_forward(n->matrix, s->heads, m, RMIL_NYSTROM_STEPS, n->z, arena, error)) return FALSE;
    const RmilSelfAttention inward = to_sequence(s, n), outward = from_landmarks(s, n);
    if (!rmil_self_attention_forward(&inward, n->inner, n->sums, n->scratch, error)) return FALSE;
    for (int64_t a = 0; a < s->heads; a++)
        if (!rmil_gemm(FALSE, FALSE, m, w, m, 1, n->z + a * m * m, m, n->inner + a * w, d, 0, n->middle + a * w, d, error)) return FALSE;
    if (!rmil_self_attention_forward(&outward, n->outer, n->sums2, n->scratch, error)) return FALSE;
    convolve(s, rmil_nystrom_rows(s, n), taps, n->outer, n->out);
    return TRUE;
}

/* -- backward pass --------------------------------------------------------------------------------------------------------- */

/* dv of the convolution is added to drows, the third part of each row. */
RMIL_CLONES static void convolve_back(const RmilNystromShape *s, const float *rows, const float *taps, const float *dout, float *drows,
                                      float *dtaps) {
    const int64_t d = s->width, w = d / s->heads, half = RMIL_NYSTROM_TAPS / 2;
    for (int64_t t = 0; t < s->asked; t++)
        for (int64_t i = MAX(t - half, 0); i <= MIN(t + half, s->length - 1); i++)
            for (int64_t a = 0; a < s->heads; a++) {
                const int64_t at = a * RMIL_NYSTROM_TAPS + i - t + half;
                const float tap = taps[at], *from = dout + t * d + a * w, *v = rows + i * 3 * d + 2 * d + a * w;
                float *to = drows + i * 3 * d + 2 * d + a * w, sum = 0;
#pragma omp simd reduction(+ : sum)
                for (int64_t c = 0; c < w; c++) {
                    to[c] += tap * from[c];
                    sum += v[c] * from[c];
                }
                dtaps[at] += sum;
            }
}

/* dmatrix, overwritten, becomes the slope of the products before the softmax. */
static void softmax_back(const float *matrix, float *dmatrix, int64_t m, float scale) {
    for (int64_t r = 0; r < m; r++) {
        const float *p = matrix + r * m;
        float *dp = dmatrix + r * m;
        const float mean = (float)rmil_dot(p, dp, m);
        for (int64_t c = 0; c < m; c++) dp[c] = scale * p[c] * (dp[c] - mean);
    }
}

/* Distributes a landmark's slope to the rows of its group. */
static void landmarks_back(const RmilNystromShape *s, const RmilNystrom *n, const float *dlandmarks, int64_t to, float *dprojected) {
    const int64_t d = s->width;
    const float share = 1.0F / (float)n->group;
    for (int64_t row = 0; row < s->landmarks * n->group; row++) {
        const float *from = dlandmarks + row / n->group * d;
        float *x = dprojected + row * 3 * d + to;
        for (int64_t i = 0; i < d; i++) x[i] += share * from[i];
    }
}

/* From dmiddle to dinner and, through Z, to the gradients of the landmarks' queries and keys in their own matrix, which are added. */
static gboolean middle_back(const RmilNystromShape *s, const RmilNystrom *n, const float *dmiddle, float *dinner, float *dquery,
                            float *dkey, RmilArena *arena, GError **error) {
    const int64_t m = s->landmarks, d = s->width, w = d / s->heads;
    float *dz = rmil_arena_floats(arena, 2 * s->heads * m * m, error), *dmatrix = dz + s->heads * m * m;
    if (!dz) return FALSE;
    for (int64_t a = 0; a < s->heads; a++)
        if (!rmil_gemm(TRUE, FALSE, m, w, m, 1, n->z + a * m * m, m, dmiddle + a * w, d, 0, dinner + a * w, d, error) ||
            !rmil_gemm(FALSE, TRUE, m, m, w, 1, dmiddle + a * w, d, n->inner + a * w, d, 0, dz + a * m * m, m, error))
            return FALSE;
    if (!rmil_pinv_backward(n->matrix, s->heads, m, RMIL_NYSTROM_STEPS, dz, dmatrix, arena, error)) return FALSE;
    for (int64_t a = 0; a < s->heads; a++) {
        float *slope = dmatrix + a * m * m;
        softmax_back(n->matrix + a * m * m, slope, m, 1 / sqrtf((float)w));
        if (!rmil_gemm(FALSE, FALSE, m, w, m, 1, slope, m, n->key + a * w, d, 1, dquery + a * w, d, error) ||
            !rmil_gemm(TRUE, FALSE, m, w, m, 1, slope, m, n->query + a * w, d, 1, dkey + a * w, d, error))
            return FALSE;
    }
    return TRUE;
}

gboolean rmil_nystrom_backward(const RmilNystromShape *s, RmilNystrom *n, const float *taps, const float *dout, float *dprojected,
                               float *dtaps, RmilArena *arena, GError **error) {
    const int64_t m = s->landmarks, d = s->width, e = m * n->group, size = m * d;
    float *narrow = rmil_arena_floats(arena, 5 * size, error);
    if (!narrow) return FALSE;
    float *dquery = narrow, *dkey = narrow + size, *dmiddle = narrow + 2 * size, *dinner = narrow + 3 * size, *more = narrow + 4 * size;
    float *drows = dprojected + padding_of(s, n) * 3 * d;
    const RmilSelfAttention inward = to_sequence(s, n), outward = from_landmarks(s, n);
    memset(dprojected, 0, (size_t)(e * 3 * d) * sizeof(float));
    memset(dquery, 0, (size_t)size * sizeof(float));
    if (!rmil_self_attention_backward(&outward, n->outer, n->sums2, dout, drows, dkey, dmiddle, n->scratch, error) ||
        !middle_back(s, n, dmiddle, dinner, dquery, dkey, arena, error) ||
        !rmil_self_attention_backward(&inward, n->inner, n->sums, dinner, more, dprojected + d, dprojected + 2 * d, n->scratch, error))
        return FALSE;
    for (int64_t i = 0; i < size; i++) dquery[i] += more[i];
    landmarks_back(s, n, dquery, 0, dprojected);
    landmarks_back(s, n, dkey, d, dprojected);
    convolve_back(s, rmil_nystrom_rows(s, n), taps, dout, drows, dtaps);
    return TRUE;
}

/* -- attention of the first token ------------------------------------------------------------------------------------------- */

gboolean rmil_nystrom_first_row(const RmilNystromShape *s, const RmilNystrom *n, RmilArena *arena, float *row, GError **error) {
    const int64_t m = s->landmarks, d = s->width, w = d / s->heads;
    const float *rows = rmil_nystrom_rows(s, n), scale = 1 / sqrtf((float)w);
    float *outward = rmil_arena_floats(arena, 2 * m, error), *mixed = outward + m;
    float *products = rmil_arena_floats(arena, s->length, error);
    if (!outward || !products) return FALSE;
    memset(row, 0, (size_t)s->length * sizeof *row);
    for (int64_t a = 0; a < s->heads; a++) {
        rmil_rows_dot(n->key + a * w, d, m, w, rows + a * w, 0, outward);
        rmil_softmax_rows(outward, 1, m, m, scale, NULL);
        rmil_transposed_vector(n->z + a * m * m, m, m, outward, FALSE, mixed);
        for (int64_t j = 0; j < m; j++) {
            const float share = mixed[j] / (float)s->heads, shift = n->sums[a * m + j];
            rmil_rows_dot(rows + d + a * w, 3 * d, s->length, w, n->query + j * d + a * w, 0, products);
            for (int64_t t = 0; t < s->length; t++) row[t] += share * rmil_exp(products[t] * scale - shift);
        }
    }
    return TRUE;
}
