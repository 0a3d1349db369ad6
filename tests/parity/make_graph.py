#!/usr/bin/env python3
"""Makes tests/parity/fixtures/{gcn,graphsage,graphsage_pool,gat}.npz with PyTorch (any version; the
committed ones by 2.x on the CPU): the networks of models/graph written with dense
adjacency matrices, so that nothing is shared with our neighbour lists. Full-batch training on a
small block-model graph, without dropout.

Members of a file: edges [E, 2] (undirected, each once), inputs [1, N, C], targets [1, N],
weight/NAME, gradient/NAME, losses [20], logits, with our names of parameters.
"""
import os

import numpy
import torch
from torch import nn
from torch.nn import functional as F

STEPS, NODES, FEATURES, CLASSES = 20, 24, 10, 3


class Conv(nn.Module):
    """D^-1/2 (A + I) D^-1/2 x W^T + b."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.bias = nn.Parameter(0.1 * torch.randn(outputs))

    def forward(self, x, adjacency):
        a = adjacency + torch.eye(len(adjacency))
        scale = a.sum(1).rsqrt()
        return scale[:, None] * a * scale[None, :] @ self.linear(x) + self.bias


class Gcn(nn.Module):
    def __init__(self, hidden=8):
        super().__init__()
        self.conv1 = Conv(FEATURES, hidden)
        self.conv2 = Conv(hidden, CLASSES)

    def forward(self, x, adjacency):
        return self.conv2(F.relu(self.conv1(x, adjacency)), adjacency)


class Sage(nn.Module):
    def __init__(self, inputs, outputs, pool):
        super().__init__()
        if pool:
            self.pool = nn.Linear(inputs, inputs)
        self.self = nn.Linear(inputs, outputs, bias=False)
        self.neighbours = nn.Linear(inputs, outputs)

    def forward(self, x, adjacency):
        if hasattr(self, "pool"):
            rows = F.relu(self.pool(x)).expand(len(x), -1, -1)
            gathered = rows.masked_fill(adjacency[..., None] == 0, -1).amax(1)
        else:
            gathered = adjacency @ x / adjacency.sum(1, keepdim=True)
        return self.self(x) + self.neighbours(gathered)


class GraphSage(nn.Module):
    def __init__(self, pool, hidden=8):
        super().__init__()
        self.sage1 = Sage(FEATURES, hidden, pool)
        self.sage2 = Sage(hidden, CLASSES, pool)

    def forward(self, x, adjacency):
        h = F.relu(self.sage1(x, adjacency))
        h = h / h.norm(dim=1, keepdim=True).clamp(min=1e-12)
        return self.sage2(h, adjacency)


class Attention(nn.Module):
    def __init__(self, inputs, outputs, heads, mean):
        super().__init__()
        self.mean = mean
        self.linear = nn.Linear(inputs, heads * outputs, bias=False)
        self.source = nn.Parameter(0.5 * torch.randn(heads, outputs))
        self.target = nn.Parameter(0.5 * torch.randn(heads, outputs))
        self.bias = nn.Parameter(0.1 * torch.randn(outputs if mean else heads * outputs))

    def forward(self, x, adjacency):
        h = self.linear(x).view(len(x), *self.source.shape)
        scores = (h * self.target).sum(2)[:, None] + (h * self.source).sum(2)[None]  # [to, from, H]
        loops = adjacency + torch.eye(len(adjacency))
        scores = F.leaky_relu(scores, 0.2).masked_fill(loops[..., None] == 0, -1e30)
        out = torch.einsum("ijh,jhd->ihd", scores.softmax(1), h)
        return (out.mean(1) if self.mean else out.flatten(1)) + self.bias


class Gat(nn.Module):
    def __init__(self, hidden=4, heads=3):
        super().__init__()
        self.gat1 = Attention(FEATURES, hidden, heads, False)
        self.gat2 = Attention(hidden * heads, CLASSES, 2, True)

    def forward(self, x, adjacency):
        return self.gat2(F.elu(self.gat1(x, adjacency)), adjacency)


def example():
    """Three blocks of eight nodes; every node has an edge."""
    labels = torch.arange(NODES) % CLASSES
    chance = torch.where(labels[:, None] == labels[None], 0.5, 0.08)
    upper = torch.triu(torch.rand(NODES, NODES) < chance, 1).float()
    for i in range(NODES):
        if upper[i].sum() + upper[:, i].sum() == 0:
            upper[min(i, (i + 1) % NODES), max(i, (i + 1) % NODES)] = 1
    x = torch.randn(NODES, FEATURES) + 0.5 * torch.randn(CLASSES, FEATURES)[labels]
    return upper, x, labels


def train(name, network):
    upper, x, labels = example()
    adjacency = upper + upper.T
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02, weight_decay=5e-4)
    arrays = {
        "edges": upper.nonzero().numpy().astype(numpy.int64),
        "inputs": x[None].numpy(),
        "targets": labels[None].numpy().astype(numpy.int32),
    }
    for key, parameter in network.named_parameters():
        arrays[f"weight/{key}"] = parameter.detach().numpy().copy()
    losses = []
    for step in range(STEPS):
        loss = F.cross_entropy(network(x, adjacency), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if step == 0:
            for key, parameter in network.named_parameters():
                arrays[f"gradient/{key}"] = parameter.grad.numpy().copy()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        arrays["logits"] = network(x, adjacency).numpy()
    arrays["losses"] = numpy.array(losses, dtype=numpy.float64)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    path = os.path.join(folder, name + ".npz")
    numpy.savez_compressed(path, **arrays)
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, {os.path.getsize(path)} bytes")


def main():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    train("gcn", Gcn())
    train("graphsage", GraphSage(pool=False))
    train("graphsage_pool", GraphSage(pool=True))
    train("gat", Gat())


if __name__ == "__main__":
    main()
