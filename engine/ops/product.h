// Products. On the CPU, f32 stands on oneDNN with its primitives cached; 16-bit floats are computed
// and summed in f32 and rounded once; f64, i32 and i64 use loops of our own (integers wrap; u8 and
// bool are refused). A product of M x K by K x N costs 2 M N K operations. Results are the same for
// the same shapes, strides, thread count and machine.
#pragma once

#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

// NumPy's matmul: [..., M, K] x [..., K, N] -> [..., M, N], batches broadcast; a rank-1 operand is
// a row on the left, a column on the right. Element types promote. Transposed views are read as
// they are, without a copy. K = 0 gives zeros.
// Errors: undefined or rank-0 operands; different K; batches that do not broadcast.
Tensor matmul(const Tensor& a, const Tensor& b, Caller at = Caller::here());
// x [..., K] x weight [N, K]^T + bias [N] -> [..., N]. Bias may be undefined; it is added in the
// same pass as the product. Floating types.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              Caller at = Caller::here());
// Sums over repeated letters, as "bqhd,bkhd->bhqk"; one letter an axis, a-z and A-Z; spaces are
// skipped. Without "->" the result has the letters that occur once, in alphabetical order. Any
// number of operands, contracted from the left, each step one matmul. Diagonals ("ii") and
// ellipses are refused by name.
Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands,
              Caller at = Caller::here());
// [K] . [K] -> scalar.
Tensor dot(const Tensor& a, const Tensor& b, Caller at = Caller::here());
// [M] x [N] -> [M, N].
Tensor outer(const Tensor& a, const Tensor& b, Caller at = Caller::here());

}  // namespace strata
