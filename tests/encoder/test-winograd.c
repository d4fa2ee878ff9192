/* SPDX-License-Identifier: Apache-2.0 */
/* The fast 3 × 3 convolution against the sum that defines it. */
#include "encoder/winograd.h"
#include "support.h"

#include <math.h>
#include <string.h>

typedef struct {
    int64_t batch, in, out, side, block;
    gboolean relu;
} Case;

static float *random_floats(int64_t n, uint64_t seed) {
    float *values = rmil_alloc(n, sizeof(float), NULL);
    RmilRng rng;
    rmil_rng_init(&rng, seed, 0);
    for (int64_t i = 0; i < n; i++) values[i] = (float)rmil_rng_normal(&rng);
    return values;
}

static int64_t at(const Case *c, int64_t channels, int64_t image, int64_t channel, int64_t y, int64_t x) {
    return (((image * channels + channel) / c->block * c->side + y) * c->side + x) * c->block + channel % c->block;
}

/* One output in double; *scale: the sum of the magnitudes that went into it, against which rounding is judged. */
static double direct(const Case *c, const float *source, const float *weights, const float *bias, int64_t image, int64_t o, int64_t y,
                     int64_t x, double *scale) {
    double sum = (double)bias[o];
    *scale = fabs(sum);
    for (int64_t i = 0; i < c->in; i++)
        for (int64_t k = 0; k < 9; k++) {
            const int64_t py = y + k / 3 - 1, px = x + k % 3 - 1;
            if (py < 0 || px < 0 || py >= c->side || px >= c->side) continue;
            const double term = (double)source[at(c, c->in, image, i, py, px)] * (double)weights[(o * c->in + i) * 9 + k];
            sum += term;
            *scale += fabs(term);
        }
    return c->relu ? fmax(sum, 0) : sum;
}

static float *run(const Case *c, const float *source, const float *weights, const float *bias) {
    RmilWinograd *winograd = rmil_winograd_new(c->batch, c->in, c->out, c->side, c->block, weights, bias, c->relu, NULL);
    float *out = rmil_alloc(c->batch * c->out * c->side * c->side, sizeof(float), NULL);
    float *scratch = rmil_alloc((int64_t)rmil_winograd_scratch(winograd), 1, NULL);
    g_assert_true(rmil_winograd_run(winograd, source, out, scratch, NULL));
    rmil_free(scratch);
    rmil_winograd_free(winograd);
    return out;
}

static void test_direct(void) {
    static const Case cases[] = {{1, 8, 8, 1, 8, FALSE}, {2, 8, 16, 2, 8, TRUE},  {3, 16, 8, 3, 8, FALSE},   {2, 16, 32, 4, 16, TRUE},
                                 {1, 8, 8, 5, 8, FALSE}, {2, 24, 8, 14, 8, TRUE}, {5, 32, 64, 7, 32, FALSE}, {1, 64, 64, 28, 8, TRUE}};
    for (gsize n = 0; n < G_N_ELEMENTS(cases); n++) {
        const Case *c = &cases[n];
        const int64_t pixels = c->side * c->side;
        float *source = random_floats(c->batch * c->in * pixels, n), *weights = random_floats(c->in * c->out * 9, 100 + n);
        float *bias = random_floats(c->out, 200 + n), *out = run(c, source, weights, bias);
        for (int64_t image = 0; image < c->batch; image++)
            for (int64_t o = 0; o < c->out; o++)
                for (int64_t i = 0; i < pixels; i++) {
                    double scale, want = direct(c, source, weights, bias, image, o, i / c->side, i % c->side, &scale);
                    const float got = out[at(c, c->out, image, o, i / c->side, i % c->side)];
                    g_assert_cmpfloat(fabs((double)got - want), <, 4e-6 * scale);
                }
        rmil_free(source);
        rmil_free(weights);
        rmil_free(bias);
        rmil_free(out);
    }
}

/* The layers of ResNet-50 that take this way: a copy of the same image at every place gives the same bits. */
static void test_place(void) {
    static const Case cases[] = {{3, 64, 64, 56, 8, TRUE},
                                 {4, 128, 128, 28, 8, TRUE},
                                 {5, 256, 256, 14, 8, TRUE},
                                 {4, 512, 512, 7, 16, TRUE}};
    for (gsize n = 0; n < G_N_ELEMENTS(cases); n++) {
        const Case *c = &cases[n];
        const gsize from = (gsize)(c->in * c->side * c->side), to = (gsize)(c->out * c->side * c->side);
        float *source = random_floats(c->batch * (int64_t)from, n), *weights = random_floats(c->in * c->out * 9, 100 + n);
        float *bias = random_floats(c->out, 200 + n);
        for (int64_t image = 1; image < c->batch; image++) memcpy(source + (gsize)image * from, source, from * sizeof *source);
        float *out = run(c, source, weights, bias);
        for (int64_t image = 1; image < c->batch; image++) g_assert_true(memcmp(out + (gsize)image * to, out, to * sizeof *out) == 0);
        rmil_free(source);
        rmil_free(weights);
        rmil_free(bias);
        rmil_free(out);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/winograd/direct", test_direct);
    g_test_add_func("/winograd/place", test_place);
    return g_test_run();
}
