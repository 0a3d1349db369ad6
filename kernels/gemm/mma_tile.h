// The inner part of products on the tensor cores of a warp: what a block does with two tiles in
// shared memory.
//
// A warp owns 16 MI x 8 NI elements. A step along k (32 bytes) costs it MI + NI / 2 reads of
// fragments and MI NI mma: the larger the warp's tile, the more mma a byte of shared memory.
// Fragments of the next step are read while this one multiplies.
//
// Lines of a tile hold 64 bytes of k (Order::k) or all rows of one k (Order::mn). ldmatrix reads 16
// bytes of eight lines at once, which begin in two of the eight places of 16 bytes that the banks
// make up, or in one. So chunk c of line l lies at place c ^ permute(l):
//
//   Order::k              chunk    0 1 2 3
//     lines 0, 1                   0 1 2 3
//     lines 2, 3                   1 0 3 2      permute(l) = l / 2 % 4
//     lines 4, 5                   2 3 0 1
//     lines 6, 7                   3 2 1 0
//   Order::mn             permute(l) = l % 8, and for tf32, of which lanes read four lines of two
//                         chunks each, 2 (l % 4)
//
// Eight reads fall into eight places, with no byte spent on padding.
#pragma once

#include "kernels/gemm/fragments.h"
#include "kernels/gemm/tile_copy.h"

namespace strata::gpu {

template <class T, Order order, int Size, int Depth>
struct PermutedLayout {
  static constexpr int per_chunk = vector_width<T>;
  static constexpr int lines = order == Order::k ? Size : Depth;
  static constexpr int pitch = order == Order::k ? Depth : Size;
  static constexpr int chunks = pitch / per_chunk, elements = lines * pitch;
  static constexpr int period = order == Order::mn && sizeof(T) == 4 ? 4 : 8;
  static_assert(order == Order::mn ? chunks % 8 == 0 : chunks == 4);

  static DEVICE int permute(int line) {
    if constexpr (order == Order::k) return line / 2 % 4;
    return sizeof(T) == 4 ? line % 4 * 2 : line % 8;
  }
  // Where a chunk begins, in elements.
  static DEVICE int place(int line, int chunk) {
    return line * pitch + (chunk ^ permute(line)) * per_chunk;
  }
};

template <class T, Order a_order, Order b_order, int WarpsDown, int WarpsAcross, int MI, int NI>
struct MmaTile {
  using Element = T;
  static constexpr int warps = WarpsDown * WarpsAcross, threads = 32 * warps;
  static constexpr int warp_rows = 16 * MI, warp_columns = 8 * NI;
  static constexpr int rows = WarpsDown * warp_rows, columns = WarpsAcross * warp_columns;
  static constexpr int depth = 64 / sizeof(T), steps = depth / mma_depth<T>;
  using ALayout = PermutedLayout<T, a_order, rows, depth>;
  using BLayout = PermutedLayout<T, b_order, columns, depth>;
  // For the way of the sums to C: 16 rows of each warp; the pad spreads them over the banks.
  static constexpr int slab_pitch = warp_columns + 8, slab = 16 * slab_pitch;
  static constexpr size_t store_bytes = warps * slab * sizeof(float);

  static DEVICE auto copy_a(const Product<T>& p, const T* a, int row, int start) {
    return TileCopy<T, a_order, ALayout, depth, threads>(
        a, row, p.M, a_order == Order::k ? p.a_row : p.a_column, start, p.K);
  }
  static DEVICE auto copy_b(const Product<T>& p, const T* b, int column, int start) {
    return TileCopy<T, b_order, BLayout, depth, threads>(
        b, column, p.N, b_order == Order::k ? p.b_column : p.b_row, start, p.K);
  }

  struct Fragments {
    uint32_t a[MI][4], b[NI][2];
  };
  float sums[MI][NI][4] = {};
  int warp, lane, row, column;  // row and column of the warp's first element in the tile

  DEVICE MmaTile() {
    warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    row = warp / WarpsAcross * warp_rows, column = warp % WarpsAcross * warp_columns;
  }

  DEVICE void load(Fragments& f, const T* a_tile, const T* b_tile, int step) const {
#pragma unroll
    for (int i = 0; i < MI; ++i) load_a<T, a_order, ALayout>(f.a[i], a_tile, row + 16 * i, step);
#pragma unroll
    for (int j = 0; j < NI; j += 2)
      load_b<T, b_order, BLayout>(f.b[j], f.b[j + 1], b_tile, column + 8 * j, step);
    if constexpr (std::is_same_v<T, float>) {
#pragma unroll
      for (int i = 0; i < MI; ++i) round_to_tf32(f.a[i]);
#pragma unroll
      for (int j = 0; j < NI; ++j) round_to_tf32(f.b[j]);
    }
  }
  DEVICE void multiply(const T* a_tile, const T* b_tile) {
    Fragments fragments[2];
    load(fragments[0], a_tile, b_tile, 0);
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      if (step + 1 < steps) load(fragments[(step + 1) % 2], a_tile, b_tile, step + 1);
      multiply_fragments<T>(sums, fragments[step % 2].a, fragments[step % 2].b);
    }
  }

  // The lanes of a warp hold two neighbours of eight rows each. Through shared memory they become
  // whole rows, which are written in vectors.
  template <class Output>
  DEVICE void store(const Output& output, T* shared) const {
    constexpr int width = Output::width, per_row = warp_columns / width;
    float* rows_of_warp = reinterpret_cast<float*>(shared) + warp * slab;
#pragma unroll
    for (int i = 0; i < MI; ++i) {
#pragma unroll
      for (int j = 0; j < NI; ++j)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          Vec<float, 2> pair;
          pair[0] = sums[i][j][2 * half], pair[1] = sums[i][j][2 * half + 1];
          store_vector(rows_of_warp + (lane / 4 + 8 * half) * slab_pitch + 8 * j + lane % 4 * 2,
                       pair);
        }
      __syncwarp();
#pragma unroll 1
      for (int index = lane; index < 16 * per_row; index += 32) {
        const int at_row = index / per_row, at_column = index % per_row * width;
        float values[width];
#pragma unroll
        for (int v = 0; v < width; v += 4) {
          const Vec<float, 4> four =
              load_vector<4>(rows_of_warp + at_row * slab_pitch + at_column + v);
#pragma unroll
          for (int e = 0; e < 4; ++e) values[v + e] = four[e];
        }
        output(row + 16 * i + at_row, column + at_column, values);
      }
      __syncwarp();
    }
  }
};

}  // namespace strata::gpu
