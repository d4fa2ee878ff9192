/* SPDX-License-Identifier: Apache-2.0 */
/* Position embeddings for a grid of patches that differs from that of training: bicubic, half-pixel centres. Three rules are in use:
 *
 * SIZE       step old/new, a = −0.75, four taps, the border repeated: PyTorch's interpolate(mode="bicubic") by size; Hugging Face
 * SCALE      the same with the step old/(new + 0.1): DINO, and DINOv2 without registers
 * ANTIALIAS  a = −0.5 over 2 · max(old/new, 1) on both sides, weights renormalised at the border: timm, and DINOv2 with registers */
#ifndef RMIL_VIT_POSITION_H
#define RMIL_VIT_POSITION_H

#include "vit.h"

/* (old, old, size) -> (new, new, size), row by row. FALSE: no memory. */
gboolean rmil_position_resize(RmilPositionRule rule, const float *from, int64_t old, int64_t new, int64_t size, float *to, GError **error);

#endif
