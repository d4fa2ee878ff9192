/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of a vision transformer. */
#include "vit-block.h"

#include "function.h"

#include <math.h>

enum { PIECE = 96 }; /* queries whose scores are in the cache at once: whole tiles for every kernel */

/* -- weights ---------------------------------------------------------------------------------------------------------------- */

gboolean rmil_vit_norm_init(RmilVitNorm *norm, const RmilVitWeights *weights, RmilVitPart part, int64_t block, GError **error) {
    return rmil_vit_weights_read(weights, part, block, &norm->weight, &norm->bias, error);
}

void rmil_vit_norm_clear(RmilVitNorm *norm) {
    rmil_free(norm->weight);
    rmil_free(norm->bias);
}

/* A product from the file; scale: the layer scale that multiplies its outputs; RMIL_VIT_PARTS: none. */
static gboolean read_product(RmilProduct *product, const RmilVitWeights *weights, RmilVitPart part, RmilVitPart scale, int64_t block,
                             RmilProductKind kind, RmilPrecision precision, int64_t out, int64_t in, GError **error) {
    float *values = NULL, *bias = NULL;
    const gboolean done = rmil_vit_weights_scaled(weights, part, scale, block, &values, &bias, error) &&
                          rmil_product_init(product, kind, precision, out, in, values, bias, error);
    rmil_free(values);
    rmil_free(bias);
    return done;
}

gboolean rmil_vit_block_init(RmilVitBlock *block, const RmilVitWeights *weights, int64_t index, RmilPrecision precision, GError **error) {
    const RmilVitShape *s = rmil_vit_weights_shape(weights);
    const int64_t e = s->embed;
    const RmilVitPart none = RMIL_VIT_PARTS, scale1 = s->layer_scale ? RMIL_VIT_SCALE1 : none,
                      scale2 = s->layer_scale ? RMIL_VIT_SCALE2 : none;
    const RmilProductKind kind = s->gated ? RMIL_PRODUCT_SWIGLU : RMIL_PRODUCT_GELU;
    const gboolean done = rmil_vit_norm_init(&block->norm1, weights, RMIL_VIT_NORM1, index, error) &&
                          rmil_vit_norm_init(&block->norm2, weights, RMIL_VIT_NORM2, index, error) &&
                          read_product(&block->qkv, weights, RMIL_VIT_QKV, none, index, RMIL_PRODUCT_PLAIN, precision, 3 * e, e, error) &&
                          read_product(&block->projection, weights, RMIL_VIT_PROJECTION, scale1, index, RMIL_PRODUCT_ADD, precision, e, e,
                                       error) &&
                          read_product(&block->inner, weights, RMIL_VIT_INNER, none, index, kind, precision, s->inner, e, error) &&
                          read_product(&block->outer, weights, RMIL_VIT_OUTER, scale2, index, RMIL_PRODUCT_ADD, precision, e, s->outer,
                                       error);
    block->qkv.shorten = block->inner.shorten = precision == RMIL_BFLOAT16;
    return done;
}

void rmil_vit_block_clear(RmilVitBlock *block) {
    rmil_vit_norm_clear(&block->norm1);
    rmil_vit_norm_clear(&block->norm2);
    rmil_product_clear(&block->qkv);
    rmil_product_clear(&block->projection);
    rmil_product_clear(&block->inner);
    rmil_product_clear(&block->outer);
}

/* -- memory ----------------------------------------------------------------------------------------------------------------- */

gboolean rmil_vit_memory_init(RmilVitMemory *m, const RmilVitSizes *s, int64_t batch, int64_t patch_inputs, GError **error) {
    const int64_t rows = batch * s->tokens, head = s->embed / s->heads, width = rmil_product_stride(s->tokens);
    const size_t number = rmil_precision_bytes(s->precision);
    return (m->x = rmil_alloc(rows, (size_t)s->stride * sizeof(float), error)) &&
           (m->normed = rmil_alloc(rows, (size_t)MAX(s->stride, rmil_product_stride(patch_inputs)) * number, error)) &&
           (m->wide = rmil_alloc(rows, (size_t)s->wide * number, error)) &&
           (m->scores = rmil_alloc(PIECE, (size_t)width * sizeof(float), error)) &&
           (m->chances = rmil_alloc(PIECE, (size_t)width * sizeof *m->chances, error)) &&
           (m->line = rmil_alloc(s->embed, sizeof(float), error)) &&
           (m->keys = rmil_alloc((int64_t)rmil_product_bytes(s->precision, s->tokens, head), 1, error)) &&
           (m->values = rmil_alloc((int64_t)rmil_product_bytes(s->precision, head, s->tokens), 1, error));
}

void rmil_vit_memory_clear(RmilVitMemory *m) {
    rmil_free(m->x);
    rmil_free(m->normed);
    rmil_free(m->wide);
    rmil_free(m->scores);
    rmil_free(m->chances);
    rmil_free(m->line);
    rmil_free(m->keys);
    rmil_free(m->values);
}

/* -- norm ------------------------------------------------------------------------------------------------------------------- */

/* y = (x − mean) / √(variance + eps) · weight + bias, over n numbers. */
RMIL_CLONES static void normalise(const float *restrict x, const float *restrict weight, const float *restrict bias, int64_t n, double eps,
                                  float *restrict y) {
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += x[i];
    const float mean = sum / (float)n;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    const float scale = (float)(1 / sqrt((double)(squares / (float)n) + eps));
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

void rmil_vit_normalise(const RmilVitNorm *norm, const RmilVitSizes *s, const float *x, float *y) {
    normalise(x, norm->weight, norm->bias, s->embed, s->eps, y);
}

/* Rows of x to inputs of products. bfloat16: through `line`, one row of floats. */
static void normalise_rows(const RmilVitNorm *norm, const RmilVitSizes *s, RmilVitMemory *m, int64_t rows) {
    for (int64_t row = 0; row < rows; row++) {
        const float *x = m->x + row * s->stride;
        if (s->precision == RMIL_BFLOAT16) {
            rmil_vit_normalise(norm, s, x, m->line);
            rmil_to_bfloat16(m->line, s->embed, (uint16_t *)m->normed + row * s->stride);
        } else {
            rmil_vit_normalise(norm, s, x, (float *)m->normed + row * s->stride);
        }
    }
}

/* -- attention -------------------------------------------------------------------------------------------------------------- */

/* Replaces n scores by e^(scale · (score − largest)); returns 1 / their sum. */
RMIL_CLONES static float soften(float *restrict scores, int64_t n, float scale) {
    float most = scores[0], sum = 0;
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < n; i++) most = scores[i] > most ? scores[i] : most;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        scores[i] = rmil_exp((scores[i] - most) * scale);
        sum += scores[i];
    }
    return 1 / sum;
}

/* One head of one tile: its first `queries` tokens attend to all tokens. from: the tile's rows of qkv; to: rows of the projection's
 * input. */
static void attend(const RmilVitSizes *s, RmilVitMemory *m, int64_t head, int64_t queries, const char *from, char *to) {
    const int64_t size = s->embed / s->heads, number = (int64_t)rmil_precision_bytes(s->precision), width = rmil_product_stride(s->tokens);
    const char *query = from + head * size * number, *key = query + s->embed * number, *value = key + s->embed * number;
    const RmilProduct keys = rmil_product_rows(RMIL_PRODUCT_SCALE, s->precision, s->tokens, size, key, s->wide, m->keys);
    RmilProduct values = rmil_product_columns(RMIL_PRODUCT_SCALE, s->precision, size, s->tokens, value, s->wide, m->values);
    values.shorten = s->precision == RMIL_BFLOAT16;
    const float scale = (float)(1 / sqrt((double)size));
    float inverse[PIECE];
    for (int64_t first = 0; first < queries; first += PIECE) {
        const int64_t rows = MIN(PIECE, queries - first);
        rmil_product_run(&keys, rows, query + first * s->wide * number, s->wide, m->scores, width, NULL);
        for (int64_t row = 0; row < rows; row++) {
            float *scores = m->scores + row * width;
            inverse[row] = soften(scores, s->tokens, scale);
            if (s->precision == RMIL_BFLOAT16) rmil_to_bfloat16(scores, s->tokens, m->chances + row * width);
        }
        rmil_product_run(&values, rows, s->precision == RMIL_BFLOAT16 ? (const void *)m->chances : m->scores, width,
                         to + (first * s->stride + head * size) * number, s->stride, inverse);
    }
}

/* -- the block -------------------------------------------------------------------------------------------------------------- */

void rmil_vit_block_run(const RmilVitBlock *b, const RmilVitSizes *s, RmilVitMemory *m, int64_t tiles, gboolean only_class) {
    const int64_t number = (int64_t)rmil_precision_bytes(s->precision), queries = only_class ? 1 : s->tokens, rows = tiles * queries;
    normalise_rows(&b->norm1, s, m, tiles * s->tokens);
    rmil_product_run(&b->qkv, tiles * s->tokens, m->normed, s->stride, m->wide, s->wide, NULL);
    for (int64_t tile = 0; tile < tiles; tile++)
        for (int64_t head = 0; head < s->heads; head++)
            attend(s, m, head, queries, (const char *)m->wide + tile * s->tokens * s->wide * number,
                   (char *)m->normed + tile * queries * s->stride * number);
    for (int64_t tile = 1; only_class && tile < tiles; tile++)
        memcpy(m->x + tile * s->stride, m->x + tile * s->tokens * s->stride, (size_t)s->embed * sizeof(float));
    rmil_product_run(&b->projection, rows, m->normed, s->stride, m->x, s->stride, NULL);
    normalise_rows(&b->norm2, s, m, rows);
    rmil_product_run(&b->inner, rows, m->normed, s->stride, m->wide, s->wide, NULL);
    rmil_product_run(&b->outer, rows, m->wide, s->wide, m->x, s->stride, NULL);
}
