/* SPDX-License-Identifier: Apache-2.0 */
/* Trainable ResNet-50 as ONNX: batch norms stay nodes. */
#include "onnx.h"

#include "encoder/encoder-onnx.h"
#include "encoder/network.h"

static const char *add_unit(RmilOnnx *o, gpointer user, const char *x, const char *convolution, const char *norm, const int64_t shape[4],
                            int64_t stride) {
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    const char *names[G_N_ELEMENTS(parts)], *weight = rmil_onnx_parameter(o, "%s.weight", convolution);
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) names[i] = rmil_onnx_parameter(o, "%s.%s", norm, parts[i]);
    const char *y = rmil_resnet_conv(o, x, weight, NULL, shape[2], stride);
    y = rmil_onnx_node(o, "BatchNormalization", y, names[0], names[1], names[2], names[3], NULL);
    rmil_onnx_float(o, "epsilon", 1e-5);
    return y;
}

const char *rmil_onnx_network(RmilOnnx *onnx, int width) {
    RmilNetworkShape shape;
    rmil_network_shape_init(&shape, width, 1);
    return rmil_resnet_graph(onnx, rmil_onnx_tiles(onnx), width, RMIL_STAGES, shape.blocks, add_unit, NULL);
}
