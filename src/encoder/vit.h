/* SPDX-License-Identifier: Apache-2.0 */
/* Vision transformers (Dosovitskiy et al., ICLR 2021) as DINO, DINOv2, timm and Hugging Face have them: pre-norm blocks, one norm at the
 * end, class token first, perhaps registers (Darcet et al., ICLR 2024) behind it, then patches row by row. */
#ifndef RMIL_VIT_H
#define RMIL_VIT_H

#include "vit-weights.h"

typedef enum { RMIL_VIT_CLASS, RMIL_VIT_MEAN, RMIL_VIT_CLASS_MEAN } RmilVitPooling; /* mean: of the patches alone */

/* How positions of another grid than that of training are made; vit-position.h. */
typedef enum { RMIL_POSITION_SIZE, RMIL_POSITION_SCALE, RMIL_POSITION_ANTIALIAS } RmilPositionRule;

/* What no tensor tells. */
typedef struct {
    int heads; /* divides the size of tokens */
    int side;  /* of a tile in pixels, a multiple of a patch's */
    int grid;  /* side of the grid that the positions are of; 0: told by how many there are, and by the tile where that is two */
    double eps;
    RmilPositionRule rule;
    RmilVitPooling pooling;
    double mean[3], sd[3]; /* of RGB in 0 … 1 */
    int batch;             /* tiles that go through together; 0: as many as are fast */
    int workers;
    RmilPrecision precision;
} RmilVitConfig;

typedef struct _RmilVit RmilVit;
/* `weights` may be freed afterwards. Fails where config and weights do not fit, and with RMIL_ERROR_ARGUMENT on bfloat16 where the
 * processor does not have it. */
RmilVit *rmil_vit_new(const RmilVitWeights *weights, const RmilVitConfig *config, GError **error);
void rmil_vit_free(RmilVit *vit);
int rmil_vit_dim(const RmilVit *vit); /* floats of a feature: twice a token's where class and mean are joined */
int rmil_vit_batch(const RmilVit *vit);
int64_t rmil_vit_tokens(const RmilVit *vit);  /* of a tile … */
int64_t rmil_vit_patches(const RmilVit *vit); /* … and those of them that are patches, the last ones */
/* As rmil_encoder_run: thread-safe for distinct workers. Tiles do not see each other: the same bits in any batch. */
void rmil_vit_run(RmilVit *vit, int worker, const uint8_t *rgb, int count, float *features);
/* All tokens after the last norm, (count, tokens, size of a token), of tiles (count, 3, side, side) that are normalised already. */
void rmil_vit_look(RmilVit *vit, int worker, const float *planes, int count, float *tokens);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilVit, rmil_vit_free)

#endif
