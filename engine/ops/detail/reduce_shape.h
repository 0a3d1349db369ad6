// What reductions share: the shape of the result, and the call of the kernel.
#pragma once

#include "engine/tensor/tensor.h"
#include "kernels/reduce/reduce.h"

namespace strata::detail {

struct ReducedShape {
  uint32_t axes = 0;  // bit i: axis i goes
  int64_t count = 1;  // terms of one result
  Dims kept;          // the axes that go as size 1
  Dims shape;         // of the result
};
// Also refuses an undefined x.
ReducedShape reduced_shape(const char* op, const Tensor& x, const Dims& axes, bool keep, Caller at);

// Runs the kernel into a new tensor; `shift` holds one value a result, or is undefined.
Tensor run_reduction(cpu::ReduceKind kind, const char* op, const Tensor& x,
                     const ReducedShape& reduced, DType dtype, double divisor, const Tensor& shift,
                     Caller at);

// The kernel's view of x; `out` is row-major.
cpu::ReduceArgs reduce_args(const Tensor& x, const Tensor& out);

}  // namespace strata::detail
