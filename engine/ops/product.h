// Products.
#pragma once

#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

// NumPy's matmul: [..., M, K] x [..., K, N] -> [..., M, N], batches broadcast; a rank-1 operand is
// a row on the left, a column on the right. Transposed views cost nothing.
Tensor matmul(const Tensor& a, const Tensor& b, Caller at = Caller::here());
// x [..., K] x weight [N, K]^T + bias [N] -> [..., N]. Bias may be undefined.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              Caller at = Caller::here());
// Sums over repeated letters, as "bqhd,bkhd->bhqk"; up to any number of operands, contracted from
// the left; diagonals ("ii") and ellipses are refused by name.
Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands,
              Caller at = Caller::here());
Tensor dot(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor outer(const Tensor& a, const Tensor& b, Caller at = Caller::here());

}  // namespace strata
