/* SPDX-License-Identifier: Apache-2.0 */
/* A trainable convolution: the forward pass and the two backward passes, for a chunk of images on one thread. Activations are arrays
 * (images, channels / block, side, side, block) of float32 or bfloat16 on any processor; gradients of weights are float32. Sums have a
 * fixed order, so a chunk gives the same bits on any thread. float32 3 × 3 convolutions of stride 1 use Winograd's method, forward and
 * backward to the input. */
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

/* Sets the weights (out, in, kernel, kernel) for subsequent calls. Must not run in parallel with other calls on the same convolution. */
gboolean rmil_learned_set(RmilLearned *learned, RmilStream *stream, const float *weights, GError **error);
/* Thread-safe: writes only the caller's arrays. _input: the gradient with respect to the source. _weights: the gradient with respect to the
 * weights, overwritten, in an internal form that may be summed entry by entry; _plain converts it to (out, in, kernel, kernel). */
gboolean rmil_learned_forward(const RmilLearned *learned, RmilStream *stream, const void *source, void *destination, void *scratch,
                              GError **error);
gboolean rmil_learned_input(const RmilLearned *learned, RmilStream *stream, const void *destination, void *source, void *scratch,
                            GError **error);
gboolean rmil_learned_weights(const RmilLearned *learned, RmilStream *stream, const void *source, const void *destination, float *gradient,
                              void *scratch, GError **error);
gboolean rmil_learned_plain(const RmilLearned *learned, RmilStream *stream, const float *gradient, float *plain, GError **error);

#endif
