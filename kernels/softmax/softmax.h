// Softmax and log-softmax over one axis, forward and backward.
//
// x and y are dense [outer, size, inner]; the axis is the middle one (inner = 1: the last axis).
//   y = exp(x - m) / sum exp(x - m)          y = x - m - log sum exp(x - m),   m = max x
//   dx = y (dy - sum dy y)                   dx = dy - exp(y) sum dy
// One row (outer, inner) is one thread's work, so results do not depend on the thread count.
// A row of -inf only gives NaN; a NaN makes its whole row NaN.
// Cost: a row that fits in the cache is read and written once. On the GPU (rung.h) rows (inner = 1)
// are read once and written once up to 900 thousand elements of 16 bits (sm_90), else read twice.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata {

struct SoftmaxArgs {
  const void* x = nullptr;  // [outer, size, inner]
  void* y = nullptr;        // the same
  int64_t outer = 1, size = 1, inner = 1;
  DType dtype = DType::f32;  // f64, f32, bf16, f16; the last two compute in f32
  bool log = false;          // log-softmax
};

struct SoftmaxGradientArgs {
  const void* y = nullptr;   // [outer, size, inner], what the forward pass gave
  const void* dy = nullptr;  // the same
  void* dx = nullptr;        // the same
  int64_t outer = 1, size = 1, inner = 1;
  DType dtype = DType::f32;
  bool log = false;
};

namespace cpu {
void softmax(const SoftmaxArgs& args);
void softmax_gradient(const SoftmaxGradientArgs& args);
}  // namespace cpu
namespace gpu {
void softmax(const SoftmaxArgs& args);
void softmax_gradient(const SoftmaxGradientArgs& args);
}  // namespace gpu

}  // namespace strata
