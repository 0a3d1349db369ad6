// Order along an axis. Sorting is stable; NaN counts as largest. Gradients flow to the values.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

struct ValuesAndIndices {
  Tensor values;
  Tensor indices;  // i64
};

ValuesAndIndices sort(const Tensor& x, int axis = -1, bool descending = false,
                      Caller at = Caller::here());
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false, Caller at = Caller::here());
// The k largest (or smallest), in order.
ValuesAndIndices topk(const Tensor& x, int64_t k, int axis = -1, bool largest = true,
                      Caller at = Caller::here());

}  // namespace strata
