#include "tools/introspect/geometry.h"

#include <Eigen/Dense>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

Eigen::VectorXd spectrum(const Tensor& gram) {
  if (gram.rank() != 2 || gram.size(0) != gram.size(1)) {
    fail("spectrum", Caller{}, "{} is not a Gram matrix [N, N]", describe(gram));
  }
  auto values = gram.to_vector<double>();
  Eigen::Map<Eigen::MatrixXd> matrix(values.data(), gram.size(0), gram.size(0));
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix, Eigen::EigenvaluesOnly);
  return solver.eigenvalues().cwiseMax(0.0);
}

}  // namespace

double effective_rank(const Tensor& gram) {
  Eigen::VectorXd values = spectrum(gram);
  double total = values.sum(), entropy = 0;
  if (total <= 0) return 0;
  for (double v : values) {
    if (v > 0) entropy -= v / total * std::log(v / total);
  }
  return std::exp(entropy);
}

double participation_ratio(const Tensor& gram) {
  Eigen::VectorXd values = spectrum(gram);
  double squares = values.squaredNorm();
  return squares > 0 ? values.sum() * values.sum() / squares : 0;
}

double share_of_zeros(const Tensor& activation) {
  NoGrad off;
  if (activation.numel() == 0) return 0;
  return mean(equal(activation, zeros({}, activation.dtype())).to(DType::f32)).item();
}

double hoyer_sparsity(const Tensor& x) {
  NoGrad off;
  auto l1 = sum(abs(x), {1}).to_vector<double>(), l2 = norm(x, {1}).to_vector<double>();
  double root = std::sqrt(static_cast<double>(x.size(1))), total = 0, rows = 0;
  for (size_t i = 0; i < l1.size(); ++i) {
    if (l2[i] == 0) continue;
    total += (root - l1[i] / l2[i]) / (root - 1);
    ++rows;
  }
  return rows > 0 ? total / rows : 0;
}

}  // namespace strata::introspect
