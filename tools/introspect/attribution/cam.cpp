#include "tools/introspect/attribution/cam.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

void check_map(const char* op, const Tensor& activation, const std::string& layer) {
  if (activation.rank() == 4) return;
  fail(op, Caller{}, "the activation '{}' is {}; class activation maps need a map [N, H, W, C]",
       layer, describe(activation));
}

struct Evidence {
  Tensor activation, gradient;  // both [N, H, W, C], outside the graph
};

Evidence evidence(const char* op, const Scores& model, const Tensor& x,
                  const std::vector<int64_t>& target, const std::string& layer) {
  EnableGrad on;
  Capture capture({layer});
  Tensor input = x.detach().set_requires_grad();  // so that the layer is in the graph for certain
  Tensor score = sum(target_scores(model(input), target));
  Tensor activation = uses_of(capture, layer, model, x).back();
  check_map(op, activation, layer);
  return {activation.detach(), grad(score, activation)};
}

// sum_c weights A_c, [N, H, W]; the weights broadcast to A.
Tensor weighted(const Tensor& weights, const Tensor& activation, bool rectify) {
  Tensor map = sum(weights * activation, {3});
  return rectify ? relu(map) : map;
}

// Weights [N * C] that were found one by one, for an activation.
Tensor channel_weights(const std::vector<double>& weights, const Tensor& activation) {
  return from_vector(weights, {activation.size(0), 1, 1, activation.size(3)})
      .to(activation.dtype())
      .to(activation.device());
}

// Each channel of each example scaled to [0, 1].
Tensor unit_range(const Tensor& activation) {
  Tensor low = min(activation, {1, 2}, true), high = max(activation, {1, 2}, true);
  Tensor zero = scalar(0, activation.dtype()), span = high - low;
  Tensor scaled = (activation - low) / where(greater(span, zero), span, ones_like(span));
  Tensor flat = greater(high, zero).to(activation.dtype());
  return where(greater(span, zero), scaled, flat);
}

std::vector<double> softmax_rows(std::vector<double> values, int64_t channels) {
  Tensor rows = from_vector(values, {static_cast<int64_t>(values.size()) / channels, channels});
  return softmax(rows).to_vector<double>();
}

}  // namespace

Tensor grad_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                const std::string& layer, bool rectify) {
  auto [activation, gradient] = evidence("grad_cam", model, x, target, layer);
  NoGrad off;
  return weighted(mean(gradient, {1, 2}, true), activation, rectify);
}

Tensor grad_cam_plus_plus(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                          const std::string& layer, bool rectify) {
  auto [activation, gradient] = evidence("grad_cam_plus_plus", model, x, target, layer);
  NoGrad off;
  Tensor second = square(gradient);
  Tensor below = second * 2.0 + sum(activation, {1, 2}, true) * second * gradient;
  Tensor share = where(equal(below, scalar(0, below.dtype())), below, second / below);
  return weighted(sum(share * relu(gradient), {1, 2}, true), activation, rectify);
}

Tensor hires_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                 const std::string& layer, bool rectify) {
  auto [activation, gradient] = evidence("hires_cam", model, x, target, layer);
  NoGrad off;
  return weighted(gradient, activation, rectify);
}

Tensor layer_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                 const std::string& layer, bool rectify) {
  auto [activation, gradient] = evidence("layer_cam", model, x, target, layer);
  NoGrad off;
  return weighted(relu(gradient), activation, rectify);
}

Tensor eigen_cam(const Scores& model, const Tensor& x, const std::string& layer) {
  NoGrad off;
  Tensor activation = activation_of(model, x, layer);
  check_map("eigen_cam", activation, layer);
  int64_t height = activation.size(1), width = activation.size(2), channels = activation.size(3);
  std::vector<Tensor> maps;
  for (int64_t n = 0; n < activation.size(0); ++n) {
    Tensor rows = activation.select(0, n).reshape({height * width, channels}).to(DType::f64);
    EigenPairs pairs = symmetric_eigen(matmul(rows.transpose(0, 1), rows));
    Tensor map = matmul(rows, pairs.vectors.select(1, 0).contiguous().to(rows.device()));
    maps.push_back((sum(map).item() < 0 ? -map : map).reshape({height, width}));
  }
  return stack(maps).to(activation.dtype());
}

Tensor score_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                 const std::string& layer, const PerturbedCamOptions& options) {
  NoGrad off;
  if (x.rank() != 4) {
    fail("score_cam", Caller{}, "x {} must be images [N, H, W, C]", describe(x));
  }
  Tensor activation = activation_of(model, x, layer);
  check_map("score_cam", activation, layer);
  Tensor hidden =
      options.baseline.defined() ? options.baseline.to(x.dtype()).expand(x.shape()) : zeros_like(x);
  std::vector<double> empty = scores_of(model, hidden, target), weights;
  int64_t channels = activation.size(3), limit = examples_per_pass(model, x, options.limit);
  Tensor masks = unit_range(activation);
  for (int64_t n = 0; n < x.size(0); ++n) {
    Tensor image = x.slice(0, n, n + 1), under = hidden.slice(0, n, n + 1);
    for (int64_t c = 0; c < channels; c += limit) {
      int64_t count = std::min(limit, channels - c);
      Tensor mask = masks.slice(0, n, n + 1).slice(3, c, c + count).permute({3, 1, 2, 0});
      mask = upsample_bilinear2d(mask.contiguous(), x.size(1), x.size(2));
      std::vector<int64_t> same(static_cast<size_t>(count), n);
      for (double score :
           scores_of(model, under + (image - under) * mask, targets_of(target, same)))
        weights.push_back(score - empty[static_cast<size_t>(n)]);
    }
  }
  if (options.softmax) weights = softmax_rows(std::move(weights), channels);
  return weighted(channel_weights(weights, activation), activation, options.rectify);
}

Tensor ablation_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                    const std::string& layer, const PerturbedCamOptions& options) {
  NoGrad off;
  Tensor activation = activation_of(model, x, layer);
  check_map("ablation_cam", activation, layer);
  int64_t channels = activation.size(3), limit = examples_per_pass(model, x, options.limit);
  Tensor keep = (1.0 - eye(channels, activation.dtype())).to(activation.device());
  std::vector<double> whole = scores_of(model, x, target), weights;
  for (int64_t n = 0; n < x.size(0); ++n) {
    Scores upper = from_layer(model, x.slice(0, n, n + 1), layer);
    Tensor own = activation.slice(0, n, n + 1);
    for (int64_t c = 0; c < channels; c += limit) {
      int64_t count = std::min(limit, channels - c);
      Tensor without = own * keep.slice(0, c, c + count).reshape({count, 1, 1, channels});
      std::vector<int64_t> same(static_cast<size_t>(count), n);
      for (double score : scores_of(upper, without, targets_of(target, same)))
        weights.push_back(whole[static_cast<size_t>(n)] - score);
    }
  }
  return weighted(channel_weights(weights, activation), activation, options.rectify);
}

Tensor upsample_map(const Tensor& map, int64_t height, int64_t width) {
  if (map.rank() != 3) {
    fail("upsample_map", Caller{}, "the map {} must be [N, h, w]", describe(map));
  }
  NoGrad off;
  return upsample_bilinear2d(map.unsqueeze(3), height, width).squeeze(3);
}

}  // namespace strata::introspect
