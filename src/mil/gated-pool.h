/* SPDX-License-Identifier: Apache-2.0 */
/* Gated attention pooling (Ilse et al. 2018, eq. 9) over h = relu(X W_hᵀ + b_h), with one or several rows of attention: what CLAM and gated
 * AB-MIL have in common. The matrix products are those of the layers: h, both gates h [W_a; W_b]ᵀ at once, and in the backward pass their
 * gradients and ∂L/∂h. Everything else is computed on blocks of rows while they are in the cache. Softmax needs no pass of its own in the
 * backward pass:
 *   ds_k = A_k (h_k·dM − M·dM) with M = Σ A_k h_k,
 * so that each block of patches is finished in one go. */
#ifndef RMIL_MIL_GATED_POOL_H
#define RMIL_MIL_GATED_POOL_H

#include "model.h"

/* Its tensors, which are a model's first tensors. */
enum { RMIL_POOL_WH, RMIL_POOL_BH, RMIL_POOL_WA, RMIL_POOL_BA, RMIL_POOL_WB, RMIL_POOL_BB, RMIL_POOL_WF, RMIL_POOL_BF, RMIL_POOL_TENSORS };
void rmil_gated_pool_layout(const RmilModelConfig *config, RmilParameterLayout *layout, int rows);
/* Sets dim, hidden and attention_dim. */
void rmil_gated_pool_infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user);

/* What forward keeps for backward. C: number of rows of attention. */
typedef struct {
    int rows;
    int64_t block;       /* rows of X, h and gates per block */
    int64_t ldh, ldu;    /* floats from row to row of h and of gates */
    float *h;            /* K × hidden */
    float *gates;        /* K × 2m: [a | b] */
    float *weights;      /* 2m × hidden: [W_a; W_b], ldh floats from row to row */
    float *s, *soft, *a; /* C × K; soft equals a until the backward pass overwrites it */
    float *pooled;       /* C × hidden: M */
    float *slope;        /* C × hidden: ∂L/∂M, filled in by the caller before the backward pass */
    float keep;          /* dropout's factor */
} RmilGatedPool;

/* Fills the pool, and step->scores and step->attention if they are set. */
gboolean rmil_gated_pool_forward(const RmilStep *step, RmilGatedPool *pool, int rows, RmilArena *arena, GError **error);
/* guided: ∂L/∂s in addition to that from M, or NULL. more: adds what the rows first … first + rows − 1 of h receive otherwise to dh (ldh
 * floats from row to row), or NULL. The pool's gradients are added to, and must be 0 before; overwrites `soft`. */
typedef void (*RmilGatedMore)(const RmilStep *step, gpointer user, int64_t first, int64_t rows, float *dh);
gboolean rmil_gated_pool_backward(const RmilStep *step, RmilGatedPool *pool, const float *guided, RmilGatedMore more, gpointer user,
                                  RmilArena *arena, GError **error);
/* M (C × hidden), with scores and attention (C × K). */
const char *rmil_gated_pool_onnx(RmilOnnx *onnx, const char **scores, const char **attention);

#endif
