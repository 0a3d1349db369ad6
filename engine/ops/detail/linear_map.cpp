#include "engine/ops/detail/linear_map.h"

#include "engine/autograd/autograd.h"
#include "engine/ops/detail/kernel_inputs.h"
#include "engine/tensor/allocator.h"

namespace strata::detail {

Tensor apply(const std::shared_ptr<const LinearMap>& map, bool adjoint, const Tensor& x,
             const Tensor& switches) {
  const char* op = adjoint ? map->adjoint_name : map->name;
  DType computed = compute_type(x.dtype());
  Tensor in = dense(x, computed), out;
  {
    memory::Holder holder(op);
    out = empty(adjoint ? map->in : map->out, computed, x.device());
  }
  (adjoint ? map->adjoint : map->kernel)(x.device(), computed, in.raw(), raw_or_null(switches),
                                         out.raw());
  return record(dense(out, x.dtype()), op, map->at, {x}, {switches},
                [map, adjoint](const Tensor& g, const Saved& saved) {
                  return Gradients{apply(map, !adjoint, g, saved[0])};
                });
}

}  // namespace strata::detail
