/* SPDX-License-Identifier: Apache-2.0 */
/* Products of activations with a matrix that is prepared once, and further operations in the same pass: y = f(x Wᵀ + b). An entry's sum
 * runs over the inputs in order, whatever the other rows are: a row has the same bits alone and among thousands. */
#ifndef RMIL_PRODUCT_H
#define RMIL_PRODUCT_H

#include "tensors/tensors-private.h"

typedef enum {
    RMIL_PRODUCT_PLAIN,  /* y = x Wᵀ + b */
    RMIL_PRODUCT_ADD,    /* y += x Wᵀ + b */
    RMIL_PRODUCT_GELU,   /* y = gelu(x Wᵀ + b), the form with the error function */
    RMIL_PRODUCT_SWIGLU, /* y = silu(gate) · value, where x Wᵀ + b is (gate, value): half as many outputs as W has rows */
    RMIL_PRODUCT_SCALE   /* y = c · x Wᵀ, one c per row */
} RmilProductKind;

/* bfloat16: W and x are bfloat16, sums are float32, and so is y unless it is the x of another product (`shorten`). */
typedef struct {
    RmilProductKind kind;
    RmilPrecision precision;
    gboolean shorten;
    int64_t in, out;     /* of W */
    const float *bias;   /* in the order of the panels, or NULL */
    const void *weights; /* panels of as many outputs as the processor computes at once */
} RmilProduct;

/* FALSE: this processor has no bfloat16; the error says so. */
gboolean rmil_product_can(RmilPrecision precision, GError **error);

/* W (out, in), row-major, and b (NULL: none), copied. The caller guarantees that the sizes are bounded, since the arrays are in memory. */
gboolean rmil_product_init(RmilProduct *product, RmilProductKind kind, RmilPrecision precision, int64_t out, int64_t in,
                           const float *weights, const float *bias, GError **error);
void rmil_product_clear(RmilProduct *product);

/* The same with a matrix that changes at every call, without b, in the caller's `memory`: rmil_product_bytes, 64-byte aligned. The matrix
 * has the product's precision. _rows: W, with rows `apart` numbers apart; _columns: its transpose (in, out), likewise. */
size_t rmil_product_bytes(RmilPrecision precision, int64_t out, int64_t in);
RmilProduct rmil_product_rows(RmilProductKind kind, RmilPrecision precision, int64_t out, int64_t in, const void *matrix, int64_t apart,
                              void *memory);
RmilProduct rmil_product_columns(RmilProductKind kind, RmilPrecision precision, int64_t out, int64_t in, const void *matrix, int64_t apart,
                                 void *memory);

/* Distance of rows of x and y, in numbers, for fast reading: cache lines of neighbouring rows then do not compete for one place. */
int64_t rmil_product_stride(int64_t columns);
/* From rows of x, ldx numbers apart, to rows of y. scale: for RMIL_PRODUCT_SCALE, per row. bfloat16: if `in` is odd, x has one more number
 * in memory, whose value must be finite but does not matter otherwise. Thread-safe: writes only y. */
void rmil_product_run(const RmilProduct *product, int64_t rows, const void *x, int64_t ldx, void *y, int64_t ldy, const float *scale);

#endif
