#!/usr/bin/env python3
"""Makes the audio fixtures of tests/parity/fixtures with PyTorch (Debian's python3-torch 1.13):
wavenet.npz, conformer.npz (members as make_fixtures.py says) and ctc.npz (losses of ctc_loss and
gradients at the logits). `make_audio.py log_mel` makes log_mel.npz instead, with librosa 0.11.
"""
import math
import os
import sys

import numpy

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")


def save(name, arrays, note=""):
    path = os.path.join(FIXTURES, name + ".npz")
    numpy.savez_compressed(path, **arrays)
    print(f"{name}: {os.path.getsize(path)} bytes {note}")


def log_mel():
    """A chirp with noise, and noise with silence in it."""
    import librosa

    random = numpy.random.RandomState(1)
    t = numpy.arange(850) / 8000
    wave = numpy.stack([numpy.sin(2 * numpy.pi * (300 + 9000 * t) * t), random.randn(850)])
    wave = (0.5 * wave + 0.01 * random.randn(2, 850)).astype(numpy.float32)
    wave[1, 300:700] = 0
    arrays = {"wave": wave}
    for name, fft, window, hop, mels, low, htk, center in (
        ("slaney", 256, 200, 80, 40, 20, False, True),
        ("htk", 128, 128, 50, 20, 0, True, False),
    ):
        filters = librosa.filters.mel(
            sr=8000, n_fft=fft, n_mels=mels, fmin=low, fmax=4000, htk=htk,
            norm=None if htk else "slaney", dtype=numpy.float64)
        spectrum = librosa.stft(
            wave.astype(numpy.float64), n_fft=fft, win_length=window, hop_length=hop,
            center=center, pad_mode="reflect")
        mel = filters @ numpy.abs(spectrum) ** 2
        arrays[name + "_filters"] = filters
        arrays[name] = numpy.log(numpy.maximum(mel, 1e-10)).transpose(0, 2, 1)
    save("log_mel", arrays)


def train(name, network, optimizer, inputs, targets, loss_of):
    import torch

    arrays = {"inputs": inputs.numpy(), "targets": targets.numpy().astype(numpy.int32)}
    for key, parameter in network.named_parameters():
        arrays[f"weight/{key}"] = to_ours(key, parameter).copy()
    losses = []
    for step in range(20):
        batch = step % len(inputs)
        loss = loss_of(network(inputs[batch]), targets[batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if step == 0:
            for key, parameter in network.named_parameters():
                arrays[f"gradient/{key}"] = to_ours(key, parameter.grad).copy()
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    with torch.no_grad():
        arrays["logits"] = network(inputs[0]).numpy()
    for key, buffer in network.named_buffers():
        if buffer.dtype == torch.float32:
            arrays[f"buffer/{key}"] = buffer.numpy()
    arrays["losses"] = numpy.array(losses, dtype=numpy.float64)
    save(name, arrays, f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")


def to_ours(name, tensor):
    """Convolutions [O, I, k...] -> [O, k..., I]; 1x1 ones, linear layers here, are so already."""
    tensor = tensor.detach()
    if tensor.dim() == 4:
        tensor = tensor.permute(0, 2, 3, 1)
    if tensor.dim() == 3:
        tensor = tensor.permute(0, 2, 1)
    return tensor.contiguous().numpy()


def networks():
    """The twins, in plain PyTorch and with the names of models/audio."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Causal(nn.Conv1d):
        def forward(self, x):  # [N, C, T]
            return super().forward(F.pad(x, ((self.kernel_size[0] - 1) * self.dilation[0], 0)))

    class WaveNetBlock(nn.Module):
        def __init__(self, channels, skip, kernel, dilation, last):
            super().__init__()
            self.conv = Causal(channels, 2 * channels, kernel, dilation=dilation)
            if not last:
                self.residual = nn.Linear(channels, channels)
            self.skip = nn.Linear(channels, skip)

        def forward(self, x):  # [N, T, C]
            a, b = self.conv(x.transpose(1, 2)).transpose(1, 2).chunk(2, -1)
            z = torch.tanh(a) * torch.sigmoid(b)
            return x + self.residual(z) if hasattr(self, "residual") else z, self.skip(z)

    class WaveNet(nn.Module):
        def __init__(self, inputs, classes, channels, skip, kernel, layers, repeats):
            super().__init__()
            self.input = Causal(inputs, channels, kernel)
            count = layers * repeats
            self.blocks = nn.ModuleList(
                WaveNetBlock(channels, skip, kernel, 2 ** (i % layers), i == count - 1)
                for i in range(count))
            self.hidden = nn.Linear(skip, skip)
            self.head = nn.Linear(skip, classes)

        def forward(self, x):  # [N, T]
            x = self.input(x[:, None]).transpose(1, 2)
            total = 0
            for block in self.blocks:
                x, skip = block(x)
                total = total + skip
            return self.head(F.relu(self.hidden(F.relu(total))))

    class Subsampling(nn.Module):
        def __init__(self, mels, width):
            super().__init__()
            self.conv1 = nn.Conv2d(1, width, 3, 2, 1)
            self.conv2 = nn.Conv2d(width, width, 3, 2, 1)
            self.projection = nn.Linear(width * -(-mels // 4), width)

        def forward(self, x):
            x = F.relu(self.conv2(F.relu(self.conv1(x[:, None]))))  # [N, C, T, M]
            return self.projection(x.permute(0, 2, 3, 1).flatten(2))

    class Half(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.norm = nn.LayerNorm(width)
            self.expand = nn.Linear(width, 4 * width)
            self.contract = nn.Linear(4 * width, width)

        def forward(self, x):
            return self.contract(F.silu(self.expand(self.norm(x))))

    class Attention(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.norm = nn.LayerNorm(width)
            self.qkv = nn.Linear(width, 3 * width)
            self.position = nn.Linear(width, width, bias=False)
            self.projection = nn.Linear(width, width)
            self.content_bias = nn.Parameter(0.3 * torch.randn(heads, width // heads))
            self.position_bias = nn.Parameter(0.3 * torch.randn(heads, width // heads))

        def forward(self, x):
            n, t, c = x.shape
            d = c // self.heads
            q, k, v = self.qkv(self.norm(x)).view(n, t, 3, self.heads, d).unbind(2)
            # Row i, column j: the sinusoids of i - j, one by one.
            away = (torch.arange(t)[:, None] - torch.arange(t)[None]).float()[..., None]
            angle = away * torch.exp(torch.arange(0, c, 2) * (-math.log(10000.0) / c))
            waves = torch.stack([angle.sin(), angle.cos()], -1).flatten(2)
            p = self.position(waves).view(t, t, self.heads, d)
            scores = torch.einsum("nihd,njhd->nhij", q + self.content_bias, k)
            scores = scores + torch.einsum("nihd,ijhd->nhij", q + self.position_bias, p)
            mixed = torch.einsum("nhij,njhd->nihd", (scores / math.sqrt(d)).softmax(-1), v)
            return self.projection(mixed.flatten(2))

    class Convolution(nn.Module):
        def __init__(self, width, kernel):
            super().__init__()
            self.kernel = kernel
            self.norm = nn.LayerNorm(width)
            self.expand = nn.Linear(width, 2 * width)
            self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
            self.batch_norm = nn.BatchNorm1d(width)
            self.contract = nn.Linear(width, width)

        def forward(self, x):
            x = F.glu(self.expand(self.norm(x)), -1).transpose(1, 2)
            x = self.depthwise(F.pad(x, ((self.kernel - 1) // 2, self.kernel // 2)))
            return self.contract(F.silu(self.batch_norm(x)).transpose(1, 2))

    class Block(nn.Module):
        def __init__(self, width, heads, kernel):
            super().__init__()
            self.first = Half(width)
            self.attention = Attention(width, heads)
            self.convolution = Convolution(width, kernel)
            self.second = Half(width)
            self.norm = nn.LayerNorm(width)

        def forward(self, x):
            x = x + self.first(x) / 2
            x = x + self.attention(x)
            x = x + self.convolution(x)
            x = x + self.second(x) / 2
            return self.norm(x)

    class Conformer(nn.Module):
        def __init__(self, mels, classes, width, heads, blocks, kernel):
            super().__init__()
            self.subsampling = Subsampling(mels, width)
            self.blocks = nn.Sequential(*[Block(width, heads, kernel) for _ in range(blocks)])
            self.head = nn.Linear(width, classes)

        def forward(self, x):
            return self.head(self.blocks(self.subsampling(x)))

    return WaveNet, Conformer


def ctc():
    """Losses [N] and, for the mean of PyTorch, the gradient at the logits."""
    import torch
    from torch.nn import functional as F

    torch.manual_seed(3)
    logits = torch.randn(5, 12, 6, dtype=torch.float64).requires_grad_()
    targets = torch.randint(1, 6, (5, 5))
    targets[1, 1] = targets[1, 0]  # a repeated label
    steps, lengths = torch.tensor([12, 12, 9, 7, 12]), torch.tensor([5, 4, 3, 2, 0])
    y = logits.log_softmax(-1).transpose(0, 1)
    losses = F.ctc_loss(y, targets, steps, lengths, reduction="none")
    mean = F.ctc_loss(y, targets, steps, lengths)
    mean.backward()
    save("ctc", {
        "logits": logits.detach().numpy(), "targets": targets.numpy(), "steps": steps.numpy(),
        "lengths": lengths.numpy(), "losses": losses.detach().numpy(),
        "mean": mean.detach().numpy(), "gradient": logits.grad.numpy()})


def main():
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(1)
    WaveNet, Conformer = networks()

    torch.manual_seed(1)
    network = WaveNet(inputs=1, classes=16, channels=8, skip=12, kernel=2, layers=4, repeats=2)
    t = torch.arange(49) / 8
    pitch, phase = 1 + 2 * torch.rand(3, 6, 1), 6 * torch.rand(3, 6, 1)
    waves = 0.8 * torch.sin(pitch * t + phase)
    codes = ((waves[..., 1:] + 1) * 7.5).round().long()  # the next sample in 16 even steps
    train(
        "wavenet", network, torch.optim.Adam(network.parameters(), lr=5e-3), waves[..., :-1], codes,
        lambda logits, target: F.cross_entropy(logits.flatten(0, 1), target.flatten()))

    torch.manual_seed(2)
    network = Conformer(mels=12, classes=5, width=16, heads=2, blocks=2, kernel=4)
    sounds = torch.randn(5, 3, 12)  # a label is three frames that look like it
    labels = torch.randint(1, 5, (3, 6, 3))
    frames = torch.zeros(3, 6, 40, 12)
    for i in range(3):
        place = 4 + 12 * i
        frames[:, :, place:place + 8] = sounds[labels[..., i]].mean(2, keepdim=True)
    frames += 0.3 * torch.randn(frames.shape)

    def loss(logits, target):
        count = len(logits)
        return F.ctc_loss(
            logits.log_softmax(-1).transpose(0, 1), target,
            torch.full((count,), logits.shape[1]), torch.full((count,), target.shape[1]))

    # Not Adam: it would make steps of the rounding errors that are the gradients of biases before a
    # norm.
    train("conformer", network, torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9),
          frames, labels, loss)
    ctc()


if __name__ == "__main__":
    if sys.argv[1:] == ["log_mel"]:
        sys.exit(log_mel())
    sys.exit(main())
