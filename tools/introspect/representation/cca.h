// Canonical correlations (Hotelling 1936) between two representations of the same examples, and the
// similarity scores made of them. Invariant to every invertible linear map of either side: more
// than CKA is, and too much where there are few examples.
//
// With centred X = U_x S_x V_x' and Y alike, the correlations are the singular values of U_x'U_y.
// Directions whose singular value is below 1e-10 (f32: 1e-5) of the largest are noise and left out.
//
// Two spaces of dimensions p and q among n - 1 meet in p + q - (n - 1): so many correlations are 1
// whatever is in the data, all of them when p or q is n - 1. `warning` then says so; more examples,
// or SVCCA, are the way out. Representations that share nothing have a mean squared correlation of
// max(p, q) / (n - 1), `null_mean_squared`; compare with that, not with 0.
#pragma once

#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

struct Canonical {
  std::vector<double> correlations;  // min(p, q), descending, in [0, 1]
  int64_t p = 0, q = 0;              // dimensions that took part
  double mean = 0;                   // mean CCA
  double mean_squared = 0;           // R^2 CCA
  double weighted = 0;               // PWCCA
  double null_mean_squared = 0;
  std::string warning;  // "" or why the figures mean little
};

// x [n, D], y [n, E], floating; n at least 3. `weighted` is projection-weighted CCA (Morcos, Raghu
// and Bengio 2018): correlations weighted by how much of x their direction carries, sum_j |h_i .
// x_j|; not symmetric.
Canonical canonical_correlations(const Tensor& x, const Tensor& y);
// SVCCA (Raghu et al. 2017): CCA of the leading principal components of each side that hold
// `share` of its variance, 0 < share <= 1. A share of 1 is CCA.
Canonical svcca(const Tensor& x, const Tensor& y, double share = 0.99);

}  // namespace strata::introspect
