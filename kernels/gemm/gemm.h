// Matrix products: C = A B for each matrix of a batch, and what is done to the sums before they are
// stored.
//
//   S[b, i, j] = sum over k of A[b, i, k] B[b, k, j];   C = epilogue(S)
//
// Cost of one matrix: 2 M N K operations; M K + K N + M N elements moved at least. At 256^3 that is
// 43 operations a byte of f32: bound by arithmetic. With M = 1 it is half an operation a byte:
// bound by the reading of B.
//
// On the CPU f32 stands on oneDNN, with its primitives cached; it reads B as it is, or in the
// layout it likes best where B stays the same from call to call (`packed_b`: 0.4 to 0.9 of the
// time at 4 to 64 rows; fewer are bound by the reading of B, more by arithmetic). f64, i32 and
// i64 on our own blocked loops (kernels/gemm/loops.h). f32 results are the same for the same
// shapes, thread count and machine; those of our loops do not depend on the thread count either. On
// the GPU all is our own (kernels/gemm/README.md): every sum has a fixed order, so results are the
// same for the same shapes, alignment and device. The 16-bit floats are summed in f32. Integers
// wrap.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata {

class PackedWeight;  // kernels/dnnl/packed_weight.h

enum class Activation : uint8_t { none, relu, gelu, gelu_tanh };

// What becomes of a sum s at row i and column j of a matrix. With p = alpha s + bias[j]:
//
//   C = activation(p) + beta residual                       p is stored to `preactivation`, if any
//   C = p activation'(preactivation) + beta residual        if `gradient`
//
// in the type of the sums (f32 for the 16-bit floats), rounded once. gelu is x Phi(x), gelu_tanh
// its approximation (Hendrycks and Gimpel 2016); the derivative of relu at 0 is 0. Integers know no
// activation; their alpha and beta are whole numbers.
struct Epilogue {
  double alpha = 1;
  const void* bias = nullptr;  // [N], or null
  Activation activation = Activation::none;
  bool gradient = false;
  void* preactivation = nullptr;   // [batch..., M, N] in row-major order, or null
  const void* residual = nullptr;  // likewise; may be c itself, to add to what is there
  double beta = 1;
};

struct GemmArguments {
  static constexpr int max_batch_rank = 6;

  DType dtype = DType::f32;  // f32, f64, i32 or i64, on the GPU also bf16 and f16: of all operands
  // f32 on the GPU: may round the operands to tf32 (10 bits of mantissa), for the tensor cores.
  bool allow_tf32 = false;
  int64_t M = 0, N = 0, K = 0;
  // Strides are in elements and may be anything; a transposed matrix is one with its two swapped.
  const void* a = nullptr;  // [batch..., M, K]
  int64_t a_row = 0, a_column = 0;
  const void* b = nullptr;  // [batch..., K, N]
  int64_t b_row = 0, b_column = 0;
  // On the CPU: where b may be kept in another layout between calls, or null.
  PackedWeight* packed_b = nullptr;
  void* c = nullptr;  // [batch..., M, N] in row-major order
  Epilogue epilogue;
  int batch_rank = 0;
  int64_t batch[max_batch_rank] = {};
  int64_t a_batch[max_batch_rank] = {};  // strides; 0 along an axis that is broadcast
  int64_t b_batch[max_batch_rank] = {};
};

int64_t batch_count(const GemmArguments& arguments);

// The same product with fewer axes: batch axes that a and b both step through evenly become one;
// those of size 1 go; and when b is the same for all of the innermost one and a's rows run on, it
// becomes rows. Strides along axes of size 1, which mean nothing, are those of a row-major matrix.
GemmArguments simplify(const GemmArguments& arguments);

namespace cpu {
// Refuses bf16 and f16 (std::invalid_argument): the engine computes them in f32.
void gemm(const GemmArguments& arguments);
}  // namespace cpu
namespace gpu {
// The same on the device, in current_stream(); all pointers are device memory. Throws gpu::Error
// for what no rung does.
void gemm(const GemmArguments& arguments);
}  // namespace gpu

}  // namespace strata
