#!/usr/bin/env bash
# What can be wrong with a machine is one clear line each: the scripts run here with programs in front of
# the real ones that say "an old compiler", "a full disk", "no network", "no such package".
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
stubs=$(mktemp -d)
trap 'rm -rf "$stubs"' EXIT
failed=0

stub() { printf '#!/bin/sh\n%s\n' "$2" >"$stubs/$1" && chmod +x "$stubs/$1"; }
# expect TEXT COMMAND...: it fails, and its last line on stderr holds TEXT.
expect() {
  local text=$1 said
  shift
  if said=$(PATH="$stubs:$PATH" "$@" 2>&1 >/dev/null); then
    echo "FAIL: '$*' did not fail"; failed=1
  elif ! tail -n 1 <<<"$said" | grep -q "^strata: .*$text"; then
    echo "FAIL: '$*' said: $said"; failed=1
  else
    echo "ok: $(tail -n 1 <<<"$said")"
  fi
  rm -f "$stubs"/*
}

installed='printf "ii "'
stub dpkg-query "$installed"
stub g++ 'case "$1" in --version) echo "g++ 11.4.0" ;; *) echo 11.4.0 ;; esac'
expect "compiler too old" "$root/script/bootstrap"

stub dpkg-query "$installed"
stub df 'printf "h\n/dev/x 1 1 12 99%% /\n"'
expect "not enough disk" "$root/script/demo"

stub dpkg-query 'exit 1'
stub apt-get 'echo "Err:1 no route to host"; exit 100'
expect "no network" "$root/script/bootstrap"

# What apt-get does without a network: it warns, and says that all is well.
stub dpkg-query 'exit 1'
stub apt-get 'echo "W: Failed to fetch http://mirror/InRelease  Temporary failure resolving"; exit 0'
stub apt-cache 'echo "  Candidate: (none)"'
expect "no network.*Temporary failure resolving" "$root/script/bootstrap"

stub dpkg-query 'exit 1'
stub apt-get 'exit 0'
stub apt-cache 'echo "  Candidate: (none)"'
expect "does not exist on this system" "$root/script/bootstrap"

# A long answer about a package that exists (a reader that leaves early once made it look missing).
stub dpkg-query 'exit 1'
stub apt-get 'exit 0'
stub apt-cache 'echo "  Candidate: 1.0"; seq 200000'
if said=$(PATH="$stubs:$PATH" "$root/script/bootstrap" 2>&1); then
  echo "ok: a package with a long entry is found"
else
  echo "FAIL: a package with a long entry: $said"; failed=1
fi
rm -f "$stubs"/*

stub dpkg-query "$installed"
expect "no compiler" env CXX=g++-of-the-future "$root/script/bootstrap"

expect "there is no tests/fuzz/gif_fuzz.cpp" "$root/script/fuzz" 1 gif
expect "usage: script/fuzz" "$root/script/fuzz" often

exit "$failed"
