// Loss and gradient of multinomial logistic regressions in one pass over the features: each tile of
// rows is multiplied by the weights, turned into residuals softmax - one-hot, and multiplied into
// the gradient while it is in the cache. So x is read from memory once, no [n, K] matrix exists,
// and the threads meet once a pass. The rows are cut into at most 16 pieces whose sums are added in
// order: the bits do not depend on the thread count.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// One label set among the columns of a pass: `classes` of them, after those of the sets before.
struct PassLabels {
  int64_t classes;
  const int64_t* labels;  // n, 0 to classes - 1
};
struct PassResult {
  std::vector<double> losses;    // a label set: mean over rows, nats
  std::vector<double> gradient;  // of all of the losses, [K, D + 1], bias last
};
// x [n, D] contiguous, f32 or f64; weights [K, D + 1] row-major, bias last. Cost 4 n D K FLOPs.
PassResult logistic_pass(const Tensor& x, const std::vector<PassLabels>& sets,
                         const std::vector<double>& weights);

}  // namespace strata::introspect
