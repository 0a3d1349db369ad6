// From activations to the vectors that probes, CKA and maps work on.
//
// A layer's code is its activation averaged over a grid of cells (position stays in it, size does
// not explode), then, for probes, projected on its leading principal components and whitened, so
// that every layer is judged through the same number of dimensions.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// [N, H, W, C] -> [N, grid * grid * C] by adaptive averages (grid at most H and W); [N, T, C] ->
// mean over T; [N, C] as it is.
Tensor pooled_features(const Tensor& activation, int64_t grid = 4);

// Mean and leading principal directions of x [N, D], f32 or f64 (others become f32), by randomised
// subspace iteration (Halko, Martinsson and Tropp 2011), or, with `iterations` 0, exactly, by the
// eigenvectors of the covariance or of the Gram matrix, whichever is smaller. Deterministic.
struct PrincipalComponents {
  Tensor mean;                    // [D]
  Tensor directions;              // [D, k], orthonormal columns
  std::vector<double> variances;  // k, descending: variance (1/N) along each direction
  double total_variance = 0;
};
PrincipalComponents principal_components(const Tensor& x, int64_t count, int iterations = 3);

// (x - mean) directions, [N, k]; whitened: each divided by its standard deviation (directions whose
// variance is below 1e-6 of the largest give 0 rather than noise).
Tensor project(const Tensor& x, const PrincipalComponents& components, bool whiten);

}  // namespace strata::introspect
