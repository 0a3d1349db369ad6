// Sums and what is made of sums: mean, var, norm, logsumexp. The kernels read strided input as it
// is; the gradient of a sum is its own gradient, broadcast back by the engine.
#include "engine/ops/reduce.h"

#include <algorithm>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/detail/reduce_shape.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/view.h"

namespace strata {

using cpu::ReduceKind;
using detail::reduced_shape;
using detail::ReducedShape;
using detail::run_reduction;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Integers and bool as f32, for ops that only make sense for real numbers.
Tensor as_float(const Tensor& x, Caller at) {
  return x.defined() && !is_float(x.dtype()) ? to_dtype(x, DType::f32, at) : x;
}

}  // namespace

Tensor sum(const Tensor& x, const Dims& axes, bool keep, Caller at) {
  ReducedShape reduced = reduced_shape("sum", x, axes, keep, at);
  DType dtype = is_float(x.dtype()) ? x.dtype() : DType::i64;
  Tensor out = run_reduction(ReduceKind::sum, "sum", x, reduced, dtype, 1.0, {}, at);
  return record(std::move(out), "sum", at, {x}, {},
                [kept = reduced.kept, at](const Tensor& g, const Saved&) {
                  return Gradients{reshape(g, kept, at)};
                });
}

Tensor mean(const Tensor& x, const Dims& axes, bool keep, Caller at) {
  ReducedShape reduced = reduced_shape("mean", x, axes, keep, at);
  DType dtype = is_float(x.dtype()) ? x.dtype() : DType::f32;
  double count = static_cast<double>(reduced.count);  // of nothing: 0 / 0 = NaN
  Tensor out = run_reduction(ReduceKind::sum, "mean", x, reduced, dtype, count, {}, at);
  return record(std::move(out), "mean", at, {x}, {},
                [kept = reduced.kept, count, at](const Tensor& g, const Saved&) {
                  return Gradients{mul(reshape(g, kept, at), 1.0 / count, at)};
                });
}

Tensor var(const Tensor& input, const Dims& axes, bool keep, double correction, Caller at) {
  const Tensor x = as_float(input, at);
  ReducedShape reduced = reduced_shape("var", x, axes, keep, at);
  double count = static_cast<double>(reduced.count), free = count - correction;
  if (!(free > 0)) free = std::numeric_limits<double>::quiet_NaN();
  Tensor center = run_reduction(ReduceKind::sum, "var", x, reduced, DType::f64, count, {}, at);
  Tensor out =
      run_reduction(ReduceKind::squared_deviation, "var", x, reduced, x.dtype(), free, center, at);
  return record(std::move(out), "var", at, {x}, {x},
                [axes, kept = reduced.kept, free, at](const Tensor& g, const Saved& saved) {
                  const Tensor x = saved[0];
                  Tensor deviation = sub(x, mean(x, axes, true, at), at);
                  return Gradients{mul(mul(reshape(g, kept, at), 2.0 / free, at), deviation, at)};
                });
}

Tensor norm(const Tensor& input, const Dims& axes, bool keep, Caller at) {
  const Tensor x = as_float(input, at);
  ReducedShape reduced = reduced_shape("norm", x, axes, keep, at);
  Tensor out =
      run_reduction(ReduceKind::root_sum_squares, "norm", x, reduced, x.dtype(), 1.0, {}, at);
  return record(out, "norm", at, {x}, {x, out},
                [kept = reduced.kept, at](const Tensor& g, const Saved& saved) {
                  // x / |x|, and 0 / 1 where the norm is 0.
                  Tensor length = reshape(saved[1], kept, at);
                  Tensor safe =
                      where(equal(length, zeros_like(length), at), ones_like(length), length, at);
                  return Gradients{mul(div(reshape(g, kept, at), safe, at), saved[0], at)};
                });
}

namespace {

// The largest of each group as the kernel wants it, 0 where it is infinite (inf - inf is no help).
Tensor finite_largest(const Tensor& x, const ReducedShape& reduced, Caller at) {
  Tensor largest =
      run_reduction(ReduceKind::maximum, "logsumexp", x, reduced, x.dtype(), 1, {}, at);
  if (size_of(x.dtype()) == 2) largest = to_dtype(largest, DType::f32, at);
  Tensor bound = full({}, infinity, largest.dtype());
  return where(equal(abs(largest, at), bound, at), zeros_like(largest), largest, at);
}

}  // namespace

Tensor logsumexp(const Tensor& input, const Dims& axes, bool keep, Caller at) {
  const Tensor x = as_float(input, at);
  ReducedShape reduced = reduced_shape("logsumexp", x, axes, keep, at);
  Tensor out;
  if (reduced.count == 0) {
    out = full(reduced.shape, -infinity, x.dtype(), x.device());
  } else {
    NoGrad off;
    Tensor shift = finite_largest(x.detach(), reduced, at);
    Tensor total = run_reduction(ReduceKind::exponential_sum, "logsumexp", x, reduced,
                                 shift.dtype(), 1.0, shift, at);
    out = to_dtype(add(log(total, at), shift, at), x.dtype(), at);
  }
  return record(out, "logsumexp", at, {x}, {x, out},
                [kept = reduced.kept, at](const Tensor& g, const Saved& saved) {
                  // softmax(x); exp(-inf - 0) = 0 where everything is -inf.
                  Tensor total = reshape(saved[1], kept, at);
                  Tensor bound = full({}, -infinity, total.dtype());
                  Tensor safe = where(equal(total, bound, at), zeros_like(total), total, at);
                  Tensor weights = exp(sub(saved[0], safe, at), at);
                  return Gradients{mul(reshape(g, kept, at), weights, at)};
                });
}

Tensor sum_to(const Tensor& x, const Dims& shape, Caller at) {
  detail::check_defined("sum_to", "x", x, at);
  if (x.shape() == shape) return x;
  Dims joint;
  if (!broadcast(x.shape(), shape, &joint)) {
    fail("sum_to", at,
         "{} was not broadcast from {}: counted from the right, sizes must be equal or 1",
         describe(x), to_string(shape));
  }
  int shift = x.rank() - shape.rank(), extra = std::max(shift, 0);
  Dims axes, rest;
  for (int i = 0; i < x.rank(); ++i) {
    bool goes = i < extra || (shape[i - shift] == 1 && x.shape()[i] != 1);
    if (goes) axes.push_back(i);
    if (i >= extra) rest.push_back(goes ? 1 : x.shape()[i]);
  }
  if (axes.empty()) return x;
  return reshape(sum(x, axes, true, at), rest, at);
}

}  // namespace strata
