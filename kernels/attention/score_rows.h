// A warp's 16 rows of scores in registers, as tensor cores leave them (tile.h): the mask on them
// and the online softmax of them. A row is spread over four lanes.
#pragma once

#include "kernels/attention/head.h"

namespace strata::gpu::attention_detail {

inline constexpr float log2_e = 1.4426950408889634f, ln_2 = 0.6931471805599453f;

// Element i of columns 8 n to 8 n + 7, of scores as mma_tile and as wgmma want them.
template <int N>
DEVICE float& element(float (&p)[1][N][4], int n, int i) {
  return p[0][n][i];
}
template <int Elements>
DEVICE float& element(float (&p)[Elements], int n, int i) {
  return p[4 * n + i];
}
template <class Scores>
constexpr int blocks_of_8 = sizeof(Scores) / 16;

// Hides what must not be seen in a warp's 16 x 8 N products p: of queries from `row` on with keys
// from `column` on, or, transposed, of keys from `row` on with queries from `column` on. Returns
// the factor that turns p into scores in units of log2: the scale too, unless the mask needed it
// applied.
template <class T, bool transposed = false, class Scores>
DEVICE float mask_block(const Head& h, Scores& p, int row, int column) {
  constexpr int N = blocks_of_8<Scores>;
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
      element(p, n, i) =
          h.masked<T>(element(p, n, i) * scale, transposed ? c : r, transposed ? r : c);
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
  template <class Scores>
  DEVICE Shrink add(Scores& p, float factor) {
    constexpr int N = blocks_of_8<Scores>;
    float shrink[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float top = minus_infinity();
#pragma unroll
      for (int n = 0; n < N; ++n)
        top = fmaxf(top, fmaxf(element(p, n, 2 * half), element(p, n, 2 * half + 1)));
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
          added += element(p, n, i) = exp2f(element(p, n, i) * factor - shift);
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

}  // namespace strata::gpu::attention_detail
