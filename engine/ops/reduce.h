// Reductions. `axes` empty means all of them; negative axes count from the right; keep = true
// leaves the axes that go as size 1. Any strides are read as they are, without a copy.
//
// Accuracy: floats are added in short blocks and the blocks in f64 (kernels/reduce/reduce.h), so
// the relative error of a long f32 sum stays near 1e-7; 16-bit floats accumulate in f32 and round
// once; integers and bool accumulate in i64, which is then the type of the result. The order of
// additions does not depend on the thread count.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

// 0 for no elements. Integers and bool give i64.
Tensor sum(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
// NaN for no elements. Integers and bool give f32.
Tensor mean(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
// sum (x - mean)^2 / (count - correction), in two passes, the deviations in f64 (1: Bessel's
// correction). NaN when count <= correction. Integers and bool give f32, also for norm and
// logsumexp.
Tensor var(const Tensor& x, const Dims& axes = {}, bool keep = false, double correction = 1,
           Caller at = Caller::here());
// 1 for no elements. The gradient is right where elements are 0.
Tensor prod(const Tensor& x, int axis, bool keep = false, Caller at = Caller::here());
// Largest and smallest; NaN if there is one; no elements are an error. The gradient is shared
// equally among ties.
Tensor max(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
Tensor min(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
// Index (i64) of the first largest or smallest, or of the first NaN. No gradient.
Tensor argmax(const Tensor& x, int axis, bool keep = false, Caller at = Caller::here());
Tensor argmin(const Tensor& x, int axis, bool keep = false, Caller at = Caller::here());
// log(sum(exp(x))), with the largest element taken out first; -inf where all of x is (the gradient
// is 0 there) and for no elements.
Tensor logsumexp(const Tensor& x, const Dims& axes, bool keep = false, Caller at = Caller::here());
// out[i] = x[0] + ... + x[i] along `axis`. Integers and bool give i64.
Tensor cumsum(const Tensor& x, int axis, Caller at = Caller::here());
// sqrt(sum(x^2)); gradient 0 at 0.
Tensor norm(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
// Whether any or all elements are other than 0 (NaN is): bool. Of no elements: false and true.
Tensor any(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
Tensor all(const Tensor& x, const Dims& axes = {}, bool keep = false, Caller at = Caller::here());
// Sums the axes along which `shape` was broadcast to give x's shape: the adjoint of broadcasting.
// Axes in which x itself has size 1 stay so.
Tensor sum_to(const Tensor& x, const Dims& shape, Caller at = Caller::here());

}  // namespace strata
