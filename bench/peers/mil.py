# SPDX-License-Identifier: Apache-2.0
"""Peer of bench-mil: training steps of the paper's models in plain PyTorch, 8 bags of 10,000 x 1024 in memory.

usage: mil.py METHOD THREADS float32|bfloat16 eager|compile
METHOD: abmil, induction, rank, dsmil, ds-rank, clam-sb, clam-mb, hipt, hipt-rank
Does one step, prints "ready", then one more for every line read: prints its seconds, wall and processor time. A step is one
Adam update with the gradients of the 8 bags averaged. Rank losses sample up to 1024 annotated and 1024 other patches, as the
paper does. bfloat16 is autocast on bfloat16 features.
"""
import sys
import time

import torch
from torch import nn
import torch.nn.functional as F

BAGS, PATCHES, DIM = 8, 10000, 1024
SAMPLE = 1024
GRID_WIDTH = 96  # tiles side by side on the slide
SIDE = 16        # tiles per side of a HIPT region


def attention(scores, threshold=1.0):
    a = torch.softmax(scores, 0)
    a = torch.clamp(a - threshold / len(a), min=0)
    return a / (a.sum() + 1e-8)


def adaptor():
    return nn.Sequential(nn.Linear(DIM, 256), nn.ReLU(), nn.Linear(256, DIM))


class ABMIL(nn.Module):
    def __init__(self):
        super().__init__()
        self.adaptor = adaptor()
        self.score = nn.Linear(DIM, 1)
        self.classifier = nn.Linear(DIM, 1)

    def forward(self, x):
        h = self.adaptor(x)
        s = self.score(h).squeeze(1).float()
        a = attention(s)
        return self.classifier(a.to(h.dtype) @ h), s, a


class DSMIL(nn.Module):
    def __init__(self):
        super().__init__()
        self.adaptor = adaptor()
        self.instance = nn.Linear(DIM, 1)
        self.query = nn.Linear(DIM, 384)
        self.value = nn.Linear(DIM, DIM)
        self.norm = nn.LayerNorm(DIM)
        self.bag = nn.Linear(DIM, 1)

    def forward(self, x):
        f = self.adaptor(x)
        c = self.instance(f).squeeze(1)
        top = self.query(f[c.argmax()])
        s = (self.query(f) @ top).float()
        a = attention(s / 384 ** 0.5)
        b = self.norm(a.to(f.dtype) @ self.value(f))
        return 0.5 * (self.bag(b) + c.max()), s, a


class CLAM(nn.Module):
    def __init__(self, branches):
        super().__init__()
        self.branches = branches
        self.adaptor = nn.Sequential(nn.Linear(DIM, 512), nn.ReLU())
        self.tanh = nn.Sequential(nn.Linear(512, 256), nn.Tanh())
        self.sigmoid = nn.Sequential(nn.Linear(512, 256), nn.Sigmoid())
        self.score = nn.Linear(256, branches)
        self.instances = nn.ModuleList([nn.Linear(512, 2) for _ in range(2)])
        self.weight = nn.Parameter(torch.randn(2, 512) * 0.02)
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, x, y: int):
        h = self.adaptor(x)
        s = self.score(self.tanh(h) * self.sigmoid(h)).float().T
        a = torch.softmax(s, 1)
        z = ((a.to(h.dtype) @ h) * self.weight).sum(1) + self.bias
        own = s[y if self.branches == 2 else 0]
        chosen = torch.cat([own.topk(8).indices, own.topk(8, largest=False).indices])
        target = torch.cat([torch.ones(8, dtype=torch.long), torch.zeros(8, dtype=torch.long)])
        instance = F.cross_entropy(self.instances[y](h[chosen]).float(), target)
        return z.float(), instance


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, length, width))
        return x + self.mlp(self.norm2(x))


class HIPT(nn.Module):
    def __init__(self, width=192, heads=3):
        super().__init__()
        self.project = nn.Linear(DIM, width, bias=False)
        self.position = nn.Parameter(torch.randn(1, SIDE * SIDE, width) * 0.02)
        self.cls = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.patch_blocks = nn.Sequential(*[Block(width, heads) for _ in range(4)])
        self.region_blocks = nn.Sequential(*[Block(width, heads) for _ in range(2)])
        self.patch_norm, self.region_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Parameter(torch.randn(width) * 0.02)
        self.classifier = nn.Linear(width, 1)

    def forward(self, x):  # regions, cells, DIM
        tokens = self.project(x) + self.position
        tokens = self.patch_blocks(torch.cat([self.cls.expand(len(x), -1, -1).to(tokens.dtype), tokens], 1))
        regions = self.region_blocks(self.patch_norm(tokens[:, 0]).unsqueeze(0))
        t = self.region_norm(regions)[0]
        s = (t @ self.query.to(t.dtype)).float() / t.shape[1] ** 0.5
        return self.classifier(torch.softmax(s, 0).to(t.dtype) @ t), s, None


def rank_loss(s, labels, sigma=1.0, margin=1.0):
    p, n = torch.where(labels)[0], torch.where(~labels)[0]
    p, n = p[torch.randperm(len(p))[:SAMPLE]], n[torch.randperm(len(n))[:SAMPLE]]
    return F.softplus(-sigma * (s[p][:, None] - s[n][None] - margin)).mean()


def regions_of(x, labels):
    """Patches on the slide's grid, cut into regions; empty cells are zeros, a region is annotated when a patch of it is."""
    place = torch.arange(len(x))
    row, column = place // GRID_WIDTH, place % GRID_WIDTH
    region = row // SIDE * (GRID_WIDTH // SIDE) + column // SIDE
    cell = row % SIDE * SIDE + column % SIDE
    count = int(region.max()) + 1
    cells = torch.zeros(count, SIDE * SIDE, x.shape[1], dtype=x.dtype)
    cells[region, cell] = x
    annotated = torch.zeros(count, dtype=torch.bool)
    annotated[region[labels]] = True
    return cells, annotated


def main():
    method, threads, precision, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    bags = [torch.clamp(torch.rand(PATCHES, DIM) - 0.5, min=0).to(dtype) for _ in range(BAGS)]
    labels = torch.arange(PATCHES) < PATCHES // 10
    target = labels / labels.sum()
    clam = method.startswith("clam")
    if clam:
        model = CLAM(2 if method == "clam-mb" else 1)
    elif method.startswith("hipt"):
        model = HIPT()
        for i in range(BAGS):
            bags[i], annotated = regions_of(bags[i], labels)
        labels = annotated
    else:
        model = DSMIL() if method.startswith("ds") else ABMIL()
    ranks = method == "rank" or method.endswith("-rank")
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-4, weight_decay=1e-5)
    forward = torch.compile(model) if mode == "compile" else model

    def loss_of(x, y):
        if clam:
            z, instance = forward(x, y)
            return 0.7 * F.cross_entropy(z.unsqueeze(0), torch.tensor([y])) + 0.3 * instance
        z, s, a = forward(x)
        loss = F.binary_cross_entropy_with_logits(z.float().view(1), torch.tensor([float(y)]))
        if y and ranks:
            loss = loss + rank_loss(s, labels)
        if y and method == "induction":
            loss = loss + ((a - target) ** 2).sum()
        return loss

    def step():
        for i, x in enumerate(bags):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                loss = loss_of(x, int(i < BAGS // 2))
            (loss / BAGS).backward()
        optimiser.step()
        optimiser.zero_grad()

    step()
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)


main()
