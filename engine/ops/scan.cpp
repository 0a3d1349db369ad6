// cumsum and prod: reductions whose gradients are scans.
#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/detail/reduce_shape.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"
#include "engine/tensor/allocator.h"

namespace strata {
namespace {

// The gradient of a running sum is the running sum of the gradient from the other end.
Tensor running_sum(const Tensor& x, int axis, bool reverse, Caller at) {
  const char* op = reverse ? "reverse_cumsum" : "cumsum";
  memory::Holder holder(op);
  Tensor out = empty(x.shape(), is_float(x.dtype()) ? x.dtype() : DType::i64, x.device());
  on(x.device(), op, at, cpu::cumulative_sum, gpu::cumulative_sum, axis, reverse,
     detail::reduce_args(x, out));
  return record(std::move(out), op, at, {x}, {},
                [axis, reverse, at](const Tensor& g, const Saved&) {
                  return Gradients{running_sum(g, axis, !reverse, at)};
                });
}

// others[i] = product of all x[j] along `axis` but x[i].
Tensor product_of_others(const Tensor& x, int axis, Caller at) {
  if (!grad_enabled()) {
    Tensor out = empty(x.shape(), x.dtype(), x.device());
    on(x.device(), "prod", at, cpu::product_of_others, gpu::product_of_others, axis,
       detail::reduce_args(x, out));
    return out;
  }
  // To be differentiated again: a table of n x n, x with a 1 on the diagonal, multiplied along the
  // rows. O(n^2) memory a line, but right also where two elements are 0.
  int64_t n = x.shape()[axis];
  Tensor last = transpose(x, axis, -1, at);
  Dims table = last.shape();
  table.insert(table.rank() - 1, n);
  Tensor rows = expand(unsqueeze(last, -2, at), table, at);
  Tensor others = where(eye(n, DType::boolean).to(x.device()), ones_like(rows), rows, at);
  return transpose(prod(others, -1, false, at), axis, -1, at);
}

}  // namespace

Tensor cumsum(const Tensor& x, int axis, Caller at) {
  detail::check_defined("cumsum", "x", x, at);
  return running_sum(x, normalize_axis("cumsum", axis, x.rank(), at), false, at);
}

Tensor prod(const Tensor& x, int axis, bool keep, Caller at) {
  detail::ReducedShape reduced = detail::reduced_shape("prod", x, {axis}, keep, at);
  axis = normalize_axis("prod", axis, x.rank(), at);
  DType dtype = is_float(x.dtype()) ? x.dtype() : DType::i64;
  Tensor out =
      detail::run_reduction(cpu::ReduceKind::product, "prod", x, reduced, dtype, 1.0, {}, at);
  return record(std::move(out), "prod", at, {x}, {x},
                [axis, kept = reduced.kept, at](const Tensor& g, const Saved& saved) {
                  Tensor others = product_of_others(saved[0], axis, at);
                  return Gradients{mul(reshape(g, kept, at), others, at)};
                });
}

}  // namespace strata
