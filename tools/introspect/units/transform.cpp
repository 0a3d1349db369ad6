#include "tools/introspect/units/transform.h"

#include <cmath>
#include <numbers>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

// Where a picture turned by `angle` (radians) and enlarged by `size` about its centre reads its
// pixels: [H, W, 2].
Tensor turned_places(int64_t height, int64_t width, double angle, double size) {
  double middle_row = static_cast<double>(height - 1) / 2;
  double middle_column = static_cast<double>(width - 1) / 2;
  double along = std::cos(angle) / size, across = std::sin(angle) / size;
  std::vector<double> places;
  for (int64_t i = 0; i < height; ++i) {
    for (int64_t j = 0; j < width; ++j) {
      double row = static_cast<double>(i) - middle_row;
      double column = static_cast<double>(j) - middle_column;
      places.push_back(middle_row + along * row - across * column);
      places.push_back(middle_column + across * row + along * column);
    }
  }
  return from_vector(places, {height, width, 2});
}

double uniform(double range, Generator& generator) {
  return rand({1}, -range, range, DType::f64, &generator).item();
}

}  // namespace

Tensor sample_bilinear(const Tensor& images, const Tensor& places) {
  if (images.rank() != 4 || places.rank() != 3 || places.size(2) != 2) {
    fail("sample_bilinear", Caller{},
         "images {} and places {} must be [N, H, W, C] and [H', W', 2]", describe(images),
         describe(places));
  }
  int64_t height = images.size(1), width = images.size(2);
  Tensor top, left, down, right;
  {
    NoGrad off;
    Tensor exact = places.detach().to(DType::f64).reshape({-1, 2});
    Tensor row = clamp(exact.select(1, 0), 0, static_cast<double>(height - 1));
    Tensor column = clamp(exact.select(1, 1), 0, static_cast<double>(width - 1));
    top = floor(row), left = floor(column);
    down = row - top, right = column - left;  // shares of the lower and of the right neighbour
  }
  Tensor pixels = images.reshape({images.size(0), height * width, images.size(3)});
  auto corner = [&](int lower, int righter) {
    Tensor row = clamp(top + static_cast<double>(lower), 0, static_cast<double>(height - 1));
    Tensor column = clamp(left + static_cast<double>(righter), 0, static_cast<double>(width - 1));
    Tensor share = (lower ? down : 1.0 - down) * (righter ? right : 1.0 - right);
    Tensor index = (row * static_cast<double>(width) + column).to(DType::i64);
    return index_select(pixels, 1, index) * share.unsqueeze(1).to(images.dtype());
  };
  Tensor mixed = corner(0, 0) + corner(0, 1) + corner(1, 0) + corner(1, 1);
  return mixed.reshape({images.size(0), places.size(0), places.size(1), images.size(3)});
}

Tensor transformed(const Tensor& images, const Transform& transform, Generator& generator) {
  Tensor seen = images;
  if (transform.jitter > 0) {
    auto shift = randint(-transform.jitter, transform.jitter + 1, {2}, DType::i64, &generator)
                     .to_vector<int64_t>();
    seen = roll(seen, {shift[0], shift[1]}, {1, 2});
  }
  if (transform.scale == 0 && transform.rotation == 0) return seen;
  double size = 1 + uniform(transform.scale, generator);
  double angle = uniform(transform.rotation, generator) * std::numbers::pi / 180;
  return sample_bilinear(seen, turned_places(images.size(1), images.size(2), angle, size));
}

}  // namespace strata::introspect
