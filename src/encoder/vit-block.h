/* SPDX-License-Identifier: Apache-2.0 */
/* One block of a vision transformer: x += attention(norm(x)); x += mlp(norm(x)). */
#ifndef RMIL_VIT_BLOCK_H
#define RMIL_VIT_BLOCK_H

#include "product.h"
#include "vit.h"

typedef struct {
    float *weight, *bias; /* (embed) */
} RmilVitNorm;

typedef struct {
    RmilVitNorm norm1, norm2;
    RmilProduct qkv, projection, inner, outer; /* the layer scales are folded into projection and outer */
} RmilVitBlock;

/* Sizes shared by all blocks and workers. */
typedef struct {
    int64_t embed, heads, tokens; /* tokens per tile */
    int64_t stride, wide;         /* distance of rows in numbers: of x and normed; of qkv and the MLP's inner layer */
    double eps;
    RmilPrecision precision;
} RmilVitSizes;

/* A worker's memory for a batch of tiles. */
typedef struct {
    float *x;            /* (batch · tokens, stride): the tokens */
    void *normed, *wide; /* (batch · tokens, stride) and (…, wide), in the precision: inputs of products */
    float *line;         /* (embed) */
    float *scores;       /* (rows of one piece of attention, stride of tokens) */
    uint16_t *chances;   /* the same in bfloat16 */
    void *keys, *values; /* of one head, as panels */
} RmilVitMemory;

gboolean rmil_vit_block_init(RmilVitBlock *block, const RmilVitWeights *weights, int64_t index, RmilPrecision precision, GError **error);
void rmil_vit_block_clear(RmilVitBlock *block);
gboolean rmil_vit_norm_init(RmilVitNorm *norm, const RmilVitWeights *weights, RmilVitPart part, int64_t block, GError **error);
void rmil_vit_norm_clear(RmilVitNorm *norm);

gboolean rmil_vit_memory_init(RmilVitMemory *memory, const RmilVitSizes *sizes, int64_t batch, int64_t patch_inputs, GError **error);
void rmil_vit_memory_clear(RmilVitMemory *memory);

/* x of this many tiles, in place. only_class: afterwards x has one row per tile, its class token. */
void rmil_vit_block_run(const RmilVitBlock *block, const RmilVitSizes *sizes, RmilVitMemory *memory, int64_t tiles, gboolean only_class);
/* One row of x, normalised, as float32. */
void rmil_vit_normalise(const RmilVitNorm *norm, const RmilVitSizes *sizes, const float *x, float *y);

#endif
