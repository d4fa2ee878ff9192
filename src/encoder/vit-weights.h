/* SPDX-License-Identifier: Apache-2.0 */
/* The weights of a vision transformer, with the names of timm and DINO ("blocks.0.attn.qkv.weight"), DINOv2 (also in chunks:
 * "blocks.0.7.…", where the second number is the block's index), Hugging Face's ViT and Dinov2, with and without registers
 * ("encoder.layer.0.attention.attention.query.weight"); with any prefix ("teacher.module.backbone."; a teacher before a student). */
#ifndef RMIL_VIT_WEIGHTS_H
#define RMIL_VIT_WEIGHTS_H

#include "tensors/tensors-private.h"

/* What the tensors show about a network. */
typedef struct {
    int64_t embed, depth, patch, registers; /* size of a token; number of blocks; side of a patch in pixels */
    int64_t inner, outer;                   /* rows of a block's first MLP matrix, columns of its second: half as many if it is gated */
    gboolean gated, layer_scale;
    int64_t rows;   /* of the position embeddings: those of the patches' grid, and perhaps of tokens before it */
    gboolean apart; /* registers are inserted after the positions are added, so `rows` does not include them */
} RmilVitShape;

typedef struct _RmilVitWeights RmilVitWeights;
/* Finds the network in a file, and checks every tensor's shape against the others. FORMAT: there is none, or a tensor is missing, has
 * another shape, or would have another effect than here; the message names the first such tensor. Keeps `tensors`, which must outlive
 * it. */
RmilVitWeights *rmil_vit_weights_new(const RmilTensors *tensors, GError **error);
void rmil_vit_weights_free(RmilVitWeights *weights);
const RmilVitShape *rmil_vit_weights_shape(const RmilVitWeights *weights);
/* FALSE, with the first tensor that differs, if this is another network. rows 0: any. */
gboolean rmil_vit_weights_fit(const RmilVitWeights *weights, const RmilVitShape *expected, GError **error);
/* The side of the grid of positions, and the number of rows before it; if several are possible, the one with side `wanted`. FALSE: none
 * is. */
gboolean rmil_vit_grid(const RmilVitShape *shape, int64_t wanted, int64_t *grid, int64_t *before);
const char *rmil_vit_weights_path(const RmilVitWeights *weights);

typedef enum {
    RMIL_VIT_PATCH,     /* (embed, 3, patch, patch) */
    RMIL_VIT_TOKEN,     /* the class token */
    RMIL_VIT_REGISTERS, /* (registers, embed) */
    RMIL_VIT_POSITION,  /* (rows, embed) */
    RMIL_VIT_NORM,
    RMIL_VIT_NORM1, /* from here on in each block */
    RMIL_VIT_QKV,   /* (3 embed, embed): query, key, value */
    RMIL_VIT_PROJECTION,
    RMIL_VIT_SCALE1,
    RMIL_VIT_NORM2,
    RMIL_VIT_INNER,
    RMIL_VIT_OUTER,
    RMIL_VIT_SCALE2,
    RMIL_VIT_PARTS
} RmilVitPart;
/* A part's numbers, and its bias if `bias` is not NULL; free both with rmil_free. Fails if one is not finite. */
gboolean rmil_vit_weights_read(const RmilVitWeights *weights, RmilVitPart part, int64_t block, float **values, float **bias,
                               GError **error);
/* The same for a part with outputs: weights and bias, multiplied by their layer scale; scale RMIL_VIT_PARTS: unscaled. */
gboolean rmil_vit_weights_scaled(const RmilVitWeights *weights, RmilVitPart part, RmilVitPart scale, int64_t block, float **values,
                                 float **bias, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilVitWeights, rmil_vit_weights_free)

#endif
