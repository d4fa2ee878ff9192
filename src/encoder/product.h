/* SPDX-License-Identifier: Apache-2.0 */
/* Products of activations with a matrix that is made ready once, and what follows them in the same pass: y = f(x Wᵀ + b). The sum of an
 * entry runs over the inputs in their order, whatever the other rows are: a row has the same bits alone and among thousands. */
#ifndef RMIL_PRODUCT_H
#define RMIL_PRODUCT_H

#include "tensors/tensors-private.h"

typedef enum {
    RMIL_PRODUCT_PLAIN,  /* y = x Wᵀ + b */
    RMIL_PRODUCT_ADD,    /* y += x Wᵀ + b */
    RMIL_PRODUCT_GELU,   /* y = gelu(x Wᵀ + b), the form with the error function */
    RMIL_PRODUCT_SWIGLU, /* y = silu(gate) · value, where x Wᵀ + b is (gate, value): half as many outputs as W has rows */
    RMIL_PRODUCT_SCALE   /* y = c · x Wᵀ, one c a row */
} RmilProductKind;

/* bfloat16: W and x are that, sums are float32, and so is y unless it is x of another product (`shorten`). */
typedef struct {
    RmilProductKind kind;
    RmilPrecision precision;
    gboolean shorten;
    int64_t in, out;     /* of W */
    const float *bias;   /* in the order of the panels, or NULL */
    const void *weights; /* panels of as many outputs as the processor takes at once */
} RmilProduct;

/* FALSE: no bfloat16 in this processor; the error says so. */
gboolean rmil_product_can(RmilPrecision precision, GError **error);

/* W (out, in), row-major, and b (NULL: none), copied. Sizes are bounded by the caller, who has them in memory. */
gboolean rmil_product_init(RmilProduct *product, RmilProductKind kind, RmilPrecision precision, int64_t out, int64_t in,
                           const float *weights, const float *bias, GError **error);
void rmil_product_clear(RmilProduct *product);

/* The same with a matrix that changes at every call, without b, in `memory` of the caller's: rmil_product_bytes, 64-byte aligned. The
 * matrix is of the product's precision. _rows: W, whose rows are `apart` numbers apart; _columns: its transpose (in, out), likewise. */
size_t rmil_product_bytes(RmilPrecision precision, int64_t out, int64_t in);
RmilProduct rmil_product_rows(RmilProductKind kind, RmilPrecision precision, int64_t out, int64_t in, const void *matrix, int64_t apart,
                              void *memory);
RmilProduct rmil_product_columns(RmilProductKind kind, RmilPrecision precision, int64_t out, int64_t in, const void *matrix, int64_t apart,
                                 void *memory);

/* How many numbers apart rows of x and y are that are read fast: cache lines of neighbouring rows do not fight for one place. */
int64_t rmil_product_stride(int64_t columns);
/* rows of x, ldx numbers apart, to rows of y. scale: of RMIL_PRODUCT_SCALE, by row. bfloat16: where `in` is odd, x has a number more
 * in memory, whose value does not matter as long as it is finite. Thread-safe: only y is written. */
void rmil_product_run(const RmilProduct *product, int64_t rows, const void *x, int64_t ldx, void *y, int64_t ldy, const float *scale);

#endif
