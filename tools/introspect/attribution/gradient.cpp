#include "tools/introspect/attribution/gradient.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

// sum_n scores[n, target[n]]: examples do not mix, so its gradient is every example's own.
Tensor chosen(const Tensor& scores, const std::vector<int64_t>& target) {
  if (scores.rank() != 2 || scores.size(0) != static_cast<int64_t>(target.size())) {
    fail("attribution", Caller{}, "scores {} do not match {} targets: expected [N, classes]",
         describe(scores), target.size());
  }
  Tensor index = from_vector(target, {static_cast<int64_t>(target.size()), 1});
  return sum(gather(scores, 1, index));
}

}  // namespace

Tensor gradient_saliency(const Scores& model, const Tensor& x, const std::vector<int64_t>& target) {
  EnableGrad on;
  Tensor input = x.detach();
  input.set_requires_grad();
  return grad(chosen(model(input), target), input);
}

Tensor smooth_grad(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                   const SmoothGradOptions& options) {
  Generator generator(options.seed);
  Dims rest;
  for (int axis = 1; axis < x.rank(); ++axis) rest.push_back(axis);
  Tensor range = max(x, rest, true) - min(x, rest, true);
  Tensor total = zeros_like(x);
  for (int i = 0; i < options.samples; ++i) {
    Tensor noise = randn(x.shape(), 0, options.noise, x.dtype(), &generator) * range;
    total = total + gradient_saliency(model, x + noise, target);
  }
  return total / static_cast<double>(options.samples);
}

Tensor grad_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                const std::string& layer, bool rectify) {
  EnableGrad on;
  Capture capture({layer});
  Tensor input = x.detach();
  input.set_requires_grad();  // so that the layer is in the graph even when no parameter is
  Tensor score = chosen(model(input), target);
  Tensor activation = capture[layer];
  if (activation.rank() != 4) {
    fail("grad_cam", Caller{}, "the activation '{}' is {}; Grad-CAM needs a map [N, H, W, C]",
         layer, describe(activation));
  }
  Tensor gradient = grad(score, activation);
  NoGrad off;
  Tensor weights = mean(gradient, {1, 2}, true);
  Tensor map = sum(weights * activation.detach(), {3});
  return rectify ? relu(map) : map;
}

Tensor saliency_map(const Tensor& attribution) {
  NoGrad off;
  return max(abs(attribution), {attribution.rank() - 1});
}

}  // namespace strata::introspect
