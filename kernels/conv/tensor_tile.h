// Tiles in shared memory for tensor cores, and the fragments taken from them.
//
// A tile is made of lines of 128 bytes, eight chunks of 16: 64 elements of 16 bits or 32 of f32.
// Its contiguous axis is K ("K-major": a line is a row of A, or a column of B) or the other one
// ("outer-major": a line is one k; a tile wider than a line is several panels, one after the
// other). Chunks of a line are permuted so that what one instruction touches lies in different
// banks: cp.async writes whole lines, ldmatrix reads one chunk of eight neighbouring lines, and the
// 32-bit reads that stand in for the transposed ldmatrix, which exists for 16 bits only, touch four
// lines of k.
#pragma once

#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {

// E: bf16, f16, or float for tf32.
template <class E, bool MajorK>
struct TensorTile {
  static constexpr int chunk_elements = 16 / static_cast<int>(sizeof(E));
  static constexpr int line_elements = 8 * chunk_elements;  // also the K of a tile
  static constexpr int mma_k = sizeof(E) == 2 ? 16 : 8;
  static constexpr bool tf32_transposed = !MajorK && sizeof(E) == 4;

  static DEVICE char* chunk(char* tile, int line, int chunk) {
    const int flip = tf32_transposed ? (line & 3) << 1 : line & 7;
    return tile + line * 128 + (chunk ^ flip) * 16;
  }
  // Element (outer, k) of an outer-major tile with `line_elements` lines of k a panel.
  static DEVICE E* element(char* tile, int outer, int k) {
    const int panel = outer / line_elements, within = outer % line_elements;
    return reinterpret_cast<E*>(chunk(tile, panel * line_elements + k, within / chunk_elements)) +
           within % chunk_elements;
  }
  // The fragment of A of rows m..m+15 and columns k..k+mma_k-1.
  static DEVICE void load_a(uint32_t (&a)[4], char* tile, int m, int k) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    if constexpr (MajorK) {
      ldmatrix<4>(a, chunk(tile, m + lane % 16, k / chunk_elements + lane / 16));
    } else if constexpr (sizeof(E) == 2) {
      ldmatrix<4, true>(a, element(tile, m + lane / 8 % 2 * 8, k + lane / 16 * 8 + lane % 8));
    } else {
#pragma unroll
      for (int r = 0; r < 4; ++r)
        a[r] = __float_as_uint(*element(tile, m + lane / 4 + r % 2 * 8, k + lane % 4 + r / 2 * 4));
    }
    round(a);
  }
  // The fragments of B of columns n..n+7 and n+8..n+15.
  static DEVICE void load_b(uint32_t (&b0)[2], uint32_t (&b1)[2], char* tile, int n, int k) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    uint32_t b[4];
    if constexpr (MajorK) {
      ldmatrix<4>(b, chunk(tile, n + lane / 16 * 8 + lane % 8, k / chunk_elements + lane / 8 % 2));
    } else if constexpr (sizeof(E) == 2) {
      ldmatrix<4, true>(b, element(tile, n + lane / 16 * 8, k + lane / 8 % 2 * 8 + lane % 8));
    } else {
#pragma unroll
      for (int r = 0; r < 4; ++r)
        b[r] = __float_as_uint(*element(tile, n + lane / 4 + r / 2 * 8, k + lane % 4 + r % 2 * 4));
    }
    round(b);
    b0[0] = b[0], b0[1] = b[1], b1[0] = b[2], b1[1] = b[3];
  }

 private:
  static DEVICE void round(uint32_t (&r)[4]) {
    if constexpr (sizeof(E) == 4) {
#pragma unroll
      for (int i = 0; i < 4; ++i) r[i] = to_tf32(__uint_as_float(r[i]));
    }
  }
};

// The block's 8 warps lie 4 x 2 (N of 64) or 2 x 4 (N of 128) over a tile of 128 x N.
template <int N>
struct TensorWarps {
  static constexpr int down = N == 64 ? 4 : 2, across = 8 / down;
  static constexpr int M = 128 / down, width = N / across;  // a warp's tile
  static constexpr int MI = M / 16, NI = width / 8;
  static DEVICE int row() { return static_cast<int>(threadIdx.x) / 32 / across * M; }
  static DEVICE int column() { return static_cast<int>(threadIdx.x) / 32 % across * width; }
};

// sum += A B over one tile of K.
template <class E, bool AMajorK, bool BMajorK, int N>
DEVICE void tensor_multiply(char* a_tile, char* b_tile,
                            float (&sum)[TensorWarps<N>::MI][TensorWarps<N>::NI][4]) {
  using A = TensorTile<E, AMajorK>;
  using B = TensorTile<E, BMajorK>;
  using Warps = TensorWarps<N>;
#pragma unroll
  for (int k = 0; k < A::line_elements; k += A::mma_k) {
    uint32_t a[Warps::MI][4], b[Warps::NI][2];
#pragma unroll
    for (int i = 0; i < Warps::MI; ++i) A::load_a(a[i], a_tile, Warps::row() + i * 16, k);
#pragma unroll
    for (int j = 0; j < Warps::NI; j += 2)
      B::load_b(b[j], b[j + 1], b_tile, Warps::column() + j * 8, k);
    if constexpr (sizeof(E) == 4)
      mma_tile_tf32<Warps::MI, Warps::NI>(sum, a, b);
    else
      mma_tile<E, Warps::MI, Warps::NI>(sum, a, b);
  }
}

// The sums of a tile, laid out in shared memory as rows of floats.
template <int N>
struct StagedTile {
  static constexpr int pitch = N + 8;  // the pairs of four rows fall into different banks
  static constexpr size_t bytes = 128 * pitch * sizeof(float);
};
template <int N>
DEVICE void stage_sums(const float (&sum)[TensorWarps<N>::MI][TensorWarps<N>::NI][4],
                       float* staged) {
  using Warps = TensorWarps<N>;
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int i = 0; i < Warps::MI; ++i) {
#pragma unroll
    for (int j = 0; j < Warps::NI; ++j) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int row = Warps::row() + i * 16 + half * 8 + lane / 4,
                  column = Warps::column() + j * 8 + lane % 4 * 2;
        Vec<float, 2> pair;
        pair[0] = sum[i][j][half * 2], pair[1] = sum[i][j][half * 2 + 1];
        store_vector(staged + row * StagedTile<N>::pitch + column, pair);
      }
    }
  }
}

}  // namespace strata::gpu::conv
