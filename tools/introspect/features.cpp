#include "tools/introspect/features.h"

#include <Eigen/Dense>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<Matrix> as_eigen(const Tensor& x) { return {x.data<float>(), x.size(0), x.size(1)}; }

// Orthonormal basis of the columns of x [D, k].
Tensor orthonormalized(const Tensor& x) {
  Eigen::MatrixXf columns = as_eigen(x);
  Eigen::HouseholderQR<Eigen::MatrixXf> qr(columns);
  Tensor q = empty(x.shape());
  as_eigen(q) = qr.householderQ() * Eigen::MatrixXf::Identity(x.size(0), x.size(1));
  return q;
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

PrincipalComponents principal_components(const Tensor& x, int64_t count, int iterations) {
  NoGrad off;
  if (x.rank() != 2 || x.size(0) < 2) {
    fail("principal_components", Caller{}, "{} must be [N, D] with N at least 2", describe(x));
  }
  int64_t n = x.size(0), d = x.size(1);
  count = std::min({count, d, n - 1});
  int64_t width = std::min({count + 16, d, n});  // oversampling makes the last directions accurate
  PrincipalComponents result;
  result.mean = mean(x, {0});
  Tensor centred = x - result.mean;
  result.total_variance = sum(square(centred)).item() / static_cast<double>(n);
  Generator generator(20131);
  Tensor basis = orthonormalized(randn({d, width}, 0, 1, DType::f32, &generator));
  for (int i = 0; i < iterations; ++i) {
    basis = orthonormalized(matmul(centred.transpose(0, 1), matmul(centred, basis)).contiguous());
  }
  Tensor scores = matmul(centred, basis);
  Tensor small = matmul(scores.transpose(0, 1), scores).contiguous();
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(as_eigen(small).cast<double>() /
                                                        static_cast<double>(n));
  Tensor rotation = empty({width, count});
  auto r = as_eigen(rotation);
  for (int64_t j = 0; j < count; ++j) {  // Eigen sorts ascending
    r.col(j) = solver.eigenvectors().col(width - 1 - j).cast<float>();
    result.variances.push_back(std::max(0.0, solver.eigenvalues()(width - 1 - j)));
  }
  result.directions = matmul(basis, rotation);
  return result;
}

Tensor project(const Tensor& x, const PrincipalComponents& components, bool whiten) {
  NoGrad off;
  Tensor scores = matmul(x - components.mean, components.directions);
  if (!whiten) return scores;
  std::vector<float> factors;
  for (double v : components.variances) {
    bool noise = v <= 1e-6 * components.variances[0] || v <= 0;
    factors.push_back(noise ? 0.0f : static_cast<float>(1 / std::sqrt(v)));
  }
  return scores * from_vector(factors, {static_cast<int64_t>(factors.size())});
}

}  // namespace strata::introspect
