// The sum of a run of neighbouring elements by the threads of a group: each takes 16-byte chunks,
// with one running Lane a place in the chunk, so that W independent sums overlap.
#pragma once

#include "kernels/reduce/walk.h"

namespace strata::gpu {

// x[0, n) by the threads of Group; what this thread has of the total.
template <class Group, class Op>
DEVICE typename Op::Total reduce_run(const Op& op, const typename Op::Element* x, int n,
                                     typename Op::Shift shift) {
  using Total = typename Op::Total;
  constexpr int W = vector_width<typename Op::Element>, depth = 32;
  const int step = Group::threads() * W;
  Total total = static_cast<Total>(op.identity());
  int at = Group::rank() * W - phase_of(x);
  while (at < n) {
    typename Op::Lane lanes[W];
#pragma unroll
    for (int j = 0; j < W; ++j) lanes[j] = op.identity();
#pragma unroll 2
    for (int k = 0; k < depth && at < n; ++k, at += step) {
      const auto chunk = load_chunk(x, at, n, typename Op::Element());
#pragma unroll
      for (int j = 0; j < W; ++j)
        if (inside(at + j, n)) lanes[j] = op.step(lanes[j], op.load(chunk[j], shift));
    }
#pragma unroll
    for (int j = 0; j < W; ++j) total = typename Op::Merge{}(total, static_cast<Total>(lanes[j]));
  }
  return total;
}

}  // namespace strata::gpu
