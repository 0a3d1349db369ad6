#include "tools/introspect/representation/cca.h"

#include <algorithm>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

// Orthonormal directions [n, r] of the centred examples that hold `share` of the variance.
Tensor basis_of(const Tensor& centred, double share, double rounding) {
  ThinSvd svd = thin_svd(centred);
  double total = 0, held = 0;
  for (double s : svd.values) total += s * s;
  int64_t rank = 0;
  for (double s : svd.values) {
    if (s <= rounding * svd.values[0] || (share < 1 && held >= share * total)) break;
    held += s * s;
    ++rank;
  }
  return svd.left.slice(1, 0, rank);
}

std::string warning_of(int64_t n, int64_t p, int64_t q) {
  int64_t shared = p + q - (n - 1);
  if (p == 0 || q == 0) return "a representation is constant";
  if (shared <= 0) return "";
  return fmt::format(
      "{} examples are too few for {} and {} dimensions: {} of {} correlations are 1 whatever the "
      "data",
      n, p, q, std::min({shared, p, q}), std::min(p, q));
}

// sum_i w_i rho_i / sum_i w_i, w_i = sum_j |h_i . x_j| for the canonical directions h_i of x.
double projection_weighted(const Tensor& x, const Tensor& directions,
                           const std::vector<double>& correlations) {
  auto weights = sum(abs(matmul(directions.transpose(0, 1), x)), {1}).to_vector<double>();
  double total = 0, weighted = 0;
  for (size_t i = 0; i < correlations.size(); ++i) {
    total += weights[i];
    weighted += weights[i] * correlations[i];
  }
  return total > 0 ? weighted / total : 0;
}

Canonical correlate(const Tensor& x, const Tensor& y, double share) {
  NoGrad off;
  if (x.rank() != 2 || y.rank() != 2 || x.size(0) != y.size(0) || x.size(0) < 3) {
    fail("cca", Caller{}, "{} and {} must be [n, D] and [n, E] with n at least 3", describe(x),
         describe(y));
  }
  if (!(share > 0 && share <= 1)) {
    fail("cca", Caller{}, "the share of variance is {}; it must be in (0, 1]", share);
  }
  auto rounding = [](const Tensor& t) { return t.dtype() == DType::f64 ? 1e-10 : 1e-5; };
  Tensor a = x.to(DType::f64), b = y.to(DType::f64);
  a = a - mean(a, {0});
  b = b - mean(b, {0});
  Tensor u = basis_of(a, share, rounding(x)), v = basis_of(b, share, rounding(y));
  Canonical result;
  result.p = u.size(1);
  result.q = v.size(1);
  result.warning = warning_of(x.size(0), result.p, result.q);
  result.null_mean_squared =
      static_cast<double>(std::max(result.p, result.q)) / static_cast<double>(x.size(0) - 1);
  if (result.p == 0 || result.q == 0) return result;
  ThinSvd svd = thin_svd(matmul(u.transpose(0, 1), v));
  for (double c : svd.values) result.correlations.push_back(std::clamp(c, 0.0, 1.0));
  double count = static_cast<double>(result.correlations.size());
  for (double c : result.correlations) {
    result.mean += c / count;
    result.mean_squared += c * c / count;
  }
  // The part of x that takes part, so that SVCCA's weights do not see what it dropped.
  Tensor kept = matmul(u, matmul(u.transpose(0, 1), a));
  result.weighted = projection_weighted(kept, matmul(u, svd.left), result.correlations);
  return result;
}

}  // namespace

Canonical canonical_correlations(const Tensor& x, const Tensor& y) { return correlate(x, y, 1); }

Canonical svcca(const Tensor& x, const Tensor& y, double share) { return correlate(x, y, share); }

}  // namespace strata::introspect
