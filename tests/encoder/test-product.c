/* SPDX-License-Identifier: Apache-2.0 */
/* Products with what follows them, against sums in double. */
#include "encoder/function.h"
#include "encoder/product-kernel.h"
#include "encoder/product.h"

#include <glib.h>
#include <math.h>

static float *numbers(int64_t n, uint64_t seed) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, 0);
    float *values = rmil_alloc(n + 32, sizeof *values, NULL);
    for (int64_t i = 0; i < n; i++) values[i] = ((float)rmil_rng_below(&rng, 2001) - 1000) / 500;
    return values;
}

static double gelu(double x) { return x / 2 * (1 + erf(x / sqrt(2))); }
static double silu(double x) { return x / (1 + exp(-x)); }

/* What a column of a row is to be, from what the arithmetic sees. */
static double wanted(const RmilProduct *p, const double *sums, int64_t c, double before, double scale) {
    switch (p->kind) {
    case RMIL_PRODUCT_ADD: return before + sums[c];
    case RMIL_PRODUCT_GELU: return gelu(sums[c]);
    case RMIL_PRODUCT_SWIGLU: return silu(sums[c]) * sums[p->out / 2 + c];
    case RMIL_PRODUCT_SCALE: return scale * sums[c];
    default: return sums[c];
    }
}

static void check(RmilProductKind kind, RmilPrecision precision, int64_t rows, int64_t out, int64_t in) {
    const gboolean half = precision == RMIL_BFLOAT16;
    const int64_t columns = kind == RMIL_PRODUCT_SWIGLU ? out / 2 : out, ldx = rmil_product_stride(in), ldy = columns + 5;
    float *w = numbers(out * in, 1), *bias = numbers(out, 2), *x = numbers(rows * ldx, 3), *scale = numbers(rows, 4);
    float *y = numbers(rows * ldy, 5), *before = numbers(rows * ldy, 5), *alone = numbers(rows * ldy, 5);
    uint16_t *short_x = rmil_alloc(rows * ldx + 32, sizeof *short_x, NULL);
    if (half) {
        rmil_to_bfloat16(x, rows * ldx, short_x);
        rmil_from_bfloat16(short_x, rows * ldx, x);
    }
    const gboolean with_bias = kind != RMIL_PRODUCT_SCALE;
    RmilProduct p;
    g_assert_true(rmil_product_init(&p, kind, precision, out, in, w, with_bias ? bias : NULL, NULL));
    const void *input = half ? (const void *)short_x : x;
    rmil_product_run(&p, rows, input, ldx, y, ldy, scale);
    g_autofree double *sums = g_new(double, out);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t o = 0; o < out; o++) {
            sums[o] = with_bias ? (double)bias[o] : 0;
            for (int64_t i = 0; i < in; i++) {
                const float weight = half ? rmil_bfloat16_float(rmil_bfloat16(w[o * in + i])) : w[o * in + i];
                sums[o] += (double)x[r * ldx + i] * (double)weight;
            }
        }
        for (int64_t c = 0; c < columns; c++)
            g_assert_cmpfloat_with_epsilon(y[r * ldy + c], wanted(&p, sums, c, (double)before[r * ldy + c], (double)scale[r]),
                                           1e-5 * (double)(in + 10));
        for (int64_t c = columns; c < ldy; c++) g_assert_cmpfloat(y[r * ldy + c], ==, before[r * ldy + c]); /* nothing beside its place */
        /* a row has the same bits alone */
        rmil_product_run(&p, 1, half ? (const void *)(short_x + r * ldx) : x + r * ldx, ldx, alone + r * ldy, ldy, scale + r);
    }
    g_assert_true(memcmp(y, alone, (size_t)(rows * ldy) * sizeof *y) == 0);
    rmil_product_clear(&p);
    float *all[] = {w, bias, x, scale, y, before, alone};
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) rmil_free(all[i]);
    rmil_free(short_x);
}

static void test_kinds(void) {
    static const int64_t sizes[] = {1, 2, 3, 15, 16, 17, 33, 64, 70};
    for (RmilPrecision precision = RMIL_FLOAT32; precision <= RMIL_BFLOAT16; precision++) {
        if (!rmil_product_can(precision, NULL)) continue;
        for (RmilProductKind kind = RMIL_PRODUCT_PLAIN; kind <= RMIL_PRODUCT_SCALE; kind++)
            for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
                check(kind, precision, sizes[i], 2 * sizes[(i + 3) % 9], sizes[(i + 5) % 9]);
                check(kind, precision, sizes[(i + 1) % 9], 2 * sizes[(i + 2) % 9], sizes[(i + 7) % 9]);
            }
    }
}

/* A matrix that is placed at every call gives what a copied one does, given by rows or by columns. */
static void test_placed(void) {
    enum { OUT = 37, IN = 13, ROWS = 7 };
    for (RmilPrecision precision = RMIL_FLOAT32; precision <= RMIL_BFLOAT16; precision++) {
        if (!rmil_product_can(precision, NULL)) continue;
        const gboolean half = precision == RMIL_BFLOAT16;
        float *w = numbers(OUT * IN, 1), *x = numbers(ROWS * IN, 2), y[3][ROWS * OUT], scale[ROWS];
        float *turned = numbers(OUT * IN, 1);
        uint16_t *short_x = rmil_alloc(ROWS * IN + 2, 2, NULL), *short_w = rmil_alloc(OUT * IN, 2, NULL),
                 *short_t = rmil_alloc(OUT * IN, 2, NULL);
        for (int o = 0; o < OUT; o++)
            for (int i = 0; i < IN; i++) turned[i * OUT + o] = w[o * IN + i];
        rmil_to_bfloat16(x, ROWS * IN, short_x);
        rmil_to_bfloat16(w, OUT * IN, short_w);
        rmil_to_bfloat16(turned, OUT * IN, short_t);
        for (int r = 0; r < ROWS; r++) scale[r] = 1;
        void *memory = rmil_alloc((int64_t)rmil_product_bytes(precision, OUT, IN), 1, NULL);
        const void *input = half ? (const void *)short_x : x;
        RmilProduct copied;
        g_assert_true(rmil_product_init(&copied, RMIL_PRODUCT_SCALE, precision, OUT, IN, w, NULL, NULL));
        rmil_product_run(&copied, ROWS, input, IN, y[0], OUT, scale);
        const RmilProduct rows = rmil_product_rows(RMIL_PRODUCT_SCALE, precision, OUT, IN, half ? (const void *)short_w : w, IN, memory);
        rmil_product_run(&rows, ROWS, input, IN, y[1], OUT, scale);
        const RmilProduct columns = rmil_product_columns(RMIL_PRODUCT_SCALE, precision, OUT, IN, half ? (const void *)short_t : turned, OUT,
                                                         memory);
        rmil_product_run(&columns, ROWS, input, IN, y[2], OUT, scale);
        g_assert_true(memcmp(y[0], y[1], sizeof y[0]) == 0 && memcmp(y[0], y[2], sizeof y[0]) == 0);
        rmil_product_clear(&copied);
        rmil_free(w);
        rmil_free(x);
        rmil_free(turned);
        rmil_free(short_x);
        rmil_free(short_w);
        rmil_free(short_t);
        rmil_free(memory);
    }
}

/* Every kernel that this processor can run, on every number of rows. */
static void test_kernels(void) {
    enum { STEPS = 45 };
    const RmilKernel *const *kernels = rmil_kernels();
    for (int k = 0; kernels[k]; k++) {
        const RmilKernel *kernel = kernels[k];
        float *x = numbers(RMIL_KERNEL_ROWS * STEPS, 6), *panel = numbers(STEPS * RMIL_KERNEL_WIDTH, 7);
        float sums[RMIL_KERNEL_ROWS * RMIL_KERNEL_WIDTH];
        for (int rows = 1; rows <= kernel->rows; rows++) {
            kernel->tile(rows, STEPS, x, STEPS * 4, panel, sums);
            for (int i = 0; i < rows * kernel->width; i++) {
                double sum = 0;
                for (int s = 0; s < STEPS; s++)
                    sum += (double)x[i / kernel->width * STEPS + s] * (double)panel[s * kernel->width + i % kernel->width];
                g_assert_cmpfloat_with_epsilon(sums[i], sum, 1e-4);
            }
        }
        rmil_free(x);
        rmil_free(panel);
    }
}

static void test_functions(void) {
    for (double x = -100; x <= 88; x += 0.0137) {
        const float value = (float)x;
        g_assert_cmpfloat_with_epsilon(rmil_exp(value), exp(fmax((double)value, -87)), 3e-7 * exp((double)value) + 1e-36);
    }
    for (double x = -12; x <= 12; x += 0.0013) {
        const float value = (float)x;
        g_assert_cmpfloat_with_epsilon(rmil_erf(value), erf((double)value), 6e-7);
        g_assert_cmpfloat_with_epsilon(rmil_gelu(value), gelu((double)value), 4e-7 * fmax(fabs(x), 1));
        g_assert_cmpfloat_with_epsilon(rmil_silu(value), silu((double)value), 4e-7 * fmax(fabs(x), 1));
    }
    g_assert_cmpfloat(rmil_exp(0), ==, 1);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/product/kinds", test_kinds);
    g_test_add_func("/product/placed", test_placed);
    g_test_add_func("/product/kernels", test_kernels);
    g_test_add_func("/product/functions", test_functions);
    return g_test_run();
}
