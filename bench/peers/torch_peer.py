#!/usr/bin/env python3
"""The work of bench/{train,infer,gpt2}_bench.cpp in PyTorch, one case a process.

  torch_peer.py CASE [--device cpu|cuda] [--threads N] [--seconds S] [--repetitions R]

Prints one line of JSON: {"case", "layout", "times_ms": [mean of a step, a repetition each],
"cpu_ms": [the same, processor time of all threads], "peak_mib"}. Images run in the faster of PyTorch's two layouts, tried at the start. Inference runs
eagerly under inference_mode, or traced, frozen and optimised (..._infer_jit).
"""
import argparse
import json
import os
import sys
import time

import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/parity"))
from networks import ConvNet, Gpt, Mlp, ResNet  # noqa: E402


DEVICE = "cpu"  # as --device says


def training(model, x, target, optimizer):
    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x).flatten(0, -2), target.flatten())
        loss.backward()
        optimizer.step()

    return step


def images(make):
    def build(layout):
        model = make().to(DEVICE, memory_format=layout)
        x = torch.randn(128, 3, 32, 32).to(DEVICE, memory_format=layout)
        target = torch.randint(10, (128,), device=DEVICE)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, foreach=True)
        return training(model, x, target, optimizer)

    return build


def mlp(_):
    model = Mlp().to(DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, foreach=True)
    return training(model, torch.randn(128, 784, device=DEVICE),
                    torch.randint(10, (128,), device=DEVICE), optimizer)


def gpt(_):
    model = Gpt().to(DEVICE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.1, foreach=True)
    x, target = torch.randint(256, (2, 16, 128), device=DEVICE)
    return training(model, x, target, optimizer)


def gpt2(train):
    """bench/gpt2_bench.cpp: 124M parameters, one sequence of 64 tokens."""
    def build(_):
        model = Gpt(vocabulary=50257, context=1024, width=768, heads=12, layers=12).to(DEVICE)
        x, target = torch.randint(50257, (2, 1, 64), device=DEVICE)
        if train:
            optimizer = torch.optim.AdamW(
                model.parameters(), lr=3e-4, weight_decay=0.1, foreach=True)
            return training(model, x, target, optimizer)
        model.eval()

        def step():
            with torch.inference_mode():
                model(x)

        return step

    return build


def resnet50():
    from make_vision import BottleneckResNet  # needs NumPy; no part of the GPU's bundle
    return BottleneckResNet(64, 1000, (3, 4, 6, 3))


def inference(make, shape, jit):
    def build(layout):
        model = make().eval().to(DEVICE, memory_format=layout)
        x = torch.randn(shape).to(DEVICE, memory_format=layout)
        if jit:
            with torch.no_grad():
                model = torch.jit.optimize_for_inference(torch.jit.trace(model, x))

        def step():
            with torch.inference_mode():
                model(x)

        return step

    return build


# Name, builder, whether the layout of images matters.
CASES = {
    "convnet": (images(ConvNet), True),
    "resnet20": (images(ResNet), True),
    "mlp": (mlp, False),
    "gpt": (gpt, False),
    "gpt2_forward": (gpt2(False), False),
    "gpt2_step": (gpt2(True), False),
    "resnet20_infer": (inference(ResNet, (128, 3, 32, 32), False), True),
    "resnet20_infer_jit": (inference(ResNet, (128, 3, 32, 32), True), True),
    "resnet50_infer": (inference(resnet50, (1, 3, 224, 224), False), True),
    "resnet50_infer_jit": (inference(resnet50, (1, 3, 224, 224), True), True),
}


def seconds_of(step, count):
    """Of the clock and of the processors (all threads), a step."""
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        step()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / count, (time.process_time() - cpu) / count


def peak_mib():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024


def check_blas():
    """Debian's PyTorch multiplies with whatever libblas.so.3 is; the reference one is 15 times slower."""
    with open("/proc/self/maps") as maps:
        loaded = maps.read()
    if not any(name in loaded for name in ("openblas", "mkl_rt", "libblis")):
        sys.exit("PyTorch runs on the reference BLAS here, which is no match to compare with. "
                 "Install a fast one with: apt-get install libopenblas0")


def faster_layout(build):
    best = None
    for layout in (torch.channels_last, torch.contiguous_format):
        step = build(layout)
        seconds_of(step, 2)
        best = min(filter(None, (best, (seconds_of(step, 3)[0], str(layout), layout))))
    return best[2]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=1.0, help="of a repetition")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--layout", choices=("auto", "nchw", "nhwc"), default="auto")
    options = parser.parse_args()
    global DEVICE
    DEVICE = options.device
    if DEVICE == "cpu":
        check_blas()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    build, has_layout = CASES[options.case]
    layout = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}.get(options.layout)
    if layout is None:
        layout = faster_layout(build) if has_layout else torch.contiguous_format
    step = build(layout)
    once = seconds_of(step, 3)[0]
    count = max(1, round(options.seconds / once))
    times = [seconds_of(step, count) for _ in range(options.repetitions)]
    names = {torch.channels_last: "nhwc", torch.contiguous_format: "nchw"}
    print(json.dumps({"case": options.case, "torch": torch.__version__, "device": DEVICE, "layout": names[layout] if has_layout else "-",
                      "times_ms": [1e3 * t for t, _ in times],
                      "cpu_ms": [1e3 * cpu for _, cpu in times], "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
