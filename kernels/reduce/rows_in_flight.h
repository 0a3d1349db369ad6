// Going down rows with several loads under way, for kernels that are bound by device memory: a
// multiprocessor needs tens of KiB asked for at any time, which is more than one load of 16 bytes a
// thread. `load(at)` says what lies at an element (words of one array or several, not yet taken
// apart), and a thread's rows are `step` elements apart. No branch lies between loads: it would
// keep the second from starting before the first is there.
#pragma once

#include "kernels/gpu/gpu.h"

namespace strata::gpu {

// Calls take(at, load(at)) for each row in order. The last loads are predicated off, so the loop
// has one body and no tail.
template <int depth, class Load, class Take>
DEVICE void walk_rows(int rows, int64_t at, int64_t step, Load load, Take take) {
  decltype(load(at)) loaded[depth];
#pragma unroll 1
  for (; rows > 0; rows -= depth, at += depth * step) {
#pragma unroll
    for (int k = 0; k < depth; ++k)
      if (k < rows) loaded[k] = load(at + k * step);
#pragma unroll
    for (int k = 0; k < depth; ++k)
      if (k < rows) take(at + k * step, loaded[k]);
  }
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
