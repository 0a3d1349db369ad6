#include "tools/introspect/units/stimulus.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

// 1 / max(frequency, 1)^decay over the plane of coefficients, [H, W, 1].
Tensor frequency_prior(int64_t height, int64_t width, double decay) {
  std::vector<float> scale;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      double frequency = std::hypot(static_cast<double>(y), static_cast<double>(x));
      scale.push_back(static_cast<float>(1 / std::pow(std::max(1.0, frequency), decay)));
    }
  }
  return from_vector(scale, {height, width, 1});
}

// The differentiable way from coefficients [U, H, W, C] to pixels in [0, 1].
class Painter {
 public:
  Painter(const StimulusSpace& space, double decay)
      : space_(space),
        rows_(cosine_basis(space.height)),
        columns_(cosine_basis(space.width)),
        prior_(frequency_prior(space.height, space.width, decay) *
               std::sqrt(static_cast<double>(space.height * space.width))) {}

  Tensor paint(const Tensor& coefficients) const {
    Tensor waves = coefficients * prior_;
    // y' = R' Z C for each image and channel, as two products over the axes H and W.
    Tensor plane = waves.permute({0, 3, 1, 2});  // [U, C, H, W]
    plane = matmul(matmul(rows_.transpose(0, 1), plane), columns_);
    Tensor image = plane.permute({0, 2, 3, 1});
    if (space_.colour.defined()) image = matmul(image, space_.colour.transpose(0, 1));
    return sigmoid(image);
  }

  // Coefficients that paint `images` (up to clipping into (0.02, 0.98)).
  Tensor coefficients_of(const Tensor& images) const {
    Tensor p = clamp(images, 0.02, 0.98);
    Tensor image = log(p / (1.0 - p));
    if (space_.colour.defined()) {
      image = matmul(image, inverse(space_.colour).to(image.dtype()).transpose(0, 1));
    }
    Tensor plane = image.permute({0, 3, 1, 2});
    plane = matmul(matmul(rows_, plane), columns_.transpose(0, 1));
    return (plane.permute({0, 2, 3, 1}) / prior_).contiguous();
  }

 private:
  const StimulusSpace& space_;
  Tensor rows_, columns_, prior_;
};

Tensor normalized(const Tensor& pixels, const StimulusSpace& space) {
  return (pixels - space.mean) / space.deviation;
}

// Mean absolute difference of neighbours, by image: [U].
Tensor total_variation(const Tensor& images) {
  int64_t h = images.size(1), w = images.size(2);
  Tensor down = abs(images.slice(1, 1, h) - images.slice(1, 0, h - 1));
  Tensor across = abs(images.slice(2, 1, w) - images.slice(2, 0, w - 1));
  return mean(down, {1, 2, 3}) + mean(across, {1, 2, 3});
}

// Adam on one tensor, rising.
class Ascent {
 public:
  Ascent(const Tensor& x, double rate)
      : rate_(rate), first_(zeros_like(x)), second_(zeros_like(x)) {}
  void step(const Tensor& x, const Tensor& gradient) {
    NoGrad off;
    ++count_;
    first_ = first_ * 0.9 + gradient * 0.1;
    second_ = second_ * 0.999 + square(gradient) * 0.001;
    Tensor m = first_ / (1 - std::pow(0.9, count_)), v = second_ / (1 - std::pow(0.999, count_));
    add_(x, m / (sqrt(v) + 1e-12), rate_);
  }

 private:
  double rate_;
  int count_ = 0;
  Tensor first_, second_;
};

}  // namespace

Tensor cosine_basis(int64_t n, DType dtype) {
  std::vector<double> values;
  for (int64_t k = 0; k < n; ++k) {
    double scale = std::sqrt((k == 0 ? 1.0 : 2.0) / static_cast<double>(n));
    for (int64_t i = 0; i < n; ++i) {
      values.push_back(scale * std::cos(std::numbers::pi * (static_cast<double>(i) + 0.5) *
                                        static_cast<double>(k) / static_cast<double>(n)));
    }
  }
  return from_vector(values, {n, n}).to(dtype);
}

StimulusSpace stimulus_space(const Tensor& images, const Tensor& mean_of, const Tensor& deviation) {
  NoGrad off;
  StimulusSpace space{images.size(1), images.size(2), images.size(3), mean_of, deviation, {}};
  Tensor pixels = images.reshape({-1, space.channels});
  pixels = pixels - mean(pixels, {0});
  int64_t c = space.channels;
  Tensor covariance =
      matmul(pixels.transpose(0, 1), pixels) / static_cast<double>(pixels.size(0)) + eye(c) * 1e-4;
  // The symmetric square root, scaled to keep the size of a step.
  EigenPairs pairs = symmetric_eigen(covariance);
  Tensor roots = sqrt(from_vector(pairs.values, {c}));
  Tensor root = matmul(pairs.vectors * roots, pairs.vectors.transpose(0, 1));
  space.colour = (root * (static_cast<double>(c) / sum(roots).item())).to(DType::f32);
  return space;
}

Stimulus optimal_stimuli(const std::function<Tensor(const Tensor&)>& response,
                         const StimulusSpace& space, int64_t units, const StimulusOptions& options,
                         const Tensor& start) {
  EnableGrad on;
  Painter painter(space, options.decay);
  Generator generator(options.seed);
  Dims shape{units, space.height, space.width, space.channels};
  Tensor coefficients = start.defined() ? painter.coefficients_of(start)
                                        : randn(shape, 0, 0.1, DType::f32, &generator);
  coefficients = coefficients.detach();
  coefficients.set_requires_grad();
  Ascent ascent(coefficients, options.learning_rate);
  for (int step = 0; step < options.steps; ++step) {
    Tensor pixels = painter.paint(coefficients), seen = pixels;
    if (options.jitter > 0) {
      auto shift = randint(-options.jitter, options.jitter + 1, {2}, DType::i64, &generator)
                       .to_vector<int64_t>();
      seen = roll(pixels, {shift[0], shift[1]}, {1, 2});
    }
    Tensor value = response(normalized(seen, space));
    // Every unit climbs at its own scale: Adam divides by the size of its gradients.
    Tensor objective =
        sum(value) - sum(total_variation(pixels)) * options.total_variation *
                         std::max(1.0, sum(abs(value)).item() / static_cast<double>(units));
    ascent.step(coefficients, grad(objective, coefficients));
    NoGrad off;
    mul_(coefficients, 1 - options.shrink);
  }
  NoGrad off;
  Stimulus result;
  result.images = painter.paint(coefficients);
  result.activation = response(normalized(result.images, space)).to_vector<double>();
  return result;
}

}  // namespace strata::introspect
