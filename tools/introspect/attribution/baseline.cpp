#include "tools/introspect/attribution/baseline.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

// Smooths along one axis of [N, H, W, C]: shifted copies, weighted.
Tensor smoothed(const Tensor& x, int axis, const std::vector<double>& weights) {
  auto radius = static_cast<int64_t>(weights.size() / 2);
  Tensor index = clamp(arange(-radius, static_cast<double>(x.size(axis) + radius)), 0,
                       static_cast<double>(x.size(axis) - 1));
  Tensor padded = index_select(x, axis, index.to(x.device()));
  Tensor total = zeros_like(x);
  for (size_t k = 0; k < weights.size(); ++k) {
    auto start = static_cast<int64_t>(k);
    total = total + padded.slice(axis, start, start + x.size(axis)) * weights[k];
  }
  return total;
}

}  // namespace

Tensor constant_baseline(const Tensor& x, double value) {
  return full(x.shape(), value, x.dtype(), x.device());
}

Tensor mean_baseline(const Tensor& x) {
  NoGrad off;
  Dims positions;
  for (int axis = 1; axis + 1 < x.rank(); ++axis) positions.push_back(axis);
  if (positions.empty()) {
    fail("mean_baseline", Caller{}, "x {} has no positions [N, ..., C] to average over",
         describe(x));
  }
  return mean(x.detach(), positions, true).expand(x.shape()).contiguous();
}

Tensor blurred_baseline(const Tensor& x, double deviation) {
  if (x.rank() != 4 || !(deviation > 0)) {
    fail("blurred_baseline", Caller{},
         "x {} with deviation {}: expected images [N, H, W, C] and more than 0 pixels", describe(x),
         deviation);
  }
  NoGrad off;
  auto radius = static_cast<int>(std::ceil(3 * deviation));
  std::vector<double> weights;
  double total = 0;
  for (int k = -radius; k <= radius; ++k) {
    weights.push_back(std::exp(-0.5 * k * k / (deviation * deviation)));
    total += weights.back();
  }
  for (double& weight : weights) weight /= total;
  return smoothed(smoothed(x.detach(), 1, weights), 2, weights);
}

Tensor noise_baseline(const Tensor& x, uint64_t seed) {
  NoGrad off;
  Dims rest, one = x.shape();
  one[0] = 1;
  for (int axis = 1; axis < x.rank(); ++axis) rest.push_back(axis);
  Generator generator(seed);
  Tensor low = min(x.detach(), rest, true), high = max(x.detach(), rest, true);
  return low + (high - low) * rand(one, 0, 1, x.dtype(), &generator).to(x.device());
}

}  // namespace strata::introspect
