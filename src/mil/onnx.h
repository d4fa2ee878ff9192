/* SPDX-License-Identifier: Apache-2.0 */
/* A model as an ONNX graph (https://onnx.ai, operator set 17): values are named, nodes make new values out of others. */
#ifndef RMIL_MIL_ONNX_H
#define RMIL_MIL_ONNX_H

#include "model.h"

enum { RMIL_ONNX_FLOAT = 1 }; /* a type of numbers, as Cast takes it */

/* Names that functions here return belong to the graph. Nothing fails until the graph is written. */
struct _RmilOnnx;

/* The input "features" (K × D, float32), which every model has. */
const char *rmil_onnx_features(RmilOnnx *onnx);
/* The inputs of models that need to know where patches lie: "coords" (K × 2, int64, level-0 px) and "tile_size" (1, float64,
 * level-0 px). */
void rmil_onnx_places(RmilOnnx *onnx, const char **coords, const char **tile_size);
/* The input of models that look at pixels: "tiles" (K × 3 × S × S, float32), normalised as ImageNet's; S is free. */
const char *rmil_onnx_tiles(RmilOnnx *onnx);
/* A tensor of the model, by its name; in the file only when it was asked for. */
const char *rmil_onnx_parameter(RmilOnnx *onnx, const char *name, ...) G_GNUC_PRINTF(2, 3);
const char *rmil_onnx_number(RmilOnnx *onnx, double value);                 /* (1), float32 */
const char *rmil_onnx_wholes(RmilOnnx *onnx, int n, const int64_t *values); /* (n), int64 */
#define RMIL_ONNX_WHOLES(onnx, ...)                                                                                                        \
    rmil_onnx_wholes(onnx, (int)G_N_ELEMENTS(((const int64_t[]){__VA_ARGS__})), (const int64_t[]){__VA_ARGS__})

/* A node: operator, inputs, NULL. Returns its output. What follows is about the node added last. */
const char *rmil_onnx_node(RmilOnnx *onnx, const char *operator, ...) G_GNUC_NULL_TERMINATED;
const char *rmil_onnx_another_output(RmilOnnx *onnx);
void rmil_onnx_int(RmilOnnx *onnx, const char *attribute, int64_t value);
void rmil_onnx_ints(RmilOnnx *onnx, const char *attribute, int n, const int64_t *values);
void rmil_onnx_float(RmilOnnx *onnx, const char *attribute, double value);

/* -- what several models have in common --------------------------------------------------------------------------------- */
/* x (rows × in) Wᵀ + bias. */
const char *rmil_onnx_linear(RmilOnnx *onnx, const char *x, const char *weight, const char *bias);
/* relu(features · adaptor.0): where all models but HIPT begin. */
const char *rmil_onnx_hidden(RmilOnnx *onnx);
/* x as a list, and as a matrix of one row. */
const char *rmil_onnx_flat(RmilOnnx *onnx, const char *x);
const char *rmil_onnx_row(RmilOnnx *onnx, const char *x);
/* Row `index` of x, as a matrix of one row. */
const char *rmil_onnx_row_of(RmilOnnx *onnx, const char *x, int64_t index);
/* Values one below the other, along their first axis. */
const char *rmil_onnx_stack(RmilOnnx *onnx, const char *const *values, int count);
/* softmax(scale · s) over the K patches, and the threshold (docs/models.md, Attention pooling). */
const char *rmil_onnx_attention(RmilOnnx *onnx, const char *scores, double scale, double threshold, gboolean cut_even);
/* LayerNorm over the last axis with NAME.weight and NAME.bias. */
const char *rmil_onnx_norm(RmilOnnx *onnx, const char *x, const char *name);

/* ResNet-50 of the stem's `width`, from rmil_onnx_tiles to K × 32 · width features; norms go by their running statistics. The model's tensors
 * have torchvision's names (rmil_network_tensors); fc is not read. */
const char *rmil_onnx_network(RmilOnnx *onnx, int width);

/* The outputs: logits (two classes: the log odds, 1; else rmil_model_outputs of them), and per patch scores and attention (K; models with
 * several rows: rows × K, but of two classes K, those of label 1). What is said of the slide follows from the logits. */
void rmil_onnx_outputs(RmilOnnx *onnx, const char *logits, const char *scores, const char *attention);

#endif
