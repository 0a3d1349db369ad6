#!/usr/bin/python3
"""The work of probe_bench in scikit-learn (Debian's python3-sklearn), and the two in turns.

  probe_sklearn.py make FEATURES.npy LABELS.npy [--rows 10000 --width 512 --classes 10 --dtype float32]
  probe_sklearn.py fit FEATURES.npy LABELS.npy [--l2 1e-2] [--tolerance 1e-4] [--repetitions 3]
  probe_sklearn.py compare PROBE_BENCH FEATURES.npy LABELS.npy [--rounds 5] [--threads 2]

`make` writes features like a layer's: Gaussian classes behind a random mixing whose singular values
fall as 1/sqrt(i), through a ReLU. `fit` prints one line of JSON as probe_bench does; scikit-learn
minimises n C times our objective with C = 1 / (n l2), and its tolerance is on the largest entry of
the gradient of that sum. `compare` runs each side in a process of its own, in turns, and prints the
ratios of medians, theirs over ours, by the clock and by processor time (all threads; steadier on a
machine that does other work); ours stops at a gradient that makes its objective no larger than
scikit-learn's, which is checked.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np


def make(options):
    random = np.random.default_rng(1)
    n, d, k = options.rows, options.width, options.classes
    labels = random.integers(k, size=n)
    codes = random.standard_normal((n, d)) + 1.2 * random.standard_normal((k, d))[labels]
    basis = np.linalg.qr(random.standard_normal((d, d)))[0]
    mixing = basis / np.sqrt(1 + np.arange(d))[None, :] @ basis.T * np.sqrt(d) / 4
    features = np.maximum(codes @ mixing, 0)
    np.save(options.features, features.astype(options.dtype))
    np.save(options.labels, labels.astype(np.int64))


def objective(model, x, y, l2):
    logits = x.astype(np.float64) @ model.coef_.T.astype(np.float64) + model.intercept_
    top = logits.max(axis=1)
    total = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
    loss = (total - logits[np.arange(len(y)), y]).mean()
    return loss + l2 / 2 * (model.coef_.astype(np.float64) ** 2).sum()


def peak_mib():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024


def fit(options):
    from sklearn.linear_model import LogisticRegression

    x, y = np.load(options.features), np.load(options.labels)
    with open("/proc/self/maps") as maps:
        if "openblas" not in maps.read():
            sys.exit("NumPy runs on the reference BLAS here, which is no match to compare with. "
                     "Install a fast one with: apt-get install libopenblas0")
    times, processor = [], []
    for _ in range(options.repetitions):
        model = LogisticRegression(C=1 / (len(y) * options.l2), tol=options.tolerance, max_iter=10000)
        start, cpu = time.perf_counter(), time.process_time()
        model.fit(x, y)
        times.append(round(1e3 * (time.perf_counter() - start), 1))
        processor.append(round(1e3 * (time.process_time() - cpu), 1))
    print(json.dumps({"times_ms": times, "cpu_ms": processor,
                      "objective": objective(model, x, y, options.l2),
                      "iterations": int(model.n_iter_[0]), "peak_mib": round(peak_mib())}))


def compare(options):
    environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads),
                       OPENBLAS_NUM_THREADS=str(options.threads))
    files = [options.features, options.labels, "--l2", str(options.l2), "--repetitions",
             str(options.repetitions)]
    sides = {
        "ours": [options.probe_bench, *files, "--tolerance", str(options.our_tolerance)],
        "theirs": [sys.executable, __file__, "fit", *files, "--tolerance", str(options.tolerance)],
    }
    rounds = {side: [] for side in sides}
    for i in range(options.rounds):
        for side in sorted(sides, reverse=i % 2 == 1):
            out = subprocess.run(sides[side], env=environment, capture_output=True, text=True)
            if out.returncode != 0:
                sys.exit(f"{' '.join(sides[side])} failed:\n{out.stderr}")
            rounds[side].append(json.loads(out.stdout.splitlines()[-1]))
    ratio = {}
    for kind in ("times_ms", "cpu_ms"):
        medians = {s: statistics.median(statistics.median(r[kind]) for r in rounds[s]) for s in sides}
        ratio[kind] = round(medians["theirs"] / medians["ours"], 2)
    last = {side: rounds[side][-1] for side in sides}
    if last["ours"]["objective"] > last["theirs"]["objective"] + 1e-9:
        sys.exit(f"ours stopped above scikit-learn's objective: {last}")
    print(json.dumps({"ratio": ratio, **last}, indent=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, run in (("make", make), ("fit", fit), ("compare", compare)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        if name == "compare":
            command.add_argument("probe_bench")
            command.add_argument("--rounds", type=int, default=5)
            command.add_argument("--threads", type=int, default=2)
            command.add_argument("--our-tolerance", type=float, default=1e-6)
        command.add_argument("features")
        command.add_argument("labels")
        if name == "make":
            command.add_argument("--rows", type=int, default=10000)
            command.add_argument("--width", type=int, default=512)
            command.add_argument("--classes", type=int, default=10)
            command.add_argument("--dtype", default="float32")
        else:
            command.add_argument("--l2", type=float, default=1e-2)
            command.add_argument("--tolerance", type=float, default=1e-4)
            command.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
