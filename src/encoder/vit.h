/* SPDX-License-Identifier: Apache-2.0 */
/* Vision transformers (Dosovitskiy et al., ICLR 2021) as in DINO, DINOv2, timm and Hugging Face: pre-norm blocks, one norm at the end,
 * class token first, then registers if any (Darcet et al., ICLR 2024), then patches row by row. */
#ifndef RMIL_VIT_H
#define RMIL_VIT_H

#include "vit-weights.h"

typedef enum { RMIL_VIT_CLASS, RMIL_VIT_MEAN, RMIL_VIT_CLASS_MEAN } RmilVitPooling; /* mean: only of the patches */

/* The rule for positions of a grid that differs from that of training; vit-position.h. */
typedef enum { RMIL_POSITION_SIZE, RMIL_POSITION_SCALE, RMIL_POSITION_ANTIALIAS } RmilPositionRule;

/* What tensors do not show. */
typedef struct {
    int heads; /* divides the size of tokens */
    int side;  /* of a tile in pixels, a multiple of a patch's side */
    int grid;  /* side of the grid that the positions are for; 0: determined from their number, and from the tile if that is ambiguous */
    double eps;
    RmilPositionRule rule;
    RmilVitPooling pooling;
    double mean[3], sd[3]; /* of RGB in 0 … 1 */
    int batch;             /* tiles processed together; 0: a fast number */
    int workers;
    RmilPrecision precision;
} RmilVitConfig;

typedef struct _RmilVit RmilVit;
/* `weights` may be freed afterwards. Fails if config and weights do not fit, and with RMIL_ERROR_ARGUMENT for bfloat16 if the processor
 * does not have it. */
RmilVit *rmil_vit_new(const RmilVitWeights *weights, const RmilVitConfig *config, GError **error);
void rmil_vit_free(RmilVit *vit);
int rmil_vit_dim(const RmilVit *vit); /* floats per feature: twice a token's if class and mean are joined */
int rmil_vit_batch(const RmilVit *vit);
int64_t rmil_vit_tokens(const RmilVit *vit);  /* per tile … */
int64_t rmil_vit_patches(const RmilVit *vit); /* … and how many of them are patches, which come last */
/* Like rmil_encoder_run: thread-safe for distinct workers. Tiles are independent: the same bits in any batch. */
void rmil_vit_run(RmilVit *vit, int worker, const uint8_t *rgb, int count, float *features);
/* All tokens after the last norm, (count, tokens, size of a token), of tiles (count, 3, side, side) that have already been normalised. */
void rmil_vit_look(RmilVit *vit, int worker, const float *planes, int count, float *tokens);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilVit, rmil_vit_free)

#endif
