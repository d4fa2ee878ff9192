/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of a matrix product in registers: plain, AVX2, AVX-512, bfloat16 of AVX-512. oneDNN has them too, but adds up the last rows of a
 * product in a different order from the others, and does not let us process the sums before they leave the cache. */
#include "product-kernel.h"

/* -- plain ---------------------------------------------------------------------------------------------------------------- */
enum { PLAIN_ROWS = 4, PLAIN_WIDTH = 16 };

static void tile_plain(int rows, int64_t steps, const void *x, int64_t ldx, const void *panel, float *sums) {
    const float *weights = panel;
    for (int r = 0; r < rows; r++) {
        const float *from = (const float *)(const void *)((const char *)x + r * ldx);
        float *to = sums + r * PLAIN_WIDTH;
        memset(to, 0, PLAIN_WIDTH * sizeof *to);
        for (int64_t k = 0; k < steps; k++)
#pragma omp simd
            for (int c = 0; c < PLAIN_WIDTH; c++) to[c] += from[k] * weights[k * PLAIN_WIDTH + c];
    }
}

static const RmilKernel plain = {"plain", PLAIN_ROWS, PLAIN_WIDTH, tile_plain};

#if defined(__x86_64__)
#include <immintrin.h>

#ifdef __clang__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif

/* A tile of `rows` rows, a compile-time constant, so that all sums stay in registers; two vectors wide. */
#define BODY(VECTOR, WEIGHTS, LANES, MOST, LOAD, STORE, ZERO, SPREAD, ADD)                                                                 \
    VECTOR left[MOST], right[MOST];                                                                                                        \
    UNROLLED for (int r = 0; r < rows; r++) left[r] = right[r] = ZERO();                                                                   \
    for (int64_t k = 0; k < steps; k++) {                                                                                                  \
        const WEIGHTS a = LOAD(panel + k * 2 * (LANES)), b = LOAD(panel + k * 2 * (LANES) + (LANES));                                      \
        UNROLLED for (int r = 0; r < rows; r++) {                                                                                          \
            const WEIGHTS value = SPREAD((const float *)(const void *)(x + r * ldx + k * 4));                                              \
            left[r] = ADD(left[r], value, a);                                                                                              \
            right[r] = ADD(right[r], value, b);                                                                                            \
        }                                                                                                                                  \
    }                                                                                                                                      \
    UNROLLED for (int r = 0; r < rows; r++) {                                                                                              \
        STORE(sums + r * 2 * (LANES), left[r]);                                                                                            \
        STORE(sums + r * 2 * (LANES) + (LANES), right[r]);                                                                                 \
    }

#define ROWS(body, n)                                                                                                                      \
    case n: body(n, steps, x, ldx, panel, sums); return

/* -- AVX2: 6 × 16 --------------------------------------------------------------------------------------------------------- */
#define AVX2 __attribute__((target("avx2,fma")))
#define ADD2(sum, value, weight) _mm256_fmadd_ps(value, weight, sum)

AVX2 RMIL_INLINE void avx2(const int rows, int64_t steps, const char *x, int64_t ldx, const float *panel, float *sums){
    BODY(__m256, __m256, 8, 6, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_setzero_ps, _mm256_broadcast_ss, ADD2)}

AVX2 static void tile_avx2(int rows, int64_t steps, const void *x, int64_t ldx, const void *panel, float *sums) {
    switch (rows) {
        ROWS(avx2, 1);
        ROWS(avx2, 2);
        ROWS(avx2, 3);
        ROWS(avx2, 4);
        ROWS(avx2, 5);
    default: avx2(6, steps, x, ldx, panel, sums);
    }
}

/* -- AVX-512: 12 × 32 ------------------------------------------------------------------------------------------------------ */
#define AVX512 __attribute__((target("avx512f")))
#define ADD5(sum, value, weight) _mm512_fmadd_ps(value, weight, sum)
#define SPREAD5(place) _mm512_set1_ps(*(place))
#define ALL_ROWS(body)                                                                                                                     \
    switch (rows) {                                                                                                                        \
        ROWS(body, 1);                                                                                                                     \
        ROWS(body, 2);                                                                                                                     \
        ROWS(body, 3);                                                                                                                     \
        ROWS(body, 4);                                                                                                                     \
        ROWS(body, 5);                                                                                                                     \
        ROWS(body, 6);                                                                                                                     \
        ROWS(body, 7);                                                                                                                     \
        ROWS(body, 8);                                                                                                                     \
        ROWS(body, 9);                                                                                                                     \
        ROWS(body, 10);                                                                                                                    \
        ROWS(body, 11);                                                                                                                    \
    default: body(12, steps, x, ldx, panel, sums);                                                                                         \
    }

AVX512 RMIL_INLINE void avx512(const int rows, int64_t steps, const char *x, int64_t ldx, const float *panel, float *sums){
    BODY(__m512, __m512, 16, 12, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_setzero_ps, SPREAD5, ADD5)}

AVX512 static void tile_avx512(int rows, int64_t steps, const void *x, int64_t ldx, const void *panel, float *sums) {
    ALL_ROWS(avx512)
}

/* -- bfloat16 of AVX-512: 12 × 32, two products per sum and step ------------------------------------------------------------- */
#define BF16 __attribute__((target("avx512f,avx512bf16")))
#define LOAD_PAIRS(place) ((__m512bh)_mm512_loadu_si512(place))
#define SPREAD_PAIR(place) ((__m512bh)_mm512_set1_epi32(pair_at(place)))

/* Two numbers, which need not be aligned to four bytes. */
RMIL_INLINE int pair_at(const void *place) {
    int pair;
    memcpy(&pair, place, sizeof pair);
    return pair;
}

BF16 RMIL_INLINE void bfloat16(const int rows, int64_t steps, const char *x, int64_t ldx, const float *panel, float *sums){
    BODY(__m512, __m512bh, 16, 12, LOAD_PAIRS, _mm512_storeu_ps, _mm512_setzero_ps, SPREAD_PAIR, _mm512_dpbf16_ps)}

BF16 static void tile_bfloat16(int rows, int64_t steps, const void *x, int64_t ldx, const void *panel, float *sums) {
    ALL_ROWS(bfloat16)
}

static const RmilKernel wide2 = {"AVX2", 6, 16, tile_avx2}, wide5 = {"AVX-512", 12, 32, tile_avx512},
                        pairs = {"AVX-512 bfloat16", 12, 32, tile_bfloat16};

static gboolean has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

const RmilKernel *rmil_kernel(RmilPrecision precision) {
    if (precision == RMIL_BFLOAT16) return __builtin_cpu_supports("avx512bf16") ? &pairs : NULL;
    return __builtin_cpu_supports("avx512f") ? &wide5 : has_avx2() ? &wide2 : &plain;
}

const RmilKernel *const *rmil_kernels(void) {
    static const RmilKernel *const all[] = {&wide5, &wide2, &plain, NULL};
    return __builtin_cpu_supports("avx512f") ? all : has_avx2() ? all + 1 : all + 2;
}
#else
const RmilKernel *rmil_kernel(RmilPrecision precision) { return precision == RMIL_BFLOAT16 ? NULL : &plain; }

const RmilKernel *const *rmil_kernels(void) {
    static const RmilKernel *const all[] = {&plain, NULL};
    return all;
}
#endif
