// Integrated gradients (Sundararajan, Taly and Yan 2017, arXiv 1703.01365): the change of a score
// from a baseline x' to the input x, shared out among the inputs,
//
//   IG_i = (x_i - x'_i) integral over a from 0 to 1 of d f(x' + a (x - x')) / d x_i,
//
// which adds up to f(x) - f(x') ("completeness"). The integral is taken by
//
//   gauss_legendre  n nodes, exact where the gradient is a polynomial of degree 2 n - 1 in a. The
//                   default: on smooth networks tens of nodes reach rounding
//   midpoint        n equal cells; error O(1 / n^2) where smooth. On ReLU networks, where no rule
//                   knows of the bends, it is a little better: 50 nodes miss completeness by 1.9 %
//                   in the median over 40 inputs of a two-layer convolutional network, Gauss's by
//                   3.2 %
//   exact           one node in each linear piece (linear_pieces.h): no error but rounding, for
//                   small piecewise linear networks only; others are refused by name
//
// All of them are exact for a linear function. A pass holds at most `limit`, whatever the number of
// nodes: memory is that of one pass and of one f64 sum of x's shape. Cost: one forward and backward
// pass of each example for each node, and the scores at both ends.
//
//   auto result = integrated_gradients(model, x, target, {.steps = 50});
//   fmt::print("{}\n", result.summary());   // says by how much completeness is missed
//
// A neuron's: integrated_gradients(units_of(model, layer), x, {unit}).
#pragma once

#include <string>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/attribution/quadrature.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {

enum class Quadrature { gauss_legendre, midpoint, exact };

struct PathOptions {
  Quadrature quadrature = Quadrature::gauss_legendre;
  int steps = 50;               // nodes; not read by exact
  Tensor baseline = {};         // broadcasts to x; undefined: 0. baseline.h has more
  PassLimit limit = {};         // of what one pass holds
  int64_t most_pieces = 20000;  // exact: of each example, more are an error
};

struct PathAttribution {
  Tensor attribution;  // signed, in the shape of x (of the activation, for a layer)
  // One an example: f(x), f(x'), and what the attribution adds up to, less their difference.
  std::vector<double> scores, baseline_scores, gap;
  int64_t gradients = 0;  // points at which a gradient was taken
  // "completeness: largest gap 1.2e-03 (0.04% of the change of the score), 2 examples, 100
  // gradients".
  std::string summary() const;
};

PathAttribution integrated_gradients(const Scores& model, const Tensor& x,
                                     const std::vector<int64_t>& target,
                                     const PathOptions& options = {});

// Layer integrated gradients: the path runs from the layer's activation at the baseline to that at
// x, with the rest of the model as at x (it matters where connections go around the layer).
PathAttribution layer_integrated_gradients(const Scores& model, const Tensor& x,
                                           const std::string& layer,
                                           const std::vector<int64_t>& target,
                                           const PathOptions& options = {});

// Conductance (Dhamdhere, Sundararajan and Yan 2018, arXiv 1805.12233) of each unit y of a layer:
// the part of integrated gradients that flows through it,
//
//   integral of (d f / d y) (d y / d a) da along the path of the input,
//
// taken as a sum over cells of the gradient at the node times the change of y over the cell: it is
// exact with the exact pieces, and O(1 / n^2) with either quadrature where the network is smooth.
// Complete where everything flows through the layer. A layer that is used more than once is
// refused.
PathAttribution conductance(const Scores& model, const Tensor& x, const std::string& layer,
                            const std::vector<int64_t>& target, const PathOptions& options = {});

}  // namespace strata::introspect
