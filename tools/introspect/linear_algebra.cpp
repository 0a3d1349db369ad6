#include "tools/introspect/linear_algebra.h"

#include <Eigen/Dense>
#include <algorithm>

namespace strata::introspect {
namespace {

template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::MatrixXd square_matrix(const char* op, const Tensor& matrix) {
  if (matrix.rank() != 2 || matrix.size(0) != matrix.size(1)) {
    fail(op, Caller{}, "{} is not a square matrix", describe(matrix));
  }
  auto values = matrix.to_vector<double>();
  return Eigen::Map<RowMajor<double>>(values.data(), matrix.size(0), matrix.size(0));
}

template <class M>
Tensor as_tensor(const M& matrix) {
  using T = typename M::Scalar;
  Tensor out = empty({matrix.rows(), matrix.cols()}, dtype_of<T>());
  Eigen::Map<RowMajor<T>>(out.data<T>(), matrix.rows(), matrix.cols()) = matrix;
  return out;
}

std::vector<double> descending(const Eigen::VectorXd& ascending) {
  std::vector<double> values(ascending.data(), ascending.data() + ascending.size());
  std::reverse(values.begin(), values.end());
  return values;
}

}  // namespace

EigenPairs symmetric_eigen(const Tensor& matrix) {
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(square_matrix("symmetric_eigen", matrix));
  Eigen::MatrixXd vectors = solver.eigenvectors().rowwise().reverse();
  return {descending(solver.eigenvalues()), as_tensor(vectors)};
}

std::vector<double> symmetric_eigenvalues(const Tensor& matrix) {
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(
      square_matrix("symmetric_eigenvalues", matrix), Eigen::EigenvaluesOnly);
  return descending(solver.eigenvalues());
}

Tensor orthonormal_basis(const Tensor& x) {
  auto values = x.to_vector<float>();
  Eigen::MatrixXf columns = Eigen::Map<RowMajor<float>>(values.data(), x.size(0), x.size(1));
  Eigen::HouseholderQR<Eigen::MatrixXf> qr(columns);
  Eigen::MatrixXf q = qr.householderQ() * Eigen::MatrixXf::Identity(x.size(0), x.size(1));
  return as_tensor(q);
}

Tensor inverse(const Tensor& matrix) {
  Eigen::MatrixXd result = square_matrix("inverse", matrix).inverse();
  return as_tensor(result);
}

}  // namespace strata::introspect
