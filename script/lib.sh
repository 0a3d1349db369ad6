# What the scripts share: one clear line for everything that can be wrong with a machine.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

die() {
  printf 'strata: %s\n' "$*" >&2
  exit 1
}

# need_disk MEGABYTES: refuses to start what would fill the disk.
need_disk() {
  local free
  free=$(df -Pm "$root" | awk 'NR == 2 {print $4}')
  [ "$free" -ge "$1" ] || die "not enough disk: $root has $free MB free, this needs $1 MB"
}

# need_compiler: g++ 12 or newer, or what CXX names.
need_compiler() {
  local cxx=${CXX:-g++} version
  command -v "$cxx" >/dev/null || die "no compiler: '$cxx' was not found; run script/bootstrap"
  version=$("$cxx" -dumpfullversion -dumpversion 2>/dev/null | cut -d. -f1)
  case "$("$cxx" --version | head -n 1)" in
    *clang*) [ "$version" -ge 14 ] || die "compiler too old: $cxx is clang $version, Strata needs 14 or newer" ;;
    *) [ "$version" -ge 12 ] || die "compiler too old: $cxx is version $version, Strata needs g++ 12 or newer (apt-get install g++-12, then CXX=g++-12)" ;;
  esac
}

# build PRESET TARGET...: configures once and builds what changed; the log is shown only on failure.
build() {
  local preset=$1 log="$root/build/$1.log"
  shift
  mkdir -p "$root/build" || die "cannot write to $root/build"
  if [ ! -f "$root/build/$preset/build.ninja" ]; then
    (cd "$root" && cmake --preset "$preset") >"$log" 2>&1 || {
      grep -A 3 'CMake Error' "$log" | grep -v -e 'CMake Error' -e 'Call Stack' | sed 's/^ *//' | tr '\n' ' ' >&2
      die "configuring failed; the whole log is build/$preset.log"
    }
  fi
  if [ -t 1 ]; then
    cmake --build "$root/build/$preset" --target "$@" || die "building failed"
  else
    cmake --build "$root/build/$preset" --target "$@" >"$log" 2>&1 || {
      grep -E -A 5 'error:|FAILED|undefined reference' "$log" | head -n 40 >&2
      die "building failed; the whole log is build/$preset.log"
    }
  fi
}
