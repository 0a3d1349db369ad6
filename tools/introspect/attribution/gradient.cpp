#include "tools/introspect/attribution/gradient.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {

Tensor gradient_saliency(const Scores& model, const Tensor& x, const std::vector<int64_t>& target) {
  return input_gradient(model, x, target);
}

Tensor gradient_times_input(const Scores& model, const Tensor& x,
                            const std::vector<int64_t>& target) {
  NoGrad off;
  return input_gradient(model, x, target) * x.detach();
}

GradientMoments noisy_gradient_moments(const Scores& model, const Tensor& x,
                                       const std::vector<int64_t>& target,
                                       const SmoothGradOptions& options) {
  if (options.samples < 1 || options.noise < 0) {
    fail("smooth_grad", Caller{}, "{} samples with noise {}: at least 1 and at least 0 are needed",
         options.samples, options.noise);
  }
  NoGrad off;
  Generator generator(options.seed);
  Tensor input = x.detach();
  Dims rest, one = x.shape();
  one[0] = 1;
  for (int axis = 1; axis < x.rank(); ++axis) rest.push_back(axis);
  Tensor range = max(input, rest, true) - min(input, rest, true);
  Tensor mean = zeros_like(input), deviations = zeros_like(input);  // sum of squared deviations
  for (int k = 1; k <= options.samples; ++k) {
    Tensor noise = randn(one, 0, options.noise, x.dtype(), &generator).to(x.device());
    Tensor gradient = input_gradient(model, input + noise * range, target);
    Tensor step = gradient - mean;
    mean = mean + step / static_cast<double>(k);
    deviations = deviations + step * (gradient - mean);
  }
  Tensor variance = deviations / static_cast<double>(options.samples);
  return {mean, variance + square(mean), variance};
}

Tensor smooth_grad(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                   const SmoothGradOptions& options) {
  return noisy_gradient_moments(model, x, target, options).mean;
}
Tensor smooth_grad_squared(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                           const SmoothGradOptions& options) {
  return noisy_gradient_moments(model, x, target, options).squared;
}
Tensor var_grad(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                const SmoothGradOptions& options) {
  return noisy_gradient_moments(model, x, target, options).variance;
}

Tensor saliency_map(const Tensor& attribution) {
  NoGrad off;
  return max(abs(attribution), {attribution.rank() - 1});
}

}  // namespace strata::introspect
