/* SPDX-License-Identifier: Apache-2.0 */
/* Converts numbers of other programs' files to float32 or bfloat16. */
#include "tensors-private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

void *rmil_alloc_features(int64_t rows, int64_t row_bytes, GError **error) {
    gint64 bytes;
    if (rows < 0 || row_bytes < 0 || __builtin_mul_overflow(rows, row_bytes, &bytes) || bytes > G_MAXINT64 / 2) {
        rmil_fail(error, RMIL_ERROR_MEMORY, "%" G_GINT64_FORMAT " rows of %" G_GINT64_FORMAT " bytes are more than can be addressed", rows,
                  row_bytes);
        return NULL;
    }
    size_t align = (size_t)bytes >= 2 * HUGE_PAGE ? HUGE_PAGE
                   : bytes >= 65536               ? 4096
                                                  : 64,
           size = ((size_t)MAX(bytes, 1) + align - 1) / align * align;
    void *memory = aligned_alloc(align, size);
    if (!memory) rmil_fail(error, RMIL_ERROR_MEMORY, "not enough memory for %zu bytes of features", size);
    else if (align == HUGE_PAGE) madvise(memory, size, MADV_HUGEPAGE); /* a hint that leaves a tenth of the page faults */
    return memory;
}

/* -- plain ------------------------------------------------------------------------------------------------------------ */
static uint16_t bits_to_half(uint32_t bits) {
    uint32_t sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (size >= 0x47800000) return (uint16_t)(sign | 0x7c00);
    if (size < 0x38800000) /* subnormal: the sum with ½ is rounded at 2⁻²⁴, the unit of such halves */
        return (uint16_t)(sign | (rmil_float_bits(rmil_bits_float(size) + 0.5f) - 0x3f000000));
    return (uint16_t)(sign | (size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13);
}

gboolean rmil_decode_plain(gboolean half, const void *raw, RmilPrecision precision, void *out, int64_t n) {
    gboolean finite = TRUE;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = half ? rmil_float_bits(rmil_half_float(((const uint16_t *)raw)[i])) : ((const uint32_t *)raw)[i];
        if (precision == RMIL_BFLOAT16) {
            uint16_t short_bits = rmil_bfloat16(rmil_bits_float(bits));
            ((uint16_t *)out)[i] = short_bits;
            finite &= (bits & 0x7f800000) != 0x7f800000 && (short_bits & 0x7f80) != 0x7f80;
        } else {
            ((uint32_t *)out)[i] = bits;
            finite &= (bits & 0x7f800000) != 0x7f800000;
        }
    }
    return finite;
}

gboolean rmil_encode_plain(RmilPrecision precision, const void *values, gboolean half, void *out, int64_t n) {
    gboolean finite = TRUE;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = precision == RMIL_BFLOAT16 ? (uint32_t)((const uint16_t *)values)[i] << 16 : ((const uint32_t *)values)[i];
        if (half) {
            uint16_t stored = bits_to_half(bits);
            ((uint16_t *)out)[i] = stored;
            finite &= (stored & 0x7c00) != 0x7c00;
        } else {
            ((uint32_t *)out)[i] = bits;
            finite &= (bits & 0x7f800000) != 0x7f800000;
        }
    }
    return finite;
}

/* -- vectorised by the compiler: the largest absolute bit pattern tells whether all are finite --------------------------- */
RMIL_CLONES static gboolean copy_float(const uint32_t *restrict in, uint32_t *restrict out, int64_t n) {
    int32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t size = (int32_t)(in[i] & 0x7fffffff);
        most = size > most ? size : most;
        out[i] = in[i];
    }
    return most < 0x7f800000;
}

/* A rounded magnitude ≥ 0x7f80 is infinite or NaN; what rounds up to infinity is caught by the limit just below it. */
RMIL_CLONES gboolean rmil_to_bfloat16(const float *restrict in, int64_t n, uint16_t *restrict out) {
    int32_t most = 0;
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < n; i++) {
        int32_t size = (int32_t)(rmil_float_bits(in[i]) & 0x7fffffff);
        most = size > most ? size : most;
        out[i] = rmil_bfloat16(in[i]);
    }
    return most < 0x7f7f8000;
}

RMIL_CLONES gboolean rmil_from_bfloat16(const uint16_t *restrict in, int64_t n, float *restrict out) {
    int32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t size = in[i] & 0x7fff;
        most = size > most ? size : most;
        out[i] = rmil_bfloat16_float(in[i]);
    }
    return most < 0x7f80;
}

/* -- F16C: half precision in hardware, eight at a time ------------------------------------------------------------------- */
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#define F16C __attribute__((target("avx2,f16c")))

/* clang 14's __builtin_cpu_supports does not know F16C. */
static gboolean have_f16c(void) {
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

F16C static gboolean below(__m256i most, int32_t limit) {
    int32_t lanes[8];
    _mm256_storeu_si256((__m256i *)lanes, most);
    gboolean all = TRUE;
    for (int i = 0; i < 8; i++) all &= lanes[i] < limit;
    return all;
}

/* How many of n elements come before `out` is aligned to a vector. From there on the loops below bypass the cache: a bag is
 * larger than the cache, and lines need not be read before they are overwritten. */
static int64_t before_aligned(const void *out, size_t element, size_t vector, int64_t n) {
    return MIN(n, (int64_t)((vector - (uintptr_t)out % vector) % vector / element));
}

F16C static gboolean half_to_float_f16c(const uint16_t *in, float *out, int64_t n) {
    __m256i most = _mm256_setzero_si256(), size = _mm256_set1_epi32(0x7fffffff);
    int64_t i = before_aligned(out, sizeof *out, 32, n);
    gboolean finite = rmil_decode_plain(TRUE, in, RMIL_FLOAT32, out, i);
    for (; i + 8 <= n; i += 8) {
        __m256 value = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(in + i)));
        most = _mm256_max_epi32(most, _mm256_and_si256(_mm256_castps_si256(value), size));
        _mm256_stream_ps(out + i, value);
    }
    _mm_sfence();
    return finite & rmil_decode_plain(TRUE, in + i, RMIL_FLOAT32, out + i, n - i) & below(most, 0x7f800000);
}

F16C static gboolean half_to_bfloat_f16c(const uint16_t *in, uint16_t *out, int64_t n) {
    __m256i most = _mm256_setzero_si256(), size = _mm256_set1_epi32(0x7fffffff);
    __m256i round = _mm256_set1_epi32(0x7fff), one = _mm256_set1_epi32(1);
    int64_t i = before_aligned(out, sizeof *out, 16, n);
    gboolean finite = rmil_decode_plain(TRUE, in, RMIL_BFLOAT16, out, i);
    for (; i + 8 <= n; i += 8) {
        __m256i bits = _mm256_castps_si256(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(in + i))));
        most = _mm256_max_epi32(most, _mm256_and_si256(bits, size));
        __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), one);
        __m256i shorter = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, round)), 16);
        __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(shorter, shorter), 0x08);
        _mm_stream_si128((__m128i *)(out + i), _mm256_castsi256_si128(packed));
    }
    _mm_sfence();
    return finite & rmil_decode_plain(TRUE, in + i, RMIL_BFLOAT16, out + i, n - i) & below(most, 0x7f800000);
}

F16C static gboolean float_to_half_f16c(const float *in, uint16_t *out, int64_t n) {
    __m128i most = _mm_setzero_si128(), size = _mm_set1_epi16(0x7fff);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT);
        most = _mm_max_epi16(most, _mm_and_si128(half, size));
        _mm_storeu_si128((__m128i *)(out + i), half);
    }
    int16_t lanes[8];
    _mm_storeu_si128((__m128i *)lanes, most);
    gboolean finite = rmil_encode_plain(RMIL_FLOAT32, in + i, TRUE, out + i, n - i);
    for (int j = 0; j < 8; j++) finite &= lanes[j] < 0x7c00;
    return finite;
}
#else
static gboolean have_f16c(void) { return FALSE; }
static gboolean half_to_float_f16c(const uint16_t *in, float *out, int64_t n) { return FALSE; }
static gboolean half_to_bfloat_f16c(const uint16_t *in, uint16_t *out, int64_t n) { return FALSE; }
static gboolean float_to_half_f16c(const float *in, uint16_t *out, int64_t n) { return FALSE; }
#endif

gboolean rmil_decode(gboolean half, const void *raw, RmilPrecision precision, void *out, int64_t n) {
    if (!half) return precision == RMIL_BFLOAT16 ? rmil_to_bfloat16(raw, n, out) : copy_float(raw, out, n);
    if (!have_f16c()) return rmil_decode_plain(half, raw, precision, out, n);
    return precision == RMIL_BFLOAT16 ? half_to_bfloat_f16c(raw, out, n) : half_to_float_f16c(raw, out, n);
}

gboolean rmil_encode(RmilPrecision precision, const void *values, gboolean half, void *out, int64_t n) {
    if (!half) return precision == RMIL_BFLOAT16 ? rmil_from_bfloat16(values, n, out) : copy_float(values, out, n);
    if (precision == RMIL_FLOAT32 && have_f16c()) return float_to_half_f16c(values, out, n);
    return rmil_encode_plain(precision, values, half, out, n);
}
