#!/usr/bin/env bash
# The learner's path of kernels/README.md: stop in a kernel in one thread, look around, step. Skipped (77)
# where there is no gdb.
set -uo pipefail
program=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
command -v gdb >/dev/null || { echo "skipped: there is no gdb"; exit 77; }
line=$(grep -n 'sum += shared.a' "$root/kernels/gemm/03_shared_tile.cu" | cut -d: -f1)
grep -q "break 03_shared_tile.cu:$line if" "$root/kernels/README.md" || { echo "FAIL: the line moved to $line; kernels/README.md names another"; exit 1; }
said=$(gdb -batch -nx -x "$root/script/strata_gdb.py" \
  -ex "break 03_shared_tile.cu:$line if threadIdx.x == 5 && threadIdx.y == 2 && k == 3" \
  -ex run -ex 'print threadIdx' -ex 'print shared.a[2][3]' -ex 'print sum' -ex strata-threads \
  -ex 'strata-thread 0' -ex next -ex next -ex 'print threadIdx' -ex delete -ex continue "$program" 2>&1)
status=0
expect() { grep -qE -- "$1" <<<"$said" || { echo "FAIL: gdb did not say '$1'"; status=1; }; }
expect 'hit Breakpoint 1.*gemm_shared_tile_kernel|Breakpoint 1.*gemm_shared_tile_kernel'
expect '\{x = 5, y = 2, z = 0\}'
expect 'waits in __syncthreads at 03_shared_tile.cu:'
expect 'runs here: 69'   # 2 x 32 + 5
expect '#[0-9]+ .*gemm_shared_tile_kernel'
expect 'C\[2, 5\] = '
[ "$status" -eq 0 ] || echo "$said"
exit "$status"
