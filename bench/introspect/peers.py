#!/usr/bin/python3
"""The work of peers_bench in what Debian has of it, and the two in turns.

  peers.py compare PEERS_BENCH [CASE...] [--rounds 5 --threads 2]
  peers.py theirs CASE [FILE.npy] [--repetitions 3]

Cases: pca (scikit-learn's PCA), gradient and integrated (PyTorch, ResNet-20 in the faster of its layouts,
weights without gradients), index, search and flat (faiss' IndexHNSWFlat with the same links and widths, and
IndexFlatL2). Each side runs in a process of its own; what is printed is a table of medians over rounds and
the ratios theirs / ours, by the clock and by processor time, which is steadier on a machine that does
other work. The answers are compared: the largest variance of pca, the recall of searches.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

QUERIES, NEAREST = 1000, 10
ROWS = {"pca": (10000, 512), "index": (21000, 64), "search": (21000, 64), "flat": (21000, 64)}


def pca(file):
    from sklearn.decomposition import PCA

    x, state = np.load(file), {}

    def run():
        state["fit"] = PCA(svd_solver="full").fit(x)

    return run, lambda: float(state["fit"].explained_variance_[0])


def attribution(integrated):
    import torch

    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/parity"))
    from networks import ResNet

    with open("/proc/self/maps") as maps:
        if "openblas" not in maps.read():
            sys.exit("PyTorch runs on the reference BLAS here; install a fast one: apt-get install libopenblas0")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    torch.manual_seed(1)
    model = ResNet().eval()
    for weight in model.parameters():
        weight.requires_grad_(False)
    target = torch.arange(64) % 10

    def gradient(at):
        at = at.detach().requires_grad_(True)
        model(at).gather(1, target[:, None]).sum().backward()
        return at.grad

    def seconds(layout):
        model.to(memory_format=layout)
        x = torch.randn(64, 3, 32, 32).contiguous(memory_format=layout)
        gradient(x)
        start = time.process_time()
        gradient(x)
        return time.process_time() - start

    layout = min((torch.channels_last, torch.contiguous_format), key=seconds)
    model.to(memory_format=layout)
    x = torch.randn(64, 3, 32, 32).contiguous(memory_format=layout)

    def path():
        nodes, weights = np.polynomial.legendre.leggauss(50)
        total = torch.zeros_like(x)
        for node, weight in zip(nodes, weights):
            total += weight / 2 * gradient((node + 1) / 2 * x)
        return total * x

    return (path if integrated else lambda: gradient(x)), lambda: 0.0


def search(file, graph, build):
    import faiss

    faiss.omp_set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    vectors = np.load(file).astype(np.float32)
    rows, asked = vectors[:-QUERIES], vectors[-QUERIES:]

    def make(with_graph):
        if not with_graph:
            index = faiss.IndexFlatL2(rows.shape[1])
        else:
            index = faiss.IndexHNSWFlat(rows.shape[1], 16)
            index.hnsw.efConstruction, index.hnsw.efSearch = 200, 64
        index.add(rows)
        return index

    truth = make(False).search(asked, NEAREST)[1]
    state = {"index": make(graph)}

    def run():
        if build:
            state["index"] = make(graph)
        else:
            state["found"] = state["index"].search(asked, NEAREST)[1]

    def recall():
        found = state["index"].search(asked, NEAREST)[1] if build else state["found"]
        return float(np.mean([len(set(a) & set(b)) / NEAREST for a, b in zip(truth, found)]))

    return run, recall


WORK = {"pca": pca, "gradient": lambda _: attribution(False), "integrated": lambda _: attribution(True),
        "index": lambda f: search(f, True, True), "search": lambda f: search(f, True, False),
        "flat": lambda f: search(f, False, False)}


def peak_mib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


def theirs(options):
    run, quality = WORK[options.case](options.file)
    run()
    clock, processor = [], []
    for _ in range(options.repetitions):
        start, cpu = time.perf_counter(), time.process_time()
        run()
        clock.append(round(1e3 * (time.perf_counter() - start), 2))
        processor.append(round(1e3 * (time.process_time() - cpu), 2))
    peak = peak_mib()
    print(json.dumps({"times_ms": clock, "cpu_ms": processor, "peak_mib": round(peak), "quality": quality()}))


def features(path, rows, width):
    """Like a layer's: Gaussian classes behind a mixing whose singular values fall, through a ReLU."""
    subprocess.run([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe_sklearn.py"),
                    "make", path, path + ".labels.npy", "--rows", str(rows), "--width", str(width)], check=True)


def compare(options):
    environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads), OPENBLAS_NUM_THREADS=str(options.threads),
                       OMP_WAIT_POLICY="passive")
    print("| case | ours, ms | theirs, ms | theirs / ours, clock | processor | peak MiB, ours and theirs | answers |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for case in options.cases or WORK:
            file = []
            if case in ROWS:
                file = [os.path.join(folder, "%dx%d.npy" % ROWS[case])]
                if not os.path.exists(file[0]):
                    features(file[0], *ROWS[case])
            sides = {"ours": [options.bench, case, *file],
                     "theirs": [sys.executable, __file__, "theirs", case, *file]}
            rounds = {side: [] for side in sides}
            for i in range(options.rounds):
                for side in sorted(sides, reverse=i % 2 == 1):
                    out = subprocess.run(sides[side], env=environment, capture_output=True, text=True)
                    if out.returncode != 0:
                        sys.exit(f"{' '.join(sides[side])} failed:\n{out.stderr}")
                    rounds[side].append(json.loads(out.stdout.splitlines()[-1]))
            median = {side: {kind: statistics.median(statistics.median(r[kind]) for r in rounds[side])
                             for kind in ("times_ms", "cpu_ms")} for side in sides}
            last = {side: rounds[side][-1] for side in sides}
            print("| {} | {:.1f} | {:.1f} | {:.2f} | {:.2f} | {}, {} | {:.5g}, {:.5g} |".format(
                case, median["ours"]["times_ms"], median["theirs"]["times_ms"],
                median["theirs"]["times_ms"] / median["ours"]["times_ms"],
                median["theirs"]["cpu_ms"] / median["ours"]["cpu_ms"], last["ours"]["peak_mib"],
                last["theirs"]["peak_mib"], last["ours"]["quality"], last["theirs"]["quality"]), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    both = commands.add_parser("compare")
    both.set_defaults(run=compare)
    both.add_argument("bench")
    both.add_argument("cases", nargs="*", metavar="case", choices=[*WORK, []])
    both.add_argument("--rounds", type=int, default=5)
    both.add_argument("--threads", type=int, default=2)
    one = commands.add_parser("theirs")
    one.set_defaults(run=theirs)
    one.add_argument("case", choices=WORK)
    one.add_argument("file", nargs="?")
    one.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
