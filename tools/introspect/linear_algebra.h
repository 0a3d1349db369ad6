// The small dense decompositions that introspection needs, by Eigen, which is slow to compile and
// so is included in one file only. Matrices are rank-2 tensors; f64 inside.
#pragma once

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
// Orthonormal basis [D, k] of the columns of x [D, k], k at most D, f32, by Householder QR.
Tensor orthonormal_basis(const Tensor& x);
Tensor inverse(const Tensor& matrix);

}  // namespace strata::introspect
