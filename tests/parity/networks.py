"""The networks of models/ in PyTorch, with the same names of parameters.

Used as the other side of tests (make_fixtures.py) and of benchmarks (bench/peers/torch_peer.py).
PyTorch keeps images as [N, C, H, W] and weights as [O, I, H, W]; to_ours() gives our layouts.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F


class ConvNorm(nn.Module):
    """models use it everywhere: convolution without bias, batch norm, (sum,) ReLU."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x, residual=None):
        y = self.norm(self.conv(x))
        if residual is not None:
            y = y + residual
        return F.relu(y, inplace=True)


class ConvNet(nn.Module):
    """models/vision/convnet.h"""

    def __init__(self, channels=3, classes=10, widths=(16, 32, 32, 64, 64, 128)):
        super().__init__()
        width = channels
        for i, w in enumerate(widths):
            self.add_module(f"conv{i + 1}", ConvNorm(width, w))
            width = w
        self.depth = len(widths)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        for i in range(self.depth):
            x = getattr(self, f"conv{i + 1}")(x)
            if i in (1, 3):
                x = F.max_pool2d(x, 2)
        return self.head(x.mean((2, 3)))


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.stride, self.more = stride, outputs - inputs
        self.conv1 = ConvNorm(inputs, outputs, stride)
        self.conv2 = ConvNorm(outputs, outputs)

    def forward(self, x):
        shortcut = x[:, :, :: self.stride, :: self.stride] if self.stride > 1 else x
        if self.more:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.more))
        return self.conv2(self.conv1(x), shortcut)


class ResNet(nn.Module):
    """models/vision/cifar_resnet.h: depth 6 n + 2, shortcuts without parameters."""

    def __init__(self, depth=20, channels=3, classes=10, width=16):
        super().__init__()
        n = (depth - 2) // 6
        self.conv1 = ConvNorm(channels, width)
        inputs, outputs = width, width
        for i in (1, 2, 3):
            blocks = []
            for j in range(n):
                blocks.append(BasicBlock(inputs, outputs, 2 if j == 0 and i > 1 else 1))
                inputs = outputs
            self.add_module(f"layer{i}", nn.Sequential(*blocks))
            outputs *= 2
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        return self.head(x.mean((2, 3)))


class Mlp(nn.Module):
    """models/vision/mlp.h"""

    def __init__(self, inputs=784, hidden=512, classes=10):
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        return self.head(F.relu(self.fc1(x)))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / math.sqrt(c // self.heads)
        hidden = torch.ones(t, t, dtype=torch.bool, device=x.device).triu(1)
        scores = scores.masked_fill(hidden, -math.inf)
        y = scores.softmax(-1) @ v
        return self.projection(y.transpose(1, 2).reshape(n, t, c))


class GptBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(
            {"expand": nn.Linear(width, 4 * width), "contract": nn.Linear(4 * width, width)}
        )

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        h = F.gelu(self.mlp["expand"](self.norm2(x)), approximate="tanh")
        return x + self.mlp["contract"](h)


class Gpt(nn.Module):
    """models/language/gpt.h"""

    def __init__(self, vocabulary=256, context=128, width=192, heads=6, layers=6):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.empty(context, width))
        self.blocks = nn.Sequential(*[GptBlock(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, 0, 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, index):
        x = self.token(index) + self.position[: index.shape[1]]
        return F.linear(self.norm(self.blocks(x)), self.token.weight)


def to_ours(tensor):
    """[O, I, H, W] -> [O, H, W, I] and [N, C, H, W] -> [N, H, W, C]; other ranks as they are."""
    if tensor.dim() == 4:
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.detach().contiguous().numpy()
