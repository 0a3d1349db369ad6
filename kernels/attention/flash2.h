// What the forward and the backward kernels of FlashAttention-2 share: block sizes, the mask on a
// block of scores in registers, the online softmax of its rows, and what they take.
#pragma once

#include "kernels/attention/head.h"
#include "kernels/attention/rung.h"
#include "kernels/attention/tile.h"

namespace strata::gpu::flash2_detail {

using attention_ladder::aligned16;

inline constexpr int warps = 4, threads = 32 * warps, block_queries = 16 * warps;
template <int D>
inline constexpr int block_keys = D > 128 ? 32 : 64;
inline constexpr float log2_e = 1.4426950408889634f, ln_2 = 0.6931471805599453f;

// Hides what must not be seen in a warp's 16 x 8 N products p: of queries from `row` on with keys
// from `column` on, or, transposed, of keys from `row` on with queries from `column` on. Returns
// the factor that turns p into scores in units of log2: the scale too, unless the mask needed it
// applied.
template <class T, bool transposed = false, int N>
DEVICE float mask_block(const Head& h, float (&p)[1][N][4], int row, int column) {
  const float scale = static_cast<float>(h.shape->scale);
  const int end = h.queries - 1;
  const bool whole =
      transposed ? column + 8 * N <= h.queries && h.whole(column, column + 8 * N - 1, row, 16)
                 : h.whole(min(row, end), min(row + 15, end), column, 8 * N);
  if (scale > 0 && whole) return scale * log2_e;
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = row + lane / 4 + i / 2 * 8, c = column + 8 * n + lane % 4 * 2 + i % 2;
      p[0][n][i] = h.masked<T>(p[0][n][i] * scale, transposed ? c : r, transposed ? r : c);
    }
  return log2_e;
}

struct Shrink {
  float low, high;  // of rows g and g + 8
};

// Maximum (of all four lanes of a row, in units of log2) and sum (of this lane's columns) so far.
struct RowSoftmax {
  float largest[2], sum[2] = {0, 0};
  DEVICE RowSoftmax() { largest[0] = largest[1] = minus_infinity(); }

  // Turns scores into unnormalised probabilities; returns by what earlier sums must shrink.
  template <int N>
  DEVICE Shrink add(float (&p)[1][N][4], float factor) {
    float shrink[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float top = minus_infinity();
#pragma unroll
      for (int n = 0; n < N; ++n) top = fmaxf(top, fmaxf(p[0][n][2 * half], p[0][n][2 * half + 1]));
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
      const float before = largest[half];
      largest[half] = fmaxf(before, top * factor);
      // Nothing seen so far: any finite shift will do, and all exponentials are 0.
      const float shift = largest[half] == minus_infinity() ? 0.0f : largest[half];
      shrink[half] = exp2f(before - shift);
      float added = 0;
#pragma unroll
      for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i)
          added += p[0][n][i] = exp2f(p[0][n][i] * factor - shift);
      sum[half] = sum[half] * shrink[half] + added;
    }
    return {shrink[0], shrink[1]};
  }
  DEVICE void finish() {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 1);
      sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 2);
    }
  }
  DEVICE float inverse(int half) const { return sum[half] == 0 ? 0.0f : 1 / sum[half]; }
  DEVICE float log_sum_exp(int half) const { return largest[half] * ln_2 + __logf(sum[half]); }
};

template <int D>
DEVICE void scale_rows(WideAccumulator<D>& x, float low, float high) {
#pragma unroll
  for (int i = 0; i < D / part<D>; ++i)
#pragma unroll
    for (int n = 0; n < part<D> / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) x[i][0][n][e] *= e < 2 ? low : high;
}

// Calls f(Type<T>, constant D) with the least D that holds the head size; columns behind it are
// zero.
template <class F>
void with_size(const AttentionShape& s, F&& f) {
  auto typed = [&](auto type) {
    if (s.size <= 32)
      f(type, std::integral_constant<int, 32>{});
    else if (s.size <= 64)
      f(type, std::integral_constant<int, 64>{});
    else if (s.size <= 96)
      f(type, std::integral_constant<int, 96>{});
    else if (s.size <= 128)
      f(type, std::integral_constant<int, 128>{});
    else
      f(type, std::integral_constant<int, 256>{});
  };
  s.dtype == DType::bf16 ? typed(Type<bf16>{}) : typed(Type<f16>{});
}

inline bool supports_shape(const AttentionShape& s) {
  using namespace attention_ladder;
  return is_float16(s.dtype) && s.size % 8 == 0 && s.size <= largest_size && device().arch >= 80 &&
         rows_aligned(s.q, s.dtype) && rows_aligned(s.k, s.dtype) && rows_aligned(s.v, s.dtype);
}

}  // namespace strata::gpu::flash2_detail
