// What ops that hand pointers to kernels share: checks, and inputs in the form kernels read.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::detail {

// x must be defined and of a floating type.
void check_floating(const char* op, const char* name, const Tensor& x, Caller at);
// f64 for f64, f32 for the others: the type kernels compute in, and the type of statistics.
DType compute_type(DType dtype);
// The type that products, convolutions and attention are handed: on the gpu the 16-bit floats as
// they are, which tensor cores multiply with sums in f32; elsewhere the compute type.
DType product_type(DType dtype, Device device);
// The values in row-major order and of the type given, outside the graph. Undefined stays so.
Tensor dense(const Tensor& tensor, DType dtype);
// The data, or null when undefined.
inline void* raw_or_null(const Tensor& tensor) { return tensor.defined() ? tensor.raw() : nullptr; }

}  // namespace strata::detail
