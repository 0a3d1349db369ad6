// Order along an axis. Sorting is stable and NaN counts as largest, so results are determined by
// the values alone. Gradients flow to the places the values came from; -0 and 0 are equal.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

struct ValuesAndIndices {
  Tensor values;
  Tensor indices;  // i64
};

// Both in x's shape; equal elements keep their order, also when descending.
ValuesAndIndices sort(const Tensor& x, int axis = -1, bool descending = false,
                      Caller at = Caller::here());
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false, Caller at = Caller::here());
// The k largest (or smallest), in order: x's shape with k along `axis`, 0 <= k <= its size.
ValuesAndIndices topk(const Tensor& x, int64_t k, int axis = -1, bool largest = true,
                      Caller at = Caller::here());

}  // namespace strata
