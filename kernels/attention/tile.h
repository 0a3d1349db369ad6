// Tiles of 16-bit elements in shared memory and the products of a warp with them, by mma.sync: what
// the FlashAttention-2 rungs are made of.
//
// A warp owns 16 rows of each product. Let g = lane / 4 and t = lane % 4; of a 16 x N accumulator,
// x[n][0], x[n][1] are row g, columns 8n + 2t, 8n + 2t + 1, and x[n][2], x[n][3] the same of row
// g + 8. That is also how the left operand of the next product wants it, so a block of
// probabilities goes from one product to the next in registers.
#pragma once

#include "kernels/gpu/gpu.h"

namespace strata::gpu::attention_detail {

template <int N>
using Accumulator = float[1][N / 8][4];

// Rows of D elements, in chunks of 16 bytes. A chunk's place is permuted by its row among its
// neighbours, so that the same chunk of eight rows lies in eight different groups of banks:
// ldmatrix and 16-byte stores have no conflicts.
template <class T, int D>
struct Tile {
  static_assert(D % 32 == 0);
  static constexpr int chunks = D / 8, neighbours = D % 64 == 0 ? 8 : 4;

  DEVICE static int flip(int row) { return neighbours == 8 ? row & 7 : row >> 1 & 3; }
  DEVICE static int place(int row, int chunk) { return row * D + (chunk ^ flip(row)) * 8; }
  // Of chunk 2 k + odd. k is known to the compiler, which leaves one exclusive or of the address.
  DEVICE static int place(int row, int odd, int k) {
    return row * D + 2 * k / neighbours * neighbours * 8 +
           (2 * k % neighbours ^ odd ^ flip(row)) * 8;
  }
  // Starts to copy `Rows` rows; what lies behind `count` rows or `size` columns is zero.
  template <int Rows, int Threads>
  DEVICE static void load(T* tile, const T* from, int64_t stride, int count, int size) {
#pragma unroll 1
    for (int i = 0; i < Rows * chunks / Threads; ++i) {
      const int index = i * Threads + static_cast<int>(threadIdx.x) % Threads;
      const int row = index / chunks, chunk = index % chunks;
      const bool valid = row < count && chunk * 8 < size;
      copy_async<16>(tile + place(row, chunk), valid ? from + row * stride + chunk * 8 : from,
                     valid);
    }
    static_assert(Rows * chunks % Threads == 0);
  }
  // Rows `row` to row + 15, columns 16 k to 16 k + 15, as a left operand.
  DEVICE static void left(uint32_t (&a)[4], const T* tile, int row, int k) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    ldmatrix<4>(a, tile + place(row + lane % 16, lane / 16, k));
  }
  // Rows `row` to row + 15 as two blocks of columns of a right operand, depth 16 k to 16 k + 15:
  // the tile is used transposed.
  DEVICE static void right_rows(uint32_t (&b)[4], const T* tile, int row, int k) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    ldmatrix<4>(b, tile + place(row + lane % 8 + lane / 16 * 8, lane / 8 % 2, k));
  }
  // Columns 16 n to 16 n + 15 as two blocks of columns, depth `row` to row + 15.
  DEVICE static void right(uint32_t (&b)[4], const T* tile, int row, int n) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    ldmatrix<4, true>(b, tile + place(row + lane % 16, lane / 16, n));
  }
};

// x += rows a_row.. of a, times the first N rows of b transposed: dot products of rows, over D.
template <class T, int D, int N>
DEVICE void add_row_products(Accumulator<N>& x, const T* a, int a_row, const T* b) {
#pragma unroll
  for (int k = 0; k < D / 16; ++k) {
    uint32_t left[1][4], right[N / 8][2];
    Tile<T, D>::left(left[0], a, a_row, k);
#pragma unroll
    for (int n = 0; n < N / 16; ++n) {
      uint32_t pair[4];
      Tile<T, D>::right_rows(pair, b, 16 * n, k);
      right[2 * n][0] = pair[0];
      right[2 * n][1] = pair[1];
      right[2 * n + 1][0] = pair[2];
      right[2 * n + 1][1] = pair[3];
    }
    mma_tile<T, 1, N / 8>(x, left, right);
  }
}

// The columns of an accumulator over D are taken in parts, so that few fragments are alive at once.
template <int D>
constexpr int part = D % 64 == 0 ? 64 : 32;
template <int D>
using WideAccumulator = Accumulator<part<D>>[D / part<D>];

// x += p times b, where p [16, N] is rounded to T and b has N rows of D.
template <class T, int D, int N>
DEVICE void add_product(WideAccumulator<D>& x, const Accumulator<N>& p, const T* b) {
#pragma unroll
  for (int k = 0; k < N / 16; ++k) {
    const uint32_t left[1][4] = {{pack<T>(p[0][2 * k][0], p[0][2 * k][1]),
                                  pack<T>(p[0][2 * k][2], p[0][2 * k][3]),
                                  pack<T>(p[0][2 * k + 1][0], p[0][2 * k + 1][1]),
                                  pack<T>(p[0][2 * k + 1][2], p[0][2 * k + 1][3])}};
#pragma unroll
    for (int i = 0; i < D / part<D>; ++i) {
      uint32_t right[part<D> / 8][2];
#pragma unroll
      for (int n = 0; n < part<D> / 16; ++n) {
        uint32_t pair[4];
        Tile<T, D>::right(pair, b, 16 * k, i * part<D> / 16 + n);
        right[2 * n][0] = pair[0];
        right[2 * n][1] = pair[1];
        right[2 * n + 1][0] = pair[2];
        right[2 * n + 1][1] = pair[3];
      }
      mma_tile<T, 1, part<D> / 8>(x[i], left, right);
    }
  }
}

// Rows of a wide accumulator times a factor each, to global memory: by way of rows row.. of a tile
// that only this warp uses, so that 16 bytes move at once. count: rows that exist.
template <class T, int D>
DEVICE void store_rows(T* to, int64_t stride, int count, int size, T* tile, int row,
                       const WideAccumulator<D>& x, float low, float high) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  __syncwarp();
#pragma unroll
  for (int i = 0; i < D / part<D>; ++i)
#pragma unroll
    for (int n = 0; n < part<D> / 8; ++n)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float factor = half ? high : low;
        const float* pair = &x[i][0][n][2 * half];
        T* place = tile + Tile<T, D>::place(row + lane / 4 + 8 * half, i * part<D> / 8 + n);
        *reinterpret_cast<uint32_t*>(place + lane % 4 * 2) =
            pack<T>(pair[0] * factor, pair[1] * factor);
      }
  __syncwarp();
  for (int i = lane; i < 16 * Tile<T, D>::chunks; i += 32) {
    const int r = i / Tile<T, D>::chunks, chunk = i % Tile<T, D>::chunks;
    if (r < count && chunk * 8 < size)
      store_vector(to + r * stride + chunk * 8,
                   load_vector<8>(tile + Tile<T, D>::place(row + r, chunk)));
  }
}

}  // namespace strata::gpu::attention_detail
