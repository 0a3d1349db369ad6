#!/usr/bin/env bash
# Runs what script/gpu-bundle packed: tests, conformance, benchmarks, PyTorch's attention, training steps, in
# this order.
#   ./run.sh                        all of them
#   ./run.sh tests [NAME...]        one part; of the tests, those named
#   ./run.sh conformance
#   ./run.sh bench [OPTION...]      options of `strata bench`: --family gemm, --seconds 0.3, --rungs all, ...
#   ./run.sh attention [OPTION...]  PyTorch's attention, forward and backward, where python3 has it: --passes backward, ...
#   ./run.sh train                  training steps beside PyTorch, where python3 has it
# JOBS tests run at once (4). Everything that they say goes to ./results, or where OUT names. The status is 0 when all went well.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${OUT:-$PWD/results}
mkdir -p "$out" || exit 1
export OMP_WAIT_POLICY=passive
failed=0

# cuBLAS and cuDNN are not packed. They are looked for where the toolkit and pip install them; where there
# are none, the benchmarks say so and measure ours alone.
for folder in /usr/local/cuda*/lib64 \
  "$(python3 -c 'import nvidia, os; print(list(nvidia.__path__)[0])' 2>/dev/null)"/*/lib; do
  [ -d "$folder" ] && LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
done
export LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

machine() {
  cp "$here/commit.txt" "$out/commit.txt"
  nvidia-smi -q >"$out/nvidia-smi.txt" 2>&1 || echo "run.sh: nvidia-smi does not work; is there a driver?" >&2
}

# one_test NAME: the engine's tests are run for what they do on the gpu.
one_test() {
  local filter='*' begin=$SECONDS
  case "$1" in
    test_engine) filter='Gpu*' ;;
    test_models) filter='ModelsOnTheGpu*' ;;
    test_ops) filter='Table/Ops.Forward/*:Table/Ops.Layouts/*:Table/Ops.Gradient/*' ;;
  esac
  if STRATA_TEST_DEVICE=gpu timeout 300 "$here/bin/$1" --gtest_brief=1 --gtest_filter="$filter" \
    >"$out/$1.log" 2>&1; then
    echo "passed  $1 ($((SECONDS - begin)) s)"
  else
    echo "FAILED  $1 ($((SECONDS - begin)) s, $out/$1.log)"
    return 1
  fi
}
export -f one_test
export here out

tests() {
  [ $# -gt 0 ] || set -- $(cd "$here/bin" && ls -d test_*)
  printf '%s\n' "$@" | xargs -P "${JOBS:-4}" -I{} bash -c 'one_test {}' || failed=1
}

conformance() {
  if timeout 300 "$here/bin/strata-conformance" "$out/golden" >"$out/conformance.log" 2>&1; then
    tail -n 1 "$out/conformance.log"
  else
    echo "FAILED  conformance; the last probe named in $out/conformance.log is the one"
    failed=1
  fi
}

bench() {
  "$here/bin/strata_gpu_bench" --csv "$out/bench.csv" --page "$out/bench.html" "$@" 2>&1 |
    tee "$out/bench.log"
  [ "${PIPESTATUS[0]}" = 0 ] || failed=1
}

attention() {
  command -v python3 >/dev/null || { echo "attention: not measured, there is no python3"; return; }
  timeout 300 python3 "$here/bench/peers/attention_peer.py" --out "$out/attention-torch.jsonl" "$@" \
    2>"$out/attention-torch.err" | tee "$out/attention-torch.log"
  [ "${PIPESTATUS[0]}" = 0 ] || { echo "FAILED  attention_peer.py; $out/attention-torch.err says why"; failed=1; }
}

# ours FILE CASE: three medians, in milliseconds a step.
ours() {
  STRATA_BENCH_DEVICE=gpu "$here/bin/train_bench" --benchmark_filter="^$2/" --benchmark_min_time=0.5 \
    --benchmark_repetitions=3 --benchmark_format=json >"$out/$1.json" 2>"$out/$1.log" ||
    { echo "FAILED  train_bench $2"; failed=1; return; }
  echo "$1: $(grep -o '"real_time": [0-9.e+-]*' "$out/$1.json" | head -3 | cut -d' ' -f2 | tr '\n' ' ')"
}

# Training steps: ours in f32, ours with tf32, PyTorch as it comes (tf32 in convolutions).
train() {
  local case
  for case in convnet resnet20 mlp gpt; do
    ours "train-$case" "$case"
    STRATA_BENCH_TF32=1 ours "train-$case-tf32" "$case"
    python3 "$here/bench/peers/torch_peer.py" "$case" --device cuda --seconds 0.5 \
      2>"$out/train-$case-torch.log" | tee "$out/train-$case-torch.json"
  done
}

machine
part=${1:-all}
[ $# -gt 0 ] && shift
case "$part" in
  all) tests; conformance; bench; attention; train ;;
  tests | conformance | bench | attention | train) "$part" "$@" ;;
  *) echo "run.sh: unknown part '$part': tests, conformance, bench, attention, train" >&2; exit 2 ;;
esac
exit $failed
