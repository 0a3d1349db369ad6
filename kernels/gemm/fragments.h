// Fragments of mma (kernels/gpu/ptx/matrix.h) from tiles in shared memory, for bf16, f16 and tf32.
//
// A fragment of A is 16 rows by 32 bytes of k, that is 16 elements of 16 bits or 8 of tf32; one of
// B is 8 columns by the same. A tile whose lines run along k (Order::k) has a row's 16 bytes
// together, which is what ldmatrix reads, whatever the elements are. Lines across k (Order::mn) of
// 16-bit elements are turned by ldmatrix itself; tf32 has no such instruction and is read element
// by element.
#pragma once

#include "kernels/gemm/product.h"

namespace strata::gpu {

// Elements of k that one mma multiplies.
template <class T>
constexpr int mma_depth = 32 / sizeof(T);

// Rounds what ldmatrix brought as f32: without it the tensor core would cut off the low bits.
template <int Count>
DEVICE void round_to_tf32(uint32_t (&r)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i) r[i] = to_tf32(__uint_as_float(r[i]));
}

// Rows row .. row + 15 (a multiple of 16), step `step` along k.
template <class T, Order order, class Layout>
DEVICE void load_a(uint32_t (&r)[4], const T* tile, int row, int step) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if constexpr (order == Order::k) {
    ldmatrix<4>(r, tile + Layout::place(row + lane % 16, 2 * step + lane / 16));
  } else if constexpr (sizeof(T) == 2) {
    const int k = step * 16 + lane / 16 * 8 + lane % 8;
    ldmatrix<4, true>(r, tile + Layout::place(k, row / 8 + lane / 8 % 2));
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int k = step * 8 + lane % 4 + 4 * (i / 2), m = row + lane / 4 + 8 * (i % 2);
      r[i] = __float_as_uint(tile[Layout::place(k, m / 4) + m % 4]);
    }
  }
}

// Columns column .. column + 15 (a multiple of 16): two fragments.
template <class T, Order order, class Layout>
DEVICE void load_b(uint32_t (&left)[2], uint32_t (&right)[2], const T* tile, int column, int step) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  uint32_t r[4];
  if constexpr (order == Order::k) {
    ldmatrix<4>(r,
                tile + Layout::place(column + lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2));
  } else if constexpr (sizeof(T) == 2) {
    const int k = step * 16 + lane / 8 % 2 * 8 + lane % 8;
    ldmatrix<4, true>(r, tile + Layout::place(k, column / 8 + lane / 16));
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int k = step * 8 + lane % 4 + 4 * (i % 2), n = column + lane / 4 + 8 * (i / 2);
      r[i] = __float_as_uint(tile[Layout::place(k, n / 4) + n % 4]);
    }
  }
  left[0] = r[0], left[1] = r[1], right[0] = r[2], right[1] = r[3];
}

// sums += a b for a warp's tile of MI x NI fragments; T float: tf32.
template <class T, int MI, int NI>
DEVICE void multiply_fragments(float (&sums)[MI][NI][4], const uint32_t (&a)[MI][4],
                               const uint32_t (&b)[NI][2]) {
  if constexpr (std::is_same_v<T, float>)
    mma_tile_tf32(sums, a, b);
  else
    mma_tile<T>(sums, a, b);
}

}  // namespace strata::gpu
