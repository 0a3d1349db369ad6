// How a layer uses its space: how many dimensions its examples fill, how sparse its code is, how
// well classes lie apart, how slowly it changes.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// The first three take the Gram matrix [N, N] of centred features (gram() in similarity.h), whose
// eigenvalues are N times those of the covariance.
//
// exp(entropy of the eigenvalues of the covariance, normalised to sum 1) (Roy and Vetterli 2007): D
// for an isotropic cloud, 1 for a line (N - 1 at most).
double effective_rank(const Tensor& gram);
// (sum lambda)^2 / sum lambda^2; 1 / (1/D + 1/N) for N rows of isotropic Gaussian data.
double participation_ratio(const Tensor& gram);
// Eigenvalues above `tolerance` of the largest; 0 is N times the rounding of the type.
int64_t numerical_rank(const Tensor& gram, double tolerance = 0);
// Eigenvalues of the covariance (1/N) of x [N, D], descending, min(N, D) of them. For isotropic
// noise of variance 1 they lie between (1 - sqrt(D/N))^2 and (1 + sqrt(D/N))^2 (Marchenko and
// Pastur 1967): what sticks out is structure.
std::vector<double> covariance_spectrum(const Tensor& x);
struct NoiseEdges {
  double low = 0, high = 0;
};
NoiseEdges marchenko_pastur(int64_t n, int64_t d, double variance = 1);

// Intrinsic dimension by the ratio mu of the distances to the second and the first neighbour (Facco
// et al. 2017, "Estimating the intrinsic dimension of datasets by a minimal neighborhood
// information"): the slope through 0 of -log(1 - F(mu)) against log mu, its largest tenth left out.
// Biased low in many dimensions (8.6 for 10 at 1000 points). Rows that have a duplicate are left
// out; N at least 10 different rows.
double two_nearest_dimension(const Tensor& x);

// Mean over rows of (b - a) / max(a, b), a the mean Euclidean distance to the other rows of the own
// class, b the smallest mean distance to another class (Rousseeuw 1987): 1 for tight classes far
// apart, 0 for none, below 0 for wrong ones. Rows alone in their class count 0. Two classes at
// least. N^2 distances, in tiles.
double silhouette(const Tensor& x, const std::vector<int64_t>& labels);

// Share of entries that are exactly 0.
double share_of_zeros(const Tensor& activation);
// Mean over rows of Hoyer's measure (sqrt(D) - |x|_1/|x|_2) / (sqrt(D) - 1): 0 for a constant row,
// 1 for one-hot (Hoyer 2004). Rows of zeros do not count. x [N, D], D at least 2.
double hoyer_sparsity(const Tensor& x);

// Mean square of the change from one step to the next over the variance, a unit: 2 for noise
// without memory, 0 for a constant in time (Wiskott and Sejnowski 2002). x [N, T, C], T at least 2
// -> [C] f64; units that never vary give 0. Differences are within a sequence, the variance is over
// all.
Tensor slowness(const Tensor& x);

}  // namespace strata::introspect
