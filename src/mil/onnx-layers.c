/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that several models have in common, as ONNX. */
#include "onnx.h"

#include "attention.h"

const char *rmil_onnx_linear(RmilOnnx *onnx, const char *x, const char *weight, const char *bias) {
    const char *y = rmil_onnx_node(onnx, "Gemm", x, weight, bias, NULL);
    rmil_onnx_int(onnx, "transB", 1);
    return y;
}

const char *rmil_onnx_hidden(RmilOnnx *onnx) {
    const char *features = rmil_onnx_features(onnx), *weight = rmil_onnx_parameter(onnx, "adaptor.0.weight");
    return rmil_onnx_node(onnx, "Relu", rmil_onnx_linear(onnx, features, weight, rmil_onnx_parameter(onnx, "adaptor.0.bias")), NULL);
}

const char *rmil_onnx_flat(RmilOnnx *onnx, const char *x) { return rmil_onnx_node(onnx, "Reshape", x, RMIL_ONNX_WHOLES(onnx, -1), NULL); }

const char *rmil_onnx_row_of(RmilOnnx *onnx, const char *x, int64_t index) {
    const char *row = rmil_onnx_node(onnx, "Gather", x, RMIL_ONNX_WHOLES(onnx, index), NULL);
    rmil_onnx_int(onnx, "axis", 0);
    return row;
}

const char *rmil_onnx_row(RmilOnnx *onnx, const char *x) { return rmil_onnx_node(onnx, "Reshape", x, RMIL_ONNX_WHOLES(onnx, 1, -1), NULL); }

const char *rmil_onnx_attention(RmilOnnx *onnx, const char *scores, double scale, double threshold, gboolean cut_even) {
    if (scale != 1) scores = rmil_onnx_node(onnx, "Mul", scores, rmil_onnx_number(onnx, scale), NULL);
    const char *soft = rmil_onnx_node(onnx, "Softmax", scores, NULL);
    rmil_onnx_int(onnx, "axis", 0);
    if (threshold < 0) return soft;
    const char *count = rmil_onnx_node(onnx, "Cast", rmil_onnx_node(onnx, "Shape", scores, NULL), NULL);
    rmil_onnx_int(onnx, "to", RMIL_ONNX_FLOAT);
    const char *cut = rmil_onnx_node(onnx, "Div", rmil_onnx_number(onnx, threshold), count, NULL);
    const char *rest = rmil_onnx_node(onnx, "Relu", rmil_onnx_node(onnx, "Sub", soft, cut, NULL), NULL);
    const char *sum = rmil_onnx_node(onnx, "ReduceSum", rest, NULL);
    const char *norm = rmil_onnx_node(onnx, "Add", sum, rmil_onnx_number(onnx, 1e-8), NULL);
    if (cut_even) return rmil_onnx_node(onnx, "Div", rest, norm, NULL);
    const char *most = rmil_onnx_node(onnx, "Mul", rmil_onnx_node(onnx, "ReduceMax", soft, NULL), count, NULL);
    const char *even = rmil_onnx_node(onnx, "Less", most, rmil_onnx_number(onnx, 1 + RMIL_ATTENTION_EVEN), NULL);
    const char *nothing = rmil_onnx_node(onnx, "Less", sum, rmil_onnx_number(onnx, RMIL_ATTENTION_NOTHING), NULL);
    return rmil_onnx_node(onnx, "Where", rmil_onnx_node(onnx, "And", even, nothing, NULL), soft,
                          rmil_onnx_node(onnx, "Div", rest, norm, NULL), NULL);
}

const char *rmil_onnx_norm(RmilOnnx *onnx, const char *x, const char *name) {
    const char *y = rmil_onnx_node(onnx, "LayerNormalization", x, rmil_onnx_parameter(onnx, "%s.weight", name),
                                   rmil_onnx_parameter(onnx, "%s.bias", name), NULL);
    rmil_onnx_float(onnx, "epsilon", 1e-5);
    return y;
}
