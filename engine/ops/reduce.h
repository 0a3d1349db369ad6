// Reductions. `axes` empty means all of them; keep = true leaves them as size 1. Sums of 16-bit
// floats accumulate in f32; integers in i64; partial sums combine in an order that does not depend
// on the thread count.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

Tensor sum(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
Tensor mean(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
// Mean squared deviation; `correction` is taken from the count (1: Bessel's).
Tensor var(const Tensor& x, const Dims& axes = {}, bool keep = false, double correction = 1,
           Caller at = Caller::here());
Tensor prod(const Tensor& x, int axis, bool keep = false, Caller at = Caller::here());
// Largest and smallest; the gradient is shared equally among ties.
Tensor max(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
Tensor min(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
// Index (i64) of the first largest or smallest.
Tensor argmax(const Tensor& x, int axis, bool keep = false, Caller at = Caller::here());
Tensor argmin(const Tensor& x, int axis, bool keep = false, Caller at = Caller::here());
Tensor logsumexp(const Tensor& x, const Dims& axes, bool keep = false, Caller at = Caller::here());
Tensor cumsum(const Tensor& x, int axis, Caller at = Caller::here());
// sqrt(sum(x^2)); gradient 0 at 0.
Tensor norm(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
Tensor any(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
Tensor all(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
// Sums the axes along which `shape` was broadcast to give x's shape: the adjoint of broadcasting.
Tensor sum_to(const Tensor& x, const Dims& shape, Caller at = Caller::here());

}  // namespace strata
