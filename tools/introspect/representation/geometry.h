// How a layer uses its space: effective rank and sparsity.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// exp(entropy of the eigenvalues of the covariance, normalised to sum 1) (Roy and Vetterli 2007): D
// for an isotropic cloud, 1 for a line. From the Gram matrix [N, N] of centred features (N - 1 at
// most).
double effective_rank(const Tensor& gram);
// (sum lambda)^2 / sum lambda^2.
double participation_ratio(const Tensor& gram);
// Share of entries that are exactly 0.
double share_of_zeros(const Tensor& activation);
// Mean over rows of Hoyer's measure (sqrt(D) - |x|_1/|x|_2) / (sqrt(D) - 1): 0 for a constant row,
// 1 for one-hot (Hoyer 2004). Rows of zeros do not count. x [N, D].
double hoyer_sparsity(const Tensor& x);

}  // namespace strata::introspect
