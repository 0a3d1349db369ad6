#include "engine/ops/sort.h"

#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/index.h"
#include "engine/tensor/allocator.h"
#include "kernels/index/sort.h"

namespace strata {
namespace {

// The first k of each line in order. `axis` is in range.
ValuesAndIndices first_in_order(const char* op, const Tensor& x, int axis, int64_t k,
                                bool descending, bool want_values, Caller at) {
  memory::Holder holder(op);
  Dims shape = x.shape();
  shape[axis] = k;
  ValuesAndIndices out;
  out.indices = empty(shape, DType::i64, x.device());
  if (want_values) out.values = empty(shape, x.dtype(), x.device());
  cpu::SortArgs args;
  args.x = x.raw();
  args.dtype = x.dtype();
  args.rank = x.rank();
  args.axis = axis;
  args.shape = x.shape().begin();
  args.strides = x.strides().begin();
  args.k = k;
  args.descending = descending;
  args.values = want_values ? out.values.raw() : nullptr;
  args.indices = static_cast<int64_t*>(out.indices.raw());
  on(x.device(), op, at, cpu::sort, gpu::sort, args);
  out.indices = record(std::move(out.indices), op, at);
  if (!want_values) return out;
  out.values = record(std::move(out.values), op, at, {x}, {out.indices},
                      [before = x.shape(), axis, at](const Tensor& g, const Saved& saved) {
                        Tensor nothing = zeros(before, g.dtype(), g.device());
                        return Gradients{scatter_add(nothing, axis, saved[0], g, at)};
                      });
  return out;
}

}  // namespace

ValuesAndIndices sort(const Tensor& x, int axis, bool descending, Caller at) {
  detail::check_defined("sort", "x", x, at);
  axis = normalize_axis("sort", axis, x.rank(), at);
  return first_in_order("sort", x, axis, x.shape()[axis], descending, true, at);
}

Tensor argsort(const Tensor& x, int axis, bool descending, Caller at) {
  detail::check_defined("argsort", "x", x, at);
  axis = normalize_axis("argsort", axis, x.rank(), at);
  return first_in_order("argsort", x, axis, x.shape()[axis], descending, false, at).indices;
}

ValuesAndIndices topk(const Tensor& x, int64_t k, int axis, bool largest, Caller at) {
  detail::check_defined("topk", "x", x, at);
  axis = normalize_axis("topk", axis, x.rank(), at);
  if (k < 0 || k > x.shape()[axis]) {
    fail("topk", at, "k = {} elements along axis {} of {}, which has {}", k, axis, describe(x),
         x.shape()[axis]);
  }
  return first_in_order("topk", x, axis, k, largest, true, at);
}

}  // namespace strata
