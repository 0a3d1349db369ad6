// How kernels whose threads own the same columns of every row hand over their sums for dscale and
// dshift: one partial a column for each block (or cluster), which sum_parameter_partials adds up.
#pragma once

#include "kernels/reduce/block_reduce.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

// A chunk of columns of each lane, so that a warp can store neighbours together.
template <int Warps, int W, class C>
struct WarpColumns {
  // Column j of lane i lies at j apart + i: no bank conflicts, written so and read as neighbours.
  static constexpr int apart = 36;
  C value[Warps][W * apart];
};

// sums[0], sums[1]: of dscale and dshift, for the chunks at first + v step that lie before `end` in
// a row of n. partial is [parts][2][n]. Where several groups share a block, they own the same
// columns, and their sums are added in order.
template <class Group, class C, int Vectors, int W>
DEVICE void write_parameter_partials(const C (&sums)[2][Vectors][W], C* partial, int64_t part,
                                     int first, int step, int end, int n) {
  constexpr int warps = Group::block_threads / 32, P = vector_width<C>;
  constexpr bool alone = Group::groups_per_block == 1;
  auto& columns = block_shared<WarpColumns<warps, W, C>>();
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int begin = first - lane * W;  // of the warp's columns
  partial += part * 2 * n;
#pragma unroll
  for (int which = 0; which < 2; ++which) {
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
#pragma unroll
      for (int j = 0; j < W; ++j) columns.value[warp][j * columns.apart + lane] = sums[which][v][j];
      __syncthreads();
      if (alone || warp == 0) {
#pragma unroll
        for (int piece = 0; piece < W / P; ++piece) {
          Chunk<C> chunk;
#pragma unroll
          for (int j = 0; j < P; ++j) {
            const int column = (piece * 32 + lane) * P + j,
                      at = column % W * columns.apart + column / W;
            chunk[j] = columns.value[warp][at];
            if (!alone)
#pragma unroll
              for (int other = 1; other < warps; ++other) chunk[j] += columns.value[other][at];
          }
          store_chunk<true>(partial + int64_t{which} * n,
                            begin + v * step + (piece * 32 + lane) * P, end, chunk);
        }
      }
      __syncthreads();
    }
  }
}

}  // namespace strata::gpu
