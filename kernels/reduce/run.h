// The sum of a run of neighbouring elements by `threads` threads: each takes 16-byte chunks, with
// one running Lane a place in the chunk, so that W independent sums overlap, and eight chunks under
// way (four, where Lanes take two registers). The few elements before the first 16-byte boundary
// and behind the last are taken one a thread.
#pragma once

#include "kernels/reduce/columns.h"
#include "kernels/reduce/walk.h"

namespace strata::gpu {

// What thread `rank` of `threads` (32 at least) has of the total of x[0, n).
template <class Op>
DEVICE typename Op::Total reduce_run(const Op& op, const typename Op::Element* x, int n,
                                     typename Op::Shift shift, int rank, int threads) {
  using T = typename Op::Element;
  using Total = typename Op::Total;
  constexpr int W = vector_width<T>, depth = 32;  // terms of a Lane
  const int lead = (W - phase_of(x)) % W, head = lead < n ? lead : n;
  const int chunks = (n - head) / W, tail = head + chunks * W;
  Blocks<Op> ends(op);
  if (rank < head) ends.add(op, op.load(x[rank], shift));
  if (tail + rank < n) ends.add(op, op.load(x[tail + rank], shift));
  ends.flush(op);
  Total total = ends.total;
  for (int begin = rank; begin < chunks; begin += depth * threads) {
    const int until = chunks - begin > depth * threads ? begin + depth * threads : chunks;
    typename Op::Lane lanes[W];
#pragma unroll
    for (int j = 0; j < W; ++j) lanes[j] = op.identity();
    for_each_row<W, T, sizeof(typename Op::Lane) == 8 ? 4 : 8>(
        begin, until, threads, [&](int c) { return x + head + c * W; },
        [&](int, const T(&terms)[W]) {
#pragma unroll
          for (int j = 0; j < W; ++j) lanes[j] = op.step(lanes[j], op.load(terms[j], shift));
        });
#pragma unroll
    for (int j = 0; j < W; ++j) total = typename Op::Merge{}(total, static_cast<Total>(lanes[j]));
  }
  return total;
}

}  // namespace strata::gpu
