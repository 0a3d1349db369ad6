#!/usr/bin/env python3
"""Times PyTorch's attention in bf16 at the shapes of bench/gpu/cases_attention.cpp: forward, and
the backward pass alone, by FlashAttention and by cuDNN (the backends of
scaled_dot_product_attention).

  attention_peer.py [--out FILE] [--passes forward,backward] [--seconds S] [--warm-up S]
  attention_peer.py --list        the cases and their operations; needs no PyTorch

Writes a line of JSON for each case and backend, {"case", "backend", "microseconds", "tflops", ...},
and prints a table of TFLOP/s. A case is called as `strata bench` calls it, and its operations are
counted in the same way. Operands are in [-1, 1), and [N, T, heads, D] in memory as ours. One
set of them is 256 MiB or more, past three times the L2 cache. Times are medians between events in
the stream, around as many calls as take half a millisecond, queued together so that the device
never waits for the host.
"""
import argparse
import json
import statistics
import sys
import time

TOKENS, FEATURES = 16384, 2048  # of every case
BACKENDS = {"flash": "FLASH_ATTENTION", "cudnn": "CUDNN_ATTENTION"}


class Case:
    def __init__(self, backward, head_size, causal, length):
        self.backward, self.causal, self.T, self.D = backward, causal, length, head_size
        self.N, self.heads = TOKENS // length, FEATURES // head_size

    @property
    def direction(self):
        return "backward" if self.backward else "forward"

    @property
    def scores(self):
        return "causal" if self.causal else "full"

    @property
    def shape(self):
        return f"{self.N}x{self.T}x{self.heads}x{self.D}"

    @property
    def title(self):
        return (f"attention: head size {self.D}, {self.scores}, {self.direction}, "
                f"{self.shape} bf16")

    @property
    def flops(self):
        """Two products of T x T scores, half of them when causal; the backward pass does five."""
        halves = 8 * self.N * self.heads * self.D * self.T * self.T
        return halves * (1 if self.causal else 2) * (5 if self.backward else 2) // 8


def cases():
    lengths = []
    length = 512
    while length <= TOKENS:
        lengths.append(length)
        length *= 2
    return [Case(backward, head_size, causal, length) for backward in (False, True)
            for head_size in (64, 128) for causal in (False, True) for length in lengths]


def work_of(torch, case):
    """What runs the case once, on operands of its own. RuntimeError where the backend refuses."""
    from torch.nn import functional as F

    def random():
        x = torch.empty(case.N, case.T, case.heads, case.D, dtype=torch.bfloat16, device="cuda")
        return x.uniform_(-1, 1).transpose(1, 2)

    q, k, v = random(), random(), random()
    if not case.backward:
        def forward():
            with torch.no_grad():
                F.scaled_dot_product_attention(q, k, v, is_causal=case.causal)

        return forward
    for x in (q, k, v):
        x.requires_grad_(True)
    out = F.scaled_dot_product_attention(q, k, v, is_causal=case.causal)
    gradient = random()
    return lambda: torch.autograd.grad(out, (q, k, v), gradient, retain_graph=True)


def microseconds_of(torch, work, options):
    """The median of a call, and the number of samples."""
    def event():
        return torch.cuda.Event(enable_timing=True)

    begin, end = event(), event()
    for _ in range(2):  # the first call chooses and loads kernels
        work()
    begin.record()
    for _ in range(3):
        work()
    end.record()
    torch.cuda.synchronize()
    once = begin.elapsed_time(end) / 3  # milliseconds
    calls = max(1, round(0.5 / once))
    stop = time.perf_counter() + options.warm_up
    while time.perf_counter() < stop:
        for _ in range(max(1, round(20 / once))):
            work()
        torch.cuda.synchronize()
    samples = min(max(int(1000 * options.seconds / (once * calls)), 10), 200)
    events = [event() for _ in range(samples + 1)]
    events[0].record()
    for mark in events[1:]:
        for _ in range(calls):
            work()
        mark.record()
    torch.cuda.synchronize()
    times = [1000 * a.elapsed_time(b) / calls for a, b in zip(events, events[1:])]
    return statistics.median(times), samples


def measure(torch, case, backend, options):
    """A row, or in words why there is none."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    kind = getattr(SDPBackend, BACKENDS[backend], None)
    if kind is None:
        return f"PyTorch {torch.__version__} has no {BACKENDS[backend]}"
    try:
        with sdpa_kernel(kind):
            time_us, samples = microseconds_of(torch, work_of(torch, case), options)
    except RuntimeError as error:  # "No available kernel", too little memory, a library's refusal
        return " ".join(str(error).split())[:200] or type(error).__name__
    return {"case": case.title, "backend": backend, "microseconds": round(time_us, 3),
            "tflops": round(case.flops / time_us / 1e6, 2), "samples": samples,
            "torch": torch.__version__, "cudnn": torch.backends.cudnn.version(),
            "device": torch.cuda.get_device_name()}


def print_table(rows):
    rates = " | ".join(f"{name}, TFLOP/s" for name in BACKENDS)
    print(f"\n| head size | scores | pass | shape | {rates} |")
    print("|---" * (4 + len(BACKENDS)) + "|")
    for case in cases():
        found = {name: rows.get((case.title, name)) for name in BACKENDS}
        if any(found.values()):
            rates = " | ".join(f"{row['tflops']:.0f}" if row else "-" for row in found.values())
            print(f"| {case.D} | {case.scores} | {case.direction} | {case.shape} | {rates} |")


def cuda_torch():
    """The module, or None after saying what is missing."""
    try:
        import torch
        import torch.nn.attention  # PyTorch 2.3 or newer
    except ImportError as error:
        print(f"attention_peer: not measured, python3 has no torch.nn.attention ({error})")
        return None
    if not torch.cuda.is_available():
        print(f"attention_peer: not measured, PyTorch {torch.__version__} finds no GPU")
        return None
    return torch


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--out", help="file for the lines of JSON")
    parser.add_argument("--passes", default="forward,backward")
    parser.add_argument("--seconds", type=float, default=0.1,
                        help="of measuring, a case and backend")
    parser.add_argument("--warm-up", type=float, default=0.1)
    options = parser.parse_args()
    wanted = [case for case in cases() if case.direction in options.passes.split(",")]
    if not wanted:
        sys.exit("attention_peer: --passes is forward, backward or both with a comma between them")
    if options.list:
        for case in wanted:
            print(f"{case.title}\t{case.flops}")
        return
    torch = cuda_torch()
    if torch is None:
        return
    torch.manual_seed(1)
    rows = {}
    with open(options.out or "/dev/null", "w") as file:
        for case in wanted:
            for backend in BACKENDS:
                row = measure(torch, case, backend, options)
                if isinstance(row, str):
                    print(f"{case.title}: {backend}: {row}", flush=True)
                    continue
                rows[case.title, backend] = row
                file.write(json.dumps(row) + "\n")
                file.flush()
                print(f"{case.title}: {backend} {row['microseconds']:.1f} us, "
                      f"{row['tflops']:.0f} TFLOP/s", flush=True)
    print_table(rows)


if __name__ == "__main__":
    main()
