// t-SNE (van der Maaten and Hinton 2008), exact: a map in two dimensions in which neighbours stay
// neighbours.
//
//   P: Gaussian affinities whose entropy is log(perplexity), symmetrised, sum 1;
//   Q: q_ij proportional to 1 / (1 + |y_i - y_j|^2);  minimises KL(P || Q) by gradient descent with
//   momentum and gains (Jacobs 1988), early exaggeration, and a start from the first two principal
//   components (Kobak and Linderman 2021). N^2 time and memory; the same bits for any thread count.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/maps/quality.h"

namespace strata::introspect {

struct TsneOptions {
  double perplexity = 30;
  int iterations = 400;
  int exaggerated = 100;     // iterations with P multiplied by 12
  double learning_rate = 0;  // 0: max(50, N / 12 / 4)
};
struct TsneResult {
  Tensor map;             // [N, 2], f32, mean 0
  double divergence = 0;  // KL(P || Q)
};
// x [N, D], f32. `start` [N, 2]: where to start instead (to keep a map aligned to an earlier one).
TsneResult tsne(const Tensor& x, const TsneOptions& options = {}, const Tensor& start = {});

// The pieces, for tests. Symmetric affinities [N, N] f64, sum 1; a row's entropy before
// symmetrising is log(perplexity) to 1e-5.
std::vector<double> tsne_affinities(const Tensor& x, double perplexity);
// Gradient of KL at y [N, 2] and the divergence itself.
std::vector<double> tsne_gradient(const std::vector<double>& affinities,
                                  const std::vector<double>& y, double* divergence);

}  // namespace strata::introspect
