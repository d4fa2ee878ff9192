/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm of networks in training, with the ReLU and the shortcut, on chunks of images: each is one pass over memory. The statistics are
 * those of a whole batch: chunks give sums, which are added in order. y = max(x · scale + shift [+ shortcut], 0), with scale = γ / √(σ² +
 * ε), shift = β − μ · scale (Ioffe and Szegedy, ICML 2015). */
#ifndef RMIL_NORM_H
#define RMIL_NORM_H

#include "base/base-private.h"
#include "rankmil/tensors.h"

/* Activations (images, channels / block, pixels, block). */
typedef struct {
    int64_t images, channels, pixels, block;
    RmilPrecision precision;
} RmilMaps;
static inline int64_t rmil_maps_count(const RmilMaps *m) { return m->images * m->channels * m->pixels; }
static inline size_t rmil_maps_bytes(const RmilMaps *m) { return (size_t)rmil_maps_count(m) * (m->precision == RMIL_BFLOAT16 ? 2 : 4); }

/* A norm's effect on each channel, forward and backward: arrays of `channels` floats. */
typedef struct {
    float *mean, *deviation;       /* of the batch: μ and 1 / √(σ² + ε) */
    float *scale, *shift;          /* y = scale · x + shift */
    float *slope, *again, *offset; /* ∂L/∂x = slope · ∂L/∂y + again · x + offset */
} RmilNorm;
RmilNorm *rmil_norm_new(int64_t channels, GError **error);
void rmil_norm_free(RmilNorm *norm);

/* Σ x and Σ x² of each channel: sums has 2 × channels entries, overwritten. */
void rmil_norm_sums(const RmilMaps *maps, const void *x, double *sums);
/* From the sums of `chunks` chunks, with `count` values per channel in total: mean, deviation, scale and shift. mean and variance: the
 * running ones, of which a tenth is replaced, with the unbiased variance; NULL: there are none. */
void rmil_norm_learn(RmilNorm *norm, int64_t channels, const double *sums, int64_t chunks, int64_t count, const float *gain,
                     const float *bias, float *mean, float *variance);
/* y = max(scale · x + shift + shortcut, 0). shortcut NULL: none; its norm NULL: it is added as it is. */
void rmil_norm_apply(const RmilMaps *maps, const RmilNorm *norm, const void *x, const void *shortcut, const RmilNorm *of_shortcut, void *y);

/* Backward pass of apply, first half. g: ∂L/∂y, set to 0 where y is not above 0. more: added to it first, or NULL. y NULL: recomputed from
 * x (for a norm without shortcut). sums: Σ g and Σ g (x − μ), overwritten. */
void rmil_norm_back_sums(const RmilMaps *maps, const RmilNorm *norm, void *g, const void *more, const void *y, const void *x, double *sums);
/* Only the sums, for the norm of a shortcut. */
void rmil_norm_back_sums_only(const RmilMaps *maps, const RmilNorm *norm, const void *g, const void *x, double *sums);
/* From these sums: slope, again and offset, and the gradients of γ and β. */
void rmil_norm_back_learn(RmilNorm *norm, int64_t channels, const double *sums, int64_t chunks, int64_t count, float *gain, float *bias);
/* Second half: dx = slope · g + again · x + offset; dx may be g. */
void rmil_norm_back(const RmilMaps *maps, const RmilNorm *norm, const void *g, const void *x, void *dx);

/* 3 × 3 maximum, stride 2, padding 1, of maps of side × side. _back overwrites dx. */
void rmil_maximum(const RmilMaps *maps, int64_t side, const void *x, void *y);
void rmil_maximum_back(const RmilMaps *maps, int64_t side, const void *x, const void *dy, void *dx);
/* Means over pixels: images × channels floats; and backward: dx = slopes / pixels. */
void rmil_means(const RmilMaps *maps, const void *x, float *means);
void rmil_means_back(const RmilMaps *maps, const float *slopes, void *dx);
void rmil_maps_add(const RmilMaps *maps, void *x, const void *more); /* x += more */
/* A plain float32 (images, channels, pixels) array as maps. */
void rmil_maps_from_plain(const RmilMaps *maps, const float *plain, void *x);

#endif
