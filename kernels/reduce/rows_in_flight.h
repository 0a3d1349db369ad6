// Going down rows with several loads under way, for kernels that are bound by device memory: a
// multiprocessor needs tens of KiB asked for at any time, which is more than one load of 16 bytes a
// thread. `load(at)` says what lies at an element (words of one array or several, not yet taken
// apart), and a thread's rows are `step` elements apart. No branch lies between loads: it would
// keep the second from starting before the first is there.
#pragma once

#include "kernels/gpu/gpu.h"

namespace strata::gpu {

// Calls take(at, load(at)) for each row in order, and prepare() before the first, when its loads
// are under way: what every thread of a block waits for (constants, a barrier) belongs there. The
// last loads are predicated off, so the loop has one body and no tail.
template <int depth, class Load, class Prepare, class Take>
DEVICE void walk_rows(int rows, int64_t at, int64_t step, Load load, Prepare prepare, Take take) {
  decltype(load(at)) loaded[depth];
  const auto load_group = [&] {
#pragma unroll
    for (int k = 0; k < depth; ++k)
      if (k < rows) loaded[k] = load(at + k * step);
  };
  load_group();
  prepare();
#pragma unroll 1
  while (rows > 0) {
#pragma unroll
    for (int k = 0; k < depth; ++k)
      if (k < rows) take(at + k * step, loaded[k]);
    rows -= depth;
    at += depth * step;
    load_group();
  }
}
template <int depth, class Load, class Take>
DEVICE void walk_rows(int rows, int64_t at, int64_t step, Load load, Take take) {
  walk_rows<depth>(
      rows, at, step, load, [] {}, take);
}

// Calls take_group(loaded) for each `depth` rows together, and take(loaded) for each of the rest.
template <int depth, class Load, class TakeGroup, class Take>
DEVICE void walk_groups(int rows, int64_t at, int64_t step, Load load, TakeGroup take_group,
                        Take take) {
  decltype(load(at)) loaded[depth];
#pragma unroll 1
  for (; rows >= depth; rows -= depth, at += depth * step) {
#pragma unroll
    for (int k = 0; k < depth; ++k) loaded[k] = load(at + k * step);
    take_group(loaded);
  }
#pragma unroll
  for (int k = 0; k < depth - 1; ++k)
    if (k < rows) loaded[k] = load(at + k * step);
#pragma unroll
  for (int k = 0; k < depth - 1; ++k)
    if (k < rows) take(loaded[k]);
}

}  // namespace strata::gpu
