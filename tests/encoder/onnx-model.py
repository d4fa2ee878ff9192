# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models for test-onnxruntime.c, which computes itself what they give.

    onnx-model.py tests/encoder/onnx

All of them: a convolution of 3 × 3 (stride 2, padding 1, 4 channels), ReLU, the mean over the image. Made with onnx 1.23."""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS, SIDE = 4, 16
OF = {np.float32: TensorProto.FLOAT, np.float16: TensorProto.FLOAT16}


def weights(kind):
    flat = np.arange(CHANNELS * 27)
    return ((flat * 7 % 23 - 11) / 16).astype(kind).reshape(CHANNELS, 3, 3, 3), (np.arange(CHANNELS) / 8).astype(kind)


def save(path, shape, outputs, kind=np.float32, layout="first", second=False, external=None, element=None):
    """outputs: among features (N × 4), tokens (N × 64 × 4), map (N × 4 × 1 × 1), relu (N × 4 × 8 × 8), in that order."""
    weight, bias = weights(kind)
    element = element or OF[kind]
    nodes, source = [], "pixels"
    if element != OF[kind]:
        nodes.append(helper.make_node("Cast", [source], ["cast"], to=OF[kind]))
        source = "cast"
    if layout == "last":
        nodes.append(helper.make_node("Transpose", [source], ["turned"], perm=[0, 3, 1, 2]))
        source = "turned"
    if second:
        nodes.append(helper.make_node("Add", [source, "more"], ["sum"]))
        source = "sum"
    nodes += [
        helper.make_node("Conv", [source, "weight", "bias"], ["conv"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["map"]),
        helper.make_node("Flatten", ["map"], ["features"], axis=1),
        helper.make_node("Reshape", ["relu", "rows"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["tokens"], perm=[0, 2, 1]),
    ]
    shapes = {"features": [shape[0], CHANNELS], "tokens": [shape[0], "places", CHANNELS], "map": [shape[0], CHANNELS, 1, 1],
              "relu": [shape[0], CHANNELS, "rows_out", "columns_out"]}
    inputs = [helper.make_tensor_value_info("pixels", element, shape)]
    if second:
        inputs.append(helper.make_tensor_value_info("more", OF[kind], shape))
    rows = np.array([0, CHANNELS, -1], np.int64)
    graph = helper.make_graph(nodes, "small", inputs, [helper.make_tensor_value_info(o, OF[kind], shapes[o]) for o in outputs],
                              [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias"),
                               numpy_helper.from_array(rows, "rows")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7, producer_name="rankmil")
    onnx.checker.check_model(model)
    if external:
        onnx.save_model(model, path, save_as_external_data=True, location=external, size_threshold=100)
    else:
        onnx.save_model(model, path)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.remove(os.path.join(folder, name))
    free = ["n", 3, "h", "w"]
    for name, shape, outputs, more in [
        ("free", free, ["features"], {}),
        ("several", free, ["tokens", "features", "map"], {}),
        ("one", [1, 3, SIDE, SIDE], ["features"], {}),
        ("half", free, ["features"], {"kind": np.float16}),
        ("outside", free, ["features"], {"external": "outside.bin"}),
        ("tokens", free, ["tokens"], {}),
        ("maps", free, ["relu"], {}),
        ("four", [4, 3, SIDE, SIDE], ["features"], {}),
        ("last", ["n", SIDE, SIDE, 3], ["features"], {"layout": "last"}),
        ("two", free, ["features"], {"second": True}),
        ("bytes", free, ["features"], {"element": TensorProto.UINT8}),
        ("oblong", ["n", 3, SIDE, 2 * SIDE], ["features"], {}),
    ]:
        save(os.path.join(folder, name + ".onnx"), shape, outputs, **more)


main(sys.argv[1])
