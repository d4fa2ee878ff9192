/* SPDX-License-Identifier: Apache-2.0 */
/* Separable resampling of premultiplied ARGB in fixed point: the same bytes on every processor. */
#ifndef RMIL_RESAMPLE_H
#define RMIL_RESAMPLE_H

#include "base/base-private.h"

/* Weights of one axis. Output pixel i is the sum of weight[start[i] + k] · input[first[i] + k], k < count[i]; weights are in 1/65536 and
 * sum to 65536 if the pixel lies wholly inside the input. */
typedef struct {
    int64_t size;
    int32_t *first, *count, *start;
    uint32_t *weights;
    int64_t allocated;
} RmilTaps;

/* Output pixel i of `size` covers offset + i·step … offset + (i + 1)·step of an input axis of `input` pixels; weights are the shares of
 * each input pixel in it (outside the input 0). For step < 1: linear interpolation at the centre. taps must be cleared, also after a
 * failure. */
gboolean rmil_taps_init(RmilTaps *taps, double offset, double step, int64_t size, int64_t input, GError **error);
void rmil_taps_clear(RmilTaps *taps);

/* output: y->size rows of x->size pixels, `stride` pixels apart. input: rows of `width` pixels. scratch: 4 · width
 * words. Each channel is rounded once to 1/256 after the vertical pass and once to an integer. */
void rmil_resample(const uint32_t *input, int64_t width, const RmilTaps *x, const RmilTaps *y, uint32_t *output, int64_t stride,
                   uint32_t *scratch);

#endif
