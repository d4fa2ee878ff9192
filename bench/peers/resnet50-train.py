# SPDX-License-Identifier: Apache-2.0
"""A training step of ResNet-50 in PyTorch, as fast as it gets there on processors: forward, back and Adam, channels last or not, eager and
compiled, fused Adam where there is one. Every setting is tried once; the fastest is measured again. Prints one line per setting: name,
tiles/s, tiles per processor second. bench-encoder --train runs it; arguments: threads, precision (float32 or bfloat16), frozen (none or
layer3: the stem to layer3 stay as they are)."""
import statistics
import sys
import time

import torch
from bottleneck import Bottleneck
from torch import nn

BATCH = 32


class Network(nn.Module):
    """Stages before the last learn or not; those that do not are in evaluation mode, without gradients."""

    def __init__(self, frozen):
        super().__init__()
        layers, channels = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)], 64
        for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            start = len(layers)
            for block in range(blocks):
                layers.append(Bottleneck(channels, width, stride if block == 0 else 1))
                channels = 4 * width
        self.before, self.last = nn.Sequential(*layers[:start]), nn.Sequential(*layers[start:])
        self.fc, self.frozen = nn.Linear(channels, 1), frozen
        if frozen:
            self.before.eval().requires_grad_(False)

    def forward(self, x):
        if self.frozen:
            with torch.no_grad():
                x = self.before(x)
        else:
            x = self.before(x)
        return self.fc(self.last(x).mean((2, 3))).flatten()


class Setting:
    def __init__(self, precision, frozen, layout, compiled):
        torch.manual_seed(1)
        network = Network(frozen).to(memory_format=layout)
        self.x = torch.randn(BATCH, 3, 224, 224).to(memory_format=layout)
        self.labels = (torch.arange(BATCH) % 2).float()
        self.precision = precision
        learning = [p for p in network.parameters() if p.requires_grad]
        try:
            self.adam = torch.optim.Adam(learning, lr=2e-4, weight_decay=1e-5, fused=True)
            self.network = torch.compile(network) if compiled else network
            self.step()
        except RuntimeError:
            if compiled:
                raise
            self.adam = torch.optim.Adam(learning, lr=2e-4, weight_decay=1e-5, foreach=True)
            self.step()

    def step(self):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits = self.network(self.x)
        self.adam.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(logits.float(), self.labels).backward()
        self.adam.step()

    def measure(self, name, rounds):
        wall, busy = [], []
        for _ in range(rounds):
            start, cpu = time.perf_counter(), time.process_time()
            self.step()
            wall.append(BATCH / (time.perf_counter() - start))
            busy.append(BATCH / (time.process_time() - cpu))
        print(f"{name}: {statistics.median(wall):.3f} tiles/s, {statistics.median(busy):.3f} per processor second", flush=True)
        return statistics.median(wall)


def main():
    threads, precision, frozen = int(sys.argv[1]), sys.argv[2], sys.argv[3] != "none"
    torch.set_num_threads(threads)
    tried = []
    for compiled in (False, True):
        for layout, title in ((torch.channels_last, "channels last"), (torch.contiguous_format, "channels first")):
            name = f"{'compiled' if compiled else 'eager'}, {title}, {threads} threads"
            try:
                setting = Setting(precision, frozen, layout, compiled)
                tried.append((setting.measure(name, 1), name, setting))
            except Exception as error:  # no C++ compiler, or a PyTorch without a compiler
                print(f"{name}, not available ({type(error).__name__})", flush=True)
    _, name, setting = max(tried, key=lambda one: one[0])
    setting.measure(f"again, {name}", 5)


main()
