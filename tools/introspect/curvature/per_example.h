// Gradients of single examples: their norms tell which examples pull hardest, their scatter how
// noisy a batch's gradient is.
#pragma once

#include <vector>

#include "tools/introspect/curvature/objective.h"

namespace strata::introspect {

// [count, P], row i the gradient of loss(i); their mean is the batch's gradient where the batch's
// loss is the examples' mean. One forward and backward pass an example, so it is right for any
// network that gives single examples a loss (batch norm in training does not).
Tensor per_example_gradients(const ExampleLoss& loss, const std::vector<Tensor>& parameters,
                             int64_t count);
// Their Euclidean norms, with one gradient kept at a time.
std::vector<double> per_example_gradient_norms(const ExampleLoss& loss,
                                               const std::vector<Tensor>& parameters,
                                               int64_t count);

// How large a batch is of use (McCandlish et al. 2018, "An empirical model of large-batch
// training", appendix A.1): with G the gradient and Sigma the covariance of single examples'
// gradients, the simple noise scale tr(Sigma) / |G|^2 is the batch size at which noise and signal
// are equal.
struct NoiseScale {
  double squared_gradient = 0, squared_gradient_error = 0;  // |G|^2 and its standard error
  double noise = 0, noise_error = 0;                        // tr(Sigma), likewise
  // Ratio of the two unbiased estimates; infinite where |G|^2 is estimated as 0 or less (no signal
  // to be seen: repeat more, or with larger batches).
  double scale() const;
};
// From squared norms of gradients, measured in pairs: of a batch of `small` examples (or the mean
// of several such) and of a batch of `big`. Unbiased, since E |G_B|^2 = |G|^2 + tr(Sigma) / B:
//   |G|^2 = (big |G_big|^2 - small |G_small|^2) / (big - small)
//   tr(Sigma) = (|G_small|^2 - |G_big|^2) / (1 / small - 1 / big)
NoiseScale noise_scale(const std::vector<double>& small_squares,
                       const std::vector<double>& big_squares, int64_t small, int64_t big);

// The mean loss of a batch of examples, by index.
using BatchLoss = std::function<Tensor(const std::vector<int64_t>& examples)>;
struct NoiseScaleOptions {
  int64_t small = 4, big = 64;  // big is a multiple of small
  int repeats = 16;
  uint64_t seed = 1;
};
// Batch norms should be in evaluation mode, or examples are not independent (and statistics move).
// Draws batches of 0..count-1 with replacement; a big batch's gradient is the mean of its small
// ones', which are then no extra work.
NoiseScale gradient_noise_scale(const BatchLoss& loss, const std::vector<Tensor>& parameters,
                                int64_t count, const NoiseScaleOptions& options = {});

}  // namespace strata::introspect
