/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50 as ONNX. Which tensors there are, and in which order, the network that trains says. */
#include "onnx.h"

#include "encoder/network.h"

enum { UNIT = 5, LAST = 2 }; /* tensors of a convolution with its norm, in the order in which BatchNormalization takes them */

typedef struct {
    RmilOnnx *onnx;
    GArray *tensors;
    guint next; /* of them */
} Walk;

static const char *add_unit(Walk *walk, const char *x, int64_t stride) {
    RmilOnnx *o = walk->onnx;
    const RmilNetworkTensor *tensors = &g_array_index(walk->tensors, RmilNetworkTensor, walk->next);
    const char *names[UNIT];
    for (int i = 0; i < UNIT; i++) names[i] = rmil_onnx_parameter(o, "%s", tensors[i].name);
    walk->next += UNIT;
    const int64_t kernel = tensors->shape[2], padding = kernel / 2;
    const char *y = rmil_onnx_node(o, "Conv", x, names[0], NULL);
    rmil_onnx_ints(o, "kernel_shape", 2, (const int64_t[]){kernel, kernel});
    rmil_onnx_ints(o, "strides", 2, (const int64_t[]){stride, stride});
    rmil_onnx_ints(o, "pads", 4, (const int64_t[]){padding, padding, padding, padding});
    y = rmil_onnx_node(o, "BatchNormalization", y, names[1], names[2], names[3], names[4], NULL);
    rmil_onnx_float(o, "epsilon", 1e-5);
    return y;
}

/* The first block of a stage projects its input. */
static const char *add_block(Walk *walk, const char *x, int64_t stride, gboolean first) {
    const char *y = x;
    for (int u = 0; u <= LAST; u++) {
        y = add_unit(walk, y, u == 1 ? stride : 1);
        if (u < LAST) y = rmil_onnx_node(walk->onnx, "Relu", y, NULL);
    }
    const char *shortcut = first ? add_unit(walk, x, stride) : x;
    return rmil_onnx_node(walk->onnx, "Relu", rmil_onnx_node(walk->onnx, "Add", y, shortcut, NULL), NULL);
}

const char *rmil_onnx_network(RmilOnnx *onnx, int width) {
    RmilNetworkShape shape;
    rmil_network_shape_init(&shape, width, 1);
    g_autoptr(GArray) tensors = rmil_network_tensors(&shape);
    Walk walk = {onnx, tensors, 0};
    const char *x = rmil_onnx_node(onnx, "Relu", add_unit(&walk, rmil_onnx_tiles(onnx), 2), NULL);
    x = rmil_onnx_node(onnx, "MaxPool", x, NULL);
    rmil_onnx_ints(onnx, "kernel_shape", 2, (const int64_t[]){3, 3});
    rmil_onnx_ints(onnx, "strides", 2, (const int64_t[]){2, 2});
    rmil_onnx_ints(onnx, "pads", 4, (const int64_t[]){1, 1, 1, 1});
    for (int stage = 0; stage < RMIL_STAGES; stage++)
        for (int b = 0; b < shape.blocks[stage]; b++) x = add_block(&walk, x, stage && !b ? 2 : 1, !b);
    return rmil_onnx_node(onnx, "Flatten", rmil_onnx_node(onnx, "GlobalAveragePool", x, NULL), NULL);
}
