#include "tools/introspect/scores/robustness.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

Tensor flat(const Tensor& attribution) {
  return attribution.detach().to(Device::cpu).to(DType::f64).flatten(1);
}

}  // namespace

Sensitivity sensitivity(const Method& method, const Scores& model, const Tensor& x,
                        const std::vector<int64_t>& target, const SensitivityOptions& options) {
  if (options.samples < 1 || !(options.radius > 0)) {
    fail("sensitivity", Caller{},
         "{} samples within {}: at least 1, within more than 0, are needed", options.samples,
         options.radius);
  }
  NoGrad off;
  Generator generator(options.seed);
  Dims one = x.shape();
  one[0] = 1;
  Tensor clean = flat(method(model, x, target));
  Tensor size = norm(clean, {1}), zero = zeros_like(size);
  Tensor largest = zero, total = zero;
  for (int k = 0; k < options.samples; ++k) {
    Tensor noise = rand(one, -options.radius, options.radius, x.dtype(), &generator);
    Tensor moved = flat(method(model, x.detach() + noise.to(x.device()), target));
    Tensor change = norm(moved - clean, {1});
    Tensor relative = where(equal(change, zero), zero, change / size);
    largest = maximum(largest, relative);
    total = total + relative;
  }
  return {largest, total / static_cast<double>(options.samples)};
}

}  // namespace strata::introspect
