/* SPDX-License-Identifier: Apache-2.0 */
/* Gated attention (Ilse et al. 2018), elementwise part: from u = [h W_aᵀ | h W_bᵀ], rows × 2m (ldu floats from row to row), to scores and
 * back.
 *   a = tanh(u_a + b_a), b = sigmoid(u_b + b_b), s_c = (a ∘ b) · w_c + bias_c for each class c
 * The caller computes the products with W_a and W_b. */
#ifndef RMIL_MIL_GATED_H
#define RMIL_MIL_GATED_H

#include "base/base-private.h"

/* u becomes [a | b] in place. */
void rmil_gated_forward(float *u, int64_t ldu, int64_t rows, int64_t m, const float *bias_a, const float *bias_b);
/* scores[c · stride + k] for the rows k and the `classes` rows of w (classes × m). */
void rmil_gated_scores(const float *u, int64_t ldu, int64_t rows, int64_t m, const float *w, const float *bias, int classes, float *scores,
                       int64_t stride);
/* From ds[c · stride + k] = ∂L/∂s: u = [a | b] becomes ∂L/∂u in place; dw (classes × m), dbias_a and dbias_b (m) are added to. keep: the
 * factor by which dropout multiplied the entries of a and b that it kept (0 marks the others), 1 without dropout. */
void rmil_gated_backward(float *u, int64_t ldu, int64_t rows, int64_t m, const float *w, int classes, const float *ds, int64_t stride,
                         float keep, float *dw, float *dbias_a, float *dbias_b);

#endif
