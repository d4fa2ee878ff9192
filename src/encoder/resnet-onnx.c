/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50 as an ONNX graph. */
#include "encoder-onnx.h"

const char *rmil_resnet_conv(RmilOnnx *onnx, const char *x, const char *weight, const char *bias, int64_t kernel, int64_t stride) {
    const int64_t padding = kernel / 2;
    const char *y = rmil_onnx_node(onnx, "Conv", x, weight, bias, NULL); /* without a bias the list ends there */
    RMIL_ONNX_INTS(onnx, "kernel_shape", kernel, kernel);
    RMIL_ONNX_INTS(onnx, "strides", stride, stride);
    RMIL_ONNX_INTS(onnx, "pads", padding, padding, padding, padding);
    return y;
}

typedef struct {
    RmilOnnx *onnx;
    RmilResnetUnit unit;
    gpointer user;
} Walk;

/* A bottleneck of `width`; the first one of a stage projects its input. */
static const char *add_block(Walk *walk, const char *x, const char *name, int64_t width, int64_t in, int64_t stride, gboolean first) {
    const int64_t shapes[][4] = {{width, in, 1, 1}, {width, width, 3, 3}, {4 * width, width, 1, 1}, {4 * width, in, 1, 1}};
    const char *y = x;
    for (int u = 0; y && u < 3; u++) {
        g_autofree char *convolution = g_strdup_printf("%s.conv%d", name, u + 1), *norm = g_strdup_printf("%s.bn%d", name, u + 1);
        y = walk->unit(walk->onnx, walk->user, y, convolution, norm, shapes[u], u == 1 ? stride : 1);
        if (y && u < 2) y = rmil_onnx_node(walk->onnx, "Relu", y, NULL);
    }
    if (y && first) {
        g_autofree char *convolution = g_strconcat(name, ".downsample.0", NULL), *norm = g_strconcat(name, ".downsample.1", NULL);
        x = walk->unit(walk->onnx, walk->user, x, convolution, norm, shapes[3], stride);
    }
    return x && y ? rmil_onnx_node(walk->onnx, "Relu", rmil_onnx_node(walk->onnx, "Add", y, x, NULL), NULL) : NULL;
}

const char *rmil_resnet_graph(RmilOnnx *onnx, const char *images, int64_t width, int stages, const int *blocks, RmilResnetUnit unit,
                              gpointer user) {
    Walk walk = {onnx, unit, user};
    const char *x = unit(onnx, user, images, "conv1", "bn1", (const int64_t[]){width, 3, 7, 7}, 2);
    if (!x) return NULL;
    x = rmil_onnx_node(onnx, "MaxPool", rmil_onnx_node(onnx, "Relu", x, NULL), NULL);
    RMIL_ONNX_INTS(onnx, "kernel_shape", 3, 3);
    RMIL_ONNX_INTS(onnx, "strides", 2, 2);
    RMIL_ONNX_INTS(onnx, "pads", 1, 1, 1, 1);
    int64_t in = width;
    for (int stage = 0; x && stage < stages; stage++)
        for (int b = 0; x && b < blocks[stage]; b++, in = 4 * width << stage) {
            g_autofree char *name = g_strdup_printf("layer%d.%d", stage + 1, b);
            x = add_block(&walk, x, name, width << stage, in, stage && !b ? 2 : 1, !b);
        }
    return x ? rmil_onnx_node(onnx, "Flatten", rmil_onnx_node(onnx, "GlobalAveragePool", x, NULL), NULL) : NULL;
}

/* -- from a file of weights ------------------------------------------------------------------------------------------------- */

typedef struct {
    const RmilTensors *tensors;
    const char *prefix;
    GError **error;
} File;

static const char *add_unit(RmilOnnx *onnx, gpointer user, const char *x, const char *convolution, const char *norm, const int64_t shape[4],
                            int64_t stride) {
    const File *file = user;
    float *weights, *bias;
    if (!rmil_resnet_fold(file->tensors, file->prefix, convolution, norm, shape, &weights, &bias, file->error)) return NULL;
    g_autofree char *weight = g_strconcat(convolution, ".weight", NULL), *shift = g_strconcat(convolution, ".bias", NULL);
    return rmil_resnet_conv(onnx, x, rmil_onnx_given(onnx, weight, 4, shape, weights), rmil_onnx_given(onnx, shift, 1, shape, bias),
                            shape[2], stride);
}

const char *rmil_resnet_onnx(RmilOnnx *onnx, const RmilTensors *tensors, const RmilResnetConfig *config, const char *images,
                             GError **error) {
    g_autofree char *prefix = rmil_resnet_prefix(tensors, error);
    File file = {tensors, prefix, error};
    return prefix ? rmil_resnet_graph(onnx, images, config->width, config->stages, rmil_resnet_blocks(config), add_unit, &file) : NULL;
}
