// Attribution by the gradient of a score: which inputs a small change of which would change it.
// Results are signed and in x's shape; the score and its targets are those of target.h. One
// gradient costs a forward and a backward pass (the gradients of weights are not computed).
//
//   gradient            d f / d x                  Simonyan et al. 2013, arXiv 1312.6034
//   gradient x input    x d f / d x                Shrikumar et al. 2016, arXiv 1605.01713
//   SmoothGrad          E[d f(x + e) / d x]        Smilkov et al. 2017, arXiv 1706.03825
//   SmoothGrad-squared  E[(d f(x + e) / d x)^2]    Hooker et al. 2019, arXiv 1806.10758
//   VarGrad             Var[d f(x + e) / d x]      Adebayo et al. 2018, arXiv 1810.03307
//
// For a network that is homogeneous of degree 1 (ReLUs, no biases) gradient x input adds up to f.
#pragma once

#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/attribution/cam.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {

Tensor gradient_saliency(const Scores& model, const Tensor& x, const std::vector<int64_t>& target);
Tensor gradient_times_input(const Scores& model, const Tensor& x,
                            const std::vector<int64_t>& target);

struct SmoothGradOptions {
  int samples = 16;
  double noise = 0.15;  // standard deviation as a share of each image's range
  uint64_t seed = 1;
};
// Moments of the gradients at x plus Gaussian noise. They are kept running (Welford 1962), so
// memory does not grow with the samples. Sample k adds the same noise, scaled to the range, to
// every example: a batch gives the same as its examples alone.
struct GradientMoments {
  Tensor mean;      // SmoothGrad
  Tensor squared;   // SmoothGrad-squared: mean of the squares
  Tensor variance;  // VarGrad: squared - mean^2
};
GradientMoments noisy_gradient_moments(const Scores& model, const Tensor& x,
                                       const std::vector<int64_t>& target,
                                       const SmoothGradOptions& options = {});
Tensor smooth_grad(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                   const SmoothGradOptions& options = {});
Tensor smooth_grad_squared(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                           const SmoothGradOptions& options = {});
Tensor var_grad(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                const SmoothGradOptions& options = {});

// [N, H, W, C] -> [N, H, W]: the largest magnitude over channels.
Tensor saliency_map(const Tensor& attribution);

}  // namespace strata::introspect
