#!/usr/bin/env python3
"""The peers that bench_models measures against: DS-MIL, CLAM and HIPT as one writes them in PyTorch, and their training step.

    models.py MODEL [--compile] [--bfloat16] [--rank] [--threads N] [--bags 8] [--patches 10000] [--dim 1024] [--seconds 20]

A step is the forward and backward pass of every bag and one Adam update. Prints "MODEL MODE SECONDS PROCESSOR_SECONDS",
the median time of a step by the clock and by the processor. Features lie in memory as float32, with --bfloat16 as bfloat16 under autocast. --rank: up to 1024 annotated and
1024 other patches a step, as in the paper (dsmil)."""
import argparse
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class DSMIL(nn.Module):
    def __init__(self, dim, hidden=256, attention=384, threshold=1.0):
        super().__init__()
        self.adaptor = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.instance_classifier = nn.Linear(dim, 1)
        self.attention_q = nn.Linear(dim, attention)
        self.attention_v = nn.Linear(dim, dim)
        self.feature_norm = nn.LayerNorm(dim)
        self.bag_classifier = nn.Linear(dim, 1)
        self.threshold = threshold

    def forward(self, x):
        features = self.adaptor(x)
        instance = self.instance_classifier(features).squeeze(1)
        top, t = instance.max(0)
        queries, values = self.attention_q(features), self.attention_v(features)
        scores = queries @ queries[t]
        attention = torch.softmax(scores.float() / queries.shape[1] ** 0.5, 0)
        attention = (attention - self.threshold / len(x)).clamp_min(0)
        attention = attention / (attention.sum() + 1e-8)
        bag = self.bag_classifier(self.feature_norm(attention.to(values.dtype) @ values))
        return (bag + top) / 2, scores


def rank_loss(scores, labels, pairs=1024, margin=1.0):
    positive, negative = labels.nonzero().squeeze(1), (labels == 0).nonzero().squeeze(1)
    positive = positive[torch.randperm(len(positive))[:pairs]]
    negative = negative[torch.randperm(len(negative))[:pairs]]
    return F.softplus(margin - scores[positive, None] + scores[None, negative]).mean()


class CLAM(nn.Module):
    def __init__(self, dim, branches, hidden=512, attention=256, k=8):
        super().__init__()
        self.branches, self.k = branches, k
        self.adaptor = nn.Linear(dim, hidden)
        self.a, self.b = nn.Linear(hidden, attention), nn.Linear(hidden, attention)
        self.fc = nn.Linear(attention, branches)
        self.heads = nn.Parameter(torch.randn(2, hidden) / hidden**0.5)
        self.bias = nn.Parameter(torch.zeros(2))
        self.instance = nn.ModuleList([nn.Linear(hidden, 2) for _ in range(2)])

    def forward(self, x, label):
        h = F.relu(self.adaptor(x))
        scores = self.fc(torch.tanh(self.a(h)) * torch.sigmoid(self.b(h))).T
        attention = torch.softmax(scores.float(), 1)
        pooled = attention.to(h.dtype) @ h
        logits = (pooled * self.heads).sum(1) + self.bias
        row, k = attention[label % self.branches], min(self.k, len(x) // 2)
        chosen = torch.cat([row.topk(k)[1], (-row).topk(k)[1]])
        targets = torch.cat([torch.ones(k, dtype=torch.long), torch.zeros(k, dtype=torch.long)])
        instance = F.cross_entropy(self.instance[label](h[chosen]).float(), targets)
        return 0.7 * F.cross_entropy(logits.float()[None], torch.tensor([label])) + 0.3 * instance


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, width)
        x = x + self.out(mixed)
        return x + self.mlp(self.norm2(x))


class HIPT(nn.Module):
    def __init__(self, dim, width=192, heads=3, cells=256, patch_depth=4, region_depth=2):
        super().__init__()
        self.proj = nn.Linear(dim, width, bias=False)
        self.pos = nn.Parameter(torch.randn(1, cells, width) * 0.02)
        self.cls = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.patch_blocks = nn.Sequential(*[Block(width, heads) for _ in range(patch_depth)])
        self.region_blocks = nn.Sequential(*[Block(width, heads) for _ in range(region_depth)])
        self.patch_norm, self.region_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q = nn.Parameter(torch.randn(width) * 0.02)
        self.classifier = nn.Linear(width, 1)

    def forward(self, x):
        tokens = self.proj(x) + self.pos
        tokens = torch.cat([self.cls.expand(len(x), -1, -1).to(tokens.dtype), tokens], 1)
        regions = self.patch_norm(self.patch_blocks(tokens)[:, 0])
        t = self.region_norm(self.region_blocks(regions[None])[0])
        scores = (t @ self.q) / t.shape[1] ** 0.5
        return self.classifier(torch.softmax(scores, 0) @ t)


def regions(x, side=16):
    """K patches of a square of tissue, laid out as (regions, side², dim), empty cells zero."""
    count, dim = x.shape
    across = int(count**0.5)
    index = torch.arange(across * across)
    row, column = index // across, index % across
    per_row = -(-across // side)
    grid = torch.zeros(per_row * per_row, side * side, dim, dtype=x.dtype)
    grid[row // side * per_row + column // side, row % side * side + column % side] = x[: across * across]
    return grid


def make(args):
    torch.manual_seed(0)
    dtype = torch.bfloat16 if args.bfloat16 else torch.float32
    bags = [torch.randn(args.patches, args.dim).relu().to(dtype) for _ in range(args.bags)]
    labels = (torch.arange(args.patches) % 10 == 0).long()
    if args.model == "dsmil":
        model = DSMIL(args.dim)
    elif args.model == "hipt":
        model, bags = HIPT(args.dim), [regions(x) for x in bags]
    else:
        model = CLAM(args.dim, 2 if args.model == "clam-mb" else 1)
    forward = torch.compile(model, dynamic=False) if args.compile else model
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-4, weight_decay=1e-5)

    def loss_of(x, label):
        if args.model.startswith("clam"):
            return forward(x, label)
        target = torch.tensor([float(label)])
        if args.model == "hipt":
            return F.binary_cross_entropy_with_logits(forward(x).float(), target)
        logit, scores = forward(x)
        loss = F.binary_cross_entropy_with_logits(logit.float(), target)
        return loss + rank_loss(scores.float(), labels) if args.rank and label else loss

    def step():
        optimiser.zero_grad(set_to_none=True)
        for i, x in enumerate(bags):
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16):
                loss = loss_of(x, i % 2)
            (loss / len(bags)).backward()
        optimiser.step()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=["dsmil", "clam-sb", "clam-mb", "hipt"])
    for flag in ("compile", "bfloat16", "rank"):
        parser.add_argument("--" + flag, action="store_true")
    for name, value in (("threads", 0), ("bags", 8), ("patches", 10000), ("dim", 1024)):
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--seconds", type=float, default=20)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    step = make(args)
    step()  # compiles, and touches all memory
    times, busy, start = [], [], time.perf_counter()
    while len(times) < 2 or time.perf_counter() - start < args.seconds:
        before, before_busy = time.perf_counter(), time.process_time()
        step()
        times.append(time.perf_counter() - before)
        busy.append(time.process_time() - before_busy)
    mode = ("compiled" if args.compile else "eager") + ("-bfloat16" if args.bfloat16 else "") + ("-rank" if args.rank else "")
    print(args.model, mode, statistics.median(times), statistics.median(busy))
    return 0


if __name__ == "__main__":
    sys.exit(main())
