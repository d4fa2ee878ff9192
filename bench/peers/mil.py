"""Peer of bench-mil: one Adam step of 8 bags of 10,000 x 1024 in plain PyTorch, features in memory.

usage: mil.py METHOD THREADS STEPS float32|bfloat16 eager|compile
Prints the median seconds of a step, wall and processor time. bfloat16 is autocast on bfloat16 features.
"""
import math
import sys
import time

import torch
from torch import nn
import torch.nn.functional as F

BAGS, PATCHES, DIM = 8, 10000, 1024
SAMPLE = 1024


def attention(scores, threshold=1.0):
    a = torch.softmax(scores, 0)
    a = torch.clamp(a - threshold / len(a), min=0)
    return a / (a.sum() + 1e-8)


class ABMIL(nn.Module):
    def __init__(self):
        super().__init__()
        self.adaptor = nn.Sequential(nn.Linear(DIM, 256), nn.ReLU(), nn.Linear(256, DIM))
        self.score = nn.Linear(DIM, 1)
        self.classifier = nn.Linear(DIM, 1)

    def forward(self, x):
        h = self.adaptor(x)
        s = self.score(h).squeeze(1).float()
        a = attention(s)
        return self.classifier(a.to(h.dtype) @ h), s


class DSMIL(nn.Module):
    def __init__(self):
        super().__init__()
        self.adaptor = nn.Sequential(nn.Linear(DIM, 256), nn.ReLU(), nn.Linear(256, DIM))
        self.instance = nn.Linear(DIM, 1)
        self.q, self.v = nn.Linear(DIM, 384), nn.Linear(DIM, DIM)
        self.norm = nn.LayerNorm(DIM)
        self.bag = nn.Linear(DIM, 1)

    def forward(self, x):
        f = self.adaptor(x)
        c = self.instance(f).squeeze(1)
        q, v = self.q(f), self.v(f)
        top = self.q(f[c.argmax()])
        s = (q @ top).float()
        a = attention(s / math.sqrt(384))
        b = self.bag(self.norm(a.to(v.dtype) @ v))
        return 0.5 * (b + c.max()), s


class CLAM(nn.Module):
    def __init__(self, heads):
        super().__init__()
        self.adaptor = nn.Sequential(nn.Linear(DIM, 512), nn.ReLU())
        self.a, self.b = nn.Linear(512, 256), nn.Linear(512, 256)
        self.fc = nn.Linear(256, heads)
        self.classifier = nn.Linear(512, 2) if heads == 1 else nn.ModuleList([nn.Linear(512, 1) for _ in range(2)])
        self.instance = nn.ModuleList([nn.Linear(512, 2) for _ in range(2)])
        self.heads = heads

    def forward(self, x, label):
        h = self.adaptor(x)
        s = self.fc(torch.tanh(self.a(h)) * torch.sigmoid(self.b(h))).float()
        a = torch.softmax(s, 0)
        m = a.t().to(h.dtype) @ h
        row = a[:, label if self.heads == 2 else 0]
        index = torch.cat([torch.topk(row, 8)[1], torch.topk(-row, 8)[1]])
        targets = torch.cat([torch.ones(8, dtype=torch.long), torch.zeros(8, dtype=torch.long)])
        inst = F.cross_entropy(self.instance[label](h[index]).float(), targets)
        if self.heads == 1:
            z = self.classifier(m)
        else:
            z = torch.cat([self.classifier[c](m[c : c + 1]) for c in range(2)], 1)
        return 0.7 * F.cross_entropy(z.float(), torch.tensor([label])) + 0.3 * inst


class Block(nn.Module):
    def __init__(self, dim=192, heads=3):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.heads = heads

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.n1(x)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d))
        return x + self.mlp(self.n2(x))


class HIPT(nn.Module):
    def __init__(self, dim=192):
        super().__init__()
        self.proj = nn.Linear(DIM, dim, bias=False)
        self.pos, self.cls = nn.Parameter(torch.zeros(1, 256, dim)), nn.Parameter(torch.zeros(1, 1, dim))
        self.patch = nn.Sequential(*[Block() for _ in range(4)], nn.LayerNorm(dim))
        self.region = nn.Sequential(*[Block() for _ in range(2)], nn.LayerNorm(dim))
        self.q = nn.Parameter(torch.randn(dim) * 0.02)
        self.classifier = nn.Linear(dim, 1)

    def forward(self, x):  # regions x 256 x DIM
        t = self.proj(x) + self.pos
        t = torch.cat([self.cls.expand(len(t), -1, -1).to(t.dtype), t], 1)
        r = self.region(self.patch(t)[:, 0][None])[0]
        s = r @ self.q.to(r.dtype) / math.sqrt(len(self.q))
        return self.classifier(torch.softmax(s, 0) @ r), s


def rank_loss(s, labels, sigma=1.0, margin=1.0):
    p, n = torch.where(labels)[0], torch.where(~labels)[0]
    p, n = p[torch.randperm(len(p))[:SAMPLE]], n[torch.randperm(len(n))[:SAMPLE]]
    return F.softplus(-sigma * (s[p][:, None] - s[n][None] - margin)).mean()


def main():
    method, threads, steps, precision, mode = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    hipt = method == "hipt"
    # the same slide of 96 columns makes 7 x 6 regions of 16 x 16
    shape = (42, 256, DIM) if hipt else (PATCHES, DIM)
    bags = [torch.clamp(torch.rand(shape) - 0.5, min=0).to(dtype) for _ in range(BAGS)]
    labels = torch.arange(PATCHES) % 10 == 0
    model = {"abmil": ABMIL, "rank": ABMIL, "dsmil": DSMIL, "ds-rank": DSMIL, "clam-sb": lambda: CLAM(1),
             "clam-mb": lambda: CLAM(2), "hipt": HIPT}[method]()
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-4, weight_decay=1e-5)
    forward = torch.compile(model) if mode == "compile" else model
    guided = method in ("rank", "ds-rank")

    def step():
        for i, x in enumerate(bags):
            y = int(i < BAGS // 2)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                if method.startswith("clam"):
                    loss = forward(x, y)
                else:
                    z, s = forward(x)
                    loss = F.binary_cross_entropy_with_logits(z.float().view(1), torch.tensor([float(y)]))
                    if guided and y:
                        loss = loss + rank_loss(s, labels)
            (loss / BAGS).backward()
        optimiser.step()
        optimiser.zero_grad()

    step()
    walls, cpus = [], []
    for _ in range(steps):
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    print(sorted(walls)[len(walls) // 2], sorted(cpus)[len(cpus) // 2])


main()
