#!/usr/bin/env python3
"""Makes tests/parity/fixtures/*.npz with PyTorch (Debian's python3-torch 1.13; run with the
system's python3): for a small CNN with batch norm and a small transformer, the weights at the
start, a few batches, the gradients of the first step, the loss of 20 steps, and the logits and
buffers after them. Weights, gradients and images are stored in our layouts (OHWI, NHWC).

Members of a file: weight/NAME, gradient/NAME, buffer/NAME (after the last step), inputs
[batches, N, ...], targets [batches, N(, T)], losses [20], logits (of batch 0, after the last step,
in evaluation mode). Images are u8; the network sees value / 127.5 - 1.
"""
import os
import sys

import numpy
import torch
from torch.nn import functional as F

from networks import ConvNet, Gpt, to_ours

STEPS = 20


def train(name, network, optimizer, inputs, targets, prepare):
    arrays = {"inputs": inputs, "targets": targets.numpy().astype(numpy.int32)}
    for key, parameter in network.named_parameters():
        arrays[f"weight/{key}"] = to_ours(parameter.float()).copy()  # before training changes it
    losses = []
    for step in range(STEPS):
        batch = step % len(inputs)
        logits = network(prepare(inputs[batch]))
        loss = F.cross_entropy(logits.flatten(0, -2), targets[batch].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if step == 0:
            for key, parameter in network.named_parameters():
                arrays[f"gradient/{key}"] = to_ours(parameter.grad.float()).copy()
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    with torch.no_grad():
        arrays["logits"] = network(prepare(inputs[0])).float().numpy()
    for key, buffer in network.named_buffers():
        if buffer.is_floating_point():
            arrays[f"buffer/{key}"] = buffer.float().numpy()
    arrays["losses"] = numpy.array(losses, dtype=numpy.float64)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    path = os.path.join(folder, name + ".npz")
    numpy.savez_compressed(path, **arrays)
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, {os.path.getsize(path)} bytes")


def images(batches, n, size, classes):
    """Noise with a class's own pattern in it, so that there is something to learn."""
    patterns = torch.randn(classes, 3, size, size)
    targets = torch.randint(classes, (batches, n))
    x = 0.25 * patterns[targets] + 0.4 * torch.randn(batches, n, 3, size, size)
    x = ((x + 1) * 127.5).clamp(0, 255).to(torch.uint8)
    return x.permute(0, 1, 3, 4, 2).contiguous().numpy(), targets


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    inputs, targets = images(4, 16, 16, 10)
    network = ConvNet(widths=(8, 16, 16, 24))
    train(
        "convnet", network,
        torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4),
        inputs, targets,
        lambda x: torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1)

    torch.manual_seed(2)
    network = Gpt(vocabulary=48, context=24, width=32, heads=4, layers=2)
    start = torch.randint(48, (3, 8, 1))
    stride = torch.randint(1, 5, (3, 8, 1))
    tokens = (start + stride * torch.arange(25)) % 48  # counts on in steps of 1 to 4
    train(
        "gpt", network,
        torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.1, betas=(0.9, 0.95)),
        tokens[..., :-1].numpy().astype(numpy.int32), tokens[..., 1:],
        lambda x: torch.from_numpy(x).long())


if __name__ == "__main__":
    sys.exit(main())
