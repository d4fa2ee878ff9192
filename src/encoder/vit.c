/* SPDX-License-Identifier: Apache-2.0 */
/* A vision transformer from pixels to features. */
#include "vit.h"

#include "vit-block.h"
#include "vit-start.h"

enum { FAST_ROWS = 400 }; /* rows of a product that make reading its weights worthwhile */

struct _RmilVit {
    RmilVitConfig config;
    RmilVitSizes sizes;
    int64_t side, patch, depth, before; /* patches per side of a tile; pixels per side of a patch; tokens before the patches */
    RmilProduct embedding;
    float *start; /* (tokens, embed): a tile's tokens before its pixels are added: positions, class token, registers */
    RmilVitBlock *blocks;
    RmilVitNorm norm;
    RmilVitMemory *workers;
    float input[3][256]; /* pixel value -> input, by channel */
};

/* -- building --------------------------------------------------------------------------------------------------------------- */

static gboolean read_embedding(RmilVit *v, const RmilVitWeights *weights, GError **error) {
    float *values, *bias;
    if (!rmil_vit_weights_read(weights, RMIL_VIT_PATCH, -1, &values, &bias, error)) return FALSE;
    const gboolean done = rmil_product_init(&v->embedding, RMIL_PRODUCT_ADD, v->config.precision, v->sizes.embed, 3 * v->patch * v->patch,
                                            values, bias, error);
    rmil_free(values);
    rmil_free(bias);
    return done;
}

RmilVit *rmil_vit_new(const RmilVitWeights *weights, const RmilVitConfig *config, GError **error) {
    const RmilVitShape *s = rmil_vit_weights_shape(weights);
    if (!rmil_vit_check(weights, config, error) || !rmil_product_can(config->precision, error)) return NULL;
    g_autoptr(RmilVit) v = g_new0(RmilVit, 1);
    v->config = *config;
    v->patch = s->patch;
    v->depth = s->depth;
    v->side = config->side / s->patch;
    v->before = 1 + s->registers;
    v->sizes = (RmilVitSizes){.embed = s->embed,
                              .heads = config->heads,
                              .tokens = v->before + v->side * v->side,
                              .stride = rmil_product_stride(s->embed),
                              .wide = rmil_product_stride(MAX(3 * s->embed, s->outer)),
                              .eps = config->eps,
                              .precision = config->precision};
    if (v->config.batch < 1) v->config.batch = (int)CLAMP(FAST_ROWS / v->sizes.tokens, 1, 64);
    for (int c = 0; c < 3; c++)
        for (int value = 0; value < 256; value++) v->input[c][value] = (float)((value / 255.0 - config->mean[c]) / config->sd[c]);
    v->blocks = g_new0(RmilVitBlock, s->depth);
    v->workers = g_new0(RmilVitMemory, config->workers);
    gboolean done = read_embedding(v, weights, error) && (v->start = rmil_vit_start_new(weights, config, error)) &&
                    rmil_vit_norm_init(&v->norm, weights, RMIL_VIT_NORM, -1, error);
    for (int64_t i = 0; done && i < s->depth; i++) done = rmil_vit_block_init(&v->blocks[i], weights, i, config->precision, error);
    for (int i = 0; done && i < config->workers; i++)
        done = rmil_vit_memory_init(&v->workers[i], &v->sizes, v->config.batch, 3 * s->patch * s->patch, error);
    return done ? g_steal_pointer(&v) : NULL;
}

void rmil_vit_free(RmilVit *v) {
    if (!v) return;
    for (int64_t i = 0; i < v->depth; i++) rmil_vit_block_clear(&v->blocks[i]);
    for (int i = 0; i < v->config.workers; i++) rmil_vit_memory_clear(&v->workers[i]);
    rmil_vit_norm_clear(&v->norm);
    rmil_product_clear(&v->embedding);
    rmil_free(v->start);
    g_free(v->blocks);
    g_free(v->workers);
    g_free(v);
}

int rmil_vit_dim(const RmilVit *v) { return (int)v->sizes.embed * (v->config.pooling == RMIL_VIT_CLASS_MEAN ? 2 : 1); }
int rmil_vit_batch(const RmilVit *v) { return v->config.batch; }
int64_t rmil_vit_tokens(const RmilVit *v) { return v->sizes.tokens; }
int64_t rmil_vit_patches(const RmilVit *v) { return v->side * v->side; }

/* -- running ---------------------------------------------------------------------------------------------------------------- */

/* A tile's patches as rows of inputs (channel, y, x), the order of the convolution's weights, from pixels or planes. */
static void cut(const RmilVit *v, const uint8_t *rgb, const float *planes, void *rows, int64_t stride) {
    const int64_t p = v->patch, side = v->config.side;
    for (int64_t patch = 0; patch < v->side * v->side; patch++) {
        const int64_t top = patch / v->side * p, left = patch % v->side * p;
        int64_t at = patch * stride;
        for (int64_t c = 0; c < 3; c++)
            for (int64_t y = 0; y < p; y++)
                for (int64_t x = 0; x < p; x++, at++) {
                    const int64_t pixel = (top + y) * side + left + x;
                    const float value = rgb ? v->input[c][rgb[3 * pixel + c]] : planes[c * side * side + pixel];
                    if (v->config.precision == RMIL_BFLOAT16) ((uint16_t *)rows)[at] = rmil_bfloat16(value);
                    else ((float *)rows)[at] = value;
                }
    }
}

/* Tiles to tokens before the last norm; only_class: one row per tile. */
static void run_batch(const RmilVit *v, RmilVitMemory *m, const uint8_t *rgb, const float *planes, int64_t tiles, gboolean only_class) {
    const RmilVitSizes *s = &v->sizes;
    const int64_t pixels = (int64_t)v->config.side * v->config.side * 3, stride = rmil_product_stride(3 * v->patch * v->patch);
    for (int64_t tile = 0; tile < tiles; tile++) {
        float *x = m->x + tile * s->tokens * s->stride;
        for (int64_t row = 0; row < s->tokens; row++) memcpy(x + row * s->stride, v->start + row * s->embed, (size_t)s->embed * sizeof *x);
        cut(v, rgb ? rgb + tile * pixels : NULL, rgb ? NULL : planes + tile * pixels, m->normed, stride);
        rmil_product_run(&v->embedding, v->side * v->side, m->normed, stride, x + v->before * s->stride, s->stride, NULL);
    }
    for (int64_t i = 0; i < v->depth; i++) rmil_vit_block_run(&v->blocks[i], s, m, tiles, only_class && i == v->depth - 1);
}

/* Mean of the patches' tokens after the last norm; each one passes through y (embed). */
static void add_mean(const RmilVit *v, const float *x, float *line, float *mean) {
    const RmilVitSizes *s = &v->sizes;
    const int64_t patches = v->side * v->side;
    memset(mean, 0, (size_t)s->embed * sizeof *mean);
    for (int64_t row = 0; row < patches; row++) {
        rmil_vit_normalise(&v->norm, s, x + (v->before + row) * s->stride, line);
        for (int64_t i = 0; i < s->embed; i++) mean[i] += line[i] / (float)patches;
    }
}

void rmil_vit_run(RmilVit *v, int worker, const uint8_t *rgb, int count, float *features) {
    RmilVitMemory *m = &v->workers[worker];
    const RmilVitSizes *s = &v->sizes;
    const RmilVitPooling pooling = v->config.pooling;
    const int64_t pixels = (int64_t)v->config.side * v->config.side * 3, dim = rmil_vit_dim(v);
    const int64_t rows = pooling == RMIL_VIT_CLASS ? 1 : s->tokens; /* number of output tokens per tile */
    for (int64_t first = 0; first < count; first += v->config.batch) {
        const int64_t tiles = MIN(v->config.batch, count - first);
        run_batch(v, m, rgb + first * pixels, NULL, tiles, pooling == RMIL_VIT_CLASS);
        for (int64_t tile = 0; tile < tiles; tile++) {
            const float *x = m->x + tile * rows * s->stride;
            float *to = features + (first + tile) * dim;
            if (pooling != RMIL_VIT_MEAN) rmil_vit_normalise(&v->norm, s, x, to);
            if (pooling != RMIL_VIT_CLASS) add_mean(v, x, m->line, pooling == RMIL_VIT_MEAN ? to : to + s->embed);
        }
    }
}

void rmil_vit_look(RmilVit *v, int worker, const float *planes, int count, float *tokens) {
    RmilVitMemory *m = &v->workers[worker];
    const RmilVitSizes *s = &v->sizes;
    const int64_t pixels = (int64_t)v->config.side * v->config.side * 3;
    for (int64_t first = 0; first < count; first += v->config.batch) {
        const int64_t tiles = MIN(v->config.batch, count - first);
        run_batch(v, m, NULL, planes + first * pixels, tiles, FALSE);
        for (int64_t row = 0; row < tiles * s->tokens; row++)
            rmil_vit_normalise(&v->norm, s, m->x + row * s->stride, tokens + (first * s->tokens + row) * s->embed);
    }
}
