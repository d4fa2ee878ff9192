# SPDX-License-Identifier: Apache-2.0
"""A vision transformer in PyTorch, as fast as it gets there on processors: inference mode, PyTorch's fused attention, eager and compiled;
timm's network where timm is installed, else the same in plain PyTorch. Prints one line per setting: name, threads, batch, tiles/s,
tiles per processor second. bench-encoder runs it when RMIL_PEER_PYTHON names a Python with PyTorch; arguments: threads, precision (float32
or bfloat16), size of a token, blocks, heads, pixels of a patch."""
import statistics
import sys
import time

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        n, length, dim = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, dim)
        x = x + self.proj(y)
        return x + self.mlp(self.norm2(x))


class Plain(nn.Module):
    def __init__(self, dim, depth, heads, patch):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, dim, patch, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (224 // patch) ** 2, dim))
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.norm(self.blocks(x))[:, 0]


def network(dim, depth, heads, patch):
    try:
        from timm.models.vision_transformer import VisionTransformer
    except ImportError:
        return "PyTorch", Plain(dim, depth, heads, patch).eval()
    return "timm", VisionTransformer(img_size=224, patch_size=patch, embed_dim=dim, depth=depth, num_heads=heads, num_classes=0).eval()


def measure(name, model, threads, batch, precision):
    torch.set_num_threads(threads)
    x = torch.rand(batch, 3, 224, 224)
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
    name, model = network(*map(int, sys.argv[3:7]))
    settings = [(1, 4), (1, 8)] + ([(most, 8)] if most > 1 else [])
    for threads, batch in settings:
        measure(name, model, threads, batch, precision)
    try:
        compiled = torch.compile(model)
        for threads, batch in settings[1:]:
            measure(name + " compiled", compiled, threads, batch, precision)
    except Exception as error:  # no C++ compiler, or a PyTorch without a compiler
        print(f"compiled is not available ({type(error).__name__})")


main()
