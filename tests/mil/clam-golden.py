# SPDX-License-Identifier: Apache-2.0
"""The numbers in test-exchange.c for CLAM's own weights: its forward pass (models/model_clam.py, CLAM_SB and CLAM_MB, gated, two
classes), written out in PyTorch with weights from a formula. Needs torch."""
import torch

D, L, A, K = 3, 5, 4, 6


def made(start, *shape):
    n = torch.Size(shape).numel()
    return torch.sin(torch.arange(start, start + n, dtype=torch.float64)).float().double().reshape(shape)


def run(branches):
    x = torch.cos(torch.arange(K * D, dtype=torch.float64)).float().double().reshape(K, D)
    h = torch.relu(x @ made(0, L, D).T + made(100, L))
    gate = torch.tanh(h @ made(200, A, L).T + made(300, A)) * torch.sigmoid(h @ made(400, A, L).T + made(500, A))
    attention = torch.softmax((gate @ made(600, branches, A).T + made(700, branches)).T, 1)
    m = attention @ h
    if branches == 1:
        return (m @ made(800, 2, L).T + made(900, 2))[0]
    return torch.stack([m[c] @ made(800 + 50 * c, 1, L)[0] + made(900 + c, 1)[0] for c in range(2)])


for branches in (1, 2):
    z = run(branches)
    print("clam-sb" if branches == 1 else "clam-mb", f"{(z[1] - z[0]).item():.9f}")
