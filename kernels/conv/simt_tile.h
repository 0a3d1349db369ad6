// The block's part of a product on ordinary cores: 128 threads compute a tile of 128 x 64 from
// tiles of 16 columns of K in shared memory; a thread holds 8 x 8 sums. Threads lie 16 x 8; thread
// (m, n) has rows 4m..4m+3 and 64 + 4m.., columns 4n.. and 32 + 4n.., so that a warp's reads of 16
// bytes hit each bank once and its stores are whole sectors.
#pragma once

#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {

struct SimtTile {
  static constexpr int M = 128, N = 64, K = 16, threads = 128;
};

// Elements that a thread loads at once, where the operands allow.
template <class T>
constexpr int simt_vector = sizeof(T) == 8 ? 1 : vector_width<T>;
// Whether the next tile waits in registers while this one is multiplied. 64 sums of f64 take 128
// registers and leave no room for it.
template <class T>
constexpr bool fetch_ahead = sizeof(T) < 8;

template <class A>
struct SimtShared {
  alignas(16) A a[SimtTile::K][SimtTile::M + 4];
  alignas(16) A b[SimtTile::K][SimtTile::N + 4];
};

DEVICE int simt_row(int i) { return (i / 4) * 64 + static_cast<int>(threadIdx.x / 8) * 4 + i % 4; }
DEVICE int simt_column(int j) {
  return (j / 4) * 32 + static_cast<int>(threadIdx.x % 8) * 4 + j % 4;
}

template <class A>
DEVICE void simt_multiply(const SimtShared<A>& shared, A (&sum)[8][8]) {
  constexpr int width = sizeof(A) == 8 ? 2 : 4;
#pragma unroll(sizeof(A) == 8 ? 1 : SimtTile::K)  // f64 has no registers left for reading ahead
  for (int k = 0; k < SimtTile::K; ++k) {
    A a[8], b[8];
#pragma unroll
    for (int i = 0; i < 8; i += width) {
      const Vec<A, width> va = load_vector<width>(&shared.a[k][simt_row(i)]);
      const Vec<A, width> vb = load_vector<width>(&shared.b[k][simt_column(i)]);
#pragma unroll
      for (int e = 0; e < width; ++e) a[i + e] = va[e], b[i + e] = vb[e];
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) {
#pragma unroll
      for (int j = 0; j < 8; ++j) sum[i][j] += a[i] * b[j];
    }
  }
}

// A tile of Outer x K on its way from global to shared memory: V neighbouring elements at a time,
// held in registers while the previous tile is multiplied.
template <class T, int V, int Outer, bool ContiguousK>
struct Staged {
  static constexpr int vectors = Outer * SimtTile::K / SimtTile::threads / V;
  static constexpr int line = (ContiguousK ? SimtTile::K : Outer) / V;  // vectors a line
  Vec<T, V> value[vectors];

  // Which element vector i begins with.
  static DEVICE int outer(int i) {
    const int index = static_cast<int>(threadIdx.x) + i * SimtTile::threads;
    return ContiguousK ? index / line : index % line * V;
  }
  static DEVICE int k(int i) {
    const int index = static_cast<int>(threadIdx.x) + i * SimtTile::threads;
    return ContiguousK ? index % line * V : index / line;
  }
  // Null: zeros.
  DEVICE void load(int i, const T* address) {
    if (address) {
      value[i] = load_vector<V>(address);
    } else {
#pragma unroll
      for (int e = 0; e < V; ++e) value[i][e] = T(0.0f);
    }
  }
  template <class A, int Pitch>
  DEVICE void store(A (&tile)[SimtTile::K][Pitch]) const {
#pragma unroll
    for (int i = 0; i < vectors; ++i) {
      if constexpr (!ContiguousK && V % 4 == 0) {
#pragma unroll
        for (int e = 0; e < V; e += 4) {
          Vec<A, 4> four;
#pragma unroll
          for (int j = 0; j < 4; ++j) four[j] = static_cast<A>(value[i][e + j]);
          store_vector(&tile[k(i)][outer(i) + e], four);
        }
      } else {
#pragma unroll
        for (int e = 0; e < V; ++e) {
          const A wide = static_cast<A>(value[i][e]);
          if constexpr (ContiguousK)
            tile[k(i) + e][outer(i)] = wide;
          else
            tile[k(i)][outer(i) + e] = wide;
        }
      }
    }
  }
};

}  // namespace strata::gpu::conv
