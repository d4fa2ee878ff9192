# SPDX-License-Identifier: Apache-2.0
"""ResNet-50 to layer3 in PyTorch, as fast as it gets there on processors: channels last, inference mode, eager and
compiled. Prints one line per setting: name, threads, batch, tiles/s, tiles per processor second. bench-encoder runs it when
RMIL_PEER_PYTHON names a Python with PyTorch; arguments: threads, precision (float32 or bfloat16)."""
import statistics
import sys
import time

import torch
from bottleneck import Bottleneck
from torch import nn


def network():
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2)):
        for block in range(blocks):
            layers.append(Bottleneck(channels, width, stride if block == 0 else 1))
            channels = 4 * width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers).eval().to(memory_format=torch.channels_last)


def measure(name, model, threads, batch, precision):
    torch.set_num_threads(threads)
    x = torch.rand(batch, 3, 224, 224).to(memory_format=torch.channels_last)
    wall, busy = [], []
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        model(x)
        for _ in range(3):
            start, cpu = time.perf_counter(), time.process_time()
            model(x)
            wall.append(batch / (time.perf_counter() - start))
            busy.append(batch / (time.process_time() - cpu))
    print(f"{name} threads {threads} batch {batch}: {statistics.median(wall):.3f} tiles/s, "
          f"{statistics.median(busy):.3f} per processor second", flush=True)


def main():
    most, precision = int(sys.argv[1]), sys.argv[2]
    model = network()
    settings = [(1, 8)] + ([(most, 8)] if most > 1 else [])
    for threads, batch in settings:
        measure("eager", model, threads, batch, precision)
    try:
        compiled = torch.compile(model)
        for threads, batch in settings:
            measure("compiled", compiled, threads, batch, precision)
    except Exception as error:  # no C++ compiler, or a PyTorch without a compiler
        print(f"compiled: not available ({type(error).__name__})")


main()
