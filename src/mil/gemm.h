/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products, row-major, on the calling thread only: the same inputs give the same bits whatever else is running. */
#ifndef RMIL_MIL_GEMM_H
#define RMIL_MIL_GEMM_H

#include "model.h"
#include "tensors/tensors-private.h"

/* C (m × n) = alpha · op(A) · op(B) + beta · C with op(A) m × k and op(B) k × n. lda, ldb, ldc: floats from row to row of the arrays as
 * stored (A is k × m if ta). If beta = 0, C is not read. Fails only if memory runs out. */
gboolean rmil_gemm(gboolean ta, gboolean tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda, const float *b,
                   int64_t ldb, float beta, float *c, int64_t ldc, GError **error);

/* Rows of a bag's features: rows × dim, dense, in the bag's precision. */
typedef struct {
    const void *data;
    int64_t rows, dim;
    RmilPrecision precision;
} RmilFeatures;

static inline RmilFeatures rmil_features_part(const RmilFeatures *x, int64_t first, int64_t rows) {
    size_t size = x->precision == RMIL_BFLOAT16 ? sizeof(uint16_t) : sizeof(float);
    return (RmilFeatures){(const char *)x->data + (size_t)first * (size_t)x->dim * size, rows, x->dim, x->precision};
}
static inline RmilFeatures rmil_features_of(const RmilBag *bag, int64_t first, int64_t rows) {
    const RmilFeatures all = {bag->features, bag->count, bag->dim, bag->precision};
    return rmil_features_part(&all, first, rows);
}

/* Floats from row to row of an array with rows of n floats that products walk down. If rows were a multiple of 128 floats, all would start
 * in the same few cache sets, and products would take up to 1.5 times as long. */
static inline int64_t rmil_row_stride(int64_t n) { return n % 128 == 0 ? n + 16 : n; }

/* Does this machine multiply bfloat16 natively? */
gboolean rmil_gemm_bfloat16(void);
/* Are products with features of this precision native? If so, the other factor is rounded to bfloat16, and sums are float32. Otherwise
 * bfloat16 features are widened block by block. */
static inline gboolean rmil_features_native(RmilPrecision precision) { return precision == RMIL_BFLOAT16 && rmil_gemm_bfloat16(); }
/* Rows of features per block: `rows`, or more in native products, which reorder the other factor every time. */
static inline int64_t rmil_features_block(RmilPrecision precision, int64_t rows) { return rmil_features_native(precision) ? 2048 : rows; }

/* Wᵀ (dim × n) of W (n × dim) for rmil_features_forward, made once per bag. Products are a tenth faster with it than with W. */
typedef struct {
    const float *wide;      /* rmil_row_stride(n) floats from row to row */
    const uint16_t *narrow; /* dense, for native products; wide is then NULL */
} RmilTransposed;

/* In the arena, for features of the given precision. */
gboolean rmil_transpose(const float *w, int64_t n, int64_t dim, RmilPrecision precision, RmilArena *arena, RmilTransposed *wt,
                        GError **error);
/* Z (rows × n, ldz floats from row to row) = X Wᵀ. The arena holds the panels. */
gboolean rmil_features_forward(const RmilFeatures *x, const RmilTransposed *wt, int64_t n, float *z, int64_t ldz, RmilArena *arena,
                               GError **error);
/* G (n × dim, dense) = Zᵀ X + (add ? G : 0) with Z rows × n, ldz floats from row to row. */
gboolean rmil_features_backward(const RmilFeatures *x, const float *z, int64_t ldz, int64_t n, gboolean add, float *g, RmilArena *arena,
                                GError **error);
/* The same natively, with Z in bfloat16, dense. */
gboolean rmil_features_backward_native(const RmilFeatures *x, const uint16_t *z, int64_t n, gboolean add, float *g, GError **error);

#endif
