/* SPDX-License-Identifier: Apache-2.0 */
/* A convolution that learns: forward, and the two ways back, for a chunk of images on one thread. Activations are arrays (images,
 * channels / block, side, side, block) of float32 or bfloat16, whatever the processor; gradients of weights are float32. Sums have
 * one order, so that a chunk has the same bits on any thread. float32 3 × 3 convolutions of stride 1 go by Winograd's way, forward and
 * back to the input. */
#ifndef RMIL_LEARNED_H
#define RMIL_LEARNED_H

#include "dnn.h"

typedef struct {
    int64_t images; /* of a chunk */
    int64_t in, out, kernel, stride, padding, side;
    dnnl_format_tag_t layout; /* of activations: nChw16c, nChw8c or nhwc */
    gboolean first;           /* the source is a plain (images, in, side, side) array, and needs no gradient */
    RmilPrecision precision;
} RmilLearnedShape;

typedef struct _RmilLearned RmilLearned;
RmilLearned *rmil_learned_new(RmilDnn *dnn, const RmilLearnedShape *shape, GError **error);
void rmil_learned_free(RmilLearned *learned);
int64_t rmil_learned_side(const RmilLearnedShape *shape);               /* of the output */
int64_t rmil_learned_block(dnnl_format_tag_t layout, int64_t channels); /* 16, 8 or channels */
size_t rmil_learned_scratch(const RmilLearned *learned);                /* bytes of working memory, 64-byte aligned */
int64_t rmil_learned_gradient_count(const RmilLearned *learned);        /* floats of a gradient in the form that _weights writes */

/* Takes weights (out, in, kernel, kernel) for what follows. Not beside calls of the same convolution. */
gboolean rmil_learned_set(RmilLearned *learned, RmilStream *stream, const float *weights, GError **error);
/* Thread-safe: only the arrays of the caller are written. _input: the gradient by the source. _weights: the gradient by the weights,
 * overwritten, in a form of its own that may be summed, entry by entry; _plain makes it (out, in, kernel, kernel). */
gboolean rmil_learned_forward(const RmilLearned *learned, RmilStream *stream, const void *source, void *destination, void *scratch,
                              GError **error);
gboolean rmil_learned_input(const RmilLearned *learned, RmilStream *stream, const void *destination, void *source, void *scratch,
                            GError **error);
gboolean rmil_learned_weights(const RmilLearned *learned, RmilStream *stream, const void *source, const void *destination, float *gradient,
                              void *scratch, GError **error);
gboolean rmil_learned_plain(const RmilLearned *learned, RmilStream *stream, const float *gradient, float *plain, GError **error);

#endif
