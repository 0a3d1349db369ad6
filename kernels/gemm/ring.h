// The loop along k of the pipelined products: a ring of tiles in shared memory, filled ahead by
// cp.async while the tile at hand is multiplied.
//
//   slot   0      1      2      3          Stages = 4: three tiles are on their way
//          multiplied   <- copied ->       while one is multiplied
//
// One barrier a step does for both directions: after it the tile at hand has arrived for everybody,
// and everybody is done with the tile before it, whose slot is filled next.
//
// `Inner` is what happens in a block's tile: it names the tile's rows, columns, depth, threads and
// how both operands are copied, and has sums, multiply(a, b) and store(output, shared memory).
#pragma once

#include "kernels/gemm/tile_copy.h"

namespace strata::gpu {

template <class Inner, int Stages>
struct Ring {
  using T = typename Inner::Element;
  static constexpr int a_elements = Inner::ALayout::elements;
  static constexpr int b_elements = Inner::BLayout::elements;
  static constexpr size_t bytes =
      std::max(Stages * (a_elements + b_elements) * sizeof(T), Inner::store_bytes);

  static DEVICE T* a(T* ring, int slot) { return ring + slot * (a_elements + b_elements); }
  static DEVICE T* b(T* ring, int slot) { return a(ring, slot) + a_elements; }
};

// Steps along k of a whole product.
template <class Inner>
DEVICE int steps_of(int K) {
  return (K + Inner::depth - 1) / Inner::depth;
}

// Adds the products of `steps` tiles, from step `first_step` on, to the sums. Nothing reads the
// ring any more when it returns.
template <class Inner, int Stages>
DEVICE void multiply_along_k(Inner& inner, const Product<typename Inner::Element>& p,
                             const Matrices<typename Inner::Element>& m, const Tile& tile,
                             int first_step, int steps, typename Inner::Element* ring) {
  using Slots = Ring<Inner, Stages>;
  auto copy_a = Inner::copy_a(p, m.a, tile.row, first_step * Inner::depth);
  auto copy_b = Inner::copy_b(p, m.b, tile.column, first_step * Inner::depth);
  auto fill = [&](int step, int slot) {
    if (step < steps) {
      copy_a.start(Slots::a(ring, slot));
      copy_b.start(Slots::b(ring, slot));
    }
    copy_commit();  // also when empty: waits count groups
  };
#pragma unroll
  for (int step = 0; step < Stages - 1; ++step) fill(step, step);
  int slot = 0, next = Stages - 1;
  for (int step = 0; step < steps; ++step) {
    copy_wait<Stages - 2>();
    __syncthreads();
    fill(step + Stages - 1, next);
    inner.multiply(Slots::a(ring, slot), Slots::b(ring, slot));
    slot = slot + 1 == Stages ? 0 : slot + 1;
    next = next + 1 == Stages ? 0 : next + 1;
  }
  __syncthreads();
}

// Where sums go: into C through the epilogue.
template <class T>
struct ToC {
  static constexpr int width = vector_width<T>;
  const Product<T>& p;
  int64_t first;
  Tile tile;
  DEVICE void operator()(int row, int column, const Sum<T> (&sums)[width]) const {
    store_sums<width>(p, first, tile.row + row, tile.column + column, sums);
  }
};

}  // namespace strata::gpu
