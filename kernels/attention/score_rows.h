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
  const int first_row = row + lane / 4, first_column = column + lane % 4 * 2;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int r = first_row + 8 * half;
    Interval seen = transposed ? h.queries_of(r, r) : h.keys_of(r);
    if (r >= (transposed ? h.keys : h.queries)) seen.end = 0;
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int c = first_column + 8 * n + i;
        float& score = element(p, n, 2 * half + i);
        score = c >= seen.begin && c < seen.end ? score * scale : minus_infinity();
      }
  }
  if (h.shape->mask_kind == MaskKind::none) return log2_e;
  // What leaves registers to the sums, by ptxas' word: places in the mask of this head fit 32 bits
  // (mask_fits), hidden keys read place 0 instead of branching, and beside mma.sync the warp meets
  // now and then, so that not all loads are put first.
  constexpr bool meets = std::rank_v<Scores> == 3;
  const int64_t begin = h.mask_place(0, 0);
  const int down = static_cast<int>(h.shape->mask_strides[transposed ? 3 : 2]);
  const int right = static_cast<int>(h.shape->mask_strides[transposed ? 2 : 3]);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    int place = (first_row + 8 * half) * down + first_column * right;
#pragma unroll
    for (int n = 0; n < N; ++n, place += 8 * right) {
      if (meets && n % 4 == 3) __syncwarp();
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& score = element(p, n, 2 * half + i);
        const bool seen = score != minus_infinity();
        const float masked = h.with_mask<T>(score, begin + (seen ? place + i * right : 0));
        score = seen ? masked : score;
      }
    }
  }
  return log2_e;
}

inline bool mask_fits(const AttentionShape& s) {
  constexpr int64_t most = int64_t{1} << 31;
  return s.mask_kind == MaskKind::none ||
         (s.queries + 64) * s.mask_strides[2] + (s.keys + 128) * s.mask_strides[3] < most;
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
