/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of encoders as ONNX graphs. */
#ifndef RMIL_ENCODER_ONNX_H
#define RMIL_ENCODER_ONNX_H

#include "resnet.h"
#include "tensors/onnx-graph.h"
#include "vit.h"

/* From images (N × 3 × side × side, normalised) to features (N × dim). Returns the name of the last value, owned by the graph; NULL:
 * weights and config do not fit, or numbers are not finite. Layer scales and batch norms are folded into the weights, and positions are
 * made for the side; workers, batch and precision of config are ignored. */
const char *rmil_vit_onnx(RmilOnnx *onnx, const RmilVitWeights *weights, const RmilVitConfig *config, const char *images, GError **error);
const char *rmil_resnet_onnx(RmilOnnx *onnx, const RmilTensors *tensors, const RmilResnetConfig *config, const char *images,
                             GError **error);

/* A ResNet-50 of any width, up to the mean of the last stage. unit: one convolution (out, in, kernel, kernel) of this stride with its norm,
 * with torchvision's names; NULL: it failed, and then so does this function. blocks: of each stage. */
typedef const char *(*RmilResnetUnit)(RmilOnnx *onnx, gpointer user, const char *x, const char *convolution, const char *norm,
                                      const int64_t shape[4], int64_t stride);
const char *rmil_resnet_graph(RmilOnnx *onnx, const char *images, int64_t width, int stages, const int *blocks, RmilResnetUnit unit,
                              gpointer user);
/* Its convolution. */
const char *rmil_resnet_conv(RmilOnnx *onnx, const char *x, const char *weight, const char *bias, int64_t kernel, int64_t stride);

#endif
