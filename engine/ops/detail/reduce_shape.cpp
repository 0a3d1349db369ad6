#include "engine/ops/detail/reduce_shape.h"

#include "engine/ops/detail/check.h"
#include "engine/tensor/allocator.h"

namespace strata::detail {

ReducedShape reduced_shape(const char* op, const Tensor& x, const Dims& axes, bool keep,
                           Caller at) {
  check_defined(op, "x", x, at);
  ReducedShape reduced;
  for (int64_t axis : normalize_axes(op, axes, x.rank(), at)) reduced.axes |= 1u << axis;
  for (int i = 0; i < x.rank(); ++i) {
    bool goes = reduced.axes >> i & 1;
    int64_t size = x.shape()[i];
    if (goes) reduced.count *= size;
    reduced.kept.push_back(goes ? 1 : size);
    if (!goes || keep) reduced.shape.push_back(goes ? 1 : size);
  }
  return reduced;
}

cpu::ReduceArgs reduce_args(const Tensor& x, const Tensor& out) {
  cpu::ReduceArgs args;
  args.x = x.raw();
  args.dtype = x.dtype();
  args.rank = x.rank();
  args.shape = x.shape().begin();
  args.strides = x.strides().begin();
  args.out = out.raw();
  args.out_dtype = out.dtype();
  return args;
}

Tensor run_reduction(cpu::ReduceKind kind, const char* op, const Tensor& x,
                     const ReducedShape& reduced, DType dtype, double divisor, const Tensor& shift,
                     Caller at) {
  memory::Holder holder(op);
  Tensor out = empty(reduced.shape, dtype, x.device());
  cpu::ReduceArgs args = reduce_args(x, out);
  args.reduced = reduced.axes;
  args.divisor = divisor;
  args.shift = shift.defined() ? shift.raw() : nullptr;
  on(x.device(), op, at, cpu::reduce, gpu::reduce, kind, args);
  return out;
}

}  // namespace strata::detail
