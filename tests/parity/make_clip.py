#!/usr/bin/env python3
"""Makes tests/parity/fixtures/clip_{vit,resnet}.npz with PyTorch (2.15 for those here): small CLIPs
with either image tower, written after OpenAI's model.py with the names of models/multimodal/clip.h;
weights, two batches of images and texts, the gradients of the first step, the loss of 20 steps, and
the embeddings and buffers after them.

Members: weight/NAME, gradient/NAME, buffer/NAME, images [2, N, H, W, C], tokens [2, N, T],
losses [20], image_embeddings and text_embeddings (of batch 0, after the last step, in evaluation).
"""
import math
import os
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional as F

from networks import to_ours

STEPS = 20


class QuickGELU(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Attention(nn.Module):
    """Fused rows queries, keys, values, with nn.MultiheadAttention's arithmetic."""

    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, x):
        mask = None
        if self.causal:
            mask = torch.full((x.shape[1], x.shape[1]), float("-inf")).triu_(1)
        x = x.transpose(0, 1)
        y, _ = F.multi_head_attention_forward(
            x, x, x, x.shape[-1], self.heads, self.qkv.weight, self.qkv.bias, None, None, False, 0.0,
            self.projection.weight, self.projection.bias, attn_mask=mask)
        return y.transpose(0, 1)


class Block(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads, causal)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"expand": nn.Linear(width, 4 * width), "gelu": QuickGELU(),
                                  "contract": nn.Linear(4 * width, width)})

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        y = self.norm2(x)
        for layer in self.mlp.values():
            y = layer(y)
        return x + y


class Vit(nn.Module):
    def __init__(self, size, patch, width, layers, heads, embedding):
        super().__init__()
        self.class_token = nn.Parameter(width ** -0.5 * torch.randn(width))
        self.position = nn.Parameter(width ** -0.5 * torch.randn(1 + (size // patch) ** 2, width))
        self.patch = nn.Conv2d(3, width, patch, patch, bias=False)
        self.norm_in = nn.LayerNorm(width)
        self.blocks = nn.Sequential(*[Block(width, heads, False) for _ in range(layers)])
        self.norm_out = nn.LayerNorm(width)
        self.projection = nn.Linear(width, embedding, bias=False)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), 1, -1), x], 1) + self.position
        return self.projection(self.norm_out(self.blocks(self.norm_in(x))[:, 0]))


class ConvNorm(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(self.conv(x))


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = ConvNorm(inputs, width, 1)
        self.conv2 = ConvNorm(width, width, 3)
        self.conv3 = ConvNorm(width, 4 * width, 1)
        self.stride = stride
        if stride > 1 or inputs != 4 * width:
            self.shortcut = ConvNorm(inputs, 4 * width, 1)

    def forward(self, x):
        y = F.relu(self.conv2(F.relu(self.conv1(x))))
        if self.stride > 1:
            x, y = F.avg_pool2d(x, self.stride), F.avg_pool2d(y, self.stride)
        if hasattr(self, "shortcut"):
            x = self.shortcut(x)
        return F.relu(self.conv3(y) + x)


class AttentionPool(nn.Module):
    def __init__(self, side, width, heads, outputs):
        super().__init__()
        self.heads = heads
        self.position = nn.Parameter(width ** -0.5 * torch.randn(1 + side ** 2, width))
        self.key, self.query, self.value = (nn.Linear(width, width) for _ in range(3))
        self.projection = nn.Linear(width, outputs)

    def forward(self, x):
        x = x.flatten(2).permute(2, 0, 1)
        x = torch.cat([x.mean(0, keepdim=True), x], 0) + self.position[:, None]
        y, _ = F.multi_head_attention_forward(
            x[:1], x, x, x.shape[-1], self.heads, None,
            torch.cat([self.query.bias, self.key.bias, self.value.bias]), None, None, False, 0.0,
            self.projection.weight, self.projection.bias, use_separate_proj_weight=True,
            q_proj_weight=self.query.weight, k_proj_weight=self.key.weight,
            v_proj_weight=self.value.weight)
        return y[0]


class ResNet(nn.Module):
    def __init__(self, size, blocks, width, heads, embedding):
        super().__init__()
        self.conv1 = ConvNorm(3, width // 2, 3)
        self.conv2 = ConvNorm(width // 2, width // 2, 3)
        self.conv3 = ConvNorm(width // 2, width, 3)
        inputs, self.layers = width, len(blocks)
        for i, count in enumerate(blocks):
            stage = []
            for j in range(count):
                stage.append(Bottleneck(inputs, width, 2 if i > 0 and j == 0 else 1))
                inputs = 4 * width
            self.add_module(f"layer{i + 1}", nn.Sequential(*stage))
            width *= 2
        self.pool = AttentionPool(size // 2 ** len(blocks), inputs, heads, embedding)

    def forward(self, x):
        for conv in (self.conv1, self.conv2, self.conv3):
            x = F.relu(conv(x))
        x = F.avg_pool2d(x, 2)
        for i in range(self.layers):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.pool(x)


class Text(nn.Module):
    def __init__(self, vocabulary, context, width, layers, heads, embedding):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(0.1 * torch.randn(context, width))
        self.blocks = nn.Sequential(*[Block(width, heads, True) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.projection = nn.Linear(width, embedding, bias=False)

    def forward(self, tokens):
        x = self.norm(self.blocks(self.token(tokens) + self.position))
        return self.projection(x[torch.arange(len(x)), tokens.argmax(-1)])


class Clip(nn.Module):
    def __init__(self, image, text):
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.image, self.text = image, text

    def forward(self, images, tokens):
        a, b = self.image(images), self.text(tokens)
        a, b = (x / x.norm(dim=1, keepdim=True) for x in (a, b))
        logits = self.logit_scale.exp().clamp(max=100) * a @ b.t()
        target = torch.arange(len(a))
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.t(), target)) / 2


def train(name, clip):
    images = torch.randint(256, (2, 8, 16, 16, 3), dtype=torch.uint8)
    tokens = torch.randint(1, 29, (2, 8, 10))
    for i in range(8):
        end = 4 + i % 6
        tokens[:, i, end] = 29
        tokens[:, i, end + 1:] = 0

    def prepare(batch):
        return images[batch].permute(0, 3, 1, 2).float() / 127.5 - 1

    arrays = {"images": images.numpy(), "tokens": tokens.numpy().astype(numpy.int32)}
    for key, parameter in clip.named_parameters():
        arrays[f"weight/{key}"] = to_ours(parameter).copy()
    optimizer = torch.optim.AdamW(clip.parameters(), lr=1e-3, weight_decay=0.1)
    losses = []
    for step in range(STEPS):
        loss = clip(prepare(step % 2), tokens[step % 2])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if step == 0:
            for key, parameter in clip.named_parameters():
                arrays[f"gradient/{key}"] = to_ours(parameter.grad).copy()
        optimizer.step()
        losses.append(loss.item())
    clip.eval()
    with torch.no_grad():
        arrays["image_embeddings"] = clip.image(prepare(0)).numpy()
        arrays["text_embeddings"] = clip.text(tokens[0]).numpy()
    for key, buffer in clip.named_buffers():
        if buffer.dtype == torch.float32:
            arrays[f"buffer/{key}"] = buffer.numpy()
    arrays["losses"] = numpy.array(losses, dtype=numpy.float64)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    path = os.path.join(folder, name + ".npz")
    numpy.savez_compressed(path, **arrays)
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, {os.path.getsize(path)} bytes")


def main():
    torch.set_num_threads(1)
    torch.manual_seed(5)
    train("clip_vit", Clip(Vit(16, 4, 16, 2, 2, 12), Text(30, 10, 16, 2, 2, 12)))
    torch.manual_seed(6)
    train("clip_resnet", Clip(ResNet(16, (2, 1), 8, 4, 12), Text(30, 10, 16, 2, 2, 12)))


if __name__ == "__main__":
    sys.exit(main())
