/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions with oneDNN, forward only. A layer is created once, with its weights in the order that the processor prefers, and may then
 * be run by many threads at once: everything that changes belongs to the caller. Activations pass from layer to layer in blocked layouts
 * that only the layers know. */
#ifndef RMIL_CONVOLUTION_H
#define RMIL_CONVOLUTION_H

#include "dnn.h"

typedef struct _RmilLayer RmilLayer;

typedef struct {
    int64_t batch, channels, side; /* of the input */
    RmilPrecision precision;       /* of activations; sums are float32 */
} RmilLayerInput;

typedef struct {
    int64_t channels, kernel, stride, padding; /* channels: of the output */
    gboolean relu;
    gboolean sum; /* adds to the destination's contents, before the ReLU */
} RmilConvolution;

/* from: the layer whose output this one reads, NULL for a plain (batch, channels, side, side) array. weights: (output channels, input
 * channels, kernel, kernel), bias: (output channels), both float32, copied. With `sum` the destination has the layout of `onto`'s output.
 * Fails if the processor has no reasonably fast way to compute in this precision. */
RmilLayer *rmil_layer_convolution(RmilDnn *dnn, const RmilLayerInput *input, const RmilLayer *from, const RmilConvolution *shape,
                                  const float *weights, const float *bias, const RmilLayer *onto, GError **error);
/* 3 × 3 maximum, stride 2, padding 1. */
RmilLayer *rmil_layer_pool(RmilDnn *dnn, const RmilLayer *from, GError **error);
/* Back to a plain float32 (batch, channels, side, side) array. */
RmilLayer *rmil_layer_plain(RmilDnn *dnn, const RmilLayer *from, GError **error);
void rmil_layer_free(RmilLayer *layer);

void rmil_layer_output(const RmilLayer *layer, RmilLayerInput *output); /* its shape */
size_t rmil_layer_bytes(const RmilLayer *layer);                        /* of the output */
size_t rmil_layer_scratch(const RmilLayer *layer);                      /* bytes of working memory */

/* Buffers are 64-byte aligned. Runs on the calling thread's own threads: one, inside rmil_parallel. */
gboolean rmil_layer_run(const RmilLayer *layer, RmilStream *stream, const void *source, void *destination, void *scratch, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilLayer, rmil_layer_free)

#endif
