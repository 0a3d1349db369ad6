// Linear probes (Alain and Bengio 2016): how much of a factor a layer shows to a linear reader.
//
// A probe is multinomial logistic regression with an L2 penalty,
//   min_W  -1/n sum_i log softmax(x_i W + b)[y_i] + l2/2 |W|^2,
// strictly convex in W, so its optimum is unique and a probe is a measurement, not another training
// run. Solved by accelerated gradient descent with restarts (Nesterov 1983; O'Donoghue and Candes
// 2012), step 1/L with L = lambda_max(X'X/n)/2 + l2. Several factors of the same features are
// solved together. Cost a step: 4 n D K FLOPs for K classes of all factors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

struct ProbeTask {
  std::string name;
  int64_t classes = 0;
  std::vector<int64_t> train, validation;  // labels of the rows of the two feature matrices
};
struct ProbeOptions {
  double l2 = 1e-2;
  int max_iterations = 200;
  double tolerance = 1e-4;  // stop when no entry of the gradient is larger
};
struct ProbeResult {
  std::string name;
  double train_accuracy = 0, validation_accuracy = 0;
  double train_loss = 0;  // without the penalty
  double chance = 0;      // of the best constant answer on the validation labels
  double gradient = 0;    // largest entry at the end
  int iterations = 0;
  Tensor weight, bias;  // [D, classes], [classes]
};

// train [n, D], validation [m, D], f32 or f64. `start` (optional, for tests): W and b of every task
// side by side, [D + 1, K].
std::vector<ProbeResult> fit_probes(const Tensor& train, const Tensor& validation,
                                    const std::vector<ProbeTask>& tasks,
                                    const ProbeOptions& options = {}, const Tensor& start = {});

}  // namespace strata::introspect
