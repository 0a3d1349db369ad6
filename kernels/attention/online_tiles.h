// What the kernels of 02_online and 02_online_backward are made of: shared memory for rows that
// stay and a tile of rows that come by, and two products between them.
#pragma once

#include "kernels/attention/head.h"
#include "kernels/attention/rung.h"

namespace strata::gpu::online_detail {

using namespace attention_detail;

inline constexpr int warps = 4, threads = 32 * warps;
template <class T>
inline constexpr int warp_rows = sizeof(T) == 8 ? 2 : 4;
template <class T>
inline constexpr int block_rows = warps* warp_rows<T>;

DEVICE float exponential(float x) { return __expf(x); }
DEVICE double exponential(double x) { return exp(x); }
DEVICE float logarithm(float x) { return __logf(x); }
DEVICE double logarithm(double x) { return log(x); }

template <class C>
DEVICE C warp_max(C x) {
  for (int flip = 16; flip > 0; flip /= 2) {
    const C other = __shfl_xor_sync(0xffffffffu, x, flip);
    x = other > x ? other : x;
  }
  return x;
}
template <class C>
DEVICE C warp_sum(C x) {
  for (int flip = 16; flip > 0; flip /= 2) x += __shfl_xor_sync(0xffffffffu, x, flip);
  return x;
}

// Shared memory and the two products. D: room for the head size; rows are filled up with zeros.
template <class T, int D>
struct Tiles {
  using C = Compute<T>;
  static constexpr int R = warp_rows<T>, columns = D / 32;
  C rows[2][block_rows<T>][D];  // rows of the block, two kinds at most
  C weights[warps][R][32];
  C tile[32][D + 1];  // a row for each lane; one more column, so that lanes hit different banks

  // count rows of at most `rows`; the rest are zeros.
  template <int Stride>
  DEVICE static void load(C (*to)[Stride], int rows, const T* from, int64_t stride, int count,
                          int size) {
    for (int i = static_cast<int>(threadIdx.x); i < rows * D; i += threads) {
      const int row = i / D, d = i % D;
      to[row][d] = row < count && d < size ? Head::widened(from[row * stride + d]) : C(0);
    }
  }
  DEVICE void load_rows(int kind, const T* from, int64_t stride, int count, int size) {
    load<D>(rows[kind], block_rows<T>, from, stride, count, size);
  }
  // Waits until the last tile has been used, loads the next and waits for it.
  DEVICE void load_tile(const T* from, int64_t stride, int count, int size) {
    __syncthreads();
    load<D + 1>(tile, 32, from, stride, count, size);
    __syncthreads();
  }
  DEVICE int warp() const { return static_cast<int>(threadIdx.x) / 32; }
  DEVICE int lane() const { return static_cast<int>(threadIdx.x) % 32; }

  DEVICE void dot(C (&sum)[R], int kind, int size) const {
#pragma unroll
    for (int r = 0; r < R; ++r) sum[r] = 0;
    constexpr int step = 16 / sizeof(C);
    for (int d = 0; d < size; d += step) {
      Vec<C, step> row[R];
#pragma unroll
      for (int r = 0; r < R; ++r) row[r] = load_vector<step>(&rows[kind][warp() * R + r][d]);
#pragma unroll
      for (int i = 0; i < step; ++i) {
        const C x = tile[lane()][d + i];
#pragma unroll
        for (int r = 0; r < R; ++r) sum[r] += row[r][i] * x;
      }
    }
  }
  // sum[r][c] += weight of lane j for row r, times column lane + 32 c of row j of the tile.
  DEVICE void add(C (&sum)[R][columns], const C (&weight)[R]) {
    __syncwarp();
#pragma unroll
    for (int r = 0; r < R; ++r) weights[warp()][r][lane()] = weight[r];
    __syncwarp();
    for (int j = 0; j < 32; ++j) {
#pragma unroll
      for (int c = 0; c < columns; ++c) {
        const C x = tile[j][lane() + 32 * c];
#pragma unroll
        for (int r = 0; r < R; ++r) sum[r][c] += weights[warp()][r][j] * x;
      }
    }
  }
  DEVICE void store(T* to, const C (&sum)[columns], C factor, int size) const {
#pragma unroll
    for (int c = 0; c < columns; ++c) {
      const int d = lane() + 32 * c;
      if (d < size) to[d] = narrowed<T>(sum[c] * factor);
    }
  }
};

// Calls f(Type<T>, constant D) with the least D that holds the head size.
template <class F>
void with_size(const AttentionShape& s, F&& f) {
  visit_float(s.dtype, [&](auto type) {
    if (s.size <= 64)
      f(type, std::integral_constant<int, 64>{});
    else if (s.size <= 128)
      f(type, std::integral_constant<int, 128>{});
    else
      f(type, std::integral_constant<int, 256>{});
  });
}

// What rung 02 takes.
template <class Args>
bool supports(const Args& args) {
  return is_float(args.shape.dtype) && args.shape.size <= attention_ladder::largest_size;
}

}  // namespace strata::gpu::online_detail
