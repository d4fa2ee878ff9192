/* SPDX-License-Identifier: Apache-2.0 */
/* A pre-norm transformer block, as the released code builds it from PyTorch's layers:
 *   y = x₁ + fc2(GELU(fc1(LayerNorm₂(x₁)))),   x₁ = x + out(attention(in(LayerNorm₁(x))))
 * over many sequences of one length at once. If only the first token of every sequence is requested, the rest of the block's output is not
 * computed. */
#ifndef RMIL_MIL_TRANSFORMER_H
#define RMIL_MIL_TRANSFORMER_H

#include "model.h"

typedef struct {
    int64_t sequences, length; /* rows of x: sequences × length */
    int64_t width, heads;
    gboolean first_only; /* rows of y: sequences; otherwise as many as x has */
} RmilBlockShape;

/* What forward keeps for backward. x is the input, filled in by the caller. */
typedef struct {
    float *x; /* rows × width */
    float *mean1, *rstd1, *mean2, *rstd2;
    float *projected; /* q, k, v: rows × 3 width; first_only: what first attention keeps */
    float *log_sum;
    float *mixed; /* output of attention: rows of y × width */
    float *x1;    /* rows of y × width */
    float *u;     /* fc1's output: rows of y × 4 width, padded (rmil_row_stride) */
} RmilBlockCache;

/* Working memory of a block, shared by all blocks of this shape or smaller. */
typedef struct {
    float *narrow[3], *projected, *wide[2], *attention;
} RmilBlockScratch;

/* Adds the block's twelve tensors, PREFIX.norm1.weight … PREFIX.mlp.fc2.bias, and returns the index of the first. */
int rmil_block_layout(RmilParameterLayout *layout, const char *prefix, int64_t width);
#define RMIL_BLOCK_TENSORS 12

int64_t rmil_block_cache_floats(const RmilBlockShape *shape);
/* Divides `memory` (rmil_block_cache_floats) into the cache's arrays. */
void rmil_block_cache_cut(const RmilBlockShape *shape, float *memory, RmilBlockCache *cache);
/* Floats of scratch->attention. */
int64_t rmil_block_attention_scratch(const RmilBlockShape *shape);
gboolean rmil_block_scratch_take(const RmilBlockShape *shape, RmilArena *arena, RmilBlockScratch *scratch, GError **error);

/* The block in an ONNX graph, with tensors PREFIX.…: x and the result are sequences × length × width, with first_only sequences × 1 ×
 * width. */
const char *rmil_block_onnx(RmilOnnx *onnx, const char *prefix, const char *x, int64_t width, int64_t heads, gboolean first_only);

/* `first`: index of the block's first tensor. y: rows of y × width. */
gboolean rmil_block_forward(const RmilStep *step, int first, const RmilBlockShape *shape, RmilBlockCache *cache, RmilBlockScratch *scratch,
                            float *y, GError **error);
/* From dy (as y): dx (as x, overwritten); gradients of the parameters are added to. Overwrites the cache. */
gboolean rmil_block_backward(const RmilStep *step, int first, const RmilBlockShape *shape, RmilBlockCache *cache, RmilBlockScratch *scratch,
                             const float *dy, float *dx, GError **error);

#endif
