// Point clouds with known answers, for tests of representations.
#pragma once

#include <vector>

#include "engine/ops.h"

namespace strata::introspect::test {

inline Tensor gaussian(int64_t n, int64_t d, uint64_t seed, DType dtype = DType::f64) {
  Generator generator(seed);
  return randn({n, d}, 0, 1, dtype, &generator);
}

// Product of random Householder reflections: an orthogonal matrix [d, d].
inline Tensor orthogonal(int64_t d, uint64_t seed) {
  Tensor q = eye(d, DType::f64);
  for (uint64_t i = 0; i < 3; ++i) {
    Tensor v = gaussian(d, 1, seed + i);
    Tensor reflection =
        eye(d, DType::f64) - 2.0 * matmul(v, v.transpose(0, 1)) / sum(square(v)).item();
    q = matmul(q, reflection);
  }
  return q;
}

struct Clouds {
  Tensor x;
  std::vector<int64_t> labels;
};

// Two Gaussian clouds in `dimensions`, `distance` apart along the first axis; labels alternate.
inline Clouds two_clouds(int64_t n, int64_t dimensions, double distance, uint64_t seed) {
  Tensor x = gaussian(n, dimensions, seed);
  std::vector<int64_t> labels;
  double* data = x.data<double>();
  for (int64_t i = 0; i < n; ++i) {
    labels.push_back(i % 2);
    data[i * dimensions] += i % 2 ? distance / 2 : -distance / 2;
  }
  return {x, labels};
}

}  // namespace strata::introspect::test
