#include "tools/introspect/scores/complexity.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

// [N, d]; rows add up to 1.
Tensor shares(const Tensor& attribution, const char* name) {
  if (attribution.rank() < 2 || attribution.numel() == 0) {
    fail(name, Caller{}, "{} is no attribution of examples [N, ...]", describe(attribution));
  }
  Tensor sizes = abs(attribution.detach().to(Device::cpu).to(DType::f64).flatten(1));
  Tensor total = sum(sizes, {1}, true);
  Tensor uniform = full(sizes.shape(), 1 / static_cast<double>(sizes.size(1)), DType::f64);
  return where(greater(total, zeros_like(total)), sizes / total, uniform);
}

}  // namespace

Tensor entropy_complexity(const Tensor& attribution) {
  NoGrad off;
  Tensor p = shares(attribution, "entropy_complexity");
  Tensor some = greater(p, zeros_like(p));
  return -sum(p * log(where(some, p, ones_like(p))), {1});
}

Tensor gini_sparseness(const Tensor& attribution) {
  NoGrad off;
  Tensor p = sort(shares(attribution, "gini_sparseness"), 1).values;
  auto d = static_cast<double>(p.size(1));
  Tensor weight = (d + 0.5 - arange(1, d + 1, 1, DType::f64)) / d;
  return 1 - 2 * sum(p * weight, {1});
}

}  // namespace strata::introspect
