# SPDX-License-Identifier: Apache-2.0
"""Golden cases of a network that learns, as build/tests/conformance reads them: a small ResNet, a batch, and what PyTorch makes of it:
logits, loss, every gradient and running statistic of one training step, the losses, parameters and statistics of three steps of Adam, and
the logits of the network as it predicts, before and after. All in float64 from float32 inputs.

    finetune.py tests/golden/finetune

The network is torchvision's ResNet of bottlenecks (He et al., CVPR 2016; the stride in the 3 x 3 convolution), written out below. Seeds are
such that float32 does not fall on the other side of a kink of ReLU or maximum. Needs torch, numpy and safetensors."""
import json
import os
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

torch.set_default_dtype(torch.float64)
STEPS = 3


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride, projects):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = None
        if projects:
            self.downsample = nn.Sequential(nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        return (self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x))).relu()


class Network(nn.Module):
    def __init__(self, width, blocks, outputs):
        super().__init__()
        self.conv1, self.bn1, self.pool = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.MaxPool2d(3, 2, 1)
        channels, stages = width, []
        for stage, count in enumerate(blocks):
            stages.append(nn.Sequential())
            for block in range(count):
                stages[-1].append(Bottleneck(channels, width << stage, 2 if stage and not block else 1, block == 0))
                channels = 4 * (width << stage)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(channels, outputs)

    def forward(self, x):
        x = self.pool(self.bn1(self.conv1(x)).relu())
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def make(seed, width, blocks, outputs, side, batch, frozen, dtype=torch.float64):
    """Tensors of a case by name."""
    torch.manual_seed(seed)
    network = Network(width, blocks, outputs)
    with torch.no_grad():
        for name, tensor in list(network.named_parameters()) + list(network.named_buffers()):
            usual = 1.0 if name.endswith("running_var") or tensor.dim() == 1 and name.endswith("weight") else 0.0
            spread = (2 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.1
            if tensor.is_floating_point():
                tensor.copy_((usual + spread * torch.randn(tensor.shape)).float())
    x, labels = torch.randn(batch, 3, side, side).float().to(dtype), (torch.arange(batch * outputs) % 2).float().to(dtype)
    network.to(dtype)
    out = {"input": x, "labels": labels}
    out |= {"param." + n: p.clone() for n, p in network.named_parameters()}
    out |= {"buffer." + n: b.clone() for n, b in network.named_buffers() if b.is_floating_point()}
    stays = [getattr(network, name) for name in frozen]
    for module in stays:
        module.requires_grad_(False)
    learning = {n: p for n, p in network.named_parameters() if p.requires_grad}
    frozen_buffers = {f"{name}.{n}" for name in frozen for n, _ in getattr(network, name).named_buffers()}
    buffers = lambda: {n: b.clone() for n, b in network.named_buffers() if b.is_floating_point() and n not in frozen_buffers}
    predict = lambda: network.eval()(x).flatten()
    adam = torch.optim.Adam(learning.values(), lr=2e-4, weight_decay=1e-5)
    losses, out["expect.logits_eval0"] = [], predict()
    for step in range(STEPS):
        network.train()
        for module in stays:
            module.eval()
        logits = network(x).flatten()
        losses.append(bce(logits, labels))
        adam.zero_grad()
        losses[-1].backward()
        if step == 0:
            out |= {"expect.logits": logits, "expect.loss": losses[0].reshape(1)}
            out |= {"grad." + n: p.grad.clone() for n, p in learning.items()}
            out |= {"buffer1." + n: b for n, b in buffers().items()}
        adam.step()
    out |= {"expect.losses": torch.stack(losses), "expect.logits_eval3": predict()}
    out |= {"adam3." + n: p for n, p in learning.items()} | {"buffer3." + n: b for n, b in buffers().items()}
    return {n: np.float32(t.detach().numpy()) for n, t in out.items()}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    cases = {"full": (1, 3, [1, 1, 1, 1], 1, 33, 4, []),
             "outputs": (1, 2, [2, 1, 1, 1], 3, 37, 5, []),
             "frozen": (1, 3, [1, 1, 1, 1], 1, 36, 4, ["conv1", "bn1", "layer1", "layer2"])}
    for name, case in cases.items():
        made, single = make(*case), make(*case, dtype=torch.float32)
        off = max(np.abs(made[n] - single[n]).max() / np.abs(made[n]).max() for n in made if n.startswith("grad."))
        about = {"case": "resnet bottleneck v1.5", "base_width": str(case[1]), "layers": json.dumps(case[2]), "num_classes": str(case[3]),
                 "frozen": ", ".join(case[6]) or "none", "library": f"torch {torch.__version__}, float64, stored as float32"}
        path = os.path.join(folder, name + ".safetensors")
        save_file(made, path, about)
        print(f"{path}: {os.path.getsize(path)} bytes; gradients in float32 deviate by {off:.2g} of the largest")


main()
