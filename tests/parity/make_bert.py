#!/usr/bin/env python3
"""Makes tests/parity/fixtures/bert_*.npz with PyTorch (Debian's python3-torch 1.13; run with the
system's python3): a small BERT of its own under each of three heads, trained for 20 steps with
AdamW on padded texts of two types.

Members of a file: weight/NAME at the start, gradient/NAME of the first step, inputs and types
[batches, N, T], targets (-100: not counted), losses [20], logits of batch 0 after the last step.
Names are those of models/language/bert.h.
"""
import math
import os
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional as F

STEPS, BATCHES = 20, 3
VOCABULARY, CONTEXT, WIDTH, HEADS, LAYERS, TYPES = 24, 10, 16, 2, 2, 2
CLASSES, TAGS = 3, 5


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.projection = nn.Linear(WIDTH, WIDTH)

    def forward(self, x, seen):
        n, t, c = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / math.sqrt(c // HEADS)
        scores = scores.masked_fill(~seen[:, None, None, :], -math.inf)
        return self.projection((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, c))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.mlp = nn.ModuleDict(
            {"expand": nn.Linear(WIDTH, 4 * WIDTH), "contract": nn.Linear(4 * WIDTH, WIDTH)})
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x, seen):
        x = self.norm1(x + self.attention(x, seen))
        return self.norm2(x + self.mlp["contract"](F.gelu(self.mlp["expand"](x))))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, WIDTH)
        self.position = nn.Embedding(CONTEXT, WIDTH)
        self.type = nn.Embedding(TYPES, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])

    def forward(self, index, types):
        places = torch.arange(index.shape[1])
        x = self.norm(self.token(index) + self.position(places)
                      + self._modules["type"](types))  # .type is a method of modules
        for block in self.blocks:
            x = block(x, index != 0)
        return x


class MaskedHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(VOCABULARY))
        self.transform = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x, token):
        return F.linear(self.norm(F.gelu(self.transform(x))), token, self.bias)


class MaskedLm(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = Encoder(), MaskedHead()

    def forward(self, index, types):
        return self.head(self.encoder(index, types), self.encoder.token.weight)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.pooler, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, index, types):
        return self.head(torch.tanh(self.pooler(self.encoder(index, types)[:, 0])))


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = Encoder(), nn.Linear(WIDTH, TAGS)

    def forward(self, index, types):
        return self.head(self.encoder(index, types))


def texts():
    """Texts of 5 to 10 tokens that count on by a step; 0 fills up, 1 stands for a gap. The second
    half is of type 1. Returns inputs, types, the gaps' tokens, a class and tags that can be told."""
    shape = (BATCHES, 8, CONTEXT)
    start, step = torch.randint(22, shape[:2] + (1,)), torch.randint(1, 4, shape[:2] + (1,))
    tokens = 2 + (start + step * torch.arange(CONTEXT)) % 22
    real = torch.arange(CONTEXT) < torch.randint(5, CONTEXT + 1, shape[:2] + (1,))
    gaps = real & (torch.rand(shape) < 0.25)
    gaps[..., 1] = True  # at least one a text
    inputs = torch.where(gaps, torch.tensor(1), tokens) * real
    types = (torch.arange(CONTEXT) >= 4).long().expand(shape).contiguous()
    nothing = torch.tensor(-100)
    return (inputs, types, torch.where(gaps, tokens, nothing), step[..., 0] - 1,
            torch.where(real, tokens % TAGS, nothing))


def train(name, network, inputs, types, targets):
    for key, p in network.named_parameters():
        nn.init.normal_(p, 1 if "norm" in key and key.endswith("weight") else 0, 0.2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.1)
    arrays = {key: value.numpy().astype(numpy.int32)
              for key, value in (("inputs", inputs), ("types", types), ("targets", targets))}
    for key, p in network.named_parameters():
        arrays[f"weight/{key}"] = p.detach().numpy().copy()
    losses = []
    for step in range(STEPS):
        batch = step % BATCHES
        logits = network(inputs[batch], types[batch])
        loss = F.cross_entropy(logits.flatten(0, -2), targets[batch].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if step == 0:
            for key, p in network.named_parameters():
                arrays[f"gradient/{key}"] = p.grad.numpy().copy()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        arrays["logits"] = network(inputs[0], types[0]).numpy()
    arrays["losses"] = numpy.array(losses, dtype=numpy.float64)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    path = os.path.join(folder, f"bert_{name}.npz")
    numpy.savez_compressed(path, **arrays)
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, {os.path.getsize(path)} bytes")


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    inputs, types, gaps, classes, tags = texts()
    train("masked", MaskedLm(), inputs, types, gaps)
    train("classes", Classifier(), inputs, types, classes)
    train("tags", Tagger(), inputs, types, tags)


if __name__ == "__main__":
    sys.exit(main())
