/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm, ReLU and pooling of networks in training. */
#include "norm.h"

#include "tensors/tensors-private.h"

#include <math.h>
#include <string.h>

#define EPSILON 1e-5F /* of torchvision's batch norms */
#define MOMENTUM 0.1  /* weight of a batch in the running statistics */
enum {
    MOST = 16, /* channels that a loop keeps in registers */
    FLUSH = 64 /* pixels whose float sums are added to double ones */
};

/* -- float32 and bfloat16 -------------------------------------------------------------------------------------------------- */
RMIL_INLINE float get(const void *x, int64_t i, gboolean half) {
    return half ? rmil_bfloat16_float(((const uint16_t *)x)[i]) : ((const float *)x)[i];
}

RMIL_INLINE void put(void *x, int64_t i, float value, gboolean half) {
    if (half) ((uint16_t *)x)[i] = rmil_bfloat16(value);
    else ((float *)x)[i] = value;
}

/* Loops over every group of L channels of every image: first channel c, index `at` of its first pixel, pixels `step` apart. */
#define FOR_GROUPS(m, L)                                                                                                                   \
    for (int64_t n = 0; n < (m)->images; n++)                                                                                              \
        for (int64_t c = 0; c < (m)->channels; c += (L))
#define AT(m) ((n * (m)->channels + c / (m)->block * (m)->block) * (m)->pixels + c % (m)->block)

/* Compiles a body for each number of channels at a time and both number types as constants. */
#define PICK(body, m, ...)                                                                                                                 \
    do {                                                                                                                                   \
        const gboolean half_ = (m)->precision == RMIL_BFLOAT16;                                                                            \
        if ((m)->block % 16 == 0 && half_) body(m, 16, TRUE, __VA_ARGS__);                                                                 \
        else if ((m)->block % 16 == 0) body(m, 16, FALSE, __VA_ARGS__);                                                                    \
        else if ((m)->block % 8 == 0 && half_) body(m, 8, TRUE, __VA_ARGS__);                                                              \
        else if ((m)->block % 8 == 0) body(m, 8, FALSE, __VA_ARGS__);                                                                      \
        else if (half_) body(m, 1, TRUE, __VA_ARGS__);                                                                                     \
        else body(m, 1, FALSE, __VA_ARGS__);                                                                                               \
    } while (0)

RmilNorm *rmil_norm_new(int64_t channels, GError **error) {
    float *all = rmil_alloc(7 * channels, sizeof(float), error);
    if (!all) return NULL;
    RmilNorm *norm = g_new(RmilNorm, 1);
    *norm = (RmilNorm){
        all, all + channels, all + 2 * channels, all + 3 * channels, all + 4 * channels, all + 5 * channels, all + 6 * channels};
    return norm;
}

void rmil_norm_free(RmilNorm *norm) {
    if (!norm) return;
    rmil_free(norm->mean);
    g_free(norm);
}

/* -- forward ------------------------------------------------------------------------------------------------------------- */
RMIL_INLINE void sums_body(const RmilMaps *m, int L, gboolean half, const void *x, double *sums) {
    FOR_GROUPS(m, L) {
        const int64_t at = AT(m), step = m->block;
        for (int64_t p = 0; p < m->pixels; p += FLUSH) {
            const int64_t end = MIN(p + FLUSH, m->pixels);
            float sum[MOST] = {0}, squares[MOST] = {0};
            for (int64_t i = p; i < end; i++)
#pragma omp simd
                for (int l = 0; l < L; l++) {
                    const float v = get(x, at + i * step + l, half);
                    sum[l] += v;
                    squares[l] += v * v;
                }
            for (int l = 0; l < L; l++) {
                sums[c + l] += (double)sum[l];
                sums[m->channels + c + l] += (double)squares[l];
            }
        }
    }
}

RMIL_CLONES void rmil_norm_sums(const RmilMaps *m, const void *x, double *sums) {
    memset(sums, 0, (size_t)(2 * m->channels) * sizeof *sums);
    PICK(sums_body, m, x, sums);
}

void rmil_norm_learn(RmilNorm *norm, int64_t channels, const double *sums, int64_t chunks, int64_t count, const float *gain,
                     const float *bias, float *mean, float *variance) {
    const double n = (double)count;
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, squares = 0;
        for (int64_t k = 0; k < chunks; k++) {
            sum += sums[2 * k * channels + c];
            squares += sums[(2 * k + 1) * channels + c];
        }
        const double mu = sum / n, spread = fmax(squares / n - mu * mu, 0);
        norm->mean[c] = (float)mu;
        norm->deviation[c] = (float)(1 / sqrt(spread + (double)EPSILON));
        norm->scale[c] = gain[c] * norm->deviation[c];
        norm->shift[c] = bias[c] - norm->mean[c] * norm->scale[c];
        if (!mean) continue;
        mean[c] = (float)((1 - MOMENTUM) * (double)mean[c] + MOMENTUM * mu);
        variance[c] = (float)((1 - MOMENTUM) * (double)variance[c] + MOMENTUM * spread * (count > 1 ? n / (n - 1) : 1));
    }
}

RMIL_INLINE void apply_body(const RmilMaps *m, int L, gboolean half, const RmilNorm *norm, const void *x, const void *shortcut,
                            const RmilNorm *of, void *y) {
    FOR_GROUPS(m, L) {
        const int64_t at = AT(m), step = m->block;
        float scale[MOST], shift[MOST], times[MOST];
        for (int l = 0; l < L; l++) {
            scale[l] = norm->scale[c + l];
            shift[l] = norm->shift[c + l] + (of ? of->shift[c + l] : 0);
            times[l] = of ? of->scale[c + l] : 1;
        }
        if (shortcut)
            for (int64_t i = 0; i < m->pixels; i++)
#pragma omp simd
                for (int l = 0; l < L; l++) {
                    const int64_t j = at + i * step + l;
                    const float v = scale[l] * get(x, j, half) + shift[l] + times[l] * get(shortcut, j, half);
                    put(y, j, v < 0 ? 0 : v, half); /* NaN stays */
                }
        else
            for (int64_t i = 0; i < m->pixels; i++)
#pragma omp simd
                for (int l = 0; l < L; l++) {
                    const int64_t j = at + i * step + l;
                    const float v = scale[l] * get(x, j, half) + shift[l];
                    put(y, j, v < 0 ? 0 : v, half); /* NaN stays */
                }
    }
}

RMIL_CLONES void rmil_norm_apply(const RmilMaps *m, const RmilNorm *norm, const void *x, const void *shortcut, const RmilNorm *of_shortcut,
                                 void *y) {
    PICK(apply_body, m, norm, x, shortcut, of_shortcut, y);
}

/* -- back ------------------------------------------------------------------------------------------------------------------ */
/* write: g is masked and written; otherwise only summed. */
RMIL_INLINE void back_sums_body(const RmilMaps *m, int L, gboolean half, const RmilNorm *norm, void *g, const void *more, const void *y,
                                const void *x, double *sums, gboolean write) {
    FOR_GROUPS(m, L) {
        const int64_t at = AT(m), step = m->block;
        float mean[MOST], scale[MOST], shift[MOST];
        for (int l = 0; l < L; l++) {
            mean[l] = norm->mean[c + l];
            scale[l] = norm->scale[c + l];
            shift[l] = norm->shift[c + l];
        }
        for (int64_t p = 0; p < m->pixels; p += FLUSH) {
            const int64_t end = MIN(p + FLUSH, m->pixels);
            float sum[MOST] = {0}, with[MOST] = {0};
            for (int64_t i = p; i < end; i++)
#pragma omp simd
                for (int l = 0; l < L; l++) {
                    const int64_t j = at + i * step + l;
                    const float value = get(x, j, half);
                    float slope = get(g, j, half);
                    if (write) {
                        const float out = y ? get(y, j, half) : scale[l] * value + shift[l];
                        slope = out > 0 ? slope + (more ? get(more, j, half) : 0) : 0;
                        put(g, j, slope, half);
                    }
                    sum[l] += slope;
                    with[l] += slope * (value - mean[l]);
                }
            for (int l = 0; l < L; l++) {
                sums[c + l] += (double)sum[l];
                sums[m->channels + c + l] += (double)with[l];
            }
        }
    }
}

RMIL_CLONES void rmil_norm_back_sums(const RmilMaps *m, const RmilNorm *norm, void *g, const void *more, const void *y, const void *x,
                                     double *sums) {
    memset(sums, 0, (size_t)(2 * m->channels) * sizeof *sums);
    if (more) PICK(back_sums_body, m, norm, g, more, y, x, sums, TRUE);
    else if (y) PICK(back_sums_body, m, norm, g, NULL, y, x, sums, TRUE);
    else PICK(back_sums_body, m, norm, g, NULL, NULL, x, sums, TRUE);
}

RMIL_CLONES void rmil_norm_back_sums_only(const RmilMaps *m, const RmilNorm *norm, const void *g, const void *x, double *sums) {
    memset(sums, 0, (size_t)(2 * m->channels) * sizeof *sums);
    PICK(back_sums_body, m, norm, (void *)g, NULL, NULL, x, sums, FALSE);
}

void rmil_norm_back_learn(RmilNorm *norm, int64_t channels, const double *sums, int64_t chunks, int64_t count, float *gain, float *bias) {
    const double n = (double)count;
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, with = 0;
        for (int64_t k = 0; k < chunks; k++) {
            sum += sums[2 * k * channels + c];
            with += sums[(2 * k + 1) * channels + c];
        }
        const double deviation = (double)norm->deviation[c], scale = (double)norm->scale[c];
        const double again = -scale * deviation * deviation * with / n; /* with / n · deviation: the mean of g x̂ */
        norm->slope[c] = norm->scale[c];
        norm->again[c] = (float)again;
        norm->offset[c] = (float)(-scale * sum / n - again * (double)norm->mean[c]);
        gain[c] = (float)(with * deviation);
        bias[c] = (float)sum;
    }
}

RMIL_INLINE void back_body(const RmilMaps *m, int L, gboolean half, const RmilNorm *norm, const void *g, const void *x, void *dx) {
    FOR_GROUPS(m, L) {
        const int64_t at = AT(m), step = m->block;
        float slope[MOST], again[MOST], offset[MOST];
        for (int l = 0; l < L; l++) {
            slope[l] = norm->slope[c + l];
            again[l] = norm->again[c + l];
            offset[l] = norm->offset[c + l];
        }
        for (int64_t i = 0; i < m->pixels; i++)
#pragma omp simd
            for (int l = 0; l < L; l++) {
                const int64_t j = at + i * step + l;
                put(dx, j, slope[l] * get(g, j, half) + again[l] * get(x, j, half) + offset[l], half);
            }
    }
}

RMIL_CLONES void rmil_norm_back(const RmilMaps *m, const RmilNorm *norm, const void *g, const void *x, void *dx) {
    PICK(back_body, m, norm, g, x, dx);
}

/* -- pooling --------------------------------------------------------------------------------------------------------------- */
/* For each channel the index of the highest of the up to nine pixels inside the map; if equal, the first. */
RMIL_INLINE void highest(const void *x, int64_t at, int64_t step, int64_t side, int64_t row, int64_t column, int L, gboolean half,
                         float best[MOST], int32_t where[MOST]) {
    for (int l = 0; l < L; l++) {
        best[l] = -INFINITY;
        where[l] = 0;
    }
    for (int64_t py = MAX(2 * row - 1, 0); py <= MIN(2 * row + 1, side - 1); py++)
        for (int64_t px = MAX(2 * column - 1, 0); px <= MIN(2 * column + 1, side - 1); px++) {
            const int32_t place = (int32_t)(py * side + px);
#pragma omp simd
            for (int l = 0; l < L; l++) {
                const float v = get(x, at + place * step + l, half);
                where[l] = v <= best[l] ? where[l] : place;
                best[l] = v <= best[l] ? best[l] : v; /* NaN stays */
            }
        }
}

/* y: the maxima of the maps x. With dx, passes their dy back to it instead. */
RMIL_INLINE void maximum_body(const RmilMaps *m, int L, gboolean half, int64_t side, const void *x, void *y, const void *dy, void *dx) {
    const int64_t small = (side - 1) / 2 + 1, step = m->block;
    float best[MOST];
    int32_t where[MOST];
    FOR_GROUPS(m, L) {
        const int64_t at = AT(m), to = (n * m->channels + c / m->block * m->block) * small * small + c % m->block;
        if (dx)
            for (int64_t i = 0; i < m->pixels; i++)
                for (int l = 0; l < L; l++) put(dx, at + i * step + l, 0, half);
        for (int64_t row = 0; row < small; row++)
            for (int64_t column = 0; column < small; column++) {
                const int64_t out = to + (row * small + column) * step;
                highest(x, at, step, side, row, column, L, half, best, where);
                for (int l = 0; l < L; l++) {
                    const int64_t from = at + where[l] * step + l;
                    if (!dx) put(y, out + l, best[l], half);
                    else put(dx, from, get(dx, from, half) + get(dy, out + l, half), half);
                }
            }
    }
}

RMIL_CLONES void rmil_maximum(const RmilMaps *m, int64_t side, const void *x, void *y) { PICK(maximum_body, m, side, x, y, NULL, NULL); }

RMIL_CLONES void rmil_maximum_back(const RmilMaps *m, int64_t side, const void *x, const void *dy, void *dx) {
    PICK(maximum_body, m, side, x, NULL, dy, dx);
}

void rmil_means(const RmilMaps *m, const void *x, float *means) {
    const gboolean half = m->precision == RMIL_BFLOAT16;
    FOR_GROUPS(m, 1) {
        const int64_t at = AT(m);
        double sum = 0;
        for (int64_t i = 0; i < m->pixels; i++) sum += (double)get(x, at + i * m->block, half);
        means[n * m->channels + c] = (float)(sum / (double)m->pixels);
    }
}

void rmil_means_back(const RmilMaps *m, const float *slopes, void *dx) {
    const gboolean half = m->precision == RMIL_BFLOAT16;
    FOR_GROUPS(m, 1) {
        const int64_t at = AT(m);
        const float each = slopes[n * m->channels + c] / (float)m->pixels;
        for (int64_t i = 0; i < m->pixels; i++) put(dx, at + i * m->block, each, half);
    }
}

RMIL_INLINE void add_body(const RmilMaps *m, int L, gboolean half, void *x, const void *more) {
    const int64_t count = rmil_maps_count(m);
#pragma omp simd
    for (int64_t i = 0; i < count; i++) put(x, i, get(x, i, half) + get(more, i, half), half);
}

RMIL_CLONES void rmil_maps_add(const RmilMaps *m, void *x, const void *more) { PICK(add_body, m, x, more); }

void rmil_maps_from_plain(const RmilMaps *m, const float *plain, void *x) {
    const gboolean half = m->precision == RMIL_BFLOAT16;
    FOR_GROUPS(m, 1) {
        const int64_t at = AT(m);
        for (int64_t i = 0; i < m->pixels; i++) put(x, at + i * m->block, plain[(n * m->channels + c) * m->pixels + i], half);
    }
}
