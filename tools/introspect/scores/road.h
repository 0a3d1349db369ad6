// ROAD, remove and debias (Rong et al. 2022, "A consistent and efficient evaluation strategy for
// attribution methods"): faithfulness without tell-tale holes. A removed pixel becomes what its
// neighbours suggest, plus a little noise, so that the shape of what was removed does not tell the
// class and the image stays near the data.
//
// Each removed pixel equals the mean of its eight neighbours, weighted 1/6 beside and 1/12 across,
// normalised to those inside the image. With the kept pixels given that is a sparse linear system,
// symmetric and positive definite, which conjugate gradients solve. Inside the image linear ramps
// are restored exactly.
//
// Cost: O(H W C) an iteration, some hundreds of iterations where a large piece of a 224 x 224 image
// is missing; and a forward pass of each example for each share, twice.
#pragma once

#include "tools/introspect/scores/explanation.h"

namespace strata::introspect {

// x [N, H, W, C] with the pixels of removed (bool [N, H, W]) restored from the kept ones. `noise`:
// standard deviation, in x's units; the same noise for every image, so a batch gives what its
// images would give alone. An image with no pixel left is an error.
Tensor impute_linear(const Tensor& x, const Tensor& removed, double noise = 0, uint64_t seed = 1);

struct RoadOptions {
  std::vector<double> shares = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};  // removed
  double noise = 0.01;
  uint64_t seed = 1;
};
struct Road {
  std::vector<double> shares;
  Tensor most_first, least_first;  // score of the target, [N, shares], f64
  // [N]: least_first - most_first, over the shares: larger is better, about 0 for a random map.
  Tensor gain;
};
// The attribution fits images as in faithfulness.h.
Road road(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
          const Tensor& attribution, const RoadOptions& options = {});

}  // namespace strata::introspect
