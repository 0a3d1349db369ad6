// Complexity: on how few inputs an explanation rests. attribution [N, ...] -> [N] in f64, of the
// shares p_i = |a_i| / sum |a| of each example's d numbers.
//
//   entropy    - sum p_i ln p_i, from 0 (one input) to ln d (all equal)    Bhatt et al. 2020
//   gini       1 - 2 sum_k p_(k) (d - k + 1/2) / d, p in ascending order,
//              from 0 (all equal) to 1 - 1 / d (one input)                 Chalasani et al. 2020
//
// An attribution of zeros counts as uniform. Neither says whether the inputs are the right ones.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::introspect {

Tensor entropy_complexity(const Tensor& attribution);
Tensor gini_sparseness(const Tensor& attribution);

}  // namespace strata::introspect
