#include "tools/introspect/maps/align.h"

#include <array>
#include <cmath>
#include <vector>

namespace strata::introspect {
namespace {

std::array<double, 2> mean_of(const std::vector<double>& points) {
  std::array<double, 2> mean{};
  for (size_t i = 0; i < points.size(); ++i) mean[i % 2] += points[i];
  for (double& m : mean) m /= static_cast<double>(points.size()) / 2;
  return mean;
}

}  // namespace

Tensor align(const Tensor& map, const Tensor& reference, Caller at) {
  if (map.rank() != 2 || map.size(1) != 2 || map.size(0) < 1 || map.shape() != reference.shape()) {
    fail("align", at, "{} and {} must both be [N, 2], of the same points", describe(map),
         describe(reference));
  }
  auto a = map.to_vector<double>(), b = reference.to_vector<double>();
  auto from = mean_of(a), to = mean_of(b);
  double m[2][2] = {};  // sum of a b^T, both centred
  for (size_t i = 0; i < a.size(); i += 2) {
    for (size_t j = 0; j < 2; ++j) {
      for (size_t k = 0; k < 2; ++k) m[j][k] += (a[i + j] - from[j]) * (b[i + k] - to[k]);
    }
  }
  // tr(R m) over rotations R by t is (m00 + m11) cos t + (m01 - m10) sin t; a reflection is a
  // rotation after y -> -y, which turns the signs of m's second row.
  bool flip = std::hypot(m[0][0] - m[1][1], m[0][1] + m[1][0]) >
              std::hypot(m[0][0] + m[1][1], m[0][1] - m[1][0]);
  double sign = flip ? -1 : 1;
  double angle = std::atan2(m[0][1] - sign * m[1][0], m[0][0] + sign * m[1][1]);
  double cosine = std::cos(angle), sine = std::sin(angle);
  for (size_t i = 0; i < a.size(); i += 2) {
    double x = a[i] - from[0], y = sign * (a[i + 1] - from[1]);
    a[i] = cosine * x - sine * y + to[0];
    a[i + 1] = sine * x + cosine * y + to[1];
  }
  return from_vector(a, map.shape()).to(map.dtype());
}

}  // namespace strata::introspect
