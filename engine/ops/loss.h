// Losses. Each gives a scalar: the mean over examples, unless reduction says otherwise. Losses of
// two floating tensors want the same shape of both (no broadcasting); a mean over nothing is NaN,
// except for cross_entropy.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

enum class Reduction { mean, sum, none };

struct CrossEntropyOptions {
  double label_smoothing = 0;   // Szegedy et al. 2016
  int64_t ignore_index = -100;  // targets left out of the sum and of the mean's count
  Reduction reduction = Reduction::mean;
};
// logits [..., C], target [...] i64/i32 -> scalar ([...] with Reduction::none). Fused log-softmax:
// keeps two numbers a row for the backward pass, no probabilities. A target that is neither a class
// nor ignore_index is an error that names its place. When every row is ignored the loss is 0.
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options = {}, Caller at = Caller::here());
// -log probability picked by target: log_probabilities [..., C].
Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target,
                Reduction reduction = Reduction::mean, Caller at = Caller::here());
// Binary cross entropy of sigmoid(logits) against targets in [0, 1], stable for large logits.
Tensor bce_with_logits(const Tensor& logits, const Tensor& target,
                       Reduction reduction = Reduction::mean, Caller at = Caller::here());
// The same of probabilities in [0, 1]; the logarithm is bounded below by -100.
Tensor bce(const Tensor& probabilities, const Tensor& target, Reduction reduction = Reduction::mean,
           Caller at = Caller::here());
Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean,
                Caller at = Caller::here());
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean,
               Caller at = Caller::here());
// Quadratic below delta, linear above.
Tensor huber_loss(const Tensor& x, const Tensor& target, double delta = 1,
                  Reduction reduction = Reduction::mean, Caller at = Caller::here());
// sum target (log target - log_probabilities) over the last axis, mean over the rest.
Tensor kl_divergence(const Tensor& log_probabilities, const Tensor& target,
                     Reduction reduction = Reduction::mean, Caller at = Caller::here());
// a . b / (|a| |b|) along `axis`.
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis = -1, double epsilon = 1e-8,
                         Caller at = Caller::here());
// Symmetric InfoNCE of paired rows a[i], b[i] (both [N, C], normalised inside): the mean of the two
// cross entropies of a b^T / temperature against the diagonal (Radford et al. 2021).
Tensor contrastive_loss(const Tensor& a, const Tensor& b, double temperature = 0.07,
                        Caller at = Caller::here());

}  // namespace strata
