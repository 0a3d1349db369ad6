#include "engine/ops/reduce_shape.h"

#include "engine/tensor/allocator.h"

namespace strata::detail {

ReducedShape reduced_shape(const char* op, const Tensor& x, const Dims& axes, bool keep,
                           Caller at) {
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

Tensor run_reduction(cpu::ReduceKind kind, const char* op, const Tensor& x,
                     const ReducedShape& reduced, DType dtype, double scale, const Tensor& shift,
                     Caller at) {
  memory::Holder holder(op);
  Tensor out = empty(reduced.shape, dtype, x.device());
  cpu::ReduceArgs args;
  args.x = x.raw();
  args.dtype = x.dtype();
  args.rank = x.rank();
  args.shape = x.shape().begin();
  args.strides = x.strides().begin();
  args.reduced = reduced.axes;
  args.out = out.raw();
  args.out_dtype = dtype;
  args.scale = scale;
  args.shift = shift.defined() ? shift.raw() : nullptr;
  on(x.device(), op, at, cpu::reduce, kind, args);
  return out;
}

}  // namespace strata::detail
