/* SPDX-License-Identifier: Apache-2.0 */
/* TransMIL's pyramid position encoding (PPEG, Shao et al. 2021) over a square grid of tokens, channel by channel: the token plus
 * convolutions of 7 × 7, 5 × 5 and 3 × 3, with zeros beyond the border. They are linear, so that a single 7 × 7 kernel does all three and
 * the token. */
#ifndef RMIL_MIL_PPEG_H
#define RMIL_MIL_PPEG_H

#include "model.h"

enum { RMIL_PPEG_TENSORS = 6 };
/* Adds NAME.proj, .proj1 and .proj2, weight (d × 1 × size × size) and bias; returns the index of the first. */
int rmil_ppeg_layout(RmilParameterLayout *layout, const char *name, int64_t d);
/* x and y: side² × d, must be different arrays. first: index of the first tensor. */
gboolean rmil_ppeg_forward(const RmilStep *step, int first, const float *x, int64_t side, int64_t d, float *y, RmilArena *arena,
                           GError **error);
/* From dy to dx, overwritten; the tensors' gradients are overwritten, too. */
gboolean rmil_ppeg_backward(const RmilStep *step, int first, const float *x, int64_t side, int64_t d, const float *dy, float *dx,
                            RmilArena *arena, GError **error);

#endif
