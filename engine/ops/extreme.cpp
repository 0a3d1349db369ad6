// Largest, smallest, their indices, any and all.
#include "engine/autograd/autograd.h"
#include "engine/ops/detail/reduce_shape.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"
#include "engine/tensor/allocator.h"

namespace strata {

using cpu::ReduceKind;
using detail::reduced_shape;
using detail::ReducedShape;
using detail::run_reduction;

namespace {

Tensor extreme(ReduceKind kind, const char* op, const Tensor& x, const Dims& axes, bool keep,
               Caller at) {
  ReducedShape reduced = reduced_shape(op, x, axes, keep, at);
  if (reduced.count == 0 && reduced.shape.product() > 0) {
    fail(op, at, "{} over axes {} has no elements, and nothing is the {} of none", describe(x),
         axes.empty() ? "all" : to_string(axes),
         kind == ReduceKind::maximum ? "largest" : "smallest");
  }
  Tensor out = run_reduction(kind, op, x, reduced, x.dtype(), 1.0, {}, at);
  return record(out, op, at, {x}, {x, out},
                [axes, kept = reduced.kept, at](const Tensor& g, const Saved& saved) {
                  const Tensor x = saved[0];
                  Tensor chosen = equal(x, reshape(saved[1], kept, at), at);
                  Tensor share =
                      reciprocal(to_dtype(sum(chosen, axes, true, at), g.dtype(), at), at);
                  return Gradients{mul(to_dtype(chosen, g.dtype(), at),
                                       mul(reshape(g, kept, at), share, at), at)};
                });
}

Tensor arg_extreme(bool largest, const char* op, const Tensor& x, int axis, bool keep, Caller at) {
  ReducedShape reduced = reduced_shape(op, x, {axis}, keep, at);
  axis = normalize_axis(op, axis, x.rank(), at);
  if (reduced.count == 0 && reduced.shape.product() > 0) {
    fail(op, at, "axis {} of {} has no elements to choose from", axis, describe(x));
  }
  memory::Holder holder(op);
  Tensor out = empty(reduced.shape, DType::i64, x.device());
  if (reduced.count > 0) {
    on(x.device(), op, at, cpu::arg_extreme, gpu::arg_extreme, largest, axis,
       detail::reduce_args(x, out));
  }
  return record(std::move(out), op, at);
}

Tensor truth(ReduceKind kind, const char* op, const Tensor& x, const Dims& axes, bool keep,
             Caller at) {
  ReducedShape reduced = reduced_shape(op, x, axes, keep, at);
  return record(run_reduction(kind, op, x, reduced, DType::boolean, 1.0, {}, at), op, at);
}

}  // namespace

Tensor max(const Tensor& x, const Dims& axes, bool keep, Caller at) {
  return extreme(ReduceKind::maximum, "max", x, axes, keep, at);
}
Tensor min(const Tensor& x, const Dims& axes, bool keep, Caller at) {
  return extreme(ReduceKind::minimum, "min", x, axes, keep, at);
}
Tensor argmax(const Tensor& x, int axis, bool keep, Caller at) {
  return arg_extreme(true, "argmax", x, axis, keep, at);
}
Tensor argmin(const Tensor& x, int axis, bool keep, Caller at) {
  return arg_extreme(false, "argmin", x, axis, keep, at);
}
Tensor any(const Tensor& x, const Dims& axes, bool keep, Caller at) {
  return truth(ReduceKind::any, "any", x, axes, keep, at);
}
Tensor all(const Tensor& x, const Dims& axes, bool keep, Caller at) {
  return truth(ReduceKind::all, "all", x, axes, keep, at);
}

}  // namespace strata
