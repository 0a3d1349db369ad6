#include "tools/introspect/units/parametrisation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

// Row i of a Fourier basis has (i + 1) / 2 periods, of a cosine basis i half-periods.
double frequency_of(Basis basis, int64_t row) {
  return static_cast<double>(basis == Basis::fourier ? (row + 1) / 2 : row);
}

// sqrt(H W) / max(frequency, 1)^decay of every wave of the plane, [H, W, 1]. A frequency is counted
// along the longer side.
Tensor wave_scale(const StimulusSpace& space, Basis basis, double decay) {
  double side = static_cast<double>(std::max(space.height, space.width));
  double down = side / static_cast<double>(space.height);
  double across = side / static_cast<double>(space.width);
  double size = std::sqrt(static_cast<double>(space.height * space.width));
  std::vector<double> scale;
  for (int64_t y = 0; y < space.height; ++y) {
    for (int64_t x = 0; x < space.width; ++x) {
      double f = std::hypot(down * frequency_of(basis, y), across * frequency_of(basis, x));
      scale.push_back(size / std::pow(std::max(1.0, f), decay));
    }
  }
  return from_vector(scale, {space.height, space.width, 1});
}

// rows' x columns for each image and channel of x [N, H, W, C].
Tensor both_axes(const Tensor& rows, const Tensor& x, const Tensor& columns) {
  Tensor plane = matmul(matmul(rows, x.permute({0, 3, 1, 2})), columns);
  return plane.permute({0, 2, 3, 1});
}

Tensor basis_matrix(Basis basis, int64_t n, DType dtype) {
  return basis == Basis::fourier ? fourier_basis(n, dtype) : cosine_basis(n, dtype);
}

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

Tensor fourier_basis(int64_t n, DType dtype) {
  std::vector<double> values;
  for (int64_t k = 0; k < n; ++k) {
    int64_t periods = (k + 1) / 2;
    bool alone = periods == 0 || 2 * periods == n;  // no sine beside it
    double scale = std::sqrt((alone ? 1.0 : 2.0) / static_cast<double>(n));
    for (int64_t i = 0; i < n; ++i) {
      double angle =
          2 * std::numbers::pi * static_cast<double>(periods * i % n) / static_cast<double>(n);
      bool cosine = k % 2 == 1 || k == 0;
      values.push_back(scale * (cosine ? std::cos(angle) : std::sin(angle)));
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

Tensor normalised(const Tensor& pixels, const StimulusSpace& space) {
  return (pixels - space.mean.to(pixels.dtype())) / space.deviation.to(pixels.dtype());
}

Painter::Painter(const StimulusSpace& space, Basis basis, double decay, DType dtype)
    : dtype_(dtype) {
  if (space.height < 1 || space.width < 1 || space.channels < 1) {
    fail("stimulus", Caller{}, "a space of {} x {} pixels and {} channels has nothing to paint on",
         space.height, space.width, space.channels);
  }
  if (basis != Basis::pixels) {
    rows_ = basis_matrix(basis, space.height, dtype);
    columns_ = basis_matrix(basis, space.width, dtype);
    scale_ = wave_scale(space, basis, decay).to(dtype);
  }
  if (space.colour.defined()) {
    colour_ = space.colour.to(dtype).transpose(0, 1);
    from_colour_ = inverse(space.colour).to(dtype).transpose(0, 1);
  }
}

Tensor Painter::plane(const Tensor& coefficients) const {
  if (!rows_.defined()) return coefficients;
  return both_axes(rows_.transpose(0, 1), coefficients * scale_, columns_);
}

Tensor Painter::paint(const Tensor& coefficients) const {
  Tensor image = plane(coefficients);
  return sigmoid(colour_.defined() ? matmul(image, colour_) : image);
}

Tensor Painter::coefficients_of(const Tensor& images) const {
  Tensor p = clamp(images.to(dtype_), 0.02, 0.98);
  Tensor image = log(p / (1.0 - p));
  if (colour_.defined()) image = matmul(image, from_colour_);
  if (!rows_.defined()) return image.contiguous();
  return (both_axes(rows_, image, columns_.transpose(0, 1)) / scale_).contiguous();
}

}  // namespace strata::introspect
