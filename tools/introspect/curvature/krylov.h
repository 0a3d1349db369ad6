// Krylov methods for symmetric linear maps that are known by their products only: the Hessian, the
// Fisher matrix. Vectors are [size], of the map's type; random starts come from a seed.
//
//   Lanczos with full reorthogonalisation (Lanczos 1950; Paige 1972): k steps are k products,
//   O(k^2 size) arithmetic and k vectors of memory.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/ops/random.h"
#include "engine/tensor/tensor.h"

namespace strata::introspect {

struct LinearMap {
  int64_t size = 0;
  DType dtype = DType::f32;
  std::function<Tensor(const Tensor&)> product;  // [size] -> [size]

  // A vector that does not fit is an error.
  Tensor operator()(const Tensor& v) const;
};

struct TopOptions {
  int count = 1;
  int steps = 100;          // at most
  double tolerance = 1e-6;  // of |A v - lambda v|, as a share of the largest |lambda|
  uint64_t seed = 1;
};
struct TopPairs {
  std::vector<double> values;     // descending
  Tensor vectors;                 // [count, size], orthonormal
  std::vector<double> residuals;  // |A v - lambda v| of each
  int steps = 0;                  // products used
};
// The largest eigenvalues (for the smallest, negate the map) and their eigenvectors. Repeated
// eigenvalues are all found where the steps reach the size; otherwise rounding has to show them,
// and one may be missed. `residuals` say how far those given are from eigenpairs.
TopPairs top_eigenpairs(const LinearMap& map, const TopOptions& options = {});

struct SpectrumOptions {
  int probes = 8;
  int steps = 40;
  uint64_t seed = 1;
};
// Stochastic Lanczos quadrature (Golub and Welsch 1969; Ubaru, Chen and Saad 2017; Ghorbani et al.
// 2019, "An investigation into neural net optimization via Hessian eigenvalue density"): nodes and
// weights (summing to 1) of the distribution of eigenvalues, sum_i w_i f(x_i) ~ tr f(A) / size.
// Each probe integrates polynomials of degree up to 2 steps - 1 exactly.
struct Spectrum {
  std::vector<double> nodes, weights;
  // Density at `at`, each node a Gaussian of this deviation.
  std::vector<double> density(const std::vector<double>& at, double deviation) const;
};
Spectrum spectrum(const LinearMap& map, const SpectrumOptions& options = {});

struct TraceEstimate {
  double value = 0;
  double standard_error = 0;  // of the probes' mean
};
// Hutchinson 1990: mean of v'Av over vectors v of random signs; at least 2 probes.
TraceEstimate trace(const LinearMap& map, int probes = 32, uint64_t seed = 1);

struct Solution {
  Tensor x;             // [size]
  int steps = 0;        // products used
  double residual = 0;  // |(A + damping) x - b| / |b|
};
struct SolveOptions {
  double damping = 0;
  double tolerance = 1e-6;
  int steps = 1000;  // at most
};
// (A + damping I) x = b by conjugate gradients (Hestenes and Stiefel 1952). A direction of negative
// curvature is an error that says how much damping would lift it.
Solution solve(const LinearMap& map, const Tensor& b, const SolveOptions& options = {});

// Random signs [size].
Tensor rademacher(int64_t size, DType dtype, Generator& generator);

}  // namespace strata::introspect
