/* SPDX-License-Identifier: Apache-2.0 */
/* Fused, vectorised passes over the rows of a matrix, and small products with one vector. Matrices are row-major, and dense unless there is
 * an ldx. */
#ifndef RMIL_MIL_ROWS_H
#define RMIL_MIL_ROWS_H

#include "model.h"

double rmil_dot(const float *x, const float *y, int64_t n);
/* y (m) = W x + add · b, W m × n; b may be NULL. */
void rmil_matrix_vector(const float *w, int64_t m, int64_t n, const float *x, const float *b, float add, float *y);
/* y (n) = Wᵀ x, W m × n; with `more`, y += … */
void rmil_transposed_vector(const float *w, int64_t m, int64_t n, const float *x, gboolean more, float *y);
/* G (m × n) = x yᵀ; with `more`, G += … */
void rmil_outer(const float *x, int64_t m, const float *y, int64_t n, gboolean more, float *g);

/* x = relu(x + b), rows × n, ldx floats from row to row (as for every ldx below). */
void rmil_rows_relu(float *x, int64_t ldx, int64_t rows, int64_t n, const float *b);
/* x += b */
void rmil_rows_add(float *x, int64_t rows, int64_t n, const float *b);
/* out[k] = x_k · u + shift */
void rmil_rows_dot(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *u, float shift, float *out);
/* sum (n doubles) += Σ_k a[k] x_k, through float sums of a few hundred rows; rows of weight 0 are skipped. */
void rmil_rows_pool(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *a, double *sum);
/* g (n) += Σ_k x_k */
void rmil_rows_sum(const float *x, int64_t rows, int64_t n, float *g);

/* Inverted dropout of rows × n: an entry stays with probability 1 − config.dropout and is then divided by it. The draws depend only on the
 * step's seed and stream, on `site` (which layer) and on the row's number, first + k. Does nothing outside training. Returns the factor of
 * the entries that stay. */
float rmil_dropout(const RmilStep *step, int site, int64_t first, int64_t rows, int64_t n, float *x, int64_t ldx);

#endif
