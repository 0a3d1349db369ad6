// The small dense decompositions that introspection needs, by Eigen, which is slow to compile and
// so is included here and in maps/fft2.cpp only. Matrices are rank-2 tensors; f64 inside.
#pragma once

#include <complex>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// Eigenvalues of a symmetric matrix [N, N], descending, and the eigenvectors as columns [N, N]
// (f64).
struct EigenPairs {
  std::vector<double> values;
  Tensor vectors;
};
EigenPairs symmetric_eigen(const Tensor& matrix);
// The values alone: a third of the time.
std::vector<double> symmetric_eigenvalues(const Tensor& matrix);
// Orthonormal basis [D, k] of the columns of x [D, k], k at most D, by Householder QR; f64 for f64,
// else f32.
Tensor orthonormal_basis(const Tensor& x);
Tensor inverse(const Tensor& matrix);
// Inverse of a symmetric positive definite matrix, by Cholesky: a third of the time, and an error
// when the matrix is not that.
Tensor inverse_positive(const Tensor& matrix);
// x [M, N] = left diag(values) right', values descending; left [M, r], right [N, r], r = min(M, N)
// (f64).
struct ThinSvd {
  Tensor left;
  std::vector<double> values;
  Tensor right;
};
ThinSvd thin_svd(const Tensor& x);
std::vector<double> singular_values(const Tensor& x);
// Of any square matrix, in no order.
std::vector<std::complex<double>> eigenvalues(const Tensor& matrix);

}  // namespace strata::introspect
