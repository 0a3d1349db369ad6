#include "tools/introspect/representation/features.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

// Orthonormal columns [D, at least count] that span the leading principal directions.
Tensor leading_basis(const Tensor& centred, int64_t count, int iterations) {
  int64_t n = centred.size(0), d = centred.size(1);
  int64_t width = std::min({count + 16, d, n});  // oversampling makes the last directions accurate
  Generator generator(20131);
  Tensor basis = orthonormal_basis(randn({d, width}, 0, 1, centred.dtype(), &generator));
  for (int i = 0; i < iterations; ++i) {
    basis = orthonormal_basis(matmul(centred.transpose(0, 1), matmul(centred, basis)).contiguous());
  }
  return basis;
}

Tensor exact_basis(const Tensor& centred, int64_t count) {
  Tensor transposed = centred.transpose(0, 1);
  if (centred.size(1) <= centred.size(0)) {
    return symmetric_eigen(matmul(transposed, centred))
        .vectors.slice(1, 0, count)
        .to(centred.dtype());
  }
  Tensor left = symmetric_eigen(matmul(centred, transposed)).vectors.slice(1, 0, count);
  return orthonormal_basis(matmul(transposed, left.to(centred.dtype())).contiguous());
}

}  // namespace

Tensor pooled_features(const Tensor& activation, int64_t grid) {
  NoGrad off;
  Tensor x = activation.detach().to(DType::f32);
  if (x.rank() == 4) {
    x = adaptive_avg_pool2d(x, std::min(grid, x.size(1)), std::min(grid, x.size(2)));
    return x.contiguous().flatten(1);
  }
  if (x.rank() == 3) return mean(x, {1});
  if (x.rank() == 2) return x.contiguous();
  fail("pooled_features", Caller{}, "{} is not [N, H, W, C], [N, T, C] or [N, C]", describe(x));
}

PrincipalComponents principal_components(const Tensor& features, int64_t count, int iterations) {
  NoGrad off;
  Tensor x = features.dtype() == DType::f64 ? features : features.to(DType::f32);
  if (x.rank() != 2 || x.size(0) < 2) {
    fail("principal_components", Caller{}, "{} must be [N, D] with N at least 2", describe(x));
  }
  int64_t n = x.size(0), d = x.size(1);
  count = std::min({count, d, n - 1});
  PrincipalComponents result;
  result.mean = mean(x, {0});
  Tensor centred = x - result.mean;
  result.total_variance = sum(square(centred)).item() / static_cast<double>(n);
  Tensor basis =
      iterations == 0 ? exact_basis(centred, count) : leading_basis(centred, count, iterations);
  Tensor scores = matmul(centred, basis);
  Tensor small = matmul(scores.transpose(0, 1), scores) / static_cast<double>(n);
  EigenPairs pairs = symmetric_eigen(small);
  for (int64_t j = 0; j < count; ++j) {
    result.variances.push_back(std::max(0.0, pairs.values[static_cast<size_t>(j)]));
  }
  result.directions = matmul(basis, pairs.vectors.slice(1, 0, count).to(x.dtype()));
  return result;
}

Tensor project(const Tensor& x, const PrincipalComponents& components, bool whiten) {
  NoGrad off;
  Tensor scores = matmul(x - components.mean, components.directions);
  if (!whiten) return scores;
  std::vector<double> factors;
  for (double v : components.variances) {
    bool noise = v <= 1e-6 * components.variances[0] || v <= 0;
    factors.push_back(noise ? 0.0 : 1 / std::sqrt(v));
  }
  return scores * from_vector(factors, {static_cast<int64_t>(factors.size())}).to(scores.dtype());
}

}  // namespace strata::introspect
