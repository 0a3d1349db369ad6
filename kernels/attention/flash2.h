// What the forward and the backward kernels of FlashAttention-2 share: block sizes and what they
// take.
#pragma once

#include "kernels/attention/head.h"
#include "kernels/attention/rung.h"
#include "kernels/attention/score_rows.h"
#include "kernels/attention/tile.h"

namespace strata::gpu::attention_detail {

using attention_ladder::aligned16;

inline constexpr int warps = 4, threads = 32 * warps, block_queries = 16 * warps;
template <int D>
inline constexpr int block_keys = D > 128 ? 32 : 64;

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
         mask_fits(s) && rows_aligned(s.q, s.dtype) && rows_aligned(s.k, s.dtype) &&
         rows_aligned(s.v, s.dtype);
}

}  // namespace strata::gpu::attention_detail
