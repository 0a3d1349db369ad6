// Scaled dot-product attention (Vaswani et al. 2017): softmax(q k^T scale + mask) v for each head,
// without keeping the scores.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

struct AttentionOptions {
  bool causal = false;  // query t sees keys up to t + (S - T)
  double scale = 0;     // 0: 1 / sqrt(D)
};
// q [N, T, heads, D], k and v [N, S, key heads, D] -> [N, T, heads, D]; heads is a multiple of key
// heads (grouped-query). mask: bool (true: may be seen) or a float added to the scores, broadcast
// to [N, heads, T, S]. A query that may see nothing gives zeros. Operands are floating and may be
// views with any strides (parts of one projection are read in place when D is dense).
//
// Memory is linear in T and S, forward and backward, unless a float mask wants a gradient, or the
// gradient a graph of its own: those work out all scores.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options = {}, const Tensor& mask = {},
                                    Caller at = Caller::here());
// The two halves of it, with every score kept; the same result up to rounding.
// Shares of each key in each query, softmax(q k^T scale + mask): [N, heads, T, S], rows sum to 1
// (to 0 where a query may see nothing). Operands and errors as above.
Tensor attention_pattern(const Tensor& q, const Tensor& k, const AttentionOptions& options = {},
                         const Tensor& mask = {}, Caller at = Caller::here());
// sum over s of pattern[n, h, t, s] v[n, s, h, d]: pattern [N, heads, T, S], v [N, S, key heads, D]
// -> [N, T, heads, D].
Tensor attention_mix(const Tensor& pattern, const Tensor& v, Caller at = Caller::here());

}  // namespace strata
