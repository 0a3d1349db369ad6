#include "tools/introspect/representation/distances.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {

Tensor squared_distances(const Tensor& a, const Tensor& b) {
  NoGrad off;
  if (a.rank() != 2 || b.rank() != 2 || a.size(1) != b.size(1) || a.dtype() != b.dtype()) {
    fail("squared_distances", Caller{}, "{} and {} must be [m, D] and [n, D] of one type",
         describe(a), describe(b));
  }
  Tensor shift = mean(b, {0}), left = a - shift, right = b - shift;
  Tensor result = matmul(left, right.transpose(0, 1)) * -2.0;
  add_(result, sum(square(left), {1}, true));
  add_(result, sum(square(right), {1}, true).transpose(0, 1));
  return maximum(result, zeros({}, a.dtype()));
}

double median_distance(const Tensor& x) {
  NoGrad off;
  if (x.rank() != 2 || x.size(0) < 2) {
    fail("median_distance", Caller{}, "{} must be [n, D] with n at least 2", describe(x));
  }
  auto all = squared_distances(x, x).to_vector<double>();
  auto n = static_cast<size_t>(x.size(0));
  std::vector<double> pairs;
  pairs.reserve(n * (n - 1) / 2);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j) pairs.push_back(all[i * n + j]);
  }
  auto middle = pairs.begin() + static_cast<std::ptrdiff_t>(pairs.size() / 2);
  std::nth_element(pairs.begin(), middle, pairs.end());
  return std::sqrt(*middle);
}

}  // namespace strata::introspect
