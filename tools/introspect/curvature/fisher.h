// The Fisher information matrix of a classifier p(y | x, w) over its parameters [P]: its curvature
// as a statistical model, never negative, and so the matrix to invert where the Hessian cannot be.
//
//   true        E_x E_{y ~ p} g g'     g the gradient of -log p(y | x); equal to the generalised
//                                      Gauss-Newton matrix of cross entropy (Martens 2020, "New
//                                      insights and perspectives on the natural gradient method")
//   empirical   E_x g g'               with the labels of the data: what most programs call Fisher
//                                      (Kunstner et al. 2019 say why it is not)
#pragma once

#include "tools/introspect/curvature/krylov.h"
#include "tools/introspect/curvature/objective.h"

namespace strata::introspect {

// Diagonal [P]: the mean of the squares of the examples' gradients. One pass an example.
Tensor empirical_fisher_diagonal(const ExampleLoss& loss, const std::vector<Tensor>& parameters,
                                 int64_t count);
// (1 / N) sum_i g_i <g_i, v>. Keeps the gradients [count, P].
LinearMap empirical_fisher(const ExampleLoss& loss, const std::vector<Tensor>& parameters,
                           int64_t count);

// Scores of one example or of a batch: [..., classes], rows are predictions.
using ScoresOf = std::function<Tensor(int64_t example)>;
// Diagonal [P] of the true Fisher matrix, the labels' expectation worked out and not sampled. Rows
// of one example (the positions of a sequence) are predictions of their own. A backward pass a row
// and class.
Tensor fisher_diagonal(const ScoresOf& scores, const std::vector<Tensor>& parameters,
                       int64_t count);
// (1 / rows) J' (diag(p) - p p') J v, J the Jacobian of the scores [..., classes]: exact, by two
// backward passes for J v (Townsend 2017) and one for J'. Runs the network once, here.
LinearMap fisher(const std::function<Tensor()>& scores, const std::vector<Tensor>& parameters);

}  // namespace strata::introspect
