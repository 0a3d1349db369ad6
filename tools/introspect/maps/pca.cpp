#include "tools/introspect/maps/pca.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

// Turns each column so that its entry of largest magnitude is positive.
Tensor with_fixed_signs(const Tensor& columns) {
  Tensor result = columns.contiguous().clone();
  int64_t d = result.size(0), k = result.size(1);
  double* data = result.data<double>();
  for (int64_t j = 0; j < k; ++j) {
    int64_t largest = 0;
    for (int64_t i = 1; i < d; ++i) {
      if (std::abs(data[i * k + j]) > std::abs(data[largest * k + j])) largest = i;
    }
    if (data[largest * k + j] >= 0) continue;
    for (int64_t i = 0; i < d; ++i) data[i * k + j] = -data[i * k + j];
  }
  return result;
}

}  // namespace

std::vector<double> Pca::explained() const {
  std::vector<double> shares;
  for (double v : variances) shares.push_back(total_variance > 0 ? v / total_variance : 0);
  return shares;
}

Tensor Pca::transform(const Tensor& x, bool whiten) const {
  NoGrad off;
  if (x.rank() != 2 || x.size(1) != mean.size(0)) {
    fail("pca", Caller{}, "{} does not have the {} columns the components were fitted on",
         describe(x), mean.size(0));
  }
  Tensor scores = matmul(x.to(DType::f64) - mean, directions);
  if (!whiten) return scores;
  std::vector<double> factors;
  for (double v : variances) factors.push_back(v > 1e-14 * total_variance ? 1 / std::sqrt(v) : 0);
  return scores * from_vector(factors, {static_cast<int64_t>(factors.size())});
}

Tensor Pca::inverse(const Tensor& scores) const {
  NoGrad off;
  if (scores.rank() != 2 || scores.size(1) != directions.size(1)) {
    fail("pca", Caller{}, "{} does not have a column for each of the {} components",
         describe(scores), directions.size(1));
  }
  return matmul(scores.to(DType::f64), directions.transpose(0, 1)) + mean;
}

Pca fit_pca(const Tensor& x, int64_t count, Caller at) {
  NoGrad off;
  if (x.rank() != 2 || x.size(0) < 2) {
    fail("pca", at, "{} must be [N, D] with N at least 2", describe(x));
  }
  int64_t n = x.size(0), d = x.size(1);
  if (count < 1 || count > std::min(n - 1, d)) {
    fail("pca", at, "{} components of {}: needs 1 to {}", count, describe(x), std::min(n - 1, d));
  }
  Pca pca;
  Tensor points = x.detach().to(DType::f64);
  pca.mean = mean(points, {0});
  Tensor centred = (points - pca.mean).contiguous();
  Tensor across = centred.transpose(0, 1);
  double degrees = static_cast<double>(n - 1);
  pca.total_variance = sum(square(centred)).item() / degrees;
  bool wide = d > n;
  EigenPairs pairs = symmetric_eigen(wide ? matmul(centred, across) : matmul(across, centred));
  Tensor leading = pairs.vectors.slice(1, 0, count);
  std::vector<double> lengths;
  for (int64_t j = 0; j < count; ++j) {
    double value = std::max(0.0, pairs.values[static_cast<size_t>(j)]);
    pca.variances.push_back(value / degrees);
    lengths.push_back(value > 0 ? 1 / std::sqrt(value) : 0);
  }
  if (wide) leading = matmul(across, leading) * from_vector(lengths, {count});
  pca.directions = with_fixed_signs(leading);
  return pca;
}

}  // namespace strata::introspect
