/* SPDX-License-Identifier: Apache-2.0 */
/* A model as an ONNX graph (tensors/onnx-graph.h), whose owner is the RmilModel. */
#ifndef RMIL_MIL_ONNX_H
#define RMIL_MIL_ONNX_H

#include "model.h"
#include "tensors/onnx-graph.h"

/* The input "features" (K × D, float32), which every model has. */
const char *rmil_onnx_features(RmilOnnx *onnx);
/* The inputs of models that need to know where patches lie: "coords" (K × 2, int64, level-0 px) and "tile_size" (1, float64,
 * level-0 px). */
void rmil_onnx_places(RmilOnnx *onnx, const char **coords, const char **tile_size);
/* The input of models that read pixels: "tiles" (K × 3 × S × S, float32), normalised as for ImageNet; S is free. */
const char *rmil_onnx_tiles(RmilOnnx *onnx);
/* A tensor of the model, by name; only tensors requested here are in the file. */
const char *rmil_onnx_parameter(RmilOnnx *onnx, const char *name, ...) G_GNUC_PRINTF(2, 3);

/* -- shared by several models ------------------------------------------------------------------------------------------- */
/* x (rows × in) Wᵀ + bias. */
const char *rmil_onnx_linear(RmilOnnx *onnx, const char *x, const char *weight, const char *bias);
/* relu(features · adaptor.0): the start of all models except HIPT. */
const char *rmil_onnx_hidden(RmilOnnx *onnx);
/* x as a list, and as a one-row matrix. */
const char *rmil_onnx_flat(RmilOnnx *onnx, const char *x);
const char *rmil_onnx_row(RmilOnnx *onnx, const char *x);
/* Row `index` of x, as a one-row matrix. */
const char *rmil_onnx_row_of(RmilOnnx *onnx, const char *x, int64_t index);
/* softmax(scale · s) over the K patches, and the threshold (docs/models.md, Attention pooling). */
const char *rmil_onnx_attention(RmilOnnx *onnx, const char *scores, double scale, double threshold, gboolean cut_even);
/* LayerNorm over the last axis with NAME.weight and NAME.bias. */
const char *rmil_onnx_norm(RmilOnnx *onnx, const char *x, const char *name);

/* ResNet-50 with a stem of `width`, from rmil_onnx_tiles to K × 32 · width features; norms use their running statistics. The model's
 * tensors have torchvision's names (rmil_network_tensors); fc is not read. */
const char *rmil_onnx_network(RmilOnnx *onnx, int width);

/* The outputs: logits (two classes: the log odds, 1; else rmil_model_outputs of them), and per patch scores and attention (K; models with
 * several rows: rows × K, but for two classes K, those of label 1). The slide's prediction is computed from the logits. */
void rmil_onnx_outputs(RmilOnnx *onnx, const char *logits, const char *scores, const char *attention);

#endif
