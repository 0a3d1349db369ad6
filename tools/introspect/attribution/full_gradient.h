// FullGrad (Srinivas and Fleuret 2019, arXiv 1905.00780): a score is what the input contributes
// through the gradient plus what every bias contributes,
//
//   f(x) = <df/dx, x> + sum over ops <df/d out, bias of the op>.
//
// The bias of an op is what its result has beyond its own linearisation, out - sum_i J_i input_i:
// the bias of a convolution, for batch norm the shift less what the mean takes away, a constant
// that is added, 0 for ReLU and max pooling. So no list of layers is needed, and the sum is exact
// for every network, up to rounding: going back op by op, each <df/d out, out> splits into the same
// of its operands and the bias. For a piecewise linear network these are the paper's terms; a
// smooth activation contributes as if it were its tangent with a bias.
//
// Cost: a forward and a backward pass that keep every op's result and gradient, and for each op
// that can have a bias two more steps of it.
#pragma once

#include <string>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {

struct BiasTerm {
  std::string op;
  Caller at;            // where the op was called
  Tensor contribution;  // df/d out times the bias, in out's shape
};
struct FullGradient {
  Tensor input;                  // x df/dx, in x's shape
  std::vector<BiasTerm> biases;  // of the ops that have one, in order
  std::vector<double> scores;    // f(x) of each example
  // What all terms add up to less f(x), of each example: rounding.
  std::vector<double> gap;
};
// A bias term whose first axis is not the batch is refused.
FullGradient full_gradient(const Scores& model, const Tensor& x,
                           const std::vector<int64_t>& target);

// The paper's saliency map of images x [N, H, W, C], [N, H, W]: the magnitudes of the input term
// and of the bias terms that are maps [N, h, w, C'], upsampled and summed over channels. A cell's
// magnitude is shared by the pixels it stands for, so that layers weigh as they do in the sum (the
// authors' code scales each layer to [0, 1] instead). Terms that are no maps have no place in it.
Tensor full_gradient_map(const FullGradient& terms);

}  // namespace strata::introspect
