// Principal components (Pearson 1901, Hotelling 1933), exactly: eigenvectors of the covariance in
// f64 (of the Gram matrix where there are fewer rows than columns). N D min(N, D) + min(N, D)^3
// operations; representation/features.h has a randomised one for layers with many features.
//
// Signs are fixed: the entry of largest magnitude of each direction is positive.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

struct Pca {
  Tensor mean;                    // [D]; all f64
  Tensor directions;              // [D, k], orthonormal columns
  std::vector<double> variances;  // k, descending, of the N - 1 convention
  double total_variance = 0;      // of all directions, kept or not

  // variances / total_variance: they sum to 1 when every direction is kept.
  std::vector<double> explained() const;
  // Scores (x - mean) directions, [N, k] f64. Whitened: each divided by its deviation, so that the
  // covariance of the training rows is the identity; directions without variance give 0.
  Tensor transform(const Tensor& x, bool whiten = false) const;
  // Back from (unwhitened) scores [N, k] to [N, D]; x itself when all its variance is kept.
  Tensor inverse(const Tensor& scores) const;
};

// x [N, D], f32 or f64, N at least 2; 1 <= count <= min(N - 1, D).
Pca fit_pca(const Tensor& x, int64_t count, Caller at = Caller::here());

}  // namespace strata::introspect
