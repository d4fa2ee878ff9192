/* SPDX-License-Identifier: Apache-2.0 */
/* Nyström attention (Xiong et al., AAAI 2021) as in TransMIL: m landmarks, means of l neighbouring queries and keys, stand between queries
 * and keys, so that work and memory grow linearly with the sequence instead of quadratically. Per head of w columns, with S(·) = softmax of
 * rows and scale 1/√w:
 *   O = S(Q K̃ᵀ) Z (S(Q̃ Kᵀ) V) + C * V,   Z ≈ S(Q̃ K̃ᵀ)⁺ by six steps of
 *   Z ← Z (13 I − Y (15 I − Y (7 I − Y))) / 4,  Y = S(Q̃ K̃ᵀ) Z,  from Sᵀ / (‖S‖₁ ‖S‖∞), each norm the largest over the heads,
 * and C a convolution over the sequence with 33 taps per head. The sequence is padded with zeros in front to a multiple of l. */
#ifndef RMIL_MIL_NYSTROM_H
#define RMIL_MIL_NYSTROM_H

#include "model.h"

enum { RMIL_NYSTROM_TAPS = 33, RMIL_NYSTROM_STEPS = 6 };

typedef struct {
    int64_t length, width, heads, landmarks; /* tokens; columns of all heads */
    int64_t asked;                           /* number of first tokens whose output is needed */
} RmilNystromShape;

/* What forward keeps for backward. m: landmarks, e: m × group, the padded length. */
typedef struct {
    int64_t group;
    float *projected;    /* e × 3 width: q, k, v; those of the padding are 0 */
    float *query, *key;  /* m × width: landmarks */
    float *inner;        /* m × width: S(Q̃ Kᵀ) V */
    float *matrix, *z;   /* heads × m × m: S(Q̃ K̃ᵀ), Z */
    float *middle;       /* m × width: Z inner */
    float *outer, *out;  /* asked × width: S(Q K̃ᵀ) middle; the same + C * V */
    float *sums, *sums2; /* heads × m, heads × asked: logarithms of the softmax sums of S(Q̃ Kᵀ) and S(Q K̃ᵀ) */
    float *scratch;
} RmilNystrom;

/* Allocates, and zeroes the padding in `projected`: the caller fills the rest, from rmil_nystrom_rows on. */
gboolean rmil_nystrom_take(const RmilNystromShape *shape, RmilNystrom *nystrom, RmilArena *arena, GError **error);
float *rmil_nystrom_rows(const RmilNystromShape *shape, const RmilNystrom *nystrom); /* length × 3 width */

/* taps: heads × 33. Fills nystrom->out. */
gboolean rmil_nystrom_forward(const RmilNystromShape *shape, RmilNystrom *nystrom, const float *taps, RmilArena *arena, GError **error);
/* From dout (asked × width) to dprojected (e × 3 width, overwritten; tokens start at the same row as in rmil_nystrom_rows), and dtaps,
 * added to. */
gboolean rmil_nystrom_backward(const RmilNystromShape *shape, RmilNystrom *nystrom, const float *taps, const float *dout, float *dprojected,
                               float *dtaps, RmilArena *arena, GError **error);
/* The first token's row of S(Q K̃ᵀ) Z S(Q̃ Kᵀ), averaged over the heads: length floats. Entries may be negative, because Z's may. */
gboolean rmil_nystrom_first_row(const RmilNystromShape *shape, const RmilNystrom *nystrom, RmilArena *arena, float *row, GError **error);

#endif
