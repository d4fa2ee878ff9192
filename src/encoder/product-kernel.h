/* SPDX-License-Identifier: Apache-2.0 */
/* The innermost loop of a product: for each kind of processor, a tile of rows × width sums in registers. */
#ifndef RMIL_PRODUCT_KERNEL_H
#define RMIL_PRODUCT_KERNEL_H

#include "tensors/tensors-private.h"

enum { RMIL_KERNEL_ROWS = 12, RMIL_KERNEL_WIDTH = 32 }; /* the maximum over all kernels */

typedef struct {
    const char *name;
    int rows, width; /* of a full tile */
    /* sums (rows, width) = x (rows, steps) · panel (steps, width); rows may be fewer. A step is one float, or two bfloat16 numbers, which
     * are also adjacent in the panel: four bytes. ldx: bytes between rows. */
    void (*tile)(int rows, int64_t steps, const void *x, int64_t ldx, const void *panel, float *sums);
} RmilKernel;

/* The best one for this processor; NULL: it has none for that precision. */
const RmilKernel *rmil_kernel(RmilPrecision precision);
/* All float32 kernels that this processor can run, the best first, the plain one last; NULL-terminated. */
const RmilKernel *const *rmil_kernels(void);

#endif
