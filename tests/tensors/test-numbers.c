/* SPDX-License-Identifier: Apache-2.0 */
/* Number conversions, bit for bit: against arithmetic in double precision, and the fast ones against the plain ones. */
#include "tensors/tensors-private.h"
#include "support.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static double half_value(uint16_t half) {
    int exponent = half >> 10 & 31, mantissa = half & 0x3ff;
    double size = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return half & 0x8000 ? -size : size;
}

static void test_every_half(void) {
    uint16_t *halves = g_new(uint16_t, 65536 + 3), *brains = g_new(uint16_t, 65536), *plain_brains = g_new(uint16_t, 65536);
    float *floats = g_new(float, 65536), *plain = g_new(float, 65536);
    int64_t n = 0;
    for (int h = 0; h < 65536; h++)
        if ((h & 0x7c00) != 0x7c00) halves[n++] = (uint16_t)h;
    g_assert_true(rmil_decode_plain(TRUE, halves, RMIL_FLOAT32, plain, n));
    g_assert_true(rmil_decode(TRUE, halves, RMIL_FLOAT32, floats, n));
    for (int64_t i = 0; i < n; i++) {
        g_assert_cmpfloat((double)plain[i], ==, half_value(halves[i]));
        g_assert_cmpint(bits_of(plain[i]) >> 31, ==, halves[i] >> 15); /* −0 stays −0 */
    }
    g_assert_true(memcmp(floats, plain, (size_t)n * 4) == 0);
    g_assert_true(rmil_decode_plain(TRUE, halves, RMIL_BFLOAT16, plain_brains, n));
    g_assert_true(rmil_decode(TRUE, halves, RMIL_BFLOAT16, brains, n));
    g_assert_true(memcmp(brains, plain_brains, (size_t)n * 2) == 0);
    /* and the way back gives the same halves */
    uint16_t *back = g_new(uint16_t, 65536);
    g_assert_true(rmil_encode(RMIL_FLOAT32, floats, TRUE, back, n));
    g_assert_true(memcmp(back, halves, (size_t)n * 2) == 0);
    g_assert_true(rmil_encode_plain(RMIL_FLOAT32, floats, TRUE, back, n));
    g_assert_true(memcmp(back, halves, (size_t)n * 2) == 0);
    g_free(back);
    g_free(halves);
    g_free(brains);
    g_free(plain_brains);
    g_free(floats);
    g_free(plain);
}

/* Nearest multiple of the unit in the last place, ties to even (the default rounding of nearbyint). */
static double nearest(double value, int bits, int least_exponent) {
    int exponent;
    frexp(value, &exponent);
    int unit = MAX(exponent - bits, least_exponent);
    return ldexp(nearbyint(ldexp(value, -unit)), unit);
}

static void test_rounding(void) {
    enum { N = 200000 };
    float *values = g_new(float, N);
    uint16_t *fast = g_new(uint16_t, N), *plain = g_new(uint16_t, N);
    RmilRng rng;
    rmil_rng_init(&rng, 3, 0);
    for (int i = 0; i < N; i++) {
        /* random bits, and values half-way between two halves or two bfloats and one step beside */
        uint32_t bits = (uint32_t)rmil_rng_next(&rng);
        if (i % 4 == 1) bits = (bits & 0xffffe000) | 0x1000;
        if (i % 4 == 2) bits = (bits & 0xffff0000) | 0x8000;
        if (i % 4 == 3) bits = ((bits & 0xffff0000) | 0x8000) + (bits & 1 ? 1 : UINT32_MAX);
        uint32_t exponent = (uint32_t)(i % 3 == 0 ? 100 + rmil_rng_below(&rng, 42) : rmil_rng_below(&rng, 254));
        bits = (bits & 0x807fffff) | exponent << 23;
        memcpy(&values[i], &bits, 4);
    }
    gboolean a = rmil_encode(RMIL_FLOAT32, values, TRUE, fast, N), b = rmil_encode_plain(RMIL_FLOAT32, values, TRUE, plain, N);
    g_assert_false(a || b); /* many are too large for float16 */
    g_assert_true(memcmp(fast, plain, N * 2) == 0);
    for (int i = 0; i < N; i++) {
        double exact = nearest((double)values[i], 11, -24);
        if (fabs(exact) > 65504) g_assert_cmpint(plain[i] & 0x7fff, ==, 0x7c00);
        else g_assert_cmpfloat(half_value(plain[i]), ==, exact);
    }
    g_assert_true(rmil_decode_plain(FALSE, values, RMIL_BFLOAT16, plain, N));
    g_assert_true(rmil_decode(FALSE, values, RMIL_BFLOAT16, fast, N));
    g_assert_true(memcmp(fast, plain, N * 2) == 0);
    float *wide = g_new(float, N), *plain_wide = g_new(float, N);
    g_assert_true(rmil_encode(RMIL_BFLOAT16, fast, FALSE, wide, N) && rmil_encode_plain(RMIL_BFLOAT16, fast, FALSE, plain_wide, N));
    g_assert_true(memcmp(wide, plain_wide, N * 4) == 0);
    for (int i = 0; i < N; i++) g_assert_cmpfloat((double)wide[i], ==, nearest((double)values[i], 8, -133));
    g_free(values);
    g_free(wide);
    g_free(plain_wide);
    g_free(fast);
    g_free(plain);
}

/* Every length up to 70, every alignment, and a value that is not finite at every place. */
static void test_odd_sizes(void) {
    uint16_t halves[80];
    uint32_t floats[80], out[96], expected[96];
    const uint16_t bad_halves[] = {0x7c00, 0xfc00, 0x7e01};
    const uint32_t bad_floats[] = {0x7f800000, 0xff800000, 0x7fc00001};
    for (int i = 0; i < 80; i++) {
        halves[i] = (uint16_t)(i * 411 % 0x7c00);
        floats[i] = 0x3f800000 + (uint32_t)i * 77777;
    }
    for (int n = 0; n <= 70; n++)
        for (int shift = 0; shift < 9; shift++)
            for (int precision = RMIL_FLOAT32; precision <= RMIL_BFLOAT16; precision++) {
                size_t size = rmil_precision_bytes((RmilPrecision)precision);
                memset(out, 0xaa, sizeof out);
                memset(expected, 0xaa, sizeof expected);
                g_assert_true(rmil_decode(TRUE, halves, (RmilPrecision)precision, (char *)out + (size_t)shift * size, n));
                g_assert_true(rmil_decode_plain(TRUE, halves, (RmilPrecision)precision, (char *)expected + (size_t)shift * size, n));
                g_assert_true(memcmp(out, expected, sizeof out) == 0);
            }
    for (int n = 1; n <= 40; n++)
        for (int at = 0; at < n; at++) {
            uint16_t half = halves[at], bad_half = bad_halves[at % 3];
            uint32_t single = floats[at];
            halves[at] = bad_half;
            floats[at] = bad_floats[at % 3];
            for (int precision = RMIL_FLOAT32; precision <= RMIL_BFLOAT16; precision++) {
                g_assert_false(rmil_decode(TRUE, halves, (RmilPrecision)precision, out, n));
                g_assert_false(rmil_decode(FALSE, floats, (RmilPrecision)precision, out, n));
                g_assert_false(rmil_decode_plain(TRUE, halves, (RmilPrecision)precision, out, n));
                g_assert_false(rmil_decode_plain(FALSE, floats, (RmilPrecision)precision, out, n));
            }
            g_assert_false(rmil_encode(RMIL_FLOAT32, floats, TRUE, out, n));
            g_assert_false(rmil_encode(RMIL_FLOAT32, floats, FALSE, out, n));
            halves[at] = half;
            floats[at] = single;
        }
}

static void test_memory(void) {
    GError *error = NULL;
    g_assert_null(rmil_alloc_features(INT64_MAX / 2, 1024, &error));
    test_error(&error, RMIL_ERROR_MEMORY, "more than can be addressed");
    char *large = rmil_alloc_features(5000, 1024, &error);
    g_assert_true((uintptr_t)large % 4096 == 0);
    large[5000 * 1024 - 1] = 1;
    rmil_free(large);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/numbers/every-half", test_every_half);
    g_test_add_func("/numbers/rounding", test_rounding);
    g_test_add_func("/numbers/odd-sizes", test_odd_sizes);
    g_test_add_func("/numbers/memory", test_memory);
    return g_test_run();
}
