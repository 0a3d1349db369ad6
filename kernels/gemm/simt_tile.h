// The inner part of f32 products on ordinary cores: what a block does with two tiles in shared
// memory.
//
// A block's tile is cut into tiles of warps, a warp's into squares of 4 x 4 elements that its lanes
// own in turn: 8 lanes down, 4 across. A warp of RowSquares x ColumnSquares = 2 x 2 covers 64 x 32:
//
//        4 columns of each of 4 lanes, twice
//      +---+---+---+---+---+---+---+---+
//      |  0|  1|  2|  3|  0|  1|  2|  3|   4 rows
//      |  4|  5|  6|  7|  4|  5|  6|  7|
//      | ...           | ...           |
//      | 28| 29| 30| 31| 28| 29| 30| 31|
//      +---+---+---+---+---+---+---+---+   and the same once more below
//
// At a step of k a warp reads 64 + 32 elements of shared memory for 64 x 32 multiply-adds; with its
// 32 lanes in a row it would read 8 + 256 for the same number.
//
// In shared memory k is down and lines are padded by a chunk of four, whatever the order in global
// memory: operands that are contiguous and aligned across k arrive by copies of 16 bytes; all
// others element by element, turned on their way. That is 16 copies a thread among 1024
// multiply-adds, and it takes any strides and addresses.
#pragma once

#include "kernels/gemm/tile_copy.h"

namespace strata::gpu {

// k down, Size elements and a pad of four across.
template <int Size, int Depth>
struct DownLayout {
  static constexpr int per_chunk = 4, lines = Depth, chunks = Size / 4, pitch = Size + 4;
  static constexpr int elements = Depth * pitch, period = 1;
  static DEVICE int place(int line, int chunk) { return line * pitch + chunk * per_chunk; }
};

// Copies tiles of f32 into DownLayout element by element, neighbouring threads along the axis of
// the smaller stride. Same use as TileCopy.
template <int Size, int Depth, int Threads>
class ElementCopy {
  static constexpr int pitch = DownLayout<Size, Depth>::pitch;
  static constexpr int count = Size * Depth / Threads;
  static_assert(Threads % Size == 0 || Size % Threads == 0);
  static_assert(Threads % Depth == 0);

 public:
  // From row (column) `first` of `limit` and from k `start` of K.
  DEVICE ElementCopy(const float* matrix, int first, int limit, int64_t mn_stride, int64_t k_stride,
                     int start, int K) {
    const int thread = static_cast<int>(threadIdx.x);
    const bool along_k = k_stride < mn_stride;
    // Thread and copy i: the place (mn, k) + i (mn_apart, k_apart).
    const int mn = along_k ? thread / Depth : thread % Size;
    const int k = along_k ? thread % Depth : thread / Size;
    mn_apart_ = along_k ? Threads / Depth : Threads < Size ? Threads : 0;
    k_apart_ = along_k || Threads < Size ? 0 : Threads / Size;
    place_ = k * pitch + mn;
    place_apart_ = k_apart_ * pitch + mn_apart_;
    source_ = matrix + (first + mn) * mn_stride + (start + k) * k_stride;
    source_apart_ = k_apart_ * k_stride + mn_apart_ * mn_stride;
    source_next_ = Depth * k_stride;
    mn_left_ = limit - first - mn;
    k_left_ = K - start - k;
  }
  DEVICE void start(float* tile) {
#pragma unroll
    for (int i = 0; i < count; ++i)
      copy_async<4>(tile + place_ + i * place_apart_, source_ + i * source_apart_,
                    i * mn_apart_ < mn_left_ && i * k_apart_ < k_left_);
    source_ += source_next_;
    k_left_ -= Depth;
  }

 private:
  const float* source_;
  int64_t source_apart_, source_next_;
  int place_, place_apart_, mn_apart_, k_apart_, mn_left_, k_left_;
};

// AVectors, BVectors: the operand is contiguous and aligned across k.
template <bool AVectors, bool BVectors, int WarpsDown, int WarpsAcross, int RowSquares,
          int ColumnSquares>
struct SimtTile {
  using Element = float;
  static constexpr int threads = 32 * WarpsDown * WarpsAcross;
  static constexpr int lanes_down = 8, lanes_across = 4, square = 4;
  static constexpr int warp_rows = lanes_down * square * RowSquares;
  static constexpr int warp_columns = lanes_across * square * ColumnSquares;
  static constexpr int rows = WarpsDown * warp_rows, columns = WarpsAcross * warp_columns;
  static constexpr int depth = 16;
  static constexpr size_t store_bytes = 0;
  using ALayout = DownLayout<rows, depth>;
  using BLayout = DownLayout<columns, depth>;

  template <bool Vectors, class Layout, int Size>
  static DEVICE auto copy(const float* matrix, int first, int limit, int64_t mn_stride,
                          int64_t k_stride, int start, int K) {
    if constexpr (Vectors)
      return TileCopy<float, Order::mn, Layout, depth, threads>(matrix, first, limit, k_stride,
                                                                start, K);
    else
      return ElementCopy<Size, depth, threads>(matrix, first, limit, mn_stride, k_stride, start, K);
  }
  static DEVICE auto copy_a(const Product<float>& p, const float* a, int row, int start) {
    return copy<AVectors, ALayout, rows>(a, row, p.M, p.a_row, p.a_column, start, p.K);
  }
  static DEVICE auto copy_b(const Product<float>& p, const float* b, int column, int start) {
    return copy<BVectors, BLayout, columns>(b, column, p.N, p.b_column, p.b_row, start, p.K);
  }

  float sums[RowSquares][square][ColumnSquares][square] = {};
  int row, column;  // of the thread's first element in the tile

  DEVICE SimtTile() {
    const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
    row = warp / WarpsAcross * warp_rows + lane / lanes_across * square;
    column = warp % WarpsAcross * warp_columns + lane % lanes_across * square;
  }

  DEVICE void multiply(const float* a_tile, const float* b_tile) {
#pragma unroll
    for (int k = 0; k < depth; ++k) {
      Vec<float, square> a[RowSquares], b[ColumnSquares];
#pragma unroll
      for (int down = 0; down < RowSquares; ++down)
        a[down] =
            load_vector<square>(a_tile + k * ALayout::pitch + row + down * lanes_down * square);
#pragma unroll
      for (int across = 0; across < ColumnSquares; ++across)
        b[across] = load_vector<square>(b_tile + k * BLayout::pitch + column +
                                        across * lanes_across * square);
#pragma unroll
      for (int down = 0; down < RowSquares; ++down)
#pragma unroll
        for (int i = 0; i < square; ++i)
#pragma unroll
          for (int across = 0; across < ColumnSquares; ++across)
#pragma unroll
            for (int j = 0; j < square; ++j) sums[down][i][across][j] += a[down][i] * b[across][j];
    }
  }

  template <class Output>
  DEVICE void store(const Output& output, float*) const {
#pragma unroll
    for (int down = 0; down < RowSquares; ++down)
#pragma unroll
      for (int i = 0; i < square; ++i)
#pragma unroll
        for (int across = 0; across < ColumnSquares; ++across)
          output(row + down * lanes_down * square + i, column + across * lanes_across * square,
                 sums[down][i][across]);
  }
};

// Calls f.operator()<A by vectors, B by vectors>() for the operands at hand.
template <class F>
void with_simt_copies(const GemmArguments& g, F&& f) {
  const bool a = a_order(g) == Order::mn, b = b_order(g) == Order::mn;
  if (a && b)
    f.template operator()<true, true>();
  else if (a)
    f.template operator()<true, false>();
  else if (b)
    f.template operator()<false, true>();
  else
    f.template operator()<false, false>();
}

}  // namespace strata::gpu
