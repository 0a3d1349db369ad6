// Multinomial logistic regression with an L2 penalty, to the optimum:
//
//   min over W, b of  -1/n sum_i log softmax(x_i W + b)[y_i] + l2/2 |W|^2 + bias_l2/2 |b|^2.
//
// Strictly convex in W for l2 > 0, so there is one optimum and it depends on nothing but the data:
// not on the start, and not on a rotation of the features (W turns with them). The bias is free by
// default, as in scikit-learn; softmax does not see a constant added to all of b, so b is the one
// with sum 0. A class without examples has its optimum at b = -infinity and W = 0, and gets just
// that; with bias_l2 > 0 every bias is finite and the problem is strictly convex in b too.
//
// Solved by L-BFGS in the metric of the Hessian at W = 0, cov(X) / C + l2 (Bohning 1992,
// "Multinomial logistic regression algorithm", bounds the Hessian by such a product everywhere), so
// that badly scaled features do not slow it down. Several label sets over the same features are
// solved in step and share products. Cost: 4 n D K FLOPs an evaluation for K classes of all label
// sets, 2 n D^2 once; memory besides x: 16 D K numbers of partial sums, 8 D^2 bytes (the diagonal
// alone is used for D above 2048) and 20 vectors of D K.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

struct LabelSet {
  int64_t classes = 0;
  std::vector<int64_t> labels;  // one a row of x, 0 to classes - 1
};
struct LogisticOptions {
  double l2 = 1e-2, bias_l2 = 0;
  int max_iterations = 200;
  // Stop when the Euclidean norm of the gradient is below; f64 features reach 1e-8 and less, f32
  // features about 1e-6, and stop there when no step improves.
  double tolerance = 1e-4;
};
struct LogisticFit {
  Tensor weight, bias;             // [D, classes], [classes], x's type
  double loss = 0, objective = 0;  // mean of -log probability (nats); with the penalty
  double gradient = 0;             // Euclidean norm at the end
  int iterations = 0;
};

// x [n, D], f32 or f64. `start` (optional): weights and, in the last row, biases of every label set
// side by side, [D + 1, K]. Errors: l2 not above 0; labels out of range;
// features that are not finite.
std::vector<LogisticFit> fit_logistic(const Tensor& x, const std::vector<LabelSet>& sets,
                                      const LogisticOptions& options = {},
                                      const Tensor& start = {});

// Mean of -log softmax(logits)[y] in nats, logits [n, C].
double log_loss(const Tensor& logits, const std::vector<int64_t>& labels);
// Share of rows whose largest logit (the first, in ties) is the label's.
double accuracy(const Tensor& logits, const std::vector<int64_t>& labels);

}  // namespace strata::introspect
