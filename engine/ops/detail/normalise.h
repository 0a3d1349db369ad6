// What the normalisation ops share: checks, and the formulas in public ops that second derivatives
// go through.
#pragma once

#include "engine/ops/detail/kernel_inputs.h"
#include "engine/tensor/tensor.h"

namespace strata::detail {

// x must be floating and of rank `least_rank` at least.
void check_norm_input(const char* op, const Tensor& x, int least_rank, Caller at);
// A scale or shift must be undefined or floating [C].
void check_norm_parameter(const char* op, const char* name, const Tensor& parameter,
                          const Tensor& x, Caller at);

// The elements of an f64 tensor, for the kernels' arguments.
inline double* f64(const Tensor& tensor) { return static_cast<double*>(tensor.raw()); }

// z = d / sqrt(mean(d^2) + epsilon) over `axes`, d = x - mean(x) when centred and x otherwise.
struct Normalised {
  Tensor z;        // x's shape
  Tensor inverse;  // 1 / sqrt(...), the axes kept as size 1
};
Normalised normalise(const Tensor& x, const Dims& axes, double epsilon, bool centred);
// Gradient for x, given the gradient u for z: inverse (u - mean(u) - z mean(u z)), without mean(u)
// when not centred.
Tensor normalise_gradient(const Tensor& u, const Normalised& x, const Dims& axes, bool centred);

}  // namespace strata::detail
