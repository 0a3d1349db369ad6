#!/usr/bin/env bash
# The commands of kernels/README.md run, and the x-ray's page draws itself in a browser without a network:
# the roofs, the dot, and notes beside the source. Without chromium only the commands run.
set -uo pipefail
strata=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
status=0
fail() { echo "FAIL: $*"; status=1; }

commands=0
while read -r line; do
  # shellcheck disable=SC2086
  "$strata" ${line#build/default/strata } >said 2>&1 || fail "'$line' said: $(head -n 3 said)"
  commands=$((commands + 1))
done < <(grep '^build/default/strata xray' "$root/kernels/README.md")
[ "$commands" -ge 3 ] || fail "kernels/README.md shows $commands commands"
"$strata" xray gemm/99_magic >said 2>&1 && fail "an unknown kernel passed"
grep -q 'no kernel' said || fail "an unknown kernel: $(cat said)"

browser=$(command -v chromium || true)
if [ -n "$browser" ]; then
  timeout 60 "$browser" --headless --no-sandbox --disable-gpu --dump-dom "file://$folder/xray.html" >dom 2>/dev/null
  grep -q 'class="roof chosen" d="M[0-9]' dom || fail "the page draws no roof"
  grep -q 'class="dot"' dom || fail "the page draws no dot"
  grep -q 'sectors (1.00x)' dom || fail "the page has no notes beside the source"
fi
exit "$status"
