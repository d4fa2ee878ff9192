/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of the models against their definitions in double precision, on odd sizes. */
#include "mil/activation.h"
#include "mil/gated.h"
#include "mil/gemm.h"
#include "mil/layernorm.h"
#include "mil/masked.h"
#include "mil/selfattention.h"
#include "support.h"

#include <math.h>
#include <string.h>

static double normal_cdf(double x) { return 0.5 * erfc(-x / sqrt(2)); }

static void test_activation(void) {
    enum { N = 40003 };
    g_autofree float *x = g_new(float, N), *y = g_new(float, N);
    for (int i = 0; i < N; i++) x[i] = (float)((i - N / 2) * 0.0011 + 1e-7);
    rmil_sigmoid(x, y, N);
    for (int i = 0; i < N; i++) g_assert_cmpfloat_with_epsilon(y[i] * (1 + exp(-(double)x[i])), 1, 3e-7);
    rmil_tanh(x, y, N);
    for (int i = 0; i < N; i++) g_assert_cmpfloat_with_epsilon(y[i] / tanh(x[i]), 1, 3e-7);
    g_autofree float *bias = g_new0(float, N);
    rmil_gelu(x, N, 1, N, bias, y);
    for (int i = 0; i < N; i++) g_assert_cmpfloat_with_epsilon(y[i], x[i] * normal_cdf(x[i]), 1.5e-7 * MAX(1, fabsf(x[i])));
    g_autofree float *slope = g_memdup2(x, N * sizeof(float));
    rmil_gelu_slope(slope, N, 1, N, y);
    for (int i = 0; i < N; i++) {
        double density = exp(-0.5 * x[i] * (double)x[i]) / sqrt(2 * G_PI);
        g_assert_cmpfloat_with_epsilon(y[i], x[i] * normal_cdf(x[i]), 1.5e-7 * MAX(1, fabsf(x[i])));
        g_assert_cmpfloat_with_epsilon(slope[i], normal_cdf(x[i]) + x[i] * density, 2e-7);
    }
    float far[] = {-1e30f, -200, 200, 1e30f};
    float out[4];
    rmil_sigmoid(far, out, 4);
    g_assert_true(out[0] >= 0 && out[0] < 1e-37f && out[1] >= 0 && out[2] == 1 && out[3] == 1);
    rmil_tanh(far, out, 4);
    g_assert_true(out[0] == -1 && out[1] == -1 && out[2] == 1 && out[3] == 1);
    rmil_gelu(far, 4, 1, 4, bias, out);
    g_assert_true(fabsf(out[0]) < 1e-6f && fabsf(out[1]) < 1e-30f && out[2] == 200 && out[3] == far[3]);
}

static void test_softmax(void) {
    for (int n = 1; n < 70; n += 3) {
        g_autofree float *x = g_new(float, 3 * (n + 2)), *y = g_new(float, 3 * (n + 2));
        for (int i = 0; i < 3 * (n + 2); i++) y[i] = x[i] = (float)(30 * sin(i * 7.7 + n));
        float log_sum[3];
        rmil_softmax_rows(y, 3, n, n + 2, 0.25f, log_sum);
        for (int r = 0; r < 3; r++) {
            double sum = 0;
            for (int i = 0; i < n; i++) sum += exp(0.25 * x[r * (n + 2) + i]);
            for (int i = 0; i < n; i++) g_assert_cmpfloat_with_epsilon(y[r * (n + 2) + i], exp(0.25 * x[r * (n + 2) + i]) / sum, 5e-7);
            g_assert_cmpfloat_with_epsilon(log_sum[r], log(sum), 2e-6);
            g_assert_cmpfloat(y[r * (n + 2) + n], ==, x[r * (n + 2) + n]);
        }
    }
}

static float *noise(int64_t n, double scale, uint64_t stream) {
    RmilRng rng;
    rmil_rng_init(&rng, 1, stream);
    float *x = g_new(float, n);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(scale * rmil_rng_normal(&rng));
    return x;
}

static void test_layernorm(void) {
    for (int n = 1; n < 300; n += 37) {
        enum { ROWS = 5 };
        const int ld = n + 3;
        g_autofree float *x = noise(ROWS * ld, 3, 1), *dy = noise(ROWS * n, 1, 2), *w = noise(n, 1, 3), *b = noise(n, 1, 4);
        g_autofree float *y = g_new(float, (ROWS * n)), *dx = g_new0(float, (ROWS * ld)), *dw = g_new0(float, n);
        g_autofree float *db = g_new0(float, n);
        g_autofree double *dw_expected = g_new0(double, n), *db_expected = g_new0(double, n);
        float mean[ROWS], rstd[ROWS];
        rmil_layernorm_forward(x, ld, ROWS, n, w, b, y, mean, rstd);
        rmil_layernorm_backward(x, ld, ROWS, n, w, mean, rstd, dy, dx, ld, dw, db);
        for (int r = 0; r < ROWS; r++) {
            double m = 0, v = 0, g = 0, gh = 0;
            for (int i = 0; i < n; i++) m += (double)x[r * ld + i] / n;
            for (int i = 0; i < n; i++) v += pow((double)x[r * ld + i] - m, 2) / n;
            const double s = 1 / sqrt(v + 1e-5);
            for (int i = 0; i < n; i++) {
                const double h = ((double)x[r * ld + i] - m) * s, d = (double)dy[r * n + i];
                g_assert_cmpfloat_with_epsilon(y[r * n + i], h * w[i] + b[i], 1e-5);
                dw_expected[i] += d * h, db_expected[i] += d;
                g += d * w[i] / n, gh += d * w[i] * h / n;
            }
            for (int i = 0; i < n; i++) {
                const double h = ((double)x[r * ld + i] - m) * s, d = (double)dy[r * n + i];
                g_assert_cmpfloat_with_epsilon(dx[r * ld + i], s * (d * w[i] - g - h * gh), 2e-5 * MAX(1, s));
            }
        }
        for (int i = 0; i < n; i++) {
            g_assert_cmpfloat_with_epsilon(dw[i], dw_expected[i], 2e-5);
            g_assert_cmpfloat_with_epsilon(db[i], db_expected[i], 2e-5);
        }
    }
}

/* Softmax attention of one head in double: out, and the gradients of Σ out ∘ dout. */
static void attention_reference(const RmilSelfAttention *t, int64_t head, const float *dout, double *out, double *dq, double *dk,
                                double *dv) {
    const int64_t w = t->width / t->heads, c = head * w;
    g_autofree double *p = g_new(double, t->keys), *dp = g_new(double, t->keys);
    for (int64_t i = 0; i < t->queries; i++) {
        double sum = 0, inner = 0;
        for (int64_t j = 0; j < t->keys; j++) {
            double s = 0;
            for (int64_t x = c; x < c + w; x++) s += (double)t->q[i * t->ldq + x] * (double)t->k[j * t->ldk + x];
            sum += p[j] = exp(s / sqrt((double)w));
        }
        for (int64_t j = 0; j < t->keys; j++) {
            p[j] /= sum;
            dp[j] = 0;
            for (int64_t x = 0; x < w; x++) {
                out[i * t->width + c + x] += p[j] * (double)t->v[j * t->ldk + c + x];
                dp[j] += (double)dout[i * t->width + c + x] * (double)t->v[j * t->ldk + c + x];
                dv[j * t->width + c + x] += p[j] * (double)dout[i * t->width + c + x];
            }
            inner += p[j] * dp[j];
        }
        for (int64_t j = 0; j < t->keys; j++) {
            const double ds = p[j] * (dp[j] - inner) / sqrt((double)w);
            for (int64_t x = c; x < c + w; x++) {
                dq[i * t->width + x] += ds * (double)t->k[j * t->ldk + x];
                dk[j * t->width + x] += ds * (double)t->q[i * t->ldq + x];
            }
        }
    }
}

/* Rows of 3 in a matrix of 5 columns: the bias stays in x, the columns between are left alone. */
static void test_gelu_rows(void) {
    float x[10], y[10], slope[10], start[10];
    const float bias[] = {-1, 0.5f, 2};
    for (int i = 0; i < 10; i++) start[i] = x[i] = (float)sin(i), y[i] = 7;
    rmil_gelu(x, 5, 2, 3, bias, y);
    memcpy(slope, x, sizeof x);
    for (int i = 0; i < 10; i++) {
        const int column = i % 5;
        const double v = column < 3 ? (double)start[i] + (double)bias[column] : (double)start[i];
        g_assert_cmpfloat_with_epsilon(x[i], v, 1e-6);
        g_assert_cmpfloat_with_epsilon(y[i], column < 3 ? v * normal_cdf(v) : 7, 1e-6);
    }
    rmil_gelu_slope(slope, 5, 2, 3, y);
    for (int i = 0; i < 10; i++) {
        const double v = x[i], expected = normal_cdf(v) + v * exp(-0.5 * v * v) / sqrt(2 * G_PI);
        g_assert_cmpfloat_with_epsilon(slope[i], i % 5 < 3 ? expected : v, 1e-6);
    }
}

/* Attention of the first tokens alone against projections and attention of the whole: 3 sequences. */
static void test_first_attention(void) {
    static const int64_t lengths[] = {1, 2, 33};
    enum { HEADS = 2, WIDTH = 10, SEQUENCES = 3, W = 3 * WIDTH };
    for (gsize c = 0; c < G_N_ELEMENTS(lengths); c++) {
        const int64_t n = lengths[c], rows = SEQUENCES * n;
        g_autofree float *h = noise(rows * WIDTH, 1, 1), *w = noise(W * WIDTH, 1, 2), *b = noise(W, 1, 3);
        g_autofree float *dout = noise(SEQUENCES * WIDTH, 1, 4), *all = g_new(float, (rows * W));
        g_autofree float *kept = g_new(float, rmil_first_attention_kept(SEQUENCES, n, WIDTH, HEADS));
        g_autofree float *scratch = g_new(float, rmil_first_attention_scratch(n, WIDTH)), *dh = g_new(float, (rows * WIDTH));
        float out[SEQUENCES * WIDTH], dw[W * WIDTH] = {0}, db[W] = {0};
        const RmilFirstAttention first = {.sequences = SEQUENCES, .length = n, .width = WIDTH, .heads = HEADS, .w = w, .b = b, .h = h};
        rmil_first_attention_forward(&first, out, kept);
        rmil_first_attention_backward(&first, kept, dout, dh, dw, db, scratch);
        for (int64_t r = 0; r < rows * W; r++) {
            double sum = b[r % W];
            for (int i = 0; i < WIDTH; i++) sum += (double)h[r / W * WIDTH + i] * (double)w[r % W * WIDTH + i];
            all[r] = (float)sum;
        }
        g_autofree double *expected = g_new0(double, (SEQUENCES * WIDTH)), *slopes = g_new0(double, (rows * W));
        for (int64_t s = 0; s < SEQUENCES; s++) { /* slopes of q, k and v, each rows × width */
            const float *q = all + s * n * W;
            const RmilSelfAttention t =
                {.queries = 1, .keys = n, .width = WIDTH, .heads = HEADS, .q = q, .k = q + WIDTH, .v = q + 2 * WIDTH, .ldq = W, .ldk = W};
            double *dq = slopes + s * n * WIDTH;
            for (int64_t a = 0; a < HEADS; a++)
                attention_reference(&t, a, dout + s * WIDTH, expected + s * WIDTH, dq, dq + rows * WIDTH, dq + 2 * rows * WIDTH);
        }
        for (int i = 0; i < SEQUENCES * WIDTH; i++) g_assert_cmpfloat_with_epsilon(out[i], expected[i], 1e-5);
        for (int64_t i = 0; i < rows * WIDTH; i++) {
            double sum = 0;
            for (int64_t o = 0; o < W; o++)
                sum += slopes[o / WIDTH * rows * WIDTH + i / WIDTH * WIDTH + o % WIDTH] * (double)w[o * WIDTH + i % WIDTH];
            g_assert_cmpfloat_with_epsilon(dh[i], sum, 3e-5);
        }
        for (int64_t o = 0; o < W; o++) {
            const double *slope = slopes + o / WIDTH * rows * WIDTH + o % WIDTH;
            double sum = 0;
            for (int64_t r = 0; r < rows; r++) sum += slope[r * WIDTH];
            g_assert_cmpfloat_with_epsilon(db[o], sum, 2e-5);
            for (int i = 0; i < WIDTH; i++) {
                sum = 0;
                for (int64_t r = 0; r < rows; r++) sum += slope[r * WIDTH] * (double)h[r * WIDTH + i];
                g_assert_cmpfloat_with_epsilon(dw[o * WIDTH + i], sum, 5e-5);
            }
        }
    }
}

/* 700 × 700 goes in strips. */
static void test_self_attention(void) {
    static const int64_t sizes[][2] = {{1, 1}, {1, 7}, {5, 5}, {33, 33}, {1, 257}, {700, 700}};
    enum { HEADS = 2, WIDTH = 10, LDQ = 13, LDK = 25 };
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        const int64_t m = sizes[i][0], n = sizes[i][1];
        g_autofree float *q = noise(m * LDQ, 1, 1), *k = noise(n * LDK, 1, 2), *dout = noise(m * WIDTH, 1, 3);
        g_autofree float *out = g_new(float, (m * WIDTH)), *log_sum = g_new(float, (m * HEADS)), *dq = g_new(float, (m * LDQ));
        g_autofree float *dk = g_new(float, (n * LDK)), *scratch = g_new(float, rmil_self_attention_scratch(m, n));
        g_autofree double *expected = g_new0(double, (2 * m + 2 * n) * WIDTH);
        double *eq = expected + m * WIDTH, *ek = eq + m * WIDTH, *ev = ek + n * WIDTH;
        RmilSelfAttention t =
            {.queries = m, .keys = n, .width = WIDTH, .heads = HEADS, .q = q, .k = k, .v = k + WIDTH, .ldq = LDQ, .ldk = LDK};
        GError *error = NULL;
        g_assert_true(rmil_self_attention_forward(&t, out, log_sum, scratch, &error));
        g_assert_true(rmil_self_attention_backward(&t, out, log_sum, dout, dq, dk, dk + WIDTH, scratch, &error));
        for (int64_t h = 0; h < HEADS; h++) attention_reference(&t, h, dout, expected, eq, ek, ev);
        for (int64_t r = 0; r < m * WIDTH; r++) {
            g_assert_cmpfloat_with_epsilon(out[r], expected[r], 1e-5);
            g_assert_cmpfloat_with_epsilon(dq[r / WIDTH * LDQ + r % WIDTH], eq[r], 2e-5);
        }
        for (int64_t r = 0; r < n * WIDTH; r++) {
            g_assert_cmpfloat_with_epsilon(dk[r / WIDTH * LDK + r % WIDTH], ek[r], 2e-5);
            g_assert_cmpfloat_with_epsilon(dk[r / WIDTH * LDK + WIDTH + r % WIDTH], ev[r], 2e-5);
        }
    }
}

static void test_gated(void) {
    enum { ROWS = 7, M = 11, LD = 2 * M + 3 };
    for (int classes = 1; classes < 3; classes++) {
        g_autofree float *u = noise(ROWS * LD, 1, 1), *w = noise(classes * M, 1, 2), *bias = noise(2 * M + 2, 1, 3);
        g_autofree float *ds = noise(classes * ROWS, 1, 4), *start = g_memdup2(u, ROWS * LD * sizeof(float));
        float scores[2 * ROWS], dw[2 * M] = {0}, da[M] = {0}, db[M] = {0};
        double dw_expected[2 * M] = {0}, da_expected[M] = {0}, db_expected[M] = {0};
        rmil_gated_forward(u, LD, ROWS, M, bias, bias + M);
        rmil_gated_scores(u, LD, ROWS, M, w, bias + 2 * M, classes, scores, ROWS);
        rmil_gated_backward(u, LD, ROWS, M, w, classes, ds, ROWS, 1, dw, da, db);
        for (int k = 0; k < ROWS; k++) {
            double s[2] = {bias[2 * M], bias[2 * M + 1]};
            for (int i = 0; i < M; i++) {
                const double a = tanh((double)start[LD * k + i] + (double)bias[i]);
                const double b = 1 / (1 + exp(-(double)start[LD * k + M + i] - (double)bias[M + i]));
                double d = 0;
                for (int c = 0; c < classes; c++) {
                    s[c] += a * b * (double)w[c * M + i];
                    d += (double)ds[c * ROWS + k] * (double)w[c * M + i];
                    dw_expected[c * M + i] += (double)ds[c * ROWS + k] * a * b;
                }
                g_assert_cmpfloat_with_epsilon(u[LD * k + i], d * b * (1 - a * a), 2e-6);
                g_assert_cmpfloat_with_epsilon(u[LD * k + M + i], d * a * b * (1 - b), 2e-6);
                da_expected[i] += d * b * (1 - a * a), db_expected[i] += d * a * b * (1 - b);
            }
            for (int c = 0; c < classes; c++) g_assert_cmpfloat_with_epsilon(scores[c * ROWS + k], s[c], 4e-6);
        }
        for (int i = 0; i < classes * M; i++) g_assert_cmpfloat_with_epsilon(dw[i], dw_expected[i], 4e-6);
        for (int i = 0; i < M; i++) {
            g_assert_cmpfloat_with_epsilon(da[i], da_expected[i], 4e-6);
            g_assert_cmpfloat_with_epsilon(db[i], db_expected[i], 4e-6);
        }
    }
}

static void round_to_bfloat16(float *x, int64_t n) {
    g_autofree uint16_t *half = g_new(uint16_t, n);
    rmil_to_bfloat16(x, n, half);
    rmil_from_bfloat16(half, n, x);
}

/* X Wᵀ and G + Zᵀ X in both precisions, at sizes of which some go through panels; every 37th entry in double. */
static void test_features(void) {
    static const int64_t dims[] = {1024, 40}, widths[] = {7, 256, 300};
    enum { ROWS = 601 };
    g_autoptr(RmilArena) arena = rmil_arena_new();
    for (int c = 0; c < 12; c++) {
        const int64_t d = dims[c & 1], n = widths[c % 3], ld = n + 3;
        const RmilPrecision precision = c >= 6 ? RMIL_BFLOAT16 : RMIL_FLOAT32;
        g_autofree float *x = noise(ROWS * d, 1, 1), *w = noise(n * d, 1, 2), *z = noise(ROWS * ld, 1, 3);
        g_autofree float *out = g_new(float, (ROWS * ld)), *g = g_new(float, (n * d));
        g_autofree uint16_t *half = g_new(uint16_t, ROWS * d);
        rmil_to_bfloat16(x, ROWS * d, half);
        if (precision == RMIL_BFLOAT16) rmil_from_bfloat16(half, ROWS * d, x);
        const RmilFeatures features = {precision == RMIL_BFLOAT16 ? (const void *)half : x, ROWS, d, precision};
        const double allowed = 1e-3;
        GError *error = NULL;
        rmil_arena_reset(arena);
        if (rmil_features_native(precision)) { /* native products round W and Z, too */
            round_to_bfloat16(w, n * d);
            round_to_bfloat16(z, ROWS * ld);
        }
        RmilTransposed wt;
        g_assert_true(rmil_transpose(w, n, d, precision, arena, &wt, &error));
        g_assert_true(rmil_features_forward(&features, &wt, n, out, ld, arena, &error));
        g_assert_true(rmil_features_backward(&features, z, ld, n, FALSE, g, arena, &error));
        g_assert_true(rmil_features_backward(&features, z, ld, n, TRUE, g, arena, &error));
        for (int64_t i = 0; i < ROWS * n; i += 37) {
            double sum = 0;
            for (int64_t j = 0; j < d; j++) sum += (double)x[i / n * d + j] * (double)w[i % n * d + j];
            g_assert_cmpfloat_with_epsilon(out[i / n * ld + i % n], sum, allowed);
        }
        for (int64_t i = 0; i < n * d; i += 37) {
            double sum = 0;
            for (int64_t j = 0; j < ROWS; j++) sum += 2 * (double)z[j * ld + i / d] * (double)x[j * d + i % d];
            g_assert_cmpfloat_with_epsilon(g[i], sum, 2 * allowed);
        }
    }
}

/* The sum of two terms under a mask, by tables and by a product, against its definition: few rows, several panels, rows and
 * entries of weight 0, columns that fill no vector; and a NaN is not lost. */
static void test_masked(void) {
    static const struct {
        int64_t rows, n, d;
    } cases[] = {{1, 32, 16}, {7, 33, 17}, {40, 40, 100}, {41, 5, 40}, {601, 37, 45}, {1303, 32, 1024}};
    g_autoptr(RmilArena) arena = rmil_arena_new();
    for (gsize c = 0; c < 2 * G_N_ELEMENTS(cases); c++) {
        const int64_t rows = cases[c / 2].rows, n = cases[c / 2].n, d = cases[c / 2].d;
        g_autofree float *x = noise(rows * d, 1, 1), *r = noise(rows * n, 1, 2), *a = noise(rows, 1, 3), *b = noise(rows, 1, 4);
        g_autofree float *u = noise(n, 1, 5), *v = noise(n, 1, 6), *g = g_new(float, (n * d));
        g_autofree uint16_t *half = g_new(uint16_t, rows * d);
        rmil_to_bfloat16(x, rows * d, half);
        if (c & 1) rmil_from_bfloat16(half, rows * d, x);
        for (int64_t k = 0; k < rows; k++) {
            if (k % 3 != 1) a[k] = 0; /* as the threshold does */
            if (k % 5 == 4) b[k] = 0;
        }
        const RmilFeatures features = {c & 1 ? (const void *)half : x, rows, d, c & 1 ? RMIL_BFLOAT16 : RMIL_FLOAT32};
        const RmilMaskedTerm terms[] = {{a, u}, {b, v}};
        GError *error = NULL;
        rmil_arena_reset(arena);
        g_assert_true(rmil_masked_backward(&features, r, n, terms, 2, g, arena, &error));
        for (int64_t i = 0; i<n * d; i += rows> 1000 ? 37 : 1) {
            double sum = 0;
            for (int64_t k = 0; k < rows; k++) {
                double dz = (double)a[k] * (double)u[i / d] + (double)b[k] * (double)v[i / d];
                if (rmil_features_native(features.precision)) { /* native products round it */
                    float narrow = a[k] * u[i / d] + b[k] * v[i / d];
                    round_to_bfloat16(&narrow, 1);
                    dz = (double)narrow;
                }
                if (r[k * n + i / d] > 0) sum += dz * (double)x[k * d + i % d];
            }
            g_assert_cmpfloat_with_epsilon(g[i], sum, 1e-3);
        }
        memset(a, 0, (size_t)rows * sizeof *a);
        memset(b, 0, (size_t)rows * sizeof *b);
        g_assert_true(rmil_masked_backward(&features, r, n, terms, 2, g, arena, &error));
        for (int64_t i = 0; i < n * d; i++) g_assert_cmpfloat(g[i], ==, 0);
        if (c & 1) continue;
        x[(rows - 1) * d] = NAN;
        a[rows - 1] = 1;
        for (int64_t i = 0; i < n; i++) r[(rows - 1) * n + i] = 0; /* as relu leaves it */
        g_assert_true(rmil_masked_backward(&features, r, n, terms, 2, g, arena, &error));
        for (int64_t i = 0; i < n; i++) g_assert_true(isnan(g[i * d]));
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mil/activation", test_activation);
    g_test_add_func("/mil/softmax", test_softmax);
    g_test_add_func("/mil/layernorm", test_layernorm);
    g_test_add_func("/mil/self-attention", test_self_attention);
    g_test_add_func("/mil/gated", test_gated);
    g_test_add_func("/mil/gelu-rows", test_gelu_rows);
    g_test_add_func("/mil/first-attention", test_first_attention);
    g_test_add_func("/mil/features", test_features);
    g_test_add_func("/mil/masked", test_masked);
    return g_test_run();
}
