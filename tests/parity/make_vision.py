#!/usr/bin/env python3
"""Makes tests/parity/fixtures/{alexnet_s,vgg_bn,resnet26,plain8,preresnet8,vit}.npz with PyTorch
(Debian's python3-torch 1.13; run with the system's python3): a small instance of each image
classifier, trained for 20 steps. make_fixtures.py says what is in a file; the networks here are
written in plain PyTorch with the names of parameters of models/vision.
"""
import sys

import torch
from torch import nn
from torch.nn import functional as F

from make_fixtures import images, train


def flat(x):
    """Features in the order of our layout, NHWC."""
    return x.permute(0, 2, 3, 1).flatten(1)


class AlexNetS(nn.Module):
    """models/vision/alexnet.h, for small images"""

    def __init__(self, width=4, hidden=16, classes=10):
        super().__init__()
        inputs = 3
        for i, (times, kernel) in enumerate([(1, 5), (3, 5), (6, 3), (4, 3), (4, 3)]):
            conv = nn.Conv2d(inputs, times * width, kernel, padding=kernel // 2)
            self.add_module(f"conv{i + 1}", conv)
            inputs = times * width
        self.fc6 = nn.Linear(9 * inputs, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.head = nn.Linear(hidden, classes)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.kaiming_normal_(p)  # PyTorch's own start is left too slowly

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 3, 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 3, 2)
        x = F.relu(self.conv5(F.relu(self.conv4(F.relu(self.conv3(x))))))
        x = flat(F.adaptive_avg_pool2d(F.max_pool2d(x, 3, 2), 3))
        return self.head(F.relu(self.fc7(F.relu(self.fc6(x)))))


class ConvNorm(nn.Module):
    def __init__(self, inputs, outputs, kernel=3, stride=1, relu=True, bias=False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)
        self.norm = nn.BatchNorm2d(outputs)
        self.relu = relu

    def forward(self, x, residual=None):
        y = self.norm(self.conv(x))
        if residual is not None:
            y = y + residual
        return F.relu(y) if self.relu else y


class Vgg(nn.Module):
    """models/vision/vgg.h, with batch norm"""

    def __init__(self, convolutions=(1, 2), width=6, hidden=16, positions=4, classes=10):
        super().__init__()
        self.convolutions, self.positions = convolutions, positions
        inputs = 3
        for stage, count in enumerate(convolutions):
            for i in range(count):
                outputs = width * min(2 ** stage, 8)
                self.add_module(f"conv{stage + 1}_{i + 1}", ConvNorm(inputs, outputs, bias=True))
                inputs = outputs
        self.fc1 = nn.Linear(positions ** 2 * inputs, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        for stage, count in enumerate(self.convolutions):
            for i in range(count):
                x = getattr(self, f"conv{stage + 1}_{i + 1}")(x)
            x = F.max_pool2d(x, 2)
        x = flat(F.adaptive_avg_pool2d(x, self.positions))
        return self.head(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = ConvNorm(inputs, width, 1)
        self.conv2 = ConvNorm(width, width, 3, stride)
        self.conv3 = ConvNorm(width, 4 * width, 1)
        self.downsample = None
        if stride != 1 or inputs != 4 * width:
            self.downsample = ConvNorm(inputs, 4 * width, 1, stride, relu=False)

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.conv3(self.conv2(self.conv1(x)), shortcut)


class BottleneckResNet(nn.Module):
    """models/vision/resnet.h, depth 26; with blocks (3, 4, 6, 3) depth 50"""

    def __init__(self, width=4, classes=10, blocks_of=(2, 2, 2, 2)):
        super().__init__()
        self.conv1 = ConvNorm(3, width, 7, 2)
        inputs = width
        for stage in range(4):
            blocks = []
            for i in range(blocks_of[stage]):
                blocks.append(Bottleneck(inputs, width << stage, 2 if stage and not i else 1))
                inputs = 4 * (width << stage)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.head = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.head(x.mean((2, 3)))


class PlainBlock(nn.Module):
    def __init__(self, inputs, outputs, stride, norm1):
        super().__init__()
        self.conv1 = ConvNorm(inputs, outputs, 3, stride)
        self.conv2 = ConvNorm(outputs, outputs)

    def forward(self, x):
        return self.conv2(self.conv1(x))


class PreactivationBlock(nn.Module):
    def __init__(self, inputs, outputs, stride, norm1):
        super().__init__()
        self.stride, self.more = stride, outputs - inputs
        self.norm1 = nn.BatchNorm2d(inputs) if norm1 else None
        self.conv1 = ConvNorm(inputs, outputs, 3, stride)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)

    def forward(self, x):
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
        active = x if self.norm1 is None else F.relu(self.norm1(x))
        return shortcut + self.conv2(self.conv1(active))


class Cifar8(nn.Module):
    """models/vision/cifar_resnet.h, depth 8"""

    def __init__(self, block, width=8, classes=10):
        super().__init__()
        self.conv1 = ConvNorm(3, width)
        self.layer1 = nn.Sequential(block(width, width, 1, False))
        self.layer2 = nn.Sequential(block(width, 2 * width, 2, True))
        self.layer3 = nn.Sequential(block(2 * width, 4 * width, 2, True))
        self.norm = nn.BatchNorm2d(4 * width) if block is PreactivationBlock else None
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        if self.norm is not None:
            x = F.relu(self.norm(x))
        return self.head(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        pattern = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).softmax(-1)
        return self.projection((pattern @ v).transpose(1, 2).reshape(n, t, c))


class VitBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, 1e-6)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, 1e-6)
        self.mlp = nn.ModuleDict(
            {"expand": nn.Linear(width, 4 * width), "contract": nn.Linear(4 * width, width)}
        )

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp["contract"](F.gelu(self.mlp["expand"](self.norm2(x))))


class Vit(nn.Module):
    """models/vision/vit.h"""

    def __init__(self, size=16, patch=4, width=24, layers=2, heads=3, classes=10):
        super().__init__()
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2 + 1, width))
        self.patch = nn.Conv2d(3, width, patch, patch)
        self.blocks = nn.Sequential(*[VitBlock(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width, 1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        first = self.class_token.expand(len(x), -1, -1)
        x = torch.cat([first, tokens], 1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


def main():
    torch.set_num_threads(1)

    def make(name, network, size, seed, optimizer, batches=4, n=16):
        torch.manual_seed(seed)
        inputs, targets = images(batches, n, size, 10)
        network = network()
        dtype = network.head.weight.dtype
        train(name, network, optimizer(network), inputs, targets,
              lambda x: torch.from_numpy(x).permute(0, 3, 1, 2).to(dtype) / 127.5 - 1)

    def sgd(rate):
        return lambda network: torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9)

    def adamw(network):
        return torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)

    make("alexnet_s", AlexNetS, 16, 1, sgd(0.01))
    make("vgg_bn", Vgg, 16, 2, sgd(0.02))
    # In f64: in f32 weights that differ by 1e-7 are a percent apart in the loss 5 steps later, in
    # PyTorch too.
    make("resnet26", lambda: BottleneckResNet(2).double(), 40, 3, sgd(0.01), batches=2, n=12)
    make("plain8", lambda: Cifar8(PlainBlock), 8, 4, sgd(0.02))
    make("preresnet8", lambda: Cifar8(PreactivationBlock), 8, 5, sgd(0.02))
    make("vit", Vit, 16, 6, adamw)


if __name__ == "__main__":
    sys.exit(main())
