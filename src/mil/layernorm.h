/* SPDX-License-Identifier: Apache-2.0 */
/* LayerNorm (PyTorch's, eps 1e-5) over rows of n floats: y = (x − mean) · rstd ∘ weight + bias, rstd = 1/sqrt(var + eps) with
 * the biased variance. */
#ifndef RMIL_MIL_LAYERNORM_H
#define RMIL_MIL_LAYERNORM_H

#include "base/base-private.h"

/* x: rows × n, ldx floats from row to row; y: rows × n, dense. mean and rstd (rows each) are what backward needs. */
void rmil_layernorm_forward(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *weight, const float *bias, float *y,
                            float *mean, float *rstd);
/* Recomputes only y, from x and the numbers that forward kept. */
void rmil_layernorm_again(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *weight, const float *bias, const float *mean,
                          const float *rstd, float *y);
/* From dy (rows × n, dense): dx (lddx from row to row), dweight and dbias (n) are all ADDED to. dx may not be dy. */
void rmil_layernorm_backward(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *weight, const float *mean,
                             const float *rstd, const float *dy, float *dx, int64_t lddx, float *dweight, float *dbias);

#endif
