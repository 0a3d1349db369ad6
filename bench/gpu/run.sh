#!/usr/bin/env bash
# Runs what script/gpu-bundle packed: kernel tests, conformance, benchmarks, in this order.
#   ./run.sh                        all of them
#   ./run.sh tests                  one part
#   ./run.sh conformance
#   ./run.sh bench [OPTION...]      options of `strata bench`: --family gemm, --seconds 0.3, --rungs, ...
# Everything that they say goes to ./results, or where OUT names. The status is 0 when all went well.
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
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}

machine() {
  cp "$here/commit.txt" "$out/commit.txt"
  nvidia-smi -q >"$out/nvidia-smi.txt" 2>&1 || echo "run.sh: nvidia-smi does not work; is there a driver?" >&2
}

tests() {
  local test name
  for test in "$here"/bin/test_kernels_*; do
    name=$(basename "$test")
    if timeout 600 "$test" --gtest_brief=1 >"$out/$name.log" 2>&1; then
      echo "passed  $name"
    else
      echo "FAILED  $name ($out/$name.log)"
      failed=1
    fi
  done
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

machine
part=${1:-all}
[ $# -gt 0 ] && shift
case "$part" in
  all) tests; conformance; bench ;;
  tests | conformance) "$part" ;;
  bench) bench "$@" ;;
  *) echo "run.sh: unknown part '$part': tests, conformance, bench" >&2; exit 2 ;;
esac
exit $failed
