// Matrix products: C = A B (+ bias) (then max(0, .)), for each matrix of a batch.
//
//   C[b, i, j] = sum over k of A[b, i, k] B[b, k, j] + bias[j]
//
// Cost of one matrix: 2 M N K operations; M K + K N + M N elements moved at least. At 256^3 that is
// 43 operations a byte of f32: bound by arithmetic. With M = 1 it is half an operation a byte:
// bound by the reading of B.
//
// f32 stands on oneDNN, with its primitives cached; f64, i32 and i64 on our own blocked loops
// (kernels/gemm/loops.h). Integers wrap. f32 results are the same for the same shapes, thread count
// and machine; those of our loops do not depend on the thread count either.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata::cpu {

struct GemmArguments {
  static constexpr int max_batch_rank = 6;

  DType dtype = DType::f32;  // f32, f64, i32 or i64: of all operands
  int64_t M = 0, N = 0, K = 0;
  // Strides are in elements and may be anything; a transposed matrix is one with its two swapped.
  const void* a = nullptr;  // [batch..., M, K]
  int64_t a_row = 0, a_column = 0;
  const void* b = nullptr;  // [batch..., K, N]
  int64_t b_row = 0, b_column = 0;
  const void* bias = nullptr;  // [N], or null
  void* c = nullptr;           // [batch..., M, N] in row-major order
  bool relu = false;           // f32 and f64 only
  int batch_rank = 0;
  int64_t batch[max_batch_rank] = {};
  int64_t a_batch[max_batch_rank] = {};  // strides; 0 along an axis that is broadcast
  int64_t b_batch[max_batch_rank] = {};
};

void gemm(const GemmArguments& arguments);

}  // namespace strata::cpu
