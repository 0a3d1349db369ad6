#include "engine/ops/plain.h"

#include "engine/ops/elementwise.h"

namespace strata {

Tensor PlainOps::finish(Tensor out, const Tensor& residual, bool relu, Caller at) {
  if (residual.defined()) out = add(out, residual, at);
  return relu ? strata::relu(out, at) : out;
}

}  // namespace strata
