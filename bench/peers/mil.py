"""Peer of bench-mil: one Adam step of 8 bags of 10,000 x 1024 in plain PyTorch, features in memory.

usage: mil.py abmil|induction|rank THREADS STEPS float32|bfloat16 eager|compile
Prints the median seconds of a step, wall and processor time. bfloat16 is autocast on bfloat16 features.
"""
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
        return self.classifier(a.to(h.dtype) @ h), s, a


def rank_loss(s, labels, sigma=1.0, margin=1.0):
    p, n = torch.where(labels)[0], torch.where(~labels)[0]
    p, n = p[torch.randperm(len(p))[:SAMPLE]], n[torch.randperm(len(n))[:SAMPLE]]
    return F.softplus(-sigma * (s[p][:, None] - s[n][None] - margin)).mean()


def main():
    method, threads, steps, precision, mode = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    bags = [torch.clamp(torch.rand(PATCHES, DIM) - 0.5, min=0).to(dtype) for _ in range(BAGS)]
    labels = torch.arange(PATCHES) % 10 == 0
    model = ABMIL()
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-4, weight_decay=1e-5)
    forward = torch.compile(model) if mode == "compile" else model
    target = labels / labels.sum()

    def step():
        for i, x in enumerate(bags):
            y = int(i < BAGS // 2)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                z, s, a = forward(x)
                loss = F.binary_cross_entropy_with_logits(z.float().view(1), torch.tensor([float(y)]))
                if y and method == "rank":
                    loss = loss + rank_loss(s, labels)
                if y and method == "induction":
                    loss = loss + ((a - target) ** 2).sum()
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
