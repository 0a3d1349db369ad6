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

template <class T>
Tensor basis_of(const Tensor& x) {
  auto values = x.to_vector<T>();
  Eigen::MatrixX<T> columns = Eigen::Map<RowMajor<T>>(values.data(), x.size(0), x.size(1));
  Eigen::HouseholderQR<Eigen::MatrixX<T>> qr(columns);
  Eigen::MatrixX<T> q = qr.householderQ() * Eigen::MatrixX<T>::Identity(x.size(0), x.size(1));
  return as_tensor(q);
}

Eigen::MatrixXd matrix_of(const char* op, const Tensor& x) {
  if (x.rank() != 2) fail(op, Caller{}, "{} is not a matrix", describe(x));
  auto values = x.to_vector<double>();
  return Eigen::Map<RowMajor<double>>(values.data(), x.size(0), x.size(1));
}

std::vector<double> as_vector(const Eigen::VectorXd& v) { return {v.data(), v.data() + v.size()}; }

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
  return x.dtype() == DType::f64 ? basis_of<double>(x) : basis_of<float>(x);
}

Tensor inverse(const Tensor& matrix) {
  Eigen::MatrixXd result = square_matrix("inverse", matrix).inverse();
  return as_tensor(result);
}

Tensor inverse_positive(const Tensor& matrix) {
  Eigen::LLT<Eigen::MatrixXd> cholesky(square_matrix("inverse_positive", matrix));
  if (cholesky.info() != Eigen::Success) {
    fail("inverse_positive", Caller{}, "{} is not positive definite", describe(matrix));
  }
  Eigen::MatrixXd result =
      cholesky.solve(Eigen::MatrixXd::Identity(matrix.size(0), matrix.size(0)));
  return as_tensor(result);
}

ThinSvd thin_svd(const Tensor& x) {
  Eigen::BDCSVD<Eigen::MatrixXd> svd(matrix_of("thin_svd", x),
                                     Eigen::ComputeThinU | Eigen::ComputeThinV);
  return {as_tensor(Eigen::MatrixXd(svd.matrixU())), as_vector(svd.singularValues()),
          as_tensor(Eigen::MatrixXd(svd.matrixV()))};
}

std::vector<double> singular_values(const Tensor& x) {
  return as_vector(
      Eigen::BDCSVD<Eigen::MatrixXd>(matrix_of("singular_values", x)).singularValues());
}

std::vector<std::complex<double>> eigenvalues(const Tensor& matrix) {
  Eigen::VectorXcd values =
      Eigen::EigenSolver<Eigen::MatrixXd>(square_matrix("eigenvalues", matrix), false)
          .eigenvalues();
  return {values.data(), values.data() + values.size()};
}

}  // namespace strata::introspect
