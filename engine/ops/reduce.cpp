// Sums and what is made of sums: mean, var, norm, logsumexp, prod. The kernels read strided input
// as it is; the gradient of a sum is its own gradient, broadcast back by the engine.
#include "engine/ops/reduce.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/reduce_shape.h"
#include "engine/ops/view.h"

namespace strata {

using cpu::ReduceKind;
using detail::reduced_shape;
using detail::ReducedShape;
using detail::run_reduction;

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
  double scale = 1.0 / static_cast<double>(reduced.count);  // 0 * inf: the mean of nothing is NaN
  Tensor out = run_reduction(ReduceKind::sum, "mean", x, reduced, dtype, scale, {}, at);
  return record(std::move(out), "mean", at, {x}, {},
                [kept = reduced.kept, scale, at](const Tensor& g, const Saved&) {
                  return Gradients{mul(reshape(g, kept, at), scale, at)};
                });
}

Tensor sum_to(const Tensor& x, const Dims& shape, Caller at) {
  if (x.shape() == shape) return x;
  Dims joint;
  if (!broadcast(x.shape(), shape, &joint)) {
    fail("sum_to", at, "{} is no broadcast of shape {}", describe(x), to_string(shape));
  }
  int extra = std::max(x.rank() - shape.rank(), 0), shift = x.rank() - shape.rank();
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
