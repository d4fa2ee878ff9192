/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products on one thread: panels of weights that stay in the cache, times tiles of rows. */
#include "product.h"

#include "function.h"
#include "product-kernel.h"

enum { CACHE = 128 << 10 }; /* bytes of panels that rows are multiplied by before moving to the next rows */

gboolean rmil_product_can(RmilPrecision precision, GError **error) {
    return rmil_kernel(precision) ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT, "this processor cannot multiply in bfloat16 (that needs AVX-512 BF16): use float32");
}

int64_t rmil_product_stride(int64_t columns) { return (columns + 31) / 32 * 32 + 16; }

/* Length of a row of inputs in words of four bytes: floats, or pairs. */
static int64_t steps_of(RmilPrecision precision, int64_t in) { return precision == RMIL_BFLOAT16 ? (in + 1) / 2 : in; }

/* -- panels: (panels, steps, width), a step being a word ------------------------------------------------------------------- */

/* For a gated product, the first half of each panel holds gates, the second their values. */
static int64_t panels_of(const RmilProduct *p) {
    const int64_t width = rmil_kernel(p->precision)->width;
    return p->kind == RMIL_PRODUCT_SWIGLU ? (p->out / 2 + width / 2 - 1) / (width / 2) : (p->out + width - 1) / width;
}

/* The row of W that is column i of the panels; −1: none. */
static int64_t row_at(const RmilProduct *p, int64_t width, int64_t i) {
    if (p->kind != RMIL_PRODUCT_SWIGLU) return i < p->out ? i : -1;
    const int64_t half = width / 2, which = i / width * half + i % half;
    if (which >= p->out / 2) return -1;
    return i % width < half ? which : p->out / 2 + which;
}

/* Copies a row into its column, word by word. Columns without a row of W contribute to sums that are ignored. */
static void place_row(const RmilProduct *p, const void *row, int64_t column, void *memory) {
    const int64_t width = rmil_kernel(p->precision)->width, steps = steps_of(p->precision, p->in);
    const size_t bytes = (size_t)p->in * rmil_precision_bytes(p->precision);
    uint32_t *to = (uint32_t *)memory + column / width * width * steps + column % width;
    const char *from = row;
    for (size_t k = 0; k < bytes / 4; k++) memcpy(&to[k * (size_t)width], from + 4 * k, 4);
    if (bytes % 4 == 0) return;
    to[(steps - 1) * width] = 0;
    memcpy(&to[(steps - 1) * width], from + bytes - 2, 2); /* the first of a pair */
}

gboolean rmil_product_init(RmilProduct *p, RmilProductKind kind, RmilPrecision precision, int64_t out, int64_t in, const float *weights,
                           const float *bias, GError **error) {
    *p = (RmilProduct){.kind = kind, .precision = precision, .out = out, .in = in};
    const int64_t width = rmil_kernel(precision)->width, columns = panels_of(p) * width;
    void *memory = rmil_alloc(columns, (size_t)steps_of(precision, in) * 4, error);
    float *order = memory ? rmil_alloc(columns, sizeof(float), error) : NULL;
    uint16_t *shorter = order && precision == RMIL_BFLOAT16 ? rmil_alloc(in, sizeof *shorter, error) : NULL;
    p->weights = memory;
    p->bias = order;
    if (!order || (precision == RMIL_BFLOAT16 && !shorter)) {
        rmil_product_clear(p);
        return FALSE;
    }
    for (int64_t i = 0; i < columns; i++) {
        const int64_t row = row_at(p, width, i);
        if (row < 0) continue;
        if (shorter) rmil_to_bfloat16(weights + row * in, in, shorter);
        place_row(p, shorter ? (const void *)shorter : weights + row * in, i, memory);
        order[i] = bias ? bias[row] : 0;
    }
    rmil_free(shorter);
    return TRUE;
}

void rmil_product_clear(RmilProduct *p) {
    rmil_free((void *)p->weights);
    rmil_free((void *)p->bias);
    *p = (RmilProduct){0};
}

size_t rmil_product_bytes(RmilPrecision precision, int64_t out, int64_t in) {
    const RmilProduct p = {.precision = precision, .out = out, .in = in};
    return (size_t)(panels_of(&p) * rmil_kernel(precision)->width * steps_of(precision, in)) * 4;
}

RmilProduct rmil_product_rows(RmilProductKind kind, RmilPrecision precision, int64_t out, int64_t in, const void *matrix, int64_t apart,
                              void *memory) {
    const RmilProduct p = {.kind = kind, .precision = precision, .out = out, .in = in, .weights = memory};
    const int64_t row = apart * (int64_t)rmil_precision_bytes(precision);
    for (int64_t i = 0; i < out; i++) place_row(&p, (const char *)matrix + i * row, i, memory);
    return p;
}

/* Two rows of inputs, alternating; the second may be missing. */
RMIL_CLONES static void place_pairs(const uint16_t *restrict one, const uint16_t *restrict other, int64_t n, uint16_t *restrict to) {
#pragma omp simd
    for (int64_t c = 0; c < n; c++) {
        to[2 * c] = one[c];
        to[2 * c + 1] = other ? other[c] : 0;
    }
}

RmilProduct rmil_product_columns(RmilProductKind kind, RmilPrecision precision, int64_t out, int64_t in, const void *matrix, int64_t apart,
                                 void *memory) {
    const RmilProduct p = {.kind = kind, .precision = precision, .out = out, .in = in, .weights = memory};
    const int64_t width = rmil_kernel(precision)->width, steps = steps_of(precision, in);
    for (int64_t k = 0; k < steps; k++)
        for (int64_t first = 0; first < out; first += width) {
            const int64_t n = MIN(width, out - first), at = first * steps + k * width;
            if (precision == RMIL_BFLOAT16) {
                const uint16_t *one = (const uint16_t *)matrix + 2 * k * apart + first;
                place_pairs(one, 2 * k + 1 < in ? one + apart : NULL, n, (uint16_t *)memory + 2 * at);
            } else {
                memcpy((float *)memory + at, (const float *)matrix + k * apart + first, (size_t)n * sizeof(float));
            }
        }
    return p;
}

/* -- processing the sums --------------------------------------------------------------------------------------------------- */

/* A tile of sums, `width` per row, to rows of y; for a gated product the values are half a row after their gates. */
#define EACH(expression)                                                                                                                   \
    for (int r = 0; r < rows; r++, sums += width, y += ldy) _Pragma("omp simd") for (int64_t c = 0; c < columns; c++) y[c] = expression;   \
    break

RMIL_CLONES static void finish(RmilProductKind kind, int rows, const float *restrict sums, int64_t width, const float *restrict bias,
                               const float *restrict scale, int64_t columns, float *restrict y, int64_t ldy) {
    const int64_t half = width / 2;
    switch (kind) {
    case RMIL_PRODUCT_PLAIN: EACH(sums[c] + bias[c]);
    case RMIL_PRODUCT_ADD: EACH(y[c] + sums[c] + bias[c]);
    case RMIL_PRODUCT_GELU: EACH(rmil_gelu(sums[c] + bias[c]));
    case RMIL_PRODUCT_SWIGLU: EACH(rmil_silu(sums[c] + bias[c]) * (sums[half + c] + bias[half + c]));
    case RMIL_PRODUCT_SCALE: EACH(sums[c] * scale[r]);
    }
}

RMIL_CLONES static void shorten(int rows, const float *restrict values, int64_t columns, uint16_t *restrict y, int64_t ldy) {
    for (int r = 0; r < rows; r++, values += RMIL_KERNEL_WIDTH, y += ldy)
#pragma omp simd
        for (int64_t c = 0; c < columns; c++) y[c] = rmil_bfloat16(values[c]);
}

void rmil_product_run(const RmilProduct *p, int64_t rows, const void *x, int64_t ldx, void *y, int64_t ldy, const float *scale) {
    enum { TILE = RMIL_KERNEL_ROWS * RMIL_KERNEL_WIDTH };
    static const float none[RMIL_KERNEL_WIDTH], ones[RMIL_KERNEL_ROWS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const RmilKernel *kernel = rmil_kernel(p->precision);
    const gboolean gated = p->kind == RMIL_PRODUCT_SWIGLU;
    const int64_t width = kernel->width, steps = steps_of(p->precision, p->in), panels = panels_of(p);
    const int64_t row_bytes = ldx * (int64_t)rmil_precision_bytes(p->precision), panel_bytes = steps * width * 4;
    const int64_t each = gated ? width / 2 : width, outputs = gated ? p->out / 2 : p->out, group = MAX(1, CACHE / panel_bytes);
    float sums[TILE] __attribute__((aligned(64))), line[TILE] __attribute__((aligned(64)));
    for (int64_t first = 0; first < panels; first += group)
        for (int64_t row = 0; row < rows; row += kernel->rows)
            for (int64_t panel = first; panel < MIN(first + group, panels); panel++) {
                const int n = (int)MIN(kernel->rows, rows - row);
                const int64_t columns = MIN(each, outputs - panel * each), at = row * ldy + panel * each;
                kernel->tile(n, steps, (const char *)x + row * row_bytes, row_bytes, (const char *)p->weights + panel * panel_bytes, sums);
                finish(p->kind, n, sums, width, p->bias ? p->bias + panel * width : none, scale ? scale + row : ones, columns,
                       p->shorten ? line : (float *)y + at, p->shorten ? RMIL_KERNEL_WIDTH : ldy);
                if (p->shorten) shorten(n, line, columns, (uint16_t *)y + at, ldy);
            }
}
